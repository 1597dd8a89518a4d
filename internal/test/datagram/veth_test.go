//go:build linux

package datagram

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// netns runs functions on a thread in a network namespace of its own.
type netns struct {
	tid  int
	work chan func()
}

// newNetns skips the test if the namespace is not to be had.
func newNetns(t testing.TB) *netns {
	t.Helper()
	ns := &netns{work: make(chan func())}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock it: the thread ends with us
		ns.tid = unix.Gettid()
		err := unix.Unshare(unix.CLONE_NEWNET)
		started <- err
		if err != nil {
			return
		}
		for f := range ns.work {
			f()
		}
	}()
	if err := <-started; err != nil {
		t.Skip("a network namespace needs privileges: ", err)
	}
	t.Cleanup(func() { close(ns.work) })
	return ns
}

func (ns *netns) do(f func()) {
	done := make(chan struct{})
	ns.work <- func() { defer close(done); f() }
	<-done
}

// unanswered says that ip(8) was waited for long enough: in gVisor with the network of
// the host it gets no answer.
var unanswered atomic.Bool

// ip runs ip(8) in the namespace.
func (ns *netns) ip(t testing.TB, args string) {
	t.Helper()
	var out []byte
	var err error
	if unanswered.Load() {
		t.Skip("ip(8) gets no answer in a network namespace")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ns.do(func() { out, err = exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput() })
	unanswered.Store(ctx.Err() != nil)
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("there is no ip(8)")
	}
	if err != nil {
		t.Skipf("ip %s: %v: %s", args, err, out)
	}
}

// waitRunning waits until the kernel has seen the link of an interface come up: what is
// sent before is lost.
func (ns *netns) waitRunning(t testing.TB, name string) {
	t.Helper()
	running := false
	ns.do(func() {
		running = socktest.WaitUntil(func() bool {
			ifi, err := net.InterfaceByName(name)
			return err == nil && ifi.Flags&net.FlagRunning != 0
		})
	})
	if !running {
		t.Fatalf("%s does not come up", name)
	}
}

func (ns *netns) listen(t testing.TB, lc *ListenConfig, network, address string) *UDPConn {
	t.Helper()
	var c net.PacketConn
	var err error
	ns.do(func() { c, err = lc.ListenPacket(context.Background(), network, address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	conntest.LimitTime(t, c)
	return c.(*UDPConn)
}

func (ns *netns) dial(t testing.TB, d *Dialer, to net.Addr) *UDPConn {
	t.Helper()
	var c net.Conn
	var err error
	ns.do(func() { c, err = d.Dial("udp", to.String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	conntest.LimitTime(t, c)
	return c.(*UDPConn)
}

// vethNamespaces returns two namespaces with a cable between them, whose ends have the
// addresses 10.9.0.1 and .2, fd00:9::1 and ::2.
func vethNamespaces(t testing.TB, mtu int) (a, b *netns) {
	t.Helper()
	if _, err := os.Stat("/proc/self/ns/net"); err != nil {
		t.Skip("no network namespaces: ", err)
	}
	socktest.NeedInterfaces(t)
	a, b = newNetns(t), newNetns(t)
	a.ip(t, fmt.Sprintf("link add v type veth peer name v netns %d", b.tid))
	for i, ns := range []*netns{a, b} {
		ns.ip(t, fmt.Sprintf("link set v mtu %d up", mtu))
		ns.ip(t, fmt.Sprintf("addr add 10.9.0.%d/24 dev v", i+1))
		ns.ip(t, fmt.Sprintf("addr add fd00:9::%d/64 dev v nodad", i+1))
	}
	a.waitRunning(t, "v")
	b.waitRunning(t, "v")
	return a, b
}

func TestOffloadPropertyVeth(t *testing.T) {
	here, there := vethNamespaces(t, 1500)
	for _, addr := range []struct{ here, there string }{{"10.9.0.1:0", "10.9.0.2:0"}, {"[fd00:9::1]:0", "[fd00:9::2]:0"}} {
		for _, offload := range []struct{ send, receive bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			for _, connected := range []bool{false, true} {
				name := fmt.Sprintf("%s/send=%v,receive=%v,connected=%v", addr.there, offload.send, offload.receive, connected)
				t.Run(name, func(t *testing.T) {
					p := newProperty(t, 5000) // more than the MTU, which is sent in fragments
					for range 2 {
						p.receivers = append(p.receivers, there.listen(t, &ListenConfig{Offload: offload.receive}, "udp", addr.there))
					}
					if connected {
						p.receivers, p.connected = p.receivers[:1], true
						p.sender = here.dial(t, &Dialer{Offload: offload.send}, p.receivers[0].LocalAddr())
					} else {
						p.sender = here.listen(t, &ListenConfig{Offload: offload.send}, "udp", addr.here)
					}
					for _, r := range p.receivers {
						p.to = append(p.to, r.LocalAddr().(*net.UDPAddr))
					}
					for range 8 {
						p.round(t)
					}
				})
			}
		}
	}
}

// Segments must fit in the MTU of the path. Where they do not, they are sent
// singly, in fragments, to that peer, and joined to others.
func TestOffloadAboveMTU(t *testing.T) {
	here, there := vethNamespaces(t, 1500)
	lc := &ListenConfig{Offload: true}
	a, b := here.listen(t, lc, "udp4", "0.0.0.0:0"), there.listen(t, lc, "udp4", "10.9.0.2:0")
	other := there.listen(t, lc, "udp4", "10.9.0.2:0")
	for _, size := range []int{1472, 1473, 4000} {
		out := conntest.Numbered(b.LocalAddr(), conntest.EqualSizes(5, size)...)
		for range 2 {
			if n, err := a.WriteBatch(out, 0); n != 5 || err != nil {
				t.Fatalf("WriteBatch of %d bytes = %d, %v, want 5, nil", size, n, err)
			}
			in := conntest.RoomFor(5, size)
			conntest.ReceiveBatch(t, b, in)
			if diff := cmp.Diff(conntest.DataOf(out), conntest.TextsOf(in)); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		}
	}
	for _, to := range []*UDPConn{b, other} {
		if !socktest.Merges(t) {
			break // it does not show what was joined
		}
		conntest.SendBatch(t, a, conntest.Numbered(to.LocalAddr(), conntest.EqualSizes(5, 1472)...))
		if n, size := conntest.RawReceive(t, to); n != 5*1472 || size != 1472 {
			t.Errorf("sent %d bytes in parts of %d, want %d in parts of 1472", n, size, 5*1472)
		}
	}

	// No fragments: what does not fit is the caller's error, and what does is sent.
	if err := sockopt.MTUDiscover.Set(a, sockopt.MTUDiscoveryDo); err != nil {
		t.Fatal(err)
	}
	ms := conntest.Numbered(b.LocalAddr(), 100, 100, 1473, 1473, 100)
	if n, err := a.WriteBatch(ms, 0); n != 2 || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want 2, nil", n, err)
	}
	for range 2 {
		if n, err := a.WriteBatch(ms[2:], 0); n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
			t.Fatalf("WriteBatch above the MTU = %d, %v, want 0, EMSGSIZE", n, err)
		}
	}
	conntest.SendBatch(t, a, ms[4:])
	in := conntest.RoomFor(3, 200)
	conntest.ReceiveBatch(t, b, in)
	if diff := cmp.Diff(append(conntest.DataOf(ms[:2]), conntest.DataOf(ms[4:])...), conntest.TextsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestErrorQueueTooLong(t *testing.T) {
	here, _ := vethNamespaces(t, 1500)
	a := here.dial(t, &Dialer{}, &net.UDPAddr{IP: net.IPv4(10, 9, 0, 2), Port: 9})
	if err := sockopt.ReceiveError.Set(a, true); err != nil {
		t.Fatal(err)
	}
	if err := sockopt.MTUDiscover.Set(a, sockopt.MTUDiscoveryDo); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write(make([]byte, 2000)); !errors.Is(err, syscall.EMSGSIZE) {
		t.Fatalf("Write: %v, want EMSGSIZE", err)
	}
	_, report, err := a.ReadErrorQueue(nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Err != syscall.EMSGSIZE || report.MTU != 1500 || report.Reporter.IsValid() || report.Addr.String() != "10.9.0.2:9" {
		t.Errorf("report %+v, want EMSGSIZE with MTU 1500 of our own for 10.9.0.2:9", report)
	}
}

// TestOffloadWithoutChecksums sends by a device that computes no checksums. For such
// the kernel cuts up datagrams by itself since Linux 6.11, and not at all before: EIO.
func TestOffloadWithoutChecksums(t *testing.T) {
	here, there := vethNamespaces(t, 1500)
	var err error
	here.do(func() { err = setChecksumOffload("v", false) })
	if err != nil {
		t.Skip("no device without checksums: ", err)
	}
	for _, addr := range []struct{ here, there string }{{"10.9.0.1:0", "10.9.0.2:0"}, {"[fd00:9::1]:0", "[fd00:9::2]:0"}} {
		t.Run(addr.there, func(t *testing.T) {
			a := here.listen(t, &ListenConfig{Offload: true}, "udp", addr.here)
			b := there.listen(t, &ListenConfig{}, "udp", addr.there)
			for range 2 { // the second time it is known
				out, in := conntest.Numbered(b.LocalAddr(), conntest.EqualSizes(20, 1000)...), conntest.RoomFor(20, 1000)
				if n, err := a.WriteBatch(out, 0); n != len(out) || err != nil {
					t.Fatalf("WriteBatch = %d, %v, want %d, nil", n, err, len(out))
				}
				conntest.ReceiveBatch(t, b, in)
				if diff := cmp.Diff(conntest.DataOf(out), conntest.TextsOf(in)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// setChecksumOffload says whether a device computes checksums, see ETHTOOL_STXCSUM in
// linux/ethtool.h.
func setChecksumOffload(name string, on bool) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	value := [2]uint32{unix.ETHTOOL_STXCSUM, 0}
	if on {
		value[1] = 1
	}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data *[2]uint32
		_    [16]byte
	}{data: &value}
	copy(request.name[:], name)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}

// A size of segments that the path to a peer refused is not tried again, nor is a
// larger one, until offload is turned on once more: not even when the path has become
// wider, which tells this apart from finding out each time.
func TestOffloadRemembersRefusedSizes(t *testing.T) {
	socktest.NeedMerging(t)
	here, there := vethNamespaces(t, 1500)
	lc := &ListenConfig{Offload: true}
	a, b := here.listen(t, lc, "udp4", "10.9.0.1:0"), there.listen(t, lc, "udp4", "10.9.0.2:0")
	other := there.listen(t, lc, "udp4", "10.9.0.2:0")
	try := func(when string, to *UDPConn, size int, want bool) {
		t.Helper()
		if got := conntest.SentJoined(t, a, to, size); got != want {
			t.Errorf("%s: %d bytes joined %v, want %v", when, size, got, want)
		}
	}
	widen := func(mtu int) {
		for _, ns := range []*netns{here, there} {
			ns.ip(t, fmt.Sprintf("link set v mtu %d", mtu))
		}
	}
	for _, size := range []int{5000, 3000, 4000} {
		try("narrow path", b, size, false)
	}
	widen(9000)
	for _, size := range []int{3000, 4000, 5000} {
		try("refused before", b, size, false)
	}
	try("below what was refused", b, 2999, true)
	try("another peer", other, 3000, true)

	if err := a.SetOffload(true); err != nil {
		t.Fatal(err)
	}
	try("turned on again", b, 3000, true)
	try("turned on again, too long", b, 9000, false)
	try("turned on again, one was too long", b, 3000, true)
}

// What is remembered of many peers does not grow for ever.
func TestOffloadForgetsRefusedSizes(t *testing.T) {
	socktest.NeedMerging(t)
	here, there := vethNamespaces(t, 1500)
	lc := &ListenConfig{Offload: true}
	a, b := here.listen(t, lc, "udp4", "10.9.0.1:0"), there.listen(t, lc, "udp4", "10.9.0.2:0")
	if conntest.SentJoined(t, a, b, 3000) {
		t.Error("3000 bytes were joined on a path for 1500")
	}
	for port := range 1000 {
		to := &net.UDPAddr{IP: net.IPv4(10, 9, 0, 2), Port: 10000 + port}
		conntest.SendBatch(t, a, conntest.Numbered(to, 3000, 3000))
	}
	for _, ns := range []*netns{here, there} {
		ns.ip(t, "link set v mtu 9000")
	}
	if !conntest.SentJoined(t, a, b, 3000) {
		t.Error("a peer is remembered behind 1000 others")
	}
}

//go:build linux

package sockets_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
)

// offloading returns a socket on loopback with offload, and skips the test if the
// system has none.
func offloading(t testing.TB, network string) *UDPConn {
	t.Helper()
	c := openUDP(t, network)
	if err := c.SetOffload(true); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no segmentation offload here: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	limitTime(t, c)
	return c
}

// numbered returns messages to one address that are told apart by their first
// octets, of the given sizes.
func numbered(to net.Addr, sizes ...int) []Message {
	ms := make([]Message, len(sizes))
	for i, size := range sizes {
		b := bytes.Repeat([]byte{byte('a' + i%26)}, size)
		copy(b, fmt.Sprintf("%d:", i))
		ms[i] = message(b, to)
	}
	return ms
}

func equalSizes(n, size int) []int { return slices.Repeat([]int{size}, n) }

// dataOf returns what is sent in one buffer per message.
func dataOf(ms []Message) (s []string) {
	for _, m := range ms {
		s = append(s, string(m.Buffers[0]))
	}
	return s
}

// rawReceive returns what the kernel has for c: one datagram that may stand for
// several, and their size.
func rawReceive(t testing.TB, c *UDPConn) (n, size int) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	b, oob := make([]byte, 1<<16), make([]byte, 512)
	err = rc.Read(func(fd uintptr) bool {
		var oobn int
		n, oobn, _, _, err = syscall.Recvmsg(int(fd), b, oob, 0)
		oob = oob[:max(oobn, 0)]
		return err != syscall.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
	cmsgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range cmsgs {
		if m.Header.Level == syscall.IPPROTO_UDP {
			size = int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return n, size
}

// What goes out together: consecutive messages of one size, the last may be
// shorter, to one peer.
func TestWriteBatchJoins(t *testing.T) {
	type datagram struct{ N, Size int }
	a, b := offloading(t, "udp4"), offloading(t, "udp4")
	here := b.LocalAddr()
	same := *here.(*net.UDPAddr)
	other := openUDP(t, "udp4").LocalAddr()
	withOOB := func(m Message, p PacketInfo) Message {
		m.OOB = p.Append(nil)
		return m
	}
	ecn := PacketInfo{TOS: 2, HasTOS: true}
	tests := []struct {
		name string
		ms   []Message
		want []datagram
	}{
		{"equal", numbered(here, 100, 100, 100), []datagram{{300, 100}}},
		{"shorter last", numbered(here, 100, 100, 30), []datagram{{230, 100}}},
		{"shorter in between", numbered(here, 100, 30, 100, 100), []datagram{{130, 100}, {200, 100}}},
		{"longer", numbered(here, 30, 100, 100), []datagram{{30, 0}, {200, 100}}},
		{"single", numbered(here, 100), []datagram{{100, 0}}},
		{"empty ones stay alone", numbered(here, 0, 0, 10, 10, 0), []datagram{{0, 0}, {0, 0}, {20, 10}, {0, 0}}},
		{"equal address", []Message{numbered(here, 10)[0], numbered(&same, 10)[0]}, []datagram{{20, 10}}},
		{"another peer", []Message{numbered(here, 10)[0], numbered(other, 10)[0], numbered(here, 10)[0]}, []datagram{{10, 0}, {10, 0}}},
		{"128", numbered(here, equalSizes(128, 10)...), []datagram{{1280, 10}}},
		{"129", numbered(here, equalSizes(129, 10)...), []datagram{{1280, 10}, {10, 0}}},
		{"65473", numbered(here, 32736, 32736, 1), []datagram{{65473, 32736}}},
		{"65474", numbered(here, 32736, 32736, 2), []datagram{{65472, 32736}, {2, 0}}},
		{"65507", numbered(here, 65507), []datagram{{65507, 0}}},
		{"two of 40000", numbered(here, 40000, 40000), []datagram{{40000, 0}, {40000, 0}}},
		{"other control data", []Message{withOOB(numbered(here, 10)[0], ecn), withOOB(numbered(here, 10)[0], ecn), numbered(here, 10)[0]}, []datagram{{20, 10}, {10, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := a.WriteBatch(tt.ms, 0)
			if n != len(tt.ms) || err != nil {
				t.Fatalf("WriteBatch = %d, %v, want %d, nil", n, err, len(tt.ms))
			}
			for i, m := range tt.ms {
				if m.N != len(m.Buffers[0]) || m.NN != len(m.OOB) {
					t.Errorf("message %d: N = %d, NN = %d, want %d, %d", i, m.N, m.NN, len(m.Buffers[0]), len(m.OOB))
				}
			}
			var got []datagram
			for range tt.want {
				n, size := rawReceive(t, b)
				got = append(got, datagram{n, size})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("datagrams in the kernel (-want +got):\n%s", diff)
			}
		})
	}
}

// Without the switch, and with it turned off, nothing is joined or merged.
func TestOffloadOff(t *testing.T) {
	a, b := offloading(t, "udp4"), openUDP(t, "udp4")
	limitTime(t, b)
	if err := a.SetOffload(false); err != nil {
		t.Fatal(err)
	}
	if err := b.SetOffload(false); err != nil {
		t.Fatal(err)
	}
	merging := offloading(t, "udp4")
	sendBatch(t, a, numbered(merging.LocalAddr(), 10, 10))
	if n, size := rawReceive(t, merging); n != 10 || size != 0 {
		t.Errorf("sent %d octets in parts of %d, want 10 alone", n, size)
	}
	if err := a.SetOffload(true); err != nil {
		t.Fatal(err)
	}
	sendBatch(t, a, numbered(b.LocalAddr(), 10, 10))
	if n, size := rawReceive(t, b); n != 10 || size != 0 {
		t.Errorf("received %d octets in parts of %d, want 10 alone", n, size)
	}
}

// A datagramReader reads one datagram by one of the methods that there are.
type datagramReader struct {
	name string
	read func(c *UDPConn, b []byte) (n, flags int, from string, err error)
}

func datagramReaders() []datagramReader {
	return []datagramReader{
		{"Read", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, err := c.Read(b)
			return n, -1, "", err
		}},
		{"ReadFrom", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, addr, err := c.ReadFrom(b)
			return n, -1, fmt.Sprint(addr), err
		}},
		{"ReadFromUDP", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, addr, err := c.ReadFromUDP(b)
			return n, -1, fmt.Sprint(addr), err
		}},
		{"ReadFromUDPAddrPort", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, addr, err := c.ReadFromUDPAddrPort(b)
			return n, -1, (*net.UDPAddr)(net.UDPAddrFromAddrPort(addr)).String(), err
		}},
		{"ReadMsgUDP", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, _, flags, addr, err := c.ReadMsgUDP(b, nil)
			return n, flags, fmt.Sprint(addr), err
		}},
		{"ReadMsgUDPAddrPort", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, _, flags, addr, err := c.ReadMsgUDPAddrPort(b, nil)
			return n, flags, net.UDPAddrFromAddrPort(addr).String(), err
		}},
		{"ReceiveFrom", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, addr, err := c.ReceiveFrom(b, 0)
			flags := 0
			if errors.Is(err, io.ErrShortBuffer) {
				flags, err = syscall.MSG_TRUNC, nil
			}
			return n, flags, fmt.Sprint(addr), err
		}},
		{"ReadBatch", func(c *UDPConn, b []byte) (int, int, string, error) {
			ms := []Message{{Buffers: [][]byte{b[:len(b)/3], b[len(b)/3:]}}}
			if _, err := c.ReadBatch(ms, 0); err != nil {
				return 0, 0, "", err
			}
			return ms[0].N, ms[0].Flags, ms[0].Addr.String(), nil
		}},
	}
}

func TestEveryReaderSplits(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "udp"} {
		for _, r := range datagramReaders() {
			t.Run(network+"/"+r.name, func(t *testing.T) {
				a, b := offloading(t, network), offloading(t, network)
				to := toLoopback(b.LocalAddr())
				from := toLoopback(a.LocalAddr()).String()
				out := numbered(to, 100, 100, 100, 100, 70)
				// The second time the size is known beforehand.
				for range 2 {
					sendBatch(t, a, out)
					for i, size := range []int{100, 100, 40, 100, 100} {
						buf := make([]byte, size)
						n, flags, addr, err := r.read(b, buf)
						want := out[i].Buffers[0]
						wantFlags := 0
						if len(want) > size {
							want, wantFlags = want[:size], syscall.MSG_TRUNC
						}
						if err != nil || !bytes.Equal(buf[:n], want) {
							t.Fatalf("datagram %d: %q, %v, want %q", i, buf[:n], err, want)
						}
						if addr != "" && addr != from {
							t.Errorf("datagram %d is from %v, want %v", i, addr, from)
						}
						if flags >= 0 && flags != wantFlags {
							t.Errorf("datagram %d: flags %#x, want %#x", i, flags, wantFlags)
						}
					}
				}
			})
		}
	}
}

// Datagrams of unequal length come after merged ones, whose size was expected.
func TestOffloadSizesVary(t *testing.T) {
	a, b := offloading(t, "udp4"), offloading(t, "udp4")
	tests := []struct {
		name  string
		sizes [][]int // of each batch
		room  []int   // of the messages that they are read into
	}{
		{"growing", [][]int{equalSizes(5, 100), equalSizes(5, 200), {300}, equalSizes(3, 300)}, equalSizes(14, 400)},
		{"shrinking", [][]int{equalSizes(5, 300), equalSizes(5, 200), {10}, equalSizes(3, 10)}, equalSizes(14, 400)},
		{"little room", [][]int{equalSizes(5, 300), equalSizes(5, 300)}, []int{300, 299, 301, 0, 300, 300, 1000, 5, 300, 300}},
		{"large single", [][]int{equalSizes(5, 100), {65507}, {65507}, equalSizes(2, 32000)}, equalSizes(9, 1<<16)},
		{"empty", [][]int{{0, 0, 5, 5, 0}, equalSizes(5, 5), {0}}, equalSizes(11, 5)},
		{"huge buffers", [][]int{equalSizes(10, 100), {1}, {60000}}, equalSizes(12, 1<<18)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want, got []string
			for _, sizes := range tt.sizes {
				out := numbered(b.LocalAddr(), sizes...)
				sendBatch(t, a, out)
				want = append(want, dataOf(out)...)
			}
			in := make([]Message, len(tt.room))
			for i, room := range tt.room {
				in[i].Buffers = [][]byte{make([]byte, room)}
				if len(want[i]) > room {
					want[i] = want[i][:room]
				}
			}
			receiveBatch(t, b, in)
			for i, m := range in {
				got = append(got, textOf(m))
				if cut := m.Flags&syscall.MSG_TRUNC != 0; cut != (len(want[i]) == tt.room[i] && tt.room[i] < 300 && tt.name == "little room") {
					t.Errorf("message %d: truncated %v", i, cut)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOffloadControlData(t *testing.T) {
	a, b := offloading(t, "udp4"), offloading(t, "udp4")
	for _, o := range []Option[bool]{ReceivePacketInfo, ReceiveTOS, TimestampNS} {
		if err := o.Set(b, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := TOS.Set(a, 2); err != nil { // ECT(0)
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Second)
	sendBatch(t, a, numbered(b.LocalAddr(), 50, 50, 50, 50))

	check := func(i, flags int, oob []byte) {
		t.Helper()
		p, err := ParsePacketInfo(oob)
		if err != nil {
			t.Fatal(err)
		}
		if p.Time.Before(before) || p.Time.After(time.Now().Add(time.Second)) {
			t.Errorf("datagram %d came at %v", i, p.Time)
		}
		p.Time = time.Time{}
		local := netip.MustParseAddr("127.0.0.1")
		want := PacketInfo{Local: local, Destination: local, Interface: p.Interface, TOS: 2, HasTOS: true}
		if p != want || p.Interface <= 0 || flags != 0 {
			t.Errorf("datagram %d: %+v, flags %#x, want %+v", i, p, flags, want)
		}
	}
	buf, oob := make([]byte, 100), make([]byte, MaxPacketInfo)
	_, oobn, flags, _, err := b.ReadMsgUDP(buf, oob)
	if err != nil {
		t.Fatal(err)
	}
	check(0, flags, oob[:oobn])
	in := roomFor(3, 100)
	in[0].OOB, in[1].OOB = make([]byte, MaxPacketInfo), make([]byte, MaxPacketInfo)
	in[2].OOB = make([]byte, 30)
	receiveBatch(t, b, in)
	check(1, in[0].Flags, in[0].OOB[:in[0].NN])
	check(2, in[1].Flags, in[1].OOB[:in[1].NN])
	if in[2].Flags&syscall.MSG_CTRUNC == 0 || in[2].NN > 30 {
		t.Errorf("with little room: flags %#x, NN %d, want MSG_CTRUNC", in[2].Flags, in[2].NN)
	}
}

// What is split and not read yet obeys deadlines and Close, and can be peeked at.
func TestOffloadPending(t *testing.T) {
	a, b := offloading(t, "udp4"), offloading(t, "udp4")
	out := numbered(b.LocalAddr(), 10, 10, 10, 10, 10)
	sendBatch(t, a, out)
	want := dataOf(out)
	buf := make([]byte, 20)

	peek := roomFor(3, 20)
	if n, err := b.ReadBatch(peek, syscall.MSG_PEEK); n != 3 || err != nil {
		t.Fatalf("ReadBatch with MSG_PEEK = %d, %v, want 3, nil", n, err)
	}
	if diff := cmp.Diff(want[:3], textsOf(peek)); diff != "" {
		t.Errorf("peeked at (-want +got):\n%s", diff)
	}
	if n, _, err := b.ReceiveFrom(buf, Peek); err != nil || string(buf[:n]) != want[0] {
		t.Errorf("ReceiveFrom with Peek: %q, %v, want %q", buf[:n], err, want[0])
	}
	if n, err := b.Read(buf); err != nil || string(buf[:n]) != want[0] {
		t.Errorf("Read: %q, %v, want %q", buf[:n], err, want[0])
	}

	b.SetReadDeadline(time.Unix(1, 0))
	for _, r := range datagramReaders() {
		if _, _, _, err := r.read(b, buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s past the deadline: %v", r.name, err)
		}
	}
	b.SetReadDeadline(time.Time{})
	if n, err := b.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v", n, err)
	}
	limitTime(t, b)
	if n, _, err := b.ReadFrom(nil); n != 0 || err != nil {
		t.Errorf("ReadFrom(nil) = %d, %v", n, err) // and the datagram is lost
	}
	if n, err := b.Read(buf); err != nil || string(buf[:n]) != want[2] {
		t.Errorf("Read: %q, %v, want %q", buf[:n], err, want[2])
	}
	b.Close()
	for _, r := range datagramReaders() {
		if _, _, _, err := r.read(b, buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: %v", r.name, err)
		}
	}
}

// A reader that waits already gets single datagrams, too.
func TestOffloadWhileReading(t *testing.T) {
	for _, r := range datagramReaders() {
		t.Run(r.name, func(t *testing.T) {
			a, b := offloading(t, "udp4"), openUDP(t, "udp4")
			limitTime(t, b)
			buf := make([]byte, 100)
			done := make(chan string)
			go func() {
				n, _, _, err := r.read(b, buf)
				done <- fmt.Sprintf("%q %v", buf[:n], err)
			}()
			waitBlocked(t, b)
			if err := b.SetOffload(true); err != nil {
				t.Fatal(err)
			}
			out := numbered(b.LocalAddr(), 10, 10, 10)
			sendBatch(t, a, out)
			if diff := cmp.Diff(fmt.Sprintf("%q <nil>", out[0].Buffers[0]), <-done); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
			in := roomFor(2, 10)
			receiveBatch(t, b, in)
			if diff := cmp.Diff(dataOf(out)[1:], textsOf(in)); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

// A peer that refuses a joined datagram says so once, and nothing is sent twice.
func TestOffloadRefusedInBatch(t *testing.T) {
	gone := openUDP(t, "udp4")
	a := connectUDP(t, &Dialer{Offload: true}, "udp4", gone.LocalAddr())
	limitTime(t, a)
	gone.Close()
	ms := numbered(nil, slices.Concat(equalSizes(10, 10), equalSizes(5, 20))...)
	n, err := a.WriteBatch(ms, 0)
	if n != 10 || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want 10, nil", n, err)
	}
	if n, err := a.WriteBatch(ms[n:], 0); n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("WriteBatch = %d, %v, want 0, ECONNREFUSED", n, err)
	}
	if n, err := a.WriteBatch(ms[n:], 0); n != 5 || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want 5, nil", n, err)
	}
	if _, err := a.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Read: %v, want ECONNREFUSED", err)
	}
}

// SO_NO_CHECK makes the kernel refuse joined datagrams with EINVAL.
func TestOffloadFallsBack(t *testing.T) {
	for _, count := range []int{10, 64, 100} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			a, b := offloading(t, "udp4"), offloading(t, "udp4")
			if err := NoCheck.Set(a, true); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				out := numbered(b.LocalAddr(), equalSizes(count, 20)...)
				if n, err := a.WriteBatch(out, 0); n != count || err != nil {
					t.Fatalf("WriteBatch = %d, %v, want %d, nil", n, err, count)
				}
				in := roomFor(count, 20)
				receiveBatch(t, b, in)
				if diff := cmp.Diff(dataOf(out), textsOf(in)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
			}
			// It stays off for the socket until turned on again.
			NoCheck.Set(a, false)
			sendBatch(t, a, numbered(b.LocalAddr(), 10, 10))
			if n, size := rawReceive(t, b); size != 0 {
				t.Errorf("sent %d octets in parts of %d, want them alone", n, size)
			}
			rawReceive(t, b)
			a.SetOffload(true)
			sendBatch(t, a, numbered(b.LocalAddr(), 10, 10))
			if n, size := rawReceive(t, b); n != 20 || size != 10 {
				t.Errorf("turned on again: sent %d octets in parts of %d, want 20 in parts of 10", n, size)
			}
		})
	}
}

// An error that is not about joining changes nothing for later batches.
func TestOffloadErrorIsNotHeldAgainstIt(t *testing.T) {
	a, b := offloading(t, "udp4"), offloading(t, "udp4")
	nowhere := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)} // port 0
	if n, err := a.WriteBatch(numbered(nowhere, equalSizes(100, 10)...), 0); n != 0 || !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("WriteBatch to port 0 = %d, %v", n, err)
	}
	sendBatch(t, a, numbered(b.LocalAddr(), equalSizes(100, 10)...))
	if n, size := rawReceive(t, b); n != 1000 || size != 10 {
		t.Errorf("sent %d octets in parts of %d, want 1000 in parts of 10", n, size)
	}
}

// What is lost because the receive buffer is full is counted by the kernel.
func TestOffloadLossIsCounted(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a, b := openUDPWith(t, lc, "udp4"), openUDPWith(t, lc, "udp4")
			limitTime(t, a, b)
			if err := ReceiveQueueOverflow.Set(b, true); err != nil {
				t.Fatal(err)
			}
			if err := b.SetReadBuffer(1 << 16); err != nil {
				t.Fatal(err)
			}
			const batches, size = 200, 20
			for i := range batches {
				ms := numbered(b.LocalAddr(), equalSizes(size, 1000)...)
				for k := range ms {
					binary.BigEndian.PutUint32(ms[k].Buffers[0], uint32(i*size+k))
				}
				sendBatch(t, a, ms)
			}
			got, last := 0, -1
			var dropped uint32
			in := roomFor(16, 1000)
			for i := range in {
				in[i].OOB = make([]byte, MaxPacketInfo)
			}
			receive := func() bool {
				n, err := b.ReadBatch(in, syscall.MSG_DONTWAIT)
				if errors.Is(err, syscall.EAGAIN) {
					return false
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range in[:n] {
					p, err := ParsePacketInfo(m.OOB[:m.NN])
					if err != nil {
						t.Fatal(err)
					}
					dropped = max(dropped, p.Dropped)
					number := int(binary.BigEndian.Uint32([]byte(textOf(m))))
					if number <= last || m.N != 1000 {
						t.Fatalf("datagram %d of %d octets after %d", number, m.N, last)
					}
					last = number
					got++
				}
				return true
			}
			for receive() {
			}
			// One more tells the final count.
			sendBatch(t, a, numbered(b.LocalAddr(), 1000)[:1])
			last = -1 << 31
			receive()
			got--
			if got == batches*size || dropped == 0 {
				t.Fatalf("nothing was lost: received %d, the kernel dropped %d", got, dropped)
			}
			// A joined datagram is dropped, and counted, as one.
			lost := batches*size - got
			if offload {
				if lost%size != 0 || lost/size > int(dropped) || int(dropped) > lost {
					t.Errorf("lost %d datagrams, the kernel counts %d drops", lost, dropped)
				}
			} else if lost != int(dropped) {
				t.Errorf("lost %d datagrams, the kernel counts %d drops", lost, dropped)
			}
		})
	}
}

// waitBlocked waits until a goroutine that reads from c has found nothing.
func waitBlocked(t testing.TB, c *UDPConn) {
	t.Helper()
	// It holds the lock for reading while it waits, so that another reader of the
	// descriptor cannot get in.
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		in := make(chan struct{})
		go func() {
			rc.Read(func(uintptr) bool { return true })
			close(in)
		}()
		select {
		case <-in:
		case <-time.After(5 * time.Millisecond):
			return
		}
	}
	t.Fatal("nobody reads")
}

// Random batches arrive unchanged and in order, whoever offloads.
func TestOffloadProperty(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "mapped"} {
		for _, offload := range []struct{ send, receive bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			for _, connected := range []bool{false, true} {
				name := fmt.Sprintf("%s/send=%v,receive=%v,connected=%v", network, offload.send, offload.receive, connected)
				t.Run(name, func(t *testing.T) {
					p := newProperty(t, 65507)
					n := network
					if network == "mapped" {
						n = "udp"
					}
					for range 3 {
						p.receivers = append(p.receivers, openUDPWith(t, &ListenConfig{Offload: offload.receive}, n))
					}
					if connected {
						p.receivers = p.receivers[:1]
						p.sender = connectUDP(t, &Dialer{Offload: offload.send}, "udp", p.receivers[0].LocalAddr())
						p.connected = true
					} else {
						p.sender = openUDPWith(t, &ListenConfig{Offload: offload.send}, n)
					}
					for _, r := range p.receivers {
						p.to = append(p.to, toLoopback(r.LocalAddr()))
					}
					for range 8 {
						p.round(t)
					}
				})
			}
		}
	}
}

// property sends random batches from one socket to some.
type property struct {
	rand      *rand.Rand
	sender    *UDPConn
	connected bool
	receivers []*UDPConn
	to        []*net.UDPAddr
	maxSize   int // of a datagram
	noise     []byte
	buffers   [][]byte
}

func newProperty(t testing.TB, maxSize int) *property {
	t.Helper()
	seed := rand.Uint64()
	t.Log("seed ", seed)
	p := &property{rand: rand.New(rand.NewPCG(seed, 0)), maxSize: maxSize, noise: make([]byte, 1<<17)}
	for i := range p.noise {
		p.noise[i] = byte(p.rand.Uint32())
	}
	return p
}

// buffer returns one of several for a datagram.
func (p *property) buffer(i int) []byte {
	for len(p.buffers) <= i {
		p.buffers = append(p.buffers, make([]byte, 1<<16))
	}
	return p.buffers[i]
}

// round sends a batch and reads it.
func (p *property) round(t *testing.T) {
	t.Helper()
	limitTime(t, p.sender)
	// Runs of one size to one peer, with all in the receive buffer.
	var out []Message
	want := make([][]string, len(p.receivers))
	for budget := 60000; len(out) < 150 && budget > 0; {
		size := []int{0, 1, 20, 100, 1200, p.maxSize}[p.rand.IntN(6)]
		if p.rand.IntN(3) == 0 {
			size = p.rand.IntN(min(p.maxSize, 2000) + 1)
		}
		k := p.rand.IntN(len(p.receivers))
		for range 1 + p.rand.IntN(40) {
			n := size
			if p.rand.IntN(10) == 0 {
				n = p.rand.IntN(size + 1)
			}
			at := p.rand.IntN(len(p.noise) - n)
			b := bytes.Clone(p.noise[at : at+n])
			m := message(b, p.to[k])
			if cut := p.rand.IntN(n + 1); p.rand.IntN(4) == 0 {
				m.Buffers = [][]byte{b[:cut], b[cut:]}
			}
			if p.connected {
				m.Addr = nil
			}
			out = append(out, m)
			want[k] = append(want[k], string(b))
			if budget -= n + 700; budget < 0 { // 700 is what the kernel adds
				break
			}
		}
	}
	sendBatch(t, p.sender, out)
	from := toLoopback(p.sender.LocalAddr()).String()
	for k, r := range p.receivers {
		limitTime(t, r)
		var got []string
		for len(got) < len(want[k]) {
			if p.rand.IntN(2) == 0 {
				all := datagramReaders()
				rd := all[p.rand.IntN(len(all))]
				b := p.buffer(0)
				n, _, addr, err := rd.read(r, b)
				if err != nil {
					t.Fatalf("%s after %d of %d: %v", rd.name, len(got), len(want[k]), err)
				}
				if rd.name == "Read" && n == 0 {
					got = append(got, "")
					continue
				}
				if addr != "" && addr != from {
					t.Fatalf("%s: sender %v, want %v", rd.name, addr, from)
				}
				got = append(got, string(b[:n]))
				continue
			}
			ms := make([]Message, 1+p.rand.IntN(70))
			for i := range ms {
				b := p.buffer(i)
				cut := p.rand.IntN(2000)
				ms[i].Buffers = [][]byte{b[:cut], b[cut:]}
			}
			n, err := r.ReadBatch(ms, 0)
			if err != nil {
				t.Fatalf("ReadBatch after %d of %d: %v", len(got), len(want[k]), err)
			}
			for _, m := range ms[:n] {
				if m.Addr.String() != from || m.Flags != 0 {
					t.Fatalf("ReadBatch: sender %v, flags %#x, want %v, 0", m.Addr, m.Flags, from)
				}
				got = append(got, textOf(m))
			}
		}
		for i := range want[k] {
			if got[i] != want[k][i] {
				t.Fatalf("receiver %d, datagram %d of %d: %d octets, want %d, or others", k, i, len(want[k]), len(got[i]), len(want[k][i]))
			}
		}
	}
}

//go:build linux

package sockets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// netnsID returns what identifies the network namespace of a socket: its cookie, and
// before Linux 5.14 the number of its file.
func netnsID(c syscall.Conn) (uint64, error) {
	cookie, err := sockopt.NetNSCookie.Get(c)
	if !errors.Is(err, errors.ErrUnsupported) {
		return cookie, err
	}
	rc, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var stat unix.Stat_t
	if controlErr := rc.Control(func(fd uintptr) {
		var netns int
		if netns, err = unix.IoctlRetInt(int(fd), unix.SIOCGSKNS); err == nil {
			err = unix.Fstat(netns, &stat)
			unix.Close(netns)
		}
	}); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, fmt.Errorf("%w: no cookie, and SIOCGSKNS: %w", errors.ErrUnsupported, err)
	}
	return stat.Ino, nil
}

// netnsOf is netnsID, and skips the test on a kernel that does not tell.
func netnsOf(tb testing.TB, c any) uint64 {
	tb.Helper()
	id, err := netnsID(c.(syscall.Conn))
	if errors.Is(err, errors.ErrUnsupported) {
		tb.Skip(err)
	}
	socktest.Check(tb, err)
	return id
}

// netnsIDOf returns what identifies a network namespace, nil for that of the process.
func netnsIDOf(tb testing.TB, netns *os.File) uint64 {
	tb.Helper()
	c, err := (&sockets.ListenConfig{NetNS: netns}).ListenPacket(tb.Context(), "udp4", "127.0.0.1:0")
	socktest.Check(tb, err)
	defer c.Close()
	return netnsOf(tb, c)
}

// wantNoThread wants no thread of the process to be in the namespaces. One that is
// thrown away takes a moment.
func wantNoThread(tb testing.TB, namespaces ...*os.File) {
	tb.Helper()
	inside := func() (threads []string) {
		links, err := filepath.Glob("/proc/self/task/*/ns/net")
		socktest.Check(tb, err)
		for _, link := range links {
			thread, err := os.Stat(link)
			if err != nil {
				continue // it has ended
			}
			for _, f := range namespaces {
				netns, err := f.Stat()
				socktest.Check(tb, err)
				if os.SameFile(thread, netns) {
					threads = append(threads, link)
				}
			}
		}
		return threads
	}
	if !socktest.WaitUntil(func() bool { return len(inside()) == 0 }) {
		tb.Errorf("threads left in a namespace: %v", inside())
	}
}

// Listeners and dialers of all networks meet in a namespace where the process is not.
func TestNetNS(t *testing.T) {
	socktest.NeedOption(t, "SO_NETNS_COOKIE")
	netns := socktest.NewNetNS(t)
	home, there := netnsIDOf(t, nil), netnsIDOf(t, netns)
	if home == there {
		t.Fatal("the socket is in the namespace of the process")
	}
	lc, d := sockets.ListenConfig{NetNS: netns}, sockets.Dialer{NetNS: netns}
	abstract := "@netns" + strconv.Itoa(os.Getpid())
	for _, tt := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"},
		{"tcp", "[::1]:0"},
		{"tcp", "localhost:0"},
		{"tcp", ":0"},
		{"tcp4", "127.0.0.1:0"},
		{"tcp6", "[::1]:0"},
		{"mptcp", "127.0.0.1:0"},
		{"unix", abstract},
		{"unixpacket", abstract + "p"},
	} {
		t.Run(tt.network+" "+tt.address, func(t *testing.T) {
			l, err := lc.Listen(t.Context(), tt.network, tt.address)
			if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.EAFNOSUPPORT) {
				t.Skip(err)
			}
			socktest.Check(t, err)
			socktest.CloseLater(t, l)
			c, err := d.Dial(tt.network, l.Addr().String())
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			s, err := l.Accept()
			socktest.Check(t, err)
			socktest.CloseLater(t, s)
			for what, x := range map[string]any{"listener": l, "dialed": c, "accepted": s} {
				if got := netnsOf(t, x); got != there {
					t.Errorf("%s is in namespace %d, want %d", what, got, there)
				}
			}
			_, err = s.Write([]byte("hello"))
			socktest.Check(t, err)
			conntest.WantMessage(t, c, "hello")
			if tt.network == "unix" || tt.network == "unixpacket" {
				if c, err := sockets.Dial(tt.network, tt.address); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("dialed from the namespace of the process: %v, %v, want ECONNREFUSED", c, err)
				}
			}
		})
	}
	for _, tt := range []struct{ network, address string }{
		{"udp", "127.0.0.1:0"},
		{"ip4:253", "127.0.0.1"},
		{"unixgram", abstract + "g"},
	} {
		t.Run(tt.network+" "+tt.address, func(t *testing.T) {
			p, err := lc.ListenPacket(t.Context(), tt.network, tt.address)
			if errors.Is(err, syscall.EPERM) {
				t.Skip(err)
			}
			socktest.Check(t, err)
			socktest.CloseLater(t, p)
			c, err := d.Dial(tt.network, p.LocalAddr().String())
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			if dialed, bound := netnsOf(t, c), netnsOf(t, p); dialed != there || bound != there {
				t.Errorf("in namespaces %d and %d, want %d", dialed, bound, there)
			}
			_, err = c.Write([]byte("hello"))
			socktest.Check(t, err)
			b := make([]byte, 100)
			n, _, err := p.ReadFrom(b)
			if string(b[:n]) != "hello" || err != nil {
				t.Errorf("received %q, %v", b[:n], err)
			}
		})
	}
	t.Run("group", func(t *testing.T) {
		ls, err := lc.ListenGroup(t.Context(), "tcp4", "127.0.0.1:0", 2)
		socktest.Check(t, err)
		for _, l := range ls {
			if got := netnsOf(t, l); got != there {
				t.Errorf("listener is in namespace %d, want %d", got, there)
			}
			l.Close()
		}
	})
	wantNoThread(t, netns)
	if got := netnsIDOf(t, nil); got != home {
		t.Errorf("the process went to namespace %d", got)
	}
}

// Sockets of one process, which is in neither namespace, speak over a cable between two.
func TestNetNSCable(t *testing.T) {
	socktest.NeedOption(t, "SO_NETNS_COOKIE")
	a, b := socktest.NewNetNS(t), socktest.NewNetNS(t)
	var v1 *net.Interface
	socktest.InNetNS(t, a, func() {
		var v0 *net.Interface
		v0, v1 = socktest.VethPair(t)
		socktest.AddAddr(t, v0, net.IPv4(10, 91, 7, 1))
		socktest.MoveLink(t, v1, b)
	})
	socktest.InNetNS(t, b, func() {
		socktest.AddAddr(t, v1, net.IPv4(10, 91, 7, 2))
		socktest.WaitRunning(t, v1.Name)
	})
	l, err := (&sockets.ListenConfig{NetNS: b}).Listen(t.Context(), "tcp4", "10.91.7.2:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	c, err := (&sockets.Dialer{NetNS: a}).Dial("tcp4", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	s, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	if got := s.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); got != netip.MustParseAddr("10.91.7.1") {
		t.Errorf("connection from %v, want 10.91.7.1", got)
	}
	_, err = c.Write([]byte("hello"))
	socktest.Check(t, err)
	conntest.WantMessage(t, s, "hello")

	// A Socket as well.
	in, err := sockets.NewIn(a, "tcp4")
	socktest.Check(t, err)
	defer in.Close()
	c2, err := in.Connect(t.Context(), l.Addr())
	socktest.Check(t, err)
	socktest.CloseLater(t, c2)
	raw, err := sockets.NewRawIn(b, unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	socktest.Check(t, err)
	defer raw.Close()
	if got, want := netnsOf(t, raw), netnsOf(t, l); got != want {
		t.Errorf("NewRawIn: namespace %d, want %d", got, want)
	}
	wantNoThread(t, a, b)
}

// Values of options are looked up in the namespace, also to tell whether Multipath TCP has
// the option.
func TestNetNSOptions(t *testing.T) {
	socktest.NeedMultipath(t)
	netns := socktest.NewNetNS(t)
	var v *net.Interface
	socktest.InNetNS(t, netns, func() { v, _ = socktest.VethPairOf(t, "inside0", "inside1") })
	for _, s := range []sockopt.Setting{sockopt.BindToDevice.With(v.Name), sockopt.BindToIfIndex.With(v.Index)} {
		lc := &sockets.ListenConfig{NetNS: netns, Options: []sockopt.Setting{s}}
		l, err := lc.Listen(t.Context(), "mptcp4", "127.0.0.1:0")
		if errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.ENOPROTOOPT) {
			t.Skip(err)
		}
		socktest.Check(t, err)
		l.Close()
	}
}

// Goroutines that use different namespaces at the same time do not disturb each other.
func TestNetNSConcurrent(t *testing.T) {
	socktest.NeedOption(t, "SO_NETNS_COOKIE")
	namespaces := []*os.File{nil, socktest.NewNetNS(t), socktest.NewNetNS(t)}
	var want []uint64
	for _, f := range namespaces {
		want = append(want, netnsIDOf(t, f))
	}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			for range 10 {
				which := i % len(namespaces)
				l, err := (&sockets.ListenConfig{NetNS: namespaces[which]}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
				if err != nil {
					t.Error(err)
					return
				}
				got, err := netnsID(l.(syscall.Conn))
				if got != want[which] || err != nil {
					t.Errorf("namespace %d, %v, want %d", got, err, want[which])
				}
				l.Close()
			}
		})
	}
	wg.Wait()
	wantNoThread(t, namespaces[1:]...)
}

// The queue of a listener is as long as its own namespace allows.
func TestNetNSBacklog(t *testing.T) {
	socktest.NeedOption(t, "TCP_INFO")
	netns := socktest.NewNetNS(t)
	socktest.InNetNS(t, netns, func() {
		if err := os.WriteFile("/proc/sys/net/core/somaxconn", []byte("16384"), 0); err != nil {
			t.Skip(err)
		}
	})
	lc := sockets.ListenConfig{NetNS: netns}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	socktest.WithFD(t, l.(syscall.Conn), func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil && info.Sacked != 16384 { // of a listener: its backlog
			t.Errorf("backlog %d, want 16384", info.Sacked)
		}
		return err
	})
}

// What is no network namespace is refused before anything is looked up or opened.
func TestNetNSRefused(t *testing.T) {
	socktest.NeedProc(t)
	open := func(path string) *os.File {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			t.Skip(err)
		}
		socktest.Check(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	closed, err := os.Open("/proc/self/ns/net")
	socktest.Check(t, err)
	closed.Close()
	files := map[string]*os.File{
		"regular file":      open(socktest.Executable(t)),
		"device":            open(os.DevNull),
		"directory":         open("/"),
		"another namespace": open("/proc/self/ns/mnt"),
		"pipe":              socktest.Pipes(t, 1)[0],
		"closed":            closed,
		"nil":               nil,
	}
	if _, err := unix.IoctlRetInt(int(files["another namespace"].Fd()), unix.NS_GET_NSTYPE); err != nil {
		delete(files, "another namespace") // an emulator may not pass on that it is one
	}
	before := socktest.OpenDescriptors(t)
	for name, f := range files {
		lc, d := sockets.ListenConfig{NetNS: f}, sockets.Dialer{NetNS: f, Resolver: &net.Resolver{
			PreferGo: true,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				t.Errorf("%s: a name is looked up", name)
				return nil, errors.New("no server")
			},
		}}
		local := netip.MustParseAddrPort("127.0.0.1:9")
		errs := map[string]error{
			"NewIn":    socktest.ErrOf(sockets.NewIn(f, "tcp")),
			"NewRawIn": socktest.ErrOf(sockets.NewRawIn(f, unix.AF_INET, unix.SOCK_DGRAM, 0)),
		}
		if f != nil {
			errs["Dial"] = socktest.ErrOf(d.Dial("tcp", "name.invalid:80"))
			errs["DialAddrs"] = socktest.ErrOf(d.DialAddrs(t.Context(), "tcp", []netip.AddrPort{local}))
			errs["DialTCP"] = socktest.ErrOf(d.DialTCP(t.Context(), "tcp", netip.AddrPort{}, local))
			errs["DialUDP"] = socktest.ErrOf(d.DialUDP(t.Context(), "udp", netip.AddrPort{}, local))
			errs["Listen"] = socktest.ErrOf(lc.Listen(t.Context(), "tcp", "127.0.0.1:0"))
			errs["ListenGroup"] = socktest.ErrOf(lc.ListenGroup(t.Context(), "tcp", "127.0.0.1:0", 2))
			errs["ListenPacket"] = socktest.ErrOf(lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0"))
		}
		for call, err := range errs {
			var arg *sockets.ArgumentError
			var op *net.OpError
			if !errors.As(err, &op) || !errors.As(err, &arg) || arg.Arg != "network namespace" {
				t.Errorf("%s of %s: %v, want an *ArgumentError in a *net.OpError", call, name, err)
			}
		}
	}
	if after := socktest.OpenDescriptors(t); after != before {
		t.Errorf("%d descriptors are left open", after-before)
	}
}

// An unprivileged user is told so, and by which call.
func TestNetNSPermission(t *testing.T) {
	f, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	s, err := sockets.NewIn(f, "tcp4")
	if err == nil {
		s.Close()
		t.Skip("the user may enter network namespaces")
	}
	var call *os.SyscallError
	if !errors.As(err, &call) || call.Syscall != "setns" || !errors.Is(err, os.ErrPermission) {
		t.Errorf("error %v, want that of setns, a lack of permission", err)
	}
}

func init() { socktest.Children["netns without return"] = netnsWithoutReturn }

// A process that may enter a namespace need not have the right to return to where it
// was: then the thread is discarded.
func TestNetNSWithoutReturn(t *testing.T) {
	socktest.NeedOption(t, "SO_NETNS_COOKIE")
	socktest.NeedUserNS(t)
	cmd := socktest.ChildCommand(t, "netns without return")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Skip("no user namespace: ", err)
	}
	if rest, ok := bytes.CutPrefix(out, []byte("skip: ")); ok {
		t.Skip(string(rest))
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// newNetNSOnly makes a namespace on a thread that ends with it.
func newNetNSOnly() (netns *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // which cannot end
			netns, err = newNetNSOnly()
			runtime.UnlockOSThread()
			return
		}
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			netns, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	<-done
	return netns, err
}

func netnsWithoutReturn() error {
	f, err := newNetNSOnly()
	if err != nil {
		fmt.Println("skip: no network namespace:", err)
		return nil
	}
	home, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return err
	}
	for range 20 {
		s, err := sockets.NewIn(f, "udp4")
		if err != nil {
			return err
		}
		there, err := netnsID(s)
		if errors.Is(err, errors.ErrUnsupported) {
			fmt.Println("skip:", err)
			return nil
		}
		if err != nil {
			return err
		}
		s.Close()
		s, err = sockets.New("udp4")
		if err != nil {
			return err
		}
		here, err := netnsID(s)
		if errors.Is(err, errors.ErrUnsupported) {
			fmt.Println("skip:", err)
			return nil
		}
		if err != nil {
			return err
		}
		s.Close()
		if here == there {
			return errors.New("a thread stays in the namespace")
		}
	}
	if !socktest.WaitUntil(func() bool {
		links, _ := filepath.Glob("/proc/self/task/*/ns/net")
		for _, link := range links {
			if thread, err := os.Stat(link); err == nil && !os.SameFile(thread, home) {
				return false
			}
		}
		return true
	}) {
		return errors.New("threads stay in the namespace")
	}
	return nil
}

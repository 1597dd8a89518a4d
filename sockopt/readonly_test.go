//go:build linux

package sockopt

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

func testAcceptConn(t *testing.T, kind string) {
	c := newSocket(t, kind)
	raw := func(fd int) (bool, error) {
		v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		return v != 0, err
	}
	if checkRead(t, c, AcceptConn, raw) {
		t.Error("a fresh socket listens")
	}
	control(t, c, func(fd int) error {
		if strings.HasPrefix(kind, "unix") {
			// Without a path: the kernel picks an abstract name.
			if err := unix.Bind(fd, &unix.SockaddrUnix{}); err != nil {
				return err
			}
		}
		return unix.Listen(fd, 1)
	})
	if !checkRead(t, c, AcceptConn, raw) {
		t.Error("a listener does not listen")
	}
}

func testCookie(t *testing.T, kind string) {
	cookie := func(fd int) (uint64, error) { return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE) }
	a := checkRead(t, newSocket(t, kind), Cookie, cookie)
	b := checkRead(t, newSocket(t, kind), Cookie, cookie)
	if a == 0 || a == b {
		t.Errorf("two sockets have the cookies %d and %d", a, b)
	}
}

func testNetNSCookie(t *testing.T, kind string) {
	v := checkRead(t, newSocket(t, kind), NetNSCookie, func(fd int) (uint64, error) {
		return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	})
	if v == 0 {
		t.Error("the network namespace has no cookie")
	}
}

// unixPair returns one end of a connected pair.
func unixPair(t *testing.T, kind string) *os.File {
	t.Helper()
	typ := map[string]int{"unix": unix.SOCK_STREAM, "unixgram": unix.SOCK_DGRAM, "unixpacket": unix.SOCK_SEQPACKET}[kind]
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	t.Cleanup(func() { a.Close(); b.Close() })
	return a
}

func testPeerCred(t *testing.T, kind string) {
	got := checkRead(t, unixPair(t, kind), PeerCred, func(fd int) (Ucred, error) {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return Ucred{}, err
		}
		return Ucred{int(cred.Pid), cred.Uid, cred.Gid}, nil
	})
	want := Ucred{os.Getpid(), uint32(os.Getuid()), uint32(os.Getgid())}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("own credentials mismatch (-want +got):\n%s", diff)
	}

	if _, err := PeerCred.Get(newSocket(t, kind)); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("on a socket without a peer: %v, want ENOTCONN", err)
	}
}

func testPeerPIDFD(t *testing.T, kind string) {
	f, err := PeerPIDFD.Get(unixPair(t, kind))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	control(t, f, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			t.Error("the pidfd is not close-on-exec")
		}
		return errors.Join(err, unix.PidfdSendSignal(fd, 0, nil, 0))
	})

	if f, err := PeerPIDFD.Get(newSocket(t, kind)); err == nil {
		f.Close()
		t.Error("a socket without a peer gave a pidfd")
	}
}

func testPeerSecurity(t *testing.T, kind string) {
	c := unixPair(t, kind)
	got, gotErr := PeerSecurity.Get(c)
	control(t, c, func(fd int) error {
		want, err := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_PEERSEC)
		if want != got || !errors.Is(gotErr, err) {
			t.Errorf("label %q, %v; want %q, %v", got, gotErr, want, err)
		}
		return nil
	})
}

func testSendLowWater(t *testing.T, kind string) {
	c := newSocket(t, kind)
	if v, err := SendLowWater.Get(c); v != 1 || err != nil {
		t.Errorf("Get = %d, %v; want 1, nil", v, err)
	}
	if err := SendLowWater.Set(c, 2); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Set = %v; want errors.ErrUnsupported", err)
	}
}

func testSocketError(t *testing.T, _ string) {
	if v, err := SocketError.Get(newSocket(t, "udp4")); v != nil || err != nil {
		t.Errorf("on a fresh socket: %v, %v; want nil, nil", v, err)
	}

	// A port that was just given up refuses datagrams, and loopback tells so
	// before Write returns.
	gone, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	c, err := net.Dial("udp4", gone.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{syscall.ECONNREFUSED, nil} {
		if v, err := SocketError.Get(c.(*net.UDPConn)); v != want || err != nil {
			t.Errorf("pending error %v, %v; want %v, nil", v, err, want)
		}
	}
}

// dialSelf returns a conn of package net and the conn that was accepted for it,
// if the network has one. Its listener has the settings.
func dialSelf(t *testing.T, network string, settings ...Setting) (dialed, accepted net.Conn) {
	t.Helper()
	socktest.NeedNetwork(t, network)
	addr := "127.0.0.1:0"
	if strings.HasSuffix(network, "6") {
		addr = "[::1]:0"
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(strings.HasPrefix(network, "mptcp"))
	lc.Control = func(_, _ string, c syscall.RawConn) error {
		for _, s := range settings {
			if err := s.Apply(c); err != nil {
				return err
			}
		}
		return nil
	}
	network = strings.TrimPrefix(network, "mp")
	var d net.Dialer
	d.SetMultipathTCP(lc.MultipathTCP())
	if strings.HasPrefix(network, "udp") {
		l, err := lc.ListenPacket(t.Context(), network, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		addr = l.LocalAddr().String()
	} else {
		l, err := lc.Listen(t.Context(), network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addr = l.Addr().String()
		defer func() {
			if accepted, err = l.Accept(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { accepted.Close() })
		}()
	}
	dialed, err := d.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close() })
	return dialed, nil
}

func testPathMTU(t *testing.T, kind string) {
	o, level, opt := PathMTU, unix.IPPROTO_IP, unix.IP_MTU
	if strings.HasSuffix(kind, "6") {
		o, level, opt = PathMTU6, unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	c, _ := dialSelf(t, kind)
	if mtu := checkRead(t, c.(syscall.Conn), o, readInt(level, opt)); mtu < 1280 {
		t.Errorf("the path MTU of loopback is %d", mtu)
	}
	if _, err := o.Get(newSocket(t, kind)); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("on an unconnected socket: %v, want ENOTCONN", err)
	}
}

func testSavedSYN(t *testing.T, kind string) {
	_, c := dialSelf(t, kind, SaveSYN.With(true))
	syn, err := SavedSYN.Get(c.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]int{"tcp4": 20, "tcp6": 40}
	if n := headers[kind] + 20; len(syn) < n || syn[n-7]&2 == 0 {
		t.Errorf("% x are no headers of a SYN", syn)
	}
	if syn, err := SavedSYN.Get(c.(*net.TCPConn)); len(syn) != 0 || err != nil {
		t.Errorf("second Get = % x, %v; want nothing", syn, err)
	}
}

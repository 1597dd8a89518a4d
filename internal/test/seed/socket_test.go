//go:build linux

package seed

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

func seedAddressFamily(t *testing.T) {
	tests := []struct {
		network string
		family  int
	}{
		{"tcp4", syscall.AF_INET}, {"tcp6", syscall.AF_INET6}, {"udp4", syscall.AF_INET},
		{"unix", syscall.AF_UNIX}, {"unixgram", syscall.AF_UNIX}, {"unixpacket", syscall.AF_UNIX},
	}
	for _, tt := range tests {
		if got := conntest.NewSocket(t, tt.network).Family(); got != tt.family {
			t.Errorf("family of %s is %d, want %d", tt.network, got, tt.family)
		}
	}
	socktest.NeedNetlink(t)
	s, err := sockets.NewRaw(syscall.AF_NETLINK, syscall.SOCK_RAW, 0)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	if s.Family() != syscall.AF_NETLINK {
		t.Errorf("family %d, want AF_NETLINK", s.Family())
	}
}

func seedType(t *testing.T) {
	for network, typ := range map[string]int{
		"tcp": syscall.SOCK_STREAM, "udp": syscall.SOCK_DGRAM, "mptcp": syscall.SOCK_STREAM,
		"unix": syscall.SOCK_STREAM, "unixgram": syscall.SOCK_DGRAM, "unixpacket": syscall.SOCK_SEQPACKET,
	} {
		t.Run(network, func(t *testing.T) {
			if got := conntest.NewSocket(t, network).Type(); got != typ {
				t.Errorf("type %d, want %d", got, typ)
			}
		})
	}
}

func seedProtocol(t *testing.T) {
	s, err := sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, syscall.IPPROTO_TCP)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	if s.Protocol() != syscall.IPPROTO_TCP {
		t.Errorf("protocol %d, want TCP", s.Protocol())
	}
	_, want := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, syscall.IPPROTO_UDP) // EPROTONOSUPPORT in Linux
	_, err = sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, syscall.IPPROTO_UDP)
	socktest.WantError(t, err, "socket", want)
}

// :connect :active is Dialer and Socket.Connect, :passive ListenConfig and
// Socket.Listen.
func seedActivePassive(t *testing.T) {
	passive := conntest.NewSocket(t, "tcp")
	socktest.Check(t, passive.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	l, err := passive.Listen(0)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	c, err := conntest.NewSocket(t, "tcp").Connect(t.Context(), l.Addr())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
}

// :ipv6 nil, t and :default are networks with 4, with 6 and with neither.
func seedIPv6(t *testing.T) {
	for network, want := range map[string]string{"tcp4": "0.0.0.0", "tcp6": "::", "tcp": "::"} {
		l, err := sockets.Listen(network, ":0")
		socktest.Check(t, err)
		socktest.CloseLater(t, l)
		if got := l.Addr().(*net.TCPAddr).IP.String(); got != want {
			t.Errorf("%s listens on %s, want %s", network, got, want)
		}
		only, err := sockopt.V6Only.Get(l.(syscall.Conn))
		if network != "tcp4" && (err != nil || only != (network == "tcp6")) {
			t.Errorf("%s speaks IPv6 only: %v, %v", network, only, err)
		}
	}
}

func seedLocalHostPort(t *testing.T) {
	l := conntest.Listen4(t)
	free := conntest.Listen4(t) // a port that nobody else has, freed
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7), Port: free.Addr().(*net.TCPAddr).Port}
	socktest.Check(t, free.Close())
	d := sockets.Dialer{LocalAddr: local}
	c, err := d.Dial("tcp", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if got, want := c.LocalAddr().String(), local.String(); got != want {
		t.Errorf("local address %s, want %s", got, want)
	}
}

// Hosts and ports may be names.
func seedRemoteHostPort(t *testing.T) {
	l := conntest.Listen4(t)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := sockets.Dial("tcp", "localhost:"+port)
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	u, err := sockets.Dial("udp4", "localhost:domain")
	socktest.Check(t, err)
	socktest.CloseLater(t, u)
	if got, want := u.RemoteAddr().String(), "127.0.0.1:53"; got != want {
		t.Errorf("remote address %s, want %s", got, want)
	}
}

func seedFilenames(t *testing.T) {
	dir := socktest.ShortDir(t)
	l, err := sockets.Listen("unix", filepath.Join(dir, "remote"))
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	d := sockets.Dialer{LocalAddr: &net.UnixAddr{Name: filepath.Join(dir, "local"), Net: "unix"}}
	c, err := d.Dial("unix", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	s, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	if diff := cmp.Diff(c.LocalAddr(), s.RemoteAddr()); diff != "" {
		t.Errorf("the peer sees another name (-local +seen):\n%s", diff)
	}
}

// Linux takes one connection more than the backlog.
func seedBacklog(t *testing.T) {
	lc := sockets.ListenConfig{Backlog: 2}
	l, err := lc.Listen(t.Context(), "unix", "")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	conntest.WantBacklog(t, l, 2)
	_, err = (&sockets.ListenConfig{Backlog: -1}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	socktest.WantError(t, err, "listen", syscall.EINVAL)
}

// seedOption sets an option in every way there is.
func seedOption[T comparable](t *testing.T, o sockopt.Option[T], v T) {
	settings := []sockopt.Setting{o.With(v)}
	wantOption := func(c any) {
		t.Helper()
		if got, err := o.Get(c.(syscall.Conn)); err != nil || got != v {
			t.Errorf("%T has %v %v, %v; want %v", c, o, got, err, v)
		}
	}
	network := "tcp4"
	if o.String() == sockopt.Broadcast.String() {
		network = "udp4"
		lc := sockets.ListenConfig{Options: settings}
		c, err := lc.ListenPacket(t.Context(), network, "127.0.0.1:0")
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		wantOption(c)
		d := sockets.Dialer{Options: settings}
		u, err := d.Dial(network, c.LocalAddr().String())
		socktest.Check(t, err)
		socktest.CloseLater(t, u)
		wantOption(u)
	} else {
		lc := sockets.ListenConfig{Options: settings}
		l, err := lc.Listen(t.Context(), network, "127.0.0.1:0")
		socktest.Check(t, err)
		socktest.CloseLater(t, l)
		wantOption(l)
		d := sockets.Dialer{Options: settings}
		c, err := d.Dial(network, l.Addr().String())
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		wantOption(c)
	}
	s := conntest.NewSocket(t, network)
	socktest.Check(t, o.Set(s, v))
	wantOption(s)
}

func seedWithOpenSocket(t *testing.T) {
	l := conntest.Listen4(t)
	c, err := sockets.Dial("tcp", l.Addr().String())
	err = sockets.With(c, err, func(c net.Conn) error {
		_, err := c.Write([]byte("x"))
		return err
	})
	socktest.Check(t, err)
	if _, err := c.Write(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write afterwards: %v, want ErrClosed", err)
	}
}

func seedWithAcceptConnection(t *testing.T) {
	l := conntest.Listen4(t)
	peer, err := sockets.Dial("tcp", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, peer)
	c, err := l.AcceptTCP()
	socktest.Check(t, sockets.With(c, err, func(c *sockets.TCPConn) error {
		_, err := c.Write([]byte("hello"))
		return err
	}))
	got, err := io.ReadAll(peer)
	if string(got) != "hello" || err != nil {
		t.Errorf("the peer read %q, %v; want hello and the end", got, err)
	}
}

func seedPairType(t *testing.T) {
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		a, b, err := sockets.Pair(network)
		socktest.Check(t, err)
		socktest.CloseLater(t, a)
		socktest.CloseLater(t, b)
		_, err = a.Write([]byte("to b"))
		socktest.Check(t, err)
		conntest.WantMessage(t, b, "to b")
		_, err = b.Write([]byte("to a"))
		socktest.Check(t, err)
		conntest.WantMessage(t, a, "to a")
	}
}

// Unix sockets have one protocol; other networks have no pairs.
func seedPairProtocol(t *testing.T) {
	_, _, err := sockets.Pair("tcp")
	var unknown net.UnknownNetworkError
	if !errors.As(err, &unknown) {
		t.Errorf("Pair of tcp: %v, want UnknownNetworkError", err)
	}
}

func seedBindPort(t *testing.T) {
	s := conntest.NewSocket(t, "tcp4")
	socktest.Check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	local := s.LocalAddr().(*net.TCPAddr)
	if local.Port == 0 {
		t.Error("port 0 after Bind")
	}
	other := conntest.NewSocket(t, "tcp4")
	socktest.Check(t, other.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: local.Port}))
	if got := other.LocalAddr().(*net.TCPAddr).Port; got != local.Port {
		t.Errorf("port %d, want %d", got, local.Port)
	}
}

// Only TCP sockets of New reuse addresses by default, and ReuseAddr has the last word.
func seedBindReuseAddress(t *testing.T) {
	for network, want := range map[string]bool{"tcp4": true, "udp4": false} {
		s := conntest.NewSocket(t, network)
		socktest.Check(t, s.Bind(bindAddr(network)))
		if got, err := sockopt.ReuseAddr.Get(s); got != want || err != nil {
			t.Errorf("%s: reuse %v, %v; want %v", network, got, err, want)
		}
		s = conntest.NewSocket(t, network)
		socktest.Check(t, sockopt.ReuseAddr.Set(s, !want))
		socktest.Check(t, s.Bind(bindAddr(network)))
		if got, err := sockopt.ReuseAddr.Get(s); got == want || err != nil {
			t.Errorf("%s: Bind changed ReuseAddr to %v, %v", network, got, err)
		}
	}
	s, err := sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	socktest.Check(t, s.Bind(bindAddr("tcp4")))
	if got, err := sockopt.ReuseAddr.Get(s); got || err != nil {
		t.Errorf("NewRaw: reuse %v, %v; want what the kernel starts with", got, err)
	}
}

func bindAddr(network string) net.Addr {
	ap := netip.MustParseAddrPort("127.0.0.1:0")
	if strings.HasPrefix(network, "tcp") {
		return net.TCPAddrFromAddrPort(ap)
	}
	return net.UDPAddrFromAddrPort(ap)
}

func seedListenBacklog(t *testing.T) {
	s := conntest.NewSocket(t, "unix")
	socktest.Check(t, s.Bind(&net.UnixAddr{}))
	if _, err := s.Listen(-1); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("backlog -1: %v, want EINVAL", err)
	}
	l, err := s.Listen(3)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	conntest.WantBacklog(t, l, 3)
}

func seedAcceptWait(t *testing.T) {
	l := conntest.Listen4(t)
	_, err := l.AcceptWith(sockets.AcceptConfig{NoWait: true})
	socktest.WantError(t, err, "accept", sockets.ErrWouldBlock)
	c, err := sockets.Dial("tcp", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	a, err := l.AcceptWith(sockets.AcceptConfig{})
	socktest.Check(t, err)
	socktest.CloseLater(t, a)
}

func seedAcceptTimeout(t *testing.T) {
	l := conntest.Listen4(t)
	_, err := l.AcceptWith(sockets.AcceptConfig{Timeout: time.Millisecond})
	socktest.WantError(t, err, "accept", os.ErrDeadlineExceeded)
}

func seedConnectPort(t *testing.T) {
	l := conntest.Listen4(t)
	port := l.Addr().(*net.TCPAddr).Port
	c, err := conntest.NewSocket(t, "tcp4").Connect(t.Context(), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if got := c.RemoteAddr().(*net.TCPAddr).Port; got != port {
		t.Errorf("port %d, want %d", got, port)
	}
}

func seedConnectWait(t *testing.T) {
	l := conntest.Listen4(t)
	c, err := conntest.NewSocket(t, "tcp4").ConnectNoWait(l.Addr())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	_, err = c.Write([]byte("x")) // waits
	socktest.Check(t, err)
	a, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, a)
	conntest.WantMessage(t, a, "x")
}

func seedConnectTimeout(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := conntest.NewSocket(t, "tcp4").Connect(ctx, conntest.BusyListener(t))
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v, want a timeout", err)
	}
}

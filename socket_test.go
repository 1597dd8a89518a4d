//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// roles are the ways in which a Socket's descriptor moves: each prepares a Socket
// and a function that takes the role.
var roles = []struct {
	name    string
	network string
	take    func(t *testing.T, s *sockets.Socket) (io.Closer, error)
	want    any
}{
	{"Connect tcp", "tcp4", connectRole, (*sockets.TCPConn)(nil)},
	{"Connect udp", "udp4", connectRole, (*sockets.UDPConn)(nil)},
	{"Connect unix", "unix", connectRole, (*sockets.UnixConn)(nil)},
	{"Connect unixgram", "unixgram", connectRole, (*sockets.UnixConn)(nil)},
	{"Connect unixpacket", "unixpacket", connectRole, (*sockets.UnixConn)(nil)},
	{"ConnectNoWait tcp", "tcp4", func(t *testing.T, s *sockets.Socket) (io.Closer, error) {
		return s.ConnectNoWait(peerOf(t, s))
	}, (*sockets.TCPConn)(nil)},
	{"Listen tcp", "tcp4", listenRole, (*sockets.TCPListener)(nil)},
	{"Listen mptcp", "mptcp4", listenRole, (*sockets.TCPListener)(nil)},
	{"Listen unix", "unix", listenRole, (*sockets.UnixListener)(nil)},
	{"Listen unixpacket", "unixpacket", listenRole, (*sockets.UnixListener)(nil)},
	{"Listen vsock", "vsock", listenRole, (*sockets.StreamListener)(nil)},
	{"Listener tcp", "tcp4", func(t *testing.T, s *sockets.Socket) (io.Closer, error) {
		socktest.WithFD(t, s, func(fd int) error { return syscall.Listen(fd, 1) })
		return s.Listener()
	}, (*sockets.TCPListener)(nil)},
	{"Conn udp", "udp4", func(_ *testing.T, s *sockets.Socket) (io.Closer, error) { return s.Conn() }, (*sockets.UDPConn)(nil)},
	{"PacketConn udp", "udp4", packetRole, (*sockets.UDPConn)(nil)},
	{"PacketConn unixgram", "unixgram", packetRole, (*sockets.UnixConn)(nil)},
}

func connectRole(t *testing.T, s *sockets.Socket) (io.Closer, error) {
	return s.Connect(t.Context(), peerOf(t, s))
}

func packetRole(_ *testing.T, s *sockets.Socket) (io.Closer, error) { return s.PacketConn() }

func listenRole(t *testing.T, s *sockets.Socket) (io.Closer, error) {
	switch s.Family() {
	case syscall.AF_INET:
		socktest.Check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	case syscall.AF_UNIX:
		socktest.Check(t, s.Bind(&net.UnixAddr{}))
	default:
		socktest.Check(t, s.Bind(&sockets.VsockAddr{CID: sockets.VsockAny, Port: sockets.VsockAny}))
	}
	return s.Listen(0)
}

// datagramRefusal returns the error of a plain write to a datagram socket whose peer, the
// other one of the pair, is closed: ECONNREFUSED in Linux, EPIPE in gVisor.
func datagramRefusal(t *testing.T) error {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	defer unix.Close(fds[1])
	socktest.Check(t, unix.Close(fds[0]))
	return unix.Sendto(fds[1], []byte("x"), unix.MSG_NOSIGNAL, nil)
}

// peerOf returns an address to which s can be connected.
func peerOf(t *testing.T, s *sockets.Socket) net.Addr {
	t.Helper()
	network := map[int]string{syscall.SOCK_STREAM: "tcp4", syscall.SOCK_DGRAM: "udp4"}[s.Type()]
	if s.Family() == syscall.AF_UNIX {
		network = map[int]string{
			syscall.SOCK_STREAM: "unix", syscall.SOCK_DGRAM: "unixgram", syscall.SOCK_SEQPACKET: "unixpacket",
		}[s.Type()]
	}
	if s.Type() == syscall.SOCK_DGRAM {
		return conntest.Packets(t, network).LocalAddr()
	}
	l, err := sockets.Listen(network, conntest.LoopbackOf(network))
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	return l.Addr()
}

// TestSocketMoves takes each role and finds the Socket empty.
func TestSocketMoves(t *testing.T) {
	for _, tt := range roles {
		t.Run(tt.name, func(t *testing.T) {
			if tt.network == "mptcp4" {
				socktest.NeedMultipath(t)
			}
			s := conntest.NewSocket(t, tt.network)
			var fd int
			socktest.WithFD(t, s, func(n int) error { fd = n; return nil })
			c, err := tt.take(t, s)
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			if got, want := fmt.Sprintf("%T", c), fmt.Sprintf("%T", tt.want); got != want {
				t.Errorf("the role is a %s, want %s", got, want)
			}
			socktest.WithFD(t, c.(syscall.Conn), func(n int) error {
				if n != fd {
					t.Errorf("descriptor %d became %d", fd, n)
				}
				return nil
			})
			wantEmpty(t, s)
			// Closing the empty Socket touched nothing.
			socktest.WithFD(t, c.(syscall.Conn), func(n int) error {
				var st syscall.Stat_t
				return syscall.Fstat(n, &st)
			})
			if err := c.Close(); err != nil {
				t.Errorf("Close of the role: %v", err)
			}
		})
	}
}

// wantEmpty wants s to have lost its descriptor, to a role or to Close.
func wantEmpty(t *testing.T, s *sockets.Socket) {
	t.Helper()
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	calls := []struct {
		name, op string
		call     func() error
	}{
		{"Bind", "bind", func() error { return s.Bind(addr) }},
		{"Connect", "dial", func() error { return socktest.ErrOf(s.Connect(t.Context(), addr)) }},
		{"ConnectNoWait", "dial", func() error { return socktest.ErrOf(s.ConnectNoWait(addr)) }},
		{"Listen", "listen", func() error { return socktest.ErrOf(s.Listen(1)) }},
		{"Conn", "conn", func() error { return socktest.ErrOf(s.Conn()) }},
		{"PacketConn", "packetconn", func() error { return socktest.ErrOf(s.PacketConn()) }},
		{"Listener", "listener", func() error { return socktest.ErrOf(s.Listener()) }},
		{"SetDeadline", "set", func() error { return s.SetDeadline(time.Time{}) }},
		{"SyscallConn", "raw", func() error { return socktest.ErrOf(s.SyscallConn()) }},
		{"File", "file", func() error { return socktest.ErrOf(s.File()) }},
	}
	for _, c := range calls {
		err := c.call()
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != c.op || op.Err != net.ErrClosed {
			t.Errorf("%s of an empty Socket: %v, want op %s and net.ErrClosed", c.name, err, c.op)
		}
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close of an empty Socket: %v", err)
		}
	}
	type state struct {
		Family, Type, Protocol int
		Local, Remote          net.Addr
		Listening, Connected   bool
		String                 string
	}
	want := state{String: "closed socket"}
	got := state{s.Family(), s.Type(), s.Protocol(), s.LocalAddr(), s.RemoteAddr(), s.Listening(), s.Connected(), s.String()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("empty Socket (-want +got):\n%s", diff)
	}
}

func TestSocketClose(t *testing.T) {
	s := conntest.NewSocket(t, "tcp")
	socktest.Check(t, s.Close())
	wantEmpty(t, s)
}

// TestSocketRefusesRole tries roles for which sockets are not fit, and then uses
// them for another.
func TestSocketRefusesRole(t *testing.T) {
	tests := []struct {
		name    string
		network string
		try     func(s *sockets.Socket) error
		want    error
		op      string
	}{
		{"datagrams listen", "udp4", func(s *sockets.Socket) error { return socktest.ErrOf(s.Listen(1)) }, syscall.EOPNOTSUPP, "listen"},
		{"unix datagrams listen", "unixgram", func(s *sockets.Socket) error { return socktest.ErrOf(s.Listen(1)) }, syscall.EOPNOTSUPP, "listen"},
		{"stream as packet connection", "tcp4", func(s *sockets.Socket) error { return socktest.ErrOf(s.PacketConn()) }, errors.ErrUnsupported, "packetconn"},
		{"listener that does not listen", "tcp4", func(s *sockets.Socket) error { return socktest.ErrOf(s.Listener()) }, errors.ErrUnsupported, "listener"},
		{"listener of datagrams", "udp4", func(s *sockets.Socket) error { return socktest.ErrOf(s.Listener()) }, errors.ErrUnsupported, "listener"},
		{"connection of a listening one", "tcp4", func(s *sockets.Socket) error {
			socktest.WithFD(t, s, func(fd int) error { return syscall.Listen(fd, 1) })
			return socktest.ErrOf(s.Conn())
		}, errors.ErrUnsupported, "conn"},
		{"no address", "tcp4", func(s *sockets.Socket) error { return socktest.ErrOf(s.Connect(context.Background(), nil)) }, nil, "dial"},
		{"typed nil address", "tcp4", func(s *sockets.Socket) error {
			return socktest.ErrOf(s.Connect(context.Background(), (*net.TCPAddr)(nil)))
		}, nil, "dial"},
		{"address of another kind", "tcp4", func(s *sockets.Socket) error {
			return socktest.ErrOf(s.Connect(context.Background(), &net.UDPAddr{Port: 1}))
		}, nil, "dial"},
		{"address of another family", "unix", func(s *sockets.Socket) error {
			return socktest.ErrOf(s.Connect(context.Background(), &net.TCPAddr{Port: 1}))
		}, nil, "dial"},
		{"address of another unix network", "unix", func(s *sockets.Socket) error {
			return socktest.ErrOf(s.Connect(context.Background(), &net.UnixAddr{Name: "@x", Net: "unixgram"}))
		}, syscall.EAFNOSUPPORT, "dial"},
		{"connect without waiting to nobody", "unix", func(s *sockets.Socket) error {
			return socktest.ErrOf(s.ConnectNoWait(&net.UnixAddr{Name: "/nonexistent/socket", Net: "unix"}))
		}, syscall.ENOENT, "dial"},
		{"context that has ended", "udp4", func(s *sockets.Socket) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return socktest.ErrOf(s.Connect(ctx, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}))
		}, context.Canceled, "dial"},
		{"bind to another host's address", "tcp4", func(s *sockets.Socket) error {
			return s.Bind(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)})
		}, syscall.EADDRNOTAVAIL, "bind"},
		{"bind to a name without end", "unix", func(s *sockets.Socket) error {
			return s.Bind(&net.UnixAddr{Name: strings.Repeat("x", 109)})
		}, syscall.EINVAL, "bind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := conntest.NewSocket(t, tt.network)
			err := tt.try(s)
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != tt.op || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want op %s around %v", err, tt.op, tt.want)
			}
			if s.Connected() {
				t.Error("the socket has a peer after the failure")
			}
			switch {
			case s.Listening():
				l, err := s.Listener()
				socktest.Check(t, err)
				socktest.Check(t, l.Close())
			default:
				c, err := s.Connect(t.Context(), peerOf(t, s))
				socktest.Check(t, err)
				socktest.Check(t, c.Close())
			}
		})
	}
}

func TestSocketUnknownNetworks(t *testing.T) {
	for _, network := range []string{"", "tcp5", "ip", "ip:", "ip4:nosuchprotocol", "stream"} {
		s, err := sockets.New(network)
		var op *net.OpError
		if s != nil || !errors.As(err, &op) || op.Op != "socket" || op.Net != network {
			t.Errorf("New(%q) = %v, %v; want *net.OpError", network, s, err)
		}
	}
	s, err := sockets.NewRaw(syscall.AF_INET, 77, 0)
	if s != nil {
		t.Errorf("NewRaw of type 77: %v", s)
	}
	socktest.WantError(t, err, "socket", syscall.EINVAL)
}

// TestNewRawBeyond32Bits passes numbers whose low 32 bits are those of a socket.
func TestNewRawBeyond32Bits(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("an int has 32 bits")
	}
	low32 := int64(1) << 32
	big := int(low32)
	for _, tt := range []struct {
		arg              string
		domain, typ, num int
	}{
		{"domain", big + syscall.AF_INET, syscall.SOCK_STREAM, 0},
		{"type", syscall.AF_INET, big + syscall.SOCK_STREAM, 0},
		{"protocol", syscall.AF_INET, syscall.SOCK_STREAM, big},
	} {
		s, err := sockets.NewRaw(tt.domain, tt.typ, tt.num)
		if s != nil {
			s.Close()
		}
		var arg *sockets.ArgumentError
		if !errors.As(err, &arg) || arg.Arg != tt.arg {
			t.Errorf("%v, want an ArgumentError about the %s", err, tt.arg)
		}
		socktest.WantError(t, err, "socket", syscall.EINVAL)
	}
}

// TestNewRawType passes what the kernel turns into another type.
func TestNewRawType(t *testing.T) {
	tests := []struct {
		name string
		typ  int
		want string
	}{
		{"flags", syscall.SOCK_STREAM | syscall.SOCK_CLOEXEC | syscall.SOCK_NONBLOCK, "unix"},
		{"raw unix", syscall.SOCK_RAW, "unixgram"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sockets.NewRaw(syscall.AF_UNIX, tt.typ, 0)
			socktest.Check(t, err)
			socktest.CloseLater(t, s)
			socktest.Check(t, s.Bind(&net.UnixAddr{}))
			if got := s.LocalAddr().Network(); got != tt.want {
				t.Errorf("network %s, want %s", got, tt.want)
			}
			var op *net.OpError
			if err := s.Bind(nil); !errors.As(err, &op) || op.Net != tt.want {
				t.Errorf("error %v, want one of network %s", err, tt.want)
			}
		})
	}
}

// TestSocketConcurrently takes roles, closes and looks from many goroutines at
// once. One role at most is taken, and the race detector sees nothing.
func TestSocketConcurrently(t *testing.T) {
	l := conntest.Listen4(t)
	for range 50 {
		s := conntest.NewSocket(t, "tcp4")
		var wg sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		took := func(c io.Closer, err error) {
			if err != nil {
				return
			}
			c.Close()
			mu.Lock()
			taken++
			mu.Unlock()
		}
		for _, f := range []func(){
			func() { c, err := s.Connect(t.Context(), l.Addr()); took(c, err) },
			func() { c, err := s.ConnectNoWait(l.Addr()); took(c, err) },
			func() { c, err := s.Listen(1); took(c, err) },
			func() { c, err := s.Conn(); took(c, err) },
			func() { s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}) },
			func() { s.SetDeadline(time.Now().Add(time.Minute)) },
			func() { _ = s.String() },
			func() { s.LocalAddr(); s.RemoteAddr(); s.Listening(); s.Connected() },
			func() { s.Close() },
			func() { s.Close() },
		} {
			wg.Go(f)
		}
		wg.Wait()
		if taken > 1 {
			t.Fatalf("%d roles were taken", taken)
		}
		wantEmpty(t, s)
	}
	for {
		c, err := l.AcceptWith(sockets.AcceptConfig{NoWait: true})
		if err != nil {
			break
		}
		c.Close()
	}
}

// ports are the numbers that differ from run to run.
var ports = regexp.MustCompile(`:[0-9]{2,}`)

func TestSocketString(t *testing.T) {
	dir := socktest.ShortDir(t)
	tests := []struct {
		name string
		make func(t *testing.T) *sockets.Socket
		want string // with # for a port
	}{
		{"new", func(t *testing.T) *sockets.Socket { return conntest.NewSocket(t, "tcp4") }, "ipv4 stream socket, unbound"},
		{"new unix", func(t *testing.T) *sockets.Socket { return conntest.NewSocket(t, "unixpacket") }, "unix seqpacket socket, unbound"},
		{"bound", func(t *testing.T) *sockets.Socket {
			s := conntest.NewSocket(t, "udp6")
			socktest.Check(t, s.Bind(&net.UDPAddr{IP: net.IPv6loopback}))
			return s
		}, "ipv6 datagram socket bound to [::1]:#"},
		{"bound unix", func(t *testing.T) *sockets.Socket {
			s := conntest.NewSocket(t, "unix")
			socktest.Check(t, s.Bind(&net.UnixAddr{Name: dir + "/s"}))
			return s
		}, "unix stream socket bound to " + dir + "/s"},
		{"listening", func(t *testing.T) *sockets.Socket {
			s := conntest.NewSocket(t, "tcp4")
			socktest.Check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
			socktest.WithFD(t, s, func(fd int) error { return syscall.Listen(fd, 1) })
			return s
		}, "ipv4 stream socket listening on 127.0.0.1:#"},
		{"unknown family", func(t *testing.T) *sockets.Socket {
			socktest.NeedNetlink(t)
			s, err := sockets.NewRaw(syscall.AF_NETLINK, syscall.SOCK_RAW, 0)
			socktest.Check(t, err)
			socktest.CloseLater(t, s)
			return s
		}, "netlink raw socket, unbound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.make(t)
			got := ports.ReplaceAllString(s.String(), ":#")
			if got != tt.want {
				t.Errorf("String() = %q, want %q", got, tt.want)
			}
			if s.Connected() || s.RemoteAddr() != nil {
				t.Errorf("Connected() = %v, to %v", s.Connected(), s.RemoteAddr())
			}
		})
	}
}

// TestUnixSocketFile checks who removes the file of a listener that came from a
// Socket: it does if the Socket made the file.
func TestUnixSocketFile(t *testing.T) {
	path := filepath.Join(socktest.ShortDir(t), "s")
	exists := func() bool {
		_, err := os.Lstat(path)
		return err == nil
	}
	s := conntest.NewSocket(t, "unix")
	socktest.Check(t, s.Bind(&net.UnixAddr{Name: path, Net: "unix"}))
	l, err := s.Listen(1)
	socktest.Check(t, err)
	socktest.Check(t, l.Close())
	if exists() {
		t.Error("the file of the listener's own Socket is still there")
	}
	s = conntest.NewSocket(t, "unix")
	socktest.WithFD(t, s, func(fd int) error { return syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}) })
	l, err = s.Listen(1)
	socktest.Check(t, err)
	socktest.Check(t, l.Close())
	if !exists() {
		t.Error("a file that the socket did not make is gone")
	}
}

// TestPacketConnAddress sees the port that the kernel chooses with the first send.
func TestPacketConnAddress(t *testing.T) {
	c, err := conntest.NewSocket(t, "udp4").PacketConn()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if got := c.LocalAddr().String(); got != "0.0.0.0:0" {
		t.Errorf("local address before the first send is %s", got)
	}
	b := conntest.Packets(t, "udp4")
	_, err = c.WriteTo([]byte("x"), b.LocalAddr())
	socktest.Check(t, err)
	_, from, err := b.ReceiveFrom(make([]byte, 1), 0)
	socktest.Check(t, err)
	if got, want := c.LocalAddr().(*net.UDPAddr).Port, from.(*net.UDPAddr).Port; got != want {
		t.Errorf("local port is %d, want %d as the receiver sees", got, want)
	}
}

func TestSocketFile(t *testing.T) {
	s := conntest.NewSocket(t, "tcp4")
	f, err := s.File()
	socktest.Check(t, err)
	defer f.Close()
	socktest.Check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	sa, err := syscall.Getsockname(int(f.Fd()))
	socktest.Check(t, err)
	if got, want := sa.(*syscall.SockaddrInet4).Port, s.LocalAddr().(*net.TCPAddr).Port; got != want {
		t.Errorf("the file's socket has port %d, want %d", got, want)
	}
}

// TestNewDefaults compares TCP sockets without a role with connections of package
// net, and those of NewRaw with what the kernel starts with.
func TestNewDefaults(t *testing.T) {
	raw, err := sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	socktest.Check(t, err)
	socktest.CloseLater(t, raw)
	type defaults struct {
		noDelay, keepAlive, reuseAddr bool
		idle, interval                time.Duration
	}
	for _, tt := range []struct {
		name string
		s    *sockets.Socket
		want defaults
	}{
		{"New tcp4", conntest.NewSocket(t, "tcp4"), defaults{true, true, true, 15 * time.Second, 15 * time.Second}},
		{"New tcp", conntest.NewSocket(t, "tcp"), defaults{true, true, true, 15 * time.Second, 15 * time.Second}},
		{"NewRaw", raw, defaults{false, false, false, 2 * time.Hour, 75 * time.Second}},
	} {
		var got defaults
		for _, err := range []error{
			option(tt.s, sockopt.NoDelay, &got.noDelay), option(tt.s, sockopt.KeepAlive, &got.keepAlive),
			option(tt.s, sockopt.ReuseAddr, &got.reuseAddr),
			option(tt.s, sockopt.KeepIdle, &got.idle), option(tt.s, sockopt.KeepInterval, &got.interval),
		} {
			socktest.Check(t, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(defaults{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// option stores the value that o has on c.
func option[T any](c syscall.Conn, o sockopt.Option[T], v *T) (err error) {
	*v, err = o.Get(c)
	return err
}

// TestListenerDefaults accepts from a listener that another program made: connections
// are as those of package net.
func TestListenerDefaults(t *testing.T) {
	raw, err := sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	socktest.Check(t, err)
	socktest.CloseLater(t, raw)
	socktest.Check(t, raw.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	socktest.WithFD(t, raw, func(fd int) error { return syscall.Listen(fd, 1) })
	l, err := raw.Listener()
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	conntest.DialTo(t, l)
	c, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	for _, o := range []sockopt.Option[bool]{sockopt.NoDelay, sockopt.KeepAlive} {
		if on, err := o.Get(c.(syscall.Conn)); !on || err != nil {
			t.Errorf("%v of an accepted connection is %v, %v", o, on, err)
		}
	}
}

func TestPair(t *testing.T) {
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			a, b, err := sockets.Pair(network)
			socktest.Check(t, err)
			socktest.CloseLater(t, a)
			socktest.CloseLater(t, b)
			for _, addr := range []net.Addr{a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr()} {
				if diff := cmp.Diff(&net.UnixAddr{Name: "@", Net: network}, addr); diff != "" {
					t.Errorf("address (-want +got):\n%s", diff)
				}
			}
			_, err = a.WriteTo([]byte("x"), &net.UnixAddr{Name: "@x", Net: network})
			socktest.WantError(t, err, "write", net.ErrWriteToConnected)
			messages := []string{"one", "two"}
			for _, m := range messages {
				_, err := a.Write([]byte(m))
				socktest.Check(t, err)
			}
			if network == "unix" {
				messages = []string{"onetwo"}
			}
			for _, m := range messages {
				conntest.WantMessage(t, b, m)
			}
			socktest.Check(t, a.Close())
			if network == "unixgram" {
				_, err = b.Write([]byte("x"))
				socktest.WantError(t, err, "write", datagramRefusal(t))
			} else if _, err = b.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("Read after the other end closed: %v, want EOF", err)
			}
		})
	}
}

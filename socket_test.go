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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
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
		onFD(t, s, func(fd int) error { return syscall.Listen(fd, 1) })
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
		check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	case syscall.AF_UNIX:
		check(t, s.Bind(&net.UnixAddr{}))
	default:
		check(t, s.Bind(&sockets.VsockAddr{CID: sockets.VsockAny, Port: sockets.VsockAny}))
	}
	return s.Listen(0)
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
		return packets(t, network).LocalAddr()
	}
	l, err := sockets.Listen(network, loopbackOf(network))
	check(t, err)
	closeLater(t, l)
	return l.Addr()
}

// onFD calls f with the descriptor of c.
func onFD(tb testing.TB, c syscall.Conn, f func(fd int) error) {
	tb.Helper()
	rc, err := c.SyscallConn()
	check(tb, err)
	var ferr error
	check(tb, rc.Control(func(fd uintptr) { ferr = f(int(fd)) }))
	check(tb, ferr)
}

// TestSocketMoves takes each role and finds the Socket empty.
func TestSocketMoves(t *testing.T) {
	for _, tt := range roles {
		t.Run(tt.name, func(t *testing.T) {
			s := newRoleless(t, tt.network)
			var fd int
			onFD(t, s, func(n int) error { fd = n; return nil })
			c, err := tt.take(t, s)
			check(t, err)
			closeLater(t, c)
			if got, want := fmt.Sprintf("%T", c), fmt.Sprintf("%T", tt.want); got != want {
				t.Errorf("the role is a %s, want %s", got, want)
			}
			onFD(t, c.(syscall.Conn), func(n int) error {
				if n != fd {
					t.Errorf("descriptor %d became %d", fd, n)
				}
				return nil
			})
			wantEmpty(t, s)
			// Closing the empty Socket touched nothing.
			onFD(t, c.(syscall.Conn), func(n int) error {
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
		{"Connect", "dial", func() error { return errOf(s.Connect(t.Context(), addr)) }},
		{"ConnectNoWait", "dial", func() error { return errOf(s.ConnectNoWait(addr)) }},
		{"Listen", "listen", func() error { return errOf(s.Listen(1)) }},
		{"Conn", "conn", func() error { return errOf(s.Conn()) }},
		{"PacketConn", "packetconn", func() error { return errOf(s.PacketConn()) }},
		{"Listener", "listener", func() error { return errOf(s.Listener()) }},
		{"SetDeadline", "set", func() error { return s.SetDeadline(time.Time{}) }},
		{"SyscallConn", "raw", func() error { return errOf(s.SyscallConn()) }},
		{"File", "file", func() error { return errOf(s.File()) }},
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
	s := newRoleless(t, "tcp")
	check(t, s.Close())
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
		{"datagrams listen", "udp4", func(s *sockets.Socket) error { return errOf(s.Listen(1)) }, syscall.EOPNOTSUPP, "listen"},
		{"unix datagrams listen", "unixgram", func(s *sockets.Socket) error { return errOf(s.Listen(1)) }, syscall.EOPNOTSUPP, "listen"},
		{"stream as packet connection", "tcp4", func(s *sockets.Socket) error { return errOf(s.PacketConn()) }, errors.ErrUnsupported, "packetconn"},
		{"listener that does not listen", "tcp4", func(s *sockets.Socket) error { return errOf(s.Listener()) }, errors.ErrUnsupported, "listener"},
		{"listener of datagrams", "udp4", func(s *sockets.Socket) error { return errOf(s.Listener()) }, errors.ErrUnsupported, "listener"},
		{"connection of a listening one", "tcp4", func(s *sockets.Socket) error {
			onFD(t, s, func(fd int) error { return syscall.Listen(fd, 1) })
			return errOf(s.Conn())
		}, errors.ErrUnsupported, "conn"},
		{"no address", "tcp4", func(s *sockets.Socket) error { return errOf(s.Connect(context.Background(), nil)) }, nil, "dial"},
		{"typed nil address", "tcp4", func(s *sockets.Socket) error {
			return errOf(s.Connect(context.Background(), (*net.TCPAddr)(nil)))
		}, nil, "dial"},
		{"address of another kind", "tcp4", func(s *sockets.Socket) error {
			return errOf(s.Connect(context.Background(), &net.UDPAddr{Port: 1}))
		}, nil, "dial"},
		{"address of another family", "unix", func(s *sockets.Socket) error {
			return errOf(s.Connect(context.Background(), &net.TCPAddr{Port: 1}))
		}, nil, "dial"},
		{"address of another unix network", "unix", func(s *sockets.Socket) error {
			return errOf(s.Connect(context.Background(), &net.UnixAddr{Name: "@x", Net: "unixgram"}))
		}, syscall.EAFNOSUPPORT, "dial"},
		{"connect without waiting to nobody", "unix", func(s *sockets.Socket) error {
			return errOf(s.ConnectNoWait(&net.UnixAddr{Name: "/nonexistent/socket", Net: "unix"}))
		}, syscall.ENOENT, "dial"},
		{"context that has ended", "udp4", func(s *sockets.Socket) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return errOf(s.Connect(ctx, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}))
		}, context.Canceled, "dial"},
		{"bind to somebody else's address", "tcp4", func(s *sockets.Socket) error {
			return s.Bind(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)})
		}, syscall.EADDRNOTAVAIL, "bind"},
		{"bind to a name without end", "unix", func(s *sockets.Socket) error {
			return s.Bind(&net.UnixAddr{Name: strings.Repeat("x", 109)})
		}, syscall.EINVAL, "bind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newRoleless(t, tt.network)
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
				check(t, err)
				check(t, l.Close())
			default:
				c, err := s.Connect(t.Context(), peerOf(t, s))
				check(t, err)
				check(t, c.Close())
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
	wantError(t, err, "socket", syscall.EINVAL)
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
			check(t, err)
			closeLater(t, s)
			check(t, s.Bind(&net.UnixAddr{}))
			if got := s.LocalAddr().Network(); got != tt.want {
				t.Errorf("network %s, want %s", got, tt.want)
			}
		})
	}
}

// TestSocketConnectElsewhere connects again after each kind of failure: to whom the
// second call says, and from the port that was bound before.
func TestSocketConnectElsewhere(t *testing.T) {
	canceled := func(t *testing.T, s *sockets.Socket) error {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Millisecond, cancel)
		return errOf(s.Connect(ctx, busyListener(t)))
	}
	tests := []struct {
		name string
		fail func(t *testing.T, s *sockets.Socket) error
		want error
	}{
		{"refused", func(t *testing.T, s *sockets.Socket) error {
			l := listen4(t)
			check(t, l.Close())
			return errOf(s.Connect(t.Context(), l.Addr()))
		}, syscall.ECONNREFUSED},
		{"canceled", canceled, context.Canceled},
		{"timed out", func(t *testing.T, s *sockets.Socket) error {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			defer cancel()
			return errOf(s.Connect(ctx, busyListener(t)))
		}, nil},
		{"deadline", func(t *testing.T, s *sockets.Socket) error {
			check(t, s.SetDeadline(time.Now().Add(5*time.Millisecond)))
			defer s.SetDeadline(time.Time{})
			return errOf(s.Connect(t.Context(), busyListener(t)))
		}, os.ErrDeadlineExceeded},
		{"deadline in the past", func(t *testing.T, s *sockets.Socket) error {
			check(t, s.SetDeadline(time.Unix(1, 0)))
			defer s.SetDeadline(time.Time{})
			return errOf(s.Connect(t.Context(), listen4(t).Addr()))
		}, os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		for _, local := range []*net.TCPAddr{nil, {IP: net.IPv4(127, 0, 0, 1)}} {
			t.Run(fmt.Sprintf("%s, bound to %v", tt.name, local), func(t *testing.T) {
				s := newRoleless(t, "tcp4")
				if local != nil {
					check(t, s.Bind(local))
				}
				bound := s.LocalAddr()
				err := tt.fail(t, s)
				var op *net.OpError
				if !errors.As(err, &op) || tt.want != nil && !errors.Is(err, tt.want) {
					t.Fatalf("error %v, want %v", err, tt.want)
				}
				if tt.want == nil && !op.Timeout() {
					t.Errorf("%v is no timeout", err)
				}
				if diff := cmp.Diff(bound, s.LocalAddr()); diff != "" {
					t.Errorf("local address after the failure (-want +got):\n%s", diff)
				}
				l := listen4(t)
				c, err := s.Connect(t.Context(), l.Addr())
				check(t, err)
				closeLater(t, c)
				if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
					t.Errorf("connected to %s, want %s", got, want)
				}
				if bound != nil && c.LocalAddr().String() != bound.String() {
					t.Errorf("connected from %s, want %s", c.LocalAddr(), bound)
				}
				a, err := l.Accept()
				check(t, err)
				closeLater(t, a)
				_, err = c.Write([]byte("x"))
				check(t, err)
				wantMessage(t, a, "x")
			})
		}
	}
}

// TestSocketDeadlineWakes sets the deadline while Connect waits.
func TestSocketDeadlineWakes(t *testing.T) {
	addr := busyListener(t)
	s := newRoleless(t, "tcp4")
	e := &env{TB: t, impl: sockImpl}
	var err error
	e.whileBlocked(func(seeFunc) { _, err = s.Connect(t.Context(), addr) }, func() {
		check(t, s.SetDeadline(time.Now()))
	})
	wantError(t, err, "dial", os.ErrDeadlineExceeded)
}

// TestSocketDeadlineEnds checks that the connection has no deadline of the Socket.
func TestSocketDeadlineEnds(t *testing.T) {
	l := listen4(t)
	s := newRoleless(t, "tcp4")
	deadline := time.Now().Add(time.Second)
	check(t, s.SetDeadline(deadline))
	c, err := s.Connect(t.Context(), l.Addr())
	check(t, err)
	closeLater(t, c)
	a, err := l.Accept()
	check(t, err)
	closeLater(t, a)
	time.Sleep(time.Until(deadline) + time.Millisecond)
	_, err = a.Write([]byte("x"))
	check(t, err)
	wantMessage(t, c, "x")
}

// TestSocketConnectBusyUnix connects to a listener without room until it has some,
// or time is up.
func TestSocketConnectBusyUnix(t *testing.T) {
	fill := func(t *testing.T) (net.Listener, func()) {
		l, err := (&sockets.ListenConfig{Backlog: 1}).Listen(t.Context(), "unix", "")
		check(t, err)
		closeLater(t, l)
		wantBacklog(t, l, 1)
		return l, func() {
			a, err := l.Accept()
			check(t, err)
			closeLater(t, a)
		}
	}
	t.Run("room", func(t *testing.T) {
		l, accept := fill(t)
		go func() {
			time.Sleep(5 * time.Millisecond)
			accept()
		}()
		c, err := newRoleless(t, "unix").Connect(t.Context(), l.Addr())
		check(t, err)
		closeLater(t, c)
	})
	t.Run("context", func(t *testing.T) {
		l, _ := fill(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		_, err := newRoleless(t, "unix").Connect(ctx, l.Addr())
		wantError(t, err, "dial", sockets.ErrWouldBlock)
	})
	t.Run("deadline", func(t *testing.T) {
		l, _ := fill(t)
		s := newRoleless(t, "unix")
		check(t, s.SetDeadline(time.Now().Add(5*time.Millisecond)))
		_, err := s.Connect(t.Context(), l.Addr())
		wantError(t, err, "dial", os.ErrDeadlineExceeded)
	})
	t.Run("no wait", func(t *testing.T) {
		l, accept := fill(t)
		s := newRoleless(t, "unix")
		_, err := s.ConnectNoWait(l.Addr())
		wantError(t, err, "dial", sockets.ErrWouldBlock)
		accept()
		c, err := s.ConnectNoWait(l.Addr())
		check(t, err)
		closeLater(t, c)
	})
}

// TestSocketConnectTwice connects a socket that is connected already, as another
// holder of the descriptor may have done.
func TestSocketConnectTwice(t *testing.T) {
	s, l := newRoleless(t, "unix"), peerOf(t, newRoleless(t, "unix"))
	onFD(t, s, func(fd int) error { return syscall.Connect(fd, &syscall.SockaddrUnix{Name: l.String()}) })
	_, err := s.Connect(t.Context(), peerOf(t, s))
	wantError(t, err, "dial", syscall.EISCONN)
	_, err = s.ConnectNoWait(peerOf(t, s))
	wantError(t, err, "dial", syscall.EISCONN)
	c, err := s.Conn()
	check(t, err)
	closeLater(t, c)
}

// TestSocketKeepsPeer fails to connect a datagram socket that has a peer already.
func TestSocketKeepsPeer(t *testing.T) {
	b := packets(t, "udp4")
	s := newRoleless(t, "udp4")
	check(t, sockets.Broadcast.Set(s, false))
	onFD(t, s, func(fd int) error {
		return syscall.Connect(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: b.LocalAddr().(*net.UDPAddr).Port})
	})
	_, err := s.Connect(t.Context(), &net.UDPAddr{IP: net.IPv4bcast, Port: 9})
	wantError(t, err, "dial", syscall.EACCES)
	if diff := cmp.Diff(b.LocalAddr(), s.RemoteAddr()); diff != "" {
		t.Errorf("peer (-want +got):\n%s", diff)
	}
	c, err := s.Conn()
	check(t, err)
	closeLater(t, c)
	if diff := cmp.Diff(b.LocalAddr(), c.RemoteAddr()); diff != "" {
		t.Errorf("peer of the connection (-want +got):\n%s", diff)
	}
	_, err = c.Write([]byte("x"))
	check(t, err)
	wantReceive(t, b, 1, 0, "x")
}

// TestConnectNoWaitAddr tells the address of a peer that has not answered yet as the
// kernel will, and not as the caller's own value.
func TestConnectNoWaitAddr(t *testing.T) {
	port := busyListener(t).(*net.TCPAddr).Port
	loopback := net.IP{127, 0, 0, 1}
	for _, tt := range []struct {
		network  string
		ip, want net.IP
	}{
		{"tcp4", nil, loopback},
		{"tcp4", net.IPv4zero, loopback},
		{"tcp4", loopback.To16(), loopback},
		{"tcp", loopback, loopback.To16()},
	} {
		addr := &net.TCPAddr{IP: tt.ip, Port: port}
		c, err := newRoleless(t, tt.network).ConnectNoWait(addr)
		check(t, err)
		closeLater(t, c)
		addr.Port = 1 // the caller's to change
		if diff := cmp.Diff(&net.TCPAddr{IP: tt.want, Port: port}, c.RemoteAddr()); diff != "" {
			t.Errorf("%s to %v (-want +got):\n%s", tt.network, tt.ip, diff)
		}
	}
}

// TestSocketWhileConnecting tries to take other roles while Connect waits.
func TestSocketWhileConnecting(t *testing.T) {
	addr := busyListener(t)
	s := newRoleless(t, "tcp4")
	e := &env{TB: t, impl: sockImpl}
	var err error
	e.whileBlocked(func(seeFunc) { _, err = s.Connect(t.Context(), addr) }, func() {
		for name, role := range map[string]func() error{
			"Connect":       func() error { return errOf(s.Connect(t.Context(), addr)) },
			"ConnectNoWait": func() error { return errOf(s.ConnectNoWait(addr)) },
			"Listen":        func() error { return errOf(s.Listen(1)) },
			"Conn":          func() error { return errOf(s.Conn()) },
			"PacketConn":    func() error { return errOf(s.PacketConn()) },
			"Listener":      func() error { return errOf(s.Listener()) },
		} {
			if err := role(); !errors.Is(err, syscall.EALREADY) {
				t.Errorf("%s while another Connect waits: %v, want EALREADY", name, err)
			}
		}
		check(t, s.Close())
	})
	wantError(t, err, "dial", net.ErrClosed)
}

// TestSocketConcurrently takes roles, closes and looks from many goroutines at
// once. One role at most is taken, and the race detector sees nothing.
func TestSocketConcurrently(t *testing.T) {
	l := listen4(t)
	for range 50 {
		s := newRoleless(t, "tcp4")
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

// TestConnectNoWaitReports learns the outcome of the connect from the first I/O.
func TestConnectNoWaitReports(t *testing.T) {
	l := listen4(t)
	check(t, l.Close())
	for name, use := range map[string]func(c net.Conn) error{
		"Read":  func(c net.Conn) error { return errOf(c.Read(make([]byte, 1))) },
		"Write": func(c net.Conn) error { return errOf(c.Write([]byte("x"))) },
	} {
		c, err := newRoleless(t, "tcp4").ConnectNoWait(l.Addr())
		if err == nil {
			closeLater(t, c)
			if got := c.RemoteAddr().String(); got != l.Addr().String() {
				t.Errorf("remote address %s, want %s", got, l.Addr())
			}
			err = use(c)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v, want ECONNREFUSED", name, err)
		}
	}
	c, err := newRoleless(t, "tcp4").ConnectNoWait(busyListener(t))
	check(t, err)
	closeLater(t, c)
	check(t, c.SetDeadline(time.Now().Add(5*time.Millisecond)))
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write while the connect is under way: %v, want a timeout", err)
	}
}

// ports are the numbers that differ from run to run.
var ports = regexp.MustCompile(`:[0-9]{2,}`)

func TestSocketString(t *testing.T) {
	dir := shortDir(t)
	tests := []struct {
		name string
		make func(t *testing.T) *sockets.Socket
		want string // with # for a port
	}{
		{"new", func(t *testing.T) *sockets.Socket { return newRoleless(t, "tcp4") }, "ipv4 stream socket, unbound"},
		{"new unix", func(t *testing.T) *sockets.Socket { return newRoleless(t, "unixpacket") }, "unix seqpacket socket, unbound"},
		{"bound", func(t *testing.T) *sockets.Socket {
			s := newRoleless(t, "udp6")
			check(t, s.Bind(&net.UDPAddr{IP: net.IPv6loopback}))
			return s
		}, "ipv6 datagram socket bound to [::1]:#"},
		{"bound unix", func(t *testing.T) *sockets.Socket {
			s := newRoleless(t, "unix")
			check(t, s.Bind(&net.UnixAddr{Name: dir + "/s"}))
			return s
		}, "unix stream socket bound to " + dir + "/s"},
		{"listening", func(t *testing.T) *sockets.Socket {
			s := newRoleless(t, "tcp4")
			check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
			onFD(t, s, func(fd int) error { return syscall.Listen(fd, 1) })
			return s
		}, "ipv4 stream socket listening on 127.0.0.1:#"},
		{"unknown family", func(t *testing.T) *sockets.Socket {
			s, err := sockets.NewRaw(syscall.AF_NETLINK, syscall.SOCK_RAW, 0)
			check(t, err)
			closeLater(t, s)
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
	path := filepath.Join(shortDir(t), "s")
	exists := func() bool {
		_, err := os.Lstat(path)
		return err == nil
	}
	s := newRoleless(t, "unix")
	check(t, s.Bind(&net.UnixAddr{Name: path, Net: "unix"}))
	l, err := s.Listen(1)
	check(t, err)
	check(t, l.Close())
	if exists() {
		t.Error("the file of the listener's own Socket is still there")
	}
	s = newRoleless(t, "unix")
	onFD(t, s, func(fd int) error { return syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}) })
	l, err = s.Listen(1)
	check(t, err)
	check(t, l.Close())
	if !exists() {
		t.Error("a file that somebody else made is gone")
	}
}

// TestPacketConnAddress sees the port that the kernel chooses with the first send.
func TestPacketConnAddress(t *testing.T) {
	c, err := newRoleless(t, "udp4").PacketConn()
	check(t, err)
	closeLater(t, c)
	if got := c.LocalAddr().String(); got != "0.0.0.0:0" {
		t.Errorf("local address before the first send is %s", got)
	}
	b := packets(t, "udp4")
	_, err = c.WriteTo([]byte("x"), b.LocalAddr())
	check(t, err)
	_, from, err := b.ReceiveFrom(make([]byte, 1), 0)
	check(t, err)
	if got, want := c.LocalAddr().(*net.UDPAddr).Port, from.(*net.UDPAddr).Port; got != want {
		t.Errorf("local port is %d, want %d as the receiver sees", got, want)
	}
}

func TestSocketFile(t *testing.T) {
	s := newRoleless(t, "tcp4")
	f, err := s.File()
	check(t, err)
	defer f.Close()
	check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	sa, err := syscall.Getsockname(int(f.Fd()))
	check(t, err)
	if got, want := sa.(*syscall.SockaddrInet4).Port, s.LocalAddr().(*net.TCPAddr).Port; got != want {
		t.Errorf("the file's socket has port %d, want %d", got, want)
	}
}

type closer struct {
	err    error
	closed int
}

func (c *closer) Close() error {
	c.closed++
	return c.err
}

func TestWith(t *testing.T) {
	errUse, errClose, errMake := errors.New("use"), errors.New("close"), errors.New("make")
	tests := []struct {
		name     string
		made     error
		use      error
		closing  error
		want     []error
		calls    int
		closings int
	}{
		{"all is well", nil, nil, nil, nil, 1, 1},
		{"no connection", errMake, nil, nil, []error{errMake}, 0, 0},
		{"error", nil, errUse, nil, []error{errUse}, 1, 1},
		{"close error", nil, nil, errClose, []error{errClose}, 1, 1},
		{"both", nil, errUse, errClose, []error{errUse, errClose}, 1, 1},
		{"closed by the function", nil, nil, &net.OpError{Op: "close", Err: net.ErrClosed}, nil, 1, 1},
		{"file closed by the function", nil, nil, os.ErrClosed, nil, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &closer{err: tt.closing}
			calls := 0
			err := sockets.With(c, tt.made, func(*closer) error {
				calls++
				return tt.use
			})
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("error %v does not match %v", err, want)
				}
			}
			if tt.want == nil && err != nil {
				t.Errorf("error %v", err)
			}
			if len(tt.want) == 1 && err != tt.want[0] {
				t.Errorf("error %#v, want %#v itself", err, tt.want[0])
			}
			if calls != tt.calls || c.closed != tt.closings {
				t.Errorf("%d calls and %d closings, want %d and %d", calls, c.closed, tt.calls, tt.closings)
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		c := new(closer)
		defer func() {
			if recover() != "oh" || c.closed != 1 {
				t.Errorf("closed %d times, want 1 and the panic to go on", c.closed)
			}
		}()
		sockets.With(c, nil, func(*closer) error { panic("oh") })
	})
	t.Run("moved Socket", func(t *testing.T) {
		var l net.Listener
		s, err := sockets.New("tcp")
		check(t, sockets.With(s, err, func(s *sockets.Socket) (err error) {
			l, err = s.Listen(1)
			return err
		}))
		if err := l.Close(); err != nil {
			t.Errorf("Close of the listener: %v", err)
		}
	})
}

func TestPair(t *testing.T) {
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			a, b, err := sockets.Pair(network)
			check(t, err)
			closeLater(t, a)
			closeLater(t, b)
			for _, addr := range []net.Addr{a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr()} {
				if diff := cmp.Diff(&net.UnixAddr{Name: "@", Net: network}, addr); diff != "" {
					t.Errorf("address (-want +got):\n%s", diff)
				}
			}
			messages := []string{"one", "two"}
			for _, m := range messages {
				_, err := a.Write([]byte(m))
				check(t, err)
			}
			if network == "unix" {
				messages = []string{"onetwo"}
			}
			for _, m := range messages {
				wantMessage(t, b, m)
			}
			check(t, a.Close())
			if network == "unixgram" {
				_, err = b.Write([]byte("x"))
				wantError(t, err, "write", syscall.ECONNREFUSED)
			} else if _, err = b.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("Read after the other end closed: %v, want EOF", err)
			}
		})
	}
}

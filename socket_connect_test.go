//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
	"golang.org/x/sys/unix"
)

// needSecondConnect skips the test unless a socket can be connected after connect(2) was
// refused: in gVisor it fails with ECONNABORTED from then on.
func needSecondConnect(t *testing.T) {
	t.Helper()
	gone, l := conntest.Listen4(t), conntest.Listen4(t)
	socktest.Check(t, gone.Close())
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	defer unix.Close(fd)
	for range 3 {
		for _, to := range []net.Listener{gone, l} {
			err = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: to.Addr().(*net.TCPAddr).Port})
			if to == l && err == nil {
				return
			}
		}
	}
	t.Skip("no connection after connect(2) was refused: ", err)
}

// TestSocketConnectElsewhere connects again after each kind of failure: to whom the
// second call says, and from the port that was bound before.
func TestSocketConnectElsewhere(t *testing.T) {
	canceled := func(t *testing.T, s *sockets.Socket) error {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Millisecond, cancel)
		return socktest.ErrOf(s.Connect(ctx, conntest.BusyListener(t)))
	}
	tests := []struct {
		name string
		fail func(t *testing.T, s *sockets.Socket) error
		want error
	}{
		{"refused", func(t *testing.T, s *sockets.Socket) error {
			needSecondConnect(t)
			l := conntest.Listen4(t)
			socktest.Check(t, l.Close())
			return socktest.ErrOf(s.Connect(t.Context(), l.Addr()))
		}, syscall.ECONNREFUSED},
		{"canceled", canceled, context.Canceled},
		{"timed out", func(t *testing.T, s *sockets.Socket) error {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			defer cancel()
			return socktest.ErrOf(s.Connect(ctx, conntest.BusyListener(t)))
		}, nil},
		{"deadline", func(t *testing.T, s *sockets.Socket) error {
			socktest.Check(t, s.SetDeadline(time.Now().Add(5*time.Millisecond)))
			defer s.SetDeadline(time.Time{})
			return socktest.ErrOf(s.Connect(t.Context(), conntest.BusyListener(t)))
		}, os.ErrDeadlineExceeded},
		{"deadline in the past", func(t *testing.T, s *sockets.Socket) error {
			socktest.Check(t, s.SetDeadline(time.Unix(1, 0)))
			defer s.SetDeadline(time.Time{})
			return socktest.ErrOf(s.Connect(t.Context(), conntest.Listen4(t).Addr()))
		}, os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		for _, local := range []*net.TCPAddr{nil, {IP: net.IPv4(127, 0, 0, 1)}} {
			t.Run(fmt.Sprintf("%s, bound to %v", tt.name, local), func(t *testing.T) {
				s := conntest.NewSocket(t, "tcp4")
				if local != nil {
					socktest.Check(t, s.Bind(local))
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
				l := conntest.Listen4(t)
				c, err := s.Connect(t.Context(), l.Addr())
				socktest.Check(t, err)
				socktest.CloseLater(t, c)
				if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
					t.Errorf("connected to %s, want %s", got, want)
				}
				if bound != nil && c.LocalAddr().String() != bound.String() {
					t.Errorf("connected from %s, want %s", c.LocalAddr(), bound)
				}
				a, err := l.Accept()
				socktest.Check(t, err)
				socktest.CloseLater(t, a)
				_, err = c.Write([]byte("x"))
				socktest.Check(t, err)
				conntest.WantMessage(t, a, "x")
			})
		}
	}
}

// TestSocketDeadlineWakes sets the deadline while Connect waits.
func TestSocketDeadlineWakes(t *testing.T) {
	addr := conntest.BusyListener(t)
	s := conntest.NewSocket(t, "tcp4")
	var err error
	socktest.WhileBlocked(t, func() { _, err = s.Connect(t.Context(), addr) }, func() {
		socktest.Check(t, s.SetDeadline(time.Now()))
	})
	socktest.WantError(t, err, "dial", os.ErrDeadlineExceeded)
}

// TestSocketDeadlineEnds checks that the connection has no deadline of the Socket.
func TestSocketDeadlineEnds(t *testing.T) {
	l := conntest.Listen4(t)
	var (
		c        net.Conn
		err      error
		deadline time.Time
	)
	for limit := time.Second; ; limit *= 2 { // a busy machine may need more
		s := conntest.NewSocket(t, "tcp4")
		deadline = time.Now().Add(limit)
		socktest.Check(t, s.SetDeadline(deadline))
		c, err = s.Connect(t.Context(), l.Addr())
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	a, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, a)
	time.Sleep(time.Until(deadline) + time.Millisecond)
	_, err = a.Write([]byte("x"))
	socktest.Check(t, err)
	conntest.WantMessage(t, c, "x")
}

// TestSocketConnectBusyUnix connects to a listener without room until it has some,
// or time is up.
func TestSocketConnectBusyUnix(t *testing.T) {
	fill := func(t *testing.T) (net.Listener, func()) {
		l, err := (&sockets.ListenConfig{Backlog: 1}).Listen(t.Context(), "unix", "")
		socktest.Check(t, err)
		socktest.CloseLater(t, l)
		conntest.WantBacklog(t, l, 1)
		return l, func() {
			a, err := l.Accept()
			socktest.Check(t, err)
			socktest.CloseLater(t, a)
		}
	}
	t.Run("room", func(t *testing.T) {
		l, accept := fill(t)
		var c net.Conn
		var err error
		s := conntest.NewSocket(t, "unix")
		socktest.WhileSelecting(t, func() { c, err = s.Connect(t.Context(), l.Addr()) }, accept)
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
	})
	t.Run("context", func(t *testing.T) {
		l, _ := fill(t)
		ctx := timedContext{t.Context(), make(chan struct{})}
		s := conntest.NewSocket(t, "unix")
		var err error
		socktest.WhileSelecting(t, func() { _, err = s.Connect(ctx, l.Addr()) }, func() { close(ctx.done) })
		socktest.WantError(t, err, "dial", sockets.ErrWouldBlock)
	})
	t.Run("deadline", func(t *testing.T) {
		l, _ := fill(t)
		s := conntest.NewSocket(t, "unix")
		var err error
		socktest.WhileSelecting(t, func() { _, err = s.Connect(t.Context(), l.Addr()) }, func() {
			socktest.Check(t, s.SetDeadline(time.Now()))
		})
		socktest.WantError(t, err, "dial", os.ErrDeadlineExceeded)
	})
	t.Run("no wait", func(t *testing.T) {
		l, accept := fill(t)
		s := conntest.NewSocket(t, "unix")
		_, err := s.ConnectNoWait(l.Addr())
		socktest.WantError(t, err, "dial", sockets.ErrWouldBlock)
		accept()
		c, err := s.ConnectNoWait(l.Addr())
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
	})
}

// timedContext has its deadline when done is closed.
type timedContext struct {
	context.Context
	done chan struct{}
}

func (c timedContext) Done() <-chan struct{} { return c.done }

func (c timedContext) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestSocketConnectTwice connects a socket that is connected already, as another
// holder of the descriptor may have done.
func TestSocketConnectTwice(t *testing.T) {
	s, l := conntest.NewSocket(t, "unix"), peerOf(t, conntest.NewSocket(t, "unix"))
	socktest.WithFD(t, s, func(fd int) error { return syscall.Connect(fd, &syscall.SockaddrUnix{Name: l.String()}) })
	_, err := s.Connect(t.Context(), peerOf(t, s))
	socktest.WantError(t, err, "dial", syscall.EISCONN)
	_, err = s.ConnectNoWait(peerOf(t, s))
	socktest.WantError(t, err, "dial", syscall.EISCONN)
	c, err := s.Conn()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
}

// TestSocketKeepsPeer fails to connect a datagram socket that has a peer already.
func TestSocketKeepsPeer(t *testing.T) {
	b := conntest.Packets(t, "udp4")
	s := conntest.NewSocket(t, "udp4")
	socktest.Check(t, sockopt.Broadcast.Set(s, false))
	peer := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: b.LocalAddr().(*net.UDPAddr).Port}
	socktest.WithFD(t, s, func(fd int) error { return unix.Connect(fd, peer) })
	// The error of a plain call, mostly EACCES, from the address that the first one chose.
	plain, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	defer unix.Close(plain)
	socktest.Check(t, unix.Connect(plain, peer))
	want := unix.Connect(plain, &unix.SockaddrInet4{Addr: [4]byte{255, 255, 255, 255}, Port: 9})
	if want == nil {
		t.Skip("connect(2) to a broadcast address does not fail")
	}
	_, err = s.Connect(t.Context(), &net.UDPAddr{IP: net.IPv4bcast, Port: 9})
	socktest.WantError(t, err, "dial", want)
	if diff := cmp.Diff(b.LocalAddr(), s.RemoteAddr()); diff != "" {
		t.Errorf("peer (-want +got):\n%s", diff)
	}
	c, err := s.Conn()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if diff := cmp.Diff(b.LocalAddr(), c.RemoteAddr()); diff != "" {
		t.Errorf("peer of the connection (-want +got):\n%s", diff)
	}
	_, err = c.Write([]byte("x"))
	socktest.Check(t, err)
	conntest.WantReceive(t, b, 1, 0, "x")
}

// TestSocketConnectNothing connects to no address, and with no context, as a Dialer does.
func TestSocketConnectNothing(t *testing.T) {
	s := conntest.NewSocket(t, "tcp4")
	for _, addr := range []net.Addr{nil, (*net.TCPAddr)(nil)} {
		_, err := s.Connect(t.Context(), addr)
		socktest.WantError(t, err, "dial", socktest.ErrMissingAddress)
		_, err = s.ConnectNoWait(addr)
		socktest.WantError(t, err, "dial", socktest.ErrMissingAddress)
	}
	defer func() {
		if got := recover(); got != "nil context" {
			t.Errorf("panic %v, want that of package net", got)
		}
	}()
	var none context.Context
	s.Connect(none, &net.TCPAddr{Port: 1})
}

// TestConnectNoWaitAddr tells the address of a peer that has not answered yet as the
// kernel will, and not as the caller's own value.
func TestConnectNoWaitAddr(t *testing.T) {
	port := conntest.BusyListener(t).(*net.TCPAddr).Port
	loopback := net.IP{127, 0, 0, 1}
	for _, tt := range []struct {
		network  string
		ip, want net.IP
	}{
		{"tcp4", nil, loopback},
		{"tcp4", net.IPv4zero, loopback},
		{"tcp4", loopback.To16(), loopback},
		{"tcp", loopback, loopback.To16()},
		{"tcp", net.IPv6unspecified, net.IPv6loopback},
	} {
		t.Run(tt.network+" "+tt.ip.String(), func(t *testing.T) {
			if tt.want.To4() == nil {
				socktest.NeedIPv6(t)
			}
			addr := &net.TCPAddr{IP: tt.ip, Port: port}
			c, err := conntest.NewSocket(t, tt.network).ConnectNoWait(addr)
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			addr.Port = 1 // the caller's to change
			if diff := cmp.Diff(&net.TCPAddr{IP: tt.want, Port: port}, c.RemoteAddr()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSocketWhileConnecting tries to take other roles while Connect waits.
func TestSocketWhileConnecting(t *testing.T) {
	addr := conntest.BusyListener(t)
	s := conntest.NewSocket(t, "tcp4")
	var err error
	socktest.WhileBlocked(t, func() { _, err = s.Connect(t.Context(), addr) }, func() {
		for name, role := range map[string]func() error{
			"Connect":       func() error { return socktest.ErrOf(s.Connect(t.Context(), addr)) },
			"ConnectNoWait": func() error { return socktest.ErrOf(s.ConnectNoWait(addr)) },
			"Listen":        func() error { return socktest.ErrOf(s.Listen(1)) },
			"Conn":          func() error { return socktest.ErrOf(s.Conn()) },
			"PacketConn":    func() error { return socktest.ErrOf(s.PacketConn()) },
			"Listener":      func() error { return socktest.ErrOf(s.Listener()) },
		} {
			if err := role(); !errors.Is(err, syscall.EALREADY) {
				t.Errorf("%s while another Connect waits: %v, want EALREADY", name, err)
			}
		}
		socktest.Check(t, s.Close())
	})
	socktest.WantError(t, err, "dial", net.ErrClosed)
}

// TestConnectNoWaitReports learns the outcome of the connect from the first I/O.
func TestConnectNoWaitReports(t *testing.T) {
	l := conntest.Listen4(t)
	socktest.Check(t, l.Close())
	for name, use := range map[string]func(c net.Conn) error{
		"Read":  func(c net.Conn) error { return socktest.ErrOf(c.Read(make([]byte, 1))) },
		"Write": func(c net.Conn) error { return socktest.ErrOf(c.Write([]byte("x"))) },
	} {
		c, err := conntest.NewSocket(t, "tcp4").ConnectNoWait(l.Addr())
		if err == nil {
			socktest.CloseLater(t, c)
			if got := c.RemoteAddr().String(); got != l.Addr().String() {
				t.Errorf("remote address %s, want %s", got, l.Addr())
			}
			err = use(c)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v, want ECONNREFUSED", name, err)
		}
	}
	c, err := conntest.NewSocket(t, "tcp4").ConnectNoWait(conntest.BusyListener(t))
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	socktest.Check(t, c.SetDeadline(time.Now().Add(5*time.Millisecond)))
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write while the connect is under way: %v, want a timeout", err)
	}
}

// TestConnectLeavesContext has Connect forget the context, to which the caller may
// hold on.
func TestConnectLeavesContext(t *testing.T) {
	ctx := foreignContext{context.Background(), make(chan struct{})}
	before := runtime.NumGoroutine()
	l := conntest.Listen4(t)
	for range 10 {
		c, err := conntest.NewSocket(t, "tcp4").Connect(ctx, l.Addr())
		socktest.Check(t, err)
		socktest.Check(t, c.Close())
	}
	if !socktest.WaitUntil(func() bool { return runtime.NumGoroutine() <= before }) {
		t.Errorf("%d goroutines after Connect, %d before", runtime.NumGoroutine(), before)
	}
}

// foreignContext is one for which package context needs a goroutine.
type foreignContext struct {
	context.Context
	done chan struct{}
}

func (c foreignContext) Done() <-chan struct{} { return c.done }

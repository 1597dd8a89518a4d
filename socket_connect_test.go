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
	"github.com/iolib-go/sockets/sockopt"
)

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
	check(t, sockopt.Broadcast.Set(s, false))
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

// TestConnectLeavesContext has Connect forget the context, to which the caller may
// hold on.
func TestConnectLeavesContext(t *testing.T) {
	ctx := foreignContext{context.Background(), make(chan struct{})}
	before := runtime.NumGoroutine()
	l := listen4(t)
	for range 10 {
		c, err := newRoleless(t, "tcp4").Connect(ctx, l.Addr())
		check(t, err)
		check(t, c.Close())
	}
	if !waitUntil(func() bool { return runtime.NumGoroutine() <= before }) {
		t.Errorf("%d goroutines after Connect, %d before", runtime.NumGoroutine(), before)
	}
}

// foreignContext is one for which package context needs a goroutine.
type foreignContext struct {
	context.Context
	done chan struct{}
}

func (c foreignContext) Done() <-chan struct{} { return c.done }

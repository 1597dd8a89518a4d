//go:build linux

package sockets_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// An acceptor is a listener of any kind.
type acceptor interface {
	net.Listener
	syscall.Conn
	AcceptWith(sockets.AcceptConfig) (net.Conn, error)
	SetDeadline(time.Time) error
	File() (*os.File, error)
}

var (
	_ acceptor = (*sockets.TCPListener)(nil)
	_ acceptor = (*sockets.UnixListener)(nil)
	_ acceptor = (*sockets.StreamListener)(nil)
)

func listenOn(tb testing.TB, network string) acceptor {
	tb.Helper()
	l, err := sockets.Listen(network, loopbackOf(network))
	check(tb, err)
	closeLater(tb, l)
	return l.(acceptor)
}

func dialTo(tb testing.TB, l net.Listener) net.Conn {
	tb.Helper()
	c, err := sockets.Dial(l.Addr().Network(), l.Addr().String())
	check(tb, err)
	closeLater(tb, c)
	return c
}

func TestAcceptWith(t *testing.T) {
	past, future := time.Unix(1, 0), time.Now().Add(time.Hour)
	tests := []struct {
		name     string
		config   sockets.AcceptConfig
		deadline time.Time
		pending  bool
		want     error
	}{
		{"pending", sockets.AcceptConfig{}, time.Time{}, true, nil},
		{"pending, timeout", sockets.AcceptConfig{Timeout: time.Minute}, time.Time{}, true, nil},
		{"pending, no wait", sockets.AcceptConfig{NoWait: true}, time.Time{}, true, nil},
		{"pending, no wait, past deadline", sockets.AcceptConfig{NoWait: true}, past, true, nil},
		{"pending, no wait, past timeout", sockets.AcceptConfig{NoWait: true, Timeout: -1}, time.Time{}, true, nil},
		{"pending, past timeout", sockets.AcceptConfig{Timeout: -1}, time.Time{}, true, os.ErrDeadlineExceeded},
		{"pending, past deadline", sockets.AcceptConfig{Timeout: time.Minute}, past, true, os.ErrDeadlineExceeded},
		{"timeout", sockets.AcceptConfig{Timeout: time.Millisecond}, time.Time{}, false, os.ErrDeadlineExceeded},
		{"timeout before deadline", sockets.AcceptConfig{Timeout: time.Millisecond}, future, false, os.ErrDeadlineExceeded},
		{"deadline before timeout", sockets.AcceptConfig{Timeout: time.Hour}, past, false, os.ErrDeadlineExceeded},
		{"no wait", sockets.AcceptConfig{NoWait: true}, time.Time{}, false, sockets.ErrWouldBlock},
		{"no wait before timeout", sockets.AcceptConfig{NoWait: true, Timeout: time.Hour}, time.Time{}, false, sockets.ErrWouldBlock},
	}
	for _, network := range []string{"tcp4", "unix", "unixpacket"} {
		for _, tt := range tests {
			t.Run(network+" "+tt.name, func(t *testing.T) {
				l := listenOn(t, network)
				check(t, l.SetDeadline(tt.deadline))
				if tt.pending {
					dialTo(t, l)
				}
				c, err := l.AcceptWith(tt.config)
				if tt.want != nil {
					wantError(t, err, "accept", tt.want)
					if c != nil {
						t.Errorf("a connection with the error: %v", c)
					}
				} else {
					check(t, err)
					closeLater(t, c)
				}
				// The timeout was of the one call.
				if !tt.pending {
					dialTo(t, l)
				}
				if tt.deadline == past {
					check(t, l.SetDeadline(time.Time{}))
				}
				if !tt.pending || tt.want != nil {
					c, err = l.Accept()
					check(t, err)
					closeLater(t, c)
				}
			})
		}
	}
}

// TestAcceptWithBlocked ends an AcceptWith that waits, in its own turn and for
// another call's.
func TestAcceptWithBlocked(t *testing.T) {
	forever := sockets.AcceptConfig{Timeout: time.Hour}
	t.Run("close", func(t *testing.T) {
		l := listenOn(t, "tcp4")
		e := &env{TB: t, impl: sockImpl}
		var err error
		e.whileBlocked(func(seeFunc) { _, err = l.AcceptWith(forever) }, func() { check(t, l.Close()) })
		wantError(t, err, "accept", net.ErrClosed)
	})
	t.Run("deadline", func(t *testing.T) {
		l := listenOn(t, "tcp4")
		e := &env{TB: t, impl: sockImpl}
		var err error
		e.whileBlocked(func(seeFunc) { _, err = l.AcceptWith(forever) }, func() { check(t, l.SetDeadline(time.Now())) })
		wantError(t, err, "accept", os.ErrDeadlineExceeded)
	})
	t.Run("connection", func(t *testing.T) {
		l := listenOn(t, "unix")
		e := &env{TB: t, impl: sockImpl}
		e.whileBlocked(func(seeFunc) {
			c, err := l.AcceptWith(forever)
			check(t, err)
			closeLater(t, c)
		}, func() { dialTo(t, l) })
	})
	t.Run("behind Accept", func(t *testing.T) {
		l := listenOn(t, "tcp4")
		e := &env{TB: t, impl: sockImpl}
		e.whileBlocked(func(seeFunc) {
			c, err := l.Accept()
			check(t, err)
			closeLater(t, c)
		}, func() {
			_, err := l.AcceptWith(sockets.AcceptConfig{Timeout: time.Millisecond})
			wantError(t, err, "accept", os.ErrDeadlineExceeded)
			_, err = l.AcceptWith(sockets.AcceptConfig{NoWait: true})
			wantError(t, err, "accept", sockets.ErrWouldBlock)
			dialTo(t, l)
		})
	})
}

// TestAcceptConcurrently has all kinds of accept on one listener while connections
// come, deadlines change, and at last the listener is closed. No connection is
// lost.
func TestAcceptConcurrently(t *testing.T) {
	l := listenOn(t, "tcp4")
	const connections = 200
	var accepted atomic.Int32
	all := make(chan struct{})
	var wg sync.WaitGroup
	for _, config := range []sockets.AcceptConfig{{}, {}, {Timeout: time.Millisecond}, {Timeout: time.Hour}} {
		wg.Go(func() {
			for {
				c, err := l.AcceptWith(config)
				switch {
				case err == nil:
					c.Close()
					if accepted.Add(1) == connections {
						close(all)
					}
				case errors.Is(err, net.ErrClosed):
					return
				case !errors.Is(err, os.ErrDeadlineExceeded):
					t.Errorf("AcceptWith: %v", err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for i := 0; ; i++ {
			if err := l.SetDeadline(time.Now().Add(time.Duration(i%3) * time.Millisecond)); err != nil {
				return
			}
			select {
			case <-all:
				return
			default:
			}
		}
	})
	for range connections {
		check(t, dialTo(t, l).Close())
	}
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		t.Errorf("%d connections of %d were accepted", accepted.Load(), connections)
	}
	check(t, l.Close())
	wg.Wait()
}

// TestAcceptInherits compares options of accepted connections with those of the
// listener they come from.
func TestAcceptInherits(t *testing.T) {
	lc := sockets.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second},
		Options:         []sockopt.Setting{sockopt.NoDelay.With(false), sockopt.TOS.With(0x28)},
	}
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	check(t, err)
	closeLater(t, l)
	dialTo(t, l)
	c, err := l.(acceptor).AcceptWith(sockets.AcceptConfig{Timeout: time.Minute})
	check(t, err)
	closeLater(t, c)
	a := c.(syscall.Conn)
	noDelay, err := sockopt.NoDelay.Get(a)
	check(t, err)
	idle, err := sockopt.KeepIdle.Get(a)
	check(t, err)
	tos, err := sockopt.TOS.Get(a)
	check(t, err)
	if noDelay || idle != 7*time.Second || tos != 0x28 {
		t.Errorf("no delay %v, idle time %v, TOS %#x; want false, 7s, 0x28", noDelay, idle, tos)
	}
}

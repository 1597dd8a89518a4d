//go:build linux

package sockets_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

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
		socktest.Check(t, sockets.With(s, err, func(s *sockets.Socket) (err error) {
			l, err = s.Listen(1)
			return err
		}))
		if err := l.Close(); err != nil {
			t.Errorf("Close of the listener: %v", err)
		}
	})
}

// Write(nil) on a connection that FastOpenConnect has not begun yet is no error.
func TestFastOpenWritesNothing(t *testing.T) {
	netns := socktest.NewNetNS(t)
	socktest.InNetNS(t, netns, func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte("3"), 0); err != nil {
			t.Skip(err)
		}
	})
	lc := sockets.ListenConfig{NetNS: netns, Options: []sockopt.Setting{sockopt.FastOpen.With(16)}}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	d := sockets.Dialer{NetNS: netns, Options: []sockopt.Setting{sockopt.FastOpenConnect.With(true)}}
	first, err := d.Dial("tcp4", l.Addr().String()) // gets a cookie
	socktest.Check(t, err)
	_, err = first.Write([]byte("cookie"))
	socktest.Check(t, err)
	s, err := l.Accept()
	socktest.Check(t, err)
	conntest.WantMessage(t, s, "cookie")
	first.Close()
	s.Close()

	c, err := d.Dial("tcp4", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Errorf("Write(nil): %d, %v", n, err)
	}
	_, err = c.Write([]byte("hello"))
	socktest.Check(t, err)
	s, err = l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	conntest.WantMessage(t, s, "hello")
}

// TestFileByNet has package net make a file blocking as its own Fd method asks, for a
// package os whose files are not known. It is the same file whichever package made it.
func TestFileByNet(t *testing.T) {
	socktest.CheckNoLeak(t)
	tcp, _ := conntest.Dialed(t, "tcp4")
	unixConn, _ := conntest.Pair(t, "unix")
	packet, _ := conntest.Pair(t, "unixpacket")
	for _, c := range []interface {
		net.Conn
		syscall.Conn
		File() (*os.File, error)
	}{tcp.(*sockets.TCPConn), conntest.OpenUDP(t, "udp4"), unixConn, packet} {
		want, err := c.File()
		socktest.Check(t, err)
		defer want.Close()
		got, err := sockets.FileByNet(c)
		socktest.Check(t, err)
		defer got.Close()
		if got.Name() != want.Name() || socktest.IDOf(t, got) != socktest.IDOf(t, want) {
			t.Errorf("a file %q, want %q", got.Name(), want.Name())
		}
		socktest.CheckCloseOnExec(t, got)
		if on, err := sockets.Blocking(c); on || err != nil {
			t.Errorf("%T: blocking before Fd: %v, %v", c, on, err)
		}
		got.Fd()
		if on, err := sockets.Blocking(c); !on || err != nil {
			t.Errorf("%T: blocking after Fd: %v, %v", c, on, err)
		}
	}
	// One of a family that net does not know stays as package os makes it.
	netlink := conntest.RouteSocket(t)
	f, err := sockets.FileByNet(netlink)
	socktest.Check(t, err)
	if socktest.IDOf(t, f) != socktest.IDOf(t, netlink) {
		t.Error("another file")
	}
	socktest.Check(t, f.Close())
}

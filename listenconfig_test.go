//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
)

// A unix socket tells at once that the queue is full: one more fits than its length.
func TestBacklog(t *testing.T) {
	for _, backlog := range []int{1, 3} {
		t.Run(fmt.Sprint(backlog), func(t *testing.T) {
			lc := sockets.ListenConfig{Backlog: backlog}
			l, err := lc.Listen(t.Context(), "unix", shortDir(t)+"/l")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			queued := 0
			for {
				c, err := sockets.Dial("unix", l.Addr().String())
				if err != nil {
					if !errors.Is(err, syscall.EAGAIN) {
						t.Errorf("Dial to a full queue: %v, want EAGAIN", err)
					}
					break
				}
				defer c.Close()
				queued++
			}
			if diff := cmp.Diff(backlog+1, queued); diff != "" {
				t.Errorf("connections in the queue (-want +got):\n%s", diff)
			}
		})
	}
	lc := sockets.ListenConfig{Backlog: -1}
	if l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0"); err == nil {
		l.Close()
		t.Error("a negative backlog is accepted")
	}
}

// Options come after the defaults and Control, and before bind.
func TestListenConfigOptions(t *testing.T) {
	lc := sockets.ListenConfig{
		Control: func(_, _ string, c syscall.RawConn) error {
			return sockets.NoDelay.Set(rawOnly{c}, true)
		},
		Options: []sockets.Setting{sockets.ReusePort.With(true), sockets.NoDelay.With(false), sockets.KeepAlive.With(false)},
	}
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// Both have it before bind, or the second could not have the port.
	m, err := lc.Listen(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	seeTwo(t, "accepted", c, false, false)
}

func TestDialerOptions(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := sockets.Dialer{Options: []sockets.Setting{sockets.NoDelay.With(false), sockets.KeepAlive.With(false)}}
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	seeTwo(t, "dialed", c, false, false)

	// An option that fails fails the dial, with the addresses of the dial.
	d.Options = []sockets.Setting{sockets.BindToDevice.With("nosuchdevice")}
	bad, err := d.DialContext(context.Background(), "tcp", l.Addr().String())
	var op *net.OpError
	if bad != nil || !errors.As(err, &op) || op.Op != "dial" || op.Addr.String() != l.Addr().String() || !errors.Is(err, syscall.ENODEV) {
		t.Errorf("Dial with a bad option: %v, %v, want a dial error with ENODEV", bad, err)
	}
}

func seeTwo(t *testing.T, what string, c net.Conn, noDelay, keepAlive bool) {
	t.Helper()
	gotNoDelay, err := sockets.NoDelay.Get(c.(syscall.Conn))
	if gotNoDelay != noDelay || err != nil {
		t.Errorf("%s: NoDelay %v, %v, want %v", what, gotNoDelay, err, noDelay)
	}
	gotKeepAlive, err := sockets.KeepAlive.Get(c.(syscall.Conn))
	if gotKeepAlive != keepAlive || err != nil {
		t.Errorf("%s: KeepAlive %v, %v, want %v", what, gotKeepAlive, err, keepAlive)
	}
}

// rawOnly makes a syscall.Conn of what Control is given.
type rawOnly struct{ c syscall.RawConn }

func (r rawOnly) SyscallConn() (syscall.RawConn, error) { return r.c, nil }

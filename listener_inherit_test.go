//go:build linux

package sockets

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// inherited are the options that TestNothingInherited looks at.
type inherited struct {
	NoDelay, KeepAlive      bool
	Idle, Interval, Timeout time.Duration
	Count, TOS              int
}

func inheritedBy(t *testing.T, fd *netfd.FD) (got inherited) {
	t.Helper()
	c := bareConn{fd}
	var errs [7]error
	got.NoDelay, errs[0] = sockopt.NoDelay.Get(c)
	got.KeepAlive, errs[1] = sockopt.KeepAlive.Get(c)
	got.Idle, errs[2] = sockopt.KeepIdle.Get(c)
	got.Interval, errs[3] = sockopt.KeepInterval.Get(c)
	got.Timeout, errs[4] = sockopt.UserTimeout.Get(c)
	got.Count, errs[5] = sockopt.KeepCount.Get(c)
	got.TOS, errs[6] = sockopt.TOS.Get(c)
	socktest.Check(t, errors.Join(errs[:]...))
	return got
}

// bareConn is a descriptor without a role.
type bareConn struct{ fd *netfd.FD }

func (c bareConn) SyscallConn() (syscall.RawConn, error) { return (*rawConn)(c.fd), nil }

// TestNothingInherited is about a kernel whose connections have nothing from the
// listener, as those of gVisor: each of them is stripped before package sockets sees it.
func TestNothingInherited(t *testing.T) {
	plain, err := netfd.Socket(netfd.Kind{Family: sys.AF_INET, Type: sys.SOCK_STREAM, Network: "tcp4"}, nil)
	socktest.Check(t, err)
	defer plain.Close()
	bare := inheritedBy(t, plain)
	strip := func(t *testing.T, fd *netfd.FD) {
		c := bareConn{fd}
		socktest.Check(t, errors.Join(
			sockopt.NoDelay.Set(c, bare.NoDelay), sockopt.KeepAlive.Set(c, bare.KeepAlive), sockopt.KeepIdle.Set(c, bare.Idle),
			sockopt.KeepInterval.Set(c, bare.Interval), sockopt.UserTimeout.Set(c, bare.Timeout),
			sockopt.KeepCount.Set(c, bare.Count), sockopt.TOS.Set(c, bare.TOS)))
		if diff := cmp.Diff(bare, inheritedBy(t, fd)); diff != "" {
			t.Fatalf("a stripped connection (-want +got):\n%s", diff)
		}
	}
	keepAlive := net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second, Interval: 3 * time.Second, Count: 4}
	options := []sockopt.Setting{sockopt.TOS.With(0x28), sockopt.UserTimeout.With(9 * time.Second)}
	for _, tt := range []struct {
		name string
		lc   ListenConfig
		want inherited
	}{
		{"defaults", ListenConfig{}, inherited{NoDelay: true, KeepAlive: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 9}},
		{"keep-alive", ListenConfig{KeepAliveConfig: keepAlive},
			inherited{NoDelay: true, KeepAlive: true, Idle: 7 * time.Second, Interval: 3 * time.Second, Count: 4}},
		{"options", ListenConfig{Options: append(options, sockopt.NoDelay.With(false)), KeepAliveConfig: keepAlive},
			inherited{KeepAlive: true, Idle: 7 * time.Second, Interval: 3 * time.Second, Count: 4, TOS: 0x28, Timeout: 9 * time.Second}},
		{"no keep-alive", ListenConfig{KeepAlive: -1, Options: options},
			inherited{NoDelay: true, Idle: bare.Idle, Interval: bare.Interval, Count: bare.Count, TOS: 0x28, Timeout: 9 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.lc.SetMultipathTCP(false)
			nl, err := tt.lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
			socktest.Check(t, err)
			defer nl.Close()
			l := nl.(*TCPListener).l
			for i := range 3 {
				c, err := net.Dial("tcp4", nl.Addr().String())
				socktest.Check(t, err)
				defer c.Close()
				var peer sys.Sockaddr
				fd, err := l.fd.Accept(&peer)
				socktest.Check(t, err)
				strip(t, fd)
				fd, err = l.accepted(&peer, fd, nil)
				socktest.Check(t, err)
				defer fd.Close()
				if diff := cmp.Diff(tt.want, inheritedBy(t, fd)); diff != "" {
					t.Errorf("connection %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

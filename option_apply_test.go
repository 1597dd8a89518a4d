//go:build linux

package sockets_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestOptionsApplied checks when Options take effect: after the defaults and after
// Control, in order, and before bind and connect.
func TestOptionsApplied(t *testing.T) {
	var seen []string
	control := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			seen = append(seen, "control")
			socktest.Check(t, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1<<14))
		})
	}
	settings := []sockopt.Setting{
		sockopt.SendBuffer.With(1 << 15), sockopt.SendBuffer.With(1 << 16), // the last counts
		sockopt.KeepAlive.With(false), // a default is on
		sockopt.BindToDevice.With("lo"),
	}
	wantOptions := func(c any) {
		t.Helper()
		size, err := sockopt.SendBuffer.Get(c.(syscall.Conn))
		socktest.Check(t, err)
		alive, err := sockopt.KeepAlive.Get(c.(syscall.Conn))
		socktest.Check(t, err)
		device, err := sockopt.BindToDevice.Get(c.(syscall.Conn))
		socktest.Check(t, err)
		// The kernel doubles the size, socket(7).
		if size != 1<<17 || alive || device != "lo" {
			t.Errorf("%T has buffer size %d, keep-alive %v, device %q", c, size, alive, device)
		}
	}
	for _, network := range []string{"tcp4", "udp4"} {
		lc := sockets.ListenConfig{Control: control, Options: settings}
		var address string
		if network == "tcp4" {
			l, err := lc.Listen(t.Context(), network, "127.0.0.1:0")
			socktest.Check(t, err)
			socktest.CloseLater(t, l)
			wantOptions(l)
			address = l.Addr().String()
		} else {
			c, err := lc.ListenPacket(t.Context(), network, "127.0.0.1:0")
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			wantOptions(c)
			address = c.LocalAddr().String()
		}
		d := sockets.Dialer{Control: control, Options: settings}
		c, err := d.Dial(network, address)
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		wantOptions(c)
	}
	if diff := cmp.Diff([]string{"control", "control", "control", "control"}, seen); diff != "" {
		t.Errorf("calls of Control (-want +got):\n%s", diff)
	}

	// Two sockets on one port: the option came before bind.
	lc := sockets.ListenConfig{Options: []sockopt.Setting{sockopt.ReusePort.With(true)}}
	first, err := lc.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, first)
	again, err := lc.ListenPacket(t.Context(), "udp4", first.LocalAddr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, again)
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	m, err := lc.Listen(t.Context(), "tcp", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, m)

	lc = sockets.ListenConfig{Options: []sockopt.Setting{sockopt.PassCred.With(true)}}
	u, err := lc.ListenPacket(t.Context(), "unixgram", "")
	socktest.Check(t, err)
	socktest.CloseLater(t, u)
	if on, err := sockopt.PassCred.Get(u.(syscall.Conn)); !on || err != nil {
		t.Errorf("PassCred on a unix socket is %v, %v", on, err)
	}
}

// TestOptionsFail names the option that failed, and leaves no descriptor.
func TestOptionsFail(t *testing.T) {
	addresses := map[string]string{
		"tcp4": conntest.Listen4(t).Addr().String(), "udp4": conntest.Packets(t, "udp4").LocalAddr().String(),
		"unix": conntest.ListenOn(t, "unix").Addr().String(), "unixgram": "@nobody",
	}
	tests := []struct {
		name    string
		setting sockopt.Setting
		option  string
		want    error
		network []string
	}{
		{"value out of range", sockopt.TTL.With(256), "IP_TTL", syscall.EINVAL, []string{"tcp4", "udp4"}},
		{"value too small", sockopt.SendBuffer.With(-1), "SO_SNDBUF", syscall.EINVAL, []string{"tcp4", "udp4", "unix", "unixgram"}},
		{"no such device", sockopt.BindToDevice.With("nosuchdevice"), "SO_BINDTODEVICE", syscall.ENODEV, []string{"tcp4", "udp4"}},
		{"not for this kind", sockopt.NoDelay.With(true), "TCP_NODELAY", errors.ErrUnsupported, []string{"udp4", "unix", "unixgram"}},
	}
	for _, tt := range tests {
		for _, network := range tt.network {
			t.Run(tt.name+" "+network, func(t *testing.T) {
				settings := []sockopt.Setting{sockopt.ReuseAddr.With(true), tt.setting}
				d := sockets.Dialer{Options: settings}
				lc := sockets.ListenConfig{Options: settings}
				before := socktest.OpenFiles()
				for op, call := range map[string]func() error{
					"dial": func() error {
						return socktest.ErrOf(d.Dial(network, addresses[network]))
					},
					"listen": func() error {
						if network == "tcp4" || network == "unix" {
							return socktest.ErrOf(lc.Listen(t.Context(), network, conntest.LoopbackOf(network)))
						}
						return socktest.ErrOf(lc.ListenPacket(t.Context(), network, conntest.LoopbackOf(network)))
					},
				} {
					err := call()
					socktest.WantError(t, err, op, tt.want)
					var option *sockopt.Error
					if !errors.As(err, &option) || option.Option != tt.option || !strings.Contains(err.Error(), tt.option) {
						t.Errorf("%s: %v, want an OptionError of %s", op, err, tt.option)
					}
					var outer *net.OpError
					if errors.As(err, &outer) && outer.Net != network {
						t.Errorf("%s: network %q, want %q", op, outer.Net, network)
					}
					if op == "dial" && (outer.Addr == nil || outer.Addr.String() != addresses[network]) {
						t.Errorf("dial: address %v, want %s", outer.Addr, addresses[network])
					}
				}
				if diff := cmp.Diff(before, socktest.OpenFiles()); diff != "" {
					t.Errorf("open descriptors (-before +after):\n%s", diff)
				}
			})
		}
	}
}

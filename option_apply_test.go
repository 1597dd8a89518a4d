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
	"github.com/iolib-go/sockets/sockopt"
)

// TestOptionsApplied checks when Options take effect: after the defaults and after
// Control, in order, and before bind and connect.
func TestOptionsApplied(t *testing.T) {
	var seen []string
	control := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			seen = append(seen, "control")
			check(t, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1<<14))
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
		check(t, err)
		alive, err := sockopt.KeepAlive.Get(c.(syscall.Conn))
		check(t, err)
		device, err := sockopt.BindToDevice.Get(c.(syscall.Conn))
		check(t, err)
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
			check(t, err)
			closeLater(t, l)
			wantOptions(l)
			address = l.Addr().String()
		} else {
			c, err := lc.ListenPacket(t.Context(), network, "127.0.0.1:0")
			check(t, err)
			closeLater(t, c)
			wantOptions(c)
			address = c.LocalAddr().String()
		}
		d := sockets.Dialer{Control: control, Options: settings}
		c, err := d.Dial(network, address)
		check(t, err)
		closeLater(t, c)
		wantOptions(c)
	}
	if diff := cmp.Diff([]string{"control", "control", "control", "control"}, seen); diff != "" {
		t.Errorf("calls of Control (-want +got):\n%s", diff)
	}

	// Two sockets on one port: the option came before bind.
	lc := sockets.ListenConfig{Options: []sockopt.Setting{sockopt.ReusePort.With(true)}}
	first, err := lc.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	check(t, err)
	closeLater(t, first)
	again, err := lc.ListenPacket(t.Context(), "udp4", first.LocalAddr().String())
	check(t, err)
	closeLater(t, again)
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	closeLater(t, l)
	m, err := lc.Listen(t.Context(), "tcp", l.Addr().String())
	check(t, err)
	closeLater(t, m)

	lc = sockets.ListenConfig{Options: []sockopt.Setting{sockopt.PassCred.With(true)}}
	u, err := lc.ListenPacket(t.Context(), "unixgram", "")
	check(t, err)
	closeLater(t, u)
	if on, err := sockopt.PassCred.Get(u.(syscall.Conn)); !on || err != nil {
		t.Errorf("PassCred on a unix socket is %v, %v", on, err)
	}
}

// TestOptionsFail names the option that failed, and leaves no descriptor.
func TestOptionsFail(t *testing.T) {
	addresses := map[string]string{
		"tcp4": listen4(t).Addr().String(), "udp4": packets(t, "udp4").LocalAddr().String(),
		"unix": listenOn(t, "unix").Addr().String(), "unixgram": "@nobody",
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
				before := openFiles()
				for op, call := range map[string]func() error{
					"dial": func() error {
						return errOf(d.Dial(network, addresses[network]))
					},
					"listen": func() error {
						if network == "tcp4" || network == "unix" {
							return errOf(lc.Listen(t.Context(), network, loopbackOf(network)))
						}
						return errOf(lc.ListenPacket(t.Context(), network, loopbackOf(network)))
					},
				} {
					err := call()
					wantError(t, err, op, tt.want)
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
				if diff := cmp.Diff(before, openFiles()); diff != "" {
					t.Errorf("open descriptors (-before +after):\n%s", diff)
				}
			})
		}
	}
}

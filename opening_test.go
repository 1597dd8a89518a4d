//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestOpeningRefused opens sockets where the kernel refuses a step: the error says which
// call it was, and nothing stays open.
func TestOpeningRefused(t *testing.T) {
	lo := socktest.LoopbackInterface(t)
	group := &net.UDPAddr{IP: net.IPv4(239, 92, 0, 5)}
	packet := func(lc sockets.ListenConfig, address string) func() (any, error) {
		return func() (any, error) { return lc.ListenPacket(context.Background(), "udp4", address) }
	}
	multicast := func() (any, error) { return sockets.ListenMulticastUDP("udp4", lo, group) }
	listen := func() (any, error) { return sockets.Listen("tcp4", "127.0.0.1:0") }
	var multipath sockets.ListenConfig
	multipath.SetMultipathTCP(true)
	multipath.Options = []sockopt.Setting{sockopt.KeepAlive.With(true)}
	// Some architectures have these go through socketcall(2), whose arguments no filter sees.
	plainly := map[uint32]func(args map[uint32]uint32) error{
		unix.SYS_SOCKET: func(args map[uint32]uint32) error {
			fd, err := unix.Socket(int(args[0]), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, int(args[2]))
			if err == nil {
				unix.Close(fd)
			}
			return err
		},
		unix.SYS_SETSOCKOPT: func(args map[uint32]uint32) error {
			return unix.SetsockoptInt(-1, int(args[1]), int(args[2]), 0)
		},
		unix.SYS_LISTEN: func(map[uint32]uint32) error { return unix.Listen(-1, 0) },
	}
	option := func(level, name uint32) map[uint32]uint32 { return map[uint32]uint32{1: level, 2: name} }
	for _, tt := range []struct {
		name string
		call uint32
		args map[uint32]uint32
		want string // the system call in the error
		open func() (any, error)
	}{
		{"socket", unix.SYS_SOCKET, map[uint32]uint32{0: unix.AF_INET}, "socket", listen},
		{"SO_REUSEADDR of a listener", unix.SYS_SETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_REUSEADDR), "setsockopt", listen},
		{"listen", unix.SYS_LISTEN, nil, "listen", listen},
		{"socket for a comparison with TCP", unix.SYS_SOCKET, map[uint32]uint32{0: unix.AF_INET, 2: 0}, "socket",
			func() (any, error) { return multipath.Listen(context.Background(), "tcp4", "127.0.0.1:0") }},
		{"SO_BROADCAST", unix.SYS_SETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_BROADCAST), "setsockopt", packet(sockets.ListenConfig{}, "127.0.0.1:0")},
		{"IP_PKTINFO", unix.SYS_SETSOCKOPT, option(unix.SOL_IP, unix.IP_PKTINFO), "setsockopt",
			packet(sockets.ListenConfig{PacketInfo: true}, "127.0.0.1:0")},
		{"UDP_GRO", unix.SYS_SETSOCKOPT, option(unix.SOL_UDP, unix.UDP_GRO), "setsockopt", packet(sockets.ListenConfig{Offload: true}, "127.0.0.1:0")},
		{"SO_REUSEADDR of a group", unix.SYS_SETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_REUSEADDR), "setsockopt", multicast},
		{"IP_MULTICAST_IF", unix.SYS_SETSOCKOPT, option(unix.SOL_IP, unix.IP_MULTICAST_IF), "setsockopt", multicast},
		{"IP_MULTICAST_LOOP", unix.SYS_SETSOCKOPT, option(unix.SOL_IP, unix.IP_MULTICAST_LOOP), "setsockopt", multicast},
		{"IP_ADD_MEMBERSHIP", unix.SYS_SETSOCKOPT, option(unix.SOL_IP, unix.IP_ADD_MEMBERSHIP), "setsockopt", multicast},
		{"IP_MULTICAST_ALL", unix.SYS_SETSOCKOPT, option(unix.SOL_IP, unix.IP_MULTICAST_ALL), "setsockopt",
			packet(sockets.ListenConfig{GroupOnly: true}, "239.92.0.5:0")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			var c any
			var err, lacking error
			done := make(chan struct{})
			go func() {
				defer close(done)
				runtime.LockOSThread() // for good: the thread ends with the goroutine
				// With an errno that nothing else gives.
				if lacking = (socktest.Refusal{Call: tt.call, Args: tt.args, Errno: unix.EXFULL}).OnThread(); lacking == nil {
					lacking = plainly[tt.call](tt.args)
				}
				if lacking == unix.EXFULL {
					c, err = tt.open()
				}
			}()
			<-done
			if lacking != unix.EXFULL {
				t.Skip("seccomp cannot refuse this call, which says: ", lacking)
			}
			if err == nil {
				c.(io.Closer).Close()
			}
			socktest.WantError(t, err, "listen", syscall.EXFULL)
			if call, ok := errors.AsType[*os.SyscallError](err); !ok || call.Syscall != tt.want {
				t.Errorf("error %v, want that of %s", err, tt.want)
			}
		})
	}
}

// plainSocket returns a socket made by a plain call, which is no connection.
func plainSocket(t *testing.T, domain, typ int) (*os.File, syscall.RawConn) {
	t.Helper()
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, 0)
	skipUnavailable(t, err)
	f := os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { f.Close() })
	raw, err := f.SyscallConn()
	socktest.Check(t, err)
	return f, raw
}

// needKept skips the test if the kernel accepts the option for a socket and then has the
// same value as before, or none, as gVisor for many.
func needKept(t *testing.T, row heirRow, domain, typ int) {
	t.Helper()
	f, raw := plainSocket(t, domain, typ)
	before, untold := row.get(f)
	if row.setting.Apply(raw) != nil {
		return // the listener gets the same error
	}
	switch got, err := row.get(f); {
	case err != nil:
		t.Skip("the kernel accepts the option and does not tell it: ", err)
	case untold == nil && cmp.Equal(before, got) && !cmp.Equal(row.want, got):
		t.Skipf("the kernel accepts the option, and has %v as before", got)
	}
}

// skipUnavailable skips the test if err is for want of a privilege, an option or a protocol.
func skipUnavailable(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOPROTOOPT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Skip(err)
	}
	socktest.Check(t, err)
}

// refusedRows are options that no TCP listener has: it fails, rather than lose them.
func refusedRows() []sockopt.Setting {
	group := sockopt.Membership{Group: netip.MustParseAddr("239.1.2.3"), Interface: 1}
	source := sockopt.Membership{Group: group.Group, Interface: 1, Source: netip.MustParseAddr("127.0.0.1")}
	return []sockopt.Setting{
		sockopt.BlockSource.With(source),
		sockopt.HeaderInclude.With(true),
		sockopt.HeaderInclude6.With(true),
		sockopt.ICMPFilter.With(1),
		sockopt.LeaveGroup.With(group),
		sockopt.LeaveSourceGroup.With(source),
		sockopt.MulticastHops.With(32),
		sockopt.MulticastInterface.With(source.Source),
		sockopt.MulticastInterface6.With(1),
		sockopt.MulticastTTL.With(32),
		sockopt.NetlinkAddMembership.With(1),
		sockopt.NetlinkBroadcastError.With(true),
		sockopt.NetlinkCapAck.With(true),
		sockopt.NetlinkDropMembership.With(1),
		sockopt.NetlinkExtAck.With(true),
		sockopt.NetlinkGetStrictChk.With(true),
		sockopt.NetlinkNoENOBUFS.With(true),
		sockopt.PacketAddMembership.With(sockopt.PacketMembership{Interface: 1, Type: sockopt.PacketPromiscuous}),
		sockopt.PacketDropMembership.With(sockopt.PacketMembership{Interface: 1, Type: sockopt.PacketPromiscuous}),
		sockopt.PacketFanout.With(sockopt.PacketFanoutConfig{Group: 7}),
		sockopt.PacketIgnoreOutgoing.With(true),
		sockopt.SendLowWater.With(2),
		sockopt.UDPCork.With(true),
		sockopt.UDPGRO.With(true),
		sockopt.UDPSegment.With(1000),
		sockopt.ULP.With("tls"),
		sockopt.UnblockSource.With(source),
	}
}

// TestOptionsRefused sets options that a TCP listener cannot have.
func TestOptionsRefused(t *testing.T) {
	for _, s := range refusedRows() {
		for address, domain := range map[string]int{"127.0.0.1:0": unix.AF_INET, "[::1]:0": unix.AF_INET6} {
			t.Run(fmt.Sprint(s, " ", address), func(t *testing.T) {
				if _, raw := plainSocket(t, domain, unix.SOCK_STREAM); s.Apply(raw) == nil {
					t.Skip("TCP sockets of this kernel accept it")
				}
				for _, multipath := range []bool{false, true} {
					lc := &sockets.ListenConfig{Options: []sockopt.Setting{s}}
					lc.SetMultipathTCP(multipath)
					l, err := lc.Listen(t.Context(), "tcp", address)
					var option *sockopt.Error
					if err == nil {
						l.Close()
						t.Errorf("multipath=%t: no error", multipath)
					} else if !errors.As(err, &option) || option.Option != s.Option() {
						t.Errorf("multipath=%t: %v, want a *sockopt.Error about it", multipath, err)
					}
				}
			})
		}
	}
}

// TestDefaultsRefused listens on a kernel that refuses the defaults of TCP where they are
// set for the listener: Linux before 5.16 did, for Multipath TCP.
func TestDefaultsRefused(t *testing.T) {
	type options struct {
		NoDelay, KeepAlive bool
		Idle, Interval     time.Duration
		Count              int
	}
	for _, refused := range []struct{ level, name int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	} {
		for _, tt := range []struct {
			name   string
			config sockets.ListenConfig
			want   options
		}{
			{"default", sockets.ListenConfig{}, options{true, true, 15 * time.Second, 15 * time.Second, 9}},
			{"KeepAliveConfig", sockets.ListenConfig{
				KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 6 * time.Second, Count: 7},
			}, options{true, true, 5 * time.Second, 6 * time.Second, 7}},
		} {
			t.Run(fmt.Sprint(refused, " ", tt.name), func(t *testing.T) {
				tt.config.SetMultipathTCP(true)
				l := listenRefused(t, &tt.config, refused.level, refused.name)
				for _, network := range []string{"tcp4", "mptcp4", "tcp4"} {
					var d sockets.Dialer
					d.SetMultipathTCP(false)
					c, err := d.Dial(network, l.Addr().String())
					skipUnavailable(t, err)
					defer c.Close()
					a, err := l.Accept()
					socktest.Check(t, err)
					defer a.Close()
					conn := a.(syscall.Conn)
					var got options
					var errs [5]error
					got.NoDelay, errs[0] = sockopt.NoDelay.Get(conn)
					got.KeepAlive, errs[1] = sockopt.KeepAlive.Get(conn)
					got.Idle, errs[2] = sockopt.KeepIdle.Get(conn)
					got.Interval, errs[3] = sockopt.KeepInterval.Get(conn)
					got.Count, errs[4] = sockopt.KeepCount.Get(conn)
					socktest.Check(t, errors.Join(errs[:]...))
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("%s (-want +got):\n%s", network, diff)
					}
				}
			})
		}
	}
}

// listenRefused listens on a thread that may not set an option.
func listenRefused(t *testing.T, lc *sockets.ListenConfig, level, name int) net.Listener {
	t.Helper()
	var l net.Listener
	var err, refused error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if refused = refuseOption(level, name); refused == nil {
			l, err = lc.Listen(context.Background(), "tcp4", "127.0.0.1:0")
		}
	}()
	<-done
	if refused != nil {
		t.Skip("cannot have options refused: ", refused)
	}
	socktest.Check(t, err)
	t.Cleanup(func() { l.Close() })
	if proto, err := sockopt.SocketProtocol.Get(l.(syscall.Conn)); err != nil || proto != unix.IPPROTO_MPTCP {
		t.Skipf("no Multipath TCP: %d, %v", proto, err)
	}
	return l
}

// refuseOption has the kernel refuse an option on this thread from now on.
func refuseOption(level, name int) error {
	r := socktest.Refusal{
		Call: unix.SYS_SETSOCKOPT, Args: map[uint32]uint32{1: uint32(level), 2: uint32(name)}, Errno: unix.EOPNOTSUPP,
	}
	if err := r.OnThread(); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, level, name, 1); err != unix.EOPNOTSUPP {
		return fmt.Errorf("the filter gives %w", err)
	}
	return nil
}

//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

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

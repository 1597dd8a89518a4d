//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestOpeningRefused opens sockets where the kernel refuses a step: the error says which
// call it was, and nothing stays open.
func TestOpeningRefused(t *testing.T) {
	if runtime.GOARCH == "386" || runtime.GOARCH == "s390x" {
		t.Skip("calls about sockets go through socketcall(2)")
	}
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
					_, _, lacking = unix.RawSyscall(uintptr(tt.call), uintptr(tt.args[0]), uintptr(tt.args[1]), uintptr(tt.args[2]))
				}
				if lacking == unix.EXFULL {
					c, err = tt.open()
				}
			}()
			<-done
			if lacking != unix.EXFULL {
				t.Skip("no seccomp: ", lacking)
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

// TestAddrRefused uses addresses that a socket cannot have. The error names the argument,
// and what is wrong with it.
func TestAddrRefused(t *testing.T) {
	raw := func(domain, typ int) *sockets.Socket {
		s, err := sockets.NewRaw(domain, typ, 0)
		if err != nil {
			t.Skip(err)
		}
		socktest.CloseLater(t, s)
		return s
	}
	tcp, udp, unixgram, netlink := conntest.NewSocket(t, "tcp4"), conntest.NewSocket(t, "udp4"), conntest.NewSocket(t, "unixgram"), raw(unix.AF_NETLINK, unix.SOCK_RAW)
	type fault struct{ Arg, Value, Why string }
	for _, tt := range []struct {
		name string
		s    *sockets.Socket
		addr net.Addr
		want fault
	}{
		{"UDP for TCP", tcp, &net.UDPAddr{Port: 1}, fault{"address", ":1", "one of network udp does not fit the ipv4 stream socket"}},
		{"IP for UDP", udp, &net.IPAddr{}, fault{"address", "", "one of network ip does not fit the ipv4 datagram socket"}},
		{"TCP for unix", unixgram, &net.TCPAddr{}, fault{"address", ":0", "one of network tcp does not fit the unix datagram socket"}},
		{"unix for UDP", udp, &net.UnixAddr{Name: "x", Net: "unixgram"}, fault{"address", "x", "one of network unixgram does not fit the ipv4 datagram socket"}},
		{"vsock for netlink", netlink, &sockets.VsockAddr{CID: 2}, fault{"address", "2:0", "one of network vsock does not fit the netlink raw socket"}},
		{"a type of its own", tcp, badAddr{}, fault{"address", "bad", "one of network tcp does not fit the ipv4 stream socket"}},
		{"NUL in a path", unixgram, &net.UnixAddr{Name: "a\x00b"}, fault{"address", `"a\x00b"`, "the path of a unix socket has no NUL"}},
		{"family of a raw address", netlink, &sockets.RawAddr{Family: 38}, fault{"address", "", "one of network af38 does not fit the netlink raw socket"}},
		{"length of a raw address", netlink, &sockets.RawAddr{Family: unix.AF_NETLINK, Data: make([]byte, 127)},
			fault{"address", strings.Repeat("00", 127), "has more than 126 bytes of data"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := &sockets.ArgumentError{Arg: tt.want.Arg, Value: tt.want.Value, Why: tt.want.Why}
			for call, err := range map[string]error{
				"Bind":          tt.s.Bind(tt.addr),
				"Connect":       socktest.ErrOf(tt.s.Connect(t.Context(), tt.addr)),
				"ConnectNoWait": socktest.ErrOf(tt.s.ConnectNoWait(tt.addr)),
			} {
				got, ok := errors.AsType[*sockets.ArgumentError](err)
				if !ok || got.Error() != want.Error() || got.Arg != want.Arg || !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%s: %v, want %v", call, err, want)
				}
			}
		})
	}

	packets := conntest.RouteSocket(t)
	for _, tt := range []struct {
		c  net.PacketConn
		to net.Addr
	}{
		{conntest.Packets(t, "udp4").(net.PacketConn), &net.TCPAddr{Port: 1}},
		{conntest.Packets(t, "unixgram").(net.PacketConn), &net.UDPAddr{Port: 1}},
		{packets, &net.UDPAddr{Port: 1}},
	} {
		_, err := tt.c.(conntest.BatchWriter).WriteBatch([]sockets.Message{conntest.MessageTo([]byte("x"), tt.to)}, 0)
		if _, ok := errors.AsType[*sockets.ArgumentError](err); !ok {
			t.Errorf("WriteBatch of a %T to a %T: %v, want an *ArgumentError", tt.c, tt.to, err)
		}
	}
	_, err := packets.WriteTo([]byte("x"), &net.UDPAddr{Port: 1})
	if _, ok := errors.AsType[*sockets.ArgumentError](err); !ok {
		t.Errorf("WriteTo: %v, want an *ArgumentError", err)
	}
}

// TestLinkAddrRefused is TestAddrRefused for packet(7), which takes a privilege.
func TestLinkAddrRefused(t *testing.T) {
	socktest.EnterNetNS(t)
	s, err := sockets.NewRaw(unix.AF_PACKET, unix.SOCK_DGRAM, 0)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	tooBig := int64(math.MaxInt32) + 1 // as an int of 32 bits it is negative
	for addr, want := range map[net.Addr]string{
		&sockets.LinkAddr{HardwareAddr: make(net.HardwareAddr, 33)}: "hardware address",
		&sockets.LinkAddr{Interface: -1}:                            "interface index",
		&sockets.LinkAddr{Interface: int(tooBig)}:                   "interface index",
	} {
		got, ok := errors.AsType[*sockets.ArgumentError](s.Bind(addr))
		if !ok || got.Arg != want {
			t.Errorf("Bind(%v): %v, want a bad %s", addr, got, want)
		}
	}
}

// badAddr is an address of a type that nothing knows.
type badAddr struct{}

func (badAddr) Network() string { return "tcp" }

func (badAddr) String() string { return "bad" }

//go:build linux

package sockets_test

import (
	"errors"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"golang.org/x/sys/unix"
)

// badAddr is an address of a type that nothing knows.
type badAddr struct{}

func (badAddr) Network() string { return "tcp" }

func (badAddr) String() string { return "bad" }

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

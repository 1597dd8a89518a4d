//go:build linux

package sockopt

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/sys"
	"golang.org/x/sys/unix"
)

// packetRows are the rows of TestOptions for packet.go, in its order.
func packetRows() []optionRow {
	promiscuous := PacketMembership{Interface: 1, Type: PacketPromiscuous}
	return []optionRow{
		rowTry(PacketAddMembership, promiscuous, "packet", testPacketMembership),
		rowTry(PacketDropMembership, promiscuous, "packet", testPacketMembership),
		rowTry(PacketFanout, PacketFanoutConfig{Group: 7}, "packet", testPacketFanout),
		row(PacketIgnoreOutgoing, true, "packet", rawInt(unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)),
		rowOf(PacketStatistics, "packet", testPacketStatistics),
	}
}

// packetSocket returns a packet socket that is bound to loopback.
func packetSocket(t *testing.T) *os.File {
	t.Helper()
	c := newSocket(t, "packet")
	control(t, c, func(fd int) error {
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: loopback(t)})
	})
	return c
}

func loopback(t *testing.T) int {
	t.Helper()
	return socktest.LoopbackInterface(t).Index
}

func testPacketMembership(t *testing.T, kind string) {
	promiscuous := func() bool {
		rib, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
		if err != nil {
			t.Skip("no list of interfaces: ", err)
		}
		messages, err := syscall.ParseNetlinkMessage(rib)
		must(t, err)
		for _, m := range messages {
			if m.Header.Type != syscall.RTM_NEWLINK {
				continue
			}
			info := sys.Reader(m.Data[4:]) // struct ifinfomsg, rtnetlink(7)
			if info.Int() != loopback(t) {
				continue
			}
			attributes, err := syscall.ParseNetlinkRouteAttr(&m)
			must(t, err)
			for _, a := range attributes {
				if a.Attr.Type == unix.IFLA_PROMISCUITY {
					count := sys.Reader(a.Value)
					return count.Uint32() > 0
				}
			}
		}
		t.Skip("the kernel does not tell whether lo is promiscuous")
		return false
	}
	c := newSocket(t, kind)
	if promiscuous() {
		t.Skip("lo is promiscuous already")
	}
	m := PacketMembership{Interface: loopback(t), Type: PacketPromiscuous}
	must(t, PacketAddMembership.Set(c, m))
	if !promiscuous() {
		t.Error("lo is not promiscuous")
	}
	must(t, PacketDropMembership.Set(c, m))
	if promiscuous() {
		t.Error("lo is still promiscuous")
	}
	m = PacketMembership{Interface: m.Interface, Type: PacketMulticast, Address: []byte{1, 0, 0x5e, 1, 2, 3}}
	must(t, PacketAddMembership.Set(c, m))
	must(t, PacketDropMembership.Set(c, m))
	if err := PacketDropMembership.Set(c, m); !errors.Is(err, syscall.EADDRNOTAVAIL) && err != nil {
		t.Errorf("dropping it again: %v", err)
	}
}

func testPacketFanout(t *testing.T, kind string) {
	a, b := packetSocket(t), packetSocket(t)
	if v, err := PacketFanout.Get(a); v != (PacketFanoutConfig{}) || err != nil {
		t.Errorf("initially %v, %v", v, err)
	}
	want := PacketFanoutConfig{Group: uint16(os.Getpid()), Mode: PacketFanoutCPU, Flags: PacketFanoutFlagDefrag}
	for _, c := range []*os.File{a, b} {
		must(t, PacketFanout.Set(c, want))
		if got, err := PacketFanout.Get(c); got != want || err != nil {
			t.Errorf("Get = %v, %v; want %v", got, err, want)
		}
	}
	want.Mode = PacketFanoutHash
	if err := PacketFanout.Set(packetSocket(t), want); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("another mode in the same group: %v, want EINVAL", err)
	}
}

func testPacketStatistics(t *testing.T, kind string) {
	c := packetSocket(t)
	a, b := udpPair(t, "udp4")
	must(t, second(a.Write([]byte("x"))))
	next(t, b)
	if s, err := PacketStatistics.Get(c); s.Packets == 0 || err != nil {
		t.Errorf("Get = %+v, %v", s, err)
	}
}

//go:build linux

package sockopt

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

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
	ifi, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	return ifi.Index
}

func testPacketMembership(t *testing.T, kind string) {
	promiscuous := func() bool {
		b, err := os.ReadFile("/sys/class/net/lo/flags")
		if err != nil {
			t.Skip(err)
		}
		flags, err := strconv.ParseUint(strings.TrimSpace(string(b)), 0, 32)
		must(t, err)
		return flags&unix.IFF_PROMISC != 0
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

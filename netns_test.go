//go:build linux

package sockets_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"golang.org/x/sys/unix"
)

// enterNetNS gives the rest of the test a network namespace of its own, with a
// loopback interface. Sockets that other goroutines make are not in it. The
// goroutine ends locked, and takes its thread and the namespace along.
func enterNetNS(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("no network namespace:", err)
	}
	setUp(t, "lo")
}

// setUp turns an interface on.
func setUp(t *testing.T, name string) {
	t.Helper()
	s, err := sockets.NewRaw(unix.AF_INET, unix.SOCK_DGRAM, 0)
	check(t, err)
	defer s.Close()
	onFD(t, s, func(fd int) error {
		req, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
	})
}

// vethPair makes two interfaces joined by a cable, v0 and v1.
func vethPair(t *testing.T) (v0, v1 *net.Interface) {
	t.Helper()
	peer := append(make([]byte, unix.SizeofIfInfomsg), attribute(unix.IFLA_IFNAME, []byte("v1\x00"))...)
	info := append(attribute(unix.IFLA_INFO_KIND, []byte("veth")), attribute(unix.IFLA_INFO_DATA, attribute(vethInfoPeer, peer))...)
	message := make([]byte, unix.SizeofIfInfomsg)
	message = append(message, attribute(unix.IFLA_IFNAME, []byte("v0\x00"))...)
	message = append(message, attribute(unix.IFLA_LINKINFO, info)...)
	if err := change(t, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, message); err != nil {
		t.Skip("no veth interfaces:", err)
	}
	setUp(t, "v0")
	setUp(t, "v1")
	// What is sent before the kernel has seen the link come up is lost.
	up := func(name string) (ifi *net.Interface) {
		if !waitUntil(func() bool {
			var err error
			ifi, err = net.InterfaceByName(name)
			check(t, err)
			return ifi.Flags&net.FlagRunning != 0
		}) {
			t.Fatalf("%s does not come up", name)
		}
		return ifi
	}
	return up("v0"), up("v1")
}

// addAddress gives an interface an address, which is of use at once.
func addAddress(t *testing.T, name, prefix string) {
	t.Helper()
	ifi, err := net.InterfaceByName(name)
	check(t, err)
	p := netip.MustParsePrefix(prefix)
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	message := []byte{family, byte(p.Bits()), unix.IFA_F_NODAD, 0}
	message = binary.NativeEndian.AppendUint32(message, uint32(ifi.Index)) // struct ifaddrmsg
	message = append(message, attribute(unix.IFA_LOCAL, p.Addr().AsSlice())...)
	message = append(message, attribute(unix.IFA_ADDRESS, p.Addr().AsSlice())...)
	if err := change(t, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, message); err != nil {
		t.Skipf("no address %s: %v", prefix, err)
	}
	// The kernel lets what is sent to an IPv6 address in a moment later.
	local := hex.EncodeToString(p.Addr().AsSlice()) + " 80 "
	if p.Addr().Is6() && !waitUntil(func() bool {
		routes, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
		check(t, err)
		return strings.Contains(string(routes), local)
	}) {
		t.Fatalf("no route to %s", prefix)
	}
}

const vethInfoPeer = 1 // VETH_INFO_PEER of linux/veth.h

// attribute returns a struct rtattr and its data, rtnetlink(7).
func attribute(typ uint16, data []byte) []byte {
	b := make([]byte, 4, (4+len(data)+3)&^3)
	binary.NativeEndian.PutUint16(b, uint16(4+len(data)))
	binary.NativeEndian.PutUint16(b[2:], typ)
	b = append(b, data...)
	return b[:cap(b)]
}

// routeSocket returns a socket for rtnetlink(7).
func routeSocket(t *testing.T) *sockets.PacketConn {
	t.Helper()
	s, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	check(t, err)
	defer s.Close()
	c, err := s.PacketConn()
	check(t, err)
	closeLater(t, c)
	check(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c.(*sockets.PacketConn)
}

// netlinkRequest sends a message of the given type to the kernel.
func netlinkRequest(t *testing.T, c *sockets.PacketConn, typ uint16, flags int, message []byte) {
	t.Helper()
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(message))
	binary.NativeEndian.PutUint32(b, uint32(cap(b)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], uint16(unix.NLM_F_REQUEST|flags))
	binary.NativeEndian.PutUint32(b[8:], 1) // sequence
	_, err := c.SendTo(append(b, message...), &sockets.NetlinkAddr{}, 0)
	check(t, err)
}

// replies calls f with the messages up to the one that ends the answer, and returns
// the error in that.
func replies(t *testing.T, c *sockets.PacketConn, f func(syscall.NetlinkMessage)) error {
	t.Helper()
	b := make([]byte, 1<<16)
	for {
		n, from, err := c.ReceiveFrom(b, 0)
		check(t, err)
		if a, ok := from.(*sockets.NetlinkAddr); !ok || a.PortID != 0 {
			t.Fatalf("answer from %v, want the kernel", from)
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		check(t, err)
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
					return syscall.Errno(errno)
				}
				return nil
			}
			f(m)
		}
	}
}

// change has the kernel change something.
func change(t *testing.T, typ uint16, flags int, message []byte) error {
	t.Helper()
	c := routeSocket(t)
	netlinkRequest(t, c, typ, flags|unix.NLM_F_ACK, message)
	return replies(t, c, func(m syscall.NetlinkMessage) { t.Errorf("unexpected message of type %d", m.Header.Type) })
}

// addAddr gives an interface an address in a network of 24 bits.
func addAddr(t *testing.T, ifi *net.Interface, ip net.IP) {
	t.Helper()
	message := make([]byte, unix.SizeofIfAddrmsg)
	message[0], message[1] = unix.AF_INET, 24
	binary.NativeEndian.PutUint32(message[4:], uint32(ifi.Index))
	message = append(message, attribute(unix.IFA_LOCAL, ip.To4())...)
	check(t, change(t, unix.RTM_NEWADDR, unix.NLM_F_CREATE, message))
}

// addNeighbor tells the kernel where the link has an IP address, but not for sure.
func addNeighbor(t *testing.T, ifi *net.Interface, ip net.IP, hw net.HardwareAddr) {
	t.Helper()
	message := make([]byte, unix.SizeofNdMsg)
	message[0] = unix.AF_INET
	binary.NativeEndian.PutUint32(message[4:], uint32(ifi.Index))
	binary.NativeEndian.PutUint16(message[8:], unix.NUD_STALE)
	message = append(message, attribute(unix.NDA_DST, ip.To4())...)
	message = append(message, attribute(unix.NDA_LLADDR, hw)...)
	check(t, change(t, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE, message))
}

// confirmed returns the number of clock ticks, at 100 in a second, since the
// neighbors of this namespace were known to be there.
func confirmed(t *testing.T) (ticks []uint32) {
	t.Helper()
	c := routeSocket(t)
	netlinkRequest(t, c, unix.RTM_GETNEIGH, unix.NLM_F_DUMP, make([]byte, unix.SizeofNdMsg))
	check(t, replies(t, c, func(m syscall.NetlinkMessage) {
		if m.Data[0] != unix.AF_INET {
			return
		}
		for b := m.Data[unix.SizeofNdMsg:]; len(b) >= 4; {
			n := int(binary.NativeEndian.Uint16(b))
			if binary.NativeEndian.Uint16(b[2:]) == unix.NDA_CACHEINFO {
				ticks = append(ticks, binary.NativeEndian.Uint32(b[4:]))
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}))
	return ticks
}

// addDefaultRoute sends what is for other networks to a gateway.
func addDefaultRoute(t *testing.T, gateway net.IP) {
	t.Helper()
	message := make([]byte, unix.SizeofRtMsg)
	message[0] = unix.AF_INET
	message[4], message[5], message[6], message[7] = unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	check(t, change(t, unix.RTM_NEWROUTE, unix.NLM_F_CREATE, append(message, attribute(unix.RTA_GATEWAY, gateway.To4())...)))
}

// TestDontRoute sends to a host behind a gateway, which the flag rules out.
func TestDontRoute(t *testing.T) {
	enterNetNS(t)
	v0, v1 := vethPair(t)
	addAddr(t, v0, net.IPv4(192, 0, 2, 1))
	addNeighbor(t, v0, net.IPv4(192, 0, 2, 2), v1.HardwareAddr)
	addDefaultRoute(t, net.IPv4(192, 0, 2, 2))
	c, err := sockets.ListenPacket("udp4", ":0")
	check(t, err)
	closeLater(t, c)
	behind := &net.UDPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 9}
	beside := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}
	for _, to := range []net.Addr{behind, beside} {
		_, err = c.(messenger).SendTo([]byte("x"), to, 0)
		check(t, err)
	}
	_, err = c.(messenger).SendTo([]byte("x"), beside, sockets.DontRoute)
	check(t, err)
	_, err = c.(messenger).SendTo([]byte("x"), behind, sockets.DontRoute)
	wantError(t, err, "write", unix.ENETUNREACH)
}

// TestConfirm looks into the kernel's table of neighbors, arp(7): only the flag
// says that one is there.
func TestConfirm(t *testing.T) {
	enterNetNS(t)
	v0, v1 := vethPair(t)
	addAddr(t, v0, net.IPv4(192, 0, 2, 1))
	addNeighbor(t, v0, net.IPv4(192, 0, 2, 2), v1.HardwareAddr)
	c, err := sockets.ListenPacket("udp4", ":0")
	check(t, err)
	closeLater(t, c)
	to := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}
	const longAgo = 1000
	_, err = c.(messenger).SendTo([]byte("x"), to, 0)
	check(t, err)
	if got := confirmed(t); len(got) != 1 || got[0] < longAgo {
		t.Fatalf("neighbors confirmed %v ticks ago, want one and long ago", got)
	}
	_, err = c.(messenger).SendTo([]byte("x"), to, sockets.Confirm)
	check(t, err)
	if got := confirmed(t); len(got) != 1 || got[0] >= longAgo {
		t.Errorf("neighbors confirmed %v ticks ago, want one and just now", got)
	}
}

// TestNetlink asks the kernel for its routes and looks for the one that every
// namespace with a loopback interface has.
func TestNetlink(t *testing.T) {
	enterNetNS(t)
	c := routeSocket(t)
	if got := c.LocalAddr(); got.Network() != "netlink" || got.String() != "0/0x0" {
		t.Errorf("address before the first message is %s %v", got.Network(), got)
	}
	netlinkRequest(t, c, unix.RTM_GETROUTE, unix.NLM_F_DUMP, make([]byte, unix.SizeofRtMsg))
	loopback := false
	check(t, replies(t, c, func(m syscall.NetlinkMessage) {
		attributes, err := syscall.ParseNetlinkRouteAttr(&m)
		check(t, err)
		for _, a := range attributes {
			loopback = loopback || a.Attr.Type == unix.RTA_DST && net.IP(a.Value).Equal(net.IPv4(127, 0, 0, 1))
		}
	}))
	if !loopback {
		t.Error("no route to 127.0.0.1")
	}
	local, ok := c.LocalAddr().(*sockets.NetlinkAddr)
	if !ok || local.PortID == 0 {
		t.Errorf("address after the first message is %v", c.LocalAddr())
	}

	s, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	check(t, err)
	defer s.Close()
	check(t, s.Bind(&sockets.NetlinkAddr{PortID: 77, Groups: unix.RTMGRP_LINK}))
	if got, want := s.String(), "netlink raw socket bound to 77/0x1"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	// A peer of the kernel's: Write sends there.
	p, err := s.Connect(t.Context(), &sockets.NetlinkAddr{})
	check(t, err)
	closeLater(t, p)
	_, err = p.(net.PacketConn).WriteTo([]byte("x"), &sockets.NetlinkAddr{})
	wantError(t, err, "write", net.ErrWriteToConnected)
}

// TestPacketSocket sends a frame over a cable, and compares what packet(7) tells
// about it.
func TestPacketSocket(t *testing.T) {
	enterNetNS(t)
	v0, v1 := vethPair(t)
	const experiment = 0x88b5 // EtherType for local experiments, IEEE 802
	bind := func(typ int, ifi *net.Interface) *sockets.PacketConn {
		s, err := sockets.NewRaw(unix.AF_PACKET, typ, 0)
		if errors.Is(err, os.ErrPermission) {
			t.Skip("packet sockets need CAP_NET_RAW:", err)
		}
		check(t, err)
		defer s.Close()
		check(t, s.Bind(&sockets.LinkAddr{Interface: ifi.Index, Protocol: experiment}))
		c, err := s.PacketConn()
		check(t, err)
		closeLater(t, c)
		check(t, c.SetDeadline(time.Now().Add(30*time.Second)))
		return c.(*sockets.PacketConn)
	}
	a, b := bind(unix.SOCK_DGRAM, v0), bind(unix.SOCK_DGRAM, v1)
	local := a.LocalAddr().(*sockets.LinkAddr)
	want := &sockets.LinkAddr{Interface: v0.Index, Protocol: experiment, HardwareType: unix.ARPHRD_ETHER, HardwareAddr: v0.HardwareAddr}
	if local.String() != want.String() {
		t.Errorf("local address %v, want %v", local, want)
	}
	buf := make([]byte, 1500)
	// The kernel drops what is sent before it has noticed that both ends are up, so
	// frames are sent until one arrives.
	exchange := func(send func() error, c *sockets.PacketConn) (n int, from net.Addr, err error) {
		for range 100 {
			check(t, send())
			check(t, c.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
			if n, from, err = c.ReceiveFrom(buf, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
		}
		return n, from, err
	}
	n, from, err := exchange(func() error {
		_, err := a.WriteTo([]byte("payload"), &sockets.LinkAddr{Interface: v0.Index, Protocol: experiment, HardwareAddr: v1.HardwareAddr})
		return err
	}, b)
	check(t, err)
	if string(buf[:n]) != "payload" {
		t.Errorf("received %q", buf[:n])
	}
	want.Interface = v1.Index
	if from.String() != want.String() {
		t.Errorf("sender %v, want %v", from, want)
	}
	parsed, err := sockets.ParseAddr(from.Network(), from.String())
	if err != nil || parsed.String() != from.String() {
		t.Errorf("parsed back as %v, %v", parsed, err)
	}

	raw := bind(unix.SOCK_RAW, v1)
	frame := append(append(append([]byte(nil), v0.HardwareAddr...), v1.HardwareAddr...), 0x88, 0xb5, 'x')
	n, from, err = exchange(func() error {
		_, err := raw.SendTo(frame, &sockets.LinkAddr{Interface: v1.Index}, 0)
		return err
	}, a)
	if string(buf[:n]) != "x" || err != nil || from.(*sockets.LinkAddr).Interface != v0.Index {
		t.Errorf("received %q from %v, %v", buf[:n], from, err)
	}
	_, err = a.WriteTo([]byte("x"), &net.UDPAddr{Port: 1})
	var wrong *net.AddrError
	if !errors.As(err, &wrong) {
		t.Errorf("WriteTo a UDP address: %v, want *net.AddrError", err)
	}
	_, err = a.WriteTo([]byte("x"), nil)
	wantError(t, err, "write", errMissingAddress)
}

//go:build linux

package sockets_test

import (
	"encoding/binary"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
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
	socktest.Check(t, err)
	defer s.Close()
	socktest.WithFD(t, s, func(fd int) error {
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
		if !socktest.WaitUntil(func() bool {
			var err error
			ifi, err = net.InterfaceByName(name)
			socktest.Check(t, err)
			return ifi.Flags&net.FlagRunning != 0
		}) {
			t.Fatalf("%s does not come up", name)
		}
		return ifi
	}
	return up("v0"), up("v1")
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
	socktest.Check(t, err)
	defer s.Close()
	c, err := s.PacketConn()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	socktest.Check(t, c.SetDeadline(time.Now().Add(30*time.Second)))
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
	socktest.Check(t, err)
}

// replies calls f with the messages up to the one that ends the answer, and returns
// the error in that.
func replies(t *testing.T, c *sockets.PacketConn, f func(syscall.NetlinkMessage)) error {
	t.Helper()
	b := make([]byte, 1<<16)
	for {
		n, from, err := c.ReceiveFrom(b, 0)
		socktest.Check(t, err)
		if a, ok := from.(*sockets.NetlinkAddr); !ok || a.PortID != 0 {
			t.Fatalf("answer from %v, want the kernel", from)
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		socktest.Check(t, err)
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
	socktest.Check(t, change(t, unix.RTM_NEWADDR, unix.NLM_F_CREATE, message))
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
	socktest.Check(t, change(t, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE, message))
}

// confirmed returns the number of clock ticks, at 100 in a second, since the
// neighbors of this namespace were known to be there.
func confirmed(t *testing.T) (ticks []uint32) {
	t.Helper()
	c := routeSocket(t)
	netlinkRequest(t, c, unix.RTM_GETNEIGH, unix.NLM_F_DUMP, make([]byte, unix.SizeofNdMsg))
	socktest.Check(t, replies(t, c, func(m syscall.NetlinkMessage) {
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
	socktest.Check(t, change(t, unix.RTM_NEWROUTE, unix.NLM_F_CREATE, append(message, attribute(unix.RTA_GATEWAY, gateway.To4())...)))
}

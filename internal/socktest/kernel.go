//go:build linux

package socktest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// What a kernel lacks is asked for by plain calls, once.

// socketOf returns a function that tries to have a socket.
func socketOf(domain, typ, proto int) func() error {
	return sync.OnceValue(func() error {
		fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, proto)
		if err == nil {
			unix.Close(fd)
		}
		return err
	})
}

var (
	multipath = socketOf(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	packet    = socketOf(unix.AF_PACKET, unix.SOCK_DGRAM, 0)
	sctp      = socketOf(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
)

// NeedMultipath skips the test if the kernel has no Multipath TCP.
func NeedMultipath(tb testing.TB) {
	tb.Helper()
	need(tb, "Multipath TCP", multipath)
}

// HasMultipath reports whether the kernel has Multipath TCP.
func HasMultipath() bool { return multipath() == nil }

// NeedSCTP skips the test if the kernel has no SCTP.
func NeedSCTP(tb testing.TB) {
	tb.Helper()
	need(tb, "SCTP", sctp)
}

// NeedEmptyDatagram skips the test unless an empty datagram with a descriptor arrives.
func NeedEmptyDatagram(tb testing.TB) {
	tb.Helper()
	need(tb, "empty datagrams", emptyDatagram)
}

// emptyDatagram tries to send and receive an empty datagram with a descriptor.
var emptyDatagram = sync.OnceValue(func() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	if err := unix.Sendmsg(fds[0], nil, unix.UnixRights(fds[0]), nil, 0); err != nil {
		return err
	}
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(fds[1], make([]byte, 1), control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	if n < unix.CmsgLen(4) {
		return errors.New("it has no descriptor")
	}
	return unix.Close(int(binary.NativeEndian.Uint32(control[unix.CmsgLen(0):])))
})

// noControlRoom tries to learn that there was no room for control data at all.
var noControlRoom = sync.OnceValue(func() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_PKTINFO, 1); err != nil {
		return err
	}
	to, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	if err := unix.Sendto(fd, []byte("x"), 0, to); err != nil {
		return err
	}
	_, _, flags, _, err := unix.Recvmsg(fd, make([]byte, 1), nil, 0)
	if err == nil && flags&unix.MSG_CTRUNC == 0 {
		err = errors.New("MSG_CTRUNC is missing")
	}
	return err
})

// NeedRightsApart skips the test unless a read from a unix stream ends behind data that
// came with a descriptor.
func NeedRightsApart(tb testing.TB) {
	tb.Helper()
	need(tb, "end of what a descriptor came with", rightsApart)
}

var rightsApart = sync.OnceValue(func() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	for range 2 {
		if err := unix.Sendmsg(fds[0], []byte("x"), unix.UnixRights(fds[0]), nil, 0); err != nil {
			return err
		}
	}
	n, _, err := unix.Recvfrom(fds[1], make([]byte, 2), 0)
	if err == nil && n != 1 {
		err = fmt.Errorf("%d bytes of two messages come at once", n)
	}
	return err
})

// NeedUrgent skips the test unless the kernel knows that nothing urgent is there: gVisor
// sends and receives urgent data as if they were nothing special.
func NeedUrgent(tb testing.TB) {
	tb.Helper()
	need(tb, "urgent data", urgent)
}

var urgent = sync.OnceValue(func() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) {
		_, _, err = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_OOB|unix.MSG_DONTWAIT)
	}); cerr != nil {
		return cerr
	}
	if err != unix.EINVAL {
		return fmt.Errorf("MSG_OOB without any gives %v, want EINVAL", err)
	}
	return nil
})

// NeedFullQueue skips the test unless n datagrams, each of a byte, are too many for the
// queue of a unix socket that has no peer: net.unix.max_dgram_qlen in Linux. gVisor counts
// bytes alone.
func NeedFullQueue(tb testing.TB, n int) {
	tb.Helper()
	var fds [2]int
	for i := range fds {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		Check(tb, err)
		defer unix.Close(fd)
		fds[i] = fd
	}
	Check(tb, unix.Bind(fds[1], &unix.SockaddrUnix{})) // to a name of the kernel's choice
	to, err := unix.Getsockname(fds[1])
	Check(tb, err)
	for range n {
		err := unix.Sendto(fds[0], []byte("x"), unix.MSG_DONTWAIT, to)
		if err == unix.EAGAIN {
			return
		}
		Check(tb, err)
	}
	tb.Skipf("the queue of a unix socket has room for %d datagrams", n)
}

// NeedMore skips the test if datagrams cannot be put together by MSG_MORE.
func NeedMore(tb testing.TB) {
	tb.Helper()
	need(tb, "MSG_MORE", More)
}

// NeedSendFlag skips the test if sending with the flag fails for all UDP sockets.
func NeedSendFlag(tb testing.TB, flag int) {
	tb.Helper()
	need(tb, fmt.Sprintf("flag %#x", flag), func() error {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		Check(tb, err)
		defer c.Close()
		WithFD(tb, c.(*net.UDPConn), func(fd int) error {
			to := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: c.LocalAddr().(*net.UDPAddr).Port}
			err = unix.Sendto(fd, []byte("x"), flag, to)
			return nil
		})
		return err
	})
}

// More tries to send a part of a datagram.
var More = sync.OnceValue(func() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte("x"), unix.MSG_MORE, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 9})
})

// NeedNetNSCookie skips the test if a socket does not tell its network namespace.
func NeedNetNSCookie(tb testing.TB) {
	tb.Helper()
	need(tb, "SO_NETNS_COOKIE", netnsCookie)
}

var netnsCookie = sync.OnceValue(func() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	return err
})

// NeedPacket skips the test if it may not have packet sockets, packet(7).
func NeedPacket(tb testing.TB) {
	tb.Helper()
	need(tb, "packet sockets", packet)
}

// groups tries to join a multicast group on the loopback interface, by MCAST_JOIN_GROUP.
var groups = sync.OnceValue(func() error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	c, err := net.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		return err
	}
	defer c.Close()
	return ipv4.NewPacketConn(c).JoinGroup(lo, &net.UDPAddr{IP: net.IPv4(239, 92, 0, 1)})
})

// NeedGroups skips the test if no socket can join a multicast group.
func NeedGroups(tb testing.TB) {
	tb.Helper()
	need(tb, "MCAST_JOIN_GROUP", groups)
}

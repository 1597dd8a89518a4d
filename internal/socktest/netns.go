//go:build linux

package socktest

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// EnterNetNS gives the rest of the test a network namespace of its own, with a
// loopback interface, or skips the test. Sockets that other goroutines make are not
// in it. The goroutine ends locked, and takes its thread and the namespace along.
func EnterNetNS(tb testing.TB) {
	tb.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		tb.Skip("no network namespace: ", err)
	}
	setUp(tb, "lo")
}

// NewNetNS returns a network namespace of its own, with a loopback interface, or skips
// the test. Nothing is in it.
func NewNetNS(tb testing.TB) (netns *os.File) {
	tb.Helper()
	onThread(tb, func() {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			tb.Skip("no network namespace: ", err)
		}
		setUp(tb, "lo")
		var err error
		netns, err = os.Open("/proc/thread-self/ns/net")
		Check(tb, err)
		tb.Cleanup(func() { netns.Close() })
	})
	return netns
}

// InNetNS calls f in a network namespace.
func InNetNS(tb testing.TB, netns *os.File, f func()) {
	tb.Helper()
	onThread(tb, func() {
		Check(tb, unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET))
		f()
	})
}

// onThread calls f, which may change the network namespace of its thread. If f ends the
// test the goroutine stays locked, and takes the thread along.
func onThread(tb testing.TB, f func()) {
	tb.Helper()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		tb.Skip("no network namespace: ", err)
	}
	defer home.Close()
	f()
	Check(tb, unix.Setns(int(home.Fd()), unix.CLONE_NEWNET))
	runtime.UnlockOSThread()
}

// MoveLink moves an interface to a network namespace, where it is turned on again.
func MoveLink(tb testing.TB, ifi *net.Interface, netns *os.File) {
	tb.Helper()
	message := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(message[4:], uint32(ifi.Index))
	fd := binary.NativeEndian.AppendUint32(nil, uint32(netns.Fd()))
	message = append(message, attribute(unix.IFLA_NET_NS_FD, fd)...)
	Check(tb, change(tb, unix.RTM_NEWLINK, 0, message))
	InNetNS(tb, netns, func() { setUp(tb, ifi.Name) })
}

// setUp turns an interface on, or skips the test if the system cannot and it is off.
func setUp(tb testing.TB, name string) {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Skip("no sockets in a network namespace of its own: ", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	Check(tb, err)
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		ifi, found := net.InterfaceByName(name)
		if found != nil || ifi.Flags&net.FlagUp == 0 {
			tb.Skipf("interface %s is off: %v", name, err)
		}
	}
}

// VethPair makes two interfaces joined by a cable, v0 and v1, which are running, or
// skips the test.
func VethPair(tb testing.TB) (v0, v1 *net.Interface) {
	tb.Helper()
	return VethPairOf(tb, "v0", "v1")
}

// VethPairOf is VethPair with names.
func VethPairOf(tb testing.TB, name, peerName string) (v0, v1 *net.Interface) {
	tb.Helper()
	NeedInterfaces(tb)
	peer := append(make([]byte, unix.SizeofIfInfomsg), attribute(unix.IFLA_IFNAME, []byte(peerName+"\x00"))...)
	info := append(attribute(unix.IFLA_INFO_KIND, []byte("veth")), attribute(unix.IFLA_INFO_DATA, attribute(vethInfoPeer, peer))...)
	message := make([]byte, unix.SizeofIfInfomsg)
	message = append(message, attribute(unix.IFLA_IFNAME, []byte(name+"\x00"))...)
	message = append(message, attribute(unix.IFLA_LINKINFO, info)...)
	if err := change(tb, unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, message); err != nil {
		tb.Skip("no veth interfaces: ", err)
	}
	setUp(tb, name)
	setUp(tb, peerName)
	return WaitRunning(tb, name), WaitRunning(tb, peerName)
}

// WaitRunning waits until the kernel has seen the link of an interface come up: what
// is sent before is lost.
func WaitRunning(tb testing.TB, name string) (ifi *net.Interface) {
	tb.Helper()
	if !WaitUntil(func() bool {
		var err error
		ifi, err = net.InterfaceByName(name)
		Check(tb, err)
		return ifi.Flags&net.FlagRunning != 0
	}) {
		tb.Fatalf("%s does not come up", name)
	}
	return ifi
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

// change has the kernel change something, and returns the error of its answer.
func change(tb testing.TB, typ uint16, flags int, message []byte) error {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	Check(tb, err)
	defer unix.Close(fd)
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(message))
	binary.NativeEndian.PutUint32(b, uint32(cap(b)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], uint16(unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags))
	binary.NativeEndian.PutUint32(b[8:], 1) // sequence
	if err := unix.Sendto(fd, append(b, message...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err == unix.EOPNOTSUPP {
		return err // of an emulator
	} else {
		Check(tb, err)
	}
	answer := make([]byte, 1<<16)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	Check(tb, err)
	messages, err := syscall.ParseNetlinkMessage(answer[:n])
	Check(tb, err)
	for _, m := range messages {
		if m.Header.Type != unix.NLMSG_ERROR {
			tb.Fatalf("answer of type %d", m.Header.Type)
		}
		if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
			return syscall.Errno(errno)
		}
	}
	return nil
}

// AddAddr gives an interface an IPv4 address in a network of 24 bits.
func AddAddr(tb testing.TB, ifi *net.Interface, ip net.IP) {
	tb.Helper()
	message := make([]byte, unix.SizeofIfAddrmsg)
	message[0], message[1] = unix.AF_INET, 24
	binary.NativeEndian.PutUint32(message[4:], uint32(ifi.Index))
	message = append(message, attribute(unix.IFA_LOCAL, ip.To4())...)
	if err := change(tb, unix.RTM_NEWADDR, unix.NLM_F_CREATE, message); err != nil {
		tb.Skipf("no address %v: %v", ip, err)
	}
}

// AddAddr6 gives an interface an IPv6 address in a network of 64 bits, which is not
// looked for elsewhere before it is used.
func AddAddr6(tb testing.TB, ifi *net.Interface, ip net.IP) {
	tb.Helper()
	message := make([]byte, unix.SizeofIfAddrmsg)
	message[0], message[1], message[2] = unix.AF_INET6, 64, unix.IFA_F_NODAD
	binary.NativeEndian.PutUint32(message[4:], uint32(ifi.Index))
	message = append(message, attribute(unix.IFA_LOCAL, ip.To16())...)
	if err := change(tb, unix.RTM_NEWADDR, unix.NLM_F_CREATE, message); err != nil {
		tb.Skipf("no address %v: %v", ip, err)
	}
	waitHeard(tb, &unix.SockaddrInet6{Addr: [16]byte(ip.To16()), ZoneId: uint32(ifi.Index)})
}

// waitHeard waits until a socket with a new IPv6 address can send to itself: the route to
// the address comes a little later.
func waitHeard(tb testing.TB, sa *unix.SockaddrInet6) {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	Check(tb, err)
	defer unix.Close(fd)
	Check(tb, unix.Bind(fd, sa))
	bound, err := unix.Getsockname(fd)
	Check(tb, err)
	sa.Port = bound.(*unix.SockaddrInet6).Port
	if !WaitUntil(func() bool {
		if err = unix.Sendto(fd, []byte("x"), 0, sa); err != nil {
			return false
		}
		_, _, err = unix.Recvfrom(fd, make([]byte, 1), unix.MSG_DONTWAIT)
		return err == nil
	}) {
		tb.Fatal(err)
	}
}

// AddPrefix gives an interface an address, "192.0.2.1/24", which is of use at once.
func AddPrefix(tb testing.TB, name, prefix string) {
	tb.Helper()
	ifi, err := net.InterfaceByName(name)
	Check(tb, err)
	p := netip.MustParsePrefix(prefix)
	message := make([]byte, unix.SizeofIfAddrmsg)
	message[0], message[1], message[2] = unix.AF_INET, byte(p.Bits()), unix.IFA_F_NODAD
	if p.Addr().Is6() {
		message[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint32(message[4:], uint32(ifi.Index))
	message = append(message, attribute(unix.IFA_LOCAL, p.Addr().AsSlice())...)
	message = append(message, attribute(unix.IFA_ADDRESS, p.Addr().AsSlice())...)
	if err := change(tb, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, message); err != nil {
		tb.Skipf("no address %s: %v", prefix, err)
	}
	if p.Addr().Is6() {
		waitHeard(tb, &unix.SockaddrInet6{Addr: p.Addr().As16()})
	}
}

// AddNeighbor tells the kernel where the link has an IPv4 address, but not for sure.
func AddNeighbor(tb testing.TB, ifi *net.Interface, ip net.IP, hw net.HardwareAddr) {
	tb.Helper()
	message := make([]byte, unix.SizeofNdMsg)
	message[0] = unix.AF_INET
	binary.NativeEndian.PutUint32(message[4:], uint32(ifi.Index))
	binary.NativeEndian.PutUint16(message[8:], unix.NUD_STALE)
	message = append(message, attribute(unix.NDA_DST, ip.To4())...)
	message = append(message, attribute(unix.NDA_LLADDR, hw)...)
	if err := change(tb, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE, message); err != nil {
		tb.Skipf("no neighbor %v: %v", ip, err)
	}
}

// AddDefaultRoute sends what is for other networks to a gateway.
func AddDefaultRoute(tb testing.TB, gateway net.IP) {
	tb.Helper()
	message := make([]byte, unix.SizeofRtMsg)
	message[0] = unix.AF_INET
	message[4], message[5], message[6], message[7] = unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST
	message = append(message, attribute(unix.RTA_GATEWAY, gateway.To4())...)
	if err := change(tb, unix.RTM_NEWROUTE, unix.NLM_F_CREATE, message); err != nil {
		tb.Skipf("no route by way of %v: %v", gateway, err)
	}
}

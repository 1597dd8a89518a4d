package sys

import (
	"math"
	"net"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// unixPathSize is the size of sun_path, see unix(7).
const unixPathSize = 108

// hasAbstract says that unix names may live outside the file system, unix(7).
const hasAbstract = true

// MSG_CMSG_CLOEXEC is the flag that makes received descriptors close-on-exec, which
// recvmsg(2) also reports back.
const MSG_CMSG_CLOEXEC = unix.MSG_CMSG_CLOEXEC

// Flags of send(2) that not every system has.
const (
	MSG_CONFIRM  = unix.MSG_CONFIRM
	MSG_MORE     = unix.MSG_MORE
	MSG_NOSIGNAL = unix.MSG_NOSIGNAL
)

// MSG_LACKING has the flags that this system lacks.
const MSG_LACKING = 0

// MSG_EOR is what write(2) adds on sockets of sequenced packets: a record ends.
const MSG_EOR = unix.MSG_EOR

// IPPROTO_MPTCP is Multipath TCP, RFC 8684.
const IPPROTO_MPTCP = unix.IPPROTO_MPTCP

// Options that other systems name differently or lack.
const (
	SO_PROTOCOL   = unix.SO_PROTOCOL
	SO_DOMAIN     = unix.SO_DOMAIN
	SO_ACCEPTCONN = unix.SO_ACCEPTCONN
	TCP_KEEPIDLE  = unix.TCP_KEEPIDLE
	TCP_KEEPINTVL = unix.TCP_KEEPINTVL
	TCP_KEEPCNT   = unix.TCP_KEEPCNT
)

const mptcpInfo = 1 // MPTCP_INFO in linux/mptcp.h

// mptcp tells what the kernel knows of Multipath TCP: the protocol, and since Linux
// 5.16 whether a connection uses it.
var mptcp = sync.OnceValue(func() (knows struct{ protocol, use bool }) {
	fd, errno := Socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP)
	if errno == EAFNOSUPPORT {
		fd, errno = Socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP)
	}
	switch errno {
	case 0:
		defer Close(fd)
		knows.protocol = true
		_, errno = GetsockoptInt(uintptr(fd), unix.SOL_MPTCP, mptcpInfo)
		knows.use = errno == 0
	case unix.EPROTONOSUPPORT, EINVAL:
	default:
		knows.protocol = true // it may be refused for now
	}
	return knows
})

// HasMultipathTCP reports whether the kernel may have Multipath TCP. It asks once, as package
// net does: where it is not there, asking makes the kernel look for a module.
func HasMultipathTCP() bool { return mptcp().protocol }

// UsesMultipathTCP reports whether a connection uses Multipath TCP, or before Linux
// 5.16 whether its socket was made for that. It does what package net does with a
// closed descriptor, which is -1.
func UsesMultipathTCP(fd int) bool {
	switch knows := mptcp(); {
	case !knows.protocol:
		return false
	case !knows.use:
		proto, _ := GetsockoptInt(uintptr(fd), SOL_SOCKET, SO_PROTOCOL)
		return proto == IPPROTO_MPTCP
	}
	// The kernel refuses the level where the connection has fallen back to TCP.
	_, errno := GetsockoptInt(uintptr(fd), unix.SOL_MPTCP, mptcpInfo)
	return errno != EOPNOTSUPP && errno != ENOPROTOOPT
}

func putFamily(b *[sockaddrSize]byte, family, _ int) {
	*(*uint16)(unsafe.Pointer(b)) = uint16(family)
}

func family(b *[sockaddrSize]byte) int { return int(*(*uint16)(unsafe.Pointer(b))) }

// SO_LINGER is the option whose time is in seconds, socket(7).
const SO_LINGER = unix.SO_LINGER

// maxBacklog is what listen(2) cuts to net.core.somaxconn, which is that of the
// socket's network namespace.
func maxBacklog() int { return math.MaxInt32 }

// Socket makes a non-blocking, close-on-exec socket. See socket(2).
func Socket(family, typ, proto int) (int, syscall.Errno) {
	fd, _, errno := syscall.RawSyscall(unix.SYS_SOCKET, uintptr(family), uintptr(typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC), uintptr(proto))
	return result(fd, errno)
}

// Socketpair makes two connected sockets. See socketpair(2).
func Socketpair(family, typ, proto int) ([2]int, syscall.Errno) {
	fds, err := unix.Socketpair(family, typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
	return fds, errno(err)
}

// Accept takes a connection from the queue and stores the peer's address in sa. It
// passes over connections that were gone before they were accepted.
// The new socket is non-blocking and close-on-exec. See accept4(2).
func Accept(fd uintptr, sa *Sockaddr) (int, syscall.Errno) {
	for {
		sa.len = sockaddrSize
		nfd, _, errno := syscall.Syscall6(unix.SYS_ACCEPT4, fd, uintptr(unsafe.Pointer(&sa.raw)), uintptr(unsafe.Pointer(&sa.len)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			return int(nfd), 0
		case EINTR:
		case ECONNABORTED:
			return acceptNameless(fd, sa)
		default:
			if barred(unix.SYS_ACCEPT4, errno) {
				return acceptNameless(fd, sa)
			}
			return -1, sa.failed(errno)
		}
	}
}

// acceptNameless is Accept for what may have no peer's address: the kernel says
// ECONNABORTED where it is asked for one and has none, see do_accept in net/socket.c.
func acceptNameless(fd uintptr, sa *Sockaddr) (int, syscall.Errno) {
	for aborted := 0; ; {
		nfd, errno := accept4(fd)
		switch errno {
		case 0:
			Getpeername(uintptr(nfd), sa)
			return nfd, 0
		case EINTR:
			continue
		case ECONNABORTED:
			if aborted++; aborted < maxAborted {
				continue
			}
		}
		return -1, sa.failed(errno)
	}
}

// accept4 is accept4(2) without the peer's address. Where a sandbox refuses it, it does
// what package net does, which on 386 is to go by way of socketcall(2).
func accept4(fd uintptr) (int, syscall.Errno) {
	const flags = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	nfd, _, e := syscall.Syscall6(unix.SYS_ACCEPT4, fd, 0, 0, flags, 0, 0)
	if barred(unix.SYS_ACCEPT4, e) {
		nfd, _, err := syscall.Accept4(int(fd), flags)
		return nfd, errno(err)
	}
	return result(nfd, e)
}

// Bind gives the socket a local address. See bind(2).
func Bind(fd uintptr, sa *Sockaddr) syscall.Errno {
	_, _, errno := syscall.Syscall(unix.SYS_BIND, fd, uintptr(unsafe.Pointer(&sa.raw)), uintptr(sa.len))
	return errno
}

// Connect gives the socket a peer. See connect(2).
func Connect(fd uintptr, sa *Sockaddr) syscall.Errno {
	_, _, errno := syscall.Syscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&sa.raw)), uintptr(sa.len))
	return errno
}

// BoundDevice returns the index of the interface to which the socket is bound, 0 if it
// is bound to none.
func BoundDevice(fd uintptr) int {
	index, _ := GetsockoptInt(fd, SOL_SOCKET, unix.SO_BINDTOIFINDEX)
	return index
}

// BindDevice binds the socket to the interface with the index, 0 for none, unless it is
// bound to that already. To bind it to another one than before takes CAP_NET_RAW.
func BindDevice(fd uintptr, index int) syscall.Errno {
	if BoundDevice(fd) == index {
		return 0
	}
	return SetsockoptInt(fd, SOL_SOCKET, unix.SO_BINDTOIFINDEX, index)
}

// Disconnect leaves a datagram socket without a peer, and bound to the interface to
// which it was bound. If that is zone, to which a peer has bound it, device is to come
// back, 0 for none. See connect(2).
func Disconnect(fd uintptr, zone, device int) syscall.Errno {
	// The kernel lets go of the interface, too, to which the socket is bound: by an
	// option, by the scope of its own address, or by that of its peer, which alone
	// is right. See __udp_disconnect in net/ipv4/udp.c.
	var sa, local, peer Sockaddr
	bound := BoundDevice(fd)
	Getpeername(fd, &peer)
	sa.SetFamily(AF_UNSPEC, make([]byte, 16))
	if errno := Connect(fd, &sa); errno != 0 || bound == 0 {
		return errno
	}
	Getsockname(fd, &local)
	if peer.NeedsZone() && !local.NeedsZone() && zone == 0 {
		_, _, scope := peer.Inet6() // of a peer that another process has chosen
		zone = int(scope)
	}
	if bound == zone {
		bound = device
	}
	return BindDevice(fd, bound)
}

// PeerEnded reports whether the peer of a stream has ended its writing side, or
// the connection is broken. See POLLRDHUP in poll(2).
func PeerEnded(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(p, 0)
	return n > 0 && err == nil
}

// Getsockname stores the local address in sa. See getsockname(2).
func Getsockname(fd uintptr, sa *Sockaddr) syscall.Errno {
	sa.len = sockaddrSize
	_, _, errno := syscall.RawSyscall(unix.SYS_GETSOCKNAME, fd, uintptr(unsafe.Pointer(&sa.raw)), uintptr(unsafe.Pointer(&sa.len)))
	return sa.failed(errno)
}

// Getpeername stores the peer's address in sa. See getpeername(2).
func Getpeername(fd uintptr, sa *Sockaddr) syscall.Errno {
	sa.len = sockaddrSize
	_, _, errno := syscall.RawSyscall(unix.SYS_GETPEERNAME, fd, uintptr(unsafe.Pointer(&sa.raw)), uintptr(unsafe.Pointer(&sa.len)))
	return sa.failed(errno)
}

// failed leaves no address behind a failed call.
func (sa *Sockaddr) failed(errno syscall.Errno) syscall.Errno {
	if errno != 0 {
		sa.len = 0
	}
	return errno
}

// Recv receives into p. See recv(2).
func Recv(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
		switch {
		case errno == 0:
			return int(n), 0
		case errno == EINTR:
		case errno == EAGAIN: // no call: who waits then has but the least stack
			return -1, errno
		case barred(unix.SYS_RECVFROM, errno):
			return Read(fd, p)
		default:
			return -1, errno
		}
	}
}

// Send sends p to the peer. See send(2).
func Send(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
		switch {
		case errno == 0:
			return int(n), 0
		case errno == EINTR:
		case errno == EAGAIN: // no call: who waits then has but the least stack
			return -1, errno
		case barred(unix.SYS_SENDTO, errno):
			return Write(fd, p)
		default:
			return -1, errno
		}
	}
}

// barred reports whether it is a sandbox that answers the system call trap with errno, see
// seccomp(2), and not the socket: it does so for no descriptor, too, of which the kernel
// says EBADF. Only then may another call be tried: an error that a socket keeps for one
// call would be lost, and what a firewall has dropped would be sent again.
func barred(trap uintptr, errno syscall.Errno) bool {
	if !Refused(errno) {
		return false
	}
	_, _, e := syscall.Syscall6(trap, ^uintptr(0), 0, 0, 0, 0, 0)
	return e == errno
}

// Recvfrom receives into p and stores the sender's address in sa unless that is nil,
// see recvfrom(2).
func Recvfrom(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	var name, size unsafe.Pointer
	if sa != nil {
		sa.len = sockaddrSize
		name, size = unsafe.Pointer(&sa.raw), unsafe.Pointer(&sa.len)
	}
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags), uintptr(name), uintptr(size))
		switch {
		case errno == 0:
			return int(n), 0
		case errno == EINTR:
			continue
		case sa != nil:
			sa.len = 0
		}
		return -1, errno
	}
}

// Sendto sends p to sa, or to the peer if sa is nil or no address. See sendto(2).
func Sendto(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	var name unsafe.Pointer
	var size uint32
	if sa != nil && sa.len > 0 {
		name, size = unsafe.Pointer(&sa.raw), sa.len
	}
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags), uintptr(name), uintptr(size))
		if errno != EINTR {
			return result(n, errno)
		}
	}
}

func iovec(p []byte) (iov unix.Iovec) {
	iov.Base = unsafe.SliceData(p)
	iov.SetLen(len(p))
	return iov
}

// msghdr returns its result by value, so that all of it stays on the stack.
func msghdr(iov *unix.Iovec, oob []byte) unix.Msghdr {
	h := unix.Msghdr{Iov: iov}
	h.SetIovlen(1)
	if len(oob) > 0 {
		h.Control = unsafe.SliceData(oob)
		h.SetControllen(len(oob))
	}
	return h
}

// Recvmsg receives into p and oob and stores the sender's address in sa unless that
// is nil. See recvmsg(2).
func Recvmsg(fd uintptr, p, oob []byte, flags int, sa *Sockaddr) (n, oobn, rflags int, errno syscall.Errno) {
	iov := iovec(p)
	h := msghdr(&iov, oob)
	if sa != nil {
		sa.len = 0
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&sa.raw)), sockaddrSize
	}
	for {
		r, _, errno := syscall.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&h)), uintptr(flags))
		switch {
		case errno == EINTR:
			continue
		case errno != 0:
			return 0, 0, 0, errno
		case sa != nil:
			sa.len = h.Namelen
		}
		return int(r), int(h.Controllen), int(h.Flags), 0
	}
}

// Sendmsg sends p and oob to sa, or to the peer if sa is nil or no address. See
// sendmsg(2).
func Sendmsg(fd uintptr, p, oob []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	iov := iovec(p)
	h := msghdr(&iov, oob)
	if sa != nil && sa.len > 0 {
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&sa.raw)), sa.len
	}
	for {
		n, _, errno := syscall.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&h)), uintptr(flags))
		if errno != EINTR {
			return result(n, errno)
		}
	}
}

func result(r uintptr, errno syscall.Errno) (int, syscall.Errno) {
	if errno != 0 {
		return -1, errno
	}
	return int(r), 0
}

// Interface4 is an interface as IPv4 multicasting knows it: by its index. 0 is of the
// system's choice.
type Interface4 int32

// Interface4Of returns ifi, which may be nil, for the calls about IPv4 multicasting.
func Interface4Of(ifi *net.Interface) (Interface4, error) {
	if ifi == nil {
		return 0, nil
	}
	return Interface4(ifi.Index), nil
}

// SetMulticastInterface4 sets the interface that multicasts leave by, ip(7).
func SetMulticastInterface4(fd uintptr, ifi Interface4) syscall.Errno {
	return errno(unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifi)}))
}

// JoinGroup4 joins a multicast group on an interface, ip(7).
func JoinGroup4(fd uintptr, group [4]byte, ifi Interface4) syscall.Errno {
	return errno(unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: group, Ifindex: int32(ifi)}))
}

// SetMulticastReuse allows several sockets on one multicast port, socket(7).
func SetMulticastReuse(fd uintptr) syscall.Errno {
	return SetsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1)
}

// UnnamedUnix is what the address of a unix socket without a name is called.
const UnnamedUnix = "@"

// ConnectsWildcard says that connecting to the wildcard address reaches this host.
const ConnectsWildcard = true

// MakeReachable turns a wildcard, to which the kernel does not connect, into the
// address of this host. That is any context of vsock(7), an address that a listening
// socket may have.
func (sa *Sockaddr) MakeReachable() {
	if sa.Family() != AF_VSOCK || sa.len < unix.SizeofSockaddrVM {
		return
	}
	if vm := (*unix.RawSockaddrVM)(unsafe.Pointer(&sa.raw)); vm.Cid == unix.VMADDR_CID_ANY {
		vm.Cid = unix.VMADDR_CID_LOCAL
	}
}

// MapsIPv4 says that an IPv6 socket may speak IPv4, RFC 4291 section 2.5.5.2.
const MapsIPv4 = true

// Address families of Linux; a negative one is of no socket.
const (
	AF_VSOCK   = unix.AF_VSOCK
	AF_NETLINK = unix.AF_NETLINK
	AF_PACKET  = unix.AF_PACKET
)

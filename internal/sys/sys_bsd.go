//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"math"
	"net"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// unixPathSize is the size of sun_path, see unix(4).
const unixPathSize = 104

// hasAbstract says that unix names may live outside the file system.
const hasAbstract = false

// MSG_CMSG_CLOEXEC is absent or not offered by x/sys on these systems.
const MSG_CMSG_CLOEXEC = 0

// Flags of send(2) that these systems lack, with numbers that they do not use; Go
// programs ignore SIGPIPE anyway.
const (
	MSG_CONFIRM  = 1 << 28
	MSG_MORE     = 1 << 29
	MSG_NOSIGNAL = 0

	MSG_LACKING = MSG_CONFIRM | MSG_MORE
)

// MSG_EOR is nothing that write(2) adds on these systems.
const MSG_EOR = 0

// IPPROTO_MPTCP is no protocol on these systems.
const IPPROTO_MPTCP = -1

// Options that these systems lack or name differently.
const (
	SO_PROTOCOL   = -1
	SO_DOMAIN     = -1
	SO_ACCEPTCONN = unix.SO_ACCEPTCONN
)

// HasMultipathTCP reports false.
func HasMultipathTCP() bool { return false }

// UsesMultipathTCP reports false.
func UsesMultipathTCP(fd int) bool { return false }

func putFamily(b *[sockaddrSize]byte, family, size int) { b[0], b[1] = byte(size), byte(family) }

func family(b *[sockaddrSize]byte) int { return int(b[1]) }

// x/sys takes and gives its own address types, because these systems are called
// through their C library.

func (sa *Sockaddr) decoded() unix.Sockaddr {
	if sa == nil {
		return nil
	}
	switch sa.Family() {
	case AF_INET:
		ip, port := sa.Inet4()
		return &unix.SockaddrInet4{Addr: ip, Port: int(port)}
	case AF_INET6:
		ip, port, scope := sa.Inet6()
		return &unix.SockaddrInet6{Addr: ip, Port: int(port), ZoneId: scope}
	case AF_UNIX:
		return &unix.SockaddrUnix{Name: sa.Unix()}
	}
	return nil
}

func (sa *Sockaddr) encode(from unix.Sockaddr, err error) syscall.Errno {
	if sa == nil {
		return errno(err)
	}
	sa.Reset()
	if err != nil {
		return errno(err)
	}
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		return sa.SetInet4(from.Addr, from.Port)
	case *unix.SockaddrInet6:
		return sa.SetInet6(from.Addr, from.Port, from.ZoneId)
	case *unix.SockaddrUnix:
		return sa.SetUnixPeer(from.Name) // which may fill sun_path, without a NUL
	}
	return 0
}

// backlogSetting returns a setting of the system for accept queues. Above 16 bits
// listen(2) would wrap.
func backlogSetting(name string) int {
	n, _ := unix.SysctlUint32(name)
	return int(min(n, math.MaxUint16))
}

// Socket makes a non-blocking, close-on-exec socket. See socket(2).
func Socket(family, typ, proto int) (int, syscall.Errno) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, typ, proto)
	return prepared(fd, err)
}

// prepared makes a new descriptor non-blocking and close-on-exec. The caller
// holds syscall.ForkLock.
func prepared(fd int, err error) (int, syscall.Errno) {
	if err != nil {
		return -1, errno(err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, errno(err)
	}
	return fd, 0
}

// Socketpair makes two connected sockets. See socketpair(2).
func Socketpair(family, typ, proto int) ([2]int, syscall.Errno) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(family, typ, proto)
	if err != nil {
		return fds, errno(err)
	}
	for i, fd := range fds {
		if _, e := prepared(fd, nil); e != 0 {
			unix.Close(fds[1-i])
			return fds, e
		}
	}
	return fds, 0
}

// Accept takes a connection from the queue and stores the peer's address in sa. It
// passes over connections that were gone before they were accepted.
// The new socket is non-blocking and close-on-exec. See accept(2).
func Accept(fd uintptr, sa *Sockaddr) (int, syscall.Errno) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	nfd, from, err := unix.Accept(int(fd))
	for aborted := 0; err == EINTR || err == ECONNABORTED && aborted < maxAborted; {
		if err == ECONNABORTED {
			aborted++
		}
		nfd, from, err = unix.Accept(int(fd))
	}
	if e := sa.encode(from, err); e != 0 && err != nil {
		return -1, e
	}
	return prepared(nfd, nil)
}

// Bind gives the socket a local address. See bind(2).
func Bind(fd uintptr, sa *Sockaddr) syscall.Errno {
	to := sa.decoded()
	if to == nil {
		return EAFNOSUPPORT
	}
	return errno(unix.Bind(int(fd), to))
}

// Connect gives the socket a peer. See connect(2).
func Connect(fd uintptr, sa *Sockaddr) syscall.Errno {
	to := sa.decoded()
	if to == nil {
		return EAFNOSUPPORT
	}
	return errno(unix.Connect(int(fd), to))
}

// Disconnect leaves a datagram socket without a peer. See connect(2). x/sys has no
// address without a family, which it takes here.
func Disconnect(fd uintptr, zone, device int) syscall.Errno { return syscall.EOPNOTSUPP }

// KeepsPeer6 reports whether a disconnected IPv6 socket hears its old peer alone.
func KeepsPeer6() bool { return false }

// BoundDevice returns 0: sockets are not bound to interfaces here.
func BoundDevice(fd uintptr) int { return 0 }

// BindDevice does nothing.
func BindDevice(fd uintptr, index int) syscall.Errno { return 0 }

// PeerEnded reports whether the peer of a stream has ended its writing side, or
// the connection is broken. Only kqueue(2) tells that while there are data to read.
func PeerEnded(fd uintptr) bool {
	kq, err := unix.Kqueue()
	if err != nil {
		return true
	}
	defer unix.Close(kq)
	changes, events := make([]unix.Kevent_t, 1), make([]unix.Kevent_t, 1)
	unix.SetKevent(&changes[0], int(fd), unix.EVFILT_READ, unix.EV_ADD)
	n, err := unix.Kevent(kq, changes, events, &unix.Timespec{})
	return err != nil || n > 0 && events[0].Flags&unix.EV_EOF != 0
}

// Getsockname stores the local address in sa. See getsockname(2).
func Getsockname(fd uintptr, sa *Sockaddr) syscall.Errno {
	return sa.encode(unix.Getsockname(int(fd)))
}

// Getpeername stores the peer's address in sa. See getpeername(2).
func Getpeername(fd uintptr, sa *Sockaddr) syscall.Errno {
	return sa.encode(unix.Getpeername(int(fd)))
}

// Recv receives into p. See recv(2).
func Recv(fd uintptr, p []byte) (int, syscall.Errno) { return Read(fd, p[:min(len(p), maxIovec)]) }

// Send sends p to the peer, or as much as one call takes. See send(2).
func Send(fd uintptr, p []byte) (int, syscall.Errno) { return Write(fd, p[:min(len(p), maxIovec)]) }

// Recvfrom receives into p and stores the sender's address in sa unless that is nil,
// see recvfrom(2).
func Recvfrom(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	n, from, err := unix.Recvfrom(int(fd), p, flags)
	for err == EINTR {
		n, from, err = unix.Recvfrom(int(fd), p, flags)
	}
	sa.encode(from, err)
	return n, errno(err)
}

// Sendto sends p to sa, or to the peer if sa is nil or no address. See sendto(2).
func Sendto(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	return Sendmsg(fd, p, nil, flags, sa)
}

// Recvmsg receives into p and oob and stores the sender's address in sa unless that
// is nil. See recvmsg(2).
func Recvmsg(fd uintptr, p, oob []byte, flags int, sa *Sockaddr) (n, oobn, rflags int, e syscall.Errno) {
	// A message may carry descriptors, which are close-on-exec only afterwards.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	n, oobn, rflags, from, err := unix.Recvmsg(int(fd), p, oob, flags)
	for err == EINTR {
		n, oobn, rflags, from, err = unix.Recvmsg(int(fd), p, oob, flags)
	}
	sa.encode(from, err)
	if err == nil && oobn > 0 {
		closeOnExec(oob[:oobn])
	}
	if len(p) == 0 {
		n, rflags = withoutDummy(n, oob, flags, rflags)
	}
	return n, oobn, rflags, errno(err)
}

// withoutDummy takes back the byte that x/sys receives with control data where there is no
// room for any: a count beyond the buffer.
func withoutDummy(n int, oob []byte, flags, rflags int) (int, int) {
	if n == 1 && len(oob) > 0 && flags&MSG_TRUNC == 0 {
		return 0, rflags | MSG_TRUNC
	}
	return n, rflags
}

func closeOnExec(oob []byte) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return
	}
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
		}
	}
}

// Sendmsg sends p and oob to sa, or to the peer if sa is nil or no address. See
// sendmsg(2).
func Sendmsg(fd uintptr, p, oob []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	to := sa.decoded()
	n, err := unix.SendmsgN(int(fd), p, oob, to, flags)
	for err == EINTR {
		n, err = unix.SendmsgN(int(fd), p, oob, to, flags)
	}
	return n, errno(err)
}

// Interface4 is an interface as IPv4 multicasting knows it: by an address. The zero
// address is of the system's choice.
type Interface4 [4]byte

// Interface4Of returns ifi, which may be nil, for the calls about IPv4 multicasting.
func Interface4Of(ifi *net.Interface) (ip Interface4, err error) {
	if ifi == nil {
		return ip, nil
	}
	addrs, err := ifi.Addrs()
	if err != nil {
		return ip, err
	}
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && n.IP.To4() != nil {
			return Interface4(n.IP.To4()), nil
		}
	}
	return ip, &net.AddrError{Err: "no IPv4 address on interface", Addr: ifi.Name}
}

// SetMulticastInterface4 sets the interface that multicasts leave by, ip(4).
func SetMulticastInterface4(fd uintptr, ifi Interface4) syscall.Errno {
	return errno(unix.SetsockoptInet4Addr(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, ifi))
}

// JoinGroup4 joins a multicast group on an interface, ip(4).
func JoinGroup4(fd uintptr, group [4]byte, ifi Interface4) syscall.Errno {
	return errno(unix.SetsockoptIPMreq(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreq{Multiaddr: group, Interface: ifi}))
}

// SetMulticastReuse allows several sockets on one multicast port, setsockopt(2).
func SetMulticastReuse(fd uintptr) syscall.Errno {
	if e := SetsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1); e != 0 {
		return e
	}
	return SetsockoptInt(fd, SOL_SOCKET, SO_REUSEPORT, 1)
}

// UnnamedUnix is what the address of a unix socket without a name is called.
const UnnamedUnix = ""

// ConnectsWildcard says that connecting to the wildcard address reaches this host.
const ConnectsWildcard = runtime.GOOS != "openbsd" && runtime.GOOS != "freebsd"

// MakeReachable turns a wildcard, to which the kernel does not connect, into the
// address of this host.
func (sa *Sockaddr) MakeReachable() {
	if ConnectsWildcard {
		return
	}
	switch sa.Family() {
	case AF_INET:
		if ip, port := sa.Inet4(); ip == [4]byte{} {
			sa.SetInet4([4]byte{127, 0, 0, 1}, int(port))
		}
	case AF_INET6:
		if ip, port, scope := sa.Inet6(); ip == [16]byte{} {
			sa.SetInet6([16]byte{15: 1}, int(port), scope)
		}
	}
}

// MapsIPv4 says that an IPv6 socket may speak IPv4, RFC 4291 section 2.5.5.2.
const MapsIPv4 = runtime.GOOS != "openbsd" && runtime.GOOS != "dragonfly"

// Address families of Linux; a negative one is of no socket.
const (
	AF_VSOCK   = -2
	AF_NETLINK = -3
	AF_PACKET  = -4
)

//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Families, types and flags of socket(2), send(2) and shutdown(2).
const (
	AF_UNSPEC      = unix.AF_UNSPEC
	AF_UNIX        = unix.AF_UNIX
	AF_INET        = unix.AF_INET
	AF_INET6       = unix.AF_INET6
	SOCK_STREAM    = unix.SOCK_STREAM
	SOCK_DGRAM     = unix.SOCK_DGRAM
	SOCK_RAW       = unix.SOCK_RAW
	SOCK_SEQPACKET = unix.SOCK_SEQPACKET
	SHUT_RD        = unix.SHUT_RD
	SHUT_WR        = unix.SHUT_WR
	MSG_DONTWAIT   = unix.MSG_DONTWAIT
	MSG_PEEK       = unix.MSG_PEEK
	MSG_OOB        = unix.MSG_OOB
	MSG_DONTROUTE  = unix.MSG_DONTROUTE
	MSG_WAITALL    = unix.MSG_WAITALL
	MSG_TRUNC      = unix.MSG_TRUNC
	IPPROTO_TCP    = unix.IPPROTO_TCP
	IPPROTO_IP     = unix.IPPROTO_IP
	IPPROTO_IPV6   = unix.IPPROTO_IPV6
	SOL_SOCKET     = unix.SOL_SOCKET
	SO_REUSEADDR   = unix.SO_REUSEADDR
	SO_REUSEPORT   = unix.SO_REUSEPORT
	SO_BROADCAST   = unix.SO_BROADCAST
	SO_KEEPALIVE   = unix.SO_KEEPALIVE
	SO_RCVBUF      = unix.SO_RCVBUF
	SO_SNDBUF      = unix.SO_SNDBUF
	SO_TYPE        = unix.SO_TYPE
	SO_ERROR       = unix.SO_ERROR
	TCP_NODELAY    = unix.TCP_NODELAY
	IPV6_V6ONLY    = unix.IPV6_V6ONLY
)

func errno(err error) syscall.Errno {
	e, _ := err.(syscall.Errno)
	return e
}

// Listen makes the socket accept connections. See listen(2).
func Listen(fd uintptr, backlog int) syscall.Errno { return errno(unix.Listen(int(fd), backlog)) }

// Shutdown ends one direction of a connection. See shutdown(2).
func Shutdown(fd uintptr, how int) syscall.Errno { return errno(unix.Shutdown(int(fd), how)) }

// Close closes a descriptor that no other goroutine knows. See close(2).
func Close(fd int) syscall.Errno { return errno(unix.Close(fd)) }

// SetNonblock makes the open file description non-blocking, for every descriptor
// that shares it.
func SetNonblock(fd int) syscall.Errno { return errno(unix.SetNonblock(fd, true)) }

// Dup duplicates fd to a close-on-exec descriptor above 2, so that a write to it
// never raises SIGPIPE, which package os does for descriptors 1 and 2.
func Dup(fd uintptr) (int, syscall.Errno) {
	nfd, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
	if err == unix.EINVAL || err == unix.ENOSYS {
		// A sandbox knows it as it was before, as package net assumes.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if nfd, err = unix.FcntlInt(fd, unix.F_DUPFD, 3); err == nil {
			unix.CloseOnExec(nfd)
		}
	}
	return nfd, errno(err)
}

// SetsockoptInt sets an option whose value is an int. A negative name stands for
// an option that this system lacks.
func SetsockoptInt(fd uintptr, level, name, value int) syscall.Errno {
	if name < 0 {
		return ENOPROTOOPT
	}
	return errno(unix.SetsockoptInt(int(fd), level, name, value))
}

// GetsockoptInt gets an option whose value is an int.
func GetsockoptInt(fd uintptr, level, name int) (int, syscall.Errno) {
	if name < 0 {
		return 0, ENOPROTOOPT
	}
	v, err := unix.GetsockoptInt(int(fd), level, name)
	return v, errno(err)
}

// SetLinger sets SO_LINGER to sec seconds, or off if sec is negative.
func SetLinger(fd uintptr, sec int) syscall.Errno {
	var l unix.Linger
	if sec >= 0 {
		l = unix.Linger{Onoff: 1, Linger: int32(sec)}
	}
	return errno(unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, SO_LINGER, &l))
}

// SetMulticastInterface6 sets the interface that multicasts leave by, ipv6(7).
func SetMulticastInterface6(fd uintptr, index int) syscall.Errno {
	return errno(unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index))
}

// SetMulticastLoop6 says whether multicasts reach sockets on this host, ipv6(7).
func SetMulticastLoop6(fd uintptr, on bool) syscall.Errno {
	return errno(unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, boolint(on)))
}

// SetMulticastLoop4 says whether multicasts reach sockets on this host, ip(7).
func SetMulticastLoop4(fd uintptr, on bool) syscall.Errno {
	// A byte, which every system takes; the BSDs refuse an int.
	return errno(unix.SetsockoptByte(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, byte(boolint(on))))
}

// JoinGroup6 joins a multicast group on interface index, ipv6(7).
func JoinGroup6(fd uintptr, group [16]byte, index int) syscall.Errno {
	return errno(unix.SetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group, Interface: uint32(index)}))
}

func boolint(on bool) int {
	if on {
		return 1
	}
	return 0
}

// MaxBacklog returns the longest accept queue the system allows, listen(2).
var MaxBacklog = sync.OnceValue(func() int {
	if n := maxBacklog(); n > 0 {
		return n
	}
	return unix.SOMAXCONN
})

// Read reads from a descriptor. See read(2).
func Read(fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, err := unix.Read(int(fd), b)
		if err != EINTR {
			return n, errno(err)
		}
	}
}

// Write writes to a descriptor. See write(2).
func Write(fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, err := unix.Write(int(fd), b)
		if err != EINTR {
			return n, errno(err)
		}
	}
}

package netfd

import (
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Shutdown ends one or both directions.
func (fd *FD) Shutdown(how int) error {
	return fd.control("shutdown", func(s uintptr) syscall.Errno { return sys.Shutdown(s, how) })
}

// SetsockoptInt sets an option whose value is an int.
func (fd *FD) SetsockoptInt(level, name, value int) error {
	return fd.control("setsockopt", func(s uintptr) syscall.Errno { return sys.SetsockoptInt(s, level, name, value) })
}

// GetsockoptInt gets an option whose value is an int.
func (fd *FD) GetsockoptInt(level, name int) (v int, err error) {
	err = fd.control("getsockopt", func(s uintptr) (errno syscall.Errno) {
		v, errno = sys.GetsockoptInt(s, level, name)
		return errno
	})
	return v, err
}

// Setsockopt calls f, which sets an option.
func (fd *FD) Setsockopt(f func(sysfd uintptr) syscall.Errno) error {
	return fd.control("setsockopt", f)
}

// Setmode sets the permissions that the file of an unbound unix socket is to have.
func (fd *FD) Setmode(mode uint32) error {
	return fd.control("fchmod", func(s uintptr) syscall.Errno { return sys.Setmode(s, mode) })
}

// Bind gives the socket a local address.
func (fd *FD) Bind(sa *sys.Sockaddr) error {
	return fd.control("bind", func(s uintptr) syscall.Errno { return sys.Bind(s, sa) })
}

// Listen makes the socket accept connections.
func (fd *FD) Listen(backlog int) error {
	return fd.control("listen", func(s uintptr) syscall.Errno { return sys.Listen(s, backlog) })
}

// Sockname stores the local address in sa.
func (fd *FD) Sockname(sa *sys.Sockaddr) error {
	return fd.control("getsockname", func(s uintptr) syscall.Errno { return sys.Getsockname(s, sa) })
}

// Peername stores the peer's address in sa.
func (fd *FD) Peername(sa *sys.Sockaddr) error {
	return fd.control("getpeername", func(s uintptr) syscall.Errno { return sys.Getpeername(s, sa) })
}

// Dup returns a file called name with a new descriptor for the same socket,
// close-on-exec. The caller owns it.
func (fd *FD) Dup(name string) (*os.File, error) {
	nfd := -1
	err := fd.control("fcntl", func(s uintptr) (errno syscall.Errno) {
		nfd, errno = sys.Dup(s)
		return errno
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(nfd), name), nil
}

// Socket makes a socket in the network namespace netns, nil for the caller's, and
// returns its bare FD.
func Socket(k Kind, netns *os.File) (*FD, error) {
	if netns != nil {
		return socketIn(k, netns)
	}
	sysfd, errno := sys.Socket(k.Family, k.Type, k.Proto)
	if errno != 0 {
		return nil, os.NewSyscallError("socket", errno)
	}
	return New(sysfd, k)
}

func socketIn(k Kind, netns *os.File) (*FD, error) {
	sysfd := -1
	var enter, errno syscall.Errno
	err := Control(netns, func(ns uintptr) {
		enter = sys.InNetNS(ns, func() { sysfd, errno = sys.Socket(k.Family, k.Type, k.Proto) })
	})
	switch {
	case err != nil:
		return nil, err
	case enter != 0:
		return nil, os.NewSyscallError("setns", enter)
	case errno != 0:
		return nil, os.NewSyscallError("socket", errno)
	}
	return New(sysfd, k)
}

// Pair makes two sockets that are connected to each other, and returns their FDs, which
// are in the poller.
func Pair(k Kind) (fds [2]*FD, err error) {
	ends, errno := sys.Socketpair(k.Family, k.Type, k.Proto)
	if errno != 0 {
		return fds, os.NewSyscallError("socketpair", errno)
	}
	for i, sysfd := range ends {
		if err != nil {
			sys.Close(sysfd)
			break
		}
		if fds[i], err = New(sysfd, k); err != nil {
			continue
		}
		err = fds[i].Init()
	}
	if err != nil {
		for _, fd := range fds {
			if fd != nil {
				fd.Close()
			}
		}
	}
	return fds, err
}

// IPStack tells whether the host has IPv4, and whether an IPv6 socket may speak IPv4 as
// well.
var IPStack = sync.OnceValue(func() (s struct{ IPv4, Mapped bool }) {
	if fd, errno := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, sys.IPPROTO_TCP); errno == 0 {
		sys.Close(fd)
		s.IPv4 = true
	}
	if !sys.MapsIPv4 {
		return s
	}
	fd, errno := sys.Socket(sys.AF_INET6, sys.SOCK_STREAM, sys.IPPROTO_TCP)
	if errno != 0 {
		return s
	}
	defer sys.Close(fd)
	sys.SetsockoptInt(uintptr(fd), sys.IPPROTO_IPV6, sys.IPV6_V6ONLY, 0)
	var sa sys.Sockaddr
	sa.SetInet6([16]byte(net.IPv4(127, 0, 0, 1).To16()), 0, 0)
	switch sys.Bind(uintptr(fd), &sa) {
	case 0, syscall.EPERM, syscall.EACCES:
		// A policy that refuses the address does not mean that the kernel lacks
		// it, go.dev/issue/77430.
		s.Mapped = true
	}
	return s
})

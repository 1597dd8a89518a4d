//go:build darwin || freebsd || netbsd || openbsd

package sys

import (
	"errors"

	"golang.org/x/sys/unix"
)

// OptGetBytes has no portable system call here, and no option needs one.
func OptGetBytes(fd uintptr, o Opt, b []byte) (int, error) {
	return 0, errors.ErrUnsupported
}

// OptSocketName describes the socket by family and type in net's words: "tcp4",
// "udp6", "raw6:0", "unixgram". It is empty if fd is no socket.
func OptSocketName(fd uintptr) string {
	typ, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return ""
	}
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return ""
	}
	domain := unix.AF_UNSPEC
	switch sa.(type) {
	case *unix.SockaddrInet4:
		domain = unix.AF_INET
	case *unix.SockaddrInet6:
		domain = unix.AF_INET6
	case *unix.SockaddrUnix:
		domain = unix.AF_UNIX
	}
	// The protocol is left out: not every system can tell it.
	return optSocketName(domain, typ, 0)
}

func optIPName(int) string { return "" }

package sockets

import (
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Blocking reports whether the open file behind c is in blocking mode, which is
// true of most files and of sockets that come from other programs.
func Blocking(c syscall.Conn) (on bool, err error) {
	err = controlMode(c, func(fd int) syscall.Errno {
		nonblocking, errno := sys.Nonblocking(fd)
		on = !nonblocking
		return errno
	})
	return on, err
}

// SetBlocking puts the open file behind c in blocking mode, or takes it out of it,
// for everybody who shares it: other descriptors for the same file, in this process
// and in others. Sockets and pipes of a Go program are non-blocking, and calls on
// them ignore deadlines and Close otherwise, so this is for a file that one shares
// with others, before they get it back:
//
//	was, err := sockets.Blocking(os.Stdin)
//	...
//	c, err := sockets.FileConn(os.Stdin)
//	...
//	c.Close()
//	sockets.SetBlocking(os.Stdin, was)
func SetBlocking(c syscall.Conn, on bool) error {
	return controlMode(c, func(fd int) syscall.Errno {
		if on {
			return sys.SetBlocking(fd)
		}
		return sys.SetNonblock(fd)
	})
}

// controlMode calls f with the descriptor of c.
func controlMode(c syscall.Conn, f func(fd int) syscall.Errno) error {
	var errno syscall.Errno
	if err := netfd.Control(c, func(fd uintptr) { errno = f(int(fd)) }); err != nil {
		return err
	}
	if errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	return nil
}

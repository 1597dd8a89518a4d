package sockets

import (
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Blocking reports whether the open file behind c is in blocking mode. Most files are,
// and so are sockets that come from other programs.
func Blocking(c syscall.Conn) (on bool, err error) {
	err = controlMode(c, func(fd int) syscall.Errno {
		nonblocking, errno := sys.Nonblocking(fd)
		on = !nonblocking
		return errno
	})
	return on, err
}

// SetBlocking turns the blocking mode of the open file behind c on or off. The mode
// applies to all descriptors that share the file, in this process and in others.
//
// Go needs its sockets and pipes to be non-blocking: calls on a blocking one ignore
// deadlines and Close. Use SetBlocking to restore the mode of a file that is shared
// with other programs once this program is done with it:
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
		return argumentError("connection", err)
	}
	if errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	return nil
}

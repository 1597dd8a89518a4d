package netfd

import (
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Accept waits for a connection and returns its descriptor, which is the caller's.
// It stores the peer in from.
func (fd *FD) Accept(from *sys.Sockaddr) (s int, err error) {
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(l uintptr) bool {
			s, errno = sys.Accept(l, from)
			return errno != sys.EAGAIN
		})
	}
	return s, fd.failed("accept4", errno, err)
}

// AcceptNow is Accept that fails with EAGAIN instead of waiting, for calls that
// wait already as well.
func (fd *FD) AcceptNow(from *sys.Sockaddr) (s int, err error) {
	var errno syscall.Errno
	err = fd.Control(func(l uintptr) { s, errno = sys.Accept(l, from) })
	return s, fd.failed("accept4", errno, err)
}

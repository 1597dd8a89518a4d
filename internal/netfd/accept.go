package netfd

import (
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Accept waits for a connection and returns its bare FD, of the listener's kind. It
// stores the peer in from.
func (fd *FD) Accept(from *sys.Sockaddr) (*FD, error) {
	var s int
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(l uintptr) bool {
			s, errno = sys.Accept(l, from)
			return errno != sys.EAGAIN
		})
	}
	return fd.accepted(s, errno, err)
}

// AcceptNow is Accept that fails with EAGAIN instead of waiting, for calls that
// wait already as well.
func (fd *FD) AcceptNow(from *sys.Sockaddr) (*FD, error) {
	var s int
	var errno syscall.Errno
	err := fd.Control(func(l uintptr) { s, errno = sys.Accept(l, from) })
	return fd.accepted(s, errno, err)
}

func (fd *FD) accepted(s int, errno syscall.Errno, err error) (*FD, error) {
	if err := fd.failed("accept4", errno, err); err != nil {
		return nil, err
	}
	return New(s, *fd.Kind)
}

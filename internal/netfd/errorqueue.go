package netfd

import (
	"errors"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// ReadErrorQueue takes the next message from the socket's error queue, without
// waiting: the beginning of the datagram that it is about, control data, and where
// that datagram went. See recvmsg(2), MSG_ERRQUEUE.
func (fd *FD) ReadErrorQueue(b, oob []byte, to *sys.Sockaddr) (n, oobn int, err error) {
	if sys.MSG_ERRQUEUE == 0 {
		return 0, 0, errors.ErrUnsupported
	}
	var errno syscall.Errno
	// Not through RawRead, which would wait for those who receive.
	err = fd.Control(func(s uintptr) {
		n, oobn, _, errno = sys.Recvmsg(s, b, oob, sys.MSG_ERRQUEUE|sys.MSG_DONTWAIT, to)
	})
	if err != nil {
		return 0, 0, err
	}
	if errno != 0 {
		return 0, 0, os.NewSyscallError("recvmsg", errno)
	}
	return n, oobn, nil
}

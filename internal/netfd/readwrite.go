package netfd

import (
	"io"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Read reads what a stream has, or one message.
//
// This and the methods below have few callees on purpose: what returns after a system
// call is what the processor does not predict. And they receive and send rather than
// read and write, which the kernel looks at once more for what concerns files alone.
func (fd *FD) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, fd.Control(func(uintptr) {}) // whether it is closed
	}
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(s uintptr) bool {
			if fd.hasUnread() {
				var ok bool
				if n, _, _, ok = fd.recvKept(s, b, nil, 0, nil); ok {
					errno = 0 // of the call before it waited
					return true
				}
			}
			if fd.offloads() != nil {
				n, _, _, errno = fd.splitOne(s, b, nil, 0, nil)
			} else if errno = fd.takeReadError(); errno == 0 {
				n, errno = sys.Recv(s, b)
			}
			return fd.settled(&errno, 0)
		})
	}
	switch {
	case err != nil || errno != 0:
		return 0, fd.failed("read", errno, err)
	case n == 0 && fd.IsStream():
		return 0, io.EOF
	}
	return n, nil
}

// Write writes all of b, in one go as seen by other writers, unless it fails.
func (fd *FD) Write(b []byte) (n int, err error) {
	var errno syscall.Errno
	var turn turn
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Write(func(s uintptr) bool {
			if errno = fd.takeWriteError(); errno != 0 {
				return true
			}
			turn.take(fd)
			for {
				var k int
				if fd.Type == sys.SOCK_SEQPACKET || len(b) == 0 {
					// It adds MSG_EOR, and says of nothing what package net says.
					k, errno = sys.Write(s, b[n:])
				} else {
					k, errno = sys.Send(s, b[n:])
				}
				if errno != 0 {
					settled := fd.settled(&errno, 0)
					if !settled {
						turn.park(fd, n > 0)
					}
					return settled
				}
				if n += k; n == len(b) || k == 0 {
					return true
				}
			}
		})
	}
	turn.end(fd)
	if err != nil || errno != 0 {
		return n, fd.failed("write", errno, err)
	}
	if n < len(b) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

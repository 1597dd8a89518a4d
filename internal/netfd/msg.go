package netfd

import (
	"io"
	"net"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// settled reports whether a call's outcome is the caller's: EAGAIN is only if
// there is to be no waiting.
func settled(errno syscall.Errno, flags int) bool {
	return errno != sys.EAGAIN || flags&sys.MSG_DONTWAIT != 0
}

// failed returns what the matter was: err with waiting for the named system call, or
// errno with that.
func (fd *FD) failed(call string, errno syscall.Errno, err error) error {
	if err != nil {
		err = fd.rawError(err)
		if err == os.ErrDeadlineExceeded || err == net.ErrClosed {
			return err
		}
		// The poller does not wait on EPOLLERR alone, which a socket shows for a
		// moment before it is seen to be closed by an error.
		v, e := fd.GetsockoptInt(sys.SOL_SOCKET, sys.SO_ERROR)
		if e != nil || v == 0 {
			return err
		}
		errno = syscall.Errno(v)
	}
	if errno != 0 {
		return os.NewSyscallError(call, errno)
	}
	return nil
}

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
				if n = fd.readKept(s, b, false); n > 0 {
					errno = 0 // of the call before it waited
					return true
				}
			}
			if fd.offloads() != nil {
				n, _, _, errno = fd.splitOne(s, b, nil, 0, nil)
			} else {
				n, errno = sys.Recv(s, b)
			}
			return errno != sys.EAGAIN
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
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Write(func(s uintptr) bool {
			for {
				var k int
				if fd.Type == sys.SOCK_SEQPACKET {
					k, errno = sys.Write(s, b[n:]) // which adds MSG_EOR
				} else {
					k, errno = sys.Send(s, b[n:])
				}
				if errno != 0 {
					return errno != sys.EAGAIN
				}
				if n += k; n == len(b) || k == 0 {
					return true
				}
			}
		})
	}
	if err != nil || errno != 0 {
		return n, fd.failed("write", errno, err)
	}
	if n < len(b) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// RecvFrom receives one message into b, or what a stream has, and stores the sender
// in from.
func (fd *FD) RecvFrom(b []byte, flags int, from *sys.Sockaddr) (n int, err error) {
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(s uintptr) bool {
			if fd.hasUnread() {
				if n = fd.readKept(s, b, flags&sys.MSG_PEEK != 0); n > 0 {
					errno = 0 // of the call before it waited
					return true
				}
			}
			if fd.offloads() != nil {
				n, _, _, errno = fd.splitOne(s, b, nil, flags, from)
			} else {
				n, errno = sys.Recvfrom(s, b, flags, from)
			}
			return settled(errno, flags)
		})
	}
	switch {
	case err != nil || errno != 0:
		return 0, fd.failed("recvfrom", errno, err)
	case n == 0 && fd.IsStream():
		return 0, io.EOF
	}
	return n, nil
}

// SendTo sends b to the address to, or to the peer if there is none.
func (fd *FD) SendTo(b []byte, flags int, to *sys.Sockaddr) (n int, err error) {
	if flags&sys.MSG_MORE != 0 {
		fd.cork()
	}
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Write(func(s uintptr) bool {
			n, errno = sys.Sendto(s, b, flags, to)
			return settled(errno, flags)
		})
	}
	if err != nil || errno != 0 {
		return 0, fd.failed("sendto", errno, err)
	}
	return n, nil
}

// RecvMsg receives one message into b and its control data into oob, and stores
// the sender in from. rflags are the flags that came with it, MSG_TRUNC and others.
// Control data travels with an octet at least, so an empty b takes one that is
// counted but not seen, except on datagram sockets.
func (fd *FD) RecvMsg(b, oob []byte, flags int, from *sys.Sockaddr) (n, oobn, rflags int, err error) {
	var octet [1]byte
	if len(b) == 0 && len(oob) > 0 && fd.Type != sys.SOCK_DGRAM {
		b = octet[:]
	}
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(s uintptr) bool {
			if fd.hasUnread() {
				b := b
				if fd.hasOctet() && len(oob) > 0 {
					b = b[:min(len(b), 1)] // control data come with what is behind it
				}
				if n = fd.readKept(s, b, flags&sys.MSG_PEEK != 0); n > 0 {
					errno = 0 // of the call before it waited
					return true
				}
			}
			if fd.offloads() != nil {
				n, oobn, rflags, errno = fd.splitOne(s, b, oob, flags, from)
			} else {
				n, oobn, rflags, errno = sys.Recvmsg(s, b, oob, flags, from)
			}
			return settled(errno, flags)
		})
	}
	switch {
	case err != nil || errno != 0:
		return 0, 0, 0, fd.failed("recvmsg", errno, err)
	case n == 0 && fd.IsStream():
		return 0, oobn, rflags, io.EOF
	}
	return n, oobn, rflags, nil
}

// SendMsg sends b with control data to the address to, or to the peer if there is
// none. On other than datagram sockets an octet of zero carries the control data if
// b is empty, and is not counted.
func (fd *FD) SendMsg(b, oob []byte, flags int, to *sys.Sockaddr) (n int, err error) {
	data := b
	if len(b) == 0 && len(oob) > 0 && fd.Type != sys.SOCK_DGRAM {
		data = []byte{0}
	}
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Write(func(s uintptr) bool {
			n, errno = sys.Sendmsg(s, data, oob, flags, to)
			return settled(errno, flags)
		})
	}
	if err != nil || errno != 0 {
		return 0, fd.failed("sendmsg", errno, err)
	}
	return min(n, len(b)), nil
}

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

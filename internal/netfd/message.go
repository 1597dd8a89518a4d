package netfd

import (
	"io"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// RecvFrom receives one message into b, or what a stream has, and stores the sender
// in from.
//
// This and the methods below need not wait with MSG_DONTWAIT, and do not: neither for
// data or room, nor for calls that wait for these.
func (fd *FD) RecvFrom(b []byte, flags int, from *sys.Sockaddr) (n int, err error) {
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		receive := func(s uintptr) bool {
			if fd.hasUnread() {
				var ok bool
				if n, _, _, ok = fd.recvKept(s, b, nil, flags, from); ok {
					errno = 0 // of the call before it waited
					return true
				}
			}
			if fd.offloads() != nil {
				n, _, _, errno = fd.splitOne(s, b, nil, flags, from)
			} else if errno = fd.takeReadError(); errno == 0 {
				n, errno = sys.Recvfrom(s, b, flags, from)
			}
			return fd.settled(&errno, flags)
		}
		if flags&sys.MSG_DONTWAIT == 0 {
			err = raw.Read(receive)
		} else {
			err = raw.Control(func(s uintptr) { receive(s) })
		}
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
	var full fullness
	raw, err := fd.file.SyscallConn()
	if err == nil {
		send := func(s uintptr) bool {
			if errno = fd.takeWriteError(); errno != 0 {
				return true
			}
			if n, errno = sys.Sendto(s, b, flags, to); errno == sys.EAGAIN {
				full.again(fd, to, flags)
			}
			return fd.settled(&errno, flags)
		}
		if flags&sys.MSG_DONTWAIT == 0 {
			err = raw.Write(send)
		} else {
			err = raw.Control(func(s uintptr) { send(s) })
		}
	}
	if err != nil || errno != 0 {
		return 0, fd.failed("sendto", errno, err)
	}
	return n, nil
}

// RecvMsg receives one message into b and its control data into oob, and stores
// the sender in from. rflags are the flags that came with it, MSG_TRUNC and others.
// Control data travels with a byte at least, so an empty b takes one that is
// counted but not seen, except on datagram sockets.
func (fd *FD) RecvMsg(b, oob []byte, flags int, from *sys.Sockaddr) (n, oobn, rflags int, err error) {
	var one [1]byte
	if len(b) == 0 && len(oob) > 0 && fd.Type != sys.SOCK_DGRAM {
		b = one[:]
	}
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		receive := func(s uintptr) bool {
			if fd.hasUnread() {
				var ok bool
				if n, oobn, rflags, ok = fd.recvKept(s, b, oob, flags, from); ok {
					errno = 0 // of the call before it waited
					return true
				}
			}
			if fd.offloads() != nil {
				n, oobn, rflags, errno = fd.splitOne(s, b, oob, flags, from)
			} else if errno = fd.takeReadError(); errno == 0 {
				n, oobn, rflags, errno = sys.Recvmsg(s, b, oob, flags, from)
			}
			return fd.settled(&errno, flags)
		}
		if flags&sys.MSG_DONTWAIT == 0 {
			err = raw.Read(receive)
		} else {
			err = raw.Control(func(s uintptr) { receive(s) })
		}
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
// none. On other than datagram sockets a byte of zero carries the control data if
// b is empty, and is not counted.
func (fd *FD) SendMsg(b, oob []byte, flags int, to *sys.Sockaddr) (n int, err error) {
	data := b
	if len(b) == 0 && len(oob) > 0 && fd.Type != sys.SOCK_DGRAM {
		data = []byte{0}
	}
	var errno syscall.Errno
	var full fullness
	raw, err := fd.file.SyscallConn()
	if err == nil {
		send := func(s uintptr) bool {
			if errno = fd.takeWriteError(); errno != 0 {
				return true
			}
			if n, errno = sys.Sendmsg(s, data, oob, flags, to); errno == sys.EAGAIN {
				full.again(fd, to, flags)
			}
			return fd.settled(&errno, flags)
		}
		if flags&sys.MSG_DONTWAIT == 0 {
			err = raw.Write(send)
		} else {
			err = raw.Control(func(s uintptr) { send(s) })
		}
	}
	if err != nil || errno != 0 {
		return 0, fd.failed("sendmsg", errno, err)
	}
	return min(n, len(b)), nil
}

// fullness counts how often a call found the queue of a unix datagram socket full that is
// its peer. No event says when that has room again, and the kernel says that there is
// room for as long as the sender's own buffer has some: the poller does not wait.
type fullness int

// Some attempts follow each other at once, for a receiver that is busy; then they become
// rare.
const (
	soonAgain   = 8
	firstPause  = 20 * time.Microsecond
	longestWait = 10 * time.Millisecond
)

// again is called after each EAGAIN, and takes the time until the next attempt.
func (f *fullness) again(fd *FD, to *sys.Sockaddr, flags int) {
	if fd.Family != sys.AF_UNIX || fd.Type != sys.SOCK_DGRAM || flags&sys.MSG_DONTWAIT != 0 || to == nil || to.Family() == sys.AF_UNSPEC {
		return
	}
	if *f++; *f > soonAgain {
		time.Sleep(min(firstPause<<min(*f-soonAgain, 20), longestWait))
	}
}

package netfd

import (
	"io"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// SendAll sends all of b on a stream, in one go as seen by other writers. With an
// error, which is EAGAIN if flags have MSG_DONTWAIT and there is no more room, it
// tells how much was sent.
func (fd *FD) SendAll(b []byte, flags int) (done int, err error) {
	if flags&sys.MSG_DONTWAIT != 0 {
		return fd.sendNow(b, flags)
	}
	var errno syscall.Errno
	var turn turn
	err = fd.RawWrite(func(s uintptr) bool {
		turn.take(fd)
		for {
			rest, flags := urgentLast(b[done:], flags)
			var n int
			if n, errno = sys.Sendto(s, rest, flags, nil); errno != 0 {
				settled := fd.settled(&errno, flags)
				if !settled {
					turn.park(fd, done > 0)
				}
				return settled
			}
			if done += n; done == len(b) {
				return true
			}
		}
	})
	turn.end(fd)
	return done, fd.failed("sendto", errno, err)
}

// sendNow is SendAll that never waits, neither for room nor for another writer, in the
// middle of whose data it does not send.
func (fd *FD) sendNow(b []byte, flags int) (done int, err error) {
	var errno syscall.Errno
	err = fd.Control(func(s uintptr) {
		turns, ok := fd.takeNow()
		if !ok {
			errno = sys.EAGAIN
			return
		}
		defer turns.endNow()
		for {
			rest, flags := urgentLast(b[done:], flags)
			var n int
			if n, errno = sys.Sendto(s, rest, flags, nil); errno != 0 {
				fd.failedFor(&errno, flags)
				return
			}
			if done += n; done == len(b) {
				return
			}
			if n < len(rest) {
				errno = sys.EAGAIN
				return
			}
		}
	})
	return done, fd.failed("sendto", errno, err)
}

// urgentLast returns what of b goes into the next call, which is to mark the last byte
// of b alone as urgent: the kernel marks the last one that it takes, which need not be
// all.
func urgentLast(b []byte, flags int) ([]byte, int) {
	if flags&sys.MSG_OOB != 0 && len(b) > 1 {
		return b[:len(b)-1], flags &^ sys.MSG_OOB
	}
	return b, flags
}

// RecvStream receives from a stream into b, which must not be empty. With all it
// fills b, unless the stream ends, and with an error tells how much it received.
// urgent data is not waited for, and MSG_DONTWAIT waits for no other reader either.
func (fd *FD) RecvStream(b []byte, flags int, all, urgent bool) (done int, err error) {
	peek := flags&sys.MSG_PEEK != 0
	var errno syscall.Errno
	receive := func(s uintptr) bool {
		for {
			if peek {
				done = 0 // each time the queue is seen from its start
			}
			n := 0
			if fd.hasUnread() && !urgent {
				n, _, _, _ = fd.recvKept(s, b[done:], nil, flags, nil)
			}
			if n > 0 {
				errno = 0
			} else if errno = fd.takeReadError(); errno == 0 {
				n, errno = sys.Recvfrom(s, b[done:], flags, nil)
			}
			if errno != 0 {
				return urgent || fd.settled(&errno, flags)
			}
			done += n
			if n == 0 || !all || urgent || done == len(b) || peek && fd.hasUnread() {
				return true
			}
			if peek {
				// The same again until more arrives, or the end, of which the
				// poller will tell.
				return flags&sys.MSG_DONTWAIT != 0 || sys.PeerEnded(s)
			}
		}
	}
	if urgent || flags&sys.MSG_DONTWAIT != 0 {
		err = fd.Control(func(s uintptr) { receive(s) })
	} else {
		err = fd.RawRead(receive)
	}
	switch {
	case err == nil && errno == sys.EAGAIN && done > 0:
		return done, nil // MSG_DONTWAIT ends WaitAll
	case err == nil && errno == 0 && done == 0:
		return 0, io.EOF
	}
	return done, fd.failed("recvfrom", errno, err)
}

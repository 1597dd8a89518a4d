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
	var errno syscall.Errno
	err = fd.RawWrite(func(s uintptr) bool {
		for {
			rest, flags := b[done:], flags
			if flags&sys.MSG_OOB != 0 && len(rest) > 1 {
				// The kernel marks the last byte of what it takes in one call,
				// which need not be all.
				rest, flags = rest[:len(rest)-1], flags&^sys.MSG_OOB
			}
			var n int
			if n, errno = sys.Sendto(s, rest, flags, nil); errno != 0 {
				return fd.settled(&errno, flags)
			}
			if done += n; done == len(b) {
				return true
			}
		}
	})
	return done, fd.failed("sendto", errno, err)
}

// RecvStream receives from a stream into b, which must not be empty. With all it
// fills b, unless the stream ends, and with an error tells how much it received.
// urgent data is not waited for.
func (fd *FD) RecvStream(b []byte, flags int, all, urgent bool) (done int, err error) {
	peek := flags&sys.MSG_PEEK != 0
	var errno syscall.Errno
	err = fd.RawRead(func(s uintptr) bool {
		for {
			if peek {
				done = 0 // each time the queue is seen from its start
			}
			n := 0
			if fd.hasUnread() && !urgent {
				n = fd.readKept(s, b[done:], peek)
			}
			if n > 0 {
				errno = 0
			} else if n, errno = sys.Recvfrom(s, b[done:], flags, nil); errno != 0 {
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
	})
	switch {
	case err == nil && errno == sys.EAGAIN && done > 0:
		return done, nil // MSG_DONTWAIT ends WaitAll
	case err == nil && errno == 0 && done == 0:
		return 0, io.EOF
	}
	return done, fd.failed("recvfrom", errno, err)
}

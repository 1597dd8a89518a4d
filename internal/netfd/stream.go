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
				return settled(errno, flags)
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
				return urgent || settled(errno, flags)
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

// SetPeer gives a datagram socket another peer than the one it may have, which it
// keeps if that fails.
func (fd *FD) SetPeer(to *sys.Sockaddr) error {
	var old sys.Sockaddr
	hadPeer := (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6) && fd.Peername(&old) == nil
	if !hadPeer || old.IsMapped() == to.IsMapped() {
		if err := fd.StartConnect(to); err == nil || !hadPeer {
			return err
		}
	}
	// The kernel stays with the source address that it chose for the old peer, from
	// which this one may not be reachable.
	err := fd.Disconnect()
	if err == nil {
		err = fd.StartConnect(to)
	}
	if err != nil {
		fd.StartConnect(&old)
	}
	return err
}

// Disconnect leaves a datagram socket without a peer, but with its port, which the
// kernel takes away unless bind was called with it. In the moment between, another
// socket may get the port; the error is EADDRINUSE then.
func (fd *FD) Disconnect() error {
	var before, after sys.Sockaddr
	if err := fd.Sockname(&before); err != nil {
		return err
	}
	if err := fd.control("connect", sys.Disconnect); err != nil {
		return err
	}
	if fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 {
		return nil
	}
	if err := fd.Sockname(&after); err != nil {
		return err
	}
	port := before.Port()
	if port == 0 || after.Port() == port {
		return nil
	}
	after.SetPort(port)
	return fd.Bind(&after)
}

// Unconnect takes back a connect that failed or was given up, so that another may
// follow. The socket keeps the port in local, which the kernel takes away if it
// was the kernel that chose it. It is best effort: what remains, the next connect
// tells.
func (fd *FD) Unconnect(local *sys.Sockaddr) {
	fd.control("connect", sys.Disconnect)
	if (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6) && local.Port() != 0 {
		// Linux goes on naming a port that it has taken away. Where it has not,
		// this fails.
		fd.Bind(local)
	}
}

package netfd

import (
	"io"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// SendAll sends all of b on a stream, in one go as seen by other writers. With an
// error, or MSG_DONTWAIT, it tells how much was sent.
func (fd *FD) SendAll(m *Msg, b []byte, flags int) (sent int, err error) {
	var errno syscall.Errno
	err = fd.RawWrite(func(s uintptr) bool {
		for {
			var n int
			n, errno = sys.Sendto(s, b[sent:], flags, &m.Name)
			switch {
			case errno == sys.EINTR:
				continue
			case errno == sys.EAGAIN:
				return flags&sys.MSG_DONTWAIT != 0
			case errno != 0:
				return true
			}
			if sent += n; sent == len(b) {
				return true
			}
		}
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("sendto", errno)
	}
	return sent, err
}

// RecvStream receives from a stream. With all it fills b, which must not be empty,
// and with an error tells how much it received; urgent data is not waited for.
func (fd *FD) RecvStream(m *Msg, b []byte, flags int, all, urgent bool) (got int, err error) {
	var errno syscall.Errno
	eof := false
	err = fd.RawRead(func(s uintptr) bool {
		for {
			at := got
			if flags&sys.MSG_PEEK != 0 {
				at = 0 // the queue has it all, each time
			}
			var n int
			n, errno = sys.Recvfrom(s, b[at:], flags, &m.Name)
			switch {
			case errno == sys.EINTR:
				continue
			case errno == sys.EAGAIN:
				return urgent || flags&sys.MSG_DONTWAIT != 0
			case errno != 0:
				return true
			case n == 0:
				eof = true
				return true
			}
			got = at + n
			if !all || got == len(b) {
				return true
			}
			if flags&sys.MSG_PEEK != 0 {
				// Peeking again gives the same until more arrives, of which the
				// poller will tell, as of the end.
				if flags&sys.MSG_DONTWAIT != 0 {
					return true
				}
				if sys.PeerEnded(s) {
					return true
				}
				return false
			}
		}
	})
	switch {
	case err != nil:
		return got, err
	case errno != 0 && (got == 0 || errno != sys.EAGAIN):
		return got, os.NewSyscallError("recvfrom", errno)
	case eof && got == 0:
		return 0, io.EOF
	}
	return got, nil
}

// Disconnect leaves a datagram socket without a peer, but with its port, which the
// kernel takes away unless bind was called with it.
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

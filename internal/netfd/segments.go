package netfd

import (
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// SendSegments sends b to the address to, or to the peer if there is none, in datagrams
// of the given size with the control data oob each, of which the last may be shorter.
// It returns how much was sent. An empty b is one datagram.
func (fd *FD) SendSegments(b, oob []byte, size int, to *sys.Sockaddr) (n int, err error) {
	var (
		j     joining
		room  [128]byte
		joins []byte
		errno syscall.Errno
	)
	if len(b) > size && sys.UDP_SEGMENT >= 0 && sys.TakesSegmentSize(oob) {
		j.join(fd)
		joins = sys.AppendSegmentSize(append(room[:0], oob...), size)
	}
	if fd.corked() {
		j.singly = 1
	}
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Write(func(s uintptr) bool {
			if errno = fd.takeWriteError(); errno != 0 {
				return true
			}
			for {
				first := n / size
				k := j.segments(b[n:], first, size, to)
				control := joins
				if k == 1 {
					control = oob
				}
				part := b[n:min(n+k*size, len(b))]
				switch _, errno = sys.Sendmsg(s, part, control, 0, to); {
				case errno == 0:
					j.worked()
					if n += len(part); n == len(b) {
						return true
					}
				case k == 1 || !j.failed(errno, to, size, first, first+k):
					return errno != sys.EAGAIN
				}
			}
		})
	}
	if err != nil || errno != 0 {
		return n, fd.failed("sendmsg", errno, err)
	}
	return n, nil
}

// segments returns how many datagrams at the front of b may go out as one. The first is
// the one with the given number.
func (j *joining) segments(b []byte, first, size int, to *sys.Sockaddr) int {
	if len(b) <= size || j.refused == nil || first < j.singly {
		return 1
	}
	k := min((len(b)+size-1)/size, j.limit, maxJoined/size)
	if k < 2 || j.refused.refuses(to, size) {
		return 1
	}
	return k
}

// RecvSegments receives datagrams into b that one sender sent with equal control data,
// which it stores in oob. They are size bytes long each, but for the last, which may be
// shorter. What does not fit in b is received next, unless it is a part of a datagram.
func (fd *FD) RecvSegments(b, oob []byte, from *sys.Sockaddr) (n, oobn, rflags, size int, err error) {
	var (
		oobs  [len(merged{}.oobs)]byte
		errno syscall.Errno
	)
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(s uintptr) bool {
			if fd.offloads() == nil {
				if errno = fd.takeReadError(); errno == 0 {
					n, oobn, rflags, errno = sys.Recvmsg(s, b, oob, 0, from)
				}
				size = n
			} else {
				n, oobn, rflags, size, errno = fd.splitSegments(s, b, oob, oobs[:], from)
			}
			return errno != sys.EAGAIN
		})
	}
	if err != nil || errno != 0 {
		return 0, 0, 0, 0, fd.failed("recvmsg", errno, err)
	}
	return n, oobn, rflags, size, nil
}

// splitSegments is RecvSegments where the kernel may merge. oobs has room for all control
// data.
func (fd *FD) splitSegments(s uintptr, b, oob, oobs []byte, from *sys.Sockaddr) (n, oobn, rflags, size int, errno syscall.Errno) {
	o := fd.offloads()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pending == nil && len(b) >= maxMerged-1 {
		if errno = take(&fd.need().heldRead); errno == 0 {
			n, oobn, rflags, errno = sys.Recvmsg(s, b, oobs, 0, from)
		}
		if errno != 0 {
			return 0, 0, 0, 0, errno
		}
		size, oobs = sys.TakeSegmentSize(oobs[:oobn])
		if size <= 0 || size > n {
			size = n
		}
		var all bool
		if oobn, all = sys.CopyCmsgs(oob, oobs); !all {
			rflags |= sys.MSG_CTRUNC
		}
		return n, oobn, rflags, size, 0
	}
	if errno = fd.needPending(s, o, 0); errno != 0 {
		return 0, 0, 0, 0, errno
	}
	g := o.pending.first()
	size = min(g.size, len(g.data))
	k := 1
	if size > 0 {
		k = max(1, min(g.left, len(b)/size))
	}
	data := g.data[:min(k*size, len(g.data))]
	n, oobn, rflags = g.result(copy(b, data), len(data), oob, 0)
	*from = g.name
	o.drop(k, len(data))
	return n, oobn, rflags, min(size, n), 0
}

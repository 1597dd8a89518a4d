package netfd

import (
	"sync/atomic"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// kept is something that was taken from a socket and could not be delivered. It is
// read from the socket again, before what the kernel has. Once it is in a queue, the
// queue's lock guards its contents as well.
type kept struct {
	next *kept
	turn uint64 // pieces are read in the order in which they were taken

	data []byte // in front of what is in the pipe
	pipe *pipe  // nil if nothing is

	// message is what came with data in one recvmsg, nil if nothing is known of that.
	message *message
}

// message is what recvmsg(2) tells beside the data.
type message struct {
	oob   []byte // descriptors in it are open
	flags int
	from  sys.Sockaddr
}

func (k *kept) len() int {
	n := len(k.data)
	if k.pipe != nil {
		n += k.pipe.n
	}
	return n
}

// read takes bytes out of k; none if it is empty.
func (k *kept) read(b []byte) (int, syscall.Errno) {
	if len(k.data) > 0 {
		n := copy(b, k.data)
		k.data = k.data[n:]
		return n, 0
	}
	if k.pipe != nil {
		return k.pipe.read(b)
	}
	return 0, 0
}

// peek is read, and leaves the bytes to the next read.
func (k *kept) peek(b []byte) (int, syscall.Errno) {
	if len(k.data) == 0 && k.pipe != nil {
		// There is tee(2), but it takes another pipe, which may not be had.
		if errno := k.spill(min(len(b), k.len())); errno != 0 {
			return 0, errno
		}
	}
	return copy(b, k.data), 0
}

// spill moves up to n bytes from the pipe to data, which must be empty.
func (k *kept) spill(n int) syscall.Errno {
	b := make([]byte, n)
	n, errno := k.pipe.read(b)
	k.data = b[:n]
	return errno
}

// control moves the control data to oob. The kernel cuts off descriptors that do not
// fit; here all of them are closed then. A peek does not see them.
func (m *message) control(oob []byte, peek bool) (oobn, rflags int) {
	switch {
	case len(m.oob) == 0:
	case peek || len(oob) < len(m.oob):
		rflags = sys.MSG_CTRUNC
	default:
		oobn = copy(oob, m.oob)
		m.oob = nil
	}
	return oobn, rflags
}

// close closes the descriptors in the control data.
func (m *message) close() {
	if len(m.oob) == 0 {
		return
	}
	r := GetRights()
	r.Parse(m.oob)
	r.CloseAll()
	r.Free()
	m.oob = nil
}

// drop forgets what is left of k.
func (k *kept) drop() {
	if k.pipe != nil {
		k.pipe.put()
	}
	if k.message != nil {
		k.message.close()
	}
	k.data, k.pipe, k.message = nil, nil, nil
}

// turns counts pieces of all sockets.
var turns atomic.Uint64

// nextTurn returns the place in the order of pieces of what is taken next. The
// caller holds the read lock.
func nextTurn() uint64 { return turns.Add(1) }

// keep has k read from fd again. It reports false if fd is closed.
func (fd *FD) keep(k *kept) bool {
	done := false
	// Close waits for callbacks to leave, and looks then.
	fd.Control(func(uintptr) {
		m := fd.need()
		m.keeping.Lock()
		defer m.keeping.Unlock()
		first := m.unread.Load()
		if first == nil || k.turn < first.turn {
			k.next = first
			m.unread.Store(k)
		} else {
			at := first
			for at.next != nil && at.next.turn < k.turn {
				at = at.next
			}
			k.next, at.next = at.next, k
		}
		done = true
	})
	return done
}

// keepMessage has data read from fd again, as they came in one recvmsg with control
// data and flags.
func (fd *FD) keepMessage(data, oob []byte, flags int, from *sys.Sockaddr) {
	m := &message{flags: flags, from: *from}
	if len(oob) > 0 {
		m.oob = append(m.oob, oob...)
	}
	k := &kept{turn: nextTurn(), data: append([]byte(nil), data...), message: m}
	if !fd.keep(k) {
		k.drop()
	}
}

// hasUnread reports whether something is kept.
func (fd *FD) hasUnread() bool {
	m := fd.more.Load()
	return m != nil && m.unread.Load() != nil
}

// takeUnread returns the first piece, which is the caller's then; nil if there is
// none.
func (fd *FD) takeUnread() *kept {
	m := fd.more.Load()
	if m == nil || m.unread.Load() == nil {
		return nil
	}
	m.keeping.Lock()
	defer m.keeping.Unlock()
	return m.pop()
}

// pop is takeUnread for a caller that holds the queue's lock.
func (m *more) pop() *kept {
	k := m.unread.Load()
	if k != nil {
		m.unread.Store(k.next)
		k.next = nil
	}
	return k
}

// recvKept is recvmsg(2) for what was kept, of a stream at least a byte. It is not ok
// if there is nothing any more. oob and from may be nil. Bytes of a stream that came
// with control data come alone if the caller asks for those. What cannot be read stays,
// and the reason is held for takeReadError.
func (fd *FD) recvKept(s uintptr, b, oob []byte, flags int, from *sys.Sockaddr) (n, oobn, rflags int, ok bool) {
	m := fd.more.Load()
	m.keeping.Lock()
	defer m.keeping.Unlock()
	peek := flags&sys.MSG_PEEK != 0
	if fd.Type != sys.SOCK_STREAM {
		return m.recvMessage([][]byte{b}, oob, flags, from)
	}
	for k := m.unread.Load(); k != nil && n == 0 && len(b) > 0; k = m.unread.Load() {
		if k.message != nil {
			oobn, rflags = k.message.control(oob, peek)
			if len(oob) == 0 && k.next == nil && k.len() < len(b) {
				// No reader expects a part of what came as a whole.
				var more int
				n, more = readMore(s, b[k.len():], peek)
				rflags |= more
			}
		}
		var got int
		var errno syscall.Errno
		if peek {
			got, errno = k.peek(b)
		} else {
			got, errno = k.read(b)
		}
		if errno != 0 {
			hold(&m.heldRead, errno)
			return 0, 0, 0, false
		}
		if n += got; peek {
			return n, oobn, rflags, true
		}
		if k.len() == 0 {
			m.pop().drop()
		}
	}
	return n, oobn, rflags, n > 0
}

// recvvKept is recvKept into several buffers, of which those of a stream may be filled
// in part.
func (fd *FD) recvvKept(s uintptr, bufs [][]byte, oob []byte, flags int, from *sys.Sockaddr) (n, oobn, rflags int, ok bool) {
	if fd.Type == sys.SOCK_STREAM {
		return fd.recvKept(s, bufs[0], oob, flags, from)
	}
	m := fd.more.Load()
	m.keeping.Lock()
	defer m.keeping.Unlock()
	return m.recvMessage(bufs, oob, flags, from)
}

// recvMessage is recvKept for other than streams. The caller holds the queue's lock.
func (m *more) recvMessage(bufs [][]byte, oob []byte, flags int, from *sys.Sockaddr) (n, oobn, rflags int, ok bool) {
	k := m.unread.Load()
	if k == nil {
		return 0, 0, 0, false
	}
	peek := flags&sys.MSG_PEEK != 0
	oobn, rflags = k.message.control(oob, peek)
	rflags |= k.message.flags
	if n = scatter(bufs, k.data); n < len(k.data) {
		rflags |= sys.MSG_TRUNC
		if flags&sys.MSG_TRUNC != 0 {
			n = len(k.data)
		}
	}
	if from != nil {
		*from = k.message.from
	}
	if !peek {
		m.pop().drop()
	}
	return n, oobn, rflags, true
}

// keptRights reports whether something is kept, and how many descriptors came with
// the first of it.
func (fd *FD) keptRights() (kept bool, rights int) {
	m := fd.more.Load()
	if m == nil {
		return false, 0
	}
	m.keeping.Lock()
	defer m.keeping.Unlock()
	k := m.unread.Load()
	if k == nil || k.message == nil || len(k.message.oob) == 0 {
		return k != nil, 0
	}
	r := GetRights()
	defer r.Free() // which leaves descriptors open
	r.Parse(k.message.oob)
	return true, len(r.Rights)
}

// readMore reads what there is, or has a look at it, and leaves errors to the next
// read: the kernel reports them once. rflags tells whether control data were cut off.
func readMore(s uintptr, b []byte, peek bool) (n, rflags int) {
	if sys.Unread(s) == 0 {
		return 0, 0
	}
	flags := sys.MSG_DONTWAIT
	if peek {
		flags |= sys.MSG_PEEK
	}
	n, _, rflags, _ = sys.Recvmsg(s, b, nil, flags, nil)
	return max(n, 0), rflags & sys.MSG_CTRUNC
}

// dropUnread closes what a closed fd has left.
func (fd *FD) dropUnread() {
	for k := fd.takeUnread(); k != nil; k = fd.takeUnread() {
		k.drop()
	}
}

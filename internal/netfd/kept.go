package netfd

import (
	"github.com/iolib-go/sockets/internal/sys"
)

// kept is a piece that was taken from a socket and could not be delivered. It is
// read from the socket again, before what the kernel has.
type kept struct {
	next *kept
	turn uint64 // pieces are read in the order in which they were taken

	data []byte // in front of what is in the pipe
	pipe *pipe  // nil if nothing is

	// octet says that keepOctet was called with data, and cred who sent it.
	octet   bool
	cred    sys.Ucred
	hasCred bool
}

func (k *kept) len() int {
	n := len(k.data)
	if k.pipe != nil {
		n += max(k.pipe.n, 0)
	}
	return n
}

// read takes octets out of k; none if it is empty.
func (k *kept) read(b []byte) int {
	if len(k.data) > 0 {
		n := copy(b, k.data)
		k.data = k.data[n:]
		return n
	}
	if k.pipe != nil {
		return k.pipe.read(b)
	}
	return 0
}

// peek is read, and leaves the octets to the next read.
func (k *kept) peek(b []byte) int {
	if len(k.data) == 0 && k.pipe != nil {
		// There is tee(2), but it takes another pipe, which may not be had.
		data := make([]byte, min(len(b), k.len()))
		k.data = data[:k.pipe.read(data)]
	}
	return copy(b, k.data)
}

// drop forgets what is left of k.
func (k *kept) drop() {
	if k.pipe != nil {
		k.pipe.put()
	}
	k.data, k.pipe = nil, nil
}

// nextTurn returns the place in the order of pieces of what is taken next. The
// caller holds the read lock.
func (fd *FD) nextTurn() uint64 { return fd.need().turns.Add(1) }

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

// keepOctet has the octet of r read from fd again. It is called with the read lock
// held. It needs no descriptors, of which there may be none.
func (fd *FD) keepOctet(r *Rights) {
	fd.keep(&kept{turn: fd.nextTurn(), data: []byte{r.octet[0]}, octet: true, cred: r.Cred, hasCred: r.HasCred})
}

// unread returns the first piece that was kept, nil if there is none.
func (fd *FD) unread() *kept {
	if m := fd.more.Load(); m != nil {
		return m.unread.Load()
	}
	return nil
}

func (fd *FD) hasUnread() bool { return fd.unread() != nil }

// hasOctet reports whether what is read next was left by keepOctet.
func (fd *FD) hasOctet() bool {
	k := fd.unread()
	return k != nil && k.octet
}

// takeUnread returns the first piece, which is the caller's then; nil if there is
// none. The caller holds the read lock, or fd is closed.
func (fd *FD) takeUnread() *kept {
	k := fd.unread()
	if k != nil {
		fd.remove(k)
	}
	return k
}

// remove takes a piece out of the queue. The caller holds the read lock, or fd is
// closed: a piece may come in front of k meanwhile, but none goes.
func (fd *FD) remove(k *kept) {
	m := fd.more.Load()
	m.keeping.Lock()
	defer m.keeping.Unlock()
	if first := m.unread.Load(); first == k {
		m.unread.Store(k.next)
	} else {
		at := first
		for at.next != k {
			at = at.next
		}
		at.next = k.next
	}
	k.next = nil
}

// isLast reports whether what comes behind k is in the socket still.
func (fd *FD) isLast(k *kept) bool {
	m := fd.more.Load()
	m.keeping.Lock()
	defer m.keeping.Unlock()
	return k.next == nil
}

// readKept reads what was kept, or has a look at it, 0 if there is nothing any more.
// The caller holds the read lock.
func (fd *FD) readKept(s uintptr, b []byte, peek bool) (n int) {
	for k := fd.unread(); k != nil && n == 0 && len(b) > 0; k = fd.unread() {
		if k.octet && fd.isLast(k) {
			// Nobody expects an octet of what came as a whole.
			n = fd.readMore(s, b[1:], peek)
		}
		if peek {
			return n + k.peek(b)
		}
		n += k.read(b)
		if k.len() == 0 {
			fd.remove(k)
			k.drop()
		}
	}
	return n
}

// readMore reads what there is, or has a look at it, and leaves errors to the next
// read: the kernel reports them once.
func (fd *FD) readMore(s uintptr, b []byte, peek bool) int {
	if len(b) == 0 || sys.Unread(s) == 0 {
		return 0
	}
	flags := sys.MSG_DONTWAIT
	if peek {
		flags |= sys.MSG_PEEK
	}
	n, _ := sys.Recvfrom(s, b, flags, nil)
	return max(n, 0)
}

// dropUnread closes what a closed fd has left.
func (fd *FD) dropUnread() {
	for k := fd.takeUnread(); k != nil; k = fd.takeUnread() {
		k.drop()
	}
}

package netfd

import (
	"runtime"
	"sync"

	"github.com/iolib-go/sockets/internal/sys"
)

// pipeSize is the room that a pipe is made with, the most that a system grants to
// everybody, see /proc/sys/fs/pipe-max-size in proc(5).
const pipeSize = 1 << 20

// A pipe is where octets are between two sockets, see splice(2).
type pipe struct {
	pipeEnds
	n       int // octets in it
	cleanup runtime.Cleanup

	// head is in front of what the system has, and part of n.
	head []byte

	// octet is what is in a pipe that was not made, see keepOctet, and cred who
	// sent it.
	inMemory bool
	octet    byte
	cred     sys.Ucred
	hasCred  bool
}

type pipeEnds struct{ r, w int }

func (e pipeEnds) close() {
	sys.Close(e.r)
	sys.Close(e.w)
}

// pipes are empty ones. Those that the pool lets go close themselves.
var pipes sync.Pool

// getPipe returns an empty pipe, or nil if none can be made.
func getPipe() *pipe {
	if p, ok := pipes.Get().(*pipe); ok {
		return p
	}
	r, w, errno := sys.Pipe(pipeSize)
	if errno != 0 {
		return nil
	}
	p := &pipe{pipeEnds: pipeEnds{r, w}}
	p.cleanup = runtime.AddCleanup(p, pipeEnds.close, p.pipeEnds)
	return p
}

// put gives the pipe back. One with something in it is closed: octets must never
// show up in another transfer.
func (p *pipe) put() {
	if p.inMemory {
		return
	}
	if p.n == 0 {
		p.head = nil
		pipes.Put(p)
		return
	}
	p.cleanup.Stop()
	p.close()
}

// read takes octets out of the pipe; none if it is empty.
func (p *pipe) read(b []byte) int {
	if p.n <= 0 || len(b) == 0 {
		return 0
	}
	if p.inMemory {
		b[0] = p.octet
		p.n = 0
		return 1
	}
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		p.n -= n
		return n
	}
	for {
		n, errno := sys.Read(uintptr(p.r), b)
		switch {
		case errno == sys.EINTR:
		case errno != 0 || n == 0:
			p.n = -1 // cannot be; the pipe is of no use any more
			return 0
		default:
			p.n -= n
			return n
		}
	}
}

// keep makes what is in p the first thing that is read from fd. It reports false
// if fd is closed, or has something kept already.
func (fd *FD) keep(p *pipe) bool {
	kept := false
	// Close waits for callbacks to leave, and looks then.
	m := fd.need()
	fd.Control(func(uintptr) { kept = m.unread.CompareAndSwap(nil, p) })
	return kept
}

// keepOctet makes the octet of r the first thing that is read from fd. It is called
// with the read lock held, and when nothing is kept. It needs no descriptors, of
// which there may be none.
func (fd *FD) keepOctet(r *Rights) {
	fd.keep(&pipe{n: 1, inMemory: true, octet: r.octet[0], cred: r.Cred, hasCred: r.HasCred})
}

// hasOctet reports whether keepOctet was called since anything was read.
func (fd *FD) hasOctet() bool {
	p := fd.unread()
	return p != nil && p.inMemory
}

// inMemory reports whether what is read next is where splice(2) does not get at.
func (fd *FD) inMemory() bool {
	p := fd.unread()
	return p != nil && (p.inMemory || len(p.head) > 0)
}

func (fd *FD) hasUnread() bool { return fd.unread() != nil }

// unread returns what a transfer has left, for a look at it.
func (fd *FD) unread() *pipe {
	if m := fd.more.Load(); m != nil {
		return m.unread.Load()
	}
	return nil
}

// takeUnread returns what a transfer has left, nil if there is nothing.
func (fd *FD) takeUnread() *pipe {
	if m := fd.more.Load(); m != nil && m.unread.Load() != nil {
		return m.unread.Swap(nil)
	}
	return nil
}

// peek is read, and leaves the octets in the pipe.
func (p *pipe) peek(b []byte) int {
	if p.inMemory && p.n > 0 && len(b) > 0 {
		b[0] = p.octet
		return 1
	}
	if len(p.head) > 0 {
		return copy(b, p.head)
	}
	q := getPipe()
	if q == nil {
		return 0
	}
	defer q.put()
	if n, _ := sys.Tee(uintptr(q.w), uintptr(p.r), min(len(b), max(p.n, 0))); n > 0 {
		q.n = n
	}
	return q.read(b)
}

// readUnread reads what a transfer has left, or has a look at it. It returns 0 and
// no error if there is nothing any more.
func (fd *FD) readUnread(b []byte, peek bool) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	// Read and not Control: it keeps readers in order and minds the deadline.
	if err := fd.RawRead(func(s uintptr) bool {
		p := fd.need().unread.Load()
		if p == nil {
			return true
		}
		if p.inMemory {
			// Nobody expects an octet of what came as a whole.
			n = fd.readMore(s, b[1:], peek)
		}
		if peek {
			n += p.peek(b)
			return true
		}
		n += p.read(b)
		if p.n <= 0 {
			fd.need().unread.Store(nil)
			p.put()
		}
		return true
	}); err != nil {
		return 0, err
	}
	return n, nil
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
	var from sys.Sockaddr
	n, _ := sys.Recvfrom(s, b, flags, &from)
	return max(n, 0)
}

// dropUnread closes what a closed fd has left.
func (fd *FD) dropUnread() {
	if p := fd.takeUnread(); p != nil {
		p.put()
	}
}

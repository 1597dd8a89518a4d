package netfd

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/net/ipv4"

	"github.com/iolib-go/sockets/internal/sys"
)

// Message is the message type of packages golang.org/x/net/ipv4 and ipv6.
type Message = ipv4.Message

// EncodeFunc stores addr in sa, as fd takes it; sa is left alone for nil.
type EncodeFunc func(sa *sys.Sockaddr, fd *FD, addr net.Addr) error

// DecodeFunc returns the address in sa, as fd has it: that of m, which a message before
// left there, if it is the same.
type DecodeFunc func(fd *FD, sa *sys.Sockaddr, m *Message) net.Addr

// Batch is a row of messages under way. It is kept in a pool for its memory.
type Batch struct {
	fd    *FD
	ms    []Message
	flags int

	vec   sys.Mmsgs
	n     int // messages received, or headers of vec sent
	errno syscall.Errno

	// What is received.
	decode DecodeFunc
	ready  bool // there is nothing left to do for the messages
	row    *row // for what may be merged, empty; nil if there was none yet

	// What is sent: for each header of vec its messages, and for those that have
	// more than one their control data and, if they are short, their data.
	heads []head
	oobs  []byte
	flat  []byte
	step  int // headers in the next system call
	full  fullness
}

// maxStep is how many messages a system call takes, UIO_MAXIOV of Linux.
const maxStep = 1024

var batches = sync.Pool{New: func() any { return new(Batch) }}

// GetBatch returns a Batch of ms. Free gives it back.
func GetBatch(fd *FD, ms []Message, flags int) *Batch {
	b := batches.Get().(*Batch)
	b.fd, b.ms, b.flags = fd, ms, flags
	b.n, b.errno, b.ready = 0, 0, false
	return b
}

// Free gives b back; nothing in it may be used any more.
func (b *Batch) Free() {
	b.vec.Forget()
	b.fd, b.ms = nil, nil
	batches.Put(b)
}

// splits returns the state for splitting what is received, nil if nothing needs it.
// The error queue holds datagrams as they were sent.
func (b *Batch) splits() *offload {
	if b.flags&sys.MSG_ERRQUEUE != 0 {
		return nil
	}
	return b.fd.offloads()
}

// Recv receives a message, waiting for it, and what else there is. It sets Addr, N, NN
// and Flags of the messages and returns how many it received, at least one unless it
// fails.
func (b *Batch) Recv(decode DecodeFunc) (int, error) {
	b.decode = decode
	if b.splits() == nil {
		b.vec.Reset(len(b.ms))
		for i := range b.ms {
			b.vec.Add()
			b.addBuffers(b.ms[i].Buffers)
			b.vec.Control(b.ms[i].OOB)
		}
	}
	if err := b.await(); err != nil || b.errno != 0 {
		return 0, b.fd.failed("recvmmsg", b.errno, err)
	}
	if !b.ready {
		for i := range b.ms[:b.n] {
			m := &b.ms[i]
			m.Addr = decode(b.fd, b.vec.Name(i), m)
			m.N, m.NN, m.Flags = b.vec.Result(i)
		}
	}
	return b.n, nil
}

// await calls recv until it has something. What need not wait does not wait for other
// calls either: with MSG_DONTWAIT, and for a look at the error queue, which readers of
// datagrams leave alone.
func (b *Batch) await() error {
	if b.flags&(sys.MSG_DONTWAIT|sys.MSG_ERRQUEUE) != 0 {
		done := false
		err := b.fd.Control(func(s uintptr) { done = b.recv(s) })
		if done || err != nil || b.flags&sys.MSG_DONTWAIT != 0 {
			return err
		}
	}
	return b.fd.RawRead(b.recv)
}

func (b *Batch) recv(s uintptr) bool {
	if b.flags&sys.MSG_ERRQUEUE == 0 && b.fd.hasUnread() && b.recvKept(s) {
		return true
	}
	if b.splits() != nil { // perhaps since we began to wait
		return b.split(s)
	}
	if b.flags&sys.MSG_ERRQUEUE == 0 { // whose reader receives no datagrams
		if b.errno = b.fd.takeReadError(); b.errno != 0 {
			return true
		}
	}
	b.n, b.errno = sys.Recvmmsg(s, &b.vec, b.flags)
	if b.n > 0 && b.errno != 0 {
		hold(&b.fd.need().heldRead, b.errno)
		b.errno = 0
	}
	return b.fd.settled(&b.errno, b.flags)
}

// recvKept receives a message that was kept.
func (b *Batch) recvKept(s uintptr) (ok bool) {
	var from sys.Sockaddr
	m := &b.ms[0]
	n, oobn, flags, ok := b.fd.recvvKept(s, m.Buffers, m.OOB, b.flags, &from)
	if ok {
		m.Addr, m.N, m.NN, m.Flags = b.decode(b.fd, &from, m), n, oobn, flags
		b.n, b.errno, b.ready = 1, 0, true
	}
	return ok
}

// head says which messages a header of the vector sends.
type head struct {
	first, end int
	size       int // of each but the last, if there are several; otherwise 0
}

// Send sends the messages in order, waiting for room, until one fails, and returns
// how many were sent, and what was the matter with the next.
func (b *Batch) Send(encode EncodeFunc) (sent int, err error) {
	j := b.fd.newJoining(b.flags)
	for sent < len(b.ms) {
		encErr := b.pack(sent, encode, &j)
		b.n, b.errno, b.step, b.full = 0, 0, maxStep, 0
		if b.flags&sys.MSG_DONTWAIT == 0 {
			err = b.fd.RawWrite(b.send)
		} else {
			err = b.fd.Control(func(s uintptr) { b.send(s) })
		}
		sent = b.sent(sent)
		if b.n > 0 {
			j.worked()
		}
		switch {
		case err != nil:
			return sent, err
		case b.errno != 0:
			if h := b.heads[b.n]; h.size > 0 && j.failed(b.errno, b.vec.Name(b.n), h.size, h.first, h.end) {
				continue
			}
			if sent > 0 && b.fd.Remote() != nil && !repeats(b.errno) {
				hold(&b.fd.need().heldWrite, b.errno)
			}
			return sent, os.NewSyscallError("sendmmsg", b.errno)
		case encErr != nil:
			return sent, encErr
		}
	}
	return sent, nil
}

// repeats reports whether the system call that failed will fail in the same way when
// it is tried again: the message is to blame, or nothing is. Otherwise the kernel
// told what became of an earlier one, and does so once.
func repeats(errno syscall.Errno) bool {
	return errno == sys.EAGAIN || errno == sys.EINVAL || errno == syscall.EMSGSIZE
}

// sent completes the messages from the given one on whose headers were sent, and
// returns their end.
func (b *Batch) sent(from int) int {
	for _, h := range b.heads[:b.n] {
		ms := b.ms[from:h.end]
		for i := range ms {
			m := &ms[i]
			m.N, m.NN, m.Flags = h.size, len(m.OOB), 0
		}
		last := &ms[len(ms)-1] // or the only one, whose size is not in h
		last.N = length(last.Buffers)
		from = h.end
	}
	return from
}

// pack makes headers of the messages from first on, up to one whose address cannot
// be encoded, and a head behind the last of them that marks the end.
func (b *Batch) pack(first int, encode EncodeFunc, j *joining) (err error) {
	ms := b.ms[first:]
	b.vec.Reset(len(ms))
	b.heads, b.oobs, b.flat = b.heads[:0], b.oobs[:0], b.flat[:0]
	i := first
	for i < len(b.ms) {
		name := b.vec.Add()
		if err = encode(name, b.fd, b.ms[i].Addr); err != nil {
			b.vec.Drop()
			break
		}
		x := j.extent(b.ms, i, name)
		switch {
		case x.size == 0:
			b.addBuffers(b.ms[i].Buffers)
		case x.row:
			b.addBuffers(b.ms[i].Buffers)
			b.vec.Lengthen(x.total - x.size)
		case x.size <= maxFlat:
			b.vec.Buffer(b.flatten(b.ms[i:x.end], x.total))
		default:
			for k := range b.ms[i:x.end] {
				b.addBuffers(b.ms[i+k].Buffers)
			}
		}
		if x.size == 0 {
			b.vec.Control(b.ms[i].OOB)
		} else {
			b.vec.Control(b.segmented(b.ms[i].OOB, x.size))
		}
		b.heads = append(b.heads, head{i, x.end, x.size})
		i = x.end
	}
	b.heads = append(b.heads, head{i, i, 0})
	return err
}

// flatten returns a copy of the data of messages, whose length is total.
func (b *Batch) flatten(ms []Message, total int) []byte {
	if cap(b.flat)-len(b.flat) < total {
		b.flat = make([]byte, 0, max(1<<14, 2*cap(b.flat), total)) // earlier ones stay where they are
	}
	at := len(b.flat)
	flat := b.flat[at : at+total]
	b.flat = b.flat[:at+total]
	n := 0
	for i := range ms {
		for _, p := range ms[i].Buffers {
			n += copy(flat[n:], p)
		}
	}
	return flat
}

// segmented returns oob with the size of segments appended.
func (b *Batch) segmented(oob []byte, size int) []byte {
	// Earlier ones stay where they are.
	if room := len(oob) + 2*sys.CmsgSpace(2); cap(b.oobs)-len(b.oobs) < room {
		b.oobs = make([]byte, 0, max(room, 2*cap(b.oobs), 1024))
	}
	at := len(b.oobs)
	oob = sys.AppendSegmentSize(append(b.oobs[at:], oob...), size)
	b.oobs = b.oobs[:at+len(oob)]
	return oob
}

func (b *Batch) send(s uintptr) bool {
	if b.errno = b.fd.takeWriteError(); b.errno != 0 {
		return true
	}
	for b.n < b.vec.Len() {
		asked := min(b.step, b.vec.Len()-b.n)
		n, errno := sys.Sendmmsg(s, &b.vec, b.n, asked, b.flags)
		if b.n += n; n > 0 {
			b.full = 0
		}
		b.step = maxStep
		if b.errno = errno; errno != 0 {
			if errno == sys.EAGAIN {
				b.full.again(b.fd, b.vec.Name(b.n), b.flags)
			}
			return b.fd.settled(&b.errno, b.flags)
		}
		if n < asked && b.fd.Remote() != nil {
			// The kernel has forgotten an error, that the peer refused a datagram perhaps.
			// It tells the next one if one message comes first: that provokes it, and
			// the system call behind it, which cannot succeed in part, reports it.
			b.step = 1
		}
	}
	return true
}

func (b *Batch) addBuffers(buffers [][]byte) {
	for _, p := range buffers {
		b.vec.Buffer(p)
	}
}

func length(buffers [][]byte) (n int) {
	for _, p := range buffers {
		n += len(p)
	}
	return n
}

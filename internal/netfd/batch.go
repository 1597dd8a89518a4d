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

// Batch is a row of messages under way. It is kept in a pool for its memory.
type Batch struct {
	fd    *FD
	ms    []Message
	flags int

	vec   sys.Mmsgs
	n     int // messages received, or headers of vec sent
	errno syscall.Errno

	// What was received by split: the senders, and for each message the index of
	// its sender.
	senders []sys.Sockaddr
	sender  []int

	// What is sent: for each header of vec its messages, and the control data of
	// headers that have more than one.
	heads []head
	oobs  []byte
	step  int // headers per system call
}

var batches = sync.Pool{New: func() any { return new(Batch) }}

// GetBatch returns a Batch of ms. Free gives it back.
func GetBatch(fd *FD, ms []Message, flags int) *Batch {
	b := batches.Get().(*Batch)
	b.fd, b.ms, b.flags = fd, ms, flags
	b.n, b.errno = 0, 0
	return b
}

// Free gives b back; nothing in it may be used any more.
func (b *Batch) Free() {
	b.vec.Forget()
	b.fd, b.ms = nil, nil
	b.senders, b.sender = b.senders[:0], b.sender[:0]
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

// Recv receives a message, waiting for it, and what else there is. It sets N, NN and
// Flags of the messages and returns how many it received, at least one unless it
// fails.
func (b *Batch) Recv() (int, error) {
	if b.splits() == nil {
		b.vec.Reset(len(b.ms), countBuffers(b.ms))
		for i := range b.ms {
			b.vec.Add()
			b.addBuffers(b.ms[i].Buffers)
			b.vec.Control(b.ms[i].OOB)
		}
	}
	if err := b.await(); err != nil {
		return 0, err
	}
	if b.errno != 0 {
		return 0, os.NewSyscallError("recvmmsg", b.errno)
	}
	if len(b.sender) == 0 {
		for i := range b.ms[:b.n] {
			m := &b.ms[i]
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

// Sender returns who sent message i.
func (b *Batch) Sender(i int) *sys.Sockaddr {
	if len(b.sender) > 0 {
		return &b.senders[b.sender[i]]
	}
	return b.vec.Name(i)
}

func (b *Batch) recv(s uintptr) bool {
	if b.flags&sys.MSG_ERRQUEUE == 0 && b.fd.hasUnread() && b.recvKept(s) {
		return true
	}
	if b.splits() != nil { // perhaps since we began to wait
		return b.split(s)
	}
	if b.flags&sys.MSG_ERRQUEUE == 0 { // whose reader receives no datagrams
		if b.errno = take(&b.fd.need().heldRead); b.errno != 0 {
			return true
		}
	}
	b.n, b.errno = sys.Recvmmsg(s, &b.vec, b.flags)
	if b.n > 0 {
		hold(&b.fd.need().heldRead, b.errno)
		b.errno = 0
	}
	return b.fd.settled(&b.errno, b.flags)
}

// recvKept receives a message that was kept.
func (b *Batch) recvKept(s uintptr) (ok bool) {
	var from sys.Sockaddr
	m := &b.ms[0]
	m.N, m.NN, m.Flags, ok = b.fd.recvvKept(s, m.Buffers, m.OOB, b.flags, &from)
	if ok {
		b.senders, b.sender = append(b.senders[:0], from), append(b.sender[:0], 0)
		b.n, b.errno = 1, 0
	}
	return ok
}

// head says which messages a header of the vector sends: from first up to the first
// of the next header.
type head struct {
	first int
	size  int // of each but the last, if there are several; otherwise 0
}

// Send sends the messages in order, waiting for room, until one fails, and returns
// how many were sent, and what was the matter with the next.
func (b *Batch) Send(encode EncodeFunc) (sent int, err error) {
	if held := &b.fd.need().heldWrite; held.Load() != 0 {
		// A closed descriptor and a passed deadline come first, and leave it.
		if b.flags&sys.MSG_DONTWAIT != 0 {
			err = b.fd.Control(func(uintptr) {})
		} else {
			err = b.fd.RawWrite(func(uintptr) bool { return true })
		}
		if err != nil {
			return 0, err
		}
		if errno := take(held); errno != 0 {
			return 0, os.NewSyscallError("sendmmsg", errno)
		}
	}
	b.step = len(b.ms)
	connected := b.fd.Remote() != nil
	if connected {
		// The peer may refuse what was sent before, which the next system call
		// reports, once. sendmmsg would keep that to itself and go on.
		b.step = 1
	}
	j := newJoining(b.fd.offloads(), b.flags)
	for sent < len(b.ms) {
		encErr := b.pack(sent, encode, &j)
		b.n, b.errno = 0, 0
		if b.flags&sys.MSG_DONTWAIT == 0 {
			err = b.fd.RawWrite(b.send)
		} else {
			err = b.fd.Control(func(s uintptr) { b.send(s) })
		}
		from := sent
		sent = b.heads[b.n].first
		for i := from; i < sent; i++ {
			m := &b.ms[i]
			m.N, m.NN, m.Flags = length(m.Buffers), len(m.OOB), 0
		}
		if b.n > 0 {
			j.worked()
		}
		switch {
		case err != nil:
			return sent, err
		case b.errno != 0:
			if h := b.heads[b.n]; h.size > 0 && j.failed(b.errno, b.vec.Name(b.n), h.size, h.first, b.heads[b.n+1].first) {
				continue
			}
			if connected && sent > 0 && b.errno != sys.EAGAIN && b.errno != sys.EINVAL && b.errno != syscall.EMSGSIZE {
				hold(&b.fd.need().heldWrite, b.errno)
			}
			return sent, os.NewSyscallError("sendmmsg", b.errno)
		case encErr != nil:
			return sent, encErr
		}
	}
	return sent, nil
}

// pack makes headers of the messages from first on, up to one whose address cannot
// be encoded, and a head behind the last of them that marks the end.
func (b *Batch) pack(first int, encode EncodeFunc, j *joining) (err error) {
	ms := b.ms[first:]
	b.vec.Reset(len(ms), countBuffers(ms))
	b.heads, b.oobs = b.heads[:0], b.oobs[:0]
	i := first
	for i < len(b.ms) {
		name := b.vec.Add()
		if err = encode(name, b.fd, b.ms[i].Addr); err != nil {
			b.vec.Drop()
			break
		}
		end, size := j.extent(b.ms, i, name)
		for k := i; k < end; k++ {
			b.addBuffers(b.ms[k].Buffers)
		}
		b.heads = append(b.heads, head{i, size})
		if oob := b.ms[i].OOB; size == 0 {
			b.vec.Control(oob)
		} else {
			b.vec.Control(b.segmented(oob, size))
		}
		i = end
	}
	b.heads = append(b.heads, head{i, 0})
	return err
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
	for b.n < b.vec.Len() {
		n, errno := sys.Sendmmsg(s, &b.vec, b.n, b.step, b.flags)
		b.n += n
		if b.errno = errno; errno != 0 {
			return b.fd.settled(&b.errno, b.flags)
		}
	}
	return true
}

func (b *Batch) addBuffers(buffers [][]byte) {
	for _, p := range buffers {
		b.vec.Buffer(p)
	}
}

func countBuffers(ms []Message) (n int) {
	for i := range ms {
		n += len(ms[i].Buffers)
	}
	return n
}

func length(buffers [][]byte) (n int) {
	for _, p := range buffers {
		n += len(p)
	}
	return n
}

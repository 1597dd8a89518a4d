package netfd

import (
	"net"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// maxRow is how many datagrams, which may be merged, one system call receives.
const maxRow = 16

// row is what one system call received.
type row struct {
	merged [maxRow]merged
	at, n  int // those from at up to n are not delivered
}

// merged is a received datagram that may stand for several.
type merged struct {
	data  []byte // of those not delivered
	size  int    // of each, but the last may be shorter
	left  int    // how many
	flags int
	oob   []byte
	name  sys.Sockaddr

	store []byte    // where the data are, or what is not in the buffers of messages
	oobs  [512]byte // more than all control messages of a datagram take

	// The data land in these messages, of the batch that receives it, before the store:
	// share bytes in each from first up to end.
	first, end, share int
}

// maxMerged is more than a merged datagram has.
const maxMerged = 1 << 16

var rows = sync.Pool{New: func() any { return new(row) }}

func (r *row) free() {
	r.at, r.n = 0, 0
	rows.Put(r)
}

// first returns the next datagram to be delivered.
func (r *row) first() *merged { return &r.merged[r.at] }

// split receives as recv does, and takes merged datagrams apart. What does not fit
// in the batch waits for the next reader.
func (b *Batch) split(s uintptr) bool {
	o := b.fd.offloads()
	o.mu.Lock()
	defer o.mu.Unlock()
	b.n, b.errno, b.ready = 0, 0, true
	if b.errno = take(&b.fd.need().heldRead); b.errno != 0 {
		return true
	}
	for more := true; b.n < len(b.ms); {
		if o.pending != nil {
			b.deliver(o)
			if b.flags&sys.MSG_PEEK != 0 {
				return true
			}
			continue
		}
		if !more {
			return true
		}
		var errno syscall.Errno
		switch more, errno = b.receive(s, o); {
		case errno == 0:
		case b.n > 0:
			if errno != sys.EAGAIN {
				hold(&b.fd.need().heldRead, errno)
			}
			return true
		case errno == sys.EAGAIN && b.flags&sys.MSG_DONTWAIT == 0:
			return false
		default:
			b.errno = errno
			return true
		}
	}
	return true
}

// deliver copies pending datagrams of one sender into the messages that are left.
func (b *Batch) deliver(o *offload) {
	g := o.pending.first()
	ms := b.ms[b.n:]
	ms = ms[:min(g.left, len(ms))]
	addr := b.decode(b.fd, &g.name, &ms[0])
	whole, data := 0, g.data
	if len(g.oob) == 0 {
		whole = copyEach(ms, data, g.size)
		data = data[whole*g.size:]
	}
	complete(ms[:whole], addr, g.size, g.flags)
	for i := whole; i < len(ms); i++ {
		m := &ms[i]
		d := data[:min(g.size, len(data))]
		data = data[len(d):]
		m.Addr = addr
		m.N, m.NN, m.Flags = g.result(scatter(m.Buffers, d), len(d), m.OOB, b.flags)
	}
	b.n += len(ms)
	if b.flags&sys.MSG_PEEK == 0 {
		o.drop(len(ms), len(g.data)-len(data))
	}
}

// copyEach copies data to messages, size bytes each, and returns how many it filled: it
// stops where data ends, or where a message has not one buffer with room for that.
//
//go:noinline
func copyEach(ms []Message, data []byte, size int) int {
	for i := range ms {
		to := ms[i].Buffers
		if len(to) != 1 || len(to[0]) < size || len(data) < size {
			return i
		}
		copy(to[0], data[:size])
		data = data[size:]
	}
	return len(ms)
}

// complete says that each message has size bytes from the same sender and no control data.
func complete(ms []Message, addr net.Addr, size, flags int) {
	for i := range ms {
		m := &ms[i]
		m.Addr, m.N, m.NN, m.Flags = addr, size, 0, flags
	}
}

// result is what recvmsg(2) would tell of a datagram of the given size, of which n
// bytes fit. It copies the control messages to oob.
func (g *merged) result(n, size int, oob []byte, flags int) (int, int, int) {
	rflags := g.flags
	if n < size {
		rflags |= sys.MSG_TRUNC
		if flags&sys.MSG_TRUNC != 0 {
			n = size
		}
	}
	oobn, all := sys.CopyCmsgs(oob, g.oob)
	if !all {
		rflags |= sys.MSG_CTRUNC
	}
	return n, oobn, rflags
}

// receive makes one system call. Datagrams like the last ones land in the buffers of
// the messages; what else comes is pending. It reports whether there may be more.
func (b *Batch) receive(s uintptr, o *offload) (more bool, errno syscall.Errno) {
	if b.row == nil {
		b.row = rows.Get().(*row)
	}
	r := b.row
	b.aim(o, r)
	n, errno := sys.Recvmmsg(s, &b.vec, b.flags&^sys.MSG_PEEK)
	if n == 0 {
		return false, errno
	}
	if errno != 0 {
		hold(&b.fd.need().heldRead, errno)
	}
	longest, most := 0, 0
	for i := range n {
		g := &r.merged[i]
		length := g.read(&b.vec, i)
		longest, most = max(longest, length), max(most, g.left)
		if g.left > 1 {
			o.size = g.size
		}
		switch {
		case r.n > 0 || !b.land(g, length):
			g.gather(b.ms[g.first:g.end], length)
		case g.left == 0:
			continue
		}
		if r.n == 0 {
			r.at = i
		}
		r.n = i + 1
	}
	if r.n > 0 {
		o.pending, b.row = r, nil
	}
	if o.expect(longest, most); errno != 0 {
		return false, 0
	}
	return n == b.vec.Len(), 0
}

// expect says what came: datagrams of this length, up to so many merged.
func (o *offload) expect(longest, most int) {
	switch {
	case most > 1:
		o.count = most
	case longest > o.size || o.count <= 2:
		o.size, o.count = 0, 0
	default: // the short ones that end a row, perhaps
		o.count /= 2
	}
}

// aim makes the vector of a system call. Its headers are those of r, and fill as many
// messages as are merged at present: a single one, long ones, and those whose buffers are
// one for the kernel. Into others it is cheaper to copy.
func (b *Batch) aim(o *offload, r *row) {
	ms := b.ms[b.n:]
	if b.flags&sys.MSG_PEEK != 0 {
		ms = nil
	}
	b.vec.Reset(maxRow)
	i := 0
	for k := range r.merged {
		g := &r.merged[k]
		if g.store == nil {
			g.store = make([]byte, maxMerged)
		}
		b.vec.Add()
		g.first, g.end, g.share = b.n+i, b.n+i, 0
		next := min(i+max(o.count, 1), len(ms))
		switch now := ms[i:next]; {
		case o.count > 0 && inRow(now, o.size):
			b.vec.Buffer(now[0].Buffers[0])
			b.vec.Lengthen((len(now) - 1) * o.size)
			g.end, g.share = g.first+len(now), o.size
		case o.count == 0 || o.size > maxFlat:
			k, share := b.fill(now, o.size)
			g.end, g.share = g.first+k, share
		}
		b.vec.Buffer(g.store)
		b.vec.Control(g.oobs[:])
		if i = next; i == len(ms) {
			break
		}
	}
}

// inRow reports whether there are messages, each with one buffer of the given size, that
// lie one behind the other in memory.
//
//go:noinline // where it is alone its variables are in registers
func inRow(ms []Message, size int) bool {
	if len(ms) == 0 || len(ms[0].Buffers) == 0 {
		return false
	}
	next := sys.Address(ms[0].Buffers[0])
	for i := range ms {
		bufs := ms[i].Buffers
		if len(bufs) != 1 {
			return false
		}
		p := bufs[0]
		if len(p) != size || sys.Address(p) != next {
			return false
		}
		next += uintptr(size)
	}
	return true
}

// fill adds buffers of messages to the vector, of each as many bytes as its share,
// which is size, or all of the only message if size is 0. It returns how many messages
// there are and the share.
func (b *Batch) fill(ms []Message, size int) (k, share int) {
	buffers := 0
	for i := range ms {
		m := &ms[i]
		n := length(m.Buffers)
		if size == 0 {
			size = min(n, maxMerged)
		}
		buffers += len(m.Buffers)
		if n == 0 || n < size || buffers > maxBuffers || (i+1)*size > maxMerged {
			return i, size
		}
		left := size
		for _, p := range m.Buffers {
			p = p[:min(len(p), left)]
			b.vec.Buffer(p)
			if left -= len(p); left == 0 {
				break
			}
		}
	}
	return len(ms), size
}

// read takes what the kernel says about datagram i of v, and returns its length.
func (g *merged) read(v *sys.Mmsgs, i int) (length int) {
	length, oobn, flags := v.Result(i)
	g.name, g.flags = *v.Name(i), flags
	g.size, g.left = length, 1
	size, oob := sys.TakeSegmentSize(g.oobs[:oobn])
	if g.oob = oob; size > 0 && size < length {
		g.size, g.left = size, (length+size-1)/size
	}
	return length
}

// land completes the messages whose buffers have all of their datagrams, the next ones
// of the batch, and reports whether there are any. Of g remains what is in its store.
func (b *Batch) land(g *merged, length int) bool {
	if g.first != b.n || g.first == g.end || g.size > g.share || g.left > 1 && g.size < g.share {
		return false
	}
	k := min(g.left, g.end-g.first)
	landed := min(length, k*g.size)
	ms := b.ms[g.first : g.first+k]
	addr := b.decode(b.fd, &g.name, &ms[0])
	if len(g.oob) == 0 {
		complete(ms, addr, g.size, g.flags)
	} else {
		for i := range ms {
			m := &ms[i]
			m.Addr = addr
			m.N, m.NN, m.Flags = g.result(g.size, g.size, m.OOB, b.flags)
		}
	}
	ms[k-1].N = landed - (k-1)*g.size // which may be shorter
	b.n += k
	g.data, g.left = g.store[:length-landed], g.left-k
	return true
}

// gather moves what landed in the buffers of messages to the store, in front of the
// rest.
func (g *merged) gather(ms []Message, length int) {
	room := len(ms) * g.share
	if room > 0 && length > room {
		copy(g.store[room:], g.store[:length-room])
	}
	g.data = g.store[:length]
	to := g.store[:min(length, room)]
	for i := range ms {
		left := g.share
		for _, p := range ms[i].Buffers {
			n := copy(to, p[:min(len(p), left)])
			to = to[n:]
			left -= n
			if len(to) == 0 || left == 0 {
				break
			}
		}
	}
}

// scatter copies as much of data as fits into buffers.
func scatter(buffers [][]byte, data []byte) (n int) {
	for _, p := range buffers {
		if n == len(data) {
			break
		}
		n += copy(p, data[n:])
	}
	return n
}

// splitOne is Batch.split for a single message, whose sender it stores in from
// unless that is nil.
func (fd *FD) splitOne(s uintptr, b, oob []byte, flags int, from *sys.Sockaddr) (n, oobn, rflags int, errno syscall.Errno) {
	o := fd.offloads()
	o.mu.Lock()
	defer o.mu.Unlock()
	if errno = fd.needPending(s, o, flags); errno != 0 {
		return 0, 0, 0, errno
	}
	g := o.pending.first()
	size := min(g.size, len(g.data))
	n, oobn, rflags = g.result(copy(b, g.data[:size]), size, oob, flags)
	if from != nil {
		*from = g.name
	}
	if flags&sys.MSG_PEEK == 0 {
		o.drop(1, size)
	}
	return n, oobn, rflags, 0
}

// needPending receives something unless it is there. An error is that of the system
// call or one held before. The caller holds o.mu.
func (fd *FD) needPending(s uintptr, o *offload, flags int) (errno syscall.Errno) {
	if errno = take(&fd.need().heldRead); errno == 0 && o.pending == nil {
		none := GetBatch(fd, nil, flags)
		_, errno = none.receive(s, o)
		none.Free()
	}
	return errno
}

// drop takes so many datagrams with so many bytes off the first pending one.
func (o *offload) drop(datagrams, n int) {
	r := o.pending
	g := r.first()
	g.data, g.left = g.data[n:], g.left-datagrams
	if g.left > 0 {
		return
	}
	if r.at++; r.at == r.n {
		o.pending = nil
		r.free()
	}
}

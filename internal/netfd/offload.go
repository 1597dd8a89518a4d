package netfd

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Limits of a joined datagram. The kernel takes 64 segments before Linux 6.8 and
// 128 since. It takes 65507 octets, but would cut up itself what is more with
// headers than a device takes, which is 65535.
const (
	maxSegments = 128
	oldSegments = 64
	maxJoined   = 65535 - 14 - 40 - 8
	maxBuffers  = 1000 // below UIO_MAXIOV, which is 1024
)

// offload is the state of a UDP socket whose datagrams the kernel may merge.
type offload struct {
	// mu guards what is received: calls that do not wait come without the descriptor's
	// lock for reading.
	mu      sync.Mutex
	pending *merged // received, and not delivered yet
	size    int     // of the datagrams merged last, 0 if the last was a single one

	segments atomic.Int32 // how many may be sent as one; 0: joining does not work here
	off      atomic.Bool  // joining is not wanted
	corked   atomic.Bool  // the next message may end a datagram begun before
	tooBig   tooBig
}

// SetOffload lets the kernel merge datagrams on receipt and has Batch.Send join
// them. What is received is split again, even after offload was turned off, as the
// receive queue may hold merged datagrams.
func (fd *FD) SetOffload(on bool) error {
	o := fd.offloads()
	if !on {
		if o != nil {
			o.off.Store(true)
		}
		return nil
	}
	if sys.UDP_GRO < 0 {
		return errors.ErrUnsupported
	}
	if o == nil {
		// Readers must know before the first merged datagram can arrive.
		o = new(offload)
		if !fd.need().offload.CompareAndSwap(nil, o) {
			o = fd.offloads()
		}
	}
	if err := fd.SetsockoptInt(sys.SOL_UDP, sys.UDP_GRO, 1); err != nil {
		return err
	}
	if on, err := fd.GetsockoptInt(sys.SOL_UDP, sys.UDP_GRO); err != nil || on == 0 {
		// Taken and ignored, as gVisor does.
		fd.SetsockoptInt(sys.SOL_UDP, sys.UDP_GRO, 0)
		return errors.ErrUnsupported
	}
	o.segments.Store(maxSegments)
	o.tooBig.clear()
	o.off.Store(false)
	return nil
}

// tooBig remembers, for peers whose path refused a size of segments, the least such
// size. It forgets everything when it is full.
type tooBig struct {
	any atomic.Bool
	mu  sync.Mutex
	to  map[peer]int
}

// peer is the front of a sockaddr, which is all of one for internet addresses.
type peer [28]byte

const maxTooBig = 256

func peerOf(sa *sys.Sockaddr) (p peer) {
	copy(p[:], sa.Bytes())
	return p
}

func (t *tooBig) refuses(sa *sys.Sockaddr, size int) bool {
	if !t.any.Load() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	least, ok := t.to[peerOf(sa)]
	return ok && size >= least
}

func (t *tooBig) add(sa *sys.Sockaddr, size int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.to) >= maxTooBig {
		clear(t.to)
	}
	if t.to == nil {
		t.to = make(map[peer]int)
	}
	p := peerOf(sa)
	if least, ok := t.to[p]; !ok || size < least {
		t.to[p] = size
	}
	t.any.Store(true)
}

func (t *tooBig) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to = nil
	t.any.Store(false)
}

// joining decides which messages of one batch go out as one datagram, and finds out
// why the kernel refuses one: it sends the same messages singly, and only if that
// works, joining was to blame.
type joining struct {
	o      *offload // nil: every message is sent alone
	limit  int      // segments
	singly int      // messages before this one are sent alone

	// What to remember if the next attempt works, in which case joining was to
	// blame for errno.
	errno syscall.Errno
	to    sys.Sockaddr
	size  int
	then  int // limit
}

func newJoining(o *offload, flags int) joining {
	if o == nil {
		return joining{}
	}
	if flags&sys.MSG_MORE != 0 {
		// All of them are parts of one datagram.
		o.corked.Store(true)
		return joining{}
	}
	j := joining{o: o, limit: int(o.segments.Load())}
	if o.corked.Load() && o.corked.Swap(false) {
		j.singly = 1
	}
	if o.off.Load() {
		return joining{}
	}
	return j
}

// cork says that a datagram was begun, which the next message ends: its octets do
// not stand for several.
func (fd *FD) cork() {
	if o := fd.offloads(); o != nil {
		o.corked.Store(true)
	}
}

// FindOffload has what is received split if somebody else has let the kernel merge
// the datagrams of this socket.
func (fd *FD) FindOffload() {
	if fd.Type != sys.SOCK_DGRAM || fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 || sys.UDP_GRO < 0 {
		return
	}
	on := 0
	err := fd.Control(func(s uintptr) { on, _ = sys.GetsockoptInt(s, sys.SOL_UDP, sys.UDP_GRO) })
	if err == nil && on != 0 {
		o := new(offload)
		o.off.Store(true)
		fd.need().offload.CompareAndSwap(nil, o)
	}
}

// extent returns the end of the messages from ms[i] on that may go out together to
// name, and their size if they are more than one.
func (j *joining) extent(ms []Message, i int, name *sys.Sockaddr) (end, size int) {
	alone := i + 1
	if j.o == nil || i < j.singly || alone == len(ms) {
		return alone, 0
	}
	first := &ms[i]
	size = length(first.Buffers)
	if size == 0 || size > maxJoined/2 && length(ms[alone].Buffers) > maxJoined-size {
		return alone, 0
	}
	total, buffers := size, len(first.Buffers)
	for end = alone; end < len(ms) && end-i < j.limit; end++ {
		m := &ms[end]
		n := length(m.Buffers)
		total += n
		buffers += len(m.Buffers)
		if n == 0 || n > size || total > maxJoined || buffers > maxBuffers ||
			!sameAddr(first.Addr, m.Addr) || !bytes.Equal(first.OOB, m.OOB) {
			break
		}
		if n < size {
			end++
			break
		}
	}
	if end == alone || !sys.TakesSegmentSize(first.OOB) || j.o.tooBig.refuses(name, size) {
		return alone, 0
	}
	return end, size
}

// sameAddr reports whether two destinations are surely the same.
func sameAddr(a, b net.Addr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	ua, ok1 := a.(*net.UDPAddr)
	ub, ok2 := b.(*net.UDPAddr)
	if !ok1 || !ok2 {
		return false
	}
	if ua == ub {
		return true
	}
	return ua != nil && ub != nil && ua.Port == ub.Port && ua.Zone == ub.Zone && bytes.Equal(ua.IP, ub.IP)
}

// failed reports whether sending the messages from first up to end joined may have
// been the mistake, and the batch should go on from there.
func (j *joining) failed(errno syscall.Errno, name *sys.Sockaddr, size, first, end int) bool {
	switch errno {
	case syscall.EINVAL, syscall.EIO, syscall.EMSGSIZE:
	default:
		return false
	}
	j.errno, j.to, j.size = errno, *name, size
	if errno == syscall.EINVAL && end-first > oldSegments {
		j.limit, j.then = oldSegments, oldSegments
		return true
	}
	j.singly, j.then = end, 0
	return true
}

// worked remembers what the last failure was about, now that messages of it went
// out in another way.
func (j *joining) worked() {
	switch j.errno {
	case syscall.EMSGSIZE:
		j.o.tooBig.add(&j.to, j.size)
	case syscall.EINVAL, syscall.EIO:
		j.limit = j.then
		j.o.segments.Store(int32(j.limit))
	}
	j.errno = 0
}

// merged is a received datagram that may stand for several.
type merged struct {
	data  []byte // of those not delivered
	size  int    // of each, but the last may be shorter
	left  int    // how many
	flags int
	oob   []byte
	name  sys.Sockaddr

	store [1 << 16]byte
	oobs  [512]byte // more than all control messages of a datagram take
}

var mergeds = sync.Pool{New: func() any { return new(merged) }}

func (g *merged) free() {
	g.data, g.oob = nil, nil
	mergeds.Put(g)
}

// split receives as recv does, and takes merged datagrams apart. What does not fit
// in the batch waits for the next reader.
func (b *Batch) split(s uintptr) bool {
	o := b.fd.offloads()
	o.mu.Lock()
	defer o.mu.Unlock()
	b.n, b.errno = 0, 0
	b.senders, b.sender = b.senders[:0], b.sender[:0]
	if b.errno = take(&b.fd.need().heldRead); b.errno != 0 {
		return true
	}
	for b.n < len(b.ms) {
		if o.pending != nil {
			b.deliver(o)
			if b.flags&sys.MSG_PEEK != 0 {
				return true
			}
			continue
		}
		switch errno := b.receive(s, o); {
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

// deliver copies pending datagrams into the messages that are left.
func (b *Batch) deliver(o *offload) {
	g := o.pending
	data, left := g.data, g.left
	b.senders = append(b.senders, g.name)
	for ; left > 0 && b.n < len(b.ms); left-- {
		size := min(g.size, len(data))
		m := &b.ms[b.n]
		m.N = scatter(m.Buffers, data[:size])
		b.settle(m, g, size)
		data = data[size:]
	}
	if b.flags&sys.MSG_PEEK != 0 {
		return
	}
	if g.data, g.left = data, left; left == 0 {
		o.pending = nil
		g.free()
	}
}

// settle completes message b.n, whose data are in place.
func (b *Batch) settle(m *Message, g *merged, size int) {
	m.N, m.NN, m.Flags = g.result(m.N, size, m.OOB, b.flags)
	b.sender = append(b.sender, len(b.senders)-1)
	b.n++
}

// result is what recvmsg(2) would tell of a datagram of the given size, of which n
// octets fit. It copies the control messages to oob.
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

// receive makes one system call. Datagrams of the size expected land in the buffers
// of the messages; what else comes is pending.
func (b *Batch) receive(s uintptr, o *offload) syscall.Errno {
	g := mergeds.Get().(*merged)
	direct, room := b.aim(o.size)
	b.vec.Buffer(g.store[:])
	b.vec.Control(g.oobs[:])
	if _, errno := sys.Recvmmsg(s, &b.vec, b.flags&^sys.MSG_PEEK); errno != 0 {
		g.free()
		return errno
	}
	n, oobn, flags := b.vec.Result(0)
	g.oob, g.name, g.flags = g.oobs[:oobn], *b.vec.Name(0), flags
	g.size, g.left = n, 1
	if size := sys.SegmentSize(g.oob); size > 0 && size < n {
		g.size, g.left = size, (n+size-1)/size
	}

	expected := o.size
	switch {
	case g.left > 1:
		o.size = g.size
	case n > expected:
		o.size = 0
	}
	if len(direct) > 0 && (g.left == 1 && n <= room/len(direct) || g.size == expected) {
		b.senders = append(b.senders, g.name)
		for i := range direct {
			if g.left == 0 {
				break
			}
			m := &direct[i]
			m.N = min(g.size, n)
			b.settle(m, g, m.N)
			n -= m.N
			g.left--
		}
		g.data = g.store[:n]
		if g.left == 0 {
			g.free()
			return 0
		}
	} else {
		if room > 0 && n > room {
			copy(g.store[room:], g.store[:n-room])
		}
		g.data = g.store[:n]
		gather(g.store[:min(n, room)], direct, room)
	}
	o.pending = g
	return 0
}

// aim makes a vector of one message whose parts are the buffers of as many messages
// as can take a datagram of the given size each, or the next one's if size is 0. It
// returns the messages and the length of the vector, the same share for each.
func (b *Batch) aim(size int) (direct []Message, room int) {
	ms := b.ms[b.n:]
	switch {
	case b.flags&sys.MSG_PEEK != 0:
		ms = nil
	case size == 0:
		ms = ms[:min(1, len(ms))]
	}
	b.vec.Reset(1, min(countBuffers(ms), maxBuffers)+1)
	b.vec.Add()
	buffers := 0
	for i := range ms {
		m := &ms[i]
		share := size
		if share == 0 {
			share = min(length(m.Buffers), 1<<16)
		}
		buffers += len(m.Buffers)
		if share == 0 || length(m.Buffers) < share || buffers > maxBuffers || room+share > 1<<16 {
			return ms[:i], room
		}
		room += share
		for _, p := range m.Buffers {
			p = p[:min(len(p), share)]
			b.vec.Buffer(p)
			if share -= len(p); share == 0 {
				break
			}
		}
	}
	return ms, room
}

// gather copies what landed in the buffers of messages, which have equal shares in
// room, to the front of to.
func gather(to []byte, ms []Message, room int) {
	for i := range ms {
		share := room / len(ms)
		for _, p := range ms[i].Buffers {
			n := copy(to, p[:min(len(p), share)])
			to = to[n:]
			share -= n
			if len(to) == 0 || share == 0 {
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

// take returns the errno that was held back, once.
func take(held *atomic.Uintptr) syscall.Errno {
	if held.Load() == 0 {
		return 0
	}
	return syscall.Errno(held.Swap(0))
}

// hold keeps an errno for the next call, because the kernel will not report it
// again and this call has something to return.
func hold(held *atomic.Uintptr, errno syscall.Errno) {
	if errno != 0 {
		held.Store(uintptr(errno))
	}
}

// splitOne is Batch.split for a single message, whose sender it stores in from
// unless that is nil.
func (fd *FD) splitOne(s uintptr, b, oob []byte, flags int, from *sys.Sockaddr) (n, oobn, rflags int, errno syscall.Errno) {
	o := fd.offloads()
	o.mu.Lock()
	defer o.mu.Unlock()
	if errno = take(&fd.need().heldRead); errno != 0 {
		return 0, 0, 0, errno
	}
	for o.pending == nil {
		none := GetBatch(fd, nil, flags)
		errno = none.receive(s, o)
		none.Free()
		if errno != 0 {
			return 0, 0, 0, errno
		}
	}
	g := o.pending
	size := min(g.size, len(g.data))
	n, oobn, rflags = g.result(copy(b, g.data[:size]), size, oob, flags)
	if from != nil {
		*from = g.name
	}
	if flags&sys.MSG_PEEK == 0 {
		if g.data, g.left = g.data[size:], g.left-1; g.left == 0 {
			o.pending = nil
			g.free()
		}
	}
	return n, oobn, rflags, 0
}

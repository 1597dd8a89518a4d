package netfd

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// Limits of a joined datagram. The kernel takes 64 segments before Linux 6.8 and
// 128 since. It takes 65507 bytes, but would cut up itself what is more with
// headers than a device takes, which is 65535.
const (
	maxSegments = 128
	oldSegments = 64
	maxJoined   = 65535 - 14 - 40 - 8
	maxBuffers  = 1000 // below UIO_MAXIOV, which is 1024

	// maxFlat is up to which size datagrams are copied to lie in a row, and copied
	// from there when they are received, which costs less than a vector element for
	// each.
	maxFlat = 2048
)

// segments is how many the kernel takes. It is found out.
var segments atomic.Int32

func init() { segments.Store(maxSegments) }

// refusals remembers the peers whose path refused joined datagrams, and the least
// size of segments that it refused. It forgets everything when it is full.
type refusals struct {
	any atomic.Bool
	mu  sync.Mutex
	to  map[peer]refusal
}

type refusal struct {
	size  int // and whatever is longer
	until time.Time
}

// peer is the front of a sockaddr, which is all of one for internet addresses. Where the
// socket's own peer is meant it is empty.
type peer [28]byte

const (
	maxRefusals = 256

	// refusalLasts is how long what a path refused is not tried again: as long as
	// Linux remembers an MTU, which RFC 1191 section 6.3 recommends.
	refusalLasts = 10 * time.Minute
)

func peerOf(sa *sys.Sockaddr) (p peer) {
	copy(p[:], sa.Bytes())
	return p
}

// refuses reports whether segments of this size are not worth an attempt.
func (r *refusals) refuses(sa *sys.Sockaddr, size int) bool {
	if !r.any.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := peerOf(sa)
	least, ok := r.to[p]
	if !ok || size < least.size {
		return false
	}
	if time.Now().After(least.until) {
		delete(r.to, p)
		return false
	}
	return true
}

func (r *refusals) add(p peer, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.to) >= maxRefusals {
		clear(r.to)
	}
	if r.to == nil {
		r.to = make(map[peer]refusal)
	}
	if least, ok := r.to[p]; ok {
		size = min(size, least.size)
	}
	r.to[p] = refusal{size, time.Now().Add(refusalLasts)}
	r.any.Store(true)
}

// forget is clear for one peer.
func (r *refusals) forget(p peer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.to, p)
}

func (r *refusals) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = nil
	r.any.Store(false)
}

// joining decides which datagrams of one call go out as one, and finds out why the
// kernel refuses one: it sends the same ones singly, and only if that works, joining
// was to blame.
type joining struct {
	refused *refusals // nil: every message is sent alone
	limit   int       // segments
	singly  int       // messages before this one are sent alone

	// What to remember if the next attempt works, in which case joining was to
	// blame for errno.
	errno syscall.Errno
	to    peer
	size  int
	fewer bool // the next attempt is with fewer segments, not singly
}

// newJoining returns what joins the messages of a batch.
func (fd *FD) newJoining(flags int) (j joining) {
	if flags&sys.MSG_MORE != 0 {
		fd.cork() // all of them are parts of one datagram
		return j
	}
	if o := fd.offloads(); o != nil && o.on.Load() {
		if fd.corked() {
			j.singly = 1
		}
		j.join(fd)
	}
	return j
}

func (j *joining) join(fd *FD) {
	j.refused, j.limit = &fd.need().refusals, int(segments.Load())
}

// extent is what messages that may go out as one have in common.
type extent struct {
	end   int  // of the messages
	size  int  // of each but the last, which may be shorter; 0 if there is one alone
	total int  // length of all
	row   bool // they lie one behind the other in memory
}

// extent returns which messages from ms[i] on may go out together to name.
func (j *joining) extent(ms []Message, i int, name *sys.Sockaddr) extent {
	alone := extent{end: i + 1}
	if j.refused == nil || i < j.singly || alone.end == len(ms) {
		return alone
	}
	first := &ms[i]
	size := length(first.Buffers)
	if size == 0 || size > maxJoined/2 && length(ms[alone.end].Buffers) > maxJoined-size {
		return alone
	}
	most := ms[i:min(len(ms), i+j.limit)]
	k, row := alike(most[:min(len(most), maxJoined/size)], size)
	total, buffers := k*size, k*len(first.Buffers)
	for ; k < len(most); k++ {
		m := &most[k]
		n := length(m.Buffers)
		buffers += len(m.Buffers)
		if n == 0 || n > size || total+n > maxJoined || buffers > maxBuffers ||
			!sameAddr(first.Addr, m.Addr) || !bytes.Equal(first.OOB, m.OOB) {
			break
		}
		total += n
		row = row && len(m.Buffers) == 1 && sys.Address(m.Buffers[0]) == sys.Address(most[k-1].Buffers[0])+uintptr(size)
		if n < size {
			k++
			break
		}
	}
	if k == 1 || !sys.TakesSegmentSize(first.OOB) || j.refused.refuses(name, size) {
		return alone
	}
	return extent{i + k, size, total, row}
}

// alike returns how many messages at the front of ms are of the given size and do not
// differ in anything, as far as that is seen at a glance, and whether their data lie one
// behind the other in memory. It is at least 1.
func alike(ms []Message, size int) (k int, row bool) {
	to, _ := ms[0].Addr.(*net.UDPAddr)
	if to == nil && ms[0].Addr != nil || len(ms[0].Buffers) != 1 || len(ms[0].OOB) > 0 {
		return 1, len(ms[0].Buffers) == 1
	}
	gaps := uintptr(0)
	next := sys.Address(ms[0].Buffers[0])
	for i := range ms {
		m := &ms[i]
		if len(m.Buffers) != 1 || len(m.OOB) > 0 {
			return i, gaps == 0
		}
		p := m.Buffers[0]
		if a, _ := m.Addr.(*net.UDPAddr); len(p) != size || a != to || a == nil && m.Addr != nil {
			return i, gaps == 0
		}
		gaps |= next - sys.Address(p)
		next = sys.Address(p) + uintptr(size)
	}
	return len(ms), gaps == 0
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
	// Not Equal: the two forms of an IPv4 address make different names.
	//lint:ignore SA1021 see above
	return ua != nil && ub != nil && ua.Port == ub.Port && ua.Zone == ub.Zone && bytes.Equal(ua.IP, ub.IP)
}

// failed reports whether sending the messages from first up to end joined may have
// been the mistake, and the caller should go on from there.
func (j *joining) failed(errno syscall.Errno, name *sys.Sockaddr, size, first, end int) bool {
	if errno != syscall.EIO && errno != syscall.EMSGSIZE && !sys.Refused(errno) {
		return false
	}
	j.errno, j.to, j.size = errno, peerOf(name), size
	if j.fewer = errno == syscall.EINVAL && end-first > oldSegments; j.fewer {
		j.limit = oldSegments
	} else {
		j.singly = end
	}
	return true
}

// worked remembers what the last failure was about, now that messages of it went
// out in another way.
func (j *joining) worked() {
	if j.errno == 0 {
		return
	}
	switch {
	case j.fewer:
		segments.Store(oldSegments)
	case j.errno == syscall.EMSGSIZE || j.errno == syscall.EINVAL: // of Linux before 6.13
		j.refused.add(j.to, j.size)
	default: // the device that the path begins with cannot do it: EIO; or the system
		j.refused.add(j.to, 0)
	}
	j.errno = 0
}

package netfd

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// offload is the state of a UDP socket whose datagrams the kernel may merge.
type offload struct {
	// mu guards what is received: calls that do not wait come without the descriptor's
	// lock for reading.
	mu      sync.Mutex
	pending *row // received, and not delivered yet; not empty
	size    int  // of the datagrams merged last, 0 if the last was a single one
	count   int  // how many they were

	on atomic.Bool // joining is wanted
}

// SetOffload lets the kernel merge datagrams on receipt and has Batch.Send join
// them. What is received is split again, even after offload was turned off, as the
// receive queue may hold merged datagrams.
func (fd *FD) SetOffload(on bool) error {
	o := fd.offloads()
	if !on {
		if o != nil {
			o.on.Store(false)
		}
		return nil
	}
	if sys.UDP_GRO < 0 {
		return errors.ErrUnsupported
	}
	if o == nil {
		// Readers must know before the first merged datagram can arrive. Where the
		// option is lacking, or refused, they are better off as they are.
		if err := fd.SetsockoptInt(sys.SOL_UDP, sys.UDP_GRO, 0); err != nil {
			return err
		}
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
	fd.need().refusals.clear()
	o.on.Store(true)
	return nil
}

// FindOffload has what is received split if the kernel was told before to merge the
// datagrams of this socket.
func (fd *FD) FindOffload() {
	if fd.Type != sys.SOCK_DGRAM || fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 || sys.UDP_GRO < 0 {
		return
	}
	on := 0
	err := fd.Control(func(s uintptr) { on, _ = sys.GetsockoptInt(s, sys.SOL_UDP, sys.UDP_GRO) })
	if err == nil && on != 0 {
		fd.need().offload.CompareAndSwap(nil, new(offload))
	}
}

// cork says that a datagram was begun, which the next message ends: its bytes are
// not a datagram of their own.
func (fd *FD) cork() { fd.need().corked.Store(true) }

// corked reports, once, whether the next message may end a datagram begun before.
func (fd *FD) corked() bool {
	m := fd.more.Load()
	return m != nil && m.corked.Load() && m.corked.Swap(false)
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
func hold(held *atomic.Uintptr, errno syscall.Errno) { held.Store(uintptr(errno)) }

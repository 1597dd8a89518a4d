package netfd

import (
	"net"
	"sync/atomic"
)

// Addrs are the addresses of the two ends, nil where there is none.
type Addrs struct {
	Local, Remote net.Addr

	// Connected says that connect chose the peer.
	Connected bool

	taken uint32 // of FD.first: it holds addresses, or will
}

// noAddrs serves sockets before anything is known about them.
var noAddrs Addrs

// SetAddrs records the addresses of the two ends, nil where there is none, and
// whether a peer was chosen by connect.
func (fd *FD) SetAddrs(local, remote net.Addr, connected bool) {
	a := &fd.first
	if !atomic.CompareAndSwapUint32(&a.taken, 0, 1) {
		a = new(Addrs)
	}
	a.Local, a.Remote, a.Connected = local, remote, connected
	fd.addrs.Store(a)
}

// Local returns the local address, also after Close.
func (fd *FD) Local() net.Addr { return fd.addrs.Load().Local }

// Remote returns the peer's address, also after Close.
func (fd *FD) Remote() net.Addr { return fd.addrs.Load().Remote }

// Connected reports whether connect chose the peer, so that no other destination
// may be given. Accepted and adopted sockets are not connected in this sense.
func (fd *FD) Connected() bool { return fd.addrs.Load().Connected }

// LockPeer keeps others from changing the peer while the kernel is told of one and
// the addresses are recorded. The caller calls unlock afterwards.
func (fd *FD) LockPeer() (unlock func()) {
	m := &fd.need().peer
	m.Lock()
	return m.Unlock
}

// SetLocal changes the local address alone.
func (fd *FD) SetLocal(local net.Addr) {
	for {
		old := fd.addrs.Load()
		if fd.addrs.CompareAndSwap(old, &Addrs{Local: local, Remote: old.Remote, Connected: old.Connected}) {
			return
		}
	}
}

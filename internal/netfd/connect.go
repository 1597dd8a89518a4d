package netfd

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// aLongTimeAgo is a deadline that wakes all calls that wait.
var aLongTimeAgo = time.Unix(1, 0)

// Connect gives the socket a peer and waits until the kernel has found out whether
// that works. The socket is in the poller afterwards. peer is the address of the
// other end, no address if the kernel does not tell.
//
// An end of ctx is reported as ctx.Err(), and as os.ErrDeadlineExceeded if its
// deadline strikes while the call waits.
func (fd *FD) Connect(ctx context.Context, to *sys.Sockaddr) (peer sys.Sockaddr, err error) {
	errno, err := fd.startConnect(to)
	if err != nil {
		return peer, err
	}
	switch errno {
	case 0:
		if err := ctx.Err(); err != nil {
			return peer, err
		}
		if err := fd.Init(); err != nil {
			return peer, err
		}
		fd.Control(func(s uintptr) { sys.Getpeername(s, &peer) })
		return peer, nil
	case sys.EINPROGRESS, sys.EINTR:
	default:
		// EALREADY and EISCONN among them: who began that, and with which peer?
		return peer, os.NewSyscallError("connect", errno)
	}
	return fd.WaitConnect(ctx)
}

// StartConnect gives the socket a peer and does not wait: no error means that the
// connection is established or under way, in which case reading and writing wait for
// it.
func (fd *FD) StartConnect(to *sys.Sockaddr) error {
	errno, err := fd.startConnect(to)
	if err != nil {
		return err
	}
	switch errno {
	case 0:
		return nil
	case sys.EINPROGRESS, sys.EINTR:
		fd.need().connecting.Store(true)
		return nil
	}
	return os.NewSyscallError("connect", errno)
}

// startConnect calls connect once and returns what the kernel says.
func (fd *FD) startConnect(to *sys.Sockaddr) (errno syscall.Errno, err error) {
	to.MakeReachable()
	err = fd.Control(func(s uintptr) {
		before, binds := 0, to.NeedsZone() && !fd.IsStream()
		if binds {
			before = sys.BoundDevice(s)
		}
		errno = sys.Connect(s, to)
		if binds {
			fd.noteDevice(before, sys.BoundDevice(s))
		}
	})
	return errno, err
}

// noteDevice remembers to which interface a peer with a zone has bound the socket, which
// the kernel does even if it refuses that peer then, and to which it was bound before.
func (fd *FD) noteDevice(before, after int) {
	m := fd.need()
	if zone := int(m.zone.Load()); zone == 0 || zone != before {
		m.device.Store(int32(before))
	}
	m.zone.Store(int32(after))
}

// disconnect has the kernel forget the peer, as far as it does.
func (fd *FD) disconnect() error {
	zone, device := 0, 0
	m := fd.more.Load()
	if m != nil {
		zone, device = int(m.zone.Load()), int(m.device.Load())
	}
	err := fd.control("connect", func(s uintptr) syscall.Errno { return sys.Disconnect(s, zone, device) })
	if err == nil && zone != 0 {
		m.zone.Store(0)
	}
	return err
}

// WaitConnect waits for the outcome of a connect that is in progress. The socket is
// in the poller afterwards.
func (fd *FD) WaitConnect(ctx context.Context) (peer sys.Sockaddr, err error) {
	if err := fd.Init(); err != nil {
		return peer, err
	}
	if ctx.Done() != nil {
		if deadline, ok := ctx.Deadline(); ok {
			fd.file.SetWriteDeadline(deadline)
			defer fd.file.SetWriteDeadline(time.Time{})
		}
		woken := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			fd.file.SetWriteDeadline(aLongTimeAgo)
			close(woken)
		})
		defer func() {
			if stop() {
				return
			}
			<-woken
			fd.file.SetWriteDeadline(time.Time{})
			if err == nil {
				// The connection came about when the caller had given it up.
				err = ctx.Err()
			}
		}()
	}
	var errno syscall.Errno
	err = fd.RawWrite(func(s uintptr) (known bool) {
		errno, known = connected(s, &peer)
		return known
	})
	if err != nil && ctx.Err() != nil {
		return peer, ctx.Err()
	}
	return peer, fd.failed("connect", errno, err)
}

// connected reports whether the outcome of a connect is known. Readiness alone
// does not tell, the poller may wake us for nothing (go.dev/issue/14548,
// go.dev/issue/19289); having a peer does, and SO_ERROR says why there is none.
func connected(s uintptr, peer *sys.Sockaddr) (errno syscall.Errno, known bool) {
	if sys.Getpeername(s, peer) == 0 {
		return 0, true
	}
	v, errno := sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_ERROR)
	if errno == 0 {
		errno = syscall.Errno(v)
	}
	switch errno {
	case 0, sys.EINPROGRESS, sys.EALREADY, sys.EINTR:
		return 0, false
	case sys.EISCONN:
		errno = 0
	}
	return errno, true
}

// notYet looks into an ENOTCONN or EPIPE that reading or writing gave: if a connect is
// under way the caller is to wait, if it has failed that is the error. TCP on Linux
// says EAGAIN while it is not ready yet; other families and systems say ENOTCONN, and
// SCTP says EPIPE to a writer.
func (fd *FD) notYet(errno *syscall.Errno) {
	m := fd.more.Load()
	if m == nil || !m.connecting.Load() {
		return
	}
	fd.Control(func(s uintptr) {
		var peer sys.Sockaddr
		over := sys.WaitWritable(s)
		outcome, known := connected(s, &peer)
		switch {
		case known:
			m.connecting.Store(false)
			if outcome != 0 {
				*errno = outcome
			} else if *errno == sys.ENOTCONN || fd.Proto == sys.IPPROTO_SCTP {
				*errno = sys.EAGAIN // it came about meanwhile
			}
		case over:
			m.connecting.Store(false) // and another call had the error
		default:
			*errno = sys.EAGAIN
		}
	})
}

// SetPeer gives a datagram socket another peer than the one it may have, which it
// keeps if that fails.
func (fd *FD) SetPeer(to *sys.Sockaddr) error {
	var old sys.Sockaddr
	hadPeer := (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6) && fd.Peername(&old) == nil
	if !hadPeer || old.IsMapped() == to.IsMapped() && (to.NeedsZone() || !old.NeedsZone()) {
		err := fd.connectPeer(to)
		if err == nil || !hadPeer {
			return err
		}
	}
	// The kernel stays with the source address that it chose for the old peer, from
	// which this one may not be reachable, and with the interface in its zone, by which
	// there may be another way than the right one.
	err := fd.removePeer()
	if err == nil {
		err = fd.connectPeer(to)
	}
	if err != nil {
		fd.StartConnect(&old)
	}
	return err
}

// connectPeer is StartConnect for a datagram socket, which stays bound as it was if that
// fails.
func (fd *FD) connectPeer(to *sys.Sockaddr) error {
	err := fd.StartConnect(to)
	switch {
	case err == nil:
		fd.forgetErrors()
	case to.NeedsZone():
		fd.removePeer()
	}
	return err
}

// Disconnect leaves a datagram socket without a peer, but with its port, which the
// kernel takes away unless bind was called with it. In the moment between, another
// socket may get the port; the error is EADDRINUSE then. It is ErrPeerKept, and the
// peer as before, if the socket would not receive from others over IPv6 although it
// could.
func (fd *FD) Disconnect() error {
	var peer, local sys.Sockaddr
	if fd.Family != sys.AF_INET6 || fd.Peername(&peer) != nil || !sys.KeepsPeer6() {
		return fd.removePeer()
	}
	err := fd.Sockname(&local)
	if err == nil && local.IsMapped() {
		// Either it is bound to this address, and only IPv4 can reach it, or to none,
		// which shows afterwards.
		if err = fd.removePeer(); err != nil {
			return err
		}
		err = fd.Sockname(&local)
	}
	if err == nil && !local.IsMapped() {
		if fd.Peername(new(sys.Sockaddr)) != nil {
			fd.StartConnect(&peer)
		}
		err = ErrPeerKept
	}
	return err
}

// removePeer is disconnect that keeps the port.
func (fd *FD) removePeer() error {
	var before, after sys.Sockaddr
	if err := fd.Sockname(&before); err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		if err := fd.disconnect(); err != nil {
			return err
		}
		fd.forgetErrors()
		if fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 {
			return nil
		}
		if err := fd.Sockname(&after); err != nil {
			return err
		}
		port := before.Port()
		if port == 0 || after.Port() == port {
			return nil
		}
		after.SetPort(port)
		err := fd.Bind(&after)
		// What is sent in the moment between has the kernel choose another port, which
		// it takes away as well.
		if !errors.Is(err, syscall.EINVAL) || tries == 100 {
			return err
		}
	}
}

// Bound is where a socket is bound.
type Bound struct {
	Local  sys.Sockaddr
	Device int // the index of an interface, 0 for none
}

// Bound returns where the socket is bound, as far as connecting it to the address to may
// change that.
func (fd *FD) Bound(to *sys.Sockaddr) (b Bound) {
	fd.Sockname(&b.Local)
	if to.NeedsZone() {
		fd.Control(func(s uintptr) { b.Device = sys.BoundDevice(s) })
	}
	return b
}

// Unconnect takes back a connect to the address to that failed or was given up, so that
// another may follow. The socket keeps the port in was, which the kernel takes away if
// it was the kernel that chose it. It is best effort: what remains, the next connect
// tells.
func (fd *FD) Unconnect(to *sys.Sockaddr, was *Bound) {
	fd.disconnect()
	if (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6) && was.Local.Port() != 0 {
		// Linux goes on naming a port that it has taken away. Where it has not,
		// this fails.
		fd.Bind(&was.Local)
	}
	if to.NeedsZone() {
		fd.Control(func(s uintptr) { sys.BindDevice(s, was.Device) })
	}
}

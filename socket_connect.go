package sockets

import (
	"context"
	"math"
	"net"
	"os"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Connect connects the socket to addr, waits until the connection is established or ctx
// ends, and returns the connection. On a datagram socket it sets the peer and does not
// wait. See connect(2).
//
// If the listener of a unix stream has no room for another connection, Connect keeps
// trying until ctx ends, unlike Dial. The error then matches [ErrWouldBlock].
//
// After an error the Socket is as it was before the call, and can be connected to
// another address if the system allows it: Linux does, other systems need a new socket.
// If addr had a zone, a stream socket on Linux stays bound to that interface unless the
// process has CAP_NET_RAW.
//
// The result is a [*TCPConn], [*UDPConn], [*IPConn], [*UnixConn], [*StreamConn] or [*PacketConn].
func (s *Socket) Connect(ctx context.Context, addr net.Addr) (net.Conn, error) {
	if ctx == nil {
		panic("nil context")
	}
	addr = plain(addr)
	ctx, fd, err := s.startConnecting(ctx)
	var c net.Conn
	if err == nil {
		var peer sys.Sockaddr
		peer, err = connect(ctx, fd, addr)
		if err == context.Canceled && context.Cause(ctx) == os.ErrDeadlineExceeded {
			err = os.ErrDeadlineExceeded
		}
		c, err = s.stopConnecting(fd, addr, &peer, err)
	}
	if err != nil {
		return nil, socketError("dial", fd, addr, mapErr(err))
	}
	return c, nil
}

// startConnecting returns the descriptor, and a context that ends with ctx and at
// the deadline, the latter with the cause os.ErrDeadlineExceeded. Unless it fails,
// stopConnecting must follow.
func (s *Socket) startConnecting(ctx context.Context) (context.Context, *netfd.FD, error) {
	fd, err := s.lock()
	defer s.unlock()
	if err != nil {
		return nil, fd, err
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	s.connecting, s.giveUp = true, giveUp
	s.expire = time.AfterFunc(math.MaxInt64, func() { giveUp(os.ErrDeadlineExceeded) })
	s.resetExpire()
	return ctx, fd, nil
}

// stopConnecting makes a connection of the outcome of connect.
func (s *Socket) stopConnecting(fd *netfd.FD, addr net.Addr, peer *sys.Sockaddr, err error) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire.Stop()
	s.giveUp(nil)
	s.connecting, s.expire, s.giveUp = false, nil, nil
	if err != nil {
		return nil, err
	}
	return s.connected(fd, addr, peer)
}

// resetExpire makes the Connect that waits end at the deadline. s.mu is held.
func (s *Socket) resetExpire() {
	if !s.connecting {
		return
	}
	left := time.Duration(math.MaxInt64)
	if !s.deadline.IsZero() {
		left = time.Until(s.deadline)
	}
	if left <= 0 {
		s.giveUp(os.ErrDeadlineExceeded)
	}
	s.expire.Reset(left)
}

// connect gives fd a peer and returns the peer's address as the kernel has it. A
// failure leaves fd as it was.
func connect(ctx context.Context, fd *netfd.FD, addr net.Addr) (peer sys.Sockaddr, err error) {
	if addr == nil {
		return peer, errMissingAddress()
	}
	var sa, old sys.Sockaddr
	if err := encodeFor(&sa, fd, addr); err != nil {
		return peer, addrError("connect", err)
	}
	if err := ctx.Err(); err != nil {
		return peer, err
	}
	hadPeer := fd.Peername(&old) == nil
	if fd.IsStream() && hadPeer {
		return peer, os.NewSyscallError("connect", sys.EISCONN)
	}
	was := fd.Bound(&sa)
	during := ctx
	if !fd.IsStream() {
		// It does not wait, and Linux would not let go of an IPv6 peer.
		during = context.WithoutCancel(ctx)
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		peer, err := fd.Connect(during, &sa)
		if err == nil {
			return peer, nil
		}
		if !isErrno(err, sys.EAGAIN) {
			if !hadPeer || sa.NeedsZone() {
				fd.Unconnect(&sa, &was)
			}
			if hadPeer {
				fd.StartConnect(&old)
			}
			return peer, err
		}
		// Nothing tells when the peer has room again.
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			if ctx.Err() == context.Canceled {
				err = ctx.Err()
			}
			return peer, err
		}
	}
}

// connected gives the socket the role of a connection to addr, which the kernel
// calls peer. s.mu is held.
func (s *Socket) connected(fd *netfd.FD, addr net.Addr, peer *sys.Sockaddr) (net.Conn, error) {
	remote := decodeAddr(fd, peer)
	if remote == nil {
		remote = addr
	}
	if ip, _, _, ok := ipParts(remote); ok && ip.IsUnspecified() {
		remote = loopback(fd.Family, remote)
	}
	local := orNameless(fd, localAddr(fd))
	if err := s.move(fd); err != nil {
		return nil, err
	}
	fd.SetAddrs(local, remote, true)
	return newConn(fd), nil
}

// ConnectNoWait is like [Socket.Connect], but does not wait: the connection that it
// returns may not be established yet. Its first Read or Write waits until it is, within
// the deadline, and reports the error if it fails.
//
// With [sockopt.FastOpenConnect], the kernel sends nothing before the first Write, so a
// Read before that waits indefinitely unless it has a deadline.
func (s *Socket) ConnectNoWait(addr net.Addr) (net.Conn, error) {
	addr = plain(addr)
	fd, err := s.lock()
	defer s.unlock()
	var c net.Conn
	if err == nil {
		c, err = s.connectNoWait(fd, addr)
	}
	if err != nil {
		return nil, socketError("dial", fd, addr, err)
	}
	return c, nil
}

func (s *Socket) connectNoWait(fd *netfd.FD, addr net.Addr) (net.Conn, error) {
	if addr == nil {
		return nil, errMissingAddress()
	}
	var sa, peer sys.Sockaddr
	if err := encodeFor(&sa, fd, addr); err != nil {
		return nil, addrError("connect", err)
	}
	if fd.IsStream() && fd.Peername(&peer) == nil {
		return nil, os.NewSyscallError("connect", sys.EISCONN)
	}
	if err := fd.StartConnect(&sa); err != nil {
		return nil, err
	}
	if fd.Peername(&peer) != nil {
		peer = sa // it is under way
	}
	return s.connected(fd, addr, &peer)
}

// SetDeadline sets the time after which Connect fails with [os.ErrDeadlineExceeded],
// including a Connect that is already waiting. A zero t means no deadline other than
// that of Connect's context. The deadline does not apply once the connection is
// established.
func (s *Socket) SetDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fd, err := s.use()
	if err == nil {
		s.deadline = t
		s.resetExpire()
	}
	return socketError("set", fd, nil, err)
}

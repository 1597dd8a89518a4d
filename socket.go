package sockets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Socket is a socket without a role yet. Options are set on it and it is bound;
// then Listen, Connect, Conn, Listener or PacketConn makes it a listener or a
// connection.
//
// Taking a role moves the descriptor into the value returned and leaves the Socket
// empty: its Close does nothing from then on, and every other method fails with
// net.ErrClosed. So defer s.Close() is always right. A role that cannot be taken
// leaves the Socket as it was.
//
// Methods may be called concurrently; of several that take a role one succeeds.
// While Connect waits, the others fail with EALREADY, and Close ends it.
type Socket struct {
	fd atomic.Pointer[netfd.FD] // nil once moved or closed

	bound atomic.Bool // by Bind

	mu         sync.Mutex // held while a role is taken, but not while Connect waits
	connecting bool
	deadline   time.Time
	expire     *time.Timer             // ends the Connect that waits
	giveUp     context.CancelCauseFunc // ends it at once
}

var _ syscall.Conn = (*Socket)(nil)

// New makes a socket for one of the networks of Dialer.DialContext. Without a
// family in its name, an internet socket is IPv6 and speaks IPv4 as well, if the
// system allows. A TCP socket starts with NoDelay and KeepAlive on, as package
// net's connections do, and ReuseAddr, so that a server can start again while
// connections of the last one linger; other sockets start without ReuseAddr.
func New(network string) (*Socket, error) {
	k, err := kindOf(network)
	if err != nil {
		return nil, &net.OpError{Op: "socket", Net: network, Err: err}
	}
	fd, err := k.socket(nil, nil, true)
	if err == nil && isTCP(fd) {
		// Here rather than when a role is taken, so that the caller can change it.
		fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_REUSEADDR, 1)
		setTCPDefaults(fd, 0, net.KeepAliveConfig{})
	}
	return wrapSocket(network, fd, err)
}

// NewRaw makes a socket of any family, type and protocol that the kernel knows,
// see socket(2), and leaves its options as they are. It is close-on-exec and
// non-blocking without flags in typ.
func NewRaw(domain, typ, proto int) (*Socket, error) {
	network := networkName(domain, typ, proto)
	fd, err := netfd.Socket(domain, typ, proto, network)
	if err == nil {
		// The kernel takes the flags out of typ, and makes a datagram socket of a
		// raw one in the unix domain.
		if t, err := fd.GetsockoptInt(sys.SOL_SOCKET, sys.SO_TYPE); err == nil && t != typ {
			fd.Type, fd.Network = t, networkName(domain, t, proto)
		}
	}
	return wrapSocket(network, fd, err)
}

func wrapSocket(network string, fd *netfd.FD, err error) (*Socket, error) {
	if err == nil {
		if err = fd.Init(); err != nil {
			fd.Close()
		}
	}
	if err != nil {
		return nil, &net.OpError{Op: "socket", Net: network, Err: err}
	}
	s := new(Socket)
	s.fd.Store(fd)
	return s, nil
}

// networkName returns the name for a socket that came without one: package net's
// where there is one, otherwise that of the address family.
func networkName(family, typ, proto int) string {
	switch family {
	case sys.AF_INET, sys.AF_INET6:
		switch {
		case typ == sys.SOCK_STREAM && isTCPProto(proto):
			return "tcp"
		case typ == sys.SOCK_DGRAM:
			return "udp"
		case typ == sys.SOCK_RAW:
			return "ip"
		}
	case sys.AF_UNIX:
		return unixNet(typ)
	}
	return familyName(family)
}

func isTCPProto(proto int) bool {
	return proto == 0 || proto == sys.IPPROTO_TCP || proto == sys.IPPROTO_MPTCP
}

// use returns the descriptor, or net.ErrClosed if it has moved or was closed.
func (s *Socket) use() (*netfd.FD, error) {
	if fd := s.fd.Load(); fd != nil {
		return fd, nil
	}
	return nil, net.ErrClosed
}

// lock is use for a call that takes a role, which unlock ends.
func (s *Socket) lock() (*netfd.FD, error) {
	s.mu.Lock()
	fd, err := s.use()
	if err == nil && s.connecting {
		err = os.NewSyscallError("connect", sys.EALREADY)
	}
	return fd, err
}

func (s *Socket) unlock() { s.mu.Unlock() }

// move takes fd out of s. It fails if Close was faster.
func (s *Socket) move(fd *netfd.FD) error {
	if !s.fd.CompareAndSwap(fd, nil) {
		return net.ErrClosed
	}
	if fd.Local() == nil {
		fd.SetLocal(orNameless(fd, localAddr(fd)))
	}
	return nil
}

// moveConn is move for a connection, to which somebody may have given a peer by
// SyscallConn.
func (s *Socket) moveConn(fd *netfd.FD) error {
	if err := s.move(fd); err != nil {
		return err
	}
	if peer := peerAddr(fd); peer != nil && fd.Remote() == nil {
		fd.SetAddrs(fd.Local(), peer, true)
	}
	return nil
}

// peerAddr asks the kernel for the peer's address, nil if there is none.
func peerAddr(fd *netfd.FD) net.Addr {
	var sa sys.Sockaddr
	if fd.Peername(&sa) != nil {
		return nil
	}
	addr := decodeAddr(fd, &sa)
	if n, ok := addr.(*NetlinkAddr); ok && *n == (NetlinkAddr{}) {
		return nil // the kernel says so of a socket without a peer, too
	}
	return addr
}

// socketError wraps an error of a method; fd is nil if the Socket was empty.
func socketError(op string, fd *netfd.FD, addr net.Addr, err error) error {
	if err == nil {
		return nil
	}
	e := &net.OpError{Op: op, Addr: addr, Err: err}
	if fd != nil {
		e.Net, e.Source = fd.Network, fd.Local()
	}
	return e
}

// Bind gives the socket a local address. Port 0 lets the kernel choose, and a
// *net.UnixAddr with an empty name gets an abstract one. See bind(2).
//
// It changes no option: ReuseAddr is on for the TCP sockets of New, and otherwise
// what it was set to before, which for NewRaw is off.
func (s *Socket) Bind(addr net.Addr) error {
	addr = plain(addr)
	fd, err := s.use()
	if err == nil {
		err = s.bind(fd, addr)
	}
	return socketError("bind", fd, addr, err)
}

func (s *Socket) bind(fd *netfd.FD, addr net.Addr) error {
	if addr == nil {
		return errMissingAddress()
	}
	var sa sys.Sockaddr
	if err := encodeFor(&sa, fd, addr); err != nil {
		return namedError("bind", err)
	}
	if err := fd.Bind(&sa); err != nil {
		return err
	}
	s.bound.Store(true)
	fd.SetLocal(localAddr(fd))
	return nil
}

// Connect gives the socket a peer, waits until the connection stands, or ctx ends,
// and returns it. On a datagram socket there is nothing to wait for. A unix stream
// whose peer has no room for another connection tries again until ctx ends, which
// Dial does not; the error is ErrWouldBlock then. See connect(2).
//
// After an error the Socket is as before the call, and may be connected elsewhere,
// as far as the system allows; Linux does, others want a new socket.
//
// The result is a *TCPConn, *UDPConn, *IPConn, *UnixConn, *StreamConn or
// *PacketConn.
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
	var sa, local, old sys.Sockaddr
	if err := encodeFor(&sa, fd, addr); err != nil {
		return peer, namedError("connect", err)
	}
	if err := ctx.Err(); err != nil {
		return peer, err
	}
	hadPeer := fd.Peername(&old) == nil
	if fd.IsStream() && hadPeer {
		return peer, os.NewSyscallError("connect", sys.EISCONN)
	}
	fd.Sockname(&local)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		peer, err := fd.Connect(ctx, &sa)
		if err == nil {
			return peer, nil
		}
		if !isErrno(err, sys.EAGAIN) {
			if hadPeer {
				fd.StartConnect(&old)
			} else {
				fd.Unconnect(&local)
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
		remote = loopback(controlNetwork(fd), remote)
	}
	local := orNameless(fd, localAddr(fd))
	if err := s.move(fd); err != nil {
		return nil, err
	}
	fd.SetAddrs(local, remote, true)
	return newConn(fd), nil
}

// ConnectNoWait is Connect that returns at once, with a connection that need not
// stand yet: its first Read or Write waits for that, within its deadline, and
// reports the error if there is one.
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
		return nil, namedError("connect", err)
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

// Listen makes the socket accept connections, of which backlog may wait; 0 means
// as many as the system allows. The result is a *TCPListener, *UnixListener or
// *StreamListener. See listen(2).
func (s *Socket) Listen(backlog int) (net.Listener, error) {
	fd, err := s.lock()
	defer s.unlock()
	var l net.Listener
	if err == nil {
		l, err = s.listen(fd, backlog)
	}
	if err != nil {
		e := socketError("listen", fd, nil, err).(*net.OpError)
		e.Source, e.Addr = nil, e.Source
		return nil, e
	}
	return l, nil
}

func (s *Socket) listen(fd *netfd.FD, n int) (net.Listener, error) {
	if err := checkBacklog(n); err != nil {
		return nil, err
	}
	if err := fd.Listen(backlog(n)); err != nil {
		return nil, err
	}
	fd.SetAddrs(localAddr(fd), nil, false)
	if err := s.move(fd); err != nil {
		return nil, err
	}
	return newRoleListener(newListener(fd, true), s.bound.Load()), nil
}

// Conn gives the socket the role of a connection: for a descriptor that was handed
// over connected, and for datagrams. The result is of the types that Connect
// returns. It fails on a socket that listens.
func (s *Socket) Conn() (net.Conn, error) {
	fd, err := s.lock()
	defer s.unlock()
	if err == nil && listening(fd) {
		err = &RoleError{Socket: s.String(), Role: "connection", Why: "it listens"}
	}
	if err == nil {
		err = s.moveConn(fd)
	}
	if err != nil {
		return nil, socketError("conn", fd, nil, err)
	}
	return newConn(fd), nil
}

// PacketConn gives the socket the role of one that sends and receives messages.
// The result is a *UDPConn, *IPConn, *UnixConn or *PacketConn. It fails on a stream.
func (s *Socket) PacketConn() (net.PacketConn, error) {
	fd, err := s.lock()
	defer s.unlock()
	if err == nil && fd.Type == sys.SOCK_STREAM {
		err = &RoleError{Socket: s.String(), Role: "packet connection", Why: "it is a stream"}
	}
	if err == nil && listening(fd) {
		err = &RoleError{Socket: s.String(), Role: "packet connection", Why: "it listens"}
	}
	var c net.PacketConn
	if err == nil {
		var ok bool
		if c, ok = newConn(fd).(net.PacketConn); !ok {
			err = &RoleError{Socket: s.String(), Role: "packet connection", Why: "it is connection-oriented"}
		}
	}
	if err == nil {
		err = s.moveConn(fd)
	}
	if err != nil {
		return nil, socketError("packetconn", fd, nil, err)
	}
	return c, nil
}

// Listener gives a socket that listens already the role of a listener: for a
// descriptor that was handed over. Accepted TCP connections get package net's
// defaults, and a *UnixListener does not remove the socket's file unless told to.
func (s *Socket) Listener() (net.Listener, error) {
	fd, err := s.lock()
	defer s.unlock()
	if err == nil && !listening(fd) && (fd.KnowsListening() || !fd.IsStream()) {
		err = &RoleError{Socket: s.String(), Role: "listener", Why: "it does not listen"}
	}
	if err == nil {
		err = s.move(fd)
	}
	if err != nil {
		return nil, socketError("listener", fd, nil, err)
	}
	return adoptedListener(fd), nil
}

// adoptedListener returns the listener of a socket that somebody else made.
func adoptedListener(fd *netfd.FD) net.Listener {
	l := newListener(fd, true)
	l.setDefaults = true
	return newRoleListener(l, false)
}

// RoleError reports that a socket is not fit for a role. It matches
// errors.ErrUnsupported.
type RoleError struct {
	Socket string // as Socket.String has it
	Role   string // "listener"
	Why    string // "it does not listen"
}

func (e *RoleError) Error() string {
	return "sockets: " + e.Socket + " cannot be a " + e.Role + ": " + e.Why
}

// Is reports whether target is errors.ErrUnsupported.
func (e *RoleError) Is(target error) bool { return target == errors.ErrUnsupported }

// newConn returns fd in the type that fits it.
func newConn(fd *netfd.FD) net.Conn {
	switch fd.Family {
	case sys.AF_UNIX:
		return &UnixConn{conn{fd}}
	case sys.AF_INET, sys.AF_INET6:
		switch {
		case fd.Type == sys.SOCK_STREAM && isTCPProto(fd.Proto):
			return &TCPConn{conn{fd}}
		case fd.Type == sys.SOCK_DGRAM:
			return &UDPConn{conn{fd}}
		case fd.Type == sys.SOCK_RAW:
			return &IPConn{conn{fd}}
		}
	}
	if fd.Type == sys.SOCK_STREAM || fd.Type == sys.SOCK_SEQPACKET {
		return &StreamConn{conn{fd}}
	}
	return &PacketConn{conn{fd}}
}

// newRoleListener returns l in the type that fits its socket.
func newRoleListener(l *listener, unlink bool) net.Listener {
	switch l.fd.Family {
	case sys.AF_UNIX:
		return newUnixListener(l, unlink)
	case sys.AF_INET, sys.AF_INET6:
		if l.fd.Type == sys.SOCK_STREAM && isTCPProto(l.fd.Proto) {
			return &TCPListener{l}
		}
	}
	return &StreamListener{l}
}

// listening reports whether connections can be accepted.
func listening(fd *netfd.FD) bool {
	v, err := fd.GetsockoptInt(sys.SOL_SOCKET, sys.SO_ACCEPTCONN)
	return err == nil && v != 0
}

// SetDeadline makes Connect fail with os.ErrDeadlineExceeded once t has passed, also
// one that waits already. A zero t means to wait as long as the context of Connect
// says. The connection starts without a deadline.
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

// SyscallConn returns access to the descriptor, also after it has moved.
func (s *Socket) SyscallConn() (syscall.RawConn, error) {
	fd, err := s.use()
	if err != nil {
		return nil, socketError("raw", nil, nil, err)
	}
	return &rawConn{fd}, nil
}

// File returns a file with a copy of the descriptor; the caller closes both.
func (s *Socket) File() (*os.File, error) {
	fd, err := s.use()
	var f *os.File
	if err == nil {
		f, err = dupFile(fd)
	}
	if err != nil {
		return nil, socketError("file", fd, nil, err)
	}
	return f, nil
}

// Close closes the socket. It does nothing if it has moved, or was closed before.
func (s *Socket) Close() error {
	fd := s.fd.Swap(nil)
	if fd == nil {
		return nil
	}
	return socketError("close", fd, nil, fd.Close())
}

// LocalAddr returns the local address, nil if there is none, or if the Socket is
// empty.
func (s *Socket) LocalAddr() net.Addr {
	fd := s.fd.Load()
	if fd == nil {
		return nil
	}
	// Not what the kernel says now, which is a port that the socket has lost after
	// a connect failed.
	addr := fd.Local()
	if addr == nil || isUnbound(addr) && fd.Remote() == nil {
		return nil
	}
	return addr
}

// RemoteAddr returns the peer's address, nil if there is none, or if the Socket is
// empty.
func (s *Socket) RemoteAddr() net.Addr {
	fd := s.fd.Load()
	if fd == nil {
		return nil
	}
	if addr := fd.Remote(); addr != nil {
		return addr
	}
	return peerAddr(fd)
}

// Family returns the address family, AF_INET and so on, or 0 if the Socket is empty.
func (s *Socket) Family() int {
	if fd := s.fd.Load(); fd != nil {
		return fd.Family
	}
	return 0
}

// Type returns the socket type, SOCK_STREAM and so on, or 0 if the Socket is empty.
func (s *Socket) Type() int {
	if fd := s.fd.Load(); fd != nil {
		return fd.Type
	}
	return 0
}

// Protocol returns the protocol the socket was made with, 0 for the usual one.
func (s *Socket) Protocol() int {
	if fd := s.fd.Load(); fd != nil {
		return fd.Proto
	}
	return 0
}

// Listening asks the kernel whether the socket listens.
func (s *Socket) Listening() bool {
	fd := s.fd.Load()
	return fd != nil && listening(fd)
}

// Connected asks the kernel whether the socket has a peer.
func (s *Socket) Connected() bool {
	fd := s.fd.Load()
	return fd != nil && peerAddr(fd) != nil
}

// String describes the socket: family, type, state and addresses.
func (s *Socket) String() string {
	fd := s.fd.Load()
	if fd == nil {
		return "closed socket"
	}
	var b strings.Builder
	b.WriteString(kindName(fd))
	local, remote := s.LocalAddr(), s.RemoteAddr()
	switch {
	case listening(fd):
		fmt.Fprintf(&b, " listening on %v", local)
	case remote != nil && local != nil:
		fmt.Fprintf(&b, " connected from %v to %v", local, remote)
	case remote != nil:
		fmt.Fprintf(&b, " connected to %v", remote)
	case local != nil:
		fmt.Fprintf(&b, " bound to %v", local)
	default:
		b.WriteString(", unbound")
	}
	return b.String()
}

// isUnbound reports whether addr is what the kernel tells of a socket that was
// neither bound nor connected.
func isUnbound(addr net.Addr) bool {
	if u, ok := addr.(*net.UnixAddr); ok {
		return u.Name == sys.UnnamedUnix
	}
	ip, port, _, ok := ipParts(addr)
	return ok && port == 0 && ip.IsUnspecified()
}

// kindName returns what is printed for the kind of socket that fd is.
func kindName(fd *netfd.FD) string {
	return familyName(fd.Family) + " " + typeName(fd.Type) + " socket"
}

func typeName(typ int) string {
	switch typ {
	case sys.SOCK_STREAM:
		return "stream"
	case sys.SOCK_DGRAM:
		return "datagram"
	case sys.SOCK_RAW:
		return "raw"
	case sys.SOCK_SEQPACKET:
		return "seqpacket"
	}
	return fmt.Sprintf("type %d", typ)
}

// Pair makes two connected unix sockets, of network "unix", "unixgram" or
// "unixpacket". They have no names. See socketpair(2).
func Pair(network string) (a, b *UnixConn, err error) {
	k, err := kindOf(network)
	if err == nil && k.family != sys.AF_UNIX {
		err = net.UnknownNetworkError(network)
	}
	var fds [2]int
	if err == nil {
		var errno syscall.Errno
		fds, errno = sys.Socketpair(k.family, k.typ, k.proto)
		err = netfd.CallError("socketpair", errnoErr(errno))
	}
	if err == nil {
		a, b, err = newPair(k, fds)
	}
	if err != nil {
		return nil, nil, &net.OpError{Op: "socketpair", Net: network, Err: err}
	}
	return a, b, nil
}

func newPair(k kind, fds [2]int) (a, b *UnixConn, err error) {
	var ends [2]*netfd.FD
	for i, s := range fds {
		fd, err := netfd.New(s, k.family, k.typ, k.proto, k.network)
		if err == nil {
			if err = fd.Init(); err != nil {
				fd.Close()
			}
		}
		if err != nil {
			if i == 0 {
				sys.Close(fds[1])
			} else {
				ends[0].Close()
			}
			return nil, nil, err
		}
		unnamed := func() net.Addr { return &net.UnixAddr{Name: sys.UnnamedUnix, Net: k.network} }
		fd.SetAddrs(unnamed(), unnamed(), true)
		ends[i] = fd
	}
	return &UnixConn{conn{ends[0]}}, &UnixConn{conn{ends[1]}}, nil
}

// With calls f with what a constructor returned, and closes it when f returns or
// panics. It returns err without calling f, or f's error, joined with that of Close.
//
//	c, err := sockets.Dial("tcp", "localhost:80")
//	err = sockets.With(c, err, func(c net.Conn) error { ... })
func With[C io.Closer](c C, err error, f func(c C) error) (result error) {
	if err != nil {
		return err
	}
	defer func() {
		err := c.Close()
		switch {
		case err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrClosed):
			// f may have closed it.
		case result == nil:
			result = err
		default:
			result = errors.Join(result, err)
		}
	}()
	return f(c)
}

package sockets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
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
type Socket struct {
	fd atomic.Pointer[netfd.FD] // nil once moved or closed
}

var _ syscall.Conn = (*Socket)(nil)

// New makes a socket for one of the networks of Dialer, "mptcp", "mptcp4", "mptcp6"
// or "vsock". Without a family in its name, an internet socket is IPv6 and speaks
// IPv4 as well, if the system allows. A TCP socket starts with NoDelay and KeepAlive
// on, as package net's connections do, and ReuseAddr, so that a server can start
// again while connections of the last one linger.
func New(network string) (*Socket, error) {
	k, err := kindOf(network)
	if err != nil {
		return nil, &net.OpError{Op: "socket", Net: network, Err: err}
	}
	fd, err := openSocket(k.network, k.family, k.typ, k.proto, k.v6only)
	if err == nil && isTCP(fd) {
		// Here rather than when a role is taken, so that the caller can change it.
		fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_REUSEADDR, 1)
		setTCPDefaults(fd, 0, net.KeepAliveConfig{})
	}
	return wrapSocket(network, fd, err)
}

// NewRaw makes a socket of any family, type and protocol that the kernel knows,
// see socket(2), and leaves its options as they are. Flags may not be part of typ.
func NewRaw(domain, typ, proto int) (*Socket, error) {
	fd, err := netfd.Socket(domain, typ, proto, networkName(domain, typ, proto))
	return wrapSocket(networkName(domain, typ, proto), fd, err)
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

// kind is what a network's name says about a socket.
type kind struct {
	network            string // without the protocol
	family, typ, proto int
	v6only             bool
}

func kindOf(network string) (kind, error) {
	k := kind{network: network, family: sys.AF_UNIX}
	switch network {
	case "unix", "unixgram", "unixpacket":
		k.typ = unixType(network)
		return k, nil
	case "vsock":
		k.family, k.typ = sys.AF_VSOCK, sys.SOCK_STREAM
		return k, nil
	}
	base := network
	if strings.HasPrefix(network, "mptcp") {
		base, k.proto = network[1:], sys.IPPROTO_MPTCP
		base = strings.Replace(base, "ptcp", "tcp", 1)
	}
	base, proto, err := parseNetwork(base)
	if err != nil {
		return k, err
	}
	switch base[0] {
	case 't':
		k.typ = sys.SOCK_STREAM
	case 'u':
		k.typ = sys.SOCK_DGRAM
	default:
		k.typ, k.proto, k.network = sys.SOCK_RAW, proto, base
	}
	k.family, k.v6only = favoriteFamily(base, nil, nil, true)
	return k, nil
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

// move takes fd out of s. It fails if somebody else was faster.
func (s *Socket) move(fd *netfd.FD) error {
	if !s.fd.CompareAndSwap(fd, nil) {
		return net.ErrClosed
	}
	return nil
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
		return netfd.CallError("bind", err)
	}
	if err := fd.Bind(&sa); err != nil {
		return err
	}
	fd.SetAddrs(localAddr(fd), fd.Remote(), fd.Connected())
	return nil
}

// Connect gives the socket a peer, waits until the connection stands, or ctx ends,
// and returns it. On a datagram socket there is nothing to wait for. A unix stream
// whose peer has no room for another connection tries again until ctx ends, which
// Dial does not. See connect(2).
//
// The result is a *TCPConn, *UDPConn, *IPConn, *UnixConn, *StreamConn or
// *PacketConn.
func (s *Socket) Connect(ctx context.Context, addr net.Addr) (net.Conn, error) {
	if ctx == nil {
		panic("nil context")
	}
	addr = plain(addr)
	fd, err := s.use()
	var c net.Conn
	if err == nil {
		c, err = s.connect(ctx, fd, addr)
	}
	if err != nil {
		return nil, socketError("dial", fd, addr, mapErr(err))
	}
	return c, nil
}

func (s *Socket) connect(ctx context.Context, fd *netfd.FD, addr net.Addr) (net.Conn, error) {
	if addr == nil {
		return nil, errMissingAddress()
	}
	var sa sys.Sockaddr
	if err := encodeFor(&sa, fd, addr); err != nil {
		return nil, netfd.CallError("connect", err)
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		peer, err := fd.Connect(ctx, &sa)
		if err == nil {
			return s.connected(fd, addr, &peer)
		}
		if !isErrno(err, sys.EAGAIN) {
			return nil, err
		}
		// Nothing tells when the peer has room again.
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			if ctx.Err() == context.Canceled {
				err = ctx.Err()
			}
			return nil, err
		}
	}
}

// connected gives the socket the role of a connection to addr, which the kernel
// calls peer.
func (s *Socket) connected(fd *netfd.FD, addr net.Addr, peer *sys.Sockaddr) (net.Conn, error) {
	remote := decodeAddr(fd, peer)
	if remote == nil {
		remote = addr
	}
	local := localAddr(fd)
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
	fd, err := s.use()
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
		return nil, netfd.CallError("connect", err)
	}
	if err := fd.StartConnect(&sa); err != nil {
		return nil, err
	}
	fd.Peername(&peer) // no address yet if it is under way
	return s.connected(fd, addr, &peer)
}

// Listen makes the socket accept connections, of which backlog may wait; 0 means
// as many as the system allows. The result is a *TCPListener, *UnixListener or
// *StreamListener. See listen(2).
func (s *Socket) Listen(backlog int) (net.Listener, error) {
	fd, err := s.use()
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
	return newRoleListener(newListener(fd, true), true), nil
}

// Conn gives the socket the role of a connection: for a descriptor that was handed
// over connected, and for datagrams. The result is of the types that Connect
// returns. It fails on a socket that listens.
func (s *Socket) Conn() (net.Conn, error) {
	fd, err := s.use()
	if err == nil && listening(fd) {
		err = &RoleError{Socket: s.String(), Role: "connection", Why: "it listens"}
	}
	if err == nil {
		err = s.move(fd)
	}
	if err != nil {
		return nil, socketError("conn", fd, nil, err)
	}
	return newConn(fd), nil
}

// PacketConn gives the socket the role of one that sends and receives messages.
// The result is a *UDPConn, *IPConn, *UnixConn or *PacketConn. It fails on a stream.
func (s *Socket) PacketConn() (net.PacketConn, error) {
	fd, err := s.use()
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
		err = s.move(fd)
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
	fd, err := s.use()
	if err == nil && !listening(fd) {
		err = &RoleError{Socket: s.String(), Role: "listener", Why: "it does not listen"}
	}
	if err == nil {
		err = s.move(fd)
	}
	if err != nil {
		return nil, socketError("listener", fd, nil, err)
	}
	l := newListener(fd, true)
	l.setDefaults = true
	return newRoleListener(l, false), nil
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

// SetDeadline makes Connect fail with os.ErrDeadlineExceeded once t has passed. A
// zero t means to wait as long as the context of Connect says.
func (s *Socket) SetDeadline(t time.Time) error {
	fd, err := s.use()
	if err == nil {
		err = fd.SetDeadline(t)
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
	if fd := s.fd.Load(); fd != nil {
		return fd.Local()
	}
	return nil
}

// RemoteAddr returns the peer's address, nil if there is none, or if the Socket is
// empty.
func (s *Socket) RemoteAddr() net.Addr {
	if fd := s.fd.Load(); fd != nil {
		return fd.Remote()
	}
	return nil
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
	var sa sys.Sockaddr
	return fd != nil && fd.Peername(&sa) == nil
}

// String describes the socket: family, type, state and addresses.
func (s *Socket) String() string {
	fd := s.fd.Load()
	if fd == nil {
		return "closed socket"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s socket", familyName(fd.Family), typeName(fd.Type))
	local, remote := fd.Local(), fd.Remote()
	switch {
	case listening(fd):
		fmt.Fprintf(&b, " listening on %v", local)
	case remote != nil && local != nil:
		fmt.Fprintf(&b, " connected from %v to %v", local, remote)
	case remote != nil:
		fmt.Fprintf(&b, " connected to %v", remote)
	case local != nil && !isUnbound(local):
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
	err = checkNetwork(network, "unix", "unixgram", "unixpacket")
	var fds [2]int
	if err == nil {
		var errno syscall.Errno
		fds, errno = sys.Socketpair(sys.AF_UNIX, unixType(network), 0)
		err = netfd.CallError("socketpair", errnoErr(errno))
	}
	if err == nil {
		a, b, err = newPair(network, fds)
	}
	if err != nil {
		return nil, nil, &net.OpError{Op: "socketpair", Net: network, Err: err}
	}
	return a, b, nil
}

func newPair(network string, fds [2]int) (a, b *UnixConn, err error) {
	var ends [2]*netfd.FD
	for i, s := range fds {
		fd, err := netfd.New(s, sys.AF_UNIX, unixType(network), 0, network)
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
		unnamed := func() net.Addr { return &net.UnixAddr{Name: sys.UnnamedUnix, Net: network} }
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
		// f may have closed it, and a Socket may have moved.
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			result = errors.Join(result, err)
		}
	}()
	return f(c)
}

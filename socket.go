package sockets

import (
	"context"
	"errors"
	"fmt"
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

// Socket is a socket that does not have a role yet. Set its options and bind it; then
// Listen, Connect, Conn, Listener or PacketConn makes it a listener or a connection.
//
// Taking a role moves the descriptor into the returned value and leaves the Socket
// empty. From then on its Close does nothing, and its other methods fail with
// [net.ErrClosed]. So defer s.Close() is always right. If a role cannot be taken, the
// Socket is unchanged.
//
// Methods may be called concurrently. If several calls take a role at once, one
// succeeds. While Connect waits, other methods fail with EALREADY, and Close ends the
// wait.
type Socket struct {
	fd atomic.Pointer[netfd.FD] // nil once moved or closed

	file atomic.Pointer[socketFile] // that Bind has made

	mu         sync.Mutex // held while a role is taken, but not while Connect waits
	connecting bool
	deadline   time.Time
	expire     *time.Timer             // ends the Connect that waits
	giveUp     context.CancelCauseFunc // ends it at once
}

var _ syscall.Conn = (*Socket)(nil)

// New makes a socket for network, which is one of those of [Dialer.DialContext]. If the
// network's name does not say which IP version, the socket is an IPv6 socket that also
// carries IPv4, where the system allows it.
//
// A TCP socket starts with NoDelay and KeepAlive on, as connections of package net do,
// and with ReuseAddr on, so that a server can restart while connections of its
// predecessor linger. UDP and raw IP sockets start with Broadcast on, as those of
// package net do.
func New(network string) (*Socket, error) { return newSocket(nil, network) }

func newSocket(netns *os.File, network string) (*Socket, error) {
	k, err := kindOf(network, nil)
	if err != nil {
		return nil, openError("socket", network, nil, nil, err)
	}
	fd, err := k.socket(netns, nil, nil, true)
	if err == nil && isTCP(fd) {
		// Here rather than when a role is taken, so that the caller can change it.
		fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_REUSEADDR, 1)
		setTCPDefaults(fd, 0, net.KeepAliveConfig{})
	}
	return wrapSocket(network, fd, err)
}

// NewRaw makes a socket of any family, type and protocol that the kernel supports, and
// changes none of its options. See socket(2). The socket is always close-on-exec and
// non-blocking; typ needs no flags for that.
func NewRaw(domain, typ, proto int) (*Socket, error) { return newRawSocket(nil, domain, typ, proto) }

func newRawSocket(netns *os.File, domain, typ, proto int) (*Socket, error) {
	network := networkName(domain, typ, proto)
	for i, n := range [...]int{domain, typ, proto} {
		if n != int(int32(n)) { // the kernel would take its low 32 bits
			err := &ArgumentError{Arg: [...]string{"domain", "type", "protocol"}[i], Value: n, Why: "does not fit in 32 bits"}
			return nil, openError("socket", network, nil, nil, err)
		}
	}
	fd, err := netfd.Socket(netfd.Kind{Family: domain, Type: typ, Proto: proto, Network: network}, netns)
	if err == nil {
		// The kernel takes the flags out of typ, and makes a datagram socket of a
		// raw one in the unix domain.
		if t, err := fd.GetsockoptInt(sys.SOL_SOCKET, sys.SO_TYPE); err == nil && t != typ {
			fd.SetKind(netfd.Kind{Family: domain, Type: t, Proto: proto, Network: networkName(domain, t, proto)})
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
		return nil, openError("socket", network, nil, nil, err)
	}
	s := new(Socket)
	s.fd.Store(fd)
	return s, nil
}

// use returns the descriptor, or net.ErrClosed if it has moved or was closed.
func (s *Socket) use() (*netfd.FD, error) {
	if fd := s.fd.Load(); fd != nil {
		return fd, nil
	}
	return nil, net.ErrClosed
}

// Bind sets the local address of the socket. Port 0 lets the kernel choose, and a
// [*net.UnixAddr] with an empty name gets an abstract name. See bind(2).
//
// It does not change options. On a stream or UDP socket made by [NewRaw], for example,
// ReuseAddr is off unless it was set.
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
		return addrError("bind", err)
	}
	if err := fd.Bind(&sa); err != nil {
		return err
	}
	file := socketFileAt(addr)
	s.file.Store(&file)
	fd.SetLocal(localAddr(fd))
	return nil
}

// SyscallConn returns access to the descriptor. It also works after the descriptor has
// moved.
func (s *Socket) SyscallConn() (syscall.RawConn, error) {
	fd, err := s.use()
	if err != nil {
		return nil, socketError("raw", nil, nil, err)
	}
	return (*rawConn)(fd), nil
}

// File returns a file that uses a copy of the descriptor. The caller must close both.
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

// Close closes the socket. It does nothing if the descriptor has moved or the socket is
// already closed.
func (s *Socket) Close() error {
	fd := s.fd.Swap(nil)
	if fd == nil {
		return nil
	}
	return socketError("close", fd, nil, fd.Close())
}

// LocalAddr returns the local address, or nil if there is none or the Socket is empty.
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

// RemoteAddr returns the address of the peer, or nil if there is none or the Socket is
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

// Family returns the address family, such as AF_INET, or 0 if the Socket is empty.
func (s *Socket) Family() int {
	if fd := s.fd.Load(); fd != nil {
		return fd.Family
	}
	return 0
}

// Type returns the socket type, such as SOCK_STREAM, or 0 if the Socket is empty.
func (s *Socket) Type() int {
	if fd := s.fd.Load(); fd != nil {
		return fd.Type
	}
	return 0
}

// Protocol returns the protocol with which the socket was made. 0 means the default of
// its family and type.
func (s *Socket) Protocol() int {
	if fd := s.fd.Load(); fd != nil {
		return fd.Proto
	}
	return 0
}

// Listening reports whether the socket listens. It asks the kernel.
func (s *Socket) Listening() bool {
	fd := s.fd.Load()
	return fd != nil && listening(fd)
}

// Connected reports whether the socket has a peer. It asks the kernel.
func (s *Socket) Connected() bool {
	fd := s.fd.Load()
	return fd != nil && peerAddr(fd) != nil
}

// String describes the socket: its family, type, state and addresses.
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

// Pair makes two unix sockets that are connected to each other and have no names. The
// network must be "unix", "unixgram" or "unixpacket". See socketpair(2).
func Pair(network string) (a, b *UnixConn, err error) {
	k, err := kindOf(network, unixNetworks)
	var fds [2]*netfd.FD
	if err == nil {
		fds, err = netfd.Pair(netfd.Kind{Family: k.family, Type: k.typ, Proto: k.proto, Network: k.network})
	}
	if err != nil {
		return nil, nil, openError("socketpair", network, nil, nil, err)
	}
	unnamed := func() net.Addr { return &net.UnixAddr{Name: sys.UnnamedUnix, Net: k.network} }
	for _, fd := range fds {
		fd.SetAddrs(unnamed(), unnamed(), true)
	}
	return newConn(fds[0]).(*UnixConn), newConn(fds[1]).(*UnixConn), nil
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

// moveConn is move for a connection, which may have got a peer by
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

// Listen makes the socket accept connections. Up to backlog connections may wait to be
// accepted; 0 means the most that the system allows. The result is a [*TCPListener],
// [*UnixListener] or [*StreamListener]. See listen(2).
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
	var file socketFile
	if bound := s.file.Load(); bound != nil {
		file = *bound
	}
	return newListener(newCore(fd, true), file), nil
}

// Conn makes the socket a connection without connecting it. It is for a descriptor that
// was connected by another program, and for datagram sockets. The types of the result
// are those of Connect. It fails if the socket listens.
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

// PacketConn makes the socket one that sends and receives messages. The result is a
// [*UDPConn], [*IPConn], [*UnixConn] or [*PacketConn]. It fails if the socket is a stream.
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

// Listener returns a listener over a socket that already listens, for a descriptor that
// another program made. Accepted TCP connections get the defaults of package net. A
// [*UnixListener] does not remove the socket's file unless
// [UnixListener.SetUnlinkOnClose] tells it to.
func (s *Socket) Listener() (net.Listener, error) { return noListenConfig.Adopt(s) }

// Adopt is like [Socket.Listener], with the options of lc. Options are set on the
// socket and, where the kernel does not pass them on, on accepted connections.
// KeepAlive, KeepAliveConfig, Format and the buffer sizes apply to accepted
// connections. A Backlog other than zero replaces that of the socket. Options that a
// Multipath TCP socket would accept without effect are an error. The other fields are
// for making a socket and have no effect.
//
// After an error s is unchanged, except for options that have already been set.
func (lc *ListenConfig) Adopt(s *Socket) (net.Listener, error) {
	if s == nil {
		return nil, socketError("listener", nil, nil, &ArgumentError{Arg: "socket", Value: nil, Why: "must not be nil"})
	}
	fd, err := s.lock()
	defer s.unlock()
	if err == nil && deaf(fd) {
		err = &RoleError{Socket: s.String(), Role: "listener", Why: "it does not listen"}
	}
	if err == nil {
		err = lc.prepareAdopted(fd)
	}
	if err == nil {
		err = s.move(fd)
	}
	if err != nil {
		return nil, socketError("listener", fd, nil, err)
	}
	return lc.adopted(fd), nil
}

// prepareAdopted sets the options of lc on a socket that others made.
func (lc *ListenConfig) prepareAdopted(fd *netfd.FD) error {
	if err := lc.format().check(fd.Type); err != nil {
		return err
	}
	if err := checkBacklog(lc.Backlog); err != nil {
		return err
	}
	for _, o := range lc.Options {
		if err := o.Apply((*rawConn)(fd)); err != nil {
			return err
		}
	}
	if err := checkEffect(fd, lc.Options); err != nil {
		return err
	}
	if lc.Backlog != 0 {
		return fd.Listen(lc.Backlog)
	}
	return nil
}

// listening reports whether connections can be accepted.
func listening(fd *netfd.FD) bool {
	v, err := fd.GetsockoptInt(sys.SOL_SOCKET, sys.SO_ACCEPTCONN)
	return err == nil && v != 0
}

// deaf reports whether no connections can be accepted for certain. Where the kernel does
// not tell, accepting does.
func deaf(fd *netfd.FD) bool {
	if !fd.IsStream() {
		return !listening(fd)
	}
	v, err := fd.GetsockoptInt(sys.SOL_SOCKET, sys.SO_ACCEPTCONN)
	var errno syscall.Errno
	if errors.As(err, &errno) && sys.Refused(errno) { // by a sandbox
		return false
	}
	return v == 0 && fd.KnowsListening()
}

package sockets

import (
	"net"
	"os"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

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
	return newListener(newCore(fd, true), s.file.Load()), nil
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
func (s *Socket) Listener() (net.Listener, error) { return new(ListenConfig).Adopt(s) }

// Adopt is [Socket.Listener] with the options of lc. Options are set on the socket and,
// where the kernel does not hand them down, on accepted connections; KeepAlive,
// KeepAliveConfig, Format and the buffer sizes are those of accepted connections. A
// Backlog other than zero replaces the socket's. The other fields are about making a
// socket and have no effect.
//
// After an error s is as before, except for options that were set until then.
func (lc *ListenConfig) Adopt(s *Socket) (net.Listener, error) {
	fd, err := s.lock()
	defer s.unlock()
	if err == nil && !listening(fd) && (fd.KnowsListening() || !fd.IsStream()) {
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

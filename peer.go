package sockets

import (
	"errors"
	"net"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Connect makes addr the peer, instead of the one there may be: from then on Write
// sends there, and only what comes from there is received. Queued datagrams stay.
//
// A socket that is not bound to an address goes on sending from the one that the
// kernel chose for its last peer, if that can reach the new one. Disconnect comes
// first where it is to be chosen again. After an error the peer is as before.
func (c *UDPConn) Connect(addr net.Addr) error { return c.setPeer(addr) }

// Disconnect leaves the socket without a peer. It keeps its local port, also one
// that the kernel chose, and the interface to which it was bound before it got a peer
// with a zone.
//
// Linux does not let go of the peer of an IPv6 socket, which would receive datagrams of
// no other one ever after. There Disconnect leaves the peer alone and fails with an
// error that matches errors.ErrUnsupported; Connect gives the socket another peer, and
// a new socket has none. A "udp" socket for both families is an IPv6 socket.
func (c *UDPConn) Disconnect() error { return c.removePeer() }

// Connect makes addr the peer of a datagram socket, instead of the one there may
// be.
func (c *UnixConn) Connect(addr net.Addr) error {
	if c.ok() && c.fd.Type != sys.SOCK_DGRAM {
		return socketError("connect", c.fd, plain(addr), notDatagram(c.fd))
	}
	return c.setPeer(addr)
}

// Disconnect leaves a datagram socket without a peer. It keeps its name.
func (c *UnixConn) Disconnect() error {
	if c.ok() && c.fd.Type != sys.SOCK_DGRAM {
		return socketError("disconnect", c.fd, nil, notDatagram(c.fd))
	}
	return c.removePeer()
}

func notDatagram(fd *netfd.FD) error {
	return &RoleError{Socket: kindName(fd), Role: "socket that changes its peer", Why: "it is no datagram socket"}
}

func (c *conn) setPeer(addr net.Addr) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	addr = plain(addr)
	if addr == nil {
		return socketError("connect", c.fd, nil, errMissingAddress())
	}
	defer c.fd.LockPeer()()
	var sa, peer sys.Sockaddr
	if err := encodePeerFor(&sa, c.fd, addr); err != nil {
		return socketError("connect", c.fd, addr, addrError("connect", err))
	}
	if err := c.fd.SetPeer(&sa); err != nil {
		c.setAddrs(c.fd.Remote(), c.fd.Connected()) // it may have got a port, or lost one
		return socketError("connect", c.fd, addr, err)
	}
	if c.fd.Peername(&peer) == nil {
		addr = decodeAddr(c.fd, &peer)
	}
	c.setAddrs(addr, true)
	return nil
}

func (c *conn) removePeer() error {
	if !c.ok() {
		return syscall.EINVAL
	}
	defer c.fd.LockPeer()()
	err := c.fd.Disconnect()
	switch {
	case err == netfd.ErrPeerKept:
		c.setAddrs(c.fd.Remote(), c.fd.Connected())
	case err == nil || !errors.Is(err, net.ErrClosed):
		// The peer is gone even if the port is lost.
		c.setAddrs(nil, false)
	}
	return socketError("disconnect", c.fd, nil, err)
}

// setAddrs records a new peer, and the local address as the kernel has it now.
func (c *conn) setAddrs(remote net.Addr, connected bool) {
	local := localAddr(c.fd)
	if local == nil {
		local = c.fd.Local() // closed meanwhile
	}
	c.fd.SetAddrs(local, remote, connected)
}

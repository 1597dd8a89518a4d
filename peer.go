package sockets

import (
	"errors"
	"net"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Connect makes addr the peer of the socket, replacing any other: from then on Write
// sends to it, and only datagrams from it are received. Datagrams that are already
// queued stay in the queue. After an error the peer is unchanged.
//
// If the socket is not bound to an address, it keeps sending from the one that the
// kernel chose for the previous peer, if the new peer can be reached from there. To have
// it chosen again, call [UDPConn.Disconnect] first.
func (c *UDPConn) Connect(addr net.Addr) error { return c.setPeer(addr) }

// Disconnect removes the peer of the socket. The socket keeps its local port, even one
// that the kernel chose, and the interface to which it was bound before it got a peer
// with a zone.
//
// On Linux this does not work for IPv6 sockets, which include "udp" sockets that serve
// both families: the kernel would keep receiving from the previous peer only. There
// Disconnect changes nothing and returns an error that matches [errors.ErrUnsupported].
// Call [UDPConn.Connect] to set another peer, or make a new socket.
func (c *UDPConn) Disconnect() error { return c.removePeer() }

// Connect makes addr the peer of a datagram socket, replacing any other.
func (c *UnixConn) Connect(addr net.Addr) error {
	if c.ok() && c.fd.Type != sys.SOCK_DGRAM {
		return socketError("connect", c.fd, plain(addr), notDatagram(c.fd))
	}
	return c.setPeer(addr)
}

// Disconnect removes the peer of a datagram socket. The socket keeps its name.
func (c *UnixConn) Disconnect() error {
	if c.ok() && c.fd.Type != sys.SOCK_DGRAM {
		return socketError("disconnect", c.fd, nil, notDatagram(c.fd))
	}
	return c.removePeer()
}

func notDatagram(fd *netfd.FD) error {
	return &RoleError{Socket: kindName(fd), Role: "socket that changes its peer", Why: "it is not a datagram socket"}
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

package sockets

import (
	"net"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// PacketConn is a message socket of an address family that package net does not
// support, such as netlink.
type PacketConn struct {
	conn
}

var (
	_ net.Conn       = (*PacketConn)(nil)
	_ net.PacketConn = (*PacketConn)(nil)
)

// ReadFrom receives a message. What does not fit in b is lost.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, err := c.fd.RecvFrom(b, 0, &from)
	if err != nil {
		return n, nil, readError(c.fd, err)
	}
	return n, decodeAddr(c.fd, &from), nil
}

// WriteTo sends a message to addr.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	addr = plain(addr)
	n, err := c.writeTo(b, addr)
	if err != nil {
		return n, opErrorTo(c.fd, addr, err)
	}
	return n, nil
}

func (c *PacketConn) writeTo(b []byte, addr net.Addr) (int, error) {
	if c.fd.Connected() {
		return 0, net.ErrWriteToConnected
	}
	if addr == nil {
		return 0, errMissingAddress()
	}
	var to sys.Sockaddr
	if err := encodePeerFor(&to, c.fd, addr); err != nil {
		return 0, err
	}
	return c.fd.SendTo(b, 0, &to)
}

package sockets

import (
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
)

// rawConn gives access to a connection's descriptor.
type rawConn struct {
	fd *netfd.FD
}

// Control calls f with the descriptor.
func (c *rawConn) Control(f func(fd uintptr)) error {
	return opErrorLocal(c.fd, "raw-control", c.fd.Control(f))
}

// Read calls f until it returns true, and waits for input before calling it again.
func (c *rawConn) Read(f func(fd uintptr) bool) error {
	return opError(c.fd, "raw-read", c.fd.RawRead(f))
}

// Write calls f until it returns true, and waits for room before calling it again.
func (c *rawConn) Write(f func(fd uintptr) bool) error {
	return opError(c.fd, "raw-write", c.fd.RawWrite(f))
}

// rawListener gives access to a listener's descriptor, on which only Accept waits.
type rawListener struct {
	rawConn
}

// Read returns syscall.EINVAL.
func (*rawListener) Read(func(uintptr) bool) error { return syscall.EINVAL }

// Write returns syscall.EINVAL.
func (*rawListener) Write(func(uintptr) bool) error { return syscall.EINVAL }

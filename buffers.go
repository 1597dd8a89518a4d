package sockets

import (
	"net"
	"syscall"
)

// writeBuffers is WriteBuffers of the types that have it.
func (c *conn) writeBuffers(bufs *net.Buffers) (int64, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.fd.Writev((*[][]byte)(bufs))
	return n, opError(c.fd, "writev", err)
}

// readBuffers is ReadBuffers of the types that have it.
func (c *conn) readBuffers(bufs net.Buffers) (int64, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.fd.Readv(bufs)
	return n, opError(c.fd, "read", err)
}

// WriteBuffers writes *bufs as one, without copying them together, and takes from
// it what was written: with an error, *bufs is the rest. What net.Buffers.WriteTo
// does for a connection of package net, this does for one of this package. The
// buffers stay as they are, but the slices in *bufs do not. See writev(2).
//
// It obeys the write deadline and is safe for concurrent use; no other Write comes
// in between. Errors are *net.OpError with Op "writev".
func (c *TCPConn) WriteBuffers(bufs *net.Buffers) (int64, error) { return c.writeBuffers(bufs) }

// ReadBuffers is Read into several buffers, filled one after the other. It returns
// how many bytes it read, which may be fewer than the buffers hold, and io.EOF once
// the peer has ended the stream. It leaves bufs as it is. See readv(2).
func (c *TCPConn) ReadBuffers(bufs net.Buffers) (int64, error) { return c.readBuffers(bufs) }

// WriteBuffers is as [TCPConn.WriteBuffers]. On a datagram or sequenced
// packet socket up to 1024 buffers make one packet.
func (c *UnixConn) WriteBuffers(bufs *net.Buffers) (int64, error) { return c.writeBuffers(bufs) }

// ReadBuffers is as [TCPConn.ReadBuffers].
func (c *UnixConn) ReadBuffers(bufs net.Buffers) (int64, error) { return c.readBuffers(bufs) }

// WriteBuffers is as [TCPConn.WriteBuffers].
func (c *StreamConn) WriteBuffers(bufs *net.Buffers) (int64, error) { return c.writeBuffers(bufs) }

// ReadBuffers is as [TCPConn.ReadBuffers].
func (c *StreamConn) ReadBuffers(bufs net.Buffers) (int64, error) { return c.readBuffers(bufs) }

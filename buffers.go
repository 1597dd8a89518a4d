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

// WriteBuffers writes *bufs without first copying the buffers together, and removes
// from *bufs what was written: if it returns an error, *bufs is the rest. It is to
// connections of this package what [net.Buffers.WriteTo] is to those of package net. It
// changes the slices in *bufs, but not the data in them. See writev(2).
//
// It obeys the write deadline and is safe for concurrent use; no other Write comes in
// between. Errors are of type [*net.OpError] with Op "writev".
func (c *TCPConn) WriteBuffers(bufs *net.Buffers) (int64, error) { return c.writeBuffers(bufs) }

// ReadBuffers is like Read into several buffers, which it fills one after the other. It
// returns how many bytes it read, which may be less than bufs can hold, and [io.EOF]
// once the peer has ended the stream. It does not modify the slices in bufs. See
// readv(2).
func (c *TCPConn) ReadBuffers(bufs net.Buffers) (int64, error) { return c.readBuffers(bufs) }

// WriteBuffers is like [TCPConn.WriteBuffers]. On a datagram or sequenced packet
// socket, up to 1024 buffers make one packet.
func (c *UnixConn) WriteBuffers(bufs *net.Buffers) (int64, error) { return c.writeBuffers(bufs) }

// ReadBuffers is like [TCPConn.ReadBuffers].
func (c *UnixConn) ReadBuffers(bufs net.Buffers) (int64, error) { return c.readBuffers(bufs) }

// WriteBuffers is like [TCPConn.WriteBuffers].
func (c *StreamConn) WriteBuffers(bufs *net.Buffers) (int64, error) { return c.writeBuffers(bufs) }

// ReadBuffers is like [TCPConn.ReadBuffers].
func (c *StreamConn) ReadBuffers(bufs net.Buffers) (int64, error) { return c.readBuffers(bufs) }

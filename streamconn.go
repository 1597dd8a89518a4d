package sockets

import (
	"io"
	"net"

	"github.com/iolib-go/sockets/internal/sys"
)

// StreamConn is a stream connection of an address family that package net does not
// support, such as vsock, or of an internet protocol other than TCP.
type StreamConn struct {
	conn
}

var (
	_ net.Conn      = (*StreamConn)(nil)
	_ io.ReaderFrom = (*StreamConn)(nil)
	_ io.WriterTo   = (*StreamConn)(nil)
)

// ReadFrom is like [TCPConn.ReadFrom].
func (c *StreamConn) ReadFrom(r io.Reader) (int64, error) { return c.readFrom(r) }

// WriteTo is like [TCPConn.WriteTo].
func (c *StreamConn) WriteTo(w io.Writer) (int64, error) { return c.writeTo(w) }

// CloseRead shuts down the reading side of the connection. Most callers should just use
// Close.
func (c *StreamConn) CloseRead() error { return c.shutdown(sys.SHUT_RD) }

// CloseWrite shuts down the writing side of the connection: the peer reads up to the
// end and can still write. Most callers should just use Close.
func (c *StreamConn) CloseWrite() error { return c.shutdown(sys.SHUT_WR) }

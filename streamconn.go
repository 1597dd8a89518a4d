package sockets

import (
	"io"
	"net"

	"github.com/iolib-go/sockets/internal/sys"
)

// StreamConn is a connection of a family that package net does not know, such as
// vsock, or of an internet protocol other than TCP.
type StreamConn struct {
	conn
}

var (
	_ net.Conn      = (*StreamConn)(nil)
	_ io.ReaderFrom = (*StreamConn)(nil)
	_ io.WriterTo   = (*StreamConn)(nil)
)

// ReadFrom is as [TCPConn.ReadFrom].
func (c *StreamConn) ReadFrom(r io.Reader) (int64, error) { return c.readFrom(r) }

// WriteTo is as [TCPConn.WriteTo].
func (c *StreamConn) WriteTo(w io.Writer) (int64, error) { return c.writeTo(w) }

// CloseRead ends the reading side of the connection. Most callers should just use
// Close.
func (c *StreamConn) CloseRead() error { return c.shutdown(sys.SHUT_RD) }

// CloseWrite ends the writing side: the peer reads to the end, and may go on
// writing. Most callers should just use Close.
func (c *StreamConn) CloseWrite() error { return c.shutdown(sys.SHUT_WR) }

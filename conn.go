package sockets

import (
	"io"
	"net"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// conn is what all connections have in common. Methods of one that was not made by
// this package return syscall.EINVAL.
type conn struct {
	fd *netfd.FD
}

func (c *conn) ok() bool { return c != nil && c.fd != nil }

// Read reads up to len(b) bytes. It returns io.EOF once the peer has ended a
// stream; datagrams have no end.
func (c *conn) Read(b []byte) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.fd.Read(b)
	if err != nil && err != io.EOF {
		err = opError(c.fd, "read", err)
	}
	return n, err
}

// Write writes all of b; with an error it says how much the kernel took.
func (c *conn) Write(b []byte) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.fd.Write(b)
	if err != nil {
		err = opError(c.fd, "write", err)
	}
	return n, err
}

// Close closes the connection. Blocked calls return net.ErrClosed.
func (c *conn) Close() error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opError(c.fd, "close", c.fd.Close())
}

// LocalAddr returns this end's address, also after Close.
func (c *conn) LocalAddr() net.Addr {
	if !c.ok() {
		return nil
	}
	addr := c.fd.Local()
	if isUnsettled(addr) {
		if now := localAddr(c.fd); now != nil {
			c.fd.SetLocal(now)
			return now
		}
	}
	return addr
}

// isUnsettled reports whether the kernel has yet to choose a part of addr, as it
// does when the first message is sent.
func isUnsettled(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.UDPAddr:
		return a.Port == 0
	case *NetlinkAddr:
		return a.PortID == 0
	}
	return false
}

// RemoteAddr returns the peer's address, also after Close, or nil if there is no
// peer.
func (c *conn) RemoteAddr() net.Addr {
	if !c.ok() {
		return nil
	}
	return c.fd.Remote()
}

// SetDeadline makes calls that wait beyond t fail with os.ErrDeadlineExceeded,
// those under way as well. A zero t means to wait for ever.
func (c *conn) SetDeadline(t time.Time) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetDeadline(t))
}

// SetReadDeadline is SetDeadline for calls that receive.
func (c *conn) SetReadDeadline(t time.Time) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetReadDeadline(t))
}

// SetWriteDeadline is SetDeadline for calls that send.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetWriteDeadline(t))
}

// SetReadBuffer sets the size of the kernel's receive buffer, SO_RCVBUF, in bytes.
func (c *conn) SetReadBuffer(bytes int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_RCVBUF, bytes))
}

// SetWriteBuffer sets the size of the kernel's send buffer, SO_SNDBUF, in bytes.
func (c *conn) SetWriteBuffer(bytes int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_SNDBUF, bytes))
}

// SyscallConn returns access to the descriptor.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	return &rawConn{c.fd}, nil
}

// setError wraps the error of a method that sets an option of the connection.
func (c *conn) setError(err error) error { return opError(c.fd, "set", err) }

func (c *conn) shutdown(how int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opError(c.fd, "close", c.fd.Shutdown(how))
}

package sockets

import (
	"errors"
	"io"
	"net"
	"os"
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

// newConn returns fd as a connection of the type that fits its kind, whichever way
// it came about.
func newConn(fd *netfd.FD) net.Conn {
	switch fd.Family {
	case sys.AF_UNIX:
		return &UnixConn{conn{fd}}
	case sys.AF_INET, sys.AF_INET6:
		switch {
		case fd.Type == sys.SOCK_STREAM && isTCPProto(fd.Proto):
			return &TCPConn{conn{fd}}
		case fd.Type == sys.SOCK_DGRAM:
			return &UDPConn{conn{fd}}
		case fd.Type == sys.SOCK_RAW:
			return &IPConn{conn{fd}}
		}
	}
	if fd.Type == sys.SOCK_STREAM || fd.Type == sys.SOCK_SEQPACKET {
		return &StreamConn{conn{fd}}
	}
	return &PacketConn{conn{fd}}
}

func (c *conn) ok() bool { return c != nil && c.fd != nil }

// Read reads up to len(b) bytes. At the end of a stream it returns [io.EOF]; datagram
// sockets never do.
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

// Write writes all of b. If it returns an error, the count is the number of bytes that
// the kernel accepted.
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

// Close closes the connection. Pending calls return [net.ErrClosed].
func (c *conn) Close() error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opError(c.fd, "close", c.fd.Close())
}

// LocalAddr returns the local address. It also works after Close.
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

// RemoteAddr returns the address of the peer, or nil if there is none. It also works
// after Close.
func (c *conn) RemoteAddr() net.Addr {
	if !c.ok() {
		return nil
	}
	return c.fd.Remote()
}

// SetDeadline sets the time after which calls fail with [os.ErrDeadlineExceeded],
// including calls that are already waiting. A zero t means no deadline.
func (c *conn) SetDeadline(t time.Time) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetDeadline(t))
}

// SetReadDeadline sets the deadline of calls that receive. See SetDeadline.
func (c *conn) SetReadDeadline(t time.Time) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetReadDeadline(t))
}

// SetWriteDeadline sets the deadline of calls that send. See SetDeadline.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetWriteDeadline(t))
}

// SetReadBuffer sets the size of the kernel's receive buffer in bytes, SO_RCVBUF.
func (c *conn) SetReadBuffer(bytes int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opErrorLocal(c.fd, "set", c.fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_RCVBUF, bytes))
}

// SetWriteBuffer sets the size of the kernel's send buffer in bytes, SO_SNDBUF.
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
	return (*rawConn)(c.fd), nil
}

// setError wraps the error of a method that sets an option of the connection.
func (c *conn) setError(err error) error { return opError(c.fd, "set", err) }

func (c *conn) shutdown(how int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return opError(c.fd, "close", c.fd.Shutdown(how))
}

// File returns a file that uses a copy of the descriptor. The caller must close both.
// The first call of the file's Fd method makes the socket blocking, for both.
func (c *conn) File() (*os.File, error) {
	f, err := dupFile(c.fd)
	if err != nil {
		return nil, opError(c.fd, "file", err)
	}
	return f, nil
}

// dupFile returns a file for a copy of fd whose Fd method makes it blocking, as that of
// package net's files does.
func dupFile(fd *netfd.FD) (*os.File, error) {
	f, err := fd.Dup(fileName(fd))
	if err != nil {
		return nil, err
	}
	if fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 && fd.Family != sys.AF_UNIX || sys.UnblockingFile(f) {
		return f, nil
	}
	return fileByNet(fd, f)
}

// fileByNet returns f as a file of package net's, and closes f unless net does not know
// such sockets. It is for a package os that is not known yet.
func fileByNet(fd *netfd.FD, f *os.File) (*os.File, error) {
	var source interface {
		File() (*os.File, error)
		io.Closer
	}
	if isTCP(fd) {
		// Not FileConn, which would set options of the socket they share.
		l, err := net.FileListener(f)
		if err != nil {
			return f, nil
		}
		source = l.(*net.TCPListener)
	} else {
		c, err := net.FilePacketConn(f)
		if err != nil {
			return f, nil
		}
		source = c.(interface {
			File() (*os.File, error)
			io.Closer
		})
	}
	f.Close() // before the third copy: descriptors may be scarce
	defer source.Close()
	g, err := source.File()
	if err != nil {
		if op, ok := err.(*net.OpError); ok {
			err = op.Err
		}
		return nil, err
	}
	sys.NameFile(g, f.Name()) // net has not seen the network that the user named, nor a peer that is gone
	return g, nil
}

func fileName(fd *netfd.FD) string {
	var local, remote string
	if a := fd.Local(); a != nil {
		local = a.String()
	}
	if a := fd.Remote(); a != nil {
		remote = a.String()
	}
	return fd.Network + ":" + local + "->" + remote
}

// rawConn gives access to a connection's descriptor, without an allocation.
type rawConn netfd.FD

// Control calls f with the descriptor.
func (c *rawConn) Control(f func(fd uintptr)) error {
	fd := (*netfd.FD)(c)
	return opErrorLocal(fd, "raw-control", fd.Control(f))
}

// Read calls f until it returns true, and waits for input before calling it again.
func (c *rawConn) Read(f func(fd uintptr) bool) error {
	fd := (*netfd.FD)(c)
	return opError(fd, "raw-read", fd.RawRead(f))
}

// Write calls f until it returns true, and waits for room before calling it again.
func (c *rawConn) Write(f func(fd uintptr) bool) error {
	fd := (*netfd.FD)(c)
	return opError(fd, "raw-write", fd.RawWrite(f))
}

func boolint(on bool) int {
	if on {
		return 1
	}
	return 0
}

// With calls f with c, the result of a constructor, and closes c when f returns or
// panics. It returns f's error, joined with that of Close. If err, which is the
// constructor's error, is not nil, With returns it without calling f.
//
//	c, err := sockets.Dial("tcp", "localhost:80")
//	err = sockets.With(c, err, func(c net.Conn) error { ... })
func With[C io.Closer](c C, err error, f func(c C) error) (result error) {
	if err != nil {
		return err
	}
	defer func() {
		err := c.Close()
		switch {
		case err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrClosed):
			// f may have closed it.
		case result == nil:
			result = err
		default:
			result = errors.Join(result, err)
		}
	}()
	return f(c)
}

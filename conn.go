package sockets

import (
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

// File returns a file with a copy of the descriptor; the caller closes both. The
// first call of its Fd method makes the socket blocking, for both.
func (c *conn) File() (*os.File, error) {
	f, err := dupFile(c.fd)
	if err != nil {
		return nil, opError(c.fd, "file", err)
	}
	return f, nil
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

// TCPConn is a TCP connection. It has the methods of net.TCPConn.
type TCPConn struct {
	conn
}

var (
	_ net.Conn      = (*TCPConn)(nil)
	_ io.ReaderFrom = (*TCPConn)(nil)
	_ io.WriterTo   = (*TCPConn)(nil)
)

// ReadFrom sends what r gives until io.EOF, without copying it where Copy can do
// without.
func (c *TCPConn) ReadFrom(r io.Reader) (int64, error) { return c.readFrom(c, r) }

// WriteTo gives w what is received until the peer ends it, without copying it
// where Copy can do without.
func (c *TCPConn) WriteTo(w io.Writer) (int64, error) { return c.writeTo(c, w) }

// UnixConn is a connection, or a datagram socket, in the unix domain. It has the
// methods of net.UnixConn.
type UnixConn struct {
	conn
}

var (
	_ net.Conn       = (*UnixConn)(nil)
	_ net.PacketConn = (*UnixConn)(nil)
)

// CloseRead ends the reading side of the connection. Most callers should just use
// Close.
func (c *UnixConn) CloseRead() error { return c.shutdown(sys.SHUT_RD) }

// CloseWrite ends the writing side: the peer reads to the end, and may go on
// writing. Most callers should just use Close.
func (c *UnixConn) CloseWrite() error { return c.shutdown(sys.SHUT_WR) }

// ReadFromUnix receives a message, or what a stream has, and tells the sender's
// address, nil if it has no name.
func (c *UnixConn) ReadFromUnix(b []byte) (int, *net.UnixAddr, error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, err := c.fd.RecvFrom(b, 0, &from)
	if err != nil && err != io.EOF {
		return n, nil, readError(c.fd, err)
	}
	return n, decodeUnixAddr(&from, c.fd.Type), readError(c.fd, err)
}

// ReadFrom is ReadFromUnix in the form of net.PacketConn.
func (c *UnixConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromUnix(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadMsgUnix receives a message into b and its control data into oob, and returns
// their lengths, the flags of recvmsg(2) and the sender's address, nil if it has no
// name. Received descriptors are close-on-exec, and the caller's.
func (c *UnixConn) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	if !c.ok() {
		return 0, 0, 0, nil, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, oobn, flags, err = c.fd.RecvMsg(b, oob, sys.MSG_CMSG_CLOEXEC, &from)
	return n, oobn, flags, decodeUnixAddr(&from, c.fd.Type), readError(c.fd, err)
}

// WriteToUnix sends b to addr.
func (c *UnixConn) WriteToUnix(b []byte, addr *net.UnixAddr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.writeTo(b, addr)
	if err != nil {
		return n, opErrorTo(c.fd, plain(addr), err)
	}
	return n, nil
}

// WriteTo is WriteToUnix in the form of net.PacketConn.
func (c *UnixConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	a, ok := addr.(*net.UnixAddr)
	if !ok {
		return 0, opErrorTo(c.fd, addr, syscall.EINVAL)
	}
	return c.WriteToUnix(b, a)
}

func (c *UnixConn) writeTo(b []byte, addr *net.UnixAddr) (int, error) {
	if c.fd.Connected() {
		return 0, net.ErrWriteToConnected
	}
	if addr == nil {
		return 0, errMissingAddress()
	}
	var to sys.Sockaddr
	if err := c.setName(&to, addr); err != nil {
		return 0, c.sendError("sendto", err)
	}
	return c.fd.SendTo(b, 0, &to)
}

// WriteMsgUnix sends b with the control data oob to addr, or to the peer if addr
// is nil, and returns how much of each was sent. On streams and sequenced packets
// an octet of zero goes with control data that has no data.
func (c *UnixConn) WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	n, err = c.writeMsg(b, oob, addr)
	if err != nil {
		return n, 0, opErrorTo(c.fd, plain(addr), err)
	}
	return n, len(oob), nil
}

func (c *UnixConn) writeMsg(b, oob []byte, addr *net.UnixAddr) (int, error) {
	if c.fd.Type == sys.SOCK_DGRAM && c.fd.Connected() {
		return 0, net.ErrWriteToConnected
	}
	var to sys.Sockaddr
	if addr != nil {
		if err := c.setName(&to, addr); err != nil {
			return 0, c.sendError("sendmsg", err)
		}
	}
	return c.fd.SendMsg(b, oob, 0, &to)
}

// errOtherUnixNet is the bare errno for an address of another kind of unix socket.
const errOtherUnixNet = syscall.EAFNOSUPPORT

func (c *UnixConn) setName(to *sys.Sockaddr, addr *net.UnixAddr) error {
	if addr.Net != unixNet(c.fd.Type) {
		return errOtherUnixNet
	}
	return encodeAddr(to, sys.AF_UNIX, addr)
}

// sendError is FD.SendError, except that package net reports an address of another
// kind at once and without a system call's name.
func (c *conn) sendError(call string, err error) error {
	if err == errOtherUnixNet {
		return err
	}
	return c.fd.SendError(call, err)
}

// readError is opError for messages, where the end of a stream is an error with
// addresses.
func readError(fd *netfd.FD, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "read", Net: fd.Network, Source: fd.Local(), Addr: fd.Remote(), Err: err}
}

// dupFile returns a file for a copy of fd whose Fd method makes it blocking, as
// files of package net do: package os gives that only to those.
func dupFile(fd *netfd.FD) (*os.File, error) {
	nfd, err := fd.Dup()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(nfd), fileName(fd))
	var source interface {
		File() (*os.File, error)
		io.Closer
	}
	switch {
	case fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 && fd.Family != sys.AF_UNIX:
		return f, nil
	case isTCP(fd):
		// Not FileConn, which would set options of the socket they share.
		l, err := net.FileListener(f)
		if err != nil {
			return f, nil
		}
		source = l.(*net.TCPListener)
	default:
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

package sockets

import (
	"io"
	"net"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// UnixConn is a connection or a datagram socket in the unix domain. It has the methods
// of [net.UnixConn] and more.
type UnixConn struct {
	conn
}

var (
	_ net.Conn       = (*UnixConn)(nil)
	_ net.PacketConn = (*UnixConn)(nil)
)

// CloseRead shuts down the reading side of the connection. Most callers should just use
// Close.
func (c *UnixConn) CloseRead() error { return c.shutdown(sys.SHUT_RD) }

// CloseWrite shuts down the writing side of the connection: the peer reads up to the
// end and can still write. Most callers should just use Close.
func (c *UnixConn) CloseWrite() error { return c.shutdown(sys.SHUT_WR) }

// ReadFromUnix receives a message, or data from a stream, and returns the sender's
// address, which is nil if the sender has no name.
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

// ReadFrom is [UnixConn.ReadFromUnix] as [net.PacketConn] declares it.
func (c *UnixConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromUnix(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadMsgUnix receives a message into b and its control data into oob. It returns their
// lengths, the flags of recvmsg(2), and the sender's address, which is nil if the
// sender has no name. Received descriptors are close-on-exec, and the caller must close
// them.
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

// WriteTo is [UnixConn.WriteToUnix] as [net.PacketConn] declares it.
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
		return 0, c.destError("sendto", err)
	}
	return c.fd.SendTo(b, 0, &to)
}

// WriteMsgUnix sends b with the control data oob to addr, or to the peer if addr is
// nil. It returns how many bytes of each it sent. On streams and sequenced packet
// sockets, a zero byte carries the control data if b is empty.
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
			return 0, c.destError("sendmsg", err)
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
	return encodePeer(to, sys.AF_UNIX, addr)
}

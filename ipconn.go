package sockets

import (
	"net"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// IPConn is a raw IP socket. It has the methods of [net.IPConn] and more.
type IPConn struct {
	conn
}

var (
	_ net.Conn       = (*IPConn)(nil)
	_ net.PacketConn = (*IPConn)(nil)
)

// ReadFromIP receives a packet without its IPv4 header. b must have room for the header
// as well, because the packet is received into b before the header is removed.
func (c *IPConn) ReadFromIP(b []byte) (int, *net.IPAddr, error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, err := c.fd.RecvFrom(b, 0, &from)
	if err != nil {
		return n, nil, readError(c.fd, err)
	}
	if from.Family() == sys.AF_INET {
		n = stripIPv4Header(n, b)
	}
	return n, decodeIPAddr(&from), nil
}

// stripIPv4Header moves the payload of a packet to the front of b, RFC 791
// section 3.1.
func stripIPv4Header(n int, b []byte) int {
	if n < 20 || b[0]>>4 != 4 {
		return n
	}
	header := int(b[0]&0x0f) << 2
	if header < 20 || header > n {
		return n
	}
	return copy(b, b[header:n])
}

// ReadFrom is [IPConn.ReadFromIP] as [net.PacketConn] declares it.
func (c *IPConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromIP(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadMsgIP receives a packet, including its IPv4 header, into b, and its control data
// into oob. It returns their lengths, the flags of recvmsg(2), and the sender's
// address.
func (c *IPConn) ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error) {
	if !c.ok() {
		return 0, 0, 0, nil, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, oobn, flags, err = c.fd.RecvMsg(b, oob, 0, &from)
	return n, oobn, flags, decodeIPAddr(&from), readError(c.fd, err)
}

// WriteToIP sends a packet to addr. The kernel adds the IP header.
func (c *IPConn) WriteToIP(b []byte, addr *net.IPAddr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	if err := c.setName(&to, addr); err != nil {
		return 0, opErrorTo(c.fd, plain(addr), err)
	}
	n, err := c.fd.SendTo(b, 0, &to)
	return n, opErrorTo(c.fd, addr, err)
}

func (c *IPConn) setName(to *sys.Sockaddr, addr *net.IPAddr) error {
	if c.fd.Connected() {
		return net.ErrWriteToConnected
	}
	if addr == nil {
		return errMissingAddress()
	}
	return encodeIP(to, c.fd.Family, addr.IP, 0, addr.Zone)
}

// WriteTo is [IPConn.WriteToIP] as [net.PacketConn] declares it.
func (c *IPConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	a, ok := addr.(*net.IPAddr)
	if !ok {
		return 0, opErrorTo(c.fd, addr, syscall.EINVAL)
	}
	return c.WriteToIP(b, a)
}

// WriteMsgIP sends b with the control data oob to addr, and returns how many bytes of
// each it sent.
func (c *IPConn) WriteMsgIP(b, oob []byte, addr *net.IPAddr) (n, oobn int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	if err := c.setName(&to, addr); err != nil {
		return 0, 0, opErrorTo(c.fd, plain(addr), err)
	}
	n, err = c.fd.SendMsg(b, oob, 0, &to)
	if err != nil {
		return n, 0, opErrorTo(c.fd, addr, err)
	}
	return n, len(oob), nil
}

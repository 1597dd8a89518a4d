package sockets

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// UDPConn is a UDP socket. It has the methods of [net.UDPConn] and more.
type UDPConn struct {
	conn
}

var (
	_ net.Conn       = (*UDPConn)(nil)
	_ net.PacketConn = (*UDPConn)(nil)
)

// ReadFromUDP receives a datagram. What does not fit in b is lost. It allocates nothing
// but the address.
func (c *UDPConn) ReadFromUDP(b []byte) (n int, addr *net.UDPAddr, err error) {
	// Small enough to be inlined, so that an address that does not escape from
	// the caller costs only the bytes of its IP.
	return c.readFromUDP(b, &net.UDPAddr{})
}

func (c *UDPConn) readFromUDP(b []byte, addr *net.UDPAddr) (int, *net.UDPAddr, error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, err := c.fd.RecvFrom(b, 0, &from)
	if err != nil {
		return n, nil, readError(c.fd, err)
	}
	if !decodeUDPAddr(&from, addr) {
		return n, &net.UDPAddr{}, nil
	}
	return n, addr, nil
}

// ReadFrom is [UDPConn.ReadFromUDP] as [net.PacketConn] declares it.
func (c *UDPConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.readFromUDP(b, &net.UDPAddr{})
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadFromUDPAddrPort is like [UDPConn.ReadFromUDP], but does not allocate. On an IPv6
// socket, IPv4 addresses are in IPv4-mapped form.
func (c *UDPConn) ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error) {
	if !c.ok() {
		return 0, netip.AddrPort{}, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, err = c.fd.RecvFrom(b, 0, &from)
	if err != nil {
		return n, netip.AddrPort{}, readError(c.fd, err)
	}
	return n, decodeAddrPort(&from), nil
}

// ReadMsgUDP receives a datagram into b and its control data into oob. It returns their
// lengths, the flags of recvmsg(2), and the sender's address. MSG_TRUNC in flags means
// that b was too small. [ParsePacketInfo] and packages golang.org/x/net/ipv4 and ipv6
// parse the control data.
func (c *UDPConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	var ap netip.AddrPort
	n, oobn, flags, ap, err = c.ReadMsgUDPAddrPort(b, oob)
	if ap.IsValid() {
		addr = net.UDPAddrFromAddrPort(ap)
	}
	return n, oobn, flags, addr, err
}

// ReadMsgUDPAddrPort is like [UDPConn.ReadMsgUDP], but does not allocate.
func (c *UDPConn) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	if !c.ok() {
		return 0, 0, 0, netip.AddrPort{}, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, oobn, flags, err = c.fd.RecvMsg(b, oob, 0, &from)
	return n, oobn, flags, c.addrPort(&from), readError(c.fd, err)
}

// addrPort is decodeAddrPort, with the wildcard for no address, which package net
// gives together with an error.
func (c *UDPConn) addrPort(sa *sys.Sockaddr) netip.AddrPort {
	if ap := decodeAddrPort(sa); ap.IsValid() {
		return ap
	}
	if c.fd.Family == sys.AF_INET {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
}

// WriteToUDP sends b as a datagram to addr.
func (c *UDPConn) WriteToUDP(b []byte, addr *net.UDPAddr) (n int, err error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	if err = c.setName(&to, "sendto", addr); err == nil {
		n, err = c.fd.SendTo(b, 0, &to)
	}
	if err != nil {
		return n, opErrorTo(c.fd, plain(addr), err)
	}
	return n, nil
}

// setName stores in to where a message goes; an error tells the system call that
// would have refused it.
func (c *UDPConn) setName(to *sys.Sockaddr, call string, addr *net.UDPAddr) error {
	if c.fd.Connected() {
		return net.ErrWriteToConnected
	}
	if addr == nil {
		return errMissingAddress()
	}
	if err := encodeIP(to, c.fd.Family, addr.IP, addr.Port, addr.Zone); err != nil {
		return c.destError(call, err)
	}
	return nil
}

// WriteTo is [UDPConn.WriteToUDP] as [net.PacketConn] declares it.
func (c *UDPConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	a, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, opErrorTo(c.fd, addr, syscall.EINVAL)
	}
	return c.WriteToUDP(b, a)
}

// WriteToUDPAddrPort is like [UDPConn.WriteToUDP], but does not allocate.
func (c *UDPConn) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (n int, err error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	if err = c.setNameAddrPort(&to, "sendto", addr); err == nil {
		n, err = c.fd.SendTo(b, 0, &to)
	}
	if err != nil {
		return n, opErrorTo(c.fd, addrPortUDPAddr{addr}, err)
	}
	return n, nil
}

// setNameAddrPort is setName without allocations.
func (c *UDPConn) setNameAddrPort(to *sys.Sockaddr, call string, addr netip.AddrPort) error {
	if c.fd.Connected() {
		return net.ErrWriteToConnected
	}
	if !addr.IsValid() {
		return errMissingAddress()
	}
	if err := encodeAddrPort(to, c.fd.Family, addr); err != nil {
		return c.destError(call, err)
	}
	return nil
}

// WriteMsgUDP sends b with the control data oob to addr, which must be nil on a
// connected socket. It returns how many bytes of each it sent.
func (c *UDPConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	if addr != nil || !c.fd.Connected() {
		err = c.setName(&to, "sendmsg", addr)
	}
	if err == nil {
		n, err = c.fd.SendMsg(b, oob, 0, &to)
	}
	if err != nil {
		return n, 0, opErrorTo(c.fd, plain(addr), err)
	}
	return n, len(oob), nil
}

// WriteMsgUDPAddrPort is like [UDPConn.WriteMsgUDP], but does not allocate. The zero
// addr means the peer.
func (c *UDPConn) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	if addr.IsValid() || !c.fd.Connected() {
		err = c.setNameAddrPort(&to, "sendmsg", addr)
	}
	if err == nil {
		n, err = c.fd.SendMsg(b, oob, 0, &to)
	}
	if err != nil {
		return n, 0, opErrorTo(c.fd, addrPortUDPAddr{addr}, err)
	}
	return n, len(oob), nil
}

package sockets

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// UDPConn is a UDP socket. It has the methods of net.UDPConn.
type UDPConn struct {
	conn
}

var (
	_ net.Conn       = (*UDPConn)(nil)
	_ net.PacketConn = (*UDPConn)(nil)
)

// ReadFromUDP receives a datagram; what does not fit in b is lost. It allocates
// nothing but the address.
func (c *UDPConn) ReadFromUDP(b []byte) (n int, addr *net.UDPAddr, err error) {
	// Small enough to be inlined, so that an address that does not escape from
	// the caller costs only the octets of its IP.
	return c.readFromUDP(b, &net.UDPAddr{})
}

func (c *UDPConn) readFromUDP(b []byte, addr *net.UDPAddr) (int, *net.UDPAddr, error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	m := netfd.GetMsg()
	n, err := c.fd.RecvFrom(m, b, 0)
	if err != nil {
		m.Free()
		return n, nil, readError(c.fd, err)
	}
	ok := decodeUDPAddr(&m.Name, addr)
	m.Free()
	if !ok {
		return n, &net.UDPAddr{}, nil
	}
	return n, addr, nil
}

// ReadFrom is ReadFromUDP in the form of net.PacketConn.
func (c *UDPConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.readFromUDP(b, &net.UDPAddr{})
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadFromUDPAddrPort is ReadFromUDP without allocations. An IPv6 socket tells
// IPv4 senders in their IPv4-mapped form.
func (c *UDPConn) ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error) {
	if !c.ok() {
		return 0, netip.AddrPort{}, syscall.EINVAL
	}
	m := netfd.GetMsg()
	n, err = c.fd.RecvFrom(m, b, 0)
	if err != nil {
		m.Free()
		return n, netip.AddrPort{}, readError(c.fd, err)
	}
	addr = decodeAddrPort(&m.Name)
	m.Free()
	return n, addr, nil
}

// ReadMsgUDP receives a datagram into b and its control data into oob, and returns
// their lengths, the flags of recvmsg(2), and the sender. MSG_TRUNC in the flags
// says that b was too small. Packages golang.org/x/net/ipv4 and ipv6 read oob.
func (c *UDPConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	var ap netip.AddrPort
	n, oobn, flags, ap, err = c.ReadMsgUDPAddrPort(b, oob)
	if ap.IsValid() {
		addr = net.UDPAddrFromAddrPort(ap)
	}
	return n, oobn, flags, addr, err
}

// ReadMsgUDPAddrPort is ReadMsgUDP without allocations.
func (c *UDPConn) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	if !c.ok() {
		return 0, 0, 0, netip.AddrPort{}, syscall.EINVAL
	}
	m := netfd.GetMsg()
	n, err = c.fd.RecvMsg(m, b, oob, 0)
	oobn, flags, addr = m.OOBN, m.Flags, c.addrPort(&m.Name)
	m.Free()
	return n, oobn, flags, addr, readError(c.fd, err)
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

// WriteToUDP sends a datagram to addr.
func (c *UDPConn) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.writeTo(b, addr)
	if err != nil {
		return n, opErrorTo(c.fd, plain(addr), err)
	}
	return n, nil
}

// WriteTo is WriteToUDP in the form of net.PacketConn.
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

func (c *UDPConn) writeTo(b []byte, addr *net.UDPAddr) (int, error) {
	if c.fd.Connected() {
		return 0, net.ErrWriteToConnected
	}
	if addr == nil {
		return 0, errMissingAddress()
	}
	m := netfd.GetMsg()
	defer m.Free()
	if err := encodeIP(&m.Name, c.fd.Family, addr.IP, addr.Port, addr.Zone); err != nil {
		return 0, c.fd.SendError("sendto", err)
	}
	return c.fd.SendTo(m, b, 0)
}

// WriteToUDPAddrPort is WriteToUDP without allocations.
func (c *UDPConn) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.writeToAddrPort(b, addr)
	if err != nil {
		return n, opErrorTo(c.fd, addrPortUDPAddr{addr}, err)
	}
	return n, nil
}

func (c *UDPConn) writeToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if c.fd.Connected() {
		return 0, net.ErrWriteToConnected
	}
	if !addr.IsValid() {
		return 0, errMissingAddress()
	}
	m := netfd.GetMsg()
	defer m.Free()
	if err := encodeAddrPort(&m.Name, c.fd.Family, addr); err != nil {
		return 0, c.fd.SendError("sendto", err)
	}
	return c.fd.SendTo(m, b, 0)
}

// WriteMsgUDP sends b with the control data oob to addr, which is nil on a
// connected socket, and returns how much of each was sent.
func (c *UDPConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	n, err = c.writeMsg(b, oob, addr)
	if err != nil {
		return n, 0, opErrorTo(c.fd, plain(addr), err)
	}
	return n, len(oob), nil
}

func (c *UDPConn) writeMsg(b, oob []byte, addr *net.UDPAddr) (int, error) {
	if err := c.checkPeer(addr != nil); err != nil {
		return 0, err
	}
	m := netfd.GetMsg()
	defer m.Free()
	if addr != nil {
		if err := encodeIP(&m.Name, c.fd.Family, addr.IP, addr.Port, addr.Zone); err != nil {
			return 0, c.fd.SendError("sendmsg", err)
		}
	}
	return c.fd.SendMsg(m, b, oob, 0)
}

// checkPeer refuses a destination where there is a peer, and none where not.
func (c *UDPConn) checkPeer(destination bool) error {
	switch connected := c.fd.Connected(); {
	case connected && destination:
		return net.ErrWriteToConnected
	case !connected && !destination:
		return errMissingAddress()
	}
	return nil
}

// WriteMsgUDPAddrPort is WriteMsgUDP without allocations. The zero AddrPort stands
// for no address.
func (c *UDPConn) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	n, err = c.writeMsgAddrPort(b, oob, addr)
	if err != nil {
		return n, 0, opErrorTo(c.fd, addrPortUDPAddr{addr}, err)
	}
	return n, len(oob), nil
}

func (c *UDPConn) writeMsgAddrPort(b, oob []byte, addr netip.AddrPort) (int, error) {
	if err := c.checkPeer(addr.IsValid()); err != nil {
		return 0, err
	}
	m := netfd.GetMsg()
	defer m.Free()
	if addr.IsValid() {
		if err := encodeAddrPort(&m.Name, c.fd.Family, addr); err != nil {
			return 0, c.fd.SendError("sendmsg", err)
		}
	}
	return c.fd.SendMsg(m, b, oob, 0)
}

// IPConn is a raw IP socket. It has the methods of net.IPConn.
type IPConn struct {
	conn
}

var (
	_ net.Conn       = (*IPConn)(nil)
	_ net.PacketConn = (*IPConn)(nil)
)

// ReadFromIP receives a packet without its IPv4 header, which goes through b and
// needs room there.
func (c *IPConn) ReadFromIP(b []byte) (int, *net.IPAddr, error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	m := netfd.GetMsg()
	defer m.Free()
	n, err := c.fd.RecvFrom(m, b, 0)
	if err != nil {
		return n, nil, readError(c.fd, err)
	}
	if m.Name.Family() == sys.AF_INET {
		n = stripIPv4Header(n, b)
	}
	return n, decodeIPAddr(&m.Name), nil
}

// stripIPv4Header moves the payload of a packet to the front of b, RFC 791
// section 3.1.
func stripIPv4Header(n int, b []byte) int {
	if len(b) < 20 || b[0]>>4 != 4 {
		return n
	}
	header := int(b[0]&0x0f) << 2
	if header < 20 || header > len(b) {
		return n
	}
	copy(b, b[header:])
	return n - header
}

// ReadFrom is ReadFromIP in the form of net.PacketConn.
func (c *IPConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromIP(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadMsgIP receives a packet, with its IPv4 header, into b and its control data
// into oob, and returns their lengths, the flags of recvmsg(2), and the sender.
func (c *IPConn) ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error) {
	if !c.ok() {
		return 0, 0, 0, nil, syscall.EINVAL
	}
	m := netfd.GetMsg()
	defer m.Free()
	n, err = c.fd.RecvMsg(m, b, oob, 0)
	return n, m.OOBN, m.Flags, decodeIPAddr(&m.Name), readError(c.fd, err)
}

// WriteToIP sends a packet to addr. The kernel adds the IP header.
func (c *IPConn) WriteToIP(b []byte, addr *net.IPAddr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	m := netfd.GetMsg()
	defer m.Free()
	if err := c.setName(m, addr); err != nil {
		return 0, opErrorTo(c.fd, plain(addr), err)
	}
	n, err := c.fd.SendTo(m, b, 0)
	return n, opErrorTo(c.fd, addr, err)
}

func (c *IPConn) setName(m *netfd.Msg, addr *net.IPAddr) error {
	if c.fd.Connected() {
		return net.ErrWriteToConnected
	}
	if addr == nil {
		return errMissingAddress()
	}
	return encodeIP(&m.Name, c.fd.Family, addr.IP, 0, addr.Zone)
}

// WriteTo is WriteToIP in the form of net.PacketConn.
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

// WriteMsgIP sends b with the control data oob to addr, and returns how much of
// each was sent.
func (c *IPConn) WriteMsgIP(b, oob []byte, addr *net.IPAddr) (n, oobn int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	m := netfd.GetMsg()
	defer m.Free()
	if err := c.setName(m, addr); err != nil {
		return 0, 0, opErrorTo(c.fd, plain(addr), err)
	}
	n, err = c.fd.SendMsg(m, b, oob, 0)
	if err != nil {
		return n, 0, opErrorTo(c.fd, addr, err)
	}
	return n, len(oob), nil
}

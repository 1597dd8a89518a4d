package sockets

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// kernelAddr is an address of a family that package net does not know. It encodes
// itself.
type kernelAddr interface {
	net.Addr
	encode() (sys.Sockaddr, error)
	addressFamily() int
}

// VsockAddr is the address of a socket between a virtual machine and its host,
// vsock(7).
type VsockAddr struct {
	CID  uint32 // context: VsockAny, VsockHost, a guest's number
	Port uint32 // VsockAny lets the kernel choose
}

// Well-known contexts and ports, vsock(7).
const (
	VsockAny   = math.MaxUint32 // any context, any port
	VsockLocal = 1              // this machine
	VsockHost  = 2              // the machine that runs this virtual one
)

// Network returns "vsock".
func (a *VsockAddr) Network() string { return "vsock" }

// String returns the context and the port, "2:1024", with "*" for any.
func (a *VsockAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return vsockNumber(a.CID) + ":" + vsockNumber(a.Port)
}

func vsockNumber(n uint32) string {
	if n == VsockAny {
		return "*"
	}
	return strconv.FormatUint(uint64(n), 10)
}

func (a *VsockAddr) addressFamily() int { return sys.AF_VSOCK }

// encode makes a struct sockaddr_vm.
func (a *VsockAddr) encode() (sa sys.Sockaddr, err error) {
	var b [16]byte
	binary.NativeEndian.PutUint32(b[4:], a.Port)
	binary.NativeEndian.PutUint32(b[8:], a.CID)
	err = sa.SetFamily(sys.AF_VSOCK, b[:])
	return sa, err
}

// NetlinkAddr is the address of a socket that talks to the kernel, netlink(7).
type NetlinkAddr struct {
	PortID uint32 // 0: the kernel, or a number that the kernel chooses
	Groups uint32 // bit mask of multicast groups
}

// Network returns "netlink".
func (a *NetlinkAddr) Network() string { return "netlink" }

// String returns the port and the groups, "1234/0x1".
func (a *NetlinkAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%d/%#x", a.PortID, a.Groups)
}

func (a *NetlinkAddr) addressFamily() int { return sys.AF_NETLINK }

// encode makes a struct sockaddr_nl.
func (a *NetlinkAddr) encode() (sa sys.Sockaddr, err error) {
	var b [12]byte
	binary.NativeEndian.PutUint32(b[4:], a.PortID)
	binary.NativeEndian.PutUint32(b[8:], a.Groups)
	err = sa.SetFamily(sys.AF_NETLINK, b[:])
	return sa, err
}

// LinkAddr is the address of a socket that sends and receives frames, packet(7).
type LinkAddr struct {
	Interface    int    // its index
	Protocol     uint16 // EtherType, in the byte order of the host; 0 receives nothing
	HardwareType uint16 // of a frame received, ARPHRD_ETHER and so on
	PacketType   uint8  // of a frame received, PACKET_HOST and so on
	HardwareAddr net.HardwareAddr
}

// Network returns "packet".
func (a *LinkAddr) Network() string { return "packet" }

// String returns the five fields, "2/0x0800/1/0/02:00:5e:10:00:01".
func (a *LinkAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%d/%#04x/%d/%d/%s", a.Interface, a.Protocol, a.HardwareType, a.PacketType, a.HardwareAddr)
}

func (a *LinkAddr) addressFamily() int { return sys.AF_PACKET }

// maxHardwareAddr is the kernel's MAX_ADDR_LEN. struct sockaddr_ll has room for 8
// octets only, and is longer where they do not do, as for InfiniBand.
const maxHardwareAddr = 32

// encode makes a struct sockaddr_ll.
func (a *LinkAddr) encode() (sa sys.Sockaddr, err error) {
	var b [12 + maxHardwareAddr]byte
	if len(a.HardwareAddr) > maxHardwareAddr {
		return sa, &net.AddrError{Err: "hardware address longer than 32 octets", Addr: a.String()}
	}
	if a.Interface < 0 || a.Interface > math.MaxInt32 {
		return sa, &net.AddrError{Err: "interface index out of range", Addr: a.String()}
	}
	binary.BigEndian.PutUint16(b[2:], a.Protocol)
	binary.NativeEndian.PutUint32(b[4:], uint32(a.Interface))
	binary.NativeEndian.PutUint16(b[8:], a.HardwareType)
	b[10] = a.PacketType
	b[11] = byte(copy(b[12:], a.HardwareAddr))
	err = sa.SetFamily(sys.AF_PACKET, b[:12+max(8, len(a.HardwareAddr))])
	return sa, err
}

// RawAddr is an address of a family that this package does not know.
type RawAddr struct {
	Family int
	Data   []byte // of struct sockaddr, what follows the family: at most 126 octets
}

// Network returns the family's number, "af38".
func (a *RawAddr) Network() string { return "af" + strconv.Itoa(a.Family) }

// String returns the octets in hexadecimal.
func (a *RawAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return hex.EncodeToString(a.Data)
}

func (a *RawAddr) addressFamily() int { return a.Family }

func (a *RawAddr) encode() (sa sys.Sockaddr, err error) {
	if a.Family < 0 || a.Family > math.MaxUint16 {
		return sa, &net.AddrError{Err: "address family out of range", Addr: strconv.Itoa(a.Family)}
	}
	err = sa.SetFamily(a.Family, append(make([]byte, 2), a.Data...))
	return sa, err
}

// decodeKernelAddr is decodeAddr for the families of this file.
func decodeKernelAddr(sa *sys.Sockaddr) net.Addr {
	b := sa.Bytes()
	if len(b) < 2 {
		return nil
	}
	switch family := sa.Family(); {
	case family == sys.AF_VSOCK && len(b) >= 12:
		return &VsockAddr{Port: binary.NativeEndian.Uint32(b[4:]), CID: binary.NativeEndian.Uint32(b[8:])}
	case family == sys.AF_NETLINK && len(b) >= 12:
		return &NetlinkAddr{PortID: binary.NativeEndian.Uint32(b[4:]), Groups: binary.NativeEndian.Uint32(b[8:])}
	case family == sys.AF_PACKET && len(b) >= 12:
		n := min(int(b[11]), len(b)-12)
		return &LinkAddr{
			Protocol:     binary.BigEndian.Uint16(b[2:]),
			Interface:    int(int32(binary.NativeEndian.Uint32(b[4:]))),
			HardwareType: binary.NativeEndian.Uint16(b[8:]),
			PacketType:   b[10],
			HardwareAddr: append(net.HardwareAddr(nil), b[12:12+n]...),
		}
	case family == sys.AF_UNSPEC:
		return nil
	default:
		return &RawAddr{Family: family, Data: append([]byte(nil), b[2:]...)}
	}
}

// familyName returns what is printed for an address family.
func familyName(family int) string {
	switch family {
	case sys.AF_UNIX:
		return "unix"
	case sys.AF_INET:
		return "ipv4"
	case sys.AF_INET6:
		return "ipv6"
	case sys.AF_VSOCK:
		return "vsock"
	case sys.AF_NETLINK:
		return "netlink"
	case sys.AF_PACKET:
		return "packet"
	}
	return "af" + strconv.Itoa(family)
}

// ParseAddr is the inverse of an address's String method, network being what its
// Network method returns: internet and unix addresses as package net prints them,
// without looking up names, and the addresses of this package.
func ParseAddr(network, s string) (net.Addr, error) {
	addr, err := parseAddr(network, s)
	if err != nil {
		return nil, &net.AddrError{Err: "malformed " + network + " address", Addr: s}
	}
	return addr, nil
}

func parseAddr(network, s string) (net.Addr, error) {
	switch network {
	case "vsock":
		cid, port, ok := strings.Cut(s, ":")
		c, err1 := parseVsockNumber(cid)
		p, err2 := parseVsockNumber(port)
		if !ok || err1 != nil || err2 != nil {
			return nil, errMalformed
		}
		return &VsockAddr{CID: c, Port: p}, nil
	case "netlink":
		port, groups, ok := strings.Cut(s, "/")
		p, err1 := strconv.ParseUint(port, 10, 32)
		g, err2 := strconv.ParseUint(groups, 0, 32)
		if !ok || err1 != nil || err2 != nil {
			return nil, errMalformed
		}
		return &NetlinkAddr{PortID: uint32(p), Groups: uint32(g)}, nil
	case "packet":
		return parseLinkAddr(s)
	case "unix", "unixgram", "unixpacket":
		return &net.UnixAddr{Name: s, Net: network}, nil
	}
	if family, ok := strings.CutPrefix(network, "af"); ok {
		f, err1 := strconv.ParseUint(family, 10, 16)
		data, err2 := hex.DecodeString(s)
		if err1 != nil || err2 != nil {
			return nil, errMalformed
		}
		return &RawAddr{Family: int(f), Data: data}, nil
	}
	return parseInternetAddr(network, s)
}

// errMalformed is replaced by ParseAddr.
var errMalformed = errors.New("malformed")

func parseVsockNumber(s string) (uint32, error) {
	if s == "*" {
		return VsockAny, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

func parseLinkAddr(s string) (net.Addr, error) {
	f := strings.SplitN(s, "/", 5)
	if len(f) != 5 {
		return nil, errMalformed
	}
	index, err1 := strconv.ParseUint(f[0], 10, 31)
	protocol, err2 := strconv.ParseUint(f[1], 0, 16)
	hatype, err3 := strconv.ParseUint(f[2], 10, 16)
	pkttype, err4 := strconv.ParseUint(f[3], 10, 8)
	hw, err5 := parseHardwareAddr(f[4])
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return nil, err
		}
	}
	return &LinkAddr{
		Interface: int(index), Protocol: uint16(protocol),
		HardwareType: uint16(hatype), PacketType: uint8(pkttype), HardwareAddr: hw,
	}, nil
}

func parseInternetAddr(network, s string) (net.Addr, error) {
	switch network {
	case "ip":
		if s == "" {
			return new(net.IPAddr), nil
		}
		ip, err := netip.ParseAddr(s)
		if err == nil {
			err = checkZone(ip)
		}
		return ipAddrFromAddr(ip), err
	case "tcp":
		ap, err := parseAddrPort(s)
		return net.TCPAddrFromAddrPort(ap), err
	case "udp":
		ap, err := parseAddrPort(s)
		return net.UDPAddrFromAddrPort(ap), err
	}
	return nil, net.UnknownNetworkError(network)
}

// parseAddrPort is netip.ParseAddrPort that takes ":80", too, for no IP address.
func parseAddrPort(s string) (netip.AddrPort, error) {
	if port, ok := strings.CutPrefix(s, ":"); ok {
		n, err := strconv.ParseUint(port, 10, 16)
		return netip.AddrPortFrom(netip.Addr{}, uint16(n)), err
	}
	ap, err := netip.ParseAddrPort(s)
	if err == nil {
		err = checkZone(ap.Addr())
	}
	return ap, err
}

// checkZone refuses a zone on an IPv4 address: package net prints both in a form
// that nothing parses.
func checkZone(ip netip.Addr) error {
	if ip.Is4In6() && ip.Zone() != "" {
		return errMalformed
	}
	return nil
}

// parseHardwareAddr takes addresses of any length up to 32 octets, unlike
// net.ParseMAC.
func parseHardwareAddr(s string) (net.HardwareAddr, error) {
	if s == "" {
		return nil, nil
	}
	var hw net.HardwareAddr
	for _, octet := range strings.Split(s, ":") {
		n, err := strconv.ParseUint(octet, 16, 8)
		if err != nil || len(octet) != 2 || len(hw) == maxHardwareAddr {
			return nil, errMalformed
		}
		hw = append(hw, byte(n))
	}
	return hw, nil
}

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

// ReadFrom is described at TCPConn.ReadFrom.
func (c *StreamConn) ReadFrom(r io.Reader) (int64, error) { return c.readFrom(c, r) }

// WriteTo is described at TCPConn.WriteTo.
func (c *StreamConn) WriteTo(w io.Writer) (int64, error) { return c.writeTo(c, w) }

// CloseRead ends the reading side of the connection. Most callers should just use
// Close.
func (c *StreamConn) CloseRead() error { return c.shutdown(sys.SHUT_RD) }

// CloseWrite ends the writing side: the peer reads to the end, and may go on
// writing. Most callers should just use Close.
func (c *StreamConn) CloseWrite() error { return c.shutdown(sys.SHUT_WR) }

// PacketConn is a message socket of a family that package net does not know, such
// as netlink.
type PacketConn struct {
	conn
}

var (
	_ net.Conn       = (*PacketConn)(nil)
	_ net.PacketConn = (*PacketConn)(nil)
)

// ReadFrom receives a message; what does not fit in b is lost.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, err := c.fd.RecvFrom(b, 0, &from)
	if err != nil {
		return n, nil, readError(c.fd, err)
	}
	return n, decodeAddr(c.fd, &from), nil
}

// WriteTo sends a message to addr.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	addr = plain(addr)
	n, err := c.writeTo(b, addr)
	if err != nil {
		return n, opErrorTo(c.fd, addr, err)
	}
	return n, nil
}

func (c *PacketConn) writeTo(b []byte, addr net.Addr) (int, error) {
	if c.fd.Connected() {
		return 0, net.ErrWriteToConnected
	}
	if addr == nil {
		return 0, errMissingAddress()
	}
	var to sys.Sockaddr
	if err := encodeFor(&to, c.fd, addr); err != nil {
		return 0, c.fd.SendError("sendto", err)
	}
	return c.fd.SendTo(b, 0, &to)
}

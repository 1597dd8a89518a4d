package sockets

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// addrPortUDPAddr is the destination in errors of methods that take a netip.AddrPort.
type addrPortUDPAddr struct{ netip.AddrPort }

func (addrPortUDPAddr) Network() string { return "udp" }

// plain returns addr, or nil if it is a nil pointer: no error carries one.
func plain(addr net.Addr) net.Addr {
	switch a := addr.(type) {
	case *net.TCPAddr:
		if a == nil {
			return nil
		}
	case *net.UDPAddr:
		if a == nil {
			return nil
		}
	case *net.IPAddr:
		if a == nil {
			return nil
		}
	case *net.UnixAddr:
		if a == nil {
			return nil
		}
	case *VsockAddr:
		if a == nil {
			return nil
		}
	case *NetlinkAddr:
		if a == nil {
			return nil
		}
	case *LinkAddr:
		if a == nil {
			return nil
		}
	case *RawAddr:
		if a == nil {
			return nil
		}
	}
	return addr
}

// ipParts returns what the three kinds of internet address have in common. addr
// must not hold a nil pointer.
func ipParts(addr net.Addr) (ip net.IP, port int, zone string, ok bool) {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.IP, a.Port, a.Zone, true
	case *net.UDPAddr:
		return a.IP, a.Port, a.Zone, true
	case *net.IPAddr:
		return a.IP, 0, a.Zone, true
	}
	return nil, 0, "", false
}

// isWildcard reports whether addr names no particular end.
func isWildcard(addr net.Addr) bool {
	if u, ok := addr.(*net.UnixAddr); ok {
		return u.Name == ""
	}
	ip, _, _, _ := ipParts(addr)
	return ip == nil || ip.IsUnspecified()
}

// lacksZone reports whether addr is link-local and does not tell on which link.
func lacksZone(addr net.Addr) bool {
	ip, _, zone, _ := ipParts(addr)
	return zone == "" && ip.To4() == nil && ip.IsLinkLocalUnicast()
}

func isIPv4(addr net.Addr) bool {
	ip, _, _, _ := ipParts(addr)
	return ip.To4() != nil
}

// familyOf returns the address family that addr alone would ask for.
func familyOf(addr net.Addr) int {
	ip, _, _, ok := ipParts(addr)
	if !ok {
		return sys.AF_UNIX
	}
	if len(ip) <= net.IPv4len || ip.To4() != nil {
		return sys.AF_INET
	}
	return sys.AF_INET6
}

// encodeAddr stores addr in sa as a socket of the given family takes it. The error
// is a *net.AddrError if addr is of the wrong kind, and a bare errno where the
// system call would refuse it.
func encodeAddr(sa *sys.Sockaddr, family int, addr net.Addr) error {
	if u, ok := addr.(*net.UnixAddr); ok {
		if strings.IndexByte(u.Name, 0) >= 0 && !sys.IsAbstract(u.Name) {
			return &net.AddrError{Err: "NUL in the path of a unix socket", Addr: strconv.Quote(u.Name)}
		}
		return errnoErr(sa.SetUnix(u.Name))
	}
	if k, ok := addr.(kernelAddr); ok && k.addressFamily() == family {
		encoded, err := k.encode()
		if err == nil {
			*sa = encoded
		}
		return err
	}
	ip, port, zone, ok := ipParts(addr)
	if !ok {
		return unexpectedAddr(addr)
	}
	return encodeIP(sa, family, ip, port, zone)
}

// encodeFor is encodeAddr for a socket whose kind the address must match.
func encodeFor(sa *sys.Sockaddr, fd *netfd.FD, addr net.Addr) error {
	internet := fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6
	fits := false
	switch a := addr.(type) {
	case *net.TCPAddr:
		fits = internet && (fd.Type == sys.SOCK_STREAM || fd.Type == sys.SOCK_SEQPACKET)
	case *net.UDPAddr:
		fits = internet && fd.Type == sys.SOCK_DGRAM
	case *net.IPAddr:
		fits = internet && fd.Type == sys.SOCK_RAW
	case *net.UnixAddr:
		if fits = fd.Family == sys.AF_UNIX; fits && a.Net != "" && a.Net != unixNet(fd.Type) {
			return errOtherUnixNet
		}
	case kernelAddr:
		fits = a.addressFamily() == fd.Family
	}
	if !fits {
		return unexpectedAddr(addr)
	}
	return encodeAddr(sa, fd.Family, addr)
}

func unexpectedAddr(addr net.Addr) error {
	return &net.AddrError{Err: "unexpected address type", Addr: addr.Network() + " " + addr.String()}
}

func encodeIP(sa *sys.Sockaddr, family int, ip net.IP, port int, zone string) error {
	switch family {
	case sys.AF_INET:
		if len(ip) == 0 {
			ip = net.IPv4zero
		}
		ip4 := ip.To4()
		if ip4 == nil {
			return &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()}
		}
		return errnoErr(sa.SetInet4([4]byte(ip4), port))
	case sys.AF_INET6:
		// The IPv4 wildcard stands for every address of a socket that speaks both.
		if len(ip) == 0 || ip.Equal(net.IPv4zero) {
			ip = net.IPv6zero
		}
		ip16 := ip.To16()
		if ip16 == nil {
			return &net.AddrError{Err: "non-IPv6 address", Addr: ip.String()}
		}
		return errnoErr(sa.SetInet6([16]byte(ip16), port, zoneIndex(zone)))
	}
	return &net.AddrError{Err: "invalid address family", Addr: ip.String()}
}

// encodeAddrPort is encodeAddr for a netip.AddrPort, which must be valid.
func encodeAddrPort(sa *sys.Sockaddr, family int, ap netip.AddrPort) error {
	addr := ap.Addr()
	switch family {
	case sys.AF_INET:
		if !addr.Is4() && !addr.Is4In6() {
			return &net.AddrError{Err: "non-IPv4 address", Addr: addr.String()}
		}
		return errnoErr(sa.SetInet4(addr.As4(), int(ap.Port())))
	case sys.AF_INET6:
		return errnoErr(sa.SetInet6(addr.As16(), int(ap.Port()), zoneIndex(addr.Zone())))
	}
	return &net.AddrError{Err: "invalid address family", Addr: addr.String()}
}

// decodeAddrPort returns the internet address in sa, 4-in-6 where the socket is
// IPv6, or the zero AddrPort.
func decodeAddrPort(sa *sys.Sockaddr) netip.AddrPort {
	switch sa.Family() {
	case sys.AF_INET:
		ip, port := sa.Inet4()
		return netip.AddrPortFrom(netip.AddrFrom4(ip), port)
	case sys.AF_INET6:
		ip, port, scope := sa.Inet6()
		addr := netip.AddrFrom16(ip)
		if scope != 0 {
			addr = addr.WithZone(zoneName(scope))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}

// An address and the octets of its IP in one allocation, 4 or 16 octets by family.
type (
	tcpAddr4 struct {
		net.TCPAddr
		ip [4]byte
	}
	tcpAddr6 struct {
		net.TCPAddr
		ip [16]byte
	}
)

func (a *tcpAddr4) set(sa *sys.Sockaddr) { setTCPAddr4(&a.TCPAddr, &a.ip, sa) }

func (a *tcpAddr6) set(sa *sys.Sockaddr) { setTCPAddr6(&a.TCPAddr, &a.ip, sa) }

func setTCPAddr4(a *net.TCPAddr, octets *[4]byte, sa *sys.Sockaddr) {
	ip, port := sa.Inet4()
	*octets = ip
	a.IP, a.Port = octets[:], int(port)
}

func setTCPAddr6(a *net.TCPAddr, octets *[16]byte, sa *sys.Sockaddr) {
	ip, port, scope := sa.Inet6()
	*octets = ip
	a.IP, a.Port, a.Zone = octets[:], int(port), zoneName(scope)
}

func decodeTCPAddr(sa *sys.Sockaddr) net.Addr {
	switch sa.Family() {
	case sys.AF_INET:
		a := new(tcpAddr4)
		a.set(sa)
		return &a.TCPAddr
	case sys.AF_INET6:
		a := new(tcpAddr6)
		a.set(sa)
		return &a.TCPAddr
	}
	return nil
}

// decodeUDPAddr fills in addr, and reports whether sa holds an internet address.
func decodeUDPAddr(sa *sys.Sockaddr, addr *net.UDPAddr) bool {
	switch sa.Family() {
	case sys.AF_INET:
		ip, port := sa.Inet4()
		*addr = net.UDPAddr{IP: ip[:], Port: int(port)}
	case sys.AF_INET6:
		ip, port, scope := sa.Inet6()
		*addr = net.UDPAddr{IP: ip[:], Port: int(port), Zone: zoneName(scope)}
	default:
		return false
	}
	return true
}

func decodeIPAddr(sa *sys.Sockaddr) *net.IPAddr {
	switch sa.Family() {
	case sys.AF_INET:
		ip, _ := sa.Inet4()
		return &net.IPAddr{IP: ip[:]}
	case sys.AF_INET6:
		ip, _, scope := sa.Inet6()
		return &net.IPAddr{IP: ip[:], Zone: zoneName(scope)}
	}
	return nil
}

// unixNet returns what package net calls an AF_UNIX socket of type typ.
func unixNet(typ int) string {
	switch typ {
	case sys.SOCK_STREAM:
		return "unix"
	case sys.SOCK_DGRAM:
		return "unixgram"
	}
	return "unixpacket"
}

// decodeUnixAddr returns the sender's address, nil if it has no name.
func decodeUnixAddr(sa *sys.Sockaddr, typ int) *net.UnixAddr {
	if sa.Family() != sys.AF_UNIX {
		return nil
	}
	name := sa.Unix()
	if name == "" {
		return nil
	}
	return &net.UnixAddr{Name: name, Net: unixNet(typ)}
}

// decodeAddr returns the address of one end of fd, nil if sa holds none.
func decodeAddr(fd *netfd.FD, sa *sys.Sockaddr) net.Addr {
	switch fam := sa.Family(); fam {
	case sys.AF_INET, sys.AF_INET6:
		switch fd.Type {
		case sys.SOCK_RAW:
			return decodeIPAddr(sa)
		case sys.SOCK_DGRAM:
			a := new(net.UDPAddr)
			decodeUDPAddr(sa, a)
			return a
		}
		return decodeTCPAddr(sa)
	case sys.AF_UNIX:
		name := sa.Unix()
		if name == "" {
			name = sys.UnnamedUnix
		}
		return &net.UnixAddr{Name: name, Net: unixNet(fd.Type)}
	}
	return decodeKernelAddr(sa)
}

func errnoErr(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

package sockets

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// addrPortUDPAddr is the destination in errors of methods that take a netip.AddrPort.
type addrPortUDPAddr struct{ netip.AddrPort }

func (addrPortUDPAddr) Network() string { return "udp" }

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

// lacksZone reports whether addr is link-local and does not tell on which link.
func lacksZone(addr net.Addr) bool {
	ip, _, zone, _ := ipParts(addr)
	return zone == "" && ip.To4() == nil && ip.IsLinkLocalUnicast()
}

// withZone returns addr, which the kernel tells, with the zone of the address asked for
// if it lacks one, as that of a Multipath TCP listener does.
func withZone(addr, asked net.Addr) net.Addr {
	if a, ok := addr.(*net.TCPAddr); ok && lacksZone(a) {
		_, _, a.Zone, _ = ipParts(asked)
	}
	return addr
}

func isIPv4(addr net.Addr) bool {
	ip, _, _, _ := ipParts(addr)
	return ip.To4() != nil
}

// encodeIP is encodeAddr for an internet address. The family is AF_INET or AF_INET6.
func encodeIP(sa *sys.Sockaddr, family int, ip net.IP, port int, zone string) error {
	if family == sys.AF_INET {
		if len(ip) == 0 {
			ip = net.IPv4zero
		}
		ip4 := ip.To4()
		if ip4 == nil {
			return &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()}
		}
		return errnoErr(sa.SetInet4([4]byte(ip4), port))
	}
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

// encodeAddrPort is encodeIP for a netip.AddrPort, which must be valid.
func encodeAddrPort(sa *sys.Sockaddr, family int, ap netip.AddrPort) error {
	addr := ap.Addr()
	if family == sys.AF_INET {
		if !addr.Is4() && !addr.Is4In6() {
			return &net.AddrError{Err: "non-IPv4 address", Addr: addr.String()}
		}
		return errnoErr(sa.SetInet4(addr.As4(), int(ap.Port())))
	}
	return errnoErr(sa.SetInet6(addr.As16(), int(ap.Port()), zoneIndex(addr.Zone())))
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

// An address and the bytes of its IP in one allocation, 4 or 16 bytes by family.
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

func (a *tcpAddr4) set(sa *sys.Sockaddr) {
	ip, port := sa.Inet4()
	a.ip = ip
	a.IP, a.Port = a.ip[:], int(port)
}

func (a *tcpAddr6) set(sa *sys.Sockaddr) {
	ip, port, scope := sa.Inet6()
	a.ip = ip
	a.IP, a.Port, a.Zone = a.ip[:], int(port), zoneName(scope)
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

// newUDPAddr is decodeUDPAddr in one allocation, and returns nil if sa holds no internet
// address.
func newUDPAddr(sa *sys.Sockaddr) *net.UDPAddr {
	switch sa.Family() {
	case sys.AF_INET:
		a := new(struct {
			net.UDPAddr
			ip [4]byte
		})
		ip, port := sa.Inet4()
		a.ip, a.Port = ip, int(port)
		a.IP = a.ip[:]
		return &a.UDPAddr
	case sys.AF_INET6:
		a := new(struct {
			net.UDPAddr
			ip [16]byte
		})
		ip, port, scope := sa.Inet6()
		a.ip, a.Port, a.Zone = ip, int(port), zoneName(scope)
		a.IP = a.ip[:]
		return &a.UDPAddr
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
		a := new(struct {
			net.IPAddr
			ip [4]byte
		})
		a.ip, _ = sa.Inet4()
		a.IP = a.ip[:]
		return &a.IPAddr
	case sys.AF_INET6:
		a := new(struct {
			net.IPAddr
			ip [16]byte
		})
		var scope uint32
		a.ip, _, scope = sa.Inet6()
		a.IP, a.Zone = a.ip[:], zoneName(scope)
		return &a.IPAddr
	}
	return nil
}

// loopback is where a connection from a socket of family to the wildcard address addr
// goes.
func loopback(family int, addr net.Addr) net.Addr {
	ip := net.IP{127, 0, 0, 1}
	if family == sys.AF_INET6 {
		ip = net.IPv6loopback
	}
	switch a := addr.(type) {
	case *net.TCPAddr:
		return &net.TCPAddr{IP: ip, Port: a.Port, Zone: a.Zone}
	case *net.UDPAddr:
		return &net.UDPAddr{IP: ip, Port: a.Port, Zone: a.Zone}
	case *net.IPAddr:
		return &net.IPAddr{IP: ip, Zone: a.Zone}
	}
	return addr
}

// zones translates between names and numbers of network interfaces, which IPv6
// addresses carry as zones, RFC 4007. Asking the system takes tens of
// microseconds, so answers are kept for a minute, as package net does.
var zones struct {
	sync.RWMutex
	asked time.Time
	name  map[uint32]string
	index map[string]uint32
}

const zonesKept = 60 * time.Second

// zoneName returns the name of interface index, its number if it has none.
func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	zones.RLock()
	name, ok := zones.name[index]
	fresh := time.Since(zones.asked) < zonesKept
	zones.RUnlock()
	if !ok || !fresh {
		if askZones(!ok) {
			zones.RLock()
			name, ok = zones.name[index]
			zones.RUnlock()
		}
	}
	if !ok {
		return strconv.FormatUint(uint64(index), 10)
	}
	return name
}

// zoneIndex returns the number of the interface called name, or the number that
// name spells, or 0.
func zoneIndex(name string) uint32 {
	if name == "" {
		return 0
	}
	zones.RLock()
	index, ok := zones.index[name]
	fresh := time.Since(zones.asked) < zonesKept
	zones.RUnlock()
	if !ok || !fresh {
		if askZones(!ok) {
			zones.RLock()
			index, ok = zones.index[name]
			zones.RUnlock()
		}
	}
	if !ok {
		n, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return 0
		}
		return uint32(n)
	}
	return index
}

// askZones asks the system for its interfaces if the last answer is old, or if
// force says that a new interface is looked for. It reports whether it asked.
func askZones(force bool) bool {
	zones.Lock()
	defer zones.Unlock()
	if !force && time.Since(zones.asked) < zonesKept {
		return false
	}
	ifis, err := net.Interfaces()
	if err != nil {
		return false
	}
	zones.asked = time.Now()
	zones.name = make(map[uint32]string, len(ifis))
	zones.index = make(map[string]uint32, len(ifis))
	for _, ifi := range ifis {
		zones.name[uint32(ifi.Index)] = ifi.Name
		if _, ok := zones.index[ifi.Name]; !ok {
			zones.index[ifi.Name] = uint32(ifi.Index)
		}
	}
	return true
}

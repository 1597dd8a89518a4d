package sockets

import (
	"cmp"
	"encoding/hex"
	"errors"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

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
	case kernelAddr:
		if a.isNil() {
			return nil
		}
	}
	return addr
}

// isWildcard reports whether addr names no particular end.
func isWildcard(addr net.Addr) bool {
	if u, ok := addr.(*net.UnixAddr); ok {
		return u.Name == ""
	}
	ip, _, _, _ := ipParts(addr)
	return ip == nil || ip.IsUnspecified()
}

// familyOf returns the address family that addr alone would ask for.
func familyOf(addr net.Addr) int {
	ip, _, _, _ := ipParts(addr)
	if len(ip) <= net.IPv4len || ip.To4() != nil {
		return sys.AF_INET
	}
	return sys.AF_INET6
}

// encodeAddr stores addr in sa as a socket of the given family takes it. The error is a
// *net.AddrError where package net has one, a bare errno where the system call would
// refuse addr, and otherwise an *ArgumentError.
func encodeAddr(sa *sys.Sockaddr, family int, addr net.Addr) error {
	if u, ok := addr.(*net.UnixAddr); ok {
		if err := checkUnixName(u); err != nil {
			return err
		}
		return errnoErr(sa.SetUnix(u.Name))
	}
	return encodeOther(sa, family, addr)
}

// encodePeer is encodeAddr for where a message goes.
func encodePeer(sa *sys.Sockaddr, family int, addr net.Addr) error {
	if u, ok := addr.(*net.UnixAddr); ok {
		if err := checkUnixName(u); err != nil {
			return err
		}
		return errnoErr(sa.SetUnixPeer(u.Name))
	}
	return encodeOther(sa, family, addr)
}

func checkUnixName(u *net.UnixAddr) error {
	if strings.IndexByte(u.Name, 0) >= 0 && !sys.IsAbstract(u.Name) {
		return &ArgumentError{Arg: "address", Value: strconv.Quote(u.Name), Why: "the path of a unix socket has no NUL"}
	}
	return nil
}

// encodeOther is encodeAddr for what is no address of a unix socket. It is one that fits the
// family: checkFor, or the choice of the family, sees to that.
func encodeOther(sa *sys.Sockaddr, family int, addr net.Addr) error {
	if k, ok := addr.(kernelAddr); ok && k.addressFamily() == family {
		encoded, err := k.encode()
		if err == nil {
			*sa = encoded
		}
		return err
	}
	ip, port, zone, _ := ipParts(addr)
	return encodeIP(sa, family, ip, port, zone)
}

// encodeFor is encodeAddr for a socket whose kind the address must match.
func encodeFor(sa *sys.Sockaddr, fd *netfd.FD, addr net.Addr) error {
	if err := checkFor(fd, addr); err != nil {
		return err
	}
	return encodeAddr(sa, fd.Family, addr)
}

// encodePeerFor is encodeFor for where a message goes.
func encodePeerFor(sa *sys.Sockaddr, fd *netfd.FD, addr net.Addr) error {
	if err := checkFor(fd, addr); err != nil {
		return err
	}
	return encodePeer(sa, fd.Family, addr)
}

// checkFor reports an address that does not match the kind of a socket.
func checkFor(fd *netfd.FD, addr net.Addr) error {
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
		return unexpectedAddr(fd, addr)
	}
	return nil
}

func unexpectedAddr(fd *netfd.FD, addr net.Addr) error {
	return &ArgumentError{Arg: "address", Value: addr, Why: "one of network " + cmp.Or(addr.Network(), `""`) + " does not fit the " + kindName(fd)}
}

// decodeAddr returns the address of one end of fd, nil if sa holds none.
func decodeAddr(fd *netfd.FD, sa *sys.Sockaddr) net.Addr {
	switch fam := sa.Family(); fam {
	case sys.AF_INET, sys.AF_INET6:
		switch fd.Type {
		case sys.SOCK_RAW:
			return decodeIPAddr(sa)
		case sys.SOCK_DGRAM:
			return newUDPAddr(sa)
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

// kernelAddr is an address of a family that package net does not know. It encodes
// itself.
type kernelAddr interface {
	net.Addr
	encode() (sys.Sockaddr, error)
	addressFamily() int
	isNil() bool
}

// decodeKernelAddr is decodeAddr for the families that package net does not know.
func decodeKernelAddr(sa *sys.Sockaddr) net.Addr {
	b := sa.Bytes()
	if len(b) < 2 || sa.Family() == sys.AF_UNSPEC {
		return nil
	}
	for i := range families {
		if f := &families[i]; f.number == sa.Family() && f.decode != nil {
			if addr := f.decode(*sa); addr != nil {
				return addr
			}
		}
	}
	return &RawAddr{Family: sa.Family(), Data: append([]byte(nil), b[2:]...)}
}

// localAddr asks the kernel for the socket's own address, nil if it has none.
func localAddr(fd *netfd.FD) net.Addr {
	var sa sys.Sockaddr
	if fd.Sockname(&sa) != nil {
		return nil
	}
	return decodeAddr(fd, &sa)
}

// peerAddr asks the kernel for the peer's address, nil if there is none.
func peerAddr(fd *netfd.FD) net.Addr {
	var sa sys.Sockaddr
	if fd.Peername(&sa) != nil {
		return nil
	}
	addr := decodeAddr(fd, &sa)
	if n, ok := addr.(*NetlinkAddr); ok && *n == (NetlinkAddr{}) {
		return nil // the kernel says so of a socket without a peer, too
	}
	return addr
}

// orNameless returns addr, or if that is nil what stands for the address of a
// socket in a family whose sockets have none: users of net.Conn rely on one.
func orNameless(fd *netfd.FD, addr net.Addr) net.Addr {
	if addr == nil {
		return &RawAddr{Family: fd.Family}
	}
	return addr
}

// ParseAddr is the inverse of an address's String method; network is what its Network
// method returns. It parses internet and unix addresses as package net prints them, and
// the address types of this package. It does not look up names. Errors are of type
// [*net.AddrError].
func ParseAddr(network, s string) (net.Addr, error) {
	addr, err := parseAddr(network, s)
	if err != nil {
		return nil, &net.AddrError{Err: "malformed " + network + " address", Addr: s}
	}
	return addr, nil
}

func parseAddr(network, s string) (net.Addr, error) {
	for i := range families {
		if f := &families[i]; f.name == network && f.parse != nil {
			return f.parse(s)
		}
	}
	switch network {
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

// RawAddr is an address of a family that this package does not know.
type RawAddr struct {
	Family int
	Data   []byte // what follows the family in struct sockaddr; at most 126 bytes
}

// Network returns the number of the family, as in "af38".
func (a *RawAddr) Network() string {
	if a == nil {
		return familyName(sys.AF_UNSPEC)
	}
	return "af" + strconv.Itoa(a.Family)
}

// String returns the bytes in hexadecimal.
func (a *RawAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return hex.EncodeToString(a.Data)
}

func (a *RawAddr) addressFamily() int { return a.Family }

func (a *RawAddr) isNil() bool { return a == nil }

func (a *RawAddr) encode() (sa sys.Sockaddr, err error) {
	if a.Family < 0 || a.Family > math.MaxUint16 {
		return sa, &ArgumentError{Arg: "address family", Value: a.Family, Why: "does not fit in 16 bits"}
	}
	if sa.SetFamily(a.Family, append(make([]byte, 2), a.Data...)) != nil {
		return sa, &ArgumentError{Arg: "address", Value: a, Why: "has more than 126 bytes of data"}
	}
	return sa, nil
}

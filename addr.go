package sockets

import (
	"net"
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
		return &net.AddrError{Err: "NUL in the path of a unix socket", Addr: strconv.Quote(u.Name)}
	}
	return nil
}

// encodeOther is encodeAddr for what is no address of a unix socket.
func encodeOther(sa *sys.Sockaddr, family int, addr net.Addr) error {
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
		return unexpectedAddr(addr)
	}
	return nil
}

func unexpectedAddr(addr net.Addr) error {
	return &net.AddrError{Err: "unexpected address type", Addr: addr.Network() + " " + addr.String()}
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

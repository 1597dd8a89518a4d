package sys

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"
)

// sockaddrSize is the size of struct sockaddr_storage, RFC 3493 section 3.10.
const sockaddrSize = 128

// maxUnixPath is the room for a name in struct sockaddr_un.
const maxUnixPath = unixPathSize

// Sockaddr is a socket address as the kernel reads and writes it: struct
// sockaddr_storage and the length in use. The zero value is no address.
type Sockaddr struct {
	raw [sockaddrSize / 8]uint64 // aligned as every address family needs it
	len uint32
}

func (sa *Sockaddr) storage() *[sockaddrSize]byte {
	return (*[sockaddrSize]byte)(unsafe.Pointer(&sa.raw))
}

// Bytes returns the address as the kernel sees it. The slice is sa's own memory.
func (sa *Sockaddr) Bytes() []byte { return sa.storage()[:min(sa.len, sockaddrSize)] }

// SetBytes makes sa a copy of b, or reports EINVAL if it does not fit.
func (sa *Sockaddr) SetBytes(b []byte) syscall.Errno {
	if len(b) > sockaddrSize {
		return EINVAL
	}
	sa.len = uint32(copy(sa.storage()[:], b))
	return 0
}

// SetFamily makes sa a copy of b, whose first two bytes are replaced by the family.
func (sa *Sockaddr) SetFamily(family int, b []byte) error {
	if errno := sa.SetBytes(b); errno != 0 {
		return errno
	}
	putFamily(sa.storage(), family, len(b))
	return nil
}

// Reset makes sa no address.
func (sa *Sockaddr) Reset() { sa.len = 0 }

// Family returns the address family, AF_UNSPEC if there is no address.
func (sa *Sockaddr) Family() int {
	if sa.len < 2 {
		return AF_UNSPEC
	}
	return family(sa.storage())
}

// SetInet4 makes sa an AF_INET address; EINVAL if port does not fit in 16 bits.
func (sa *Sockaddr) SetInet4(ip [4]byte, port int) syscall.Errno {
	if port < 0 || port > 0xffff {
		return EINVAL
	}
	sa.len = 16
	b := sa.storage()
	putFamily(b, AF_INET, 16)
	binary.BigEndian.PutUint16(b[2:], uint16(port))
	copy(b[4:8], ip[:])
	clear(b[8:16])
	return 0
}

// Inet4 returns the parts of an AF_INET address.
func (sa *Sockaddr) Inet4() (ip [4]byte, port uint16) {
	b := sa.storage()
	return [4]byte(b[4:8]), binary.BigEndian.Uint16(b[2:])
}

// Port returns the port of an internet address.
func (sa *Sockaddr) Port() uint16 { return binary.BigEndian.Uint16(sa.storage()[2:]) }

// SetPort changes the port of an internet address.
func (sa *Sockaddr) SetPort(port uint16) { binary.BigEndian.PutUint16(sa.storage()[2:], port) }

// SetInet6 makes sa an AF_INET6 address; EINVAL if port does not fit in 16 bits.
func (sa *Sockaddr) SetInet6(ip [16]byte, port int, scope uint32) syscall.Errno {
	if port < 0 || port > 0xffff {
		return EINVAL
	}
	sa.len = 28
	b := sa.storage()
	putFamily(b, AF_INET6, 28)
	binary.BigEndian.PutUint16(b[2:], uint16(port))
	clear(b[4:8]) // flow information
	copy(b[8:24], ip[:])
	binary.NativeEndian.PutUint32(b[24:], scope)
	return 0
}

// Inet6 returns the parts of an AF_INET6 address.
func (sa *Sockaddr) Inet6() (ip [16]byte, port uint16, scope uint32) {
	b := sa.storage()
	return [16]byte(b[8:24]), binary.BigEndian.Uint16(b[2:]), binary.NativeEndian.Uint32(b[24:])
}

// IsMapped reports whether sa is an IPv4 address in IPv6 form, RFC 4291 section
// 2.5.5.2.
func (sa *Sockaddr) IsMapped() bool {
	ip, _, _ := sa.Inet6()
	return sa.Family() == AF_INET6 && [12]byte(ip[:]) == [12]byte{10: 0xff, 11: 0xff}
}

// NeedsZone reports whether sa is an IPv6 address of one link or interface, or a group
// there, to whose interface the kernel binds a socket that is bound or connected to it.
// See RFC 4291 sections 2.5.6 and 2.7.
func (sa *Sockaddr) NeedsZone() bool {
	if sa.Family() != AF_INET6 {
		return false
	}
	ip, _, _ := sa.Inet6()
	scope := ip[1] & 0xf
	return ip[0] == 0xfe && ip[1]&0xc0 == 0x80 || ip[0] == 0xff && (scope == 1 || scope == 2)
}

// SetUnix makes sa an AF_UNIX address. Where names may be abstract, a leading
// '@' or NUL makes it one, and every further byte of it counts, NULs included.
// It reports EINVAL for a name that is too long, or for a path with a NUL, where
// the kernel would take the part before it. See unix(7).
func (sa *Sockaddr) SetUnix(name string) syscall.Errno { return sa.setUnix(name, 1) }

// SetUnixPeer is SetUnix for an address that a message goes to. It may be a path that
// fills sun_path, as the kernel lets others have and as it is received from them.
func (sa *Sockaddr) SetUnixPeer(name string) syscall.Errno {
	if len(name) == maxUnixPath {
		return sa.setUnix(name, 0)
	}
	return sa.setUnix(name, 1)
}

func (sa *Sockaddr) setUnix(name string, terminator int) syscall.Errno {
	abstract := IsAbstract(name)
	n := len(name)
	if !abstract {
		for i := range n {
			if name[i] == 0 {
				return EINVAL
			}
		}
		if n > 0 {
			n += terminator // which the kernel wants counted
		}
	}
	if n > maxUnixPath {
		return EINVAL
	}
	b := sa.storage()
	sa.len = uint32(2 + n)
	putFamily(b, AF_UNIX, 2+n)
	path := b[2 : 2+n]
	clear(path)
	copy(path, name)
	if abstract {
		path[0] = 0
	}
	return 0
}

// IsAbstract reports whether name is no path, but lives in the kernel alone.
func IsAbstract(name string) bool {
	return hasAbstract && name != "" && (name[0] == '@' || name[0] == 0)
}

// Unix returns the name of an AF_UNIX address: a path, an abstract name with its
// leading NUL shown as '@', or "" for a socket without a name.
func (sa *Sockaddr) Unix() string {
	if sa.len <= 2 {
		return ""
	}
	path := sa.Bytes()[2:]
	if path[0] == 0 {
		if !hasAbstract {
			return ""
		}
		return "@" + string(path[1:])
	}
	for i, c := range path {
		if c == 0 {
			path = path[:i]
			break
		}
	}
	return string(path)
}

// AddrPort returns an internet address, or the zero AddrPort for any other. It knows
// no zone.
func AddrPort(sa *Sockaddr) netip.AddrPort {
	switch sa.Family() {
	case AF_INET:
		ip, port := sa.Inet4()
		return netip.AddrPortFrom(netip.AddrFrom4(ip), port)
	case AF_INET6:
		ip, port, _ := sa.Inet6()
		return netip.AddrPortFrom(netip.AddrFrom16(ip), port)
	}
	return netip.AddrPort{}
}

// AppendSockaddr appends a struct sockaddr_storage with an internet address.
func AppendSockaddr(b []byte, a netip.AddrPort) []byte {
	var sa Sockaddr
	if addr := a.Addr(); addr.Is4() {
		sa.SetInet4(addr.As4(), int(a.Port()))
	} else {
		sa.SetInet6(addr.As16(), int(a.Port()), 0)
	}
	return append(b, sa.storage()[:]...)
}

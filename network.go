package sockets

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// A kind is what the name of a network says about a socket. The name is parsed
// once, where the call comes in, and the kind goes on from there. A kind is never
// changed.
type kind struct {
	name       string // as the caller wrote it, for errors: "mptcp4", "ip4:icmp"
	network    string // what addresses and connections call it: "tcp4", "ip4"
	family     int    // AF_UNSPEC: IPv4 or IPv6, as the addresses need it
	typ, proto int

	// address returns the address that a string means. It is nil for internet
	// addresses, which may take a lookup.
	address func(k *kind, dial bool, s string) (net.Addr, error)
}

// kinds has the networks by name; a name that ends in a colon goes on with a
// protocol.
var kinds = []kind{
	{name: "tcp", network: "tcp", typ: sys.SOCK_STREAM},
	{name: "tcp4", network: "tcp4", family: sys.AF_INET, typ: sys.SOCK_STREAM},
	{name: "tcp6", network: "tcp6", family: sys.AF_INET6, typ: sys.SOCK_STREAM},
	{name: "udp", network: "udp", typ: sys.SOCK_DGRAM},
	{name: "udp4", network: "udp4", family: sys.AF_INET, typ: sys.SOCK_DGRAM},
	{name: "udp6", network: "udp6", family: sys.AF_INET6, typ: sys.SOCK_DGRAM},
	{name: "unix", network: "unix", family: sys.AF_UNIX, typ: sys.SOCK_STREAM, address: unixAddress},
	{name: "unixgram", network: "unixgram", family: sys.AF_UNIX, typ: sys.SOCK_DGRAM, address: unixAddress},
	{name: "unixpacket", network: "unixpacket", family: sys.AF_UNIX, typ: sys.SOCK_SEQPACKET, address: unixAddress},
	{name: "mptcp", network: "tcp", typ: sys.SOCK_STREAM, proto: sys.IPPROTO_MPTCP},
	{name: "mptcp4", network: "tcp4", family: sys.AF_INET, typ: sys.SOCK_STREAM, proto: sys.IPPROTO_MPTCP},
	{name: "mptcp6", network: "tcp6", family: sys.AF_INET6, typ: sys.SOCK_STREAM, proto: sys.IPPROTO_MPTCP},
	{name: "vsock", network: "vsock", family: sys.AF_VSOCK, typ: sys.SOCK_STREAM, address: vsockAddress},
	{name: "ip:", network: "ip", typ: sys.SOCK_RAW},
	{name: "ip4:", network: "ip4", family: sys.AF_INET, typ: sys.SOCK_RAW},
	{name: "ip6:", network: "ip6", family: sys.AF_INET6, typ: sys.SOCK_RAW},
}

// The networks of the functions that take only some.
var (
	tcpNetworks      = []string{"tcp", "tcp4", "tcp6"}
	udpNetworks      = []string{"udp", "udp4", "udp6"}
	ipNetworks       = []string{"ip:", "ip4:", "ip6:"}
	unixNetworks     = []string{"unix", "unixgram", "unixpacket"}
	unixConnNetworks = []string{"unix", "unixpacket"}
)

// kindOf returns the kind of the network called name, which must be one of those
// in among; nil allows all.
func kindOf(name string, among []string) (*kind, error) {
	row, protocol, raw := name, "", false
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		row, protocol, raw = name[:i+1], name[i+1:], true
	}
	for i := range kinds {
		k := &kinds[i]
		if k.name != row || among != nil && !slices.Contains(among, row) {
			continue
		}
		if !raw {
			return k, nil
		}
		proto, err := protocolNumber(protocol)
		if err != nil {
			return nil, err
		}
		k = &kind{name: name, network: k.network, family: k.family, typ: k.typ, proto: proto}
		return k, nil
	}
	return nil, net.UnknownNetworkError(name)
}

// stream reports whether connections are accepted on sockets of this kind.
func (k *kind) stream() bool { return k.typ == sys.SOCK_STREAM || k.typ == sys.SOCK_SEQPACKET }

// internet reports whether sockets of this kind have IP addresses.
func (k *kind) internet() bool {
	return k.family == sys.AF_UNSPEC || k.family == sys.AF_INET || k.family == sys.AF_INET6
}

// triesMultipath reports whether Multipath TCP is tried in place of this kind, where it
// is wanted.
func (k *kind) triesMultipath(wanted bool) bool {
	return wanted && k.internet() && k.typ == sys.SOCK_STREAM && k.proto == 0 && sys.HasMultipathTCP()
}

// multipath returns the kind that is k as Multipath TCP.
func (k *kind) multipath() *kind {
	for i := range kinds {
		if m := &kinds[i]; m.network == k.network && m.proto == sys.IPPROTO_MPTCP {
			return m
		}
	}
	return k
}

// chooseFamily returns the family of a socket, and whether an IPv6 one is to keep to
// IPv6. Without a family in the network's name, a wildcard listens to both, and
// otherwise IPv4 addresses get an IPv4 socket.
func (k *kind) chooseFamily(local, remote net.Addr, listen bool) (family int, v6only bool) {
	if k.family != sys.AF_UNSPEC {
		return k.family, k.family == sys.AF_INET6
	}
	if listen && (local == nil || isWildcard(local)) {
		s := netfd.IPStack()
		if s.Mapped || !s.IPv4 {
			return sys.AF_INET6, false
		}
		if local == nil {
			return sys.AF_INET, false
		}
		return familyOf(local), false
	}
	if (local == nil || familyOf(local) == sys.AF_INET) && (remote == nil || familyOf(remote) == sys.AF_INET) {
		return sys.AF_INET, false
	}
	return sys.AF_INET6, false
}

func isTCP(fd *netfd.FD) bool {
	return fd.Type == sys.SOCK_STREAM && isTCPProto(fd.Proto) && (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6)
}

// controlNetwork tells a callback the family, too.
func controlNetwork(fd *netfd.FD) string {
	if fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 {
		return fd.Network
	}
	switch fd.Network[len(fd.Network)-1] {
	case '4', '6':
		return fd.Network
	}
	if fd.Family == sys.AF_INET {
		return fd.Network + "4"
	}
	return fd.Network + "6"
}

// networkName returns the name for a socket that came without one: package net's
// where there is one, otherwise that of the address family.
func networkName(family, typ, proto int) string {
	switch family {
	case sys.AF_INET, sys.AF_INET6:
		switch {
		case typ == sys.SOCK_STREAM && isTCPProto(proto):
			return "tcp"
		case typ == sys.SOCK_DGRAM:
			return "udp"
		case typ == sys.SOCK_RAW:
			return "ip"
		}
	case sys.AF_UNIX:
		return unixNet(typ)
	}
	return familyName(family)
}

func isTCPProto(proto int) bool {
	return proto == 0 || proto == sys.IPPROTO_TCP || proto == sys.IPPROTO_MPTCP
}

// A family is what is known of an address family.
type family struct {
	number int
	name   string // as printed, and what ParseAddr calls its addresses

	// decode returns the address in sa, nil if that is too short, and parse the one that
	// a string spells. Both are nil for families that package net knows. A pointer
	// to sa would have it escape from all that receive.
	decode func(sa sys.Sockaddr) net.Addr
	parse  func(s string) (net.Addr, error)
}

var families = []family{
	{number: sys.AF_UNIX, name: "unix"},
	{number: sys.AF_INET, name: "ipv4"},
	{number: sys.AF_INET6, name: "ipv6"},
	{sys.AF_VSOCK, "vsock", decodeVsockAddr, parseVsockAddr},
	{sys.AF_NETLINK, "netlink", decodeNetlinkAddr, parseNetlinkAddr},
	{sys.AF_PACKET, "packet", decodeLinkAddr, parseLinkAddr},
}

// familyName returns what is printed for an address family.
func familyName(number int) string {
	for _, f := range families {
		if f.number == number {
			return f.name
		}
	}
	return "af" + strconv.Itoa(number)
}

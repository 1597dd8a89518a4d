package sockets

import (
	"net"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

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

// kind is what a network's name says about a socket.
type kind struct {
	network    string // as errors and Network() tell it, without a protocol
	family     int    // AF_UNSPEC: IPv4 or IPv6, as the addresses need it
	typ, proto int
}

// kindOf tells the kind of a network by its name, of which it knows package net's
// and ours.
func kindOf(network string) (kind, error) {
	k := kind{network: network}
	switch network {
	case "tcp", "tcp4", "tcp6":
		k.typ = sys.SOCK_STREAM
	case "mptcp", "mptcp4", "mptcp6":
		k.network, k.typ, k.proto = network[len("mp"):], sys.SOCK_STREAM, sys.IPPROTO_MPTCP
	case "udp", "udp4", "udp6":
		k.typ = sys.SOCK_DGRAM
	case "unix":
		k.family, k.typ = sys.AF_UNIX, sys.SOCK_STREAM
	case "unixgram":
		k.family, k.typ = sys.AF_UNIX, sys.SOCK_DGRAM
	case "unixpacket":
		k.family, k.typ = sys.AF_UNIX, sys.SOCK_SEQPACKET
	case "vsock":
		k.family, k.typ = sys.AF_VSOCK, sys.SOCK_STREAM
	default:
		// "ip4:icmp"
		i := strings.LastIndexByte(network, ':')
		if i < 0 || network[:i] != "ip" && network[:i] != "ip4" && network[:i] != "ip6" {
			return k, net.UnknownNetworkError(network)
		}
		var err error
		if k.proto, err = protocol(network[i+1:]); err != nil {
			return k, err
		}
		k.network, k.typ = network[:i], sys.SOCK_RAW
	}
	return k, nil
}

// stream reports whether connections are accepted on sockets of this kind.
func (k kind) stream() bool { return k.typ == sys.SOCK_STREAM || k.typ == sys.SOCK_SEQPACKET }

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

package sockopt

import (
	"math"
	"net/netip"
	"strconv"
)

// PortRange is the value of [LocalPortRange]. Both ends are included. If one is zero,
// that end of the system's range applies.
type PortRange struct {
	Low, High uint16
}

// String returns the range, as in "40000-40999".
func (r PortRange) String() string {
	return strconv.Itoa(int(r.Low)) + "-" + strconv.Itoa(int(r.High))
}

// MTUDiscovery is the value of [MTUDiscover] and [MTUDiscover6]. It selects how a
// socket finds the largest packet that reaches its peer.
type MTUDiscovery int

const (
	// MTUDiscoveryDont fragments packets where necessary, and lets routers fragment them.
	MTUDiscoveryDont MTUDiscovery = iota

	// MTUDiscoveryWant fragments packets according to the known path MTU.
	MTUDiscoveryWant

	// MTUDiscoveryDo never fragments. Sending a datagram that is too large fails with
	// EMSGSIZE.
	MTUDiscoveryDo

	// MTUDiscoveryProbe never fragments, and ignores the known path MTU.
	MTUDiscoveryProbe

	// MTUDiscoveryInterface is like MTUDiscoveryProbe, but also ignores what routers
	// report about the path MTU, and fails with EMSGSIZE above the interface's MTU.
	MTUDiscoveryInterface

	// MTUDiscoveryOmit is like MTUDiscoveryInterface, but fragments datagrams that are too
	// large.
	MTUDiscoveryOmit
)

// String returns the end of the constant's name in C, such as "WANT".
func (d MTUDiscovery) String() string {
	names := [...]string{"DONT", "WANT", "DO", "PROBE", "INTERFACE", "OMIT"}
	if d < 0 || int(d) >= len(names) {
		return strconv.Itoa(int(d))
	}
	return names[d]
}

// Options of IPv4, level IPPROTO_IP. IPv6 sockets other than raw ones have them too,
// for packets exchanged with IPv4 peers. Multipath TCP sockets have only
// BindAddressNoPort, Freebind, LocalPortRange, TOS and Transparent. See ip(7) unless
// another source is given.
var (
	// BindAddressNoPort, IP_BIND_ADDRESS_NO_PORT, makes bind without a port leave the
	// choice of the port to connect, so that one port can serve connections to several
	// peers. Initially false.
	BindAddressNoPort = Option[bool]{"IP_BIND_ADDRESS_NO_PORT", boolValue{}}

	// Freebind, IP_FREEBIND, allows binding to addresses that no interface has, or does
	// not have yet. Initially false. IPv4 and IPv6.
	Freebind = Option[bool]{"IP_FREEBIND", boolValue{}}

	// HeaderInclude, IP_HDRINCL, means that the program supplies the IP header of sent
	// packets. Initially false, but true for protocol IPPROTO_RAW. Raw IPv4 sockets. See
	// raw(7).
	HeaderInclude = Option[bool]{"IP_HDRINCL", boolValue{}}

	// ICMPFilter, ICMP_FILTER of level SOL_RAW, drops received ICMP messages of the types
	// whose bits are set. Initially 0: none is dropped. Raw sockets of IPPROTO_ICMP. See
	// raw(7).
	ICMPFilter = Option[uint32]{"ICMP_FILTER", number[uint32]{0, math.MaxUint32}}

	// LocalPortRange, IP_LOCAL_PORT_RANGE, narrows the range from which the kernel chooses
	// a port when the program gives none. Initially 0-0: the system's range. Since Linux
	// 6.3.
	LocalPortRange = Option[PortRange]{"IP_LOCAL_PORT_RANGE", portRangeValue{}}

	// MinTTL, IP_MINTTL, drops received packets with a lower TTL. Initially 0. See RFC
	// 5082.
	MinTTL = Option[int]{"IP_MINTTL", number[int]{0, 255}}

	// MTUDiscover, IP_MTU_DISCOVER, selects the mode of path MTU discovery. Initially
	// MTUDiscoveryWant, but MTUDiscoveryDont on raw sockets with HeaderInclude.
	MTUDiscover = Option[MTUDiscovery]{"IP_MTU_DISCOVER", number[MTUDiscovery]{0, int64(MTUDiscoveryOmit)}}

	// MulticastAll, IP_MULTICAST_ALL, delivers datagrams of all groups that any socket on
	// the system has joined, not only of those that this socket has joined. Initially
	// true, but false on IPv6 sockets.
	MulticastAll = Option[bool]{"IP_MULTICAST_ALL", boolValue{}}

	// MulticastInterface, IP_MULTICAST_IF, is an address of the interface through which
	// multicast datagrams are sent. Initially 0.0.0.0: routing decides. Datagram and raw
	// sockets.
	MulticastInterface = Option[netip.Addr]{"IP_MULTICAST_IF", inet4Addr{}}

	// MulticastLoop, IP_MULTICAST_LOOP, delivers sent multicast datagrams to receivers on
	// this system as well. Initially true.
	MulticastLoop = Option[bool]{"IP_MULTICAST_LOOP", boolValue{}}

	// MulticastTTL, IP_MULTICAST_TTL, is the TTL of sent multicast datagrams, from 0 to
	// 255. Initially 1; setting it to -1 restores that. Datagram and raw sockets.
	MulticastTTL = Option[int]{"IP_MULTICAST_TTL", number[int]{-1, 255}}

	// OriginalDst, SO_ORIGINAL_DST, is the address to which the peer connected before
	// netfilter redirected the connection here, by REDIRECT or DNAT. If there was no
	// redirection, it is the local address or the error is ENOENT. Without netfilter the
	// error matches errors.ErrUnsupported. TCP and SCTP.
	OriginalDst = ReadOnlyOption[netip.AddrPort]{"SO_ORIGINAL_DST", addrPortValue{}}

	// PathMTU, IP_MTU, is the known MTU of the path to the peer, in bytes. Connected
	// sockets; on others the error is ENOTCONN.
	PathMTU = ReadOnlyOption[int]{"IP_MTU", number[int]{}}

	// ReceiveError, IP_RECVERR, adds errors such as ICMP messages to the socket's error
	// queue, and reports them on unconnected sockets too. Package sockets reads the queue
	// with UDPConn.ReadErrorQueue. Initially false.
	ReceiveError = Option[bool]{"IP_RECVERR", boolValue{}}

	// ReceiveOriginalDst, IP_RECVORIGDSTADDR, adds the destination before any redirection
	// to received datagrams, as control data. Initially false. UDP and raw sockets.
	ReceiveOriginalDst = Option[bool]{"IP_RECVORIGDSTADDR", boolValue{}}

	// ReceivePacketInfo, IP_PKTINFO, adds the interface and the destination address to
	// received datagrams, as control data. Initially false. UDP and raw sockets.
	ReceivePacketInfo = Option[bool]{"IP_PKTINFO", boolValue{}}

	// ReceiveTOS, IP_RECVTOS, adds the TOS byte to received datagrams, as control data.
	// Initially false. UDP and raw sockets.
	ReceiveTOS = Option[bool]{"IP_RECVTOS", boolValue{}}

	// ReceiveTTL, IP_RECVTTL, adds the TTL to received datagrams, as control data.
	// Initially false. UDP and raw sockets.
	ReceiveTTL = Option[bool]{"IP_RECVTTL", boolValue{}}

	// TOS, IP_TOS, is the type-of-service byte of sent packets: DSCP in the upper six bits
	// and ECN in the lower two, which TCP sets itself. Initially 0. Setting it also sets
	// Priority.
	TOS = Option[int]{"IP_TOS", number[int]{0, 255}}

	// Transparent, IP_TRANSPARENT, allows binding to any address and accepting connections
	// to any address, as a transparent proxy needs. Initially false. Requires
	// CAP_NET_ADMIN or CAP_NET_RAW. See Documentation/networking/tproxy.rst in the kernel.
	Transparent = Option[bool]{"IP_TRANSPARENT", boolValue{}}

	// TTL, IP_TTL, is the TTL of sent packets, from 1 to 255. Initially 64; setting it to
	// -1 restores that.
	TTL = Option[int]{"IP_TTL", number[int]{-1, 255}}
)

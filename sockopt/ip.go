package sockopt

import (
	"math"
	"net/netip"
	"strconv"
)

// PortRange is the value of [LocalPortRange], both ends included. A zero end is
// that of the system's range.
type PortRange struct {
	Low, High uint16
}

// String returns the range as in "40000-40999".
func (r PortRange) String() string {
	return strconv.Itoa(int(r.Low)) + "-" + strconv.Itoa(int(r.High))
}

// MTUDiscovery is the value of [MTUDiscover] and [MTUDiscover6]: how a socket
// finds the largest packet that reaches its peer.
type MTUDiscovery int

const (
	// MTUDiscoveryDont fragments where necessary, and lets routers do it.
	MTUDiscoveryDont MTUDiscovery = iota
	// MTUDiscoveryWant fragments according to the known path MTU.
	MTUDiscoveryWant
	// MTUDiscoveryDo never fragments: a datagram that is too large gives EMSGSIZE.
	MTUDiscoveryDo
	// MTUDiscoveryProbe never fragments, and ignores the known path MTU.
	MTUDiscoveryProbe
	// MTUDiscoveryInterface is like MTUDiscoveryProbe, does not believe what
	// routers say of the path MTU, and gives EMSGSIZE beyond the interface's MTU.
	MTUDiscoveryInterface
	// MTUDiscoveryOmit is like MTUDiscoveryInterface, but fragments what is too
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

// Options of IPv4, level IPPROTO_IP. IPv6 sockets, other than raw ones, have them
// too, for what they exchange with IPv4 peers. Multipath TCP sockets have only
// BindAddressNoPort, Freebind, LocalPortRange, TOS and Transparent. See ip(7)
// unless another source is given.
var (
	// BindAddressNoPort, IP_BIND_ADDRESS_NO_PORT, leaves the choice of the port
	// to connect when bind got none, so that a port serves several peers.
	// Initially false.
	BindAddressNoPort = Option[bool]{"IP_BIND_ADDRESS_NO_PORT", boolValue{}}

	// Freebind, IP_FREEBIND, allows to bind addresses that no interface has, or
	// not yet. Initially false. IPv4 and IPv6.
	Freebind = Option[bool]{"IP_FREEBIND", boolValue{}}

	// HeaderInclude, IP_HDRINCL, makes the sender supply the IP header. Initially
	// false, true for protocol IPPROTO_RAW. Raw IPv4 sockets. See raw(7).
	HeaderInclude = Option[bool]{"IP_HDRINCL", boolValue{}}

	// ICMPFilter, ICMP_FILTER of level SOL_RAW, drops received ICMP messages of
	// the types whose bits are set. Initially 0, none. Raw sockets of
	// IPPROTO_ICMP. See raw(7).
	ICMPFilter = Option[uint32]{"ICMP_FILTER", number[uint32]{0, math.MaxUint32}}

	// LocalPortRange, IP_LOCAL_PORT_RANGE, narrows the range from which the
	// kernel chooses a port when none is asked for. Initially 0-0, the system's
	// range. Since Linux 6.3.
	LocalPortRange = Option[PortRange]{"IP_LOCAL_PORT_RANGE", portRangeValue{}}

	// MinTTL, IP_MINTTL, drops received packets with a lower TTL. Initially 0. See
	// RFC 5082.
	MinTTL = Option[int]{"IP_MINTTL", number[int]{0, 255}}

	// MTUDiscover, IP_MTU_DISCOVER, chooses how path MTU discovery works. Initially
	// MTUDiscoveryWant; MTUDiscoveryDont on raw sockets with HeaderInclude.
	MTUDiscover = Option[MTUDiscovery]{"IP_MTU_DISCOVER", number[MTUDiscovery]{0, int64(MTUDiscoveryOmit)}}

	// MulticastAll, IP_MULTICAST_ALL, delivers datagrams of any group that some
	// socket of the system joined, not only those joined by this socket.
	// Initially true, but false on IPv6 sockets.
	MulticastAll = Option[bool]{"IP_MULTICAST_ALL", boolValue{}}

	// MulticastInterface, IP_MULTICAST_IF, is an address of the interface through
	// which multicast datagrams leave. Initially 0.0.0.0, which leaves it to
	// routing. Datagram and raw sockets.
	MulticastInterface = Option[netip.Addr]{"IP_MULTICAST_IF", inet4Addr{}}

	// MulticastLoop, IP_MULTICAST_LOOP, delivers the multicast datagrams sent to
	// this system's own receivers as well. Initially true.
	MulticastLoop = Option[bool]{"IP_MULTICAST_LOOP", boolValue{}}

	// MulticastTTL, IP_MULTICAST_TTL, is the TTL of sent multicast datagrams, from
	// 0 to 255. Initially 1, which -1 restores. Datagram and raw sockets.
	MulticastTTL = Option[int]{"IP_MULTICAST_TTL", number[int]{-1, 255}}

	// OriginalDst, SO_ORIGINAL_DST, tells where the peer meant to connect before
	// netfilter redirected it here, by REDIRECT or DNAT. Without a redirection it
	// gives ENOENT or the local address, without netfilter errors.ErrUnsupported.
	// TCP and SCTP.
	OriginalDst = ReadOnlyOption[netip.AddrPort]{"SO_ORIGINAL_DST", addrPortValue{}}

	// PathMTU, IP_MTU, tells the known MTU of the path to the peer, in bytes.
	// Connected sockets, otherwise ENOTCONN.
	PathMTU = ReadOnlyOption[int]{"IP_MTU", number[int]{}}

	// ReceiveError, IP_RECVERR, queues errors such as ICMP messages for receiving
	// with MSG_ERRQUEUE, and reports them on unconnected sockets too. Initially
	// false.
	ReceiveError = Option[bool]{"IP_RECVERR", boolValue{}}

	// ReceiveOriginalDst, IP_RECVORIGDSTADDR, adds the destination before
	// redirection to received datagrams, as control data. Initially false. UDP
	// and raw sockets.
	ReceiveOriginalDst = Option[bool]{"IP_RECVORIGDSTADDR", boolValue{}}

	// ReceivePacketInfo, IP_PKTINFO, adds interface and destination address to
	// received datagrams, as control data. Initially false. UDP and raw sockets.
	ReceivePacketInfo = Option[bool]{"IP_PKTINFO", boolValue{}}

	// ReceiveTOS, IP_RECVTOS, adds the TOS byte to received datagrams, as control
	// data. Initially false. UDP and raw sockets.
	ReceiveTOS = Option[bool]{"IP_RECVTOS", boolValue{}}

	// ReceiveTTL, IP_RECVTTL, adds the TTL to received datagrams, as control data.
	// Initially false. UDP and raw sockets.
	ReceiveTTL = Option[bool]{"IP_RECVTTL", boolValue{}}

	// TOS, IP_TOS, is the type-of-service byte of sent packets: DSCP in the upper
	// six bits, ECN in the lower two, which TCP keeps for itself. Initially 0. It
	// sets Priority as well.
	TOS = Option[int]{"IP_TOS", number[int]{0, 255}}

	// Transparent, IP_TRANSPARENT, allows to bind and accept for any address, as a
	// transparent proxy. Initially false. Needs CAP_NET_ADMIN or CAP_NET_RAW.
	// See Documentation/networking/tproxy.rst in the kernel.
	Transparent = Option[bool]{"IP_TRANSPARENT", boolValue{}}

	// TTL, IP_TTL, is how many hops sent packets may travel, from 1 to 255.
	// Initially 64, which -1 restores.
	TTL = Option[int]{"IP_TTL", number[int]{-1, 255}}
)

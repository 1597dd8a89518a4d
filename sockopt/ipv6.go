package sockopt

import (
	"math"
	"net/netip"
)

// Options of IPv6, level IPPROTO_IPV6. A name ends in 6 where IPv4 has
// it without. Multipath TCP sockets have only Freebind6, Transparent6 and V6Only.
// See ipv6(7) and RFC 3542.
var (
	// DontFragment, IPV6_DONTFRAG, does not fragment sent datagrams: too large
	// ones are dropped, or give EMSGSIZE with ReceiveError6. Initially false. UDP
	// and raw sockets.
	DontFragment = Option[bool]{"IPV6_DONTFRAG", boolValue{}}

	// Freebind6, IPV6_FREEBIND, is the same flag as Freebind.
	Freebind6 = Option[bool]{"IPV6_FREEBIND", boolValue{}}

	// HeaderInclude6, IPV6_HDRINCL, makes the sender supply the IP header.
	// Initially false, true for protocol IPPROTO_RAW. Raw IPv6 sockets.
	HeaderInclude6 = Option[bool]{"IPV6_HDRINCL", boolValue{}}

	// MinHopCount, IPV6_MINHOPCOUNT, drops received packets with a lower hop limit.
	// Initially 0. See RFC 5082.
	MinHopCount = Option[int]{"IPV6_MINHOPCOUNT", number[int]{0, 255}}

	// MTUDiscover6, IPV6_MTU_DISCOVER, chooses how path MTU discovery works.
	// Initially MTUDiscoveryWant. No router fragments IPv6, whatever is chosen.
	MTUDiscover6 = Option[MTUDiscovery]{"IPV6_MTU_DISCOVER", number[MTUDiscovery]{0, int64(MTUDiscoveryOmit)}}

	// MulticastAll6, IPV6_MULTICAST_ALL, is like MulticastAll. Initially true.
	MulticastAll6 = Option[bool]{"IPV6_MULTICAST_ALL", boolValue{}}

	// MulticastHops, IPV6_MULTICAST_HOPS, is how many hops sent multicast
	// datagrams may travel, from 0 to 255. Initially 1, which -1 restores.
	// Datagram and raw sockets.
	MulticastHops = Option[int]{"IPV6_MULTICAST_HOPS", number[int]{-1, 255}}

	// MulticastInterface6, IPV6_MULTICAST_IF, is the index of the interface
	// through which multicast datagrams leave. Initially 0, which leaves it to
	// routing. Datagram and raw sockets.
	MulticastInterface6 = Option[int]{"IPV6_MULTICAST_IF", number[int]{0, math.MaxInt32}}

	// MulticastLoop6, IPV6_MULTICAST_LOOP, is like MulticastLoop. Initially true.
	MulticastLoop6 = Option[bool]{"IPV6_MULTICAST_LOOP", boolValue{}}

	// OriginalDst6, IP6T_SO_ORIGINAL_DST, is like OriginalDst.
	OriginalDst6 = ReadOnlyOption[netip.AddrPort]{"IP6T_SO_ORIGINAL_DST", addrPortValue{}}

	// PathMTU6, IPV6_MTU, is like PathMTU.
	PathMTU6 = ReadOnlyOption[int]{"IPV6_MTU", number[int]{}}

	// ReceiveError6, IPV6_RECVERR, is like ReceiveError. Initially false.
	ReceiveError6 = Option[bool]{"IPV6_RECVERR", boolValue{}}

	// ReceiveHopLimit, IPV6_RECVHOPLIMIT, adds the hop limit to received
	// datagrams, as control data. Initially false. UDP and raw sockets.
	ReceiveHopLimit = Option[bool]{"IPV6_RECVHOPLIMIT", boolValue{}}

	// ReceiveOriginalDst6, IPV6_RECVORIGDSTADDR, is like ReceiveOriginalDst.
	// Initially false.
	ReceiveOriginalDst6 = Option[bool]{"IPV6_RECVORIGDSTADDR", boolValue{}}

	// ReceivePacketInfo6, IPV6_RECVPKTINFO, is like ReceivePacketInfo, and covers
	// IPv4 peers too. Initially false.
	ReceivePacketInfo6 = Option[bool]{"IPV6_RECVPKTINFO", boolValue{}}

	// ReceiveTrafficClass, IPV6_RECVTCLASS, adds the traffic class to received
	// datagrams, as control data. Initially false. UDP and raw sockets.
	ReceiveTrafficClass = Option[bool]{"IPV6_RECVTCLASS", boolValue{}}

	// TrafficClass, IPV6_TCLASS, is the traffic class of sent packets: DSCP in the
	// upper six bits, ECN in the lower two, which TCP keeps for itself. Initially
	// 0, which -1 restores.
	TrafficClass = Option[int]{"IPV6_TCLASS", number[int]{-1, 255}}

	// Transparent6, IPV6_TRANSPARENT, is the same flag as Transparent.
	Transparent6 = Option[bool]{"IPV6_TRANSPARENT", boolValue{}}

	// UnicastHops, IPV6_UNICAST_HOPS, is how many hops sent packets may travel, from
	// 0 to 255. Initially 64, which -1 restores.
	UnicastHops = Option[int]{"IPV6_UNICAST_HOPS", number[int]{-1, 255}}

	// V6Only, IPV6_V6ONLY, keeps IPv4 peers away from the socket. To be set before
	// bind. Not raw sockets. Initially false; package net decides by network and address.
	V6Only = Option[bool]{"IPV6_V6ONLY", boolValue{}}
)

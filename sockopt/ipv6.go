package sockopt

import (
	"math"
	"net/netip"
)

// Options of IPv6, level IPPROTO_IPV6. A name ends in 6 if the IPv4 option has the same
// name. Multipath TCP sockets have only Freebind6, Transparent6 and V6Only. See ipv6(7)
// and RFC 3542.
var (
	// DontFragment, IPV6_DONTFRAG, turns off fragmentation of sent datagrams. Those that
	// are too large are dropped, or fail with EMSGSIZE if ReceiveError6 is on. Initially
	// false. UDP and raw sockets.
	DontFragment = Option[bool]{"IPV6_DONTFRAG", boolValue{}}

	// Freebind6, IPV6_FREEBIND, is the same flag as Freebind.
	Freebind6 = Option[bool]{"IPV6_FREEBIND", boolValue{}}

	// HeaderInclude6, IPV6_HDRINCL, means that the program supplies the IP header of sent
	// packets. Initially false, but true for protocol IPPROTO_RAW. Raw IPv6 sockets.
	HeaderInclude6 = Option[bool]{"IPV6_HDRINCL", boolValue{}}

	// MinHopCount, IPV6_MINHOPCOUNT, drops received packets with a lower hop limit.
	// Initially 0. See RFC 5082.
	MinHopCount = Option[int]{"IPV6_MINHOPCOUNT", number[int]{0, 255}}

	// MTUDiscover6, IPV6_MTU_DISCOVER, selects the mode of path MTU discovery. Initially
	// MTUDiscoveryWant. Routers never fragment IPv6 packets, whatever the mode.
	MTUDiscover6 = Option[MTUDiscovery]{"IPV6_MTU_DISCOVER", number[MTUDiscovery]{0, int64(MTUDiscoveryOmit)}}

	// MulticastAll6, IPV6_MULTICAST_ALL, is like MulticastAll, for IPv6 groups. Initially
	// true.
	MulticastAll6 = Option[bool]{"IPV6_MULTICAST_ALL", boolValue{}}

	// MulticastHops, IPV6_MULTICAST_HOPS, is the hop limit of sent multicast datagrams,
	// from 0 to 255. Initially 1; setting it to -1 restores that. Datagram and raw
	// sockets.
	MulticastHops = Option[int]{"IPV6_MULTICAST_HOPS", number[int]{-1, 255}}

	// MulticastInterface6, IPV6_MULTICAST_IF, is the index of the interface through which
	// multicast datagrams are sent. Initially 0: routing decides. Datagram and raw
	// sockets.
	MulticastInterface6 = Option[int]{"IPV6_MULTICAST_IF", number[int]{0, math.MaxInt32}}

	// MulticastLoop6, IPV6_MULTICAST_LOOP, is like MulticastLoop. Initially true.
	MulticastLoop6 = Option[bool]{"IPV6_MULTICAST_LOOP", boolValue{}}

	// OriginalDst6, IP6T_SO_ORIGINAL_DST, is like OriginalDst.
	OriginalDst6 = ReadOnlyOption[netip.AddrPort]{"IP6T_SO_ORIGINAL_DST", addrPortValue{}}

	// PathMTU6, IPV6_MTU, is like PathMTU.
	PathMTU6 = ReadOnlyOption[int]{"IPV6_MTU", number[int]{}}

	// ReceiveError6, IPV6_RECVERR, is like ReceiveError. Initially false.
	ReceiveError6 = Option[bool]{"IPV6_RECVERR", boolValue{}}

	// ReceiveHopLimit, IPV6_RECVHOPLIMIT, adds the hop limit to received datagrams, as
	// control data. Initially false. UDP and raw sockets.
	ReceiveHopLimit = Option[bool]{"IPV6_RECVHOPLIMIT", boolValue{}}

	// ReceiveOriginalDst6, IPV6_RECVORIGDSTADDR, is like ReceiveOriginalDst. Initially
	// false.
	ReceiveOriginalDst6 = Option[bool]{"IPV6_RECVORIGDSTADDR", boolValue{}}

	// ReceivePacketInfo6, IPV6_RECVPKTINFO, is like ReceivePacketInfo, and also applies to
	// datagrams from IPv4 peers. Initially false.
	ReceivePacketInfo6 = Option[bool]{"IPV6_RECVPKTINFO", boolValue{}}

	// ReceiveTrafficClass, IPV6_RECVTCLASS, adds the traffic class to received datagrams,
	// as control data. Initially false. UDP and raw sockets.
	ReceiveTrafficClass = Option[bool]{"IPV6_RECVTCLASS", boolValue{}}

	// TrafficClass, IPV6_TCLASS, is the traffic class of sent packets: DSCP in the upper
	// six bits and ECN in the lower two, which TCP sets itself. Initially 0; setting it to
	// -1 restores that.
	TrafficClass = Option[int]{"IPV6_TCLASS", number[int]{-1, 255}}

	// Transparent6, IPV6_TRANSPARENT, is the same flag as Transparent.
	Transparent6 = Option[bool]{"IPV6_TRANSPARENT", boolValue{}}

	// UnicastHops, IPV6_UNICAST_HOPS, is the hop limit of sent packets, from 0 to 255.
	// Initially 64; setting it to -1 restores that.
	UnicastHops = Option[int]{"IPV6_UNICAST_HOPS", number[int]{-1, 255}}

	// V6Only, IPV6_V6ONLY, restricts the socket to IPv6. It must be set before bind.
	// Initially false, but package net sets it depending on network and address. Not raw
	// sockets.
	V6Only = Option[bool]{"IPV6_V6ONLY", boolValue{}}
)

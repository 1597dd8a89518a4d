//go:build linux

package sockopt

import (
	"golang.org/x/sys/unix"
)

// ipv6Rows are the rows of TestOptions for ipv6.go, in its order.
func ipv6Rows() []optionRow {
	const inet6 = "tcp6 udp6 raw6"
	const datagram = "udp6 raw6"
	ip := func(opt, want int) rawValue { return rawInt(unix.IPPROTO_IPV6, opt, want) }
	return []optionRow{
		row(DontFragment, true, inet6, ip(unix.IPV6_DONTFRAG, 1)),
		row(Freebind6, true, inet6+" mptcp6", ip(unix.IPV6_FREEBIND, 1)),
		row(HeaderInclude6, true, "raw6", ip(unix.IPV6_HDRINCL, 1)),
		row(UnicastHops, 5, inet6, ip(unix.IPV6_UNICAST_HOPS, 5)),
		row(MinHopCount, 200, inet6, ip(unix.IPV6_MINHOPCOUNT, 200)),
		row(MTUDiscover6, MTUDiscoveryProbe, inet6, ip(unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)),
		row(MulticastAll6, false, inet6, ip(unix.IPV6_MULTICAST_ALL, 0)),
		row(MulticastHops, 32, datagram, ip(unix.IPV6_MULTICAST_HOPS, 32)),
		row(MulticastInterface6, 1, datagram, ip(unix.IPV6_MULTICAST_IF, 1)),
		row(MulticastLoop6, false, inet6, ip(unix.IPV6_MULTICAST_LOOP, 0)),
		rowOf(OriginalDst6, "tcp6", testOriginalDst),
		rowOf(PathMTU6, "tcp6 udp6", testPathMTU),
		row(ReceiveError6, true, inet6, ip(unix.IPV6_RECVERR, 1)),
		row(ReceiveHopLimit, true, inet6, ip(unix.IPV6_RECVHOPLIMIT, 1)),
		row(ReceiveOriginalDst6, true, inet6, ip(unix.IPV6_RECVORIGDSTADDR, 1)),
		row(ReceivePacketInfo6, true, inet6, ip(unix.IPV6_RECVPKTINFO, 1)),
		row(ReceiveTrafficClass, true, inet6, ip(unix.IPV6_RECVTCLASS, 1)),
		row(TrafficClass, 0x28, inet6, ip(unix.IPV6_TCLASS, 0x28)),
		row(Transparent6, true, inet6+" mptcp6", ip(unix.IPV6_TRANSPARENT, 1)),
		row(V6Only, true, "tcp6 mptcp6 udp6", ip(unix.IPV6_V6ONLY, 1)),
	}
}

//go:build linux

package sockopt

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// The rows of TestOptions, in the order of the tables in this package.

func socketRows() []optionRow {
	so := func(opt, want int) rawValue { return rawInt(unix.SOL_SOCKET, opt, want) }
	return []optionRow{
		rowOf(AcceptConn, "tcp4 tcp6 mptcp4 mptcp6 unix unixpacket", testAcceptConn),
		rowTry(AttachFilter, dropAll, notMPTCP, testAttachFilter),
		rowTry(AttachReusePortCBPF, dropAll, "udp4 udp6", testAttachReusePortCBPF),
		row(BindToDevice, "lo", allKinds, rawString(unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo")),
		row(BindToIfIndex, 1, allKinds, so(unix.SO_BINDTOIFINDEX, 1)),
		row(Broadcast, true, notMPTCP, so(unix.SO_BROADCAST, 1)),
		row(BusyPoll, 50*time.Microsecond, allKinds, so(unix.SO_BUSY_POLL, 50)),
		row(DontRoute, true, notMPTCP, so(unix.SO_DONTROUTE, 1)),
		rowOf(Cookie, allKinds, testCookie),
		row(Debug, true, allKinds, so(unix.SO_DEBUG, 1)),
		row(IncomingCPU, 0, allKinds, so(unix.SO_INCOMING_CPU, 0)),
		rowRead(IncomingNAPIID, allKinds, readInt(unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID)),
		row(KeepAlive, true, allKinds, so(unix.SO_KEEPALIVE, 1)),
		row(Linger, LingerConfig{Enable: true, Timeout: 7 * time.Second}, allKinds, rawValue{
			func(fd int) (any, error) { return unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER) },
			&unix.Linger{Onoff: 1, Linger: 7},
		}),
		rowForgetful(LockFilter, true, true, notMPTCP, so(unix.SO_LOCK_FILTER, 1)),
		row(Mark, 0x80000001, allKinds, rawValue{
			func(fd int) (any, error) {
				v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK)
				return uint32(v), err
			},
			uint32(0x80000001),
		}),
		row(MaxPacingRate, 1_000_000, notMPTCP, rawUint64(unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, 1_000_000)),
		rowOf(NetNSCookie, inetKinds+" "+unixKinds, testNetNSCookie),
		row(NoCheck, true, notMPTCP, so(unix.SO_NO_CHECK, 1)),
		row(OOBInline, true, notMPTCP, so(unix.SO_OOBINLINE, 1)),
		row(PassCred, true, unixKinds, so(unix.SO_PASSCRED, 1)),
		row(PassPIDFD, true, unixKinds, so(unix.SO_PASSPIDFD, 1)),
		row(PassRights, false, unixKinds, so(unix.SO_PASSRIGHTS, 0)),
		row(PassSecurity, true, unixKinds, so(unix.SO_PASSSEC, 1)),
		row(PeekOffset, 5, "tcp4 tcp6 udp4 udp6 "+unixKinds, so(unix.SO_PEEK_OFF, 5)),
		rowOf(PeerCred, unixKinds, testPeerCred),
		rowOf(PeerGroups, unixKinds, testPeerGroups),
		rowOf(PeerPIDFD, unixKinds, testPeerPIDFD),
		rowOf(PeerSecurity, "unix", testPeerSecurity),
		row(PreferBusyPoll, true, allKinds, so(unix.SO_PREFER_BUSY_POLL, 1)),
		row(Priority, 6, allKinds, so(unix.SO_PRIORITY, 6)),
		rowForgetful(ReceiveBuffer, 20000, 40000, allKinds, so(unix.SO_RCVBUF, 40000)),
		rowForgetful(ReceiveBufferForce, 30000, 60000, allKinds, so(unix.SO_RCVBUF, 60000)),
		row(ReceiveLowWater, 100, allKinds, so(unix.SO_RCVLOWAT, 100)),
		row(ReceiveQueueOverflow, true, notMPTCP, so(unix.SO_RXQ_OVFL, 1)),
		row(ReceiveTimeout, 2*time.Second, allKinds, rawTimeval(unix.SO_RCVTIMEO, 2*time.Second)),
		row(ReuseAddr, true, "tcp4 tcp6 mptcp4 mptcp6 udp4 udp6 "+unixKinds, so(unix.SO_REUSEADDR, 1)),
		row(ReusePort, true, inetKinds, so(unix.SO_REUSEPORT, 1)),
		rowForgetful(SendBuffer, 20000, 40000, allKinds, so(unix.SO_SNDBUF, 40000)),
		rowForgetful(SendBufferForce, 30000, 60000, allKinds, so(unix.SO_SNDBUF, 60000)),
		{name: SendLowWater.String(), kinds: allKinds, setting: SendLowWater.With(2), check: testSendLowWater},
		row(SendTimeout, 2*time.Second, allKinds, rawTimeval(unix.SO_SNDTIMEO, 2*time.Second)),
		rowRead(SocketDomain, allKinds, readInt(unix.SOL_SOCKET, unix.SO_DOMAIN)),
		rowOf(SocketError, "udp4", testSocketError),
		rowRead(SocketProtocol, allKinds, readInt(unix.SOL_SOCKET, unix.SO_PROTOCOL)),
		rowRead(SocketType, allKinds, readInt(unix.SOL_SOCKET, unix.SO_TYPE)),
		row(Timestamp, true, allKinds, so(unix.SO_TIMESTAMP, 1)),
		row(Timestamping, TimestampRxSoftware|TimestampSoftware, allKinds,
			so(unix.SO_TIMESTAMPING, unix.SOF_TIMESTAMPING_RX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE)),
		row(TimestampNS, true, allKinds, so(unix.SO_TIMESTAMPNS, 1)),
		row(TxTime, TxTimeConfig{Clock: unix.CLOCK_MONOTONIC, Errors: true}, notMPTCP, so(unix.SO_TXTIME, unix.CLOCK_MONOTONIC)),
		row(ZeroCopy, true, "tcp4 tcp6 udp4 udp6", so(unix.SO_ZEROCOPY, 1)),
	}
}

func ipRows() []optionRow {
	const inet4 = "tcp4 tcp6 udp4 udp6 raw4"
	const mptcp = " mptcp4 mptcp6"
	const datagram = "udp4 udp6 raw4"
	ip := func(opt, want int) rawValue { return rawInt(unix.IPPROTO_IP, opt, want) }
	return []optionRow{
		row(BindAddressNoPort, true, inet4+mptcp, ip(unix.IP_BIND_ADDRESS_NO_PORT, 1)),
		row(Freebind, true, inet4+mptcp, ip(unix.IP_FREEBIND, 1)),
		row(HeaderInclude, true, "raw4", ip(unix.IP_HDRINCL, 1)),
		row(ICMPFilter, 1<<8|1, "raw4", rawInt(unix.SOL_RAW, unix.ICMP_FILTER, 1<<8|1)),
		row(LocalPortRange, PortRange{20000, 20999}, inet4+mptcp, ip(unix.IP_LOCAL_PORT_RANGE, 20999<<16|20000)),
		row(MinTTL, 200, inet4, ip(unix.IP_MINTTL, 200)),
		row(MTUDiscover, MTUDiscoveryDo, inet4, ip(unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)),
		row(MulticastAll, false, "tcp4 udp4 raw4", ip(unix.IP_MULTICAST_ALL, 0)),
		row(MulticastInterface, netip.MustParseAddr("127.0.0.1"), datagram, rawValue{
			func(fd int) (any, error) {
				return unix.GetsockoptInet4Addr(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF)
			},
			[4]byte{127, 0, 0, 1},
		}),
		row(MulticastLoop, false, inet4, ip(unix.IP_MULTICAST_LOOP, 0)),
		row(MulticastTTL, 32, datagram, ip(unix.IP_MULTICAST_TTL, 32)),
		rowOf(OriginalDst, "tcp4", testOriginalDst),
		rowOf(PathMTU, "tcp4 udp4", testPathMTU),
		row(ReceiveError, true, inet4, ip(unix.IP_RECVERR, 1)),
		row(ReceiveOriginalDst, true, inet4, ip(unix.IP_RECVORIGDSTADDR, 1)),
		row(ReceivePacketInfo, true, inet4, ip(unix.IP_PKTINFO, 1)),
		row(ReceiveTOS, true, inet4, ip(unix.IP_RECVTOS, 1)),
		row(ReceiveTTL, true, inet4, ip(unix.IP_RECVTTL, 1)),
		row(TOS, 0x28, inet4+mptcp, ip(unix.IP_TOS, 0x28)),
		row(TTL, 5, inet4, ip(unix.IP_TTL, 5)),
		row(Transparent, true, inet4+mptcp, ip(unix.IP_TRANSPARENT, 1)),
	}
}

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

func tcpRows() []optionRow {
	const tcp = "tcp4 tcp6"
	const anyTCP = tcp + " mptcp4 mptcp6"
	raw := func(opt, want int) rawValue { return rawInt(unix.IPPROTO_TCP, opt, want) }
	return []optionRow{
		row(Congestion, otherCongestion(), anyTCP, rawString(unix.IPPROTO_TCP, unix.TCP_CONGESTION, otherCongestion())),
		rowOf(ConnectionInfo, anyTCP, testConnectionInfo),
		row(Cork, true, anyTCP, raw(unix.TCP_CORK, 1)),
		row(DeferAccept, 3*time.Second, anyTCP, raw(unix.TCP_DEFER_ACCEPT, 3)),
		row(FastOpen, 5, anyTCP, raw(unix.TCP_FASTOPEN, 5)),
		row(FastOpenConnect, true, anyTCP, raw(unix.TCP_FASTOPEN_CONNECT, 1)),
		row(KeepCount, 3, anyTCP, raw(unix.TCP_KEEPCNT, 3)),
		row(KeepIdle, 30*time.Second, anyTCP, raw(unix.TCP_KEEPIDLE, 30)),
		row(KeepInterval, 20*time.Second, anyTCP, raw(unix.TCP_KEEPINTVL, 20)),
		row(Linger2, 10*time.Second, tcp, raw(unix.TCP_LINGER2, 10)),
		row(MaxSegment, 1000, anyTCP, raw(unix.TCP_MAXSEG, 1000)),
		rowTry(MD5Sig, MD5Signature{Peer: netip.MustParsePrefix("127.0.0.1/32"), Key: []byte("key")}, tcp, testMD5Sig),
		row(NoDelay, true, anyTCP, raw(unix.TCP_NODELAY, 1)),
		row(NotSentLowWater, 4096, anyTCP, raw(unix.TCP_NOTSENT_LOWAT, 4096)),
		row(QuickAck, false, tcp, raw(unix.TCP_QUICKACK, 0)),
		row(SYNCount, 3, tcp, raw(unix.TCP_SYNCNT, 3)),
		row(SaveSYN, true, tcp, raw(unix.TCP_SAVE_SYN, 1)),
		rowOf(SavedSYN, tcp, testSavedSYN),
		row(ThinLinearTimeouts, true, tcp, raw(unix.TCP_THIN_LINEAR_TIMEOUTS, 1)),
		rowTry(ULP, "tls", tcp, testULP),
		row(UserTimeout, 1500*time.Millisecond, tcp, raw(unix.TCP_USER_TIMEOUT, 1500)),
		row(WindowClamp, 65536, tcp, raw(unix.TCP_WINDOW_CLAMP, 65536)),

		row(UDPCork, true, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_CORK, 1)),
		row(UDPGRO, true, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_GRO, 1)),
		row(UDPSegment, 1000, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_SEGMENT, 1000)),
	}
}

func multicastRows() []optionRow {
	m := Membership{Group: netip.MustParseAddr("239.1.2.3"), Interface: 1}
	ms := m
	ms.Source = netip.MustParseAddr("127.0.0.1")
	const datagram = "udp4 udp6 raw4"
	return []optionRow{
		rowTry(BlockSource, ms, datagram, testSources),
		rowTry(JoinGroup, m, datagram, testGroups),
		rowTry(JoinSourceGroup, ms, datagram, testSources),
		rowTry(LeaveGroup, m, datagram, testGroups),
		rowTry(LeaveSourceGroup, ms, datagram, testSources),
		rowTry(UnblockSource, ms, datagram, testSources),
	}
}

func netlinkRows() []optionRow {
	flag := func(o Option[bool], opt int) optionRow {
		return row(o, true, "netlink", rawInt(unix.SOL_NETLINK, opt, 1))
	}
	return []optionRow{
		rowTry(NetlinkAddMembership, 1, "netlink", testNetlinkMembership),
		flag(NetlinkBroadcastError, unix.NETLINK_BROADCAST_ERROR),
		flag(NetlinkCapAck, unix.NETLINK_CAP_ACK),
		rowTry(NetlinkDropMembership, 1, "netlink", testNetlinkMembership),
		flag(NetlinkExtAck, unix.NETLINK_EXT_ACK),
		flag(NetlinkGetStrictChk, unix.NETLINK_GET_STRICT_CHK),
		rowOf(NetlinkListMemberships, "netlink", testNetlinkMembership),
		flag(NetlinkNoENOBUFS, unix.NETLINK_NO_ENOBUFS),
	}
}

func packetRows() []optionRow {
	promiscuous := PacketMembership{Interface: 1, Type: PacketPromiscuous}
	return []optionRow{
		rowTry(PacketAddMembership, promiscuous, "packet", testPacketMembership),
		rowTry(PacketDropMembership, promiscuous, "packet", testPacketMembership),
		rowTry(PacketFanout, PacketFanoutConfig{Group: 7}, "packet", testPacketFanout),
		row(PacketIgnoreOutgoing, true, "packet", rawInt(unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)),
		rowOf(PacketStatistics, "packet", testPacketStatistics),
	}
}

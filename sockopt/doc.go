// Package sockopt holds the options of sockets, each with the type of its value.
//
//	err := sockopt.UserTimeout.Set(conn, 30*time.Second)
//	info, err := sockopt.ConnectionInfo.Get(conn)
//
// An option works on every [syscall.Conn]: connections and listeners of package net, of
// package sockets and of others, and an [os.File]. To set one before a socket is bound or
// connected, put a [Setting] in the Options of a sockets.Dialer or sockets.ListenConfig,
// or apply it in the Control function of package net:
//
//	lc := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
//		return sockopt.ReusePort.With(true).Apply(c)
//	}}
//
// An option is an [Option], a [ReadOnlyOption] or a [WriteOnlyOption]. It has the name
// that the kernel gives it, as Go spells it; a name ends in 6 where the option of IPv6 has
// the name of the one of IPv4. For an option that is not listed, [Int], [Bool], [String],
// [Bytes] and [Struct] make one from its number.
//
// # Errors
//
// Errors are of type [*Error], which names the option and the socket. A value that cannot
// be is a [*ValueError] inside, found before the system call. An option that the system or
// the socket lacks matches errors.ErrUnsupported.
//
// # The options by level and purpose
//
// Any socket (SO_):
//
//   - starting and naming: [ReuseAddr], [ReusePort], [AttachReusePortCBPF],
//     [BindToDevice], [BindToIfIndex], [Broadcast], [DontRoute]
//   - buffers and limits: [ReceiveBuffer], [ReceiveBufferForce], [ReceiveLowWater],
//     [SendBuffer], [SendBufferForce], [SendLowWater], [MaxPacingRate],
//     [ReceiveTimeout], [SendTimeout]
//   - closing and keeping alive: [KeepAlive], [Linger]
//   - priority, marks and filters: [Priority], [Mark], [AttachFilter], [LockFilter]
//   - what comes with received data: [OOBInline], [PeekOffset],
//     [ReceiveQueueOverflow], [Timestamp], [TimestampNS], [Timestamping]
//   - sending: [TxTime], [ZeroCopy], [NoCheck]
//   - processors and devices: [BusyPoll], [PreferBusyPoll], [IncomingCPU],
//     [IncomingNAPIID]
//   - unix sockets: the peer and what it passes: [PeerCred], [PeerGroups],
//     [PeerPIDFD], [PeerSecurity], [PassCred], [PassPIDFD], [PassRights],
//     [PassSecurity]
//   - what the socket is: [AcceptConn], [SocketDomain], [SocketError],
//     [SocketProtocol], [SocketType], [Cookie], [NetNSCookie], [Debug]
//
// IPv4 (IP_):
//
//   - sending: [TOS], [TTL], [HeaderInclude], [MTUDiscover], [PathMTU]
//   - what comes with received data: [ReceiveTOS], [ReceiveTTL], [ReceivePacketInfo],
//     [ReceiveOriginalDst], [ReceiveError]
//   - addresses and ports: [BindAddressNoPort], [Freebind], [LocalPortRange],
//     [Transparent], [OriginalDst]
//   - filters: [MinTTL], [ICMPFilter]
//   - multicast: [MulticastAll], [MulticastInterface], [MulticastLoop], [MulticastTTL]
//
// IPv6 (IPV6_):
//
//   - sending: [TrafficClass], [UnicastHops], [HeaderInclude6], [DontFragment],
//     [MTUDiscover6], [PathMTU6]
//   - what comes with received data: [ReceiveTrafficClass], [ReceiveHopLimit],
//     [ReceivePacketInfo6], [ReceiveOriginalDst6], [ReceiveError6]
//   - addresses: [V6Only], [Freebind6], [Transparent6], [OriginalDst6]
//   - filters: [MinHopCount]
//   - multicast: [MulticastAll6], [MulticastHops], [MulticastInterface6],
//     [MulticastLoop6]
//
// Multicast groups of both (MCAST_):
//
//   - membership: [JoinGroup], [JoinSourceGroup], [LeaveGroup], [LeaveSourceGroup],
//     [BlockSource], [UnblockSource]
//
// TCP (TCP_):
//
//   - delay and segments: [NoDelay], [Cork], [QuickAck], [MaxSegment],
//     [NotSentLowWater], [WindowClamp]
//   - keeping alive and giving up: [KeepIdle], [KeepInterval], [KeepCount],
//     [UserTimeout], [Linger2], [SYNCount], [ThinLinearTimeouts]
//   - starting: [FastOpen], [FastOpenConnect], [DeferAccept], [SaveSYN], [SavedSYN]
//   - congestion, keys and layers: [Congestion], [MD5Sig], [ULP]
//   - what the connection is doing: [ConnectionInfo]
//
// UDP (UDP_):
//
//   - segmentation: [UDPSegment], [UDPGRO], [UDPCork]
//
// Netlink and packet sockets (NETLINK_, PACKET_):
//
//   - netlink: [NetlinkAddMembership], [NetlinkDropMembership],
//     [NetlinkListMemberships], [NetlinkBroadcastError], [NetlinkNoENOBUFS],
//     [NetlinkCapAck], [NetlinkExtAck], [NetlinkGetStrictChk]
//   - packet: [PacketAddMembership], [PacketDropMembership], [PacketFanout],
//     [PacketIgnoreOutgoing], [PacketStatistics]
package sockopt

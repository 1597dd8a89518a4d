// Package sockopt provides typed socket options.
//
//	err := sockopt.UserTimeout.Set(conn, 30*time.Second)
//	info, err := sockopt.ConnectionInfo.Get(conn)
//
// Options work on any [syscall.Conn]: connections and listeners of package net, of
// package sockets and of others, and an [os.File]. To set an option before a socket is
// bound or connected, put a [Setting] in the Options of a [sockets.Dialer] or
// [sockets.ListenConfig], or apply it in the Control function of a [net.Dialer] or
// [net.ListenConfig]:
//
//	lc := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
//		return sockopt.ReusePort.With(true).Apply(c)
//	}}
//
// Each option is an [Option], a [ReadOnlyOption] or a [WriteOnlyOption]. Its name is
// the kernel's, spelled as a Go name; it ends in 6 if the IPv4 option has the same
// name. For an option that is not listed here, [Int], [Bool], [String], [Bytes] and
// [Struct] make one from its level and number.
//
// # Errors
//
// Get and Set return a [*net.OpError] that wraps an [*Error], and [Setting.Apply]
// returns the [*Error] itself, which names the option and the kind of socket. If an
// option cannot have a value, it wraps a [*ValueError], and the system is not called. If
// the system or the socket does not have the option, the error matches
// [errors.ErrUnsupported].
//
// # Options by level and purpose
//
// Any socket (SO_):
//
//   - binding to addresses and interfaces: [ReuseAddr], [ReusePort],
//     [AttachReusePortCBPF], [BindToDevice], [BindToIfIndex], [Broadcast], [DontRoute]
//   - buffer sizes, rates and time limits: [ReceiveBuffer], [ReceiveBufferForce],
//     [ReceiveLowWater], [SendBuffer], [SendBufferForce], [SendLowWater],
//     [MaxPacingRate], [ReceiveTimeout], [SendTimeout]
//   - closing, and detecting that a peer is gone: [KeepAlive], [Linger]
//   - routing, priority and packet filters: [Priority], [Mark], [AttachFilter],
//     [LockFilter]
//   - urgent data, peeking, timestamps and drop counts: [OOBInline], [PeekOffset],
//     [ReceiveQueueOverflow], [Timestamp], [TimestampNS], [Timestamping]
//   - sending at a given time, without copies or checksums: [TxTime], [ZeroCopy],
//     [NoCheck]
//   - CPUs and device queues: [BusyPoll], [PreferBusyPoll], [IncomingCPU],
//     [IncomingNAPIID]
//   - who is at the other end of a unix socket, and what it may pass: [PeerCred],
//     [PeerGroups], [PeerPIDFD], [PeerSecurity], [PassCred], [PassPIDFD], [PassRights],
//     [PassSecurity]
//   - what kind of socket it is, and its pending error: [AcceptConn], [SocketDomain],
//     [SocketError], [SocketProtocol], [SocketType], [Cookie], [NetNSCookie], [Debug]
//
// IPv4 (IP_):
//
//   - header fields and size of sent packets: [TOS], [TTL], [HeaderInclude],
//     [MTUDiscover], [PathMTU]
//   - control data of received datagrams, and ICMP errors: [ReceiveTOS], [ReceiveTTL],
//     [ReceivePacketInfo], [ReceiveOriginalDst], [ReceiveError]
//   - binding, port choice and transparent proxies: [BindAddressNoPort], [Freebind],
//     [LocalPortRange], [Transparent], [OriginalDst]
//   - dropping received packets: [MinTTL], [ICMPFilter]
//   - multicast: [MulticastAll], [MulticastInterface], [MulticastLoop], [MulticastTTL]
//
// IPv6 (IPV6_):
//
//   - header fields and size of sent packets: [TrafficClass], [UnicastHops],
//     [HeaderInclude6], [DontFragment], [MTUDiscover6], [PathMTU6]
//   - control data of received datagrams, and ICMP errors: [ReceiveTrafficClass],
//     [ReceiveHopLimit], [ReceivePacketInfo6], [ReceiveOriginalDst6], [ReceiveError6]
//   - binding and transparent proxies: [V6Only], [Freebind6], [Transparent6],
//     [OriginalDst6]
//   - dropping received packets: [MinHopCount]
//   - multicast: [MulticastAll6], [MulticastHops], [MulticastInterface6],
//     [MulticastLoop6]
//
// Multicast groups, IPv4 and IPv6 (MCAST_):
//
//   - joining, leaving and choosing sources: [JoinGroup], [JoinSourceGroup],
//     [LeaveGroup], [LeaveSourceGroup], [BlockSource], [UnblockSource]
//
// TCP (TCP_):
//
//   - when data is sent, and in which sizes: [NoDelay], [Cork], [QuickAck],
//     [MaxSegment], [NotSentLowWater], [WindowClamp]
//   - when a connection is given up: [KeepIdle], [KeepInterval], [KeepCount],
//     [UserTimeout], [Linger2], [SYNCount], [ThinLinearTimeouts]
//   - how a connection is established: [FastOpen], [FastOpenConnect], [DeferAccept],
//     [SaveSYN], [SavedSYN]
//   - congestion control, signatures and upper-layer protocols: [Congestion], [MD5Sig],
//     [ULP]
//   - state and statistics of the connection: [ConnectionInfo]
//
// UDP (UDP_):
//
//   - splitting, merging and gathering datagrams: [UDPSegment], [UDPGRO], [UDPCork]
//
// Netlink and packet sockets (NETLINK_, PACKET_):
//
//   - netlink groups, replies and losses: [NetlinkAddMembership],
//     [NetlinkDropMembership], [NetlinkListMemberships], [NetlinkBroadcastError],
//     [NetlinkNoENOBUFS], [NetlinkCapAck], [NetlinkExtAck], [NetlinkGetStrictChk]
//   - which packets to receive, and how to share them: [PacketAddMembership],
//     [PacketDropMembership], [PacketFanout], [PacketIgnoreOutgoing],
//     [PacketStatistics]
//
// [sockets.Dialer]: https://pkg.go.dev/github.com/iolib-go/sockets#Dialer
// [sockets.ListenConfig]: https://pkg.go.dev/github.com/iolib-go/sockets#ListenConfig
package sockopt

package sockopt

import (
	"math"
	"os"
	"time"

	"golang.org/x/net/bpf"
)

// LingerConfig is the value of [Linger].
type LingerConfig struct {
	// Enable makes Close wait until sent data has been acknowledged, and discard the rest
	// after Timeout.
	Enable bool

	// Timeout is how long Close waits, rounded up to whole seconds. Zero means that Close
	// does not wait: it resets a TCP connection and discards its unsent data. Without
	// Enable it has no meaning, and Get reports zero. A negative value is an error.
	Timeout time.Duration
}

// String returns "off" or the timeout.
func (l LingerConfig) String() string {
	if !l.Enable {
		return "off"
	}
	return l.Timeout.String()
}

// TimestampingFlags is the value of [Timestamping].
type TimestampingFlags uint32

// Flags for which timestamps to take and how to report them. The values are those of
// SOF_TIMESTAMPING_ in Linux.
const (
	TimestampTxHardware  TimestampingFlags = 1 << iota // when the device sent a packet
	TimestampTxSoftware                                // when the driver got a packet to send
	TimestampRxHardware                                // when the device received a packet
	TimestampRxSoftware                                // when the kernel received a packet
	TimestampSoftware                                  // report software timestamps
	TimestampSysHardware                               // obsolete, has no effect
	TimestampRawHardware                               // report hardware timestamps
	TimestampOptID                                     // number sent packets
	TimestampTxSched                                   // when a packet entered the packet scheduler
	TimestampTxAck                                     // when the peer acknowledged the data, TCP
	TimestampOptCmsg                                   // IP control data with timestamps of sent packets
	TimestampOptTSOnly                                 // report timestamps without the sent packets
	TimestampOptStats                                  // report TCP statistics with the timestamp, TCP
	TimestampOptPktInfo                                // report interface and length of received packets
	TimestampOptTxSwHw                                 // report software and hardware timestamps of a sent packet
	TimestampBindPHC                                   // use the clock of a given device
	TimestampOptIDTCP                                  // number from the last byte written, TCP
	TimestampOptRxFilter                               // report only received timestamps that this socket asked for
)

// TxTimeConfig is the value of [TxTime].
type TxTimeConfig struct {
	// Clock is the clock of the times: CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1, CLOCK_TAI
	// = 11.
	Clock int

	// Deadline allows sending a packet earlier than its time.
	Deadline bool

	// Errors reports packets that were dropped because of their time through the error
	// queue.
	Errors bool
}

// Ucred is the credentials of a process as its peer on a unix socket sees them. See
// SCM_CREDENTIALS in unix(7).
type Ucred struct {
	PID int // zero if the process is not visible from the caller's PID namespace
	UID uint32
	GID uint32
}

// Options of any socket, level SOL_SOCKET. Multipath TCP sockets refuse LockFilter,
// MaxPacingRate, OOBInline, PassRights, PeekOffset and ZeroCopy, and accept Broadcast,
// DontRoute, NoCheck, ReceiveQueueOverflow, PassCred, PassPIDFD and PassSecurity
// without any effect. See socket(7) unless another source is given.
var (
	// AcceptConn, SO_ACCEPTCONN, is whether the socket listens.
	AcceptConn = ReadOnlyOption[bool]{"SO_ACCEPTCONN", boolValue{}}

	// AttachFilter, SO_ATTACH_FILTER, filters received packets with a classic BPF program,
	// which returns how many bytes of a packet to keep. Initially there is none; setting
	// an empty program removes it, SO_DETACH_FILTER. At most 4096 instructions.
	AttachFilter = Option[[]bpf.RawInstruction]{"SO_ATTACH_FILTER", program{}}

	// AttachReusePortCBPF, SO_ATTACH_REUSEPORT_CBPF, is a classic BPF program that chooses
	// which socket of a ReusePort group receives a connection or datagram. It returns the
	// number of the socket, counted from 0 in the order of bind or listen. It applies to
	// the whole group. An empty program removes it. TCP and UDP sockets.
	AttachReusePortCBPF = WriteOnlyOption[[]bpf.RawInstruction]{"SO_ATTACH_REUSEPORT_CBPF", program{}}

	// BindToDevice, SO_BINDTODEVICE, binds the socket to the network interface with that
	// name: the socket receives and sends packets only there. At most 15 bytes. Initially
	// "": no interface. Changing it once it is set requires CAP_NET_RAW. IP sockets;
	// others ignore it.
	BindToDevice = Option[string]{"SO_BINDTODEVICE", text{15}}

	// BindToIfIndex, SO_BINDTOIFINDEX, is like BindToDevice, but takes an interface index.
	// Initially 0: no interface.
	BindToIfIndex = Option[int]{"SO_BINDTOIFINDEX", number[int]{0, math.MaxInt32}}

	// Broadcast, SO_BROADCAST, allows sending datagrams to broadcast addresses. Initially
	// false, but package net turns it on for every UDP and raw socket. Stream sockets
	// ignore it.
	Broadcast = Option[bool]{"SO_BROADCAST", boolValue{}}

	// BusyPoll, SO_BUSY_POLL, is how long a blocking receive polls the network device's
	// queue, with a resolution of one microsecond. Initially 0: not at all. Raising it
	// requires CAP_NET_ADMIN.
	BusyPoll = Option[time.Duration]{"SO_BUSY_POLL", duration{unit: time.Microsecond}}

	// Cookie, SO_COOKIE, identifies the socket within its network namespace until the
	// system restarts. It is never 0.
	Cookie = ReadOnlyOption[uint64]{"SO_COOKIE", wide{}}

	// Debug, SO_DEBUG, turns on socket debugging in the kernel. Initially false. Requires
	// CAP_NET_ADMIN.
	Debug = Option[bool]{"SO_DEBUG", boolValue{}}

	// DontRoute, SO_DONTROUTE, sends only to directly connected hosts, not through
	// gateways. Initially false. The flag MSG_DONTROUTE does this for one send.
	DontRoute = Option[bool]{"SO_DONTROUTE", boolValue{}}

	// IncomingCPU, SO_INCOMING_CPU, is the CPU that last processed a packet for the
	// socket, or -1 if none has. Setting it makes a listener, or one of several UDP
	// sockets with ReusePort, prefer packets that are processed on that CPU. IP sockets.
	IncomingCPU = Option[int]{"SO_INCOMING_CPU", number[int]{-1, math.MaxInt32}}

	// IncomingNAPIID, SO_INCOMING_NAPI_ID, identifies the device queue on which the last
	// packet arrived. It is 0 if none has, or if the device has no such queues.
	IncomingNAPIID = ReadOnlyOption[int]{"SO_INCOMING_NAPI_ID", number[int]{}}

	// KeepAlive, SO_KEEPALIVE, sends probes on an idle connection to detect that the peer
	// is gone. Initially false, but package net turns it on for TCP. KeepIdle,
	// KeepInterval and KeepCount configure the probes. Sockets other than TCP ignore it.
	KeepAlive = Option[bool]{"SO_KEEPALIVE", boolValue{}}

	// Linger, SO_LINGER, makes Close wait until sent data has been acknowledged, even on
	// non-blocking sockets. Initially off: the kernel sends the data in the background.
	// Stream sockets.
	Linger = Option[LingerConfig]{"SO_LINGER", lingerValue{}}

	// LockFilter, SO_LOCK_FILTER, prevents changes to the socket's BPF filter. Initially
	// false. It cannot be turned off again: Set then fails with EPERM.
	LockFilter = Option[bool]{"SO_LOCK_FILTER", boolValue{}}

	// Mark, SO_MARK, labels the socket's packets for routing and packet filters. Initially
	// 0. Requires CAP_NET_ADMIN or CAP_NET_RAW.
	Mark = Option[uint32]{"SO_MARK", number[uint32]{0, math.MaxUint32}}

	// MaxPacingRate, SO_MAX_PACING_RATE, limits the rate at which the socket sends, in
	// bytes per second. Initially the largest uint64: no limit. TCP enforces it itself;
	// for UDP the interface needs the fq queueing discipline. See tc-fq(8).
	MaxPacingRate = Option[uint64]{"SO_MAX_PACING_RATE", rate{}}

	// NetNSCookie, SO_NETNS_COOKIE, identifies the socket's network namespace until the
	// system restarts. Since Linux 5.14.
	NetNSCookie = ReadOnlyOption[uint64]{"SO_NETNS_COOKIE", wide{}}

	// NoCheck, SO_NO_CHECK, sends UDP datagrams over IPv4 without checksums. Initially
	// false. It cannot be combined with UDPSegment.
	NoCheck = Option[bool]{"SO_NO_CHECK", boolValue{}}

	// OOBInline, SO_OOBINLINE, leaves out-of-band data in the stream. Initially false: it
	// is received with MSG_OOB. TCP and unix stream sockets.
	OOBInline = Option[bool]{"SO_OOBINLINE", boolValue{}}

	// PassCred, SO_PASSCRED, adds the sender's credentials to every received message, as
	// control data of type SCM_CREDENTIALS. Package sockets reads them with
	// UnixConn.ReceiveCred. Initially false. Unix and netlink sockets. See unix(7).
	PassCred = Option[bool]{"SO_PASSCRED", boolValue{}}

	// PassPIDFD, SO_PASSPIDFD, adds a pidfd of the sender to every received message, as
	// control data of type SCM_PIDFD. Only UnixConn.ReadMsgUnix of package sockets returns
	// it, and the receiver must close each one; the methods that receive descriptors close
	// it. Initially false. Unix sockets. Since Linux 6.5.
	PassPIDFD = Option[bool]{"SO_PASSPIDFD", boolValue{}}

	// PassRights, SO_PASSRIGHTS, allows peers to send descriptors to the socket. If it is
	// off, their sends fail with EPERM. Initially true. Unix sockets. Since Linux 6.16.
	PassRights = Option[bool]{"SO_PASSRIGHTS", boolValue{}}

	// PassSecurity, SO_PASSSEC, adds the sender's security label to every received
	// message, as control data of type SCM_SECURITY. Only UnixConn.ReadMsgUnix of package
	// sockets returns it. Initially false. Unix and netlink sockets. See unix(7).
	PassSecurity = Option[bool]{"SO_PASSSEC", boolValue{}}

	// PeekOffset, SO_PEEK_OFF, is the position at which receiving with MSG_PEEK starts, in
	// bytes. Each peek moves it forward, and each receive moves it back. Initially -1:
	// every peek starts at the front. Unix, UDP and TCP sockets, TCP since Linux 6.9.
	PeekOffset = Option[int]{"SO_PEEK_OFF", number[int]{-1, math.MaxInt32}}

	// PeerCred, SO_PEERCRED, is the credentials of the process that connected or, from the
	// client's side, that called listen, at that moment. They can be read after that
	// process has ended. If a socket has no such peer, the error matches ENOTCONN, where
	// the system call would succeed with IDs of -1. Connected unix sockets. See unix(7).
	PeerCred = ReadOnlyOption[Ucred]{"SO_PEERCRED", ucredValue{}}

	// PeerGroups, SO_PEERGROUPS, is the supplementary groups of the process described by
	// PeerCred. Connected unix sockets; on others the error is ENODATA.
	PeerGroups = ReadOnlyOption[[]uint32]{"SO_PEERGROUPS", numbers{}}

	// PeerPIDFD, SO_PEERPIDFD, opens a pidfd of the process described by PeerCred. Each
	// Get opens a new one, which the caller must close. Connected unix sockets. Since
	// Linux 6.5.
	PeerPIDFD = ReadOnlyOption[*os.File]{"SO_PEERPIDFD", pidfd{}}

	// PeerSecurity, SO_PEERSEC, is the peer's security label. Connected unix and TCP
	// sockets, on systems with a security module that labels them. See unix(7).
	PeerSecurity = ReadOnlyOption[string]{"SO_PEERSEC", text{}}

	// PreferBusyPoll, SO_PREFER_BUSY_POLL, defers the device's interrupts while the
	// application busy-polls. Initially false. Turning it on requires CAP_NET_ADMIN.
	// Since Linux 5.11. See Documentation/networking/napi.rst in the kernel.
	PreferBusyPoll = Option[bool]{"SO_PREFER_BUSY_POLL", boolValue{}}

	// Priority, SO_PRIORITY, is the priority of the socket's packets in the interface's
	// queue. Initially 0; values above 6 require CAP_NET_ADMIN. Setting TOS also sets it.
	Priority = Option[int]{"SO_PRIORITY", number[int]{0, math.MaxInt32}}

	// ReceiveBuffer, SO_RCVBUF, is the size of the receive buffer, in bytes. Linux limits
	// the value set to net.core.rmem_max, and then doubles it to allow for its own
	// overhead; Get returns the result. Setting it stops the automatic growth of a TCP
	// receive buffer.
	ReceiveBuffer = Option[int]{"SO_RCVBUF", number[int]{0, math.MaxInt32}}

	// ReceiveBufferForce, SO_RCVBUFFORCE, sets ReceiveBuffer without the limit of
	// net.core.rmem_max. Get returns ReceiveBuffer. Requires CAP_NET_ADMIN.
	ReceiveBufferForce = Option[int]{"SO_RCVBUFFORCE", number[int]{0, math.MaxInt32}}

	// ReceiveLowWater, SO_RCVLOWAT, is how many bytes must have arrived before a stream
	// socket is reported as readable. Initially 1; 0 means 1.
	ReceiveLowWater = Option[int]{"SO_RCVLOWAT", number[int]{0, math.MaxInt32}}

	// ReceiveQueueOverflow, SO_RXQ_OVFL, adds to every received datagram the number of
	// datagrams that the socket has dropped so far, as control data. Initially false.
	// Datagram and raw sockets.
	ReceiveQueueOverflow = Option[bool]{"SO_RXQ_OVFL", boolValue{}}

	// ReceiveTimeout, SO_RCVTIMEO, limits a blocking receive or accept. Its resolution is
	// one microsecond; the kernel rounds it up to ticks of its clock. Initially 0: no
	// limit. Sockets in Go are non-blocking and ignore it; it is for a process that is
	// given the descriptor. Use SetReadDeadline instead.
	ReceiveTimeout = Option[time.Duration]{"SO_RCVTIMEO", timeval{}}

	// ReuseAddr, SO_REUSEADDR, allows binding to an address that connections of an earlier
	// listener still use or, for datagram sockets, that another socket with ReuseAddr has.
	// Initially false, but true on raw sockets; listeners turn it on.
	ReuseAddr = Option[bool]{"SO_REUSEADDR", boolValue{}}

	// ReusePort, SO_REUSEPORT, lets several sockets of the same user bind to one address,
	// if all have it set before bind. The kernel distributes connections and datagrams
	// among them. Initially false. IP sockets.
	ReusePort = Option[bool]{"SO_REUSEPORT", boolValue{}}

	// SendBuffer, SO_SNDBUF, is the size of the send buffer, in bytes. As with
	// ReceiveBuffer, Linux limits the value, to net.core.wmem_max, and doubles it.
	SendBuffer = Option[int]{"SO_SNDBUF", number[int]{0, math.MaxInt32}}

	// SendBufferForce, SO_SNDBUFFORCE, sets SendBuffer without the limit of
	// net.core.wmem_max. Get returns SendBuffer. Requires CAP_NET_ADMIN.
	SendBufferForce = Option[int]{"SO_SNDBUFFORCE", number[int]{0, math.MaxInt32}}

	// SendLowWater, SO_SNDLOWAT, is how many bytes must be free before the socket is
	// reported as writable. On Linux it is always 1, and Set returns
	// errors.ErrUnsupported; see NotSentLowWater.
	SendLowWater = Option[int]{"SO_SNDLOWAT", number[int]{0, math.MaxInt32}}

	// SendTimeout, SO_SNDTIMEO, limits a blocking send or connect, as ReceiveTimeout
	// limits a receive. Use SetWriteDeadline instead.
	SendTimeout = Option[time.Duration]{"SO_SNDTIMEO", timeval{}}

	// SocketDomain, SO_DOMAIN, is the address family, such as AF_INET.
	SocketDomain = ReadOnlyOption[int]{"SO_DOMAIN", number[int]{}}

	// SocketError, SO_ERROR, is the pending error of the socket: Get returns it as its
	// first result, a syscall.Errno or nil, and clears it, so that the next call on the
	// socket does not report it.
	SocketError = ReadOnlyOption[error]{"SO_ERROR", errorValue{}}

	// SocketProtocol, SO_PROTOCOL, is the protocol, such as IPPROTO_TCP.
	SocketProtocol = ReadOnlyOption[int]{"SO_PROTOCOL", number[int]{}}

	// SocketType, SO_TYPE, is the socket type, such as SOCK_STREAM.
	SocketType = ReadOnlyOption[int]{"SO_TYPE", number[int]{}}

	// Timestamp, SO_TIMESTAMP, adds the time of arrival to every received message, as
	// control data with microseconds. Initially false. Setting it turns TimestampNS off.
	Timestamp = Option[bool]{"SO_TIMESTAMP", boolValue{}}

	// Timestamping, SO_TIMESTAMPING, selects which timestamps of packets to take, and
	// where. Those of received packets are returned as control data, those of sent packets
	// through the error queue. Initially 0: none. See
	// Documentation/networking/timestamping.rst in the kernel.
	Timestamping = Option[TimestampingFlags]{"SO_TIMESTAMPING", number[TimestampingFlags]{0, math.MaxUint32}}

	// TimestampNS, SO_TIMESTAMPNS, is like Timestamp, but with nanoseconds. Setting it
	// turns Timestamp off.
	TimestampNS = Option[bool]{"SO_TIMESTAMPNS", boolValue{}}

	// TxTime, SO_TXTIME, allows control data that says when to send a packet. Initially
	// the zero value. UDP, raw and packet sockets; the interface needs the queueing
	// discipline fq or etf. Clocks other than CLOCK_MONOTONIC require CAP_NET_ADMIN. See
	// tc-etf(8).
	TxTime = Option[TxTimeConfig]{"SO_TXTIME", txTimeValue{}}

	// ZeroCopy, SO_ZEROCOPY, allows MSG_ZEROCOPY when sending. No method of package
	// sockets sends with that flag: a program does so itself, through SyscallConn.
	// UDPConn.ReadErrorQueue reports when a buffer is free again; for a TCP socket, the
	// program has to read the error queue itself. Initially false. TCP and UDP sockets.
	// See Documentation/networking/msg_zerocopy.rst in the kernel.
	ZeroCopy = Option[bool]{"SO_ZEROCOPY", boolValue{}}
)

package sockopt

import (
	"math"
	"os"
	"time"

	"golang.org/x/net/bpf"
)

// LingerConfig is the value of [Linger].
type LingerConfig struct {
	// Enable makes Close wait for unsent data, and discard what is still unsent
	// after Timeout.
	Enable bool

	// Timeout is how long Close waits, in whole seconds, rounded up. Zero does
	// not wait: Close resets a TCP connection and discards its unsent data.
	// Without Enable it has no meaning, and Get reports zero. Negative is an
	// error.
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

// Which times to take, how to report them, and what goes with them. The numbers are
// those of linux/net_tstamp.h, SOF_TIMESTAMPING_.
const (
	TimestampTxHardware  TimestampingFlags = 1 << iota // when the device sent a packet
	TimestampTxSoftware                                // when the driver was given a packet
	TimestampRxHardware                                // when the device received a packet
	TimestampRxSoftware                                // when the kernel received a packet
	TimestampSoftware                                  // report the times of software
	TimestampSysHardware                               // without effect, out of use
	TimestampRawHardware                               // report the times of hardware
	TimestampOptID                                     // number the packets that are sent
	TimestampTxSched                                   // when a packet entered the queue
	TimestampTxAck                                     // when the peer acknowledged, TCP
	TimestampOptCmsg                                   // control data with times of sent packets
	TimestampOptTSOnly                                 // not the packet together with its time
	TimestampOptStats
	TimestampOptPktInfo
	TimestampOptTxSwHw // both times of a sent packet
	TimestampBindPHC
	TimestampOptIDTCP
	TimestampOptRxFilter
)

// TxTimeConfig is the value of [TxTime].
type TxTimeConfig struct {
	// Clock is what the times are of: CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1,
	// CLOCK_TAI = 11.
	Clock int

	// Deadline allows to send a packet earlier than its time.
	Deadline bool

	// Errors reports packets that were dropped for their time through the error
	// queue.
	Errors bool
}

// Ucred holds the credentials of a process as its peer on a Unix socket sees
// them. See unix(7), SCM_CREDENTIALS.
type Ucred struct {
	PID int // zero if the process is not visible from the caller's PID namespace
	UID uint32
	GID uint32
}

// Options of any socket, level SOL_SOCKET. Multipath TCP sockets refuse LockFilter,
// MaxPacingRate, OOBInline, PassRights, PeekOffset and ZeroCopy, and take
// Broadcast, DontRoute, NoCheck, ReceiveQueueOverflow, PassCred, PassPIDFD and
// PassSecurity without any effect. See socket(7) unless another source is given.
var (
	// AcceptConn, SO_ACCEPTCONN, tells whether the socket listens.
	AcceptConn = ReadOnlyOption[bool]{"SO_ACCEPTCONN", boolValue{}}

	// AttachFilter, SO_ATTACH_FILTER, drops received packets by a classic BPF program,
	// which returns how many bytes of a packet to keep. Initially none; an empty
	// program takes it away again, SO_DETACH_FILTER. At most 4096 instructions.
	AttachFilter = Option[[]bpf.RawInstruction]{"SO_ATTACH_FILTER", program{}}

	// AttachReusePortCBPF, SO_ATTACH_REUSEPORT_CBPF, chooses by a classic BPF program
	// which socket of a ReusePort group receives something: its result is the socket's
	// number, counted from 0 in the order of bind or listen. It is for the whole group.
	// An empty program takes it away again. TCP and UDP sockets.
	AttachReusePortCBPF = WriteOnlyOption[[]bpf.RawInstruction]{"SO_ATTACH_REUSEPORT_CBPF", program{}}

	// BindToDevice, SO_BINDTODEVICE, binds the socket to the network interface
	// of that name: only its packets are received, and packets leave only there.
	// At most 15 bytes; initially "", which is no interface. Changing it once
	// it is set needs CAP_NET_RAW. IP sockets, others ignore it.
	BindToDevice = Option[string]{"SO_BINDTODEVICE", text{15}}

	// BindToIfIndex, SO_BINDTOIFINDEX, is BindToDevice by interface index.
	// Initially 0, which is no interface.
	BindToIfIndex = Option[int]{"SO_BINDTOIFINDEX", number[int]{0, math.MaxInt32}}

	// Broadcast, SO_BROADCAST, allows datagrams from and to broadcast addresses.
	// Initially false, but package net turns it on for every UDP and raw socket.
	// Stream sockets ignore it.
	Broadcast = Option[bool]{"SO_BROADCAST", boolValue{}}

	// BusyPoll, SO_BUSY_POLL, is how long a blocking receive spins on the
	// network device's queue, in microseconds. Initially 0, never. Raising it
	// needs CAP_NET_ADMIN.
	BusyPoll = Option[time.Duration]{"SO_BUSY_POLL", duration{unit: time.Microsecond}}

	// Cookie, SO_COOKIE, identifies the socket among all of the network
	// namespace, until the system restarts. It is never 0.
	Cookie = ReadOnlyOption[uint64]{"SO_COOKIE", wide{}}

	// Debug, SO_DEBUG, turns on what the kernel has for debugging a socket.
	// Initially false. Needs CAP_NET_ADMIN.
	Debug = Option[bool]{"SO_DEBUG", boolValue{}}

	// DontRoute, SO_DONTROUTE, sends only to directly connected hosts, not
	// by gateways. Initially false. The flag MSG_DONTROUTE does it for one send.
	DontRoute = Option[bool]{"SO_DONTROUTE", boolValue{}}

	// IncomingCPU, SO_INCOMING_CPU, is the CPU that last handled a packet of the
	// socket, -1 if none did. Setting it makes a listener, or one of several
	// UDP sockets with ReusePort, prefer packets handled on that CPU. IP sockets.
	IncomingCPU = Option[int]{"SO_INCOMING_CPU", number[int]{-1, math.MaxInt32}}

	// IncomingNAPIID, SO_INCOMING_NAPI_ID, identifies the device queue on which
	// the last packet came; 0 if none did or the device has no such queues.
	IncomingNAPIID = ReadOnlyOption[int]{"SO_INCOMING_NAPI_ID", number[int]{}}

	// KeepAlive, SO_KEEPALIVE, probes an idle peer and so notices one that
	// vanished. Initially false, but package net turns it on for TCP. KeepIdle,
	// KeepInterval and KeepCount tune it. Sockets other than TCP ignore it.
	KeepAlive = Option[bool]{"SO_KEEPALIVE", boolValue{}}

	// Linger, SO_LINGER, makes Close wait until sent data is acknowledged, also
	// on non-blocking sockets. Initially off: the kernel goes on sending in
	// the background. Stream sockets.
	Linger = Option[LingerConfig]{"SO_LINGER", lingerValue{}}

	// LockFilter, SO_LOCK_FILTER, forbids changes of the socket's BPF filter.
	// Initially false. Once true it cannot be undone: EPERM.
	LockFilter = Option[bool]{"SO_LOCK_FILTER", boolValue{}}

	// Mark, SO_MARK, labels the socket's packets for routing and packet filters.
	// Initially 0. Needs CAP_NET_ADMIN or CAP_NET_RAW.
	Mark = Option[uint32]{"SO_MARK", number[uint32]{0, math.MaxUint32}}

	// MaxPacingRate, SO_MAX_PACING_RATE, limits the socket's sending rate, in
	// bytes per second. Initially the highest uint64, no limit. TCP paces
	// itself; for UDP the interface needs the fq queueing discipline. See
	// tc-fq(8).
	MaxPacingRate = Option[uint64]{"SO_MAX_PACING_RATE", rate{}}

	// NetNSCookie, SO_NETNS_COOKIE, identifies the socket's network namespace
	// until the system restarts.
	NetNSCookie = ReadOnlyOption[uint64]{"SO_NETNS_COOKIE", wide{}}

	// NoCheck, SO_NO_CHECK, sends UDP over IPv4 without checksums. Initially
	// false. Excludes UDPSegment.
	NoCheck = Option[bool]{"SO_NO_CHECK", boolValue{}}

	// OOBInline, SO_OOBINLINE, leaves out-of-band data in the stream. Initially
	// false: it is received with MSG_OOB. TCP and Unix stream sockets.
	OOBInline = Option[bool]{"SO_OOBINLINE", boolValue{}}

	// PassCred, SO_PASSCRED, adds the sender's credentials to every received
	// message, as control data SCM_CREDENTIALS. Initially false. Unix and netlink
	// sockets. See unix(7).
	PassCred = Option[bool]{"SO_PASSCRED", boolValue{}}

	// PassPIDFD, SO_PASSPIDFD, adds a pidfd of the sender to every received
	// message, as control data SCM_PIDFD, which UnixConn.ReadMsgUnix returns: no
	// method reads it for you, and the receiver must close each of them. The
	// methods that receive descriptors close it. Initially false. Unix sockets.
	// Since Linux 6.5.
	PassPIDFD = Option[bool]{"SO_PASSPIDFD", boolValue{}}

	// PassRights, SO_PASSRIGHTS, allows peers to send descriptors to the socket;
	// without it their sends fail with EPERM. Initially true. Unix sockets. Since
	// Linux 6.16.
	PassRights = Option[bool]{"SO_PASSRIGHTS", boolValue{}}

	// PassSecurity, SO_PASSSEC, adds the sender's security label to every
	// received message, as control data SCM_SECURITY, which UnixConn.ReadMsgUnix
	// returns: no method reads it for you. Initially false. Unix and netlink
	// sockets. See unix(7).
	PassSecurity = Option[bool]{"SO_PASSSEC", boolValue{}}

	// PeekOffset, SO_PEEK_OFF, is where receiving with MSG_PEEK starts, in
	// bytes; it then moves forward with each peek and back with each receive.
	// Initially -1: a peek starts at the front. Unix, UDP and TCP sockets, TCP
	// since Linux 6.9.
	PeekOffset = Option[int]{"SO_PEEK_OFF", number[int]{-1, math.MaxInt32}}

	// PeerCred, SO_PEERCRED, tells the credentials of the process that
	// connected, or that called listen, as of that moment. They stay readable
	// when the process is gone. A socket without such a peer gives an error that
	// matches ENOTCONN, where the system call succeeds with the IDs -1.
	// Connected Unix sockets. See unix(7).
	PeerCred = ReadOnlyOption[Ucred]{"SO_PEERCRED", ucredValue{}}

	// PeerGroups, SO_PEERGROUPS, tells the supplementary groups of the process that
	// PeerCred tells of. Connected Unix sockets, otherwise ENODATA.
	PeerGroups = ReadOnlyOption[[]uint32]{"SO_PEERGROUPS", numbers{}}

	// PeerPIDFD, SO_PEERPIDFD, opens a pidfd of the process that PeerCred tells
	// of. Each Get opens a new one, which the caller must close. Connected Unix
	// sockets. Since Linux 6.5.
	PeerPIDFD = ReadOnlyOption[*os.File]{"SO_PEERPIDFD", pidfd{}}

	// PeerSecurity, SO_PEERSEC, tells the peer's security label. Connected Unix
	// and TCP sockets, on systems with a security module that labels them. See
	// unix(7).
	PeerSecurity = ReadOnlyOption[string]{"SO_PEERSEC", text{}}

	// PreferBusyPoll, SO_PREFER_BUSY_POLL, makes the device's interrupts wait
	// while the application busy-polls. Initially false. Turning it on needs
	// CAP_NET_ADMIN. See Documentation/networking/napi.rst in the kernel.
	PreferBusyPoll = Option[bool]{"SO_PREFER_BUSY_POLL", boolValue{}}

	// Priority, SO_PRIORITY, is the priority of the socket's packets in the
	// queue of the interface. Initially 0; from 0 to 6 without CAP_NET_ADMIN.
	// TOS sets it as well.
	Priority = Option[int]{"SO_PRIORITY", number[int]{0, math.MaxInt32}}

	// ReceiveBuffer, SO_RCVBUF, is the size of the receive buffer, in bytes. Linux
	// bounds what is asked by net.core.rmem_max, then doubles it to account for
	// its own overhead; Get tells what became of it. Setting it ends the automatic
	// growth of a TCP buffer.
	ReceiveBuffer = Option[int]{"SO_RCVBUF", number[int]{0, math.MaxInt32}}

	// ReceiveBufferForce, SO_RCVBUFFORCE, sets ReceiveBuffer without the system's
	// bound. Get tells the same as ReceiveBuffer's. Needs CAP_NET_ADMIN.
	ReceiveBufferForce = Option[int]{"SO_RCVBUFFORCE", number[int]{0, math.MaxInt32}}

	// ReceiveLowWater, SO_RCVLOWAT, is how many bytes must have come before a
	// poll says that a stream socket is readable. Initially 1, and 0 means 1.
	ReceiveLowWater = Option[int]{"SO_RCVLOWAT", number[int]{0, math.MaxInt32}}

	// ReceiveQueueOverflow, SO_RXQ_OVFL, adds the number of datagrams dropped so
	// far to every received one, as control data. Initially false. Datagram and
	// raw sockets.
	ReceiveQueueOverflow = Option[bool]{"SO_RXQ_OVFL", boolValue{}}

	// ReceiveTimeout, SO_RCVTIMEO, limits a blocking receive or accept, in
	// microseconds, rounded up once more to the ticks of the kernel's clock.
	// Initially 0, no limit. Sockets of Go are non-blocking and ignore it: it is
	// for a process that gets the descriptor. Use SetReadDeadline.
	ReceiveTimeout = Option[time.Duration]{"SO_RCVTIMEO", timeval{}}

	// ReuseAddr, SO_REUSEADDR, allows to bind an address that connections of an
	// earlier listener still use; on datagram sockets, one that another socket
	// with ReuseAddr has. Initially false, true on raw sockets; listeners turn it
	// on.
	ReuseAddr = Option[bool]{"SO_REUSEADDR", boolValue{}}

	// ReusePort, SO_REUSEPORT, lets several sockets of one user bind the same
	// address and shares what comes among them, if all have it set before bind.
	// Initially false. IP sockets.
	ReusePort = Option[bool]{"SO_REUSEPORT", boolValue{}}

	// SendBuffer, SO_SNDBUF, is the size of the send buffer, in bytes. It is
	// bounded by net.core.wmem_max and doubled as ReceiveBuffer is.
	SendBuffer = Option[int]{"SO_SNDBUF", number[int]{0, math.MaxInt32}}

	// SendBufferForce, SO_SNDBUFFORCE, sets SendBuffer without the system's
	// bound. Get tells the same as SendBuffer's. Needs CAP_NET_ADMIN.
	SendBufferForce = Option[int]{"SO_SNDBUFFORCE", number[int]{0, math.MaxInt32}}

	// SendLowWater, SO_SNDLOWAT, is how many bytes must be free before a poll
	// says that the socket is writable. On Linux it is 1, and Set gives
	// errors.ErrUnsupported; see NotSentLowWater.
	SendLowWater = Option[int]{"SO_SNDLOWAT", number[int]{0, math.MaxInt32}}

	// SendTimeout, SO_SNDTIMEO, limits a blocking send or connect as
	// ReceiveTimeout limits a receive. Use SetWriteDeadline.
	SendTimeout = Option[time.Duration]{"SO_SNDTIMEO", timeval{}}

	// SocketDomain, SO_DOMAIN, tells the address family, such as AF_INET.
	SocketDomain = ReadOnlyOption[int]{"SO_DOMAIN", number[int]{}}

	// SocketError, SO_ERROR, takes the pending error off the socket: Get returns
	// it, a syscall.Errno or nil, as its first result, and the next call on the
	// socket does not see it.
	SocketError = ReadOnlyOption[error]{"SO_ERROR", errorValue{}}

	// SocketProtocol, SO_PROTOCOL, tells the protocol, such as IPPROTO_TCP.
	SocketProtocol = ReadOnlyOption[int]{"SO_PROTOCOL", number[int]{}}

	// SocketType, SO_TYPE, tells the type, such as SOCK_STREAM.
	SocketType = ReadOnlyOption[int]{"SO_TYPE", number[int]{}}

	// Timestamp, SO_TIMESTAMP, adds the time of arrival to every received
	// message, as control data with microseconds. Initially false. Turns
	// TimestampNS off.
	Timestamp = Option[bool]{"SO_TIMESTAMP", boolValue{}}

	// Timestamping, SO_TIMESTAMPING, says which times of a packet are to be taken, and
	// by what. Those of received packets come as control data, those of sent ones
	// through the error queue. Initially 0, none. See
	// Documentation/networking/timestamping.rst in the kernel.
	Timestamping = Option[TimestampingFlags]{"SO_TIMESTAMPING", number[TimestampingFlags]{0, math.MaxUint32}}

	// TimestampNS, SO_TIMESTAMPNS, is Timestamp with nanoseconds, and turns
	// Timestamp off.
	TimestampNS = Option[bool]{"SO_TIMESTAMPNS", boolValue{}}

	// TxTime, SO_TXTIME, allows control data that tell when to send a packet. Initially
	// the zero value. UDP, raw and packet sockets, with the qdisc fq or etf on the
	// interface. Clocks other than CLOCK_MONOTONIC need CAP_NET_ADMIN. See
	// tc-etf(8).
	TxTime = Option[TxTimeConfig]{"SO_TXTIME", txTimeValue{}}

	// ZeroCopy, SO_ZEROCOPY, allows MSG_ZEROCOPY on the socket's sends, which no
	// method of package sockets makes: they are the program's own, by way of
	// SyscallConn. UDPConn.ReadErrorQueue tells when a buffer is free again; of a
	// TCP socket the program reads the error queue itself. Initially false. TCP and
	// UDP sockets. See Documentation/networking/msg_zerocopy.rst in the kernel.
	ZeroCopy = Option[bool]{"SO_ZEROCOPY", boolValue{}}
)

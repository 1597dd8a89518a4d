package sockopt

import (
	"math"
	"net/netip"
	"time"
)

// MD5Signature is the value of [MD5Sig].
type MD5Signature struct {
	// Peer is the address, or the range of addresses, that the key is for. On an IPv6
	// socket, addresses of IPv4 peers are in IPv6 form, as in ::ffff:192.0.2.0/120.
	Peer netip.Prefix

	// Interface is the index of the interface of the VRF that the key is for. 0 means
	// none.
	Interface int

	// Key is the key, at most 80 bytes. An empty Key removes the key of Peer.
	Key []byte
}

// String returns the peer and the interface, but not the key.
func (s MD5Signature) String() string { return s.Peer.String() }

// Options of TCP, level IPPROTO_TCP. Multipath TCP sockets have only those marked "Also
// MPTCP", and fewer of them on older kernels. See tcp(7) unless another source is
// given.
var (
	// Congestion, TCP_CONGESTION, is the name of the congestion control algorithm. At most
	// 15 bytes. Initially the system's, net.ipv4.tcp_congestion_control. Without
	// CAP_NET_ADMIN only those in net.ipv4.tcp_allowed_congestion_control can be set. Also
	// MPTCP.
	Congestion = Option[string]{"TCP_CONGESTION", text{15}}

	// ConnectionInfo, TCP_INFO, is the state and the statistics of the connection. Also
	// MPTCP, for the first subflow.
	ConnectionInfo = ReadOnlyOption[TCPInfo]{"TCP_INFO", tcpInfoValue{}}

	// Cork, TCP_CORK, sends only full segments until it is turned off, but holds data back
	// for at most 200 milliseconds. Initially false. Also MPTCP.
	Cork = Option[bool]{"TCP_CORK", boolValue{}}

	// DeferAccept, TCP_DEFER_ACCEPT, makes a listener accept a connection only once its
	// first data has arrived, or after the given time. The kernel counts retransmissions
	// of the SYN-ACK, and so rounds the time up to 1, 3, 7, 15, 31 ... seconds. Initially
	// 0: accept at once. Also MPTCP.
	DeferAccept = Option[time.Duration]{"TCP_DEFER_ACCEPT", duration{unit: time.Second}}

	// FastOpen, TCP_FASTOPEN, is how many connections that were opened with data in the
	// SYN may be pending on a listener. Initially 0: none. Also MPTCP. See RFC 7413 and
	// net.ipv4.tcp_fastopen.
	FastOpen = Option[int]{"TCP_FASTOPEN", number[int]{0, math.MaxInt32}}

	// FastOpenConnect, TCP_FASTOPEN_CONNECT, makes connect succeed at once, and sends the
	// first data that is written in the SYN if the server gave a cookie earlier. It must
	// be set before connect. Initially false. Also MPTCP. See RFC 7413.
	//
	// Nothing is sent to the peer before the first Write that has data, so a Read before
	// it waits. FastOpenConnect is for protocols in which the client speaks first.
	FastOpenConnect = Option[bool]{"TCP_FASTOPEN_CONNECT", boolValue{}}

	// KeepCount, TCP_KEEPCNT, is how many probes of KeepAlive may remain unanswered before
	// the connection is dropped, from 1 to 127. Initially 9. Also MPTCP.
	KeepCount = Option[int]{"TCP_KEEPCNT", number[int]{1, 127}}

	// KeepIdle, TCP_KEEPIDLE, is how long a connection must be idle before KeepAlive sends
	// probes, from 1 to 32767 seconds. Initially 2 hours, but package net sets 15 seconds.
	// Also MPTCP.
	KeepIdle = Option[time.Duration]{"TCP_KEEPIDLE", duration{unit: time.Second, max: 32767 * time.Second}}

	// KeepInterval, TCP_KEEPINTVL, is the time between two probes of KeepAlive, from 1 to
	// 32767 seconds. Initially 75 seconds, but package net sets 15 seconds. Also MPTCP.
	KeepInterval = Option[time.Duration]{"TCP_KEEPINTVL", duration{unit: time.Second, max: 32767 * time.Second}}

	// Linger2, TCP_LINGER2, is how long a closed connection waits in state FIN_WAIT2 for
	// the peer to close, in whole seconds, at most 2 minutes. Initially 60 seconds,
	// net.ipv4.tcp_fin_timeout; setting it to 0 restores that. With a negative value it
	// does not wait. This is unrelated to Linger.
	Linger2 = Option[time.Duration]{"TCP_LINGER2", duration{unit: time.Second, max: 120 * time.Second, none: true}}

	// MaxSegment, TCP_MAXSEG, is the size of the largest segment to send, and to ask of
	// the peer, in bytes, from 88 to 32767. 0 leaves it to the interface's MTU. Initially
	// 536, which older kernels return for every socket that is not connected; on
	// a connected socket Get returns the size in effect. Also MPTCP.
	MaxSegment = Option[int]{"TCP_MAXSEG", number[int]{0, 32767}}

	// MD5Sig, TCP_MD5SIG, signs segments to a peer and drops segments from it that are not
	// signed. It must be set for each peer, before connecting or on the listener. See RFC
	// 2385.
	MD5Sig = WriteOnlyOption[MD5Signature]{"TCP_MD5SIG", md5Value{}}

	// NoDelay, TCP_NODELAY, sends small segments at once, without Nagle's algorithm.
	// Initially false, but package net turns it on. Also MPTCP.
	NoDelay = Option[bool]{"TCP_NODELAY", boolValue{}}

	// NotSentLowWater, TCP_NOTSENT_LOWAT, is the number of unsent bytes below which the
	// socket is reported as writable. Initially the system's, net.ipv4.tcp_notsent_lowat;
	// setting it to 0 restores that. Also MPTCP.
	NotSentLowWater = Option[uint32]{"TCP_NOTSENT_LOWAT", number[uint32]{0, math.MaxUint32}}

	// QuickAck, TCP_QUICKACK, sends acknowledgements at once instead of waiting for data
	// to send them with. Initially true. The kernel changes it by itself during the
	// connection.
	QuickAck = Option[bool]{"TCP_QUICKACK", boolValue{}}

	// SavedSYN, TCP_SAVED_SYN, is the IP and TCP headers of the SYN that opened an
	// accepted connection, if SaveSYN was set on the listener. Only the first Get returns
	// them; later ones, and those on other connections, return nothing.
	SavedSYN = ReadOnlyOption[[]byte]{"TCP_SAVED_SYN", blob{512}}

	// SaveSYN, TCP_SAVE_SYN, makes a listener keep the headers of each SYN for SavedSYN.
	// Initially false.
	SaveSYN = Option[bool]{"TCP_SAVE_SYN", boolValue{}}

	// SYNCount, TCP_SYNCNT, is how many times connect repeats its SYN, from 1 to 127.
	// Initially 6, net.ipv4.tcp_syn_retries.
	SYNCount = Option[int]{"TCP_SYNCNT", number[int]{1, 127}}

	// ThinLinearTimeouts, TCP_THIN_LINEAR_TIMEOUTS, retransmits lost segments at constant
	// intervals while few segments are in flight. Initially false. See
	// Documentation/networking/tcp-thin.rst in the kernel.
	ThinLinearTimeouts = Option[bool]{"TCP_THIN_LINEAR_TIMEOUTS", boolValue{}}

	// ULP, TCP_ULP, is the name of a protocol inside the kernel to attach to the
	// connection, such as "tls", which has options of its own. Initially "". It cannot be
	// detached. Connected sockets; on others the error is ENOTCONN. See
	// Documentation/networking/tls.rst in the kernel.
	ULP = Option[string]{"TCP_ULP", text{15}}

	// UserTimeout, TCP_USER_TIMEOUT, is how long sent data may remain unacknowledged
	// before the connection is dropped. Its resolution is one millisecond. Initially 0:
	// the system's default. See RFC 5482.
	UserTimeout = Option[time.Duration]{"TCP_USER_TIMEOUT", duration{unit: time.Millisecond}}

	// WindowClamp, TCP_WINDOW_CLAMP, limits the advertised receive window, in bytes. Linux
	// raises values below half of the smallest receive buffer, and accepts 0 only before
	// connect. Initially 0: no limit.
	WindowClamp = Option[int]{"TCP_WINDOW_CLAMP", number[int]{0, math.MaxInt32}}
)

// Options of UDP, level IPPROTO_UDP, over IPv4 and IPv6. See udp(7).
var (
	// UDPCork, UDP_CORK, gathers data into one datagram, which is sent when the option is
	// turned off. Initially false.
	UDPCork = Option[bool]{"UDP_CORK", boolValue{}}

	// UDPGRO, UDP_GRO, receives several datagrams of the same size from one peer in a
	// single buffer, with control data that gives the size. A receive without control
	// data, such as Read, then cannot tell where each datagram ends; the UDPConn of
	// package sockets can, after SetOffload. Initially false.
	UDPGRO = Option[bool]{"UDP_GRO", boolValue{}}

	// UDPSegment, UDP_SEGMENT, splits data that is sent into datagrams of the given number
	// of bytes, at most 128 at a time; the last may be shorter. Initially 0: one datagram.
	UDPSegment = Option[int]{"UDP_SEGMENT", number[int]{0, math.MaxUint16}}
)

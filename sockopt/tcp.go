package sockopt

import (
	"math"
	"net/netip"
	"time"
)

// MD5Signature is the value of [MD5Sig].
type MD5Signature struct {
	// Peer is the address, or all addresses, that the key is for. On an IPv6 socket
	// IPv4 peers have IPv6 form, as in ::ffff:192.0.2.0/120.
	Peer netip.Prefix

	// Interface is the index of the interface of the VRF that the key is for; 0 is none.
	Interface int

	// Key has at most 80 bytes. An empty one takes away the key of Peer.
	Key []byte
}

// String leaves out the key.
func (s MD5Signature) String() string { return s.Peer.String() }

// Options of TCP, level IPPROTO_TCP. Multipath TCP sockets have only those that say
// so, and older kernels fewer of them. See tcp(7) unless another source is given.
var (
	// Congestion, TCP_CONGESTION, names the congestion control algorithm. At most
	// 15 bytes; initially the system's, net.ipv4.tcp_congestion_control. Without
	// CAP_NET_ADMIN only the allowed ones, see
	// net.ipv4.tcp_allowed_congestion_control. Also MPTCP.
	Congestion = Option[string]{"TCP_CONGESTION", text{15}}

	// ConnectionInfo, TCP_INFO, tells about the connection. Also MPTCP, of its
	// first subflow.
	ConnectionInfo = ReadOnlyOption[TCPInfo]{"TCP_INFO", tcpInfoValue{}}

	// Cork, TCP_CORK, sends full segments only, until it is turned off or for 200
	// milliseconds. Initially false. Also MPTCP.
	Cork = Option[bool]{"TCP_CORK", boolValue{}}

	// DeferAccept, TCP_DEFER_ACCEPT, lets a listener accept a connection only when
	// its first data came, or after that time. The kernel counts retransmissions
	// of its SYN-ACK and so rounds up to 1, 3, 7, 15, 31 ... seconds. Initially 0:
	// accept at once. Also MPTCP.
	DeferAccept = Option[time.Duration]{"TCP_DEFER_ACCEPT", duration{unit: time.Second}}

	// FastOpen, TCP_FASTOPEN, is how many connections that were opened with data
	// in the SYN a listener may have pending. Initially 0, which is none. Also
	// MPTCP. See RFC 7413 and net.ipv4.tcp_fastopen.
	FastOpen = Option[int]{"TCP_FASTOPEN", number[int]{0, math.MaxInt32}}

	// FastOpenConnect, TCP_FASTOPEN_CONNECT, makes connect succeed at once and
	// puts the first written data into the SYN, if the server gave a cookie
	// earlier. To be set before connect. Initially false. Also MPTCP. See RFC 7413.
	//
	// The connection begins with the first Write that has data: a Read before it waits,
	// as nothing has been sent to the peer. It is for protocols whose client speaks
	// first.
	FastOpenConnect = Option[bool]{"TCP_FASTOPEN_CONNECT", boolValue{}}

	// KeepCount, TCP_KEEPCNT, is how many probes of KeepAlive go unanswered before
	// the connection is dropped, from 1 to 127. Initially 9. Also MPTCP.
	KeepCount = Option[int]{"TCP_KEEPCNT", number[int]{1, 127}}

	// KeepIdle, TCP_KEEPIDLE, is how long a connection is idle before KeepAlive
	// probes it, from 1 to 32767 seconds. Initially 2 hours, but package net sets
	// 15 seconds. Also MPTCP.
	KeepIdle = Option[time.Duration]{"TCP_KEEPIDLE", duration{unit: time.Second, max: 32767 * time.Second}}

	// KeepInterval, TCP_KEEPINTVL, is the time between two probes of KeepAlive,
	// from 1 to 32767 seconds. Initially 75 seconds, but package net sets 15
	// seconds. Also MPTCP.
	KeepInterval = Option[time.Duration]{"TCP_KEEPINTVL", duration{unit: time.Second, max: 32767 * time.Second}}

	// Linger2, TCP_LINGER2, is how long a closed connection waits in state
	// FIN_WAIT2 for the peer to close, in seconds, at most 2 minutes. Initially
	// 60 seconds, net.ipv4.tcp_fin_timeout, which 0 restores; negative does not
	// wait. Linger is something else.
	Linger2 = Option[time.Duration]{"TCP_LINGER2", duration{unit: time.Second, max: 120 * time.Second, none: true}}

	// MaxSegment, TCP_MAXSEG, is the largest segment to be sent and to be asked of
	// the peer, in bytes, from 88 to 32767. Initially 536; once connected, Get
	// tells what is in effect. 0 leaves it to the interface's MTU. Also MPTCP.
	MaxSegment = Option[int]{"TCP_MAXSEG", number[int]{0, 32767}}

	// MD5Sig, TCP_MD5SIG, signs the segments to a peer and drops those from it that are
	// not signed. It is set for each peer, before the connection or on the listener.
	// See RFC 2385.
	MD5Sig = WriteOnlyOption[MD5Signature]{"TCP_MD5SIG", md5Value{}}

	// NoDelay, TCP_NODELAY, sends small segments at once, without Nagle's
	// algorithm. Initially false, but package net turns it on. Also MPTCP.
	NoDelay = Option[bool]{"TCP_NODELAY", boolValue{}}

	// NotSentLowWater, TCP_NOTSENT_LOWAT, is below how many unsent bytes a poll
	// says that the socket is writable. Initially the system's,
	// net.ipv4.tcp_notsent_lowat, which 0 restores. Also MPTCP.
	NotSentLowWater = Option[uint32]{"TCP_NOTSENT_LOWAT", number[uint32]{0, math.MaxUint32}}

	// QuickAck, TCP_QUICKACK, acknowledges at once instead of waiting for data to
	// send along. Initially true. The kernel changes it on its own as the
	// connection goes on.
	QuickAck = Option[bool]{"TCP_QUICKACK", boolValue{}}

	// SavedSYN, TCP_SAVED_SYN, tells the IP and TCP headers of the SYN that opened
	// an accepted connection, if its listener had SaveSYN. The first Get takes
	// them; later ones, and those without, return nothing.
	SavedSYN = ReadOnlyOption[[]byte]{"TCP_SAVED_SYN", blob{512}}

	// SaveSYN, TCP_SAVE_SYN, lets a listener keep the headers of each SYN, for
	// SavedSYN. Initially false.
	SaveSYN = Option[bool]{"TCP_SAVE_SYN", boolValue{}}

	// SYNCount, TCP_SYNCNT, is how often connect repeats its SYN, from 1 to 127.
	// Initially 6, net.ipv4.tcp_syn_retries.
	SYNCount = Option[int]{"TCP_SYNCNT", number[int]{1, 127}}

	// ThinLinearTimeouts, TCP_THIN_LINEAR_TIMEOUTS, repeats lost segments at a
	// steady pace while few are in flight. Initially false. See
	// Documentation/networking/tcp-thin.rst in the kernel.
	ThinLinearTimeouts = Option[bool]{"TCP_THIN_LINEAR_TIMEOUTS", boolValue{}}

	// ULP, TCP_ULP, gives a connection a protocol inside the kernel, such as "tls", which
	// has options of its own. Initially "". It cannot be taken away. Connected
	// sockets, otherwise ENOTCONN. See Documentation/networking/tls.rst in the kernel.
	ULP = Option[string]{"TCP_ULP", text{15}}

	// UserTimeout, TCP_USER_TIMEOUT, is how long sent data may stay
	// unacknowledged before the connection is dropped, in milliseconds. Initially
	// 0, the system's. See RFC 5482.
	UserTimeout = Option[time.Duration]{"TCP_USER_TIMEOUT", duration{unit: time.Millisecond}}

	// WindowClamp, TCP_WINDOW_CLAMP, bounds the advertised receive window, in
	// bytes. Linux takes no less than half the smallest receive buffer, and 0
	// only before connect. Initially 0, no bound.
	WindowClamp = Option[int]{"TCP_WINDOW_CLAMP", number[int]{0, math.MaxInt32}}
)

// Options of UDP, level IPPROTO_UDP, over IPv4 and IPv6. See udp(7).
var (
	// UDPCork, UDP_CORK, gathers what is written into one datagram, which is sent
	// when it is turned off. Initially false.
	UDPCork = Option[bool]{"UDP_CORK", boolValue{}}

	// UDPGRO, UDP_GRO, receives datagrams of equal size from one peer as a single
	// buffer, with control data that tells the size. Receiving without room for
	// control data, as Read does, then loses where each datagram ends. Initially
	// false.
	UDPGRO = Option[bool]{"UDP_GRO", boolValue{}}

	// UDPSegment, UDP_SEGMENT, cuts what is written into datagrams of so many
	// bytes, the last may be shorter; at most 128 in one write. Initially 0: one
	// datagram.
	UDPSegment = Option[int]{"UDP_SEGMENT", number[int]{0, math.MaxUint16}}
)

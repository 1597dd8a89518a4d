package sockopt

import (
	"math"
	"strconv"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// TCPState is the state of a TCP connection. See RFC 9293, section 3.3.2.
type TCPState uint8

// The states of a TCP connection. The values are those of Linux.
const (
	TCPEstablished TCPState = iota + 1
	TCPSynSent
	TCPSynReceived
	TCPFinWait1
	TCPFinWait2
	TCPTimeWait
	TCPClosed
	TCPCloseWait
	TCPLastAck
	TCPListening
	TCPClosing
)

// String returns the name of the state as ss(8) prints it.
func (s TCPState) String() string {
	names := [...]string{TCPEstablished: "ESTAB", TCPSynSent: "SYN-SENT", TCPSynReceived: "SYN-RECV",
		TCPFinWait1: "FIN-WAIT-1", TCPFinWait2: "FIN-WAIT-2", TCPTimeWait: "TIME-WAIT", TCPClosed: "UNCONN",
		TCPCloseWait: "CLOSE-WAIT", TCPLastAck: "LAST-ACK", TCPListening: "LISTEN", TCPClosing: "CLOSING"}
	if int(s) >= len(names) || names[s] == "" {
		return strconv.Itoa(int(s))
	}
	return names[s]
}

// TCPInfo is the value of [ConnectionInfo], struct tcp_info of Linux. Sizes are in bytes,
// rates in bytes per second, and the congestion window, thresholds for sending and counts
// of data in flight in segments. A field that the running kernel does not have is zero.
type TCPInfo struct {
	State            TCPState
	CongestionState  uint8         // 0 open, 1 disorder, 2 CWR, 3 recovery, 4 loss
	Retransmits      uint8         // consecutive timeouts without an acknowledgement
	Probes           uint8         // unanswered zero-window or keep-alive probes
	Backoff          uint8         // how many times RTO has been doubled
	Options          uint8         // bits: 1 timestamps, 2 SACK, 4 window scaling, 8 ECN, 32 data in SYN
	SendWindowScale  uint8         // shift of the peer's window
	ReceiveScale     uint8         // shift of this side's window
	AppLimited       bool          // whether the application limited DeliveryRate
	FastOpenFailure  uint8         // why the client's fast open failed; 0 if it did not
	RTO              time.Duration // retransmission timeout
	ATO              time.Duration // delay of acknowledgements
	SendMSS          uint32
	ReceiveMSS       uint32
	Unacked          uint32        // segments in flight; of a listener: connections waiting to be accepted
	Sacked           uint32        // segments selectively acknowledged; of a listener: its backlog
	Lost             uint32        // segments considered lost
	Retransmitted    uint32        // retransmitted segments in flight
	Fackets          uint32        // zero since Linux 4.15
	LastDataSent     time.Duration // time since data was last sent
	LastAckSent      time.Duration // always zero on Linux
	LastDataReceived time.Duration // time since data was last received
	LastAckReceived  time.Duration // time since an acknowledgement was last received
	PathMTU          uint32

	ReceiveThreshold uint32        // current limit of the advertised window
	RTT              time.Duration // smoothed round-trip time
	RTTVar           time.Duration // variation of RTT
	SendThreshold    uint32        // slow start threshold
	CongestionWindow uint32
	AdvertisedMSS    uint32
	Reordering       uint32 // by how many segments the path reorders

	ReceiveRTT        time.Duration // round-trip time as estimated by the receiver
	ReceiveSpace      uint32        // how much the application reads in one ReceiveRTT
	TotalRetransmits  uint32        // segments retransmitted since the start
	PacingRate        uint64
	MaxPacingRate     uint64
	BytesAcked        uint64
	BytesReceived     uint64
	SegmentsSent      uint32
	SegmentsReceived  uint32
	NotSentBytes      uint32        // in the send buffer and not sent yet
	MinRTT            time.Duration // lowest round-trip time
	DataSegsReceived  uint32        // segments with data
	DataSegsSent      uint32        // segments with data
	DeliveryRate      uint64
	BusyTime          time.Duration // time with data to send
	WindowLimited     time.Duration // part of BusyTime in which the peer's window was the limit
	BufferLimited     time.Duration // part of BusyTime in which the send buffer was the limit
	Delivered         uint32        // segments delivered
	DeliveredCE       uint32        // segments delivered with an ECN mark
	BytesSent         uint64        // including BytesRetrans
	BytesRetrans      uint64
	DuplicateSACKs    uint32        // D-SACK blocks received
	ReorderingSeen    uint32        // how often reordering was detected
	OutOfOrder        uint32        // segments received out of order
	SendWindow        uint32        // advertised by the peer, in bytes
	ReceiveWindow     uint32        // advertised by this side, in bytes
	Rehashes          uint32        // how often another path was tried
	RTOs              uint16        // retransmission timeouts since the start
	RTORecoveries     uint16        // recoveries from them
	RTORecoveringTime time.Duration // time spent in those recoveries
}

type tcpInfoValue struct{}

func (tcpInfoValue) room() int { return 512 }

func (tcpInfoValue) get(k *call) (TCPInfo, error) { return parseTCPInfo(k.b), nil }

// parseTCPInfo reads a struct tcp_info of any length: kernels append fields, and
// a field that is not there in full is zero.
func parseTCPInfo(b []byte) TCPInfo {
	r := infoReader{b}
	info := TCPInfo{
		State:           TCPState(r.Uint8()),
		CongestionState: r.Uint8(),
		Retransmits:     r.Uint8(),
		Probes:          r.Uint8(),
		Backoff:         r.Uint8(),
		Options:         r.Uint8(),
	}
	scales, flags := r.Bits(4, 4), r.Bits(1, 2, 5)
	info.SendWindowScale, info.ReceiveScale = scales[0], scales[1]
	info.AppLimited, info.FastOpenFailure = flags[0] != 0, flags[1]
	// The order is the kernel's, and there is no padding.
	info.RTO = r.micros()
	info.ATO = r.micros()
	info.SendMSS = r.Uint32()
	info.ReceiveMSS = r.Uint32()
	info.Unacked = r.Uint32()
	info.Sacked = r.Uint32()
	info.Lost = r.Uint32()
	info.Retransmitted = r.Uint32()
	info.Fackets = r.Uint32()
	info.LastDataSent = r.millis()
	info.LastAckSent = r.millis()
	info.LastDataReceived = r.millis()
	info.LastAckReceived = r.millis()
	info.PathMTU = r.Uint32()
	info.ReceiveThreshold = r.Uint32()
	info.RTT = r.micros()
	info.RTTVar = r.micros()
	info.SendThreshold = r.Uint32()
	info.CongestionWindow = r.Uint32()
	info.AdvertisedMSS = r.Uint32()
	info.Reordering = r.Uint32()
	info.ReceiveRTT = r.micros()
	info.ReceiveSpace = r.Uint32()
	info.TotalRetransmits = r.Uint32()
	info.PacingRate = r.Uint64()
	info.MaxPacingRate = r.Uint64()
	info.BytesAcked = r.Uint64()
	info.BytesReceived = r.Uint64()
	info.SegmentsSent = r.Uint32()
	info.SegmentsReceived = r.Uint32()
	info.NotSentBytes = r.Uint32()
	if us := r.Uint32(); us != math.MaxUint32 { // nothing measured yet
		info.MinRTT = time.Duration(us) * time.Microsecond
	}
	info.DataSegsReceived = r.Uint32()
	info.DataSegsSent = r.Uint32()
	info.DeliveryRate = r.Uint64()
	info.BusyTime = r.micros64()
	info.WindowLimited = r.micros64()
	info.BufferLimited = r.micros64()
	info.Delivered = r.Uint32()
	info.DeliveredCE = r.Uint32()
	info.BytesSent = r.Uint64()
	info.BytesRetrans = r.Uint64()
	info.DuplicateSACKs = r.Uint32()
	info.ReorderingSeen = r.Uint32()
	info.OutOfOrder = r.Uint32()
	info.SendWindow = r.Uint32()
	info.ReceiveWindow = r.Uint32()
	info.Rehashes = r.Uint32()
	info.RTOs = r.Uint16()
	info.RTORecoveries = r.Uint16()
	info.RTORecoveringTime = r.millis()
	return info
}

// infoReader reads times as well.
type infoReader struct{ sys.Reader }

func (r *infoReader) millis() time.Duration { return time.Duration(r.Uint32()) * time.Millisecond }
func (r *infoReader) micros() time.Duration { return time.Duration(r.Uint32()) * time.Microsecond }

func (r *infoReader) micros64() time.Duration {
	return time.Duration(r.Uint64()) * time.Microsecond
}

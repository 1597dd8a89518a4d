package sockopt

import (
	"math"
	"strconv"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// TCPState is the state of a TCP connection. See RFC 9293, section 3.3.2.
type TCPState uint8

// The states have the numbers that Linux gives them.
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

// String returns the state's name as ss(8) prints it.
func (s TCPState) String() string {
	names := [...]string{TCPEstablished: "ESTAB", TCPSynSent: "SYN-SENT", TCPSynReceived: "SYN-RECV",
		TCPFinWait1: "FIN-WAIT-1", TCPFinWait2: "FIN-WAIT-2", TCPTimeWait: "TIME-WAIT", TCPClosed: "UNCONN",
		TCPCloseWait: "CLOSE-WAIT", TCPLastAck: "LAST-ACK", TCPListening: "LISTEN", TCPClosing: "CLOSING"}
	if int(s) >= len(names) || names[s] == "" {
		return strconv.Itoa(int(s))
	}
	return names[s]
}

// TCPInfo is the value of [ConnectionInfo]: struct tcp_info of Linux, where its
// header explains each field. Sizes are in bytes, windows and counts of
// unacknowledged data in segments, rates in bytes per second. A field that the
// running kernel is too old to know is zero.
type TCPInfo struct {
	State            TCPState
	CongestionState  uint8 // TCP_CA_OPEN = 0, DISORDER, CWR, RECOVERY, LOSS
	Retransmits      uint8 // of the same segment, by timeout, so far
	Probes           uint8
	Backoff          uint8
	Options          uint8 // TCPI_OPT_TIMESTAMPS = 1, SACK = 2, WSCALE = 4, ECN = 8 ...
	SendWindowScale  uint8
	ReceiveScale     uint8
	AppLimited       bool  // DeliveryRate was bounded by the application
	FastOpenFailure  uint8 // why the client's fast open failed, 0 if it did not
	RTO              time.Duration
	ATO              time.Duration // delay of acknowledgements
	SendMSS          uint32
	ReceiveMSS       uint32
	Unacked          uint32 // of a listener: connections waiting for accept
	Sacked           uint32 // of a listener: its backlog
	Lost             uint32
	Retransmitted    uint32
	Fackets          uint32
	LastDataSent     time.Duration // since then
	LastAckSent      time.Duration // not kept by Linux
	LastDataReceived time.Duration
	LastAckReceived  time.Duration
	PathMTU          uint32

	ReceiveThreshold uint32
	RTT              time.Duration // smoothed
	RTTVar           time.Duration
	SendThreshold    uint32
	CongestionWindow uint32
	AdvertisedMSS    uint32
	Reordering       uint32

	ReceiveRTT        time.Duration
	ReceiveSpace      uint32
	TotalRetransmits  uint32
	PacingRate        uint64
	MaxPacingRate     uint64
	BytesAcked        uint64
	BytesReceived     uint64
	SegmentsSent      uint32
	SegmentsReceived  uint32
	NotSentBytes      uint32
	MinRTT            time.Duration
	DataSegsReceived  uint32
	DataSegsSent      uint32
	DeliveryRate      uint64
	BusyTime          time.Duration
	WindowLimited     time.Duration // of BusyTime, limited by the peer's window
	BufferLimited     time.Duration // of BusyTime, limited by the send buffer
	Delivered         uint32
	DeliveredCE       uint32
	BytesSent         uint64
	BytesRetrans      uint64
	DuplicateSACKs    uint32
	ReorderingSeen    uint32
	OutOfOrder        uint32
	SendWindow        uint32 // in bytes
	ReceiveWindow     uint32 // in bytes
	Rehashes          uint32
	RTOs              uint16
	RTORecoveries     uint16
	RTORecoveringTime time.Duration
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

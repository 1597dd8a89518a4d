package sockopt

import (
	"encoding/binary"
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
// header explains each field. Sizes are in octets, windows and counts of
// unacknowledged data in segments, rates in octets per second. A field that the
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
	SendWindow        uint32 // in octets
	ReceiveWindow     uint32 // in octets
	Rehashes          uint32
	RTOs              uint16
	RTORecoveries     uint16
	RTORecoveringTime time.Duration
}

type tcpInfoValue struct{}

func (tcpInfoValue) get(fd uintptr, o sys.Opt) (TCPInfo, error) {
	var b [512]byte
	n, err := sys.OptGetBytes(fd, o, b[:])
	if err != nil {
		return TCPInfo{}, err
	}
	return parseTCPInfo(b[:n]), nil
}

// parseTCPInfo reads a struct tcp_info of any length: kernels append fields, and
// a field that is not there in full is zero.
func parseTCPInfo(b []byte) TCPInfo {
	r := nativeReader(b)
	info := TCPInfo{
		State:           TCPState(r.uint8()),
		CongestionState: r.uint8(),
		Retransmits:     r.uint8(),
		Probes:          r.uint8(),
		Backoff:         r.uint8(),
		Options:         r.uint8(),
	}
	scales, flags := r.uint8(), r.uint8()
	// Bit fields start at the low end on little-endian machines, at the high end
	// on others.
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		info.SendWindowScale, info.ReceiveScale = scales&0xf, scales>>4
		info.AppLimited, info.FastOpenFailure = flags&1 != 0, flags>>1&3
	} else {
		info.SendWindowScale, info.ReceiveScale = scales>>4, scales&0xf
		info.AppLimited, info.FastOpenFailure = flags>>7 != 0, flags>>5&3
	}
	// The order is the kernel's, and there is no padding.
	info.RTO = r.micros()
	info.ATO = r.micros()
	info.SendMSS = r.uint32()
	info.ReceiveMSS = r.uint32()
	info.Unacked = r.uint32()
	info.Sacked = r.uint32()
	info.Lost = r.uint32()
	info.Retransmitted = r.uint32()
	info.Fackets = r.uint32()
	info.LastDataSent = r.millis()
	info.LastAckSent = r.millis()
	info.LastDataReceived = r.millis()
	info.LastAckReceived = r.millis()
	info.PathMTU = r.uint32()
	info.ReceiveThreshold = r.uint32()
	info.RTT = r.micros()
	info.RTTVar = r.micros()
	info.SendThreshold = r.uint32()
	info.CongestionWindow = r.uint32()
	info.AdvertisedMSS = r.uint32()
	info.Reordering = r.uint32()
	info.ReceiveRTT = r.micros()
	info.ReceiveSpace = r.uint32()
	info.TotalRetransmits = r.uint32()
	info.PacingRate = r.uint64()
	info.MaxPacingRate = r.uint64()
	info.BytesAcked = r.uint64()
	info.BytesReceived = r.uint64()
	info.SegmentsSent = r.uint32()
	info.SegmentsReceived = r.uint32()
	info.NotSentBytes = r.uint32()
	if us := r.uint32(); us != math.MaxUint32 { // nothing measured yet
		info.MinRTT = time.Duration(us) * time.Microsecond
	}
	info.DataSegsReceived = r.uint32()
	info.DataSegsSent = r.uint32()
	info.DeliveryRate = r.uint64()
	info.BusyTime = r.micros64()
	info.WindowLimited = r.micros64()
	info.BufferLimited = r.micros64()
	info.Delivered = r.uint32()
	info.DeliveredCE = r.uint32()
	info.BytesSent = r.uint64()
	info.BytesRetrans = r.uint64()
	info.DuplicateSACKs = r.uint32()
	info.ReorderingSeen = r.uint32()
	info.OutOfOrder = r.uint32()
	info.SendWindow = r.uint32()
	info.ReceiveWindow = r.uint32()
	info.Rehashes = r.uint32()
	info.RTOs = r.uint16()
	info.RTORecoveries = r.uint16()
	info.RTORecoveringTime = r.millis()
	return info
}

// nativeReader cuts numbers off its front, and gives zeros once it is too short.
type nativeReader []byte

// next returns the next n octets.
func (r *nativeReader) next(n int) []byte {
	if len(*r) < n {
		*r = nil
		return make([]byte, n)
	}
	b := (*r)[:n]
	*r = (*r)[n:]
	return b
}

func (r *nativeReader) uint8() uint8   { return r.next(1)[0] }
func (r *nativeReader) uint16() uint16 { return binary.NativeEndian.Uint16(r.next(2)) }
func (r *nativeReader) uint32() uint32 { return binary.NativeEndian.Uint32(r.next(4)) }
func (r *nativeReader) uint64() uint64 { return binary.NativeEndian.Uint64(r.next(8)) }

func (r *nativeReader) millis() time.Duration { return time.Duration(r.uint32()) * time.Millisecond }
func (r *nativeReader) micros() time.Duration { return time.Duration(r.uint32()) * time.Microsecond }

func (r *nativeReader) micros64() time.Duration {
	return time.Duration(r.uint64()) * time.Microsecond
}

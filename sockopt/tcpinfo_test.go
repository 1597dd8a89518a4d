//go:build linux

package sockopt

import (
	"encoding/binary"
	"io"
	"net"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func testConnectionInfo(t *testing.T, kind string) {
	dialed, accepted := dialSelf(t, kind)
	if _, err := dialed.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(accepted, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	c := accepted.(*net.TCPConn)
	info, err := ConnectionInfo.Get(c)
	if err != nil {
		t.Fatal(err)
	}
	// The rest of it changes as time goes by.
	got := TCPInfo{State: info.State, SendMSS: info.SendMSS, PathMTU: info.PathMTU, BytesReceived: info.BytesReceived,
		ReceiveWindow: info.ReceiveWindow}
	control(t, c, func(fd int) error {
		raw, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return err
		}
		want := TCPInfo{State: TCPEstablished, SendMSS: raw.Snd_mss, PathMTU: raw.Pmtu, BytesReceived: raw.Bytes_received,
			ReceiveWindow: raw.Rcv_wnd}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("info mismatch (-want +got):\n%s", diff)
		}
		return nil
	})
	if info.BytesReceived < 1000 || info.RTT <= 0 || info.RTT > time.Minute {
		t.Errorf("%d bytes received, round trip %v", info.BytesReceived, info.RTT)
	}
}

// tcpInfoFields says where each field of TCPInfo comes from in x/sys/unix, and in
// which unit; zero is no duration.
var tcpInfoFields = map[string]struct {
	raw  string
	unit time.Duration
}{
	"State": {"State", 0}, "CongestionState": {"Ca_state", 0}, "Retransmits": {"Retransmits", 0}, "Probes": {"Probes", 0},
	"Backoff": {"Backoff", 0}, "Options": {"Options", 0}, "RTO": {"Rto", time.Microsecond}, "ATO": {"Ato", time.Microsecond},
	"SendMSS": {"Snd_mss", 0}, "ReceiveMSS": {"Rcv_mss", 0}, "Unacked": {"Unacked", 0}, "Sacked": {"Sacked", 0},
	"Lost": {"Lost", 0}, "Retransmitted": {"Retrans", 0}, "Fackets": {"Fackets", 0},
	"LastDataSent": {"Last_data_sent", time.Millisecond}, "LastAckSent": {"Last_ack_sent", time.Millisecond},
	"LastDataReceived": {"Last_data_recv", time.Millisecond}, "LastAckReceived": {"Last_ack_recv", time.Millisecond},
	"PathMTU": {"Pmtu", 0}, "ReceiveThreshold": {"Rcv_ssthresh", 0}, "RTT": {"Rtt", time.Microsecond},
	"RTTVar": {"Rttvar", time.Microsecond}, "SendThreshold": {"Snd_ssthresh", 0}, "CongestionWindow": {"Snd_cwnd", 0},
	"AdvertisedMSS": {"Advmss", 0}, "Reordering": {"Reordering", 0}, "ReceiveRTT": {"Rcv_rtt", time.Microsecond},
	"ReceiveSpace": {"Rcv_space", 0}, "TotalRetransmits": {"Total_retrans", 0}, "PacingRate": {"Pacing_rate", 0},
	"MaxPacingRate": {"Max_pacing_rate", 0}, "BytesAcked": {"Bytes_acked", 0}, "BytesReceived": {"Bytes_received", 0},
	"SegmentsSent": {"Segs_out", 0}, "SegmentsReceived": {"Segs_in", 0}, "NotSentBytes": {"Notsent_bytes", 0},
	"MinRTT": {"Min_rtt", time.Microsecond}, "DataSegsReceived": {"Data_segs_in", 0}, "DataSegsSent": {"Data_segs_out", 0},
	"DeliveryRate": {"Delivery_rate", 0}, "BusyTime": {"Busy_time", time.Microsecond},
	"WindowLimited": {"Rwnd_limited", time.Microsecond}, "BufferLimited": {"Sndbuf_limited", time.Microsecond},
	"Delivered": {"Delivered", 0}, "DeliveredCE": {"Delivered_ce", 0}, "BytesSent": {"Bytes_sent", 0},
	"BytesRetrans": {"Bytes_retrans", 0}, "DuplicateSACKs": {"Dsack_dups", 0}, "ReorderingSeen": {"Reord_seen", 0},
	"OutOfOrder": {"Rcv_ooopack", 0}, "SendWindow": {"Snd_wnd", 0}, "ReceiveWindow": {"Rcv_wnd", 0},
	"Rehashes": {"Rehash", 0}, "RTOs": {"Total_rto", 0}, "RTORecoveries": {"Total_rto_recoveries", 0},
	"RTORecoveringTime": {"Total_rto_time", time.Millisecond},
}

// TestParseTCPInfo compares field by field with the layout that x/sys/unix has,
// for an answer of the kernel's that ends anywhere.
func TestParseTCPInfo(t *testing.T) {
	var raw unix.TCPInfo
	full := unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw))
	for i := range full {
		full[i] = byte(i%100 + 1)
	}
	// Outside of the map: bit fields, which x/sys/unix leaves out.
	full[6], full[7] = 0x97, 0x5
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		full[6], full[7] = 0x79, 0xc0
	}

	for size := 0; size <= len(full); size++ {
		got := parseTCPInfo(full[:size])
		for i := range reflect.TypeFor[TCPInfo]().NumField() {
			name := reflect.TypeFor[TCPInfo]().Field(i).Name
			from, ok := tcpInfoFields[name]
			if !ok {
				continue
			}
			sf, ok := reflect.TypeFor[unix.TCPInfo]().FieldByName(from.raw)
			if !ok {
				t.Fatalf("no field %s", from.raw)
			}
			var want uint64
			if int(sf.Offset+sf.Type.Size()) <= size {
				want = reflect.ValueOf(raw).FieldByName(from.raw).Uint()
			}
			field := reflect.ValueOf(got).Field(i)
			if from.unit != 0 {
				if v := time.Duration(want) * from.unit; field.Int() != int64(v) {
					t.Errorf("%d bytes: %s = %v, want %v", size, name, time.Duration(field.Int()), v)
				}
			} else if field.Uint() != want {
				t.Errorf("%d bytes: %s = %d, want %d", size, name, field.Uint(), want)
			}
		}
	}

	got := parseTCPInfo(full)
	if got.SendWindowScale != 7 || got.ReceiveScale != 9 || !got.AppLimited || got.FastOpenFailure != 2 {
		t.Errorf("bit fields: %d %d %v %d, want 7 9 true 2", got.SendWindowScale, got.ReceiveScale, got.AppLimited, got.FastOpenFailure)
	}
	if n := reflect.TypeFor[TCPInfo]().NumField(); n != len(tcpInfoFields)+4 {
		t.Errorf("%d of %d fields are tested", len(tcpInfoFields)+4, n)
	}
}

func TestParseTCPInfoUnknownMinRTT(t *testing.T) {
	var raw unix.TCPInfo
	raw.Min_rtt = ^uint32(0)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw))
	if got := parseTCPInfo(b).MinRTT; got != 0 {
		t.Errorf("MinRTT = %v before the first measurement, want 0", got)
	}
}

func TestTCPStateString(t *testing.T) {
	for want, s := range map[string]TCPState{"ESTAB": 1, "LISTEN": unix.BPF_TCP_LISTEN, "CLOSING": unix.BPF_TCP_CLOSING, "0": 0, "77": 77} {
		if got := s.String(); got != want {
			t.Errorf("state %d is %q, want %q", uint8(s), got, want)
		}
	}
}

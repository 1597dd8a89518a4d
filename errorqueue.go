package sockets

import (
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// QueuedError is a report from a socket's error queue: why a datagram did not arrive,
// as far as that is known, or what became of a datagram that was sent.
type QueuedError struct {
	// Addr is where the datagram was sent.
	Addr netip.AddrPort

	// Err is the reason, for use with errors.Is: syscall.ECONNREFUSED, for example, if no
	// socket receives at Addr. It is zero if Origin is QueuedZeroCopy, and syscall.ENOMSG
	// if Origin is QueuedTimestamp.
	Err syscall.Errno

	// Origin tells what the report is about.
	Origin QueuedOrigin

	// Reporter is the router or host that reported the error by ICMP. The zero Addr means
	// this host's kernel. Type and Code are those of the ICMP message, or of the ICMPv6
	// message if Addr is an IPv6 address.
	Reporter   netip.Addr
	Type, Code uint8

	// MTU is the size in bytes, including the IP header, that the path can carry. It is
	// set if Err is syscall.EMSGSIZE.
	MTU int

	// Time and HardwareTime are when the datagram was sent, by the kernel's clock or by
	// that of the device. Only one of them is set, and only if Origin is QueuedTimestamp.
	Time, HardwareTime time.Time

	// Info and Data are ee_info and ee_data of the report.
	//
	// For QueuedTimestamp, Info tells which time is reported (0 sent, 1 queued, 2
	// acknowledged), and Data is the number of the datagram if sockopt.TimestampOptID is
	// set. For QueuedZeroCopy, they are the first and the last number of the sends whose
	// buffers are free again, and Code is 1 if the kernel copied the data after all. For
	// QueuedTxTime, they are the lower and the upper half of the time that was asked for.
	Info, Data uint32
}

// QueuedOrigin tells what a report from the error queue is about. The values are those
// of ee_origin in struct sock_extended_err; see IP_RECVERR in ip(7).
type QueuedOrigin uint8

const (
	// An error that this host detected.
	QueuedLocal QueuedOrigin = sys.SO_EE_ORIGIN_LOCAL
	// An ICMP message.
	QueuedICMP QueuedOrigin = sys.SO_EE_ORIGIN_ICMP
	// An ICMPv6 message.
	QueuedICMP6 QueuedOrigin = sys.SO_EE_ORIGIN_ICMP6
	// A datagram was sent, see sockopt.Timestamping.
	QueuedTimestamp QueuedOrigin = sys.SO_EE_ORIGIN_TIMESTAMPING
	// A buffer is free again, see sockopt.ZeroCopy.
	QueuedZeroCopy QueuedOrigin = sys.SO_EE_ORIGIN_ZEROCOPY
	// A datagram missed its time, see sockopt.TxTime.
	QueuedTxTime QueuedOrigin = sys.SO_EE_ORIGIN_TXTIME
)

func (e *QueuedError) Error() string {
	to := "datagram"
	if e.Addr.IsValid() {
		to += " to " + e.Addr.String()
	}
	switch e.Origin {
	case QueuedTimestamp:
		t := e.Time
		if t.IsZero() {
			t = e.HardwareTime
		}
		return fmt.Sprintf("%s: time stamp %v", to, t)
	case QueuedZeroCopy:
		return fmt.Sprintf("buffers of sends %d to %d are free", e.Info, e.Data)
	case QueuedTxTime:
		return fmt.Sprintf("%s: time %d: %v", to, uint64(e.Data)<<32|uint64(e.Info), e.Err)
	}
	s := fmt.Sprintf("%s: %v", to, e.Err)
	if e.Reporter.IsValid() {
		s += fmt.Sprintf(" (reported by %v)", e.Reporter)
	}
	return s
}

// Unwrap returns Err, or nil if that is zero.
func (e *QueuedError) Unwrap() error { return errnoErr(e.Err) }

// ReadErrorQueue takes the next report from the socket's error queue. It stores the
// beginning of the datagram that the report is about in b, and returns its length. It
// does not wait: if there is no report, it fails with [syscall.EAGAIN].
//
// The kernel queues reports for sockets with [sockopt.ReceiveError] or
// [sockopt.ReceiveError6], see ip(7), and with [sockopt.Timestamping],
// [sockopt.ZeroCopy] and [sockopt.TxTime]. Systems without an error queue return
// [errors.ErrUnsupported].
//
// A report about an error also makes the next call that sends or receives fail once with
// its errno. [UDPConn.WriteBatch] on a socket without a peer continues after such an
// error, so call ReadErrorQueue after a batch.
func (c *UDPConn) ReadErrorQueue(b []byte) (n int, report *QueuedError, err error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	n, report, err = readErrorQueue(c.fd, b)
	return n, report, opError(c.fd, "read", err)
}

func readErrorQueue(fd *netfd.FD, b []byte) (n int, report *QueuedError, err error) {
	var (
		to  sys.Sockaddr
		oob [512]byte
	)
	n, oobn, err := fd.ReadErrorQueue(b, oob[:], &to)
	if err != nil {
		return 0, nil, err
	}
	report, ok := parseQueuedError(oob[:oobn])
	if !ok {
		return n, nil, fmt.Errorf("sockets: error queue without an error: %w", syscall.EINVAL)
	}
	report.Addr = decodeAddrPort(&to)
	return n, report, nil
}

// parseQueuedError finds the report in control data, and the times that come beside
// it.
func parseQueuedError(oob []byte) (*QueuedError, bool) {
	var (
		e     QueuedError
		found bool
	)
	for c, rest, ok := sys.NextCmsg(oob); ok; c, rest, ok = sys.NextCmsg(rest) {
		if software, hardware, ok := sys.ParseTime(c); ok && !(software.IsZero() && hardware.IsZero()) {
			e.Time, e.HardwareTime = software, hardware
		}
		x, ok := sys.ParseExtendedErr(c)
		if !ok || x.Origin < sys.SO_EE_ORIGIN_LOCAL || x.Origin > sys.SO_EE_ORIGIN_TXTIME {
			continue
		}
		found = true
		e.Err, e.Origin = syscall.Errno(x.Errno), QueuedOrigin(x.Origin)
		switch e.Origin {
		case QueuedLocal:
		case QueuedICMP, QueuedICMP6:
			e.Type, e.Code = x.Type, x.Code
			e.Reporter = decodeAddrPort(&x.Offender).Addr()
		default:
			e.Type, e.Code, e.Info, e.Data = x.Type, x.Code, x.Info, x.Data
		}
		if e.Err == syscall.EMSGSIZE {
			e.MTU = int(x.Info)
		}
	}
	if e.Origin != QueuedTimestamp {
		e.Time, e.HardwareTime = time.Time{}, time.Time{}
	}
	return &e, found
}

package sys

import "time"

// ExtendedErr is a struct sock_extended_err and the address behind it, of
// linux/errqueue.h.
type ExtendedErr struct {
	Errno      uint32
	Origin     uint8
	Type, Code uint8
	Info, Data uint32
	Offender   Sockaddr // no address if there is no reporter
}

// Origins of a report, linux/errqueue.h.
const (
	SO_EE_ORIGIN_LOCAL        = 1
	SO_EE_ORIGIN_ICMP         = 2
	SO_EE_ORIGIN_ICMP6        = 3
	SO_EE_ORIGIN_TIMESTAMPING = 4
	SO_EE_ORIGIN_ZEROCOPY     = 5
	SO_EE_ORIGIN_TXTIME       = 6
)

// ParseExtendedErr reads the report in a control message, if that is what it is.
func ParseExtendedErr(c Cmsg) (e ExtendedErr, ok bool) {
	if !c.Is(IPPROTO_IP, IP_RECVERR) && !c.Is(IPPROTO_IPV6, IPV6_RECVERR) || len(c.Data) < 16 {
		return e, false
	}
	r := Reader(c.Data)
	e.Errno = r.Uint32()
	e.Origin, e.Type, e.Code = r.Uint8(), r.Uint8(), r.Uint8()
	r.Uint8()
	e.Info, e.Data = r.Uint32(), r.Uint32()
	if e.Origin == SO_EE_ORIGIN_ICMP || e.Origin == SO_EE_ORIGIN_ICMP6 {
		e.Offender.SetBytes(r[:min(len(r), 28)])
	}
	return e, true
}

// ParseTime reads the times in a control message: one of SO_TIMESTAMP or
// SO_TIMESTAMPNS, or those that software and hardware took, of SO_TIMESTAMPING. There
// are none in a message of another kind. ok says whether the message is well formed.
func ParseTime(c Cmsg) (software, hardware time.Time, ok bool) {
	count, unit := 1, time.Nanosecond
	switch {
	case c.Is(SOL_SOCKET, SCM_TIMESTAMPNS):
	case c.Is(SOL_SOCKET, SCM_TIMESTAMP):
		unit = time.Microsecond
	case c.Is(SOL_SOCKET, SCM_TIMESTAMPING):
		count = 3 // the second is out of use
	default:
		return software, hardware, true
	}
	var times [3]time.Time
	// Two words each, or 64 bits on a system whose words are shorter.
	wide := len(c.Data) == 16*count
	if !wide && len(c.Data) != 8*count {
		return software, hardware, false
	}
	r := Reader(c.Data)
	for i := range count {
		var sec, part int64
		if wide {
			sec, part = int64(r.Uint64()), int64(r.Uint64())
		} else {
			sec, part = int64(r.Int()), int64(r.Int())
		}
		if sec != 0 || part != 0 {
			times[i] = time.Unix(sec, part*int64(unit))
		}
	}
	return times[0], times[2], true
}

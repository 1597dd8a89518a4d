//go:build linux || darwin || freebsd || netbsd || openbsd

package sys

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// AppendLinger appends a struct linger.
func AppendLinger(b []byte, on bool, seconds int) []byte {
	l := unix.Linger{Onoff: int32(boolint(on)), Linger: int32(seconds)}
	return append(b, Bytes(&l)...)
}

// Linger reads a struct linger.
func Linger(b []byte) (on bool, seconds int) {
	var l unix.Linger
	copy(Bytes(&l), b)
	return l.Onoff != 0, int(l.Linger)
}

// AppendTimeval appends a struct timeval, v rounded up to a microsecond.
func AppendTimeval(b []byte, v time.Duration) []byte {
	tv := unix.NsecToTimeval(int64(v))
	return append(b, Bytes(&tv)...)
}

// Timeval reads a struct timeval.
func Timeval(b []byte) time.Duration {
	var tv unix.Timeval
	copy(Bytes(&tv), b)
	return time.Duration(tv.Nano())
}

func optSocketName(domain, typ, proto int) string {
	var family string
	switch domain {
	case unix.AF_UNIX:
		switch typ {
		case unix.SOCK_DGRAM:
			return "unixgram"
		case unix.SOCK_SEQPACKET:
			return "unixpacket"
		}
		return "unix"
	case unix.AF_INET:
		family = "4"
	case unix.AF_INET6:
		family = "6"
	default:
		return "family " + strconv.Itoa(domain)
	}
	if name := optIPName(proto); name != "" {
		return name + family
	}
	switch typ {
	case unix.SOCK_STREAM:
		return "tcp" + family
	case unix.SOCK_DGRAM:
		if proto == unix.IPPROTO_ICMP || proto == unix.IPPROTO_ICMPV6 {
			return "ping" + family
		}
		return "udp" + family
	case unix.SOCK_RAW:
		return "raw" + family + ":" + strconv.Itoa(proto)
	}
	return "ip" + family + ":" + strconv.Itoa(proto)
}

//go:build linux || darwin || freebsd || netbsd || openbsd

package sys

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// OptGetInt reads an option whose value is an int.
func OptGetInt(fd uintptr, o Opt) (int, error) {
	if o.Byte {
		v, err := unix.GetsockoptByte(int(fd), o.Level, o.Num)
		return int(v), err
	}
	return unix.GetsockoptInt(int(fd), o.Level, o.Num)
}

// OptSetInt sets an option whose value is an int; the kernel sees v's low 32 bits.
func OptSetInt(fd uintptr, o Opt, v int) error {
	if o.Fixed {
		return errors.ErrUnsupported
	}
	if o.Byte {
		return unix.SetsockoptByte(int(fd), o.Level, o.Num, byte(v))
	}
	return unix.SetsockoptInt(int(fd), o.Level, o.Num, v)
}

// OptGetUint64 reads an option whose value is 64 bits wide.
func OptGetUint64(fd uintptr, o Opt) (uint64, error) {
	return unix.GetsockoptUint64(int(fd), o.Level, o.Num)
}

// OptSetUint64 sets an option whose value is 64 bits wide.
func OptSetUint64(fd uintptr, o Opt, v uint64) error {
	return unix.SetsockoptUint64(int(fd), o.Level, o.Num, v)
}

// OptGetString reads an option whose value is text, without its terminator.
func OptGetString(fd uintptr, o Opt) (string, error) {
	return unix.GetsockoptString(int(fd), o.Level, o.Num)
}

// OptSetString sets an option whose value is text.
func OptSetString(fd uintptr, o Opt, v string) error {
	return unix.SetsockoptString(int(fd), o.Level, o.Num, v)
}

// OptGetInet4Addr reads an option whose value is a struct in_addr.
func OptGetInet4Addr(fd uintptr, o Opt) ([4]byte, error) {
	return unix.GetsockoptInet4Addr(int(fd), o.Level, o.Num)
}

// OptSetInet4Addr sets an option whose value is a struct in_addr.
func OptSetInet4Addr(fd uintptr, o Opt, v [4]byte) error {
	return unix.SetsockoptInet4Addr(int(fd), o.Level, o.Num, v)
}

// OptGetLinger reads an option whose value is a struct linger.
func OptGetLinger(fd uintptr, o Opt) (on bool, seconds int, err error) {
	l, err := unix.GetsockoptLinger(int(fd), o.Level, o.Num)
	if err != nil {
		return false, 0, err
	}
	return l.Onoff != 0, int(l.Linger), nil
}

// OptSetLinger sets an option whose value is a struct linger.
func OptSetLinger(fd uintptr, o Opt, on bool, seconds int) error {
	l := unix.Linger{Linger: int32(seconds)}
	if on {
		l.Onoff = 1
	}
	return unix.SetsockoptLinger(int(fd), o.Level, o.Num, &l)
}

// OptGetTimeval reads an option whose value is a struct timeval.
func OptGetTimeval(fd uintptr, o Opt) (time.Duration, error) {
	tv, err := unix.GetsockoptTimeval(int(fd), o.Level, o.Num)
	if err != nil {
		return 0, err
	}
	return time.Duration(tv.Nano()), nil
}

// OptSetTimeval sets an option whose value is a struct timeval, to v rounded up to
// a microsecond.
func OptSetTimeval(fd uintptr, o Opt, v time.Duration) error {
	tv := unix.NsecToTimeval(int64(v))
	return unix.SetsockoptTimeval(int(fd), o.Level, o.Num, &tv)
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

//go:build darwin || freebsd || netbsd || openbsd

package sys

import (
	"errors"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// bsdOpts are the options that all BSDs have under the same name.
var bsdOpts = []Opt{
	{Name: "IPV6_DONTFRAG", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_DONTFRAG},
	{Name: "IPV6_MULTICAST_HOPS", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MULTICAST_HOPS},
	{Name: "IPV6_MULTICAST_IF", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MULTICAST_IF},
	{Name: "IPV6_MULTICAST_LOOP", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MULTICAST_LOOP},
	{Name: "IPV6_RECVHOPLIMIT", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_RECVHOPLIMIT},
	{Name: "IPV6_RECVPKTINFO", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_RECVPKTINFO},
	{Name: "IPV6_RECVTCLASS", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_RECVTCLASS},
	{Name: "IPV6_TCLASS", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_TCLASS},
	{Name: "IPV6_UNICAST_HOPS", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_UNICAST_HOPS},
	{Name: "IPV6_V6ONLY", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_V6ONLY},
	{Name: "IP_HDRINCL", Level: unix.IPPROTO_IP, Num: unix.IP_HDRINCL},
	{Name: "IP_MULTICAST_IF", Level: unix.IPPROTO_IP, Num: unix.IP_MULTICAST_IF},
	{Name: "IP_MULTICAST_LOOP", Level: unix.IPPROTO_IP, Num: unix.IP_MULTICAST_LOOP, Byte: true},
	{Name: "IP_MULTICAST_TTL", Level: unix.IPPROTO_IP, Num: unix.IP_MULTICAST_TTL, Byte: true},
	{Name: "IP_RECVTTL", Level: unix.IPPROTO_IP, Num: unix.IP_RECVTTL},
	{Name: "IP_TOS", Level: unix.IPPROTO_IP, Num: unix.IP_TOS},
	{Name: "IP_TTL", Level: unix.IPPROTO_IP, Num: unix.IP_TTL},
	{Name: "SO_ACCEPTCONN", Level: unix.SOL_SOCKET, Num: unix.SO_ACCEPTCONN},
	{Name: "SO_BROADCAST", Level: unix.SOL_SOCKET, Num: unix.SO_BROADCAST},
	{Name: "SO_DEBUG", Level: unix.SOL_SOCKET, Num: unix.SO_DEBUG},
	{Name: "SO_DONTROUTE", Level: unix.SOL_SOCKET, Num: unix.SO_DONTROUTE},
	{Name: "SO_ERROR", Level: unix.SOL_SOCKET, Num: unix.SO_ERROR},
	{Name: "SO_KEEPALIVE", Level: unix.SOL_SOCKET, Num: unix.SO_KEEPALIVE},
	{Name: "SO_LINGER", Level: unix.SOL_SOCKET, Num: SO_LINGER},
	{Name: "SO_OOBINLINE", Level: unix.SOL_SOCKET, Num: unix.SO_OOBINLINE},
	{Name: "SO_RCVBUF", Level: unix.SOL_SOCKET, Num: unix.SO_RCVBUF},
	{Name: "SO_RCVLOWAT", Level: unix.SOL_SOCKET, Num: unix.SO_RCVLOWAT},
	{Name: "SO_RCVTIMEO", Level: unix.SOL_SOCKET, Num: unix.SO_RCVTIMEO},
	{Name: "SO_REUSEADDR", Level: unix.SOL_SOCKET, Num: unix.SO_REUSEADDR},
	{Name: "SO_REUSEPORT", Level: unix.SOL_SOCKET, Num: unix.SO_REUSEPORT},
	{Name: "SO_SNDBUF", Level: unix.SOL_SOCKET, Num: unix.SO_SNDBUF},
	{Name: "SO_SNDLOWAT", Level: unix.SOL_SOCKET, Num: unix.SO_SNDLOWAT},
	{Name: "SO_SNDTIMEO", Level: unix.SOL_SOCKET, Num: unix.SO_SNDTIMEO},
	{Name: "SO_TIMESTAMP", Level: unix.SOL_SOCKET, Num: unix.SO_TIMESTAMP},
	{Name: "SO_TYPE", Level: unix.SOL_SOCKET, Num: unix.SO_TYPE},
	{Name: "TCP_MAXSEG", Level: unix.IPPROTO_TCP, Num: unix.TCP_MAXSEG},
	{Name: "TCP_NODELAY", Level: unix.IPPROTO_TCP, Num: unix.TCP_NODELAY},
}

// OptGet reads the option's value into b and returns how long it is. x/sys has a
// function for each size, of which the lengths here are those that options have.
func OptGet(fd uintptr, o *Opt, b []byte) (int, error) {
	if o.Byte {
		v, err := unix.GetsockoptByte(int(fd), o.Level, o.getNum())
		return copy(b, AppendInt(nil, int(v))), err
	}
	if len(b) < 4 {
		return 4, nil
	}
	// The longest value that x/sys reads without looking at it.
	v, err := unix.GetsockoptICMPv6Filter(int(fd), o.Level, o.getNum())
	return copy(b, Bytes(v)), err
}

// OptSet makes b the option's value. See setsockopt(2).
func OptSet(fd uintptr, o *Opt, b []byte) error {
	if o.Fixed {
		return errors.ErrUnsupported
	}
	if o.Byte {
		r := Reader(b)
		return unix.SetsockoptByte(int(fd), o.Level, o.Num, byte(r.Int()))
	}
	return unix.SetsockoptString(int(fd), o.Level, o.Num, string(b))
}

// OptSetProgram answers errors.ErrUnsupported: sockets have no programs here.
func OptSetProgram(uintptr, *Opt, []bpf.RawInstruction) error { return errors.ErrUnsupported }

// OptChoices returns "": these systems do not list the choices.
func OptChoices(*Opt) string { return "" }

// OptSocketName describes the socket by family and type in net's words: "tcp4",
// "udp6", "raw6:0", "unixgram". It is empty if fd is no socket.
func OptSocketName(fd uintptr) string {
	typ, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return ""
	}
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return ""
	}
	domain := unix.AF_UNSPEC
	switch sa.(type) {
	case *unix.SockaddrInet4:
		domain = unix.AF_INET
	case *unix.SockaddrInet6:
		domain = unix.AF_INET6
	case *unix.SockaddrUnix:
		domain = unix.AF_UNIX
	}
	// The protocol is left out: not every system can tell it.
	return optSocketName(domain, typ, 0)
}

func optIPName(int) string { return "" }

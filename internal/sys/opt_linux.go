package sys

import (
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var optTables = [][]Opt{{
	{Name: "ICMP_FILTER", Level: unix.SOL_RAW, Num: unix.ICMP_FILTER},
	{Name: "IPV6_DONTFRAG", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_DONTFRAG},
	{Name: "IPV6_FREEBIND", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_FREEBIND},
	{Name: "IPV6_HDRINCL", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_HDRINCL},
	{Name: "IPV6_MTU", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MTU},
	{Name: "IPV6_MTU_DISCOVER", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MTU_DISCOVER},
	{Name: "IPV6_MULTICAST_ALL", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MULTICAST_ALL},
	{Name: "IPV6_MULTICAST_HOPS", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MULTICAST_HOPS},
	{Name: "IPV6_MULTICAST_IF", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MULTICAST_IF},
	{Name: "IPV6_MULTICAST_LOOP", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MULTICAST_LOOP},
	{Name: "IPV6_RECVERR", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_RECVERR},
	{Name: "IPV6_RECVHOPLIMIT", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_RECVHOPLIMIT},
	{Name: "IPV6_RECVORIGDSTADDR", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_RECVORIGDSTADDR},
	{Name: "IPV6_RECVPKTINFO", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_RECVPKTINFO},
	{Name: "IPV6_RECVTCLASS", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_RECVTCLASS},
	{Name: "IPV6_TCLASS", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_TCLASS},
	{Name: "IPV6_TRANSPARENT", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_TRANSPARENT},
	{Name: "IPV6_UNICAST_HOPS", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_UNICAST_HOPS},
	{Name: "IPV6_V6ONLY", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_V6ONLY},
	{Name: "IP_BIND_ADDRESS_NO_PORT", Level: unix.IPPROTO_IP, Num: unix.IP_BIND_ADDRESS_NO_PORT},
	{Name: "IP_FREEBIND", Level: unix.IPPROTO_IP, Num: unix.IP_FREEBIND},
	{Name: "IP_HDRINCL", Level: unix.IPPROTO_IP, Num: unix.IP_HDRINCL},
	{Name: "IP_LOCAL_PORT_RANGE", Level: unix.IPPROTO_IP, Num: unix.IP_LOCAL_PORT_RANGE},
	{Name: "IP_MINTTL", Level: unix.IPPROTO_IP, Num: unix.IP_MINTTL},
	{Name: "IP_MTU", Level: unix.IPPROTO_IP, Num: unix.IP_MTU},
	{Name: "IP_MTU_DISCOVER", Level: unix.IPPROTO_IP, Num: unix.IP_MTU_DISCOVER},
	{Name: "IP_MULTICAST_ALL", Level: unix.IPPROTO_IP, Num: unix.IP_MULTICAST_ALL},
	{Name: "IP_MULTICAST_IF", Level: unix.IPPROTO_IP, Num: unix.IP_MULTICAST_IF},
	{Name: "IP_MULTICAST_LOOP", Level: unix.IPPROTO_IP, Num: unix.IP_MULTICAST_LOOP},
	{Name: "IP_MULTICAST_TTL", Level: unix.IPPROTO_IP, Num: unix.IP_MULTICAST_TTL},
	{Name: "IP_PKTINFO", Level: unix.IPPROTO_IP, Num: unix.IP_PKTINFO},
	{Name: "IP_RECVERR", Level: unix.IPPROTO_IP, Num: unix.IP_RECVERR},
	{Name: "IP_RECVORIGDSTADDR", Level: unix.IPPROTO_IP, Num: unix.IP_RECVORIGDSTADDR},
	{Name: "IP_RECVTOS", Level: unix.IPPROTO_IP, Num: unix.IP_RECVTOS},
	{Name: "IP_RECVTTL", Level: unix.IPPROTO_IP, Num: unix.IP_RECVTTL},
	{Name: "IP_TOS", Level: unix.IPPROTO_IP, Num: unix.IP_TOS},
	{Name: "IP_TRANSPARENT", Level: unix.IPPROTO_IP, Num: unix.IP_TRANSPARENT},
	{Name: "IP_TTL", Level: unix.IPPROTO_IP, Num: unix.IP_TTL},
	{Name: "SO_ACCEPTCONN", Level: unix.SOL_SOCKET, Num: unix.SO_ACCEPTCONN},
	{Name: "SO_BINDTODEVICE", Level: unix.SOL_SOCKET, Num: unix.SO_BINDTODEVICE},
	{Name: "SO_BINDTOIFINDEX", Level: unix.SOL_SOCKET, Num: unix.SO_BINDTOIFINDEX},
	{Name: "SO_BROADCAST", Level: unix.SOL_SOCKET, Num: unix.SO_BROADCAST},
	{Name: "SO_BUSY_POLL", Level: unix.SOL_SOCKET, Num: unix.SO_BUSY_POLL},
	{Name: "SO_COOKIE", Level: unix.SOL_SOCKET, Num: unix.SO_COOKIE},
	{Name: "SO_DEBUG", Level: unix.SOL_SOCKET, Num: unix.SO_DEBUG},
	{Name: "SO_DOMAIN", Level: unix.SOL_SOCKET, Num: unix.SO_DOMAIN},
	{Name: "SO_DONTROUTE", Level: unix.SOL_SOCKET, Num: unix.SO_DONTROUTE},
	{Name: "SO_ERROR", Level: unix.SOL_SOCKET, Num: unix.SO_ERROR},
	{Name: "SO_INCOMING_CPU", Level: unix.SOL_SOCKET, Num: unix.SO_INCOMING_CPU},
	{Name: "SO_INCOMING_NAPI_ID", Level: unix.SOL_SOCKET, Num: unix.SO_INCOMING_NAPI_ID},
	{Name: "SO_KEEPALIVE", Level: unix.SOL_SOCKET, Num: unix.SO_KEEPALIVE},
	{Name: "SO_LINGER", Level: unix.SOL_SOCKET, Num: unix.SO_LINGER},
	{Name: "SO_LOCK_FILTER", Level: unix.SOL_SOCKET, Num: unix.SO_LOCK_FILTER},
	{Name: "SO_MARK", Level: unix.SOL_SOCKET, Num: unix.SO_MARK},
	{Name: "SO_MAX_PACING_RATE", Level: unix.SOL_SOCKET, Num: unix.SO_MAX_PACING_RATE},
	{Name: "SO_NETNS_COOKIE", Level: unix.SOL_SOCKET, Num: unix.SO_NETNS_COOKIE},
	{Name: "SO_NO_CHECK", Level: unix.SOL_SOCKET, Num: unix.SO_NO_CHECK},
	{Name: "SO_OOBINLINE", Level: unix.SOL_SOCKET, Num: unix.SO_OOBINLINE},
	{Name: "SO_PASSCRED", Level: unix.SOL_SOCKET, Num: unix.SO_PASSCRED},
	{Name: "SO_PASSPIDFD", Level: unix.SOL_SOCKET, Num: unix.SO_PASSPIDFD},
	{Name: "SO_PASSRIGHTS", Level: unix.SOL_SOCKET, Num: unix.SO_PASSRIGHTS},
	{Name: "SO_PASSSEC", Level: unix.SOL_SOCKET, Num: unix.SO_PASSSEC},
	{Name: "SO_PEEK_OFF", Level: unix.SOL_SOCKET, Num: unix.SO_PEEK_OFF},
	{Name: "SO_PEERCRED", Level: unix.SOL_SOCKET, Num: unix.SO_PEERCRED},
	{Name: "SO_PEERPIDFD", Level: unix.SOL_SOCKET, Num: unix.SO_PEERPIDFD},
	{Name: "SO_PEERSEC", Level: unix.SOL_SOCKET, Num: unix.SO_PEERSEC},
	{Name: "SO_PREFER_BUSY_POLL", Level: unix.SOL_SOCKET, Num: unix.SO_PREFER_BUSY_POLL},
	{Name: "SO_PRIORITY", Level: unix.SOL_SOCKET, Num: unix.SO_PRIORITY},
	{Name: "SO_PROTOCOL", Level: unix.SOL_SOCKET, Num: unix.SO_PROTOCOL},
	{Name: "SO_RCVBUF", Level: unix.SOL_SOCKET, Num: unix.SO_RCVBUF},
	{Name: "SO_RCVBUFFORCE", Level: unix.SOL_SOCKET, Num: unix.SO_RCVBUFFORCE},
	{Name: "SO_RCVLOWAT", Level: unix.SOL_SOCKET, Num: unix.SO_RCVLOWAT},
	{Name: "SO_RCVTIMEO", Level: unix.SOL_SOCKET, Num: unix.SO_RCVTIMEO},
	{Name: "SO_REUSEADDR", Level: unix.SOL_SOCKET, Num: unix.SO_REUSEADDR},
	{Name: "SO_REUSEPORT", Level: unix.SOL_SOCKET, Num: unix.SO_REUSEPORT},
	{Name: "SO_RXQ_OVFL", Level: unix.SOL_SOCKET, Num: unix.SO_RXQ_OVFL},
	{Name: "SO_SNDBUF", Level: unix.SOL_SOCKET, Num: unix.SO_SNDBUF},
	{Name: "SO_SNDBUFFORCE", Level: unix.SOL_SOCKET, Num: unix.SO_SNDBUFFORCE},
	{Name: "SO_SNDLOWAT", Level: unix.SOL_SOCKET, Num: unix.SO_SNDLOWAT, Fixed: true},
	{Name: "SO_SNDTIMEO", Level: unix.SOL_SOCKET, Num: unix.SO_SNDTIMEO},
	{Name: "SO_TIMESTAMP", Level: unix.SOL_SOCKET, Num: unix.SO_TIMESTAMP},
	{Name: "SO_TIMESTAMPNS", Level: unix.SOL_SOCKET, Num: unix.SO_TIMESTAMPNS},
	{Name: "SO_TYPE", Level: unix.SOL_SOCKET, Num: unix.SO_TYPE},
	{Name: "SO_ZEROCOPY", Level: unix.SOL_SOCKET, Num: unix.SO_ZEROCOPY},
	{Name: "TCP_CONGESTION", Level: unix.IPPROTO_TCP, Num: unix.TCP_CONGESTION},
	{Name: "TCP_CORK", Level: unix.IPPROTO_TCP, Num: unix.TCP_CORK},
	{Name: "TCP_DEFER_ACCEPT", Level: unix.IPPROTO_TCP, Num: unix.TCP_DEFER_ACCEPT},
	{Name: "TCP_FASTOPEN", Level: unix.IPPROTO_TCP, Num: unix.TCP_FASTOPEN},
	{Name: "TCP_FASTOPEN_CONNECT", Level: unix.IPPROTO_TCP, Num: unix.TCP_FASTOPEN_CONNECT},
	{Name: "TCP_INFO", Level: unix.IPPROTO_TCP, Num: unix.TCP_INFO},
	{Name: "TCP_INQ", Level: unix.IPPROTO_TCP, Num: unix.TCP_INQ},
	{Name: "TCP_KEEPCNT", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPCNT},
	{Name: "TCP_KEEPIDLE", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPIDLE},
	{Name: "TCP_KEEPINTVL", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPINTVL},
	{Name: "TCP_LINGER2", Level: unix.IPPROTO_TCP, Num: unix.TCP_LINGER2},
	{Name: "TCP_MAXSEG", Level: unix.IPPROTO_TCP, Num: unix.TCP_MAXSEG},
	{Name: "TCP_NODELAY", Level: unix.IPPROTO_TCP, Num: unix.TCP_NODELAY},
	{Name: "TCP_NOTSENT_LOWAT", Level: unix.IPPROTO_TCP, Num: unix.TCP_NOTSENT_LOWAT},
	{Name: "TCP_QUICKACK", Level: unix.IPPROTO_TCP, Num: unix.TCP_QUICKACK},
	{Name: "TCP_SAVED_SYN", Level: unix.IPPROTO_TCP, Num: unix.TCP_SAVED_SYN},
	{Name: "TCP_SAVE_SYN", Level: unix.IPPROTO_TCP, Num: unix.TCP_SAVE_SYN},
	{Name: "TCP_SYNCNT", Level: unix.IPPROTO_TCP, Num: unix.TCP_SYNCNT},
	{Name: "TCP_THIN_LINEAR_TIMEOUTS", Level: unix.IPPROTO_TCP, Num: unix.TCP_THIN_LINEAR_TIMEOUTS},
	{Name: "TCP_USER_TIMEOUT", Level: unix.IPPROTO_TCP, Num: unix.TCP_USER_TIMEOUT},
	{Name: "TCP_WINDOW_CLAMP", Level: unix.IPPROTO_TCP, Num: unix.TCP_WINDOW_CLAMP},
	{Name: "UDP_CORK", Level: unix.IPPROTO_UDP, Num: unix.UDP_CORK},
	{Name: "UDP_GRO", Level: unix.IPPROTO_UDP, Num: unix.UDP_GRO},
	{Name: "UDP_SEGMENT", Level: unix.IPPROTO_UDP, Num: unix.UDP_SEGMENT},
}}

// OptGetBytes reads the option's value into b and returns how many octets of b
// the kernel filled.
func OptGetBytes(fd uintptr, o Opt, b []byte) (int, error) {
	n := uint32(len(b))
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, fd, uintptr(o.Level), uintptr(o.Num),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// OptSocketName describes the socket by family, type and protocol in net's
// words: "tcp4", "udp6", "mptcp4", "raw6:58", "unixgram". It is empty if fd is
// no socket.
func OptSocketName(fd uintptr) string {
	domain, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return ""
	}
	typ, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE)
	proto, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
	switch domain {
	case unix.AF_NETLINK:
		return "netlink:" + strconv.Itoa(proto)
	case unix.AF_PACKET:
		return "packet"
	case unix.AF_VSOCK:
		return "vsock"
	}
	return optSocketName(domain, typ, proto)
}

// optIPName names the protocols that exist only here.
func optIPName(proto int) string {
	switch proto {
	case unix.IPPROTO_MPTCP:
		return "mptcp"
	case unix.IPPROTO_UDPLITE:
		return "udplite"
	}
	return ""
}

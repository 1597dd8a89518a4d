package sys

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

var optTables = [][]Opt{{
	{Name: "ICMP_FILTER", Level: unix.SOL_RAW, Num: unix.ICMP_FILTER},
	{Name: "IP6T_SO_ORIGINAL_DST", Level: unix.IPPROTO_IPV6, Num: soOriginalDst},
	{Name: "IPV6_DONTFRAG", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_DONTFRAG},
	{Name: "IPV6_FREEBIND", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_FREEBIND},
	{Name: "IPV6_HDRINCL", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_HDRINCL},
	{Name: "IPV6_MINHOPCOUNT", Level: unix.IPPROTO_IPV6, Num: unix.IPV6_MINHOPCOUNT},
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
	{Name: "MCAST_BLOCK_SOURCE", Level: unix.IPPROTO_IP, Num: unix.MCAST_BLOCK_SOURCE},
	{Name: "MCAST_JOIN_GROUP", Level: unix.IPPROTO_IP, Num: unix.MCAST_JOIN_GROUP},
	{Name: "MCAST_JOIN_SOURCE_GROUP", Level: unix.IPPROTO_IP, Num: unix.MCAST_JOIN_SOURCE_GROUP},
	{Name: "MCAST_LEAVE_GROUP", Level: unix.IPPROTO_IP, Num: unix.MCAST_LEAVE_GROUP},
	{Name: "MCAST_LEAVE_SOURCE_GROUP", Level: unix.IPPROTO_IP, Num: unix.MCAST_LEAVE_SOURCE_GROUP},
	{Name: "MCAST_UNBLOCK_SOURCE", Level: unix.IPPROTO_IP, Num: unix.MCAST_UNBLOCK_SOURCE},
	{Name: "NETLINK_ADD_MEMBERSHIP", Level: unix.SOL_NETLINK, Num: unix.NETLINK_ADD_MEMBERSHIP},
	{Name: "NETLINK_BROADCAST_ERROR", Level: unix.SOL_NETLINK, Num: unix.NETLINK_BROADCAST_ERROR},
	{Name: "NETLINK_CAP_ACK", Level: unix.SOL_NETLINK, Num: unix.NETLINK_CAP_ACK},
	{Name: "NETLINK_DROP_MEMBERSHIP", Level: unix.SOL_NETLINK, Num: unix.NETLINK_DROP_MEMBERSHIP},
	{Name: "NETLINK_EXT_ACK", Level: unix.SOL_NETLINK, Num: unix.NETLINK_EXT_ACK},
	{Name: "NETLINK_GET_STRICT_CHK", Level: unix.SOL_NETLINK, Num: unix.NETLINK_GET_STRICT_CHK},
	{Name: "NETLINK_LIST_MEMBERSHIPS", Level: unix.SOL_NETLINK, Num: unix.NETLINK_LIST_MEMBERSHIPS},
	{Name: "NETLINK_NO_ENOBUFS", Level: unix.SOL_NETLINK, Num: unix.NETLINK_NO_ENOBUFS},
	{Name: "PACKET_ADD_MEMBERSHIP", Level: unix.SOL_PACKET, Num: unix.PACKET_ADD_MEMBERSHIP},
	{Name: "PACKET_DROP_MEMBERSHIP", Level: unix.SOL_PACKET, Num: unix.PACKET_DROP_MEMBERSHIP},
	{Name: "PACKET_FANOUT", Level: unix.SOL_PACKET, Num: unix.PACKET_FANOUT},
	{Name: "PACKET_IGNORE_OUTGOING", Level: unix.SOL_PACKET, Num: unix.PACKET_IGNORE_OUTGOING},
	{Name: "PACKET_STATISTICS", Level: unix.SOL_PACKET, Num: unix.PACKET_STATISTICS},
	{Name: "SO_ACCEPTCONN", Level: unix.SOL_SOCKET, Num: unix.SO_ACCEPTCONN},
	{Name: "SO_ATTACH_FILTER", Level: unix.SOL_SOCKET, Num: unix.SO_ATTACH_FILTER, Unit: unix.SizeofSockFilter},
	{Name: "SO_ATTACH_REUSEPORT_CBPF", Level: unix.SOL_SOCKET, Num: unix.SO_ATTACH_REUSEPORT_CBPF},
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
	{Name: "SO_ORIGINAL_DST", Level: unix.IPPROTO_IP, Num: soOriginalDst},
	{Name: "SO_PASSCRED", Level: unix.SOL_SOCKET, Num: unix.SO_PASSCRED},
	{Name: "SO_PASSPIDFD", Level: unix.SOL_SOCKET, Num: unix.SO_PASSPIDFD},
	{Name: "SO_PASSRIGHTS", Level: unix.SOL_SOCKET, Num: unix.SO_PASSRIGHTS},
	{Name: "SO_PASSSEC", Level: unix.SOL_SOCKET, Num: unix.SO_PASSSEC},
	{Name: "SO_PEEK_OFF", Level: unix.SOL_SOCKET, Num: unix.SO_PEEK_OFF},
	{Name: "SO_PEERCRED", Level: unix.SOL_SOCKET, Num: unix.SO_PEERCRED},
	{Name: "SO_PEERGROUPS", Level: unix.SOL_SOCKET, Num: unix.SO_PEERGROUPS},
	{Name: "SO_PEERPIDFD", Level: unix.SOL_SOCKET, Num: unix.SO_PEERPIDFD},
	{Name: "SO_PEERSEC", Level: unix.SOL_SOCKET, Num: unix.SO_PEERSEC},
	{Name: "SO_PREFER_BUSY_POLL", Level: unix.SOL_SOCKET, Num: unix.SO_PREFER_BUSY_POLL},
	{Name: "SO_PRIORITY", Level: unix.SOL_SOCKET, Num: unix.SO_PRIORITY},
	{Name: "SO_PROTOCOL", Level: unix.SOL_SOCKET, Num: unix.SO_PROTOCOL},
	{Name: "SO_RCVBUF", Level: unix.SOL_SOCKET, Num: unix.SO_RCVBUF},
	{Name: "SO_RCVBUFFORCE", Level: unix.SOL_SOCKET, Num: unix.SO_RCVBUFFORCE, GetNum: unix.SO_RCVBUF},
	{Name: "SO_RCVLOWAT", Level: unix.SOL_SOCKET, Num: unix.SO_RCVLOWAT},
	{Name: "SO_RCVTIMEO", Level: unix.SOL_SOCKET, Num: unix.SO_RCVTIMEO},
	{Name: "SO_REUSEADDR", Level: unix.SOL_SOCKET, Num: unix.SO_REUSEADDR},
	{Name: "SO_REUSEPORT", Level: unix.SOL_SOCKET, Num: unix.SO_REUSEPORT},
	{Name: "SO_RXQ_OVFL", Level: unix.SOL_SOCKET, Num: unix.SO_RXQ_OVFL},
	{Name: "SO_SNDBUF", Level: unix.SOL_SOCKET, Num: unix.SO_SNDBUF},
	{Name: "SO_SNDBUFFORCE", Level: unix.SOL_SOCKET, Num: unix.SO_SNDBUFFORCE, GetNum: unix.SO_SNDBUF},
	{Name: "SO_SNDLOWAT", Level: unix.SOL_SOCKET, Num: unix.SO_SNDLOWAT, Fixed: true},
	{Name: "SO_SNDTIMEO", Level: unix.SOL_SOCKET, Num: unix.SO_SNDTIMEO},
	{Name: "SO_TIMESTAMP", Level: unix.SOL_SOCKET, Num: unix.SO_TIMESTAMP},
	{Name: "SO_TIMESTAMPING", Level: unix.SOL_SOCKET, Num: unix.SO_TIMESTAMPING},
	{Name: "SO_TIMESTAMPNS", Level: unix.SOL_SOCKET, Num: unix.SO_TIMESTAMPNS},
	{Name: "SO_TXTIME", Level: unix.SOL_SOCKET, Num: unix.SO_TXTIME},
	{Name: "SO_TYPE", Level: unix.SOL_SOCKET, Num: unix.SO_TYPE},
	{Name: "SO_ZEROCOPY", Level: unix.SOL_SOCKET, Num: unix.SO_ZEROCOPY},
	{Name: "TCP_CONGESTION", Level: unix.IPPROTO_TCP, Num: unix.TCP_CONGESTION},
	{Name: "TCP_CORK", Level: unix.IPPROTO_TCP, Num: unix.TCP_CORK},
	{Name: "TCP_DEFER_ACCEPT", Level: unix.IPPROTO_TCP, Num: unix.TCP_DEFER_ACCEPT},
	{Name: "TCP_FASTOPEN", Level: unix.IPPROTO_TCP, Num: unix.TCP_FASTOPEN},
	{Name: "TCP_FASTOPEN_CONNECT", Level: unix.IPPROTO_TCP, Num: unix.TCP_FASTOPEN_CONNECT},
	{Name: "TCP_INFO", Level: unix.IPPROTO_TCP, Num: unix.TCP_INFO},
	{Name: "TCP_KEEPCNT", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPCNT},
	{Name: "TCP_KEEPIDLE", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPIDLE},
	{Name: "TCP_KEEPINTVL", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPINTVL},
	{Name: "TCP_LINGER2", Level: unix.IPPROTO_TCP, Num: unix.TCP_LINGER2},
	{Name: "TCP_MAXSEG", Level: unix.IPPROTO_TCP, Num: unix.TCP_MAXSEG},
	{Name: "TCP_MD5SIG", Level: unix.IPPROTO_TCP, Num: unix.TCP_MD5SIG_EXT},
	{Name: "TCP_NODELAY", Level: unix.IPPROTO_TCP, Num: unix.TCP_NODELAY},
	{Name: "TCP_NOTSENT_LOWAT", Level: unix.IPPROTO_TCP, Num: unix.TCP_NOTSENT_LOWAT},
	{Name: "TCP_QUICKACK", Level: unix.IPPROTO_TCP, Num: unix.TCP_QUICKACK},
	{Name: "TCP_SAVED_SYN", Level: unix.IPPROTO_TCP, Num: unix.TCP_SAVED_SYN},
	{Name: "TCP_SAVE_SYN", Level: unix.IPPROTO_TCP, Num: unix.TCP_SAVE_SYN},
	{Name: "TCP_SYNCNT", Level: unix.IPPROTO_TCP, Num: unix.TCP_SYNCNT},
	{Name: "TCP_THIN_LINEAR_TIMEOUTS", Level: unix.IPPROTO_TCP, Num: unix.TCP_THIN_LINEAR_TIMEOUTS},
	{Name: "TCP_ULP", Level: unix.IPPROTO_TCP, Num: unix.TCP_ULP},
	{Name: "TCP_USER_TIMEOUT", Level: unix.IPPROTO_TCP, Num: unix.TCP_USER_TIMEOUT},
	{Name: "TCP_WINDOW_CLAMP", Level: unix.IPPROTO_TCP, Num: unix.TCP_WINDOW_CLAMP},
	{Name: "UDP_CORK", Level: unix.IPPROTO_UDP, Num: unix.UDP_CORK},
	{Name: "UDP_GRO", Level: unix.IPPROTO_UDP, Num: unix.UDP_GRO},
	{Name: "UDP_SEGMENT", Level: unix.IPPROTO_UDP, Num: unix.UDP_SEGMENT},
}}

// soOriginalDst is SO_ORIGINAL_DST of linux/netfilter_ipv4.h, and
// IP6T_SO_ORIGINAL_DST of linux/netfilter_ipv6/ip6_tables.h.
const soOriginalDst = 80

// OptGet reads the option's value into b and returns how long it is. If that is more
// than len(b), b was too short, and an error does not count. See getsockopt(2).
func OptGet(fd uintptr, o *Opt, b []byte) (int, error) {
	unit := max(o.Unit, 1)
	n := uint32(len(b) / unit)
	_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, fd, uintptr(o.Level), uintptr(o.getNum()),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 && (errno != unix.ERANGE || int(n)*unit <= len(b)) {
		return 0, optError(errno)
	}
	return int(n) * unit, nil
}

// OptSet makes b the option's value. See setsockopt(2).
func OptSet(fd uintptr, o *Opt, b []byte) error {
	if o.Fixed {
		return errors.ErrUnsupported
	}
	_, _, errno := syscall.Syscall6(unix.SYS_SETSOCKOPT, fd, uintptr(o.Level), uintptr(o.Num),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0)
	if errno != 0 {
		return optError(errno)
	}
	return nil
}

// optError is for the kernel's own ENOTSUPP, which programs are not meant to see: older
// releases return it where SO_ZEROCOPY is set on a socket that has no such option.
func optError(errno syscall.Errno) error {
	if errno == 524 {
		return unix.EOPNOTSUPP
	}
	return errno
}

// OptSetProgram makes program the option's value; an empty one takes away that which
// is there. See socket(7), SO_ATTACH_FILTER.
func OptSetProgram(fd uintptr, o *Opt, program []bpf.RawInstruction) error {
	if len(program) == 0 {
		detach := unix.SO_DETACH_FILTER
		if o.Num == unix.SO_ATTACH_REUSEPORT_CBPF {
			detach = unix.SO_DETACH_REUSEPORT_BPF
		}
		err := unix.SetsockoptInt(int(fd), o.Level, detach, 0)
		if err == unix.ENOENT { // there was none
			return nil
		}
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, p := range program {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	return unix.SetsockoptSockFprog(int(fd), o.Level, o.Num, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// OptChoices returns the names that an option may have for its value, "" if that is
// not known.
func OptChoices(o *Opt) string {
	if o.Level != unix.IPPROTO_TCP || o.Num != unix.TCP_CONGESTION {
		return ""
	}
	file := "/proc/sys/net/ipv4/tcp_available_congestion_control"
	if os.Geteuid() != 0 {
		file = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
	}
	b, _ := os.ReadFile(file)
	return strings.TrimSpace(string(b))
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

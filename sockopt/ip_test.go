//go:build linux

package sockopt

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ipRows are the rows of TestOptions for ip.go, in its order.
func ipRows() []optionRow {
	const inet4 = "tcp4 tcp6 udp4 udp6 raw4"
	const mptcp = " mptcp4 mptcp6"
	const datagram = "udp4 udp6 raw4"
	ip := func(opt, want int) rawValue { return rawInt(unix.IPPROTO_IP, opt, want) }
	return []optionRow{
		row(BindAddressNoPort, true, inet4+mptcp, ip(unix.IP_BIND_ADDRESS_NO_PORT, 1)),
		row(Freebind, true, inet4+mptcp, ip(unix.IP_FREEBIND, 1)),
		row(HeaderInclude, true, "raw4", ip(unix.IP_HDRINCL, 1)),
		row(ICMPFilter, 1<<8|1, "raw4", rawInt(unix.SOL_RAW, unix.ICMP_FILTER, 1<<8|1)),
		row(LocalPortRange, PortRange{20000, 20999}, inet4+mptcp, ip(unix.IP_LOCAL_PORT_RANGE, 20999<<16|20000)),
		row(MinTTL, 200, inet4, ip(unix.IP_MINTTL, 200)),
		row(MTUDiscover, MTUDiscoveryDo, inet4, ip(unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)),
		row(MulticastAll, false, "tcp4 udp4 raw4", ip(unix.IP_MULTICAST_ALL, 0)),
		row(MulticastInterface, netip.MustParseAddr("127.0.0.1"), datagram, rawValue{
			func(fd int) (any, error) {
				return unix.GetsockoptInet4Addr(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF)
			},
			[4]byte{127, 0, 0, 1},
		}),
		row(MulticastLoop, false, inet4, ip(unix.IP_MULTICAST_LOOP, 0)),
		row(MulticastTTL, 32, datagram, ip(unix.IP_MULTICAST_TTL, 32)),
		rowOf(OriginalDst, "tcp4", testOriginalDst),
		rowOf(PathMTU, "tcp4 udp4", testPathMTU),
		row(ReceiveError, true, inet4, ip(unix.IP_RECVERR, 1)),
		row(ReceiveOriginalDst, true, inet4, ip(unix.IP_RECVORIGDSTADDR, 1)),
		row(ReceivePacketInfo, true, inet4, ip(unix.IP_PKTINFO, 1)),
		row(ReceiveTOS, true, inet4, ip(unix.IP_RECVTOS, 1)),
		row(ReceiveTTL, true, inet4, ip(unix.IP_RECVTTL, 1)),
		row(TOS, 0x28, inet4+mptcp, ip(unix.IP_TOS, 0x28)),
		row(TTL, 5, inet4, ip(unix.IP_TTL, 5)),
		row(Transparent, true, inet4+mptcp, ip(unix.IP_TRANSPARENT, 1)),
	}
}

func testPathMTU(t *testing.T, kind string) {
	o, level, opt := PathMTU, unix.IPPROTO_IP, unix.IP_MTU
	if strings.HasSuffix(kind, "6") {
		o, level, opt = PathMTU6, unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	c, _ := dialSelf(t, kind)
	if mtu := checkRead(t, c.(syscall.Conn), o, readInt(level, opt)); mtu < 1280 {
		t.Errorf("the path MTU of loopback is %d", mtu)
	}
	if _, err := o.Get(newSocket(t, kind)); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("on an unconnected socket: %v, want ENOTCONN", err)
	}
}

// testOriginalDst is for want of a redirection; TestOriginalDst has one.
func testOriginalDst(t *testing.T, kind string) {
	_, c := dialSelf(t, kind)
	o := OriginalDst
	if kind == "tcp6" {
		o = OriginalDst6
	}
	got, err := o.Get(c.(*net.TCPConn))
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, errors.ErrUnsupported) {
		return
	}
	if want := c.LocalAddr().(*net.TCPAddr).AddrPort(); got != want || err != nil {
		t.Errorf("Get = %v, %v; want %v", got, err, want)
	}
}

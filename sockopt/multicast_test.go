//go:build linux

package sockopt

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

// multicastRows are the rows of TestOptions for multicast.go, in its order.
func multicastRows() []optionRow {
	m := Membership{Group: netip.MustParseAddr("239.1.2.3"), Interface: 1}
	ms := m
	ms.Source = netip.MustParseAddr("127.0.0.1")
	const datagram = "udp4 udp6 raw4"
	return []optionRow{
		rowTry(BlockSource, ms, datagram, testSources),
		rowTry(JoinGroup, m, datagram, testGroups),
		rowTry(JoinSourceGroup, ms, datagram, testSources),
		rowTry(LeaveGroup, m, datagram, testGroups),
		rowTry(LeaveSourceGroup, ms, datagram, testSources),
		rowTry(UnblockSource, ms, datagram, testSources),
	}
}

var testGroup = netip.MustParseAddr("239.77.1.2")

// groupReceiver returns a socket of a kind on a port, and a function that sends to it
// through group from 127.0.0.1 or ::1.
func groupReceiver(t *testing.T, kind string, group netip.Addr) (c *net.UDPConn, send func(string)) {
	t.Helper()
	network, wild := "udp4", "0.0.0.0:0"
	if kind == "udp6" {
		network, wild = "udp", "[::]:0"
	}
	c = listenPacket(t, network, wild).(*net.UDPConn)
	to := netip.AddrPortFrom(group, c.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	from := listenPacket(t, "udp4", "127.0.0.1:0").(*net.UDPConn)
	must(t, MulticastInterface.Set(from, netip.MustParseAddr("127.0.0.1")))
	return c, func(s string) {
		t.Helper()
		must(t, second(from.WriteToUDPAddrPort([]byte(s), to)))
	}
}

func testGroups(t *testing.T, kind string) {
	m := Membership{Group: testGroup, Interface: loopback(t)}
	if kind == "raw4" {
		c := newSocket(t, kind)
		must(t, JoinGroup.Set(c, m))
		must(t, LeaveGroup.Set(c, m))
		return
	}
	c, send := groupReceiver(t, kind, testGroup)
	must(t, MulticastAll.Set(c, false))
	send("before")
	must(t, JoinGroup.Set(c, m))
	send("joined")
	if got := next(t, c); got != "joined" {
		t.Errorf("received %q", got)
	}
	if err := JoinGroup.Set(c, m); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("joining again: %v, want EADDRINUSE", err)
	}
	must(t, LeaveGroup.Set(c, m))
	send("left")
	must(t, JoinGroup.Set(c, m))
	send("again")
	if got := next(t, c); got != "again" {
		t.Errorf("received %q", got)
	}
}

func testSources(t *testing.T, kind string) {
	m := Membership{Group: testGroup, Interface: loopback(t)}
	from, other := m, m
	from.Source, other.Source = netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.9")
	if kind == "raw4" {
		c := newSocket(t, kind)
		must(t, JoinSourceGroup.Set(c, from))
		must(t, LeaveSourceGroup.Set(c, from))
		return
	}
	c, send := groupReceiver(t, kind, testGroup)
	must(t, MulticastAll.Set(c, false))
	must(t, JoinSourceGroup.Set(c, other))
	send("not from there")
	must(t, JoinSourceGroup.Set(c, from))
	send("from there")
	if got := next(t, c); got != "from there" {
		t.Errorf("received %q", got)
	}
	must(t, LeaveSourceGroup.Set(c, from))
	send("no more")
	must(t, LeaveSourceGroup.Set(c, other))
	must(t, JoinGroup.Set(c, m))
	must(t, BlockSource.Set(c, from))
	send("blocked")
	must(t, UnblockSource.Set(c, from))
	send("unblocked")
	if got := next(t, c); got != "unblocked" {
		t.Errorf("received %q", got)
	}
}

// Groups of IPv6 are joined at the level of IPv6.
func TestJoinGroup6(t *testing.T) {
	c := newSocket(t, "udp6")
	m := Membership{Group: netip.MustParseAddr("ff15::7701"), Interface: loopback(t)}
	file := func() bool {
		b, err := os.ReadFile("/proc/net/igmp6")
		if err != nil {
			t.Skip(err)
		}
		return strings.Contains(string(b), "ff150000000000000000000000007701")
	}
	must(t, JoinGroup.Set(c, m))
	if !file() {
		t.Error("not joined")
	}
	must(t, LeaveGroup.Set(c, m))
	if file() {
		t.Error("not left")
	}
	m.Source = netip.MustParseAddr("::1")
	must(t, JoinSourceGroup.Set(c, m))
	if !file() {
		t.Error("not joined for a source")
	}
}

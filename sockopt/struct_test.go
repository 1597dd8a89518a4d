//go:build linux

package sockopt

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/sys"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// must fails the test if err is not nil, or skips it for want of a privilege or of what
// the kernel was built with.
func must(t testing.TB, err error) {
	t.Helper()
	skipUnprivileged(t, err)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// dropAll is a program that keeps nothing of any packet.
var dropAll = []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K}}

// udpPair returns two sockets of package net on loopback; the first sends to the
// second with Write.
func udpPair(t *testing.T, network string) (a, b *net.UDPConn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "udp6" {
		address = "[::1]:0"
	}
	b = listenPacket(t, network, address).(*net.UDPConn)
	c, err := net.Dial(network, b.LocalAddr().String())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn), b
}

// next returns the datagram that b receives next.
func next(t testing.TB, b *net.UDPConn) string {
	t.Helper()
	must(t, b.SetReadDeadline(time.Now().Add(2*time.Minute)))
	buf := make([]byte, 100)
	n, err := b.Read(buf)
	must(t, err)
	return string(buf[:n])
}

func testAttachFilter(t *testing.T, kind string) {
	c := newSocket(t, kind)
	if p, err := AttachFilter.Get(c); len(p) > 0 || err != nil {
		t.Errorf("initially %v, %v", p, err)
	}
	must(t, AttachFilter.Set(c, nil)) // none to detach
	long := slices.Repeat([]bpf.RawInstruction{{Op: unix.BPF_LD | unix.BPF_IMM, K: 0x01020304}}, 500)
	for _, want := range [][]bpf.RawInstruction{dropAll, append(long, dropAll...), nil} {
		must(t, AttachFilter.Set(c, want))
		got, err := AttachFilter.Get(c)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("program mismatch (-want +got):\n%s", diff)
		}
	}
	if kind != "udp4" {
		return
	}
	a, b := udpPair(t, kind)
	must(t, AttachFilter.Set(b, dropAll))
	a.Write([]byte("dropped"))
	must(t, AttachFilter.Set(b, nil))
	a.Write([]byte("kept"))
	if got := next(t, b); got != "kept" {
		t.Errorf("received %q", got)
	}
}

func testAttachReusePortCBPF(t *testing.T, kind string) {
	socktest.NeedNetwork(t, kind)
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return ReusePort.With(true).Apply(c) }}
	address := map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[kind]
	var members []*net.UDPConn
	for range 2 {
		c, err := lc.ListenPacket(t.Context(), kind, address)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		address = c.LocalAddr().String()
		members = append(members, c.(*net.UDPConn))
	}
	for want := range members {
		must(t, AttachReusePortCBPF.Set(members[0], []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K, K: uint32(want)}}))
		for range 8 {
			c, err := net.Dial(kind, address)
			must(t, err)
			c.Write([]byte("x"))
			c.Close()
		}
		for range 8 {
			next(t, members[want])
		}
	}
	must(t, AttachReusePortCBPF.Set(members[0], nil))
}

func testPeerGroups(t *testing.T, kind string) {
	c := unixPair(t, kind)
	got, err := PeerGroups.Get(c)
	must(t, err)
	groups, err := os.Getgroups()
	must(t, err)
	want := make([]uint32, 0, len(groups))
	for _, g := range groups {
		want = append(want, uint32(g))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups mismatch (-want +got):\n%s", diff)
	}
	if _, err := PeerGroups.Get(newSocket(t, kind)); !errors.Is(err, syscall.ENODATA) {
		t.Errorf("on a socket without a peer: %v, want ENODATA", err)
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

func testMD5Sig(t *testing.T, kind string) {
	socktest.NeedNetwork(t, kind)
	peer, address := netip.MustParsePrefix("127.0.0.0/8"), "127.0.0.1:0"
	if kind == "tcp6" {
		peer, address = netip.MustParsePrefix("::1/128"), "[::1]:0"
	}
	l := listen(t, kind, address)
	dial := func(key string) error {
		d := net.Dialer{Timeout: 300 * time.Millisecond, Control: func(_, _ string, c syscall.RawConn) error {
			if key == "" {
				return nil
			}
			return MD5Sig.With(MD5Signature{Peer: peer, Key: []byte(key)}).Apply(c)
		}}
		c, err := d.Dial(kind, l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	}
	must(t, MD5Sig.Set(l.(*net.TCPListener), MD5Signature{Peer: peer, Key: []byte("secret")}))
	for key, want := range map[string]bool{"secret": true, "another": false, "": false} {
		if err := dial(key); (err == nil) != want {
			t.Errorf("dial with key %q: %v", key, err)
		}
	}
	must(t, MD5Sig.Set(l.(*net.TCPListener), MD5Signature{Peer: peer})) // none
	must(t, dial(""))
	for _, s := range []MD5Signature{{}, {Peer: peer, Key: make([]byte, 81)}, {Peer: netip.MustParsePrefix("::/0"), Key: nil}} {
		if err := MD5Sig.Set(l.(*net.TCPListener), s); err == nil {
			t.Errorf("%v with a key of %d bytes is accepted", s, len(s.Key))
		}
	}
}

func testULP(t *testing.T, kind string) {
	_, c := dialSelf(t, kind)
	tcp := c.(*net.TCPConn)
	if v, err := ULP.Get(tcp); v != "" || err != nil {
		t.Errorf("initially %q, %v", v, err)
	}
	if err := ULP.Set(tcp, "no-such-ulp"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("an unknown one: %v, want ENOENT", err)
	}
	if err := ULP.Set(tcp, "tls"); errors.Is(err, syscall.ENOENT) {
		t.Skip("this kernel has no tls")
	} else {
		must(t, err)
	}
	if v, err := ULP.Get(tcp); v != "tls" || err != nil {
		t.Errorf("afterwards %q, %v", v, err)
	}
}

func testNetlinkMembership(t *testing.T, kind string) {
	c := newSocket(t, kind)
	want := func(groups uint32) {
		t.Helper()
		got, err := NetlinkListMemberships.Get(c)
		must(t, err)
		if len(got) == 0 || got[0] != groups {
			t.Errorf("memberships %b, want %b", got, groups)
		}
	}
	must(t, NetlinkAddMembership.Set(c, unix.RTNLGRP_LINK))
	want(1 << (unix.RTNLGRP_LINK - 1))
	must(t, NetlinkAddMembership.Set(c, unix.RTNLGRP_IPV4_IFADDR))
	want(1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_IFADDR-1))
	must(t, NetlinkDropMembership.Set(c, unix.RTNLGRP_LINK))
	want(1 << (unix.RTNLGRP_IPV4_IFADDR - 1))
}

// packetSocket returns a packet socket that is bound to loopback.
func packetSocket(t *testing.T) *os.File {
	t.Helper()
	c := newSocket(t, "packet")
	control(t, c, func(fd int) error {
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: loopback(t)})
	})
	return c
}

func loopback(t *testing.T) int {
	t.Helper()
	return socktest.Loopback(t).Index
}

func testPacketMembership(t *testing.T, kind string) {
	promiscuous := func() bool {
		rib, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
		if err != nil {
			t.Skip("no list of interfaces: ", err)
		}
		messages, err := syscall.ParseNetlinkMessage(rib)
		must(t, err)
		for _, m := range messages {
			if m.Header.Type != syscall.RTM_NEWLINK {
				continue
			}
			info := sys.Reader(m.Data[4:]) // struct ifinfomsg, rtnetlink(7)
			if info.Int() != loopback(t) {
				continue
			}
			attributes, err := syscall.ParseNetlinkRouteAttr(&m)
			must(t, err)
			for _, a := range attributes {
				if a.Attr.Type == unix.IFLA_PROMISCUITY {
					count := sys.Reader(a.Value)
					return count.Uint32() > 0
				}
			}
		}
		t.Skip("the kernel does not tell whether lo is promiscuous")
		return false
	}
	c := newSocket(t, kind)
	if promiscuous() {
		t.Skip("lo is promiscuous already")
	}
	m := PacketMembership{Interface: loopback(t), Type: PacketPromiscuous}
	must(t, PacketAddMembership.Set(c, m))
	if !promiscuous() {
		t.Error("lo is not promiscuous")
	}
	must(t, PacketDropMembership.Set(c, m))
	if promiscuous() {
		t.Error("lo is still promiscuous")
	}
	m = PacketMembership{Interface: m.Interface, Type: PacketMulticast, Address: []byte{1, 0, 0x5e, 1, 2, 3}}
	must(t, PacketAddMembership.Set(c, m))
	must(t, PacketDropMembership.Set(c, m))
	if err := PacketDropMembership.Set(c, m); !errors.Is(err, syscall.EADDRNOTAVAIL) && err != nil {
		t.Errorf("dropping it again: %v", err)
	}
}

func testPacketFanout(t *testing.T, kind string) {
	a, b := packetSocket(t), packetSocket(t)
	if v, err := PacketFanout.Get(a); v != (PacketFanoutConfig{}) || err != nil {
		t.Errorf("initially %v, %v", v, err)
	}
	want := PacketFanoutConfig{Group: uint16(os.Getpid()), Mode: PacketFanoutCPU, Flags: PacketFanoutFlagDefrag}
	for _, c := range []*os.File{a, b} {
		must(t, PacketFanout.Set(c, want))
		if got, err := PacketFanout.Get(c); got != want || err != nil {
			t.Errorf("Get = %v, %v; want %v", got, err, want)
		}
	}
	want.Mode = PacketFanoutHash
	if err := PacketFanout.Set(packetSocket(t), want); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("another mode in the same group: %v, want EINVAL", err)
	}
}

func testPacketStatistics(t *testing.T, kind string) {
	c := packetSocket(t)
	a, b := udpPair(t, "udp4")
	must(t, second(a.Write([]byte("x"))))
	next(t, b)
	if s, err := PacketStatistics.Get(c); s.Packets == 0 || err != nil {
		t.Errorf("Get = %+v, %v", s, err)
	}
}

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

var testGroup = netip.MustParseAddr("239.77.1.2")

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

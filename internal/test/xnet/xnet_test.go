//go:build linux

package xnet

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

func udpPort(c net.PacketConn) int { return c.LocalAddr().(*net.UDPAddr).Port }

// x/net finds the descriptor through the methods of the connection.
func TestXNetConnOptions(t *testing.T) {
	dialed, _ := conntest.Dialed(t, "tcp4")
	c4 := ipv4.NewConn(dialed)
	if err := c4.SetTTL(33); err != nil {
		t.Fatal(err)
	}
	if err := c4.SetTOS(0x28); err != nil {
		t.Fatal(err)
	}
	ttl, err := c4.TTL()
	tos, err2 := c4.TOS()
	if diff := cmp.Diff("33 <nil> 40 <nil>", fmt.Sprint(ttl, " ", err, " ", tos, " ", err2)); diff != "" {
		t.Errorf("ipv4 TTL and TOS (-want +got):\n%s", diff)
	}
	_, accepted6 := conntest.Dialed(t, "tcp6")
	c6 := ipv6.NewConn(accepted6)
	if err := c6.SetHopLimit(44); err != nil {
		t.Fatal(err)
	}
	if err := c6.SetTrafficClass(0x28); err != nil {
		t.Fatal(err)
	}
	hops, err := c6.HopLimit()
	class, err2 := c6.TrafficClass()
	if diff := cmp.Diff("44 <nil> 40 <nil>", fmt.Sprint(hops, " ", err, " ", class, " ", err2)); diff != "" {
		t.Errorf("ipv6 hop limit and traffic class (-want +got):\n%s", diff)
	}
}

func TestXNetPacketConnOptions(t *testing.T) {
	socktest.NeedOption(t, "MCAST_JOIN_GROUP")
	lo := socktest.LoopbackInterface(t)
	p4 := ipv4.NewPacketConn(conntest.OpenUDP(t, "udp4"))
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"SetTTL", func() error { return p4.SetTTL(5) }},
		{"SetTOS", func() error { return p4.SetTOS(4) }},
		{"SetMulticastTTL", func() error { return p4.SetMulticastTTL(6) }},
		{"SetMulticastLoopback", func() error { return p4.SetMulticastLoopback(true) }},
		{"SetMulticastInterface", func() error { return p4.SetMulticastInterface(lo) }},
		{"JoinGroup", func() error { return p4.JoinGroup(lo, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 254)}) }},
		{"LeaveGroup", func() error { return p4.LeaveGroup(lo, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 254)}) }},
		{"SetControlMessage", func() error { return p4.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst, true) }},
		{"SetDeadline", func() error { return p4.SetDeadline(time.Now().Add(time.Hour)) }},
	} {
		if err := step.do(); err != nil {
			t.Errorf("ipv4 %s: %v", step.name, err)
		}
	}
	ttl, err := p4.MulticastTTL()
	if ttl != 6 || err != nil {
		t.Errorf("MulticastTTL: %d, %v, want 6", ttl, err)
	}
	p6 := ipv6.NewPacketConn(conntest.OpenUDP(t, "udp6"))
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"SetHopLimit", func() error { return p6.SetHopLimit(5) }},
		{"SetTrafficClass", func() error { return p6.SetTrafficClass(4) }},
		{"SetMulticastHopLimit", func() error { return p6.SetMulticastHopLimit(6) }},
		{"SetMulticastInterface", func() error { return p6.SetMulticastInterface(lo) }},
		{"JoinGroup", func() error { return p6.JoinGroup(lo, &net.UDPAddr{IP: net.ParseIP("ff02::114")}) }},
		{"SetControlMessage", func() error { return p6.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst, true) }},
	} {
		if err := step.do(); err != nil {
			t.Errorf("ipv6 %s: %v", step.name, err)
		}
	}
	hops, err := p6.MulticastHopLimit()
	if hops != 6 || err != nil {
		t.Errorf("MulticastHopLimit: %d, %v, want 6", hops, err)
	}
}

// ReadBatch and WriteBatch work on any type with the right methods, and tell
// addresses and control messages.
func TestXNetBatch4(t *testing.T) {
	socktest.NeedPacketInfo(t)
	socktest.NeedSource(t)
	server, client := conntest.OpenUDP(t, "udp4"), conntest.OpenUDP(t, "udp4")
	ps, pc := ipv4.NewPacketConn(server), ipv4.NewPacketConn(client)
	if err := ps.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst|ipv4.FlagInterface, true); err != nil {
		t.Fatal(err)
	}
	out := make([]ipv4.Message, 5)
	for i := range out {
		out[i] = ipv4.Message{Buffers: [][]byte{fmt.Append(nil, "datagram "), fmt.Append(nil, i)}, Addr: server.LocalAddr()}
	}
	// The control message of one of them asks for another source address.
	out[3].OOB = (&ipv4.ControlMessage{Src: net.IPv4(127, 0, 0, 9)}).Marshal()
	writeAll(t, len(out), func(from int) (int, error) { return pc.WriteBatch(out[from:], 0) })

	in := make([]ipv4.Message, 8)
	for i := range in {
		in[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 64)}, OOB: ipv4.NewControlMessage(ipv4.FlagTTL | ipv4.FlagDst | ipv4.FlagInterface)}
	}
	var got []string
	readAll(t, server, len(out), func() (int, error) {
		n, err := ps.ReadBatch(in, 0)
		for _, m := range in[:max(n, 0)] {
			var cm ipv4.ControlMessage
			if err := cm.Parse(m.OOB[:m.NN]); err != nil {
				t.Error(err)
			}
			from := m.Addr.(*net.UDPAddr)
			got = append(got, fmt.Sprintf("%s from %v, the client's port: %v, ttl %d to %v by %d",
				m.Buffers[0][:m.N], from.IP, from.Port == udpPort(client), cm.TTL, cm.Dst, cm.IfIndex))
		}
		return n, err
	})
	var want []string
	for i := range out {
		from := "127.0.0.1"
		if i == 3 {
			from = "127.0.0.9"
		}
		want = append(want, fmt.Sprintf("datagram %d from %s, the client's port: true, ttl 64 to 127.0.0.1 by 1", i, from))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := ps.ReadBatch(in, 0); !isTimeout(err) {
		t.Errorf("ReadBatch past the deadline: %v, want a timeout", err)
	}
}

func TestXNetBatch6(t *testing.T) {
	server := conntest.OpenUDP(t, "udp") // dual stack: IPv4 comes in as mapped
	ps := ipv6.NewPacketConn(server)
	if err := ps.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst, true); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			if host == "::1" {
				socktest.NeedIPv6(t)
			} else {
				needMappedInfo(t)
			}
			to := netip.AddrPortFrom(netip.MustParseAddr(host), uint16(udpPort(server)))
			conn, err := sockets.Dial("udp", to.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			client := conn.(*sockets.UDPConn)
			write := ipv6.NewPacketConn(client).WriteBatch
			if to.Addr().Is4() {
				write = ipv4.NewPacketConn(client).WriteBatch
			}
			out := make([]ipv6.Message, 4)
			for i := range out {
				out[i].Buffers = [][]byte{fmt.Append(nil, i)}
			}
			writeAll(t, len(out), func(from int) (int, error) { return write(out[from:], 0) })
			in := make([]ipv6.Message, 2)
			for i := range in {
				in[i] = ipv6.Message{Buffers: [][]byte{make([]byte, 8)}, OOB: ipv6.NewControlMessage(ipv6.FlagHopLimit | ipv6.FlagDst)}
			}
			var got []string
			readAll(t, server, len(out), func() (int, error) {
				n, err := ps.ReadBatch(in, 0)
				for _, m := range in[:max(n, 0)] {
					var cm ipv6.ControlMessage
					if err := cm.Parse(m.OOB[:m.NN]); err != nil {
						t.Error(err)
					}
					got = append(got, fmt.Sprintf("%s %v %v", m.Buffers[0][:m.N], m.Addr.String() == client.LocalAddr().String(), cm.Dst))
				}
				return n, err
			})
			var want []string
			for i := range out {
				want = append(want, fmt.Sprintf("%d true %s", i, host))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

// needMappedInfo skips the test unless a socket for both kinds of IP learns by IPV6_PKTINFO
// where IPv4 was sent to.
func needMappedInfo(t *testing.T) {
	t.Helper()
	set := sockopt.ReceivePacketInfo6.With(true).Apply
	got, err := socktest.Datagram{Network: "udp", Prepare: set}.Deliver()
	socktest.Check(t, err)
	if !socktest.Has(t, got.Control, unix.SOL_IPV6, unix.IPV6_PKTINFO, nil) {
		t.Skip("no IPV6_PKTINFO of IPv4")
	}
}

// writeAll calls write until n messages are on their way.
func writeAll(t *testing.T, n int, write func(from int) (int, error)) {
	t.Helper()
	for sent := 0; sent < n; {
		k, err := write(sent)
		if err != nil {
			t.Fatal(err)
		}
		sent += k
	}
}

// readAll calls read until n messages have come.
func readAll(t *testing.T, c net.PacketConn, n int, read func() (int, error)) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	defer c.SetReadDeadline(time.Time{})
	for got := 0; got < n; {
		k, err := read()
		if err != nil {
			t.Fatal(err)
		}
		got += k
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// x/net's own ReadFrom knows only net's types: the limit docs/limits.md names.
func TestXNetReadFrom(t *testing.T) {
	server := conntest.OpenUDP(t, "udp4")
	p := ipv4.NewPacketConn(server)
	if _, err := p.WriteTo([]byte("to myself"), nil, server.LocalAddr()); err != nil {
		t.Errorf("WriteTo: %v", err)
	}
	if _, _, _, err := p.ReadFrom(make([]byte, 16)); err == nil {
		t.Error("x/net reads from this package's types by now: docs/limits.md says otherwise")
	}
	b := make([]byte, 16)
	n, addr, err := server.ReadFrom(b)
	if string(b[:n]) != "to myself" || err != nil || addr.String() != server.LocalAddr().String() {
		t.Errorf("ReadFrom: %q, %v, %v", b[:n], addr, err)
	}
}

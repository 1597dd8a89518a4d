//go:build linux

package datagram

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// cableNamespaces is vethNamespaces with a second cable, called w, whose ends have
// the addresses 10.9.1.1 and .2. On both cables the ends are fe80::1 and ::2, too.
func cableNamespaces(t testing.TB) (a, b *netns) {
	t.Helper()
	a, b = vethNamespaces(t, 1500)
	a.ip(t, fmt.Sprintf("link add w type veth peer name w netns %d", b.tid))
	for i, ns := range []*netns{a, b} {
		ns.ip(t, "link set lo up") // or IPv6 sockets for IPv4 seem to be missing
		ns.ip(t, "link set w up")
		ns.ip(t, fmt.Sprintf("addr add 10.9.1.%d/24 dev w", i+1))
		for _, dev := range []string{"v", "w"} {
			ns.ip(t, fmt.Sprintf("addr add fe80::%d/64 dev %s nodad", i+1, dev))
		}
	}
	a.waitRunning(t, "w")
	b.waitRunning(t, "w")
	return a, b
}

// index returns the number of an interface.
func (ns *netns) index(t testing.TB, name string) int {
	t.Helper()
	var ifi *net.Interface
	var err error
	ns.do(func() { ifi, err = net.InterfaceByName(name) })
	if err != nil {
		t.Fatal(err)
	}
	return ifi.Index
}

// TestPacketInfoLeavesBy asks for an interface, alone and beside what is no source
// address, and looks which of two cables the datagram comes by.
func TestPacketInfoLeavesBy(t *testing.T) {
	here, there := cableNamespaces(t)
	tests := []struct {
		network, local, to string
	}{
		{"udp4", "", "255.255.255.255"},
		{"udp4", "0.0.0.0", "255.255.255.255"},
		{"udp4", "224.0.0.1", "255.255.255.255"},
		{"udp4", "255.255.255.255", "255.255.255.255"},
		{"udp4", "", "224.0.0.1"},
		{"udp6", "", "ff02::1"},
		{"udp6", "::", "ff02::1"},
		{"udp6", "ff02::1", "ff02::1"},
		{"udp", "::ffff:0.0.0.0", "224.0.0.1"},
		{"udp", "::ffff:224.0.0.1", "224.0.0.1"},
		{"udp", "::ffff:255.255.255.255", "224.0.0.1"},
		{"udp", "", "ff02::1"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s from %s to %s", tt.network, tt.local, tt.to), func(t *testing.T) {
			a := here.listen(t, &ListenConfig{}, tt.network, ":0")
			if err := sockopt.Broadcast.Set(a, true); err != nil {
				t.Fatal(err)
			}
			network, options := "udp4", sockopt.ReceivePacketInfo
			to := netip.MustParseAddr(tt.to)
			if to.Is6() {
				network, options = "udp6", sockopt.ReceivePacketInfo6
			}
			b := there.listen(t, &ListenConfig{}, network, ":0")
			conntest.SetOptions(t, b, options)
			for _, name := range []string{"v", "w", "v"} {
				p := PacketInfo{Interface: here.index(t, name)}
				if tt.local != "" {
					p.Local = netip.MustParseAddr(tt.local)
				}
				addr := net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, uint16(b.LocalAddr().(*net.UDPAddr).Port)))
				if _, _, err := a.WriteMsgUDP([]byte("x"), p.Append(nil), addr); err != nil {
					t.Fatalf("by %s: %v", name, err)
				}
				got, _ := conntest.ReadInfo(t, b)
				if got.Interface != there.index(t, name) {
					t.Errorf("sent by %s, came by interface %d, want %d", name, got.Interface, there.index(t, name))
				}
				if to.Is6() && (got.Local.Zone() == "" || got.Local.WithZone("") != to) {
					t.Errorf("came to %v, want %v with a zone", got.Local, to)
				}
			}
		})
	}
}

// Addresses that differ in their zone alone are two hosts: what goes to them is not
// joined.
func TestWriteBatchZones(t *testing.T) {
	here, there := cableNamespaces(t)
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a := here.listen(t, lc, "udp6", "[::]:0")
			b := there.listen(t, &ListenConfig{}, "udp6", "[::]:0")
			conntest.SetOptions(t, b, sockopt.ReceivePacketInfo6)
			var out []Message
			want := make(map[string]int) // by what is sent: two cables keep no common order
			for i, name := range []string{"v", "w", "w", "v"} {
				to := &net.UDPAddr{IP: net.ParseIP("fe80::2"), Port: b.LocalAddr().(*net.UDPAddr).Port, Zone: strconv.Itoa(here.index(t, name))}
				text := fmt.Sprintf("%d by %s", i, name)
				out = append(out, conntest.MessageTo([]byte(text), to))
				want[text] = there.index(t, name)
			}
			conntest.SendBatch(t, a, out)
			got := make(map[string]int)
			for tries := 0; len(got) < len(out); {
				buf, oob := make([]byte, 100), make([]byte, PacketInfoLen)
				if err := b.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
					t.Fatal(err)
				}
				n, oobn, _, _, err := b.ReadMsgUDP(buf, oob)
				if errors.Is(err, os.ErrDeadlineExceeded) && tries < 60 {
					// Busy machines lose some while neighbors are not known yet.
					tries++
					conntest.SendBatch(t, a, out)
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				p, err := ParsePacketInfo(oob[:oobn])
				if err != nil {
					t.Fatal(err)
				}
				got[string(buf[:n])] = p.Interface
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("interfaces that datagrams came by (-want +got):\n%s", diff)
			}
		})
	}
}

//go:build linux

package sockets_test

import (
	"errors"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	. "github.com/iolib-go/sockets"
)

// slotConn is a socket that sends to itself.
type slotConn interface {
	net.PacketConn
	batchReader
}

// slotIPs returns addresses that are not ip, though they look much like it.
func slotIPs(ip net.IP) []net.IP {
	other := slices.Clone(ip)
	other[len(other)-1]++
	ips := []net.IP{nil, other, ip[:len(ip)-1], append(slices.Clone(ip), 0)}
	if len(ip) == net.IPv4len {
		ips = append(ips, ip.To16())
	}
	return ips
}

// A message of an earlier batch has its address still. It stays if it is the
// sender's, octet by octet, and another one takes its place if not.
func TestReadBatchSlots(t *testing.T) {
	tests := []struct {
		network, address string
		resemble         func(sender net.Addr) []net.Addr
	}{
		{"udp4", "127.0.0.1:0", slotUDPAddrs},
		{"udp6", "[::1]:0", slotUDPAddrs},
		{"ip4:253", "127.0.0.1", slotIPAddrs},
		{"ip6:253", "::1", slotIPAddrs},
		{"unixgram", "", slotUnixAddrs},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			address := tt.address
			if address == "" {
				address = t.TempDir() + "/s"
			}
			pc, err := ListenPacket(tt.network, address)
			if errors.Is(err, os.ErrPermission) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			c := pc.(slotConn)
			limitTime(t, c)
			receive := func(kept net.Addr) net.Addr {
				t.Helper()
				if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				in := roomFor(1, 100)
				in[0].Addr = kept
				receiveBatch(t, c, in)
				return in[0].Addr
			}
			sender := receive(nil)
			if sender.String() != c.LocalAddr().String() {
				t.Fatalf("sender %v, want %v", sender, c.LocalAddr())
			}
			if got := receive(sender); got != sender {
				t.Errorf("%#v was replaced by %#v", sender, got)
			}
			for _, kept := range append(tt.resemble(sender), &net.TCPAddr{}) {
				got := receive(kept)
				if got == kept || !reflect.DeepEqual(got, sender) {
					t.Errorf("%#v was kept as %#v, want %#v", kept, got, sender)
				}
			}
		})
	}
}

func slotUDPAddrs(sender net.Addr) []net.Addr {
	a := *sender.(*net.UDPAddr)
	zoned, port := a, a
	zoned.Zone = "lo"
	port.Port++
	addrs := []net.Addr{(*net.UDPAddr)(nil), &zoned, &port}
	for _, ip := range slotIPs(a.IP) {
		addrs = append(addrs, &net.UDPAddr{IP: ip, Port: a.Port})
	}
	return addrs
}

func slotIPAddrs(sender net.Addr) []net.Addr {
	a := *sender.(*net.IPAddr)
	addrs := []net.Addr{(*net.IPAddr)(nil), &net.IPAddr{IP: a.IP, Zone: "lo"}}
	for _, ip := range slotIPs(a.IP) {
		addrs = append(addrs, &net.IPAddr{IP: ip})
	}
	return addrs
}

func slotUnixAddrs(sender net.Addr) []net.Addr {
	a := *sender.(*net.UnixAddr)
	return []net.Addr{
		(*net.UnixAddr)(nil),
		&net.UnixAddr{Net: "unixgram"},
		&net.UnixAddr{Net: "unix", Name: a.Name},
		&net.UnixAddr{Net: "unixgram", Name: a.Name[:len(a.Name)-1]},
		&net.UnixAddr{Net: "unixgram", Name: a.Name + "x"},
	}
}

// A sender without a name has no address, whatever the message had.
func TestReadBatchSenderWithoutName(t *testing.T) {
	a, b := unixPair(t, "unixgram")
	limitTime(t, b)
	c, err := DialUnix("unixgram", nil, b.LocalAddr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, kept := range []net.Addr{
		nil,
		a.LocalAddr(),
		&net.UnixAddr{Net: "unixgram"},
		&net.UnixAddr{Net: "unixgram", Name: strings.Repeat("x", 200)}, // too long for a name
	} {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		in := roomFor(1, 10)
		in[0].Addr = kept
		receiveBatch(t, b, in)
		if in[0].Addr != nil {
			t.Errorf("with %#v the sender is %#v, want none", kept, in[0].Addr)
		}
	}
}

package cost

import (
	"net"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestAllocs(t *testing.T) {
	if socktest.Race {
		t.Skip("the race detector allocates; the run without it counts")
	}
	check := func(t *testing.T, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	stream := func(network string) func(t *testing.T) func() {
		return func(t *testing.T) func() {
			c, s := conntest.Dialed(t, network)
			b := make([]byte, 64)
			return func() {
				_, err := c.Write(b)
				check(t, err)
				_, err = s.Read(b)
				check(t, err)
			}
		}
	}
	tests := []struct {
		name    string
		want    float64
		prepare func(t *testing.T) func()
	}{
		{"tcp Write, Read", 0, stream("tcp")},
		{"unix Write, Read", 0, stream("unix")},
		{"unixpacket Write, Read", 0, stream("unixpacket")},
		{"UDP WriteToUDPAddrPort, ReadFromUDPAddrPort", 0, func(t *testing.T) func() {
			c, b := conntest.OpenUDP(t, "udp4"), make([]byte, 64)
			self := c.LocalAddr().(*net.UDPAddr).AddrPort()
			return func() {
				_, err := c.WriteToUDPAddrPort(b, self)
				check(t, err)
				_, _, err = c.ReadFromUDPAddrPort(b)
				check(t, err)
			}
		}},
		{"UDP WriteMsgUDPAddrPort, ReadMsgUDPAddrPort", 0, func(t *testing.T) func() {
			c, b, oob := conntest.OpenUDP(t, "udp6"), make([]byte, 64), make([]byte, 64)
			self := c.LocalAddr().(*net.UDPAddr).AddrPort()
			return func() {
				_, _, err := c.WriteMsgUDPAddrPort(b, nil, self)
				check(t, err)
				_, _, _, _, err = c.ReadMsgUDPAddrPort(b, oob)
				check(t, err)
			}
		}},
		{"UDP Write, Read", 0, func(t *testing.T) func() {
			server, b := conntest.OpenUDP(t, "udp4"), make([]byte, 64)
			c, err := sockets.Dial("udp4", server.LocalAddr().String())
			check(t, err)
			t.Cleanup(func() { c.Close() })
			return func() {
				_, err := c.Write(b)
				check(t, err)
				_, err = server.Read(b)
				check(t, err)
			}
		}},
		// Exactly one, the bytes of the IP: ReadFromUDP is inlined, so that the
		// address need not be on the heap.
		{"UDP WriteTo, ReadFromUDP", 1, func(t *testing.T) func() {
			c, b := conntest.OpenUDP(t, "udp4"), make([]byte, 64)
			self := c.LocalAddr()
			return func() {
				_, err := c.WriteTo(b, self)
				check(t, err)
				_, _, err = c.ReadFromUDP(b)
				check(t, err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(1000, tt.prepare(t)); got != tt.want {
				t.Errorf("%v allocations, want %v", got, tt.want)
			}
		})
	}
}

// Package dropin counts what a program pays that imports package compat alone, as one
// that changes an import line does. The compiler gives it the bodies of small methods
// only if compat has them.
package dropin

import (
	"testing"

	"github.com/iolib-go/sockets/internal/socktest"

	net "github.com/iolib-go/sockets/compat"
)

func TestAllocs(t *testing.T) {
	if socktest.Race {
		t.Skip("the race detector allocates; the run without it counts")
	}
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	self := c.LocalAddr().(*net.UDPAddr)
	b := make([]byte, 64)
	tests := []struct {
		name string
		want float64
		do   func() error
	}{
		{"WriteTo, ReadFromUDP", 1, func() error {
			_, err := c.WriteTo(b, self)
			socktest.Check(t, err)
			_, _, err = c.ReadFromUDP(b)
			return err
		}},
		{"WriteToUDP, ReadFromUDPAddrPort", 0, func() error {
			_, err := c.WriteToUDP(b, self)
			socktest.Check(t, err)
			_, _, err = c.ReadFromUDPAddrPort(b)
			return err
		}},
		{"WriteMsgUDP, ReadMsgUDPAddrPort", 0, func() error {
			_, _, err := c.WriteMsgUDP(b, nil, self)
			socktest.Check(t, err)
			_, _, _, _, err = c.ReadMsgUDPAddrPort(b, nil)
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(1000, func() { socktest.Check(t, tt.do()) }); got != tt.want {
				t.Errorf("%v allocations, want %v", got, tt.want)
			}
		})
	}
}

//go:build linux

package datagram

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// refusals returns how many datagrams to ports where nothing receives the namespace has
// seen.
func (ns *netns) refusals(t testing.TB) (n int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/snmp", ns.tid))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if fields[0] != "Udp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == "NoPorts" {
				fmt.Sscan(fields[i], &n)
			}
		}
	}
	return n
}

// Each message of a batch that is refused again and again is sent once, and the caller
// learns that it was refused.
func TestWriteBatchRefusedEachTime(t *testing.T) {
	socktest.NeedProc(t) // which counts them
	for _, offload := range []bool{false, true} {
		for _, batch := range []int{1, 2, 3, 64} {
			t.Run(fmt.Sprintf("offload=%v/batch=%d", offload, batch), func(t *testing.T) {
				ns := newNetns(t)
				ns.ip(t, "link set lo up")
				gone := ns.listen(t, &ListenConfig{}, "udp4", "127.0.0.1:0")
				a := ns.dial(t, &Dialer{Offload: offload}, gone.LocalAddr())
				conntest.LimitTime(t, a)
				gone.Close()
				var sizes []int
				for len(sizes) < 64 {
					sizes = append(sizes, 10+len(sizes)) // which are not joined, and so are counted singly
				}
				before, told := ns.refusals(t), 0
				for ms := conntest.Numbered(nil, sizes...); len(ms) > 0; {
					n, err := a.WriteBatch(ms[:min(batch, len(ms))], 0)
					switch {
					case errors.Is(err, syscall.ECONNREFUSED) && n == 0:
						told++
					case err != nil || n == 0:
						t.Fatalf("WriteBatch = %d, %v", n, err)
					}
					ms = ms[n:]
				}
				if got := ns.refusals(t) - before; got != len(sizes) {
					t.Errorf("%d datagrams arrived, want %d", got, len(sizes))
				}
				if told < 10 {
					t.Errorf("%d of %d refusals were reported, want at least one of 6", told, len(sizes))
				}
			})
		}
	}
}

// What a batch has held back is reported by the next call that sends, once.
func TestWriteBatchHeldError(t *testing.T) {
	senders := []struct {
		name string
		send func(c *UDPConn) error
	}{
		{"Write", func(c *UDPConn) error { _, err := c.Write([]byte("x")); return err }},
		{"WriteMsgUDPAddrPort", func(c *UDPConn) error {
			_, _, err := c.WriteMsgUDPAddrPort([]byte("x"), nil, netip.AddrPort{})
			return err
		}},
		{"WriteMsgUDP", func(c *UDPConn) error { _, _, err := c.WriteMsgUDP([]byte("x"), nil, nil); return err }},
		{"SendTo", func(c *UDPConn) error { _, err := c.SendTo([]byte("x"), nil, 0); return err }},
		{"SendTo, MsgDontWait", func(c *UDPConn) error { _, err := c.SendTo([]byte("x"), nil, MsgDontWait); return err }},
		{"WriteSegments", func(c *UDPConn) error { _, err := c.WriteSegments([]byte("x"), 1, netip.AddrPort{}); return err }},
		{"WriteBatch", func(c *UDPConn) error {
			_, err := c.WriteBatch([]Message{conntest.MessageTo([]byte("x"), nil)}, 0)
			return err
		}},
		{"WriteBatch, MsgDontWait", func(c *UDPConn) error {
			_, err := c.WriteBatch([]Message{conntest.MessageTo([]byte("x"), nil)}, int(MsgDontWait))
			return err
		}},
	}
	for _, s := range senders {
		t.Run(s.name, func(t *testing.T) {
			c, ms := refusedBatch(t)
			// From now on nothing is refused.
			again, err := net.ListenPacket("udp4", c.RemoteAddr().String())
			if err != nil {
				t.Skip("the port was taken: ", err)
			}
			defer again.Close()
			err = s.send(c)
			var op *net.OpError
			if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "write" {
				t.Fatalf("%v, want ECONNREFUSED of write", err)
			}
			for range 2 {
				if err := s.send(c); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
			if n, err := c.WriteBatch(ms, 0); n != len(ms) || err != nil {
				t.Errorf("WriteBatch = %d, %v, want %d, nil", n, err, len(ms))
			}
		})
	}
}

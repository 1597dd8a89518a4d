//go:build linux

package sockets_test

import (
	"bytes"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// FuzzStripIPv4Header takes the header off whatever arrives: the rest of what arrived is
// in front, or all of it if that has no header of IPv4.
func FuzzStripIPv4Header(f *testing.F) {
	f.Add([]byte("\x45...................data"), 24)
	f.Add([]byte("\x4f........................................................."), 30)
	f.Add([]byte("\x45"), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > len(b) {
			return
		}
		want := bytes.Clone(b[:n])
		if n >= 20 && b[0]>>4 == 4 {
			if header := 4 * int(b[0]&15); header >= 20 && header <= n {
				want = want[header:]
			}
		}
		n = sockets.StripIPv4Header(n, b)
		if n < 0 || n > len(b) || !bytes.Equal(want, b[:n]) {
			t.Errorf("%d bytes are left, want %d", n, len(want))
		}
	})
}

// TestPing sends ICMP echo requests to this host: on raw sockets, for which one
// needs a privilege, and on those of the unprivileged, icmp(7).
func TestPing(t *testing.T) {
	ping4 := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 7, Seq: 1, Data: []byte("ping")}}
	ping6 := icmp.Message{Type: ipv6.ICMPTypeEchoRequest, Body: &icmp.Echo{ID: 7, Seq: 1, Data: []byte("ping")}}
	wantReply := func(t *testing.T, c net.PacketConn, m icmp.Message, proto int, to net.Addr) {
		t.Helper()
		socktest.CloseLater(t, c)
		socktest.Check(t, c.SetDeadline(time.Now().Add(2*time.Minute)))
		b, err := m.Marshal(nil)
		socktest.Check(t, err)
		_, err = c.WriteTo(b, to)
		socktest.Check(t, err)
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			socktest.Check(t, err)
			got, err := icmp.ParseMessage(proto, buf[:n])
			socktest.Check(t, err)
			echo, ok := got.Body.(*icmp.Echo)
			if !ok || got.Type != ipv4.ICMPTypeEchoReply && got.Type != ipv6.ICMPTypeEchoReply {
				continue // raw sockets see all that arrives, the request too
			}
			if string(echo.Data) != "ping" || !strings.HasPrefix(from.String(), strings.TrimSuffix(to.String(), ":0")) {
				t.Errorf("reply %+v from %v", echo, from)
			}
			return
		}
	}
	t.Run("raw", func(t *testing.T) {
		socktest.NeedRaw(t)
		c, err := sockets.ListenPacket("ip4:icmp", "127.0.0.1")
		socktest.Check(t, err)
		wantReply(t, c, ping4, 1, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)})
	})
	t.Run("raw, IPv6", func(t *testing.T) {
		s := conntest.NewSocket(t, "ip6:ipv6-icmp")
		c, err := s.PacketConn()
		socktest.Check(t, err)
		wantReply(t, c, ping6, 58, &net.IPAddr{IP: net.IPv6loopback})
	})
	t.Run("connected", func(t *testing.T) {
		socktest.NeedRaw(t)
		c, err := sockets.Dial("ip4:icmp", "127.0.0.1")
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		socktest.Check(t, c.SetDeadline(time.Now().Add(2*time.Minute)))
		b, err := ping4.Marshal(nil)
		socktest.Check(t, err)
		conntest.Send(t, c.(conntest.Messenger), string(b), 0)
		buf := make([]byte, 1500)
		n, from, err := c.(conntest.Messenger).ReceiveFrom(buf, sockets.MsgPeek)
		// What the kernel gives, with the IP header.
		if err != nil || n != 20+len(b) || buf[0] != 0x45 || from.String() != "127.0.0.1" {
			t.Errorf("received %d bytes from %v, %v; want a header and %d", n, from, err, len(b))
		}
		if n, err := c.Read(buf); n != 20+len(b) || err != nil {
			t.Errorf("read %d bytes, %v after peeking", n, err)
		}
	})
	t.Run("unprivileged", func(t *testing.T) {
		socktest.EnterNetNS(t)
		if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 2147483647"), 0); err != nil {
			t.Skip("not allowed to ping:", err)
		}
		for _, tt := range []struct {
			family, proto int
			ping          icmp.Message
			to            *net.UDPAddr
		}{
			{unix.AF_INET, unix.IPPROTO_ICMP, ping4, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}},
			{unix.AF_INET6, unix.IPPROTO_ICMPV6, ping6, &net.UDPAddr{IP: net.IPv6loopback}},
		} {
			s, err := sockets.NewRaw(tt.family, unix.SOCK_DGRAM, tt.proto)
			socktest.Check(t, err)
			c, err := s.PacketConn()
			socktest.Check(t, err)
			wantReply(t, c, tt.ping, tt.proto, tt.to)
		}
	})
}

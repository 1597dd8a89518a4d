//go:build linux

package sockets_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// A receiveReader is an option that adds something to received datagrams, and whether
// that was found in what came with one.
type receiveReader struct {
	network string
	option  sockopt.Option[bool]
	found   func(p PacketInfo, c *UDPConn) bool
}

func isOriginalDst(p PacketInfo, c *UDPConn) bool {
	return p.OriginalDst == c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func hasLocal(p PacketInfo, c *UDPConn) bool {
	return p.Local == c.LocalAddr().(*net.UDPAddr).AddrPort().Addr() && p.Interface > 0
}

func hasTTL(p PacketInfo, _ *UDPConn) bool  { return p.HasTTL && p.TTL == 7 }
func hasTOS(p PacketInfo, _ *UDPConn) bool  { return p.HasTOS && p.TOS == 0x28 }
func hasTime(p PacketInfo, _ *UDPConn) bool { return time.Since(p.Time).Abs() < time.Hour }

// receiveReaders are all options that begin with Receive and are switches, and those
// for times.
var receiveReaders = map[string]receiveReader{
	"ReceiveHopLimit":      {"udp6", sockopt.ReceiveHopLimit, hasTTL},
	"ReceiveOriginalDst":   {"udp4", sockopt.ReceiveOriginalDst, isOriginalDst},
	"ReceiveOriginalDst6":  {"udp6", sockopt.ReceiveOriginalDst6, isOriginalDst},
	"ReceivePacketInfo":    {"udp4", sockopt.ReceivePacketInfo, hasLocal},
	"ReceivePacketInfo6":   {"udp6", sockopt.ReceivePacketInfo6, hasLocal},
	"ReceiveTOS":           {"udp4", sockopt.ReceiveTOS, hasTOS},
	"ReceiveTrafficClass":  {"udp6", sockopt.ReceiveTrafficClass, hasTOS},
	"ReceiveTTL":           {"udp4", sockopt.ReceiveTTL, hasTTL},
	"ReceiveQueueOverflow": {"udp4", sockopt.ReceiveQueueOverflow, nil}, // TestPacketInfoDropped
	"ReceiveError":         {"udp4", sockopt.ReceiveError, nil},         // TestReadErrorQueue
	"ReceiveError6":        {"udp6", sockopt.ReceiveError6, nil},
	"Timestamp":            {"udp4", sockopt.Timestamp, hasTime},
	"TimestampNS":          {"udp6", sockopt.TimestampNS, hasTime},
}

// TestReceiveOptionsHaveReaders fails for an option that adds to what is received what
// this package then does not read.
func TestReceiveOptionsHaveReaders(t *testing.T) {
	files, err := filepath.Glob("sockopt/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := 0
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Receive") {
				return true
			}
			lit, ok := spec.Values[0].(*ast.CompositeLit)
			if !ok {
				return true
			}
			index, ok := lit.Type.(*ast.IndexExpr)
			if !ok {
				return true
			}
			if value, ok := index.Index.(*ast.Ident); !ok || value.Name != "bool" {
				return true
			}
			found++
			if _, ok := receiveReaders[spec.Names[0].Name]; !ok {
				t.Errorf("nothing reads what %s adds", spec.Names[0].Name)
			}
			return true
		})
	}
	if found < 11 {
		t.Errorf("found %d options, there are more", found)
	}
	for name, r := range receiveReaders {
		if r.found == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := conntest.OpenUDP(t, r.network)
			conntest.LimitTime(t, c)
			if p := sendToSelf(t, c); r.found(p, c) {
				t.Errorf("found in %+v without the option", p)
			}
			conntest.SetOptions(t, c, r.option)
			if p := sendToSelf(t, c); !r.found(p, c) {
				t.Errorf("not found in %+v", p)
			}
		})
	}
}

// sendToSelf has c send a datagram to itself with a TTL of 7 and a TOS of 0x28.
func sendToSelf(t *testing.T, c *UDPConn) PacketInfo {
	t.Helper()
	ttl, tos := sockopt.TTL, sockopt.TOS
	if c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Is6() {
		ttl, tos = sockopt.UnicastHops, sockopt.TrafficClass
	}
	if err := ttl.Set(c, 7); err != nil {
		t.Fatal(err)
	}
	if err := tos.Set(c, 0x28); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	p, _ := readInfo(t, c)
	return p
}

// TestTimestamping reads the time of SO_TIMESTAMPING from what is received.
func TestTimestamping(t *testing.T) {
	c := conntest.OpenUDP(t, "udp4")
	conntest.LimitTime(t, c)
	if err := sockopt.Timestamping.Set(c, sockopt.TimestampRxSoftware|sockopt.TimestampSoftware); err != nil {
		t.Skip(err)
	}
	// The kernel begins to take times a moment after the first socket wants them.
	p := sendToSelf(t, c)
	for end := time.Now().Add(10 * time.Second); p.Time.IsZero() && time.Now().Before(end); {
		p = sendToSelf(t, c)
	}
	if !hasTime(p, c) || !p.HardwareTime.IsZero() {
		t.Errorf("%+v has not the time of software alone", p)
	}
}

// TestListenConfigPacketInfo receives from every family that a socket serves.
func TestListenConfigPacketInfo(t *testing.T) {
	for _, tt := range []struct{ name, network, listen, from, local string }{
		{"IPv4", "udp4", "0.0.0.0:0", "127.0.0.2", "127.0.0.2"},
		{"IPv6", "udp6", "[::]:0", "::1", "::1"},
		{"both, from IPv6", "udp", "[::]:0", "::1", "::1"},
		{"both, from IPv4", "udp", "[::]:0", "127.0.0.2", "::ffff:127.0.0.2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lc := ListenConfig{PacketInfo: true}
			pc, err := lc.ListenPacket(t.Context(), tt.network, tt.listen)
			if err != nil {
				t.Skip(err)
			}
			defer pc.Close()
			server := pc.(*UDPConn)
			ap := netip.AddrPortFrom(netip.MustParseAddr(tt.from), uint16(server.LocalAddr().(*net.UDPAddr).Port))
			client := conntest.ConnectUDP(t, &Dialer{}, "udp", net.UDPAddrFromAddrPort(ap))
			conntest.LimitTime(t, client, server)
			ttl, tos := sockopt.TTL, sockopt.TOS
			if ap.Addr().Is6() {
				ttl, tos = sockopt.UnicastHops, sockopt.TrafficClass
			}
			if err := ttl.Set(client, 7); err != nil {
				t.Fatal(err)
			}
			if err := tos.Set(client, 0x28); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
			p, _ := readInfo(t, server)
			local := netip.MustParseAddr(tt.local)
			want := PacketInfo{Local: local, Destination: local, Interface: p.Interface, TOS: 0x28, HasTOS: true, TTL: 7, HasTTL: true}
			if p != want || p.Interface == 0 {
				t.Errorf("PacketInfo %+v, want %+v", p, want)
			}
		})
	}
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": ""} {
		lc := ListenConfig{PacketInfo: true}
		if network == "unix" {
			c, err := lc.ListenPacket(t.Context(), "unixgram", address)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			continue
		}
		l, err := lc.Listen(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

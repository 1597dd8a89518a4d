//go:build linux

package sockets_test

import (
	"encoding/binary"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// A server on the wildcard address answers from the address that it was asked at.
func TestPacketInfoReply(t *testing.T) {
	tests := []struct {
		name, listen, dial string
		options            []sockopt.Option[bool]
		local              string
	}{
		{"IPv4", "0.0.0.0:0", "127.0.0.2", []sockopt.Option[bool]{sockopt.ReceivePacketInfo}, "127.0.0.2"},
		{"IPv6", "[::]:0", "::1", []sockopt.Option[bool]{sockopt.ReceivePacketInfo6}, "::1"},
		{"mapped", "[::]:0", "127.0.0.2", []sockopt.Option[bool]{sockopt.ReceivePacketInfo6}, "::ffff:127.0.0.2"},
		{"mapped, of IPv4", "[::]:0", "127.0.0.2", []sockopt.Option[bool]{sockopt.ReceivePacketInfo}, "127.0.0.2"},
	}
	lo := socktest.LoopbackInterface(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			network := "udp"
			if tt.name == "IPv4" {
				network = "udp4"
			}
			pc, err := ListenPacket(network, tt.listen)
			if err != nil {
				t.Skip(err)
			}
			defer pc.Close()
			server := pc.(*UDPConn)
			conntest.SetOptions(t, server, tt.options...)
			socktest.NeedControl(t, network, tt.options[0].With(true).Apply)
			ap := netip.AddrPortFrom(netip.MustParseAddr(tt.dial), uint16(server.LocalAddr().(*net.UDPAddr).Port))
			client := conntest.ConnectUDP(t, &Dialer{}, "udp", net.UDPAddrFromAddrPort(ap))
			conntest.LimitTime(t, client, server)
			if _, err := client.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
			got, from := conntest.ReadInfo(t, server)
			local := netip.MustParseAddr(tt.local)
			want := PacketInfo{Local: local, Destination: local, Interface: lo.Index}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
				t.Fatalf("PacketInfo (-want +got):\n%s", diff)
			}
			if _, _, err := server.WriteMsgUDP([]byte("!"), got.Append(nil), from); err != nil {
				t.Fatal(err)
			}
			// A connected socket receives from its peer's address only.
			b := make([]byte, 10)
			if n, err := client.Read(b); err != nil || string(b[:n]) != "!" {
				t.Errorf("answer %q, %v", b[:n], err)
			}
		})
	}
}

// An answer to a broadcast does not come from the address of the broadcast.
func TestPacketInfoBroadcast(t *testing.T) {
	pc, err := ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	server := pc.(*UDPConn)
	conntest.LimitTime(t, server)
	conntest.SetOptions(t, server, sockopt.ReceivePacketInfo)
	to := netip.MustParseAddr("127.255.255.255")
	plain, err := socktest.Datagram{
		Network: "udp4", To: to.String(), Prepare: sockopt.ReceivePacketInfo.With(true).Apply,
	}.Deliver()
	socktest.Check(t, err)
	if socktest.Has(t, plain.Control, unix.SOL_IP, unix.IP_PKTINFO, append(binary.NativeEndian.AppendUint32(nil, 1), to.AsSlice()...)) {
		t.Skip("IP_PKTINFO gives the address of the broadcast as that of this host")
	}
	if _, err := server.WriteToUDPAddrPort([]byte("?"), netip.AddrPortFrom(to, uint16(server.LocalAddr().(*net.UDPAddr).Port))); err != nil {
		t.Fatal(err)
	}
	got, _ := conntest.ReadInfo(t, server)
	if want := netip.MustParseAddr("127.0.0.1"); got.Local != want || got.Destination != to {
		t.Errorf("arrived at %v, sent to %v, want %v, %v", got.Local, got.Destination, want, to)
	}
}

func TestPacketInfoTOS(t *testing.T) {
	socktest.NeedPacketInfo(t)
	for _, network := range []string{"udp4", "udp6", "udp"} {
		t.Run(network, func(t *testing.T) {
			a, b := conntest.OpenUDP(t, network), conntest.OpenUDP(t, network)
			conntest.LimitTime(t, a, b)
			socktest.NeedTOS(t, network)
			switch network {
			case "udp4":
				conntest.SetOptions(t, b, sockopt.ReceiveTOS)
			case "udp6":
				conntest.SetOptions(t, b, sockopt.ReceiveTrafficClass)
			default:
				conntest.SetOptions(t, b, sockopt.ReceiveTOS, sockopt.ReceiveTrafficClass)
			}
			to := conntest.ToLoopback(b.LocalAddr())
			for _, tos := range []uint8{2, 0xb8, 0} {
				oob := PacketInfo{TOS: tos, HasTOS: true}.Append(nil)
				if _, _, err := a.WriteMsgUDP([]byte("x"), oob, to); err != nil {
					t.Fatal(err)
				}
				p, _ := conntest.ReadInfo(t, b)
				if diff := cmp.Diff(PacketInfo{TOS: tos, HasTOS: true}, p, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
					t.Errorf("PacketInfo (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestPacketInfoTime(t *testing.T) {
	for _, o := range []sockopt.Option[bool]{sockopt.Timestamp, sockopt.TimestampNS} {
		t.Run(o.String(), func(t *testing.T) {
			c := conntest.OpenUDP(t, "udp4")
			conntest.LimitTime(t, c)
			conntest.SetOptions(t, c, o)
			socktest.NeedControl(t, "udp4", o.With(true).Apply)
			before := time.Now().Add(-time.Second)
			if _, err := c.WriteTo(nil, c.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			if p, _ := conntest.ReadInfo(t, c); p.Time.Before(before) || p.Time.After(time.Now().Add(time.Second)) {
				t.Errorf("received at %v, now it is %v", p.Time, time.Now())
			}
		})
	}
}

// SO_TIMESTAMP tells microseconds, SO_TIMESTAMPNS nanoseconds.
func TestPacketInfoTimeUnits(t *testing.T) {
	for typ, want := range map[int32]time.Time{
		unix.SCM_TIMESTAMP:   time.Unix(7, 5000),
		unix.SCM_TIMESTAMPNS: time.Unix(7, 5),
	} {
		oob := make([]byte, unix.CmsgSpace(int(unsafe.Sizeof(unix.Timespec{}))))
		h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
		h.Level, h.Type = unix.SOL_SOCKET, typ
		h.SetLen(len(oob))
		*(*unix.Timespec)(unsafe.Pointer(&oob[unix.CmsgLen(0)])) = unix.Timespec{Sec: 7, Nsec: 5}
		got, err := ParsePacketInfo(oob)
		if err != nil || !got.Time.Equal(want) {
			t.Errorf("type %d: %v, %v, want %v", typ, got.Time, err, want)
		}
	}
}

// A device's time and the kernel's are two fields, and come in one message or in two.
func TestPacketInfoBothTimes(t *testing.T) {
	times := func(software, hardware int64) []byte {
		oob := make([]byte, unix.CmsgSpace(3*int(unsafe.Sizeof(unix.Timespec{}))))
		h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
		h.Level, h.Type = unix.SOL_SOCKET, unix.SO_TIMESTAMPING
		h.SetLen(unix.CmsgLen(3 * int(unsafe.Sizeof(unix.Timespec{}))))
		*(*[3]unix.Timespec)(unsafe.Pointer(&oob[unix.CmsgLen(0)])) = [3]unix.Timespec{unix.NsecToTimespec(software), {}, unix.NsecToTimespec(hardware)}
		return oob
	}
	for name, oob := range map[string][]byte{
		"one message": times(5e9, 7e9),
		"two":         append(times(5e9, 0), times(0, 7e9)...),
		"two, turned": append(times(0, 7e9), times(5e9, 0)...),
	} {
		p, err := ParsePacketInfo(oob)
		if err != nil || !p.Time.Equal(time.Unix(5, 0)) || !p.HardwareTime.Equal(time.Unix(7, 0)) {
			t.Errorf("%s: %v, %v, %v, want 5 and 7 seconds", name, p.Time, p.HardwareTime, err)
		}
	}
}

// TestPacketInfoTxTime has the kernel take the time at which a datagram is to leave, and
// refuse it from a socket without a clock.
func TestPacketInfoTxTime(t *testing.T) {
	c := conntest.OpenUDP(t, "udp4")
	to := c.LocalAddr().(*net.UDPAddr)
	err := sockopt.TxTime.Set(c, sockopt.TxTimeConfig{Clock: unix.CLOCK_MONOTONIC})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	socktest.Check(t, err)
	socktest.WithFD(t, c, func(fd int) error {
		control := socktest.Control(unix.SOL_SOCKET, unix.SCM_TXTIME, binary.NativeEndian.AppendUint64(nil, 1))
		if _, err := unix.SendmsgN(fd, []byte("plain"), control, &unix.SockaddrInet4{Addr: [4]byte(to.IP.To4()), Port: to.Port}, 0); err != nil {
			t.Skip("no SCM_TXTIME, although there is SO_TXTIME: ", err)
		}
		return nil
	})
	oob := PacketInfo{TxTime: 1}.Append(nil) // long ago
	_, _, err = c.WriteMsgUDP([]byte("now"), oob, to)
	socktest.Check(t, err)
	conntest.LimitTime(t, c)
	conntest.WantMessage(t, c, "plain")
	conntest.WantMessage(t, c, "now")
	if _, _, err := conntest.OpenUDP(t, "udp4").WriteMsgUDP([]byte("x"), oob, to); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a time for a socket without a clock: %v, want EINVAL", err)
	}
}

func TestPacketInfoAppendLeavesGroupsAlone(t *testing.T) {
	p := PacketInfo{Local: netip.MustParseAddr("ff02::1")}
	if oob := p.Append(nil); len(oob) != 0 {
		t.Errorf("a multicast group as source: %x", oob)
	}
	p = PacketInfo{Local: netip.MustParseAddr("::ffff:255.255.255.255")}
	if oob := p.Append(nil); len(oob) != 0 {
		t.Errorf("broadcast as source: %x", oob)
	}
	if oob := (PacketInfo{}).Append(nil); len(oob) != 0 {
		t.Errorf("the zero PacketInfo asks for %x", oob)
	}
}

func TestParsePacketInfoMalformed(t *testing.T) {
	info := PacketInfo{Local: netip.MustParseAddr("::1"), Interface: 1}.Append(nil)
	both := PacketInfo{TOS: 1, HasTOS: true}.Append(info)
	if _, err := ParsePacketInfo(both); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, len(info) - 24 - 1, len(info) - 24, len(info) - 24 + 19, len(info) + 1} {
		if p, err := ParsePacketInfo(both[:n]); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%d of %d bytes: %+v, %v, want EINVAL", n, len(both), p, err)
		}
	}
}

// A message that is too short for what it should tell is malformed, however well its
// header is formed; one that is longer tells the same.
func TestParsePacketInfoLengths(t *testing.T) {
	word := int(unsafe.Sizeof(uintptr(0)))
	for _, tt := range []struct {
		name       string
		level, typ int32
		length     int
		fixed      bool
	}{
		{"IP_PKTINFO", unix.SOL_IP, unix.IP_PKTINFO, 12, false},
		{"IPV6_PKTINFO", unix.SOL_IPV6, unix.IPV6_PKTINFO, 20, false},
		{"IP_TOS", unix.SOL_IP, unix.IP_TOS, 1, false},
		{"IPV6_TCLASS", unix.SOL_IPV6, unix.IPV6_TCLASS, 4, false},
		{"IP_TTL", unix.SOL_IP, unix.IP_TTL, 1, false},
		{"IPV6_HOPLIMIT", unix.SOL_IPV6, unix.IPV6_HOPLIMIT, 4, false},
		{"SO_RXQ_OVFL", unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 4, false},
		{"IP_ORIGDSTADDR", unix.SOL_IP, unix.IP_ORIGDSTADDR, 16, false},
		{"IPV6_ORIGDSTADDR", unix.SOL_IPV6, unix.IPV6_ORIGDSTADDR, 28, false},
		{"SCM_TIMESTAMP", unix.SOL_SOCKET, unix.SCM_TIMESTAMP, 2 * word, true},
		{"SCM_TIMESTAMPNS", unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS, 2 * word, true},
		{"SCM_TIMESTAMPING", unix.SOL_SOCKET, unix.SO_TIMESTAMPING, 6 * word, true},
	} {
		for n := range tt.length + 2 {
			oob := make([]byte, unix.CmsgSpace(n))
			h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
			h.Level, h.Type = tt.level, tt.typ
			h.SetLen(unix.CmsgLen(n))
			if family := oob[unix.CmsgLen(0):]; n >= 2 && (tt.typ == unix.IP_ORIGDSTADDR || tt.typ == unix.IPV6_ORIGDSTADDR) {
				binary.NativeEndian.PutUint16(family, map[int32]uint16{unix.SOL_IP: unix.AF_INET, unix.SOL_IPV6: unix.AF_INET6}[tt.level])
			}
			bad := n < tt.length || tt.fixed && n > tt.length
			if tt.fixed && n == tt.length/word*4 {
				bad = false // of a 32-bit system
			}
			p, err := ParsePacketInfo(oob)
			_, argument := errors.AsType[*ArgumentError](err)
			if argument != bad || !bad && err != nil {
				t.Errorf("%s of %d bytes: %+v, %v", tt.name, n, p, err)
			}
		}
	}
}

// A control message with a negative number is none of those that a system lacks.
func TestPacketInfoNegative(t *testing.T) {
	for _, level := range []int{-1, sys.IPPROTO_IP, sys.IPPROTO_IPV6, sys.SOL_SOCKET} {
		for typ := -4; typ < 0; typ++ {
			oob, data := sys.AppendCmsg(nil, level, typ, 20)
			for i := range data {
				data[i] = 1
			}
			p, err := ParsePacketInfo(oob)
			if diff := cmp.Diff(PacketInfo{}, p, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" || err != nil {
				t.Errorf("level %d, type %d: %v (-want +got):\n%s", level, typ, err, diff)
			}
		}
	}
}

// What Append writes, ParsePacketInfo reads, and nothing makes it panic.
func FuzzParsePacketInfo(f *testing.F) {
	f.Add([]byte{})
	f.Add(PacketInfo{Local: netip.MustParseAddr("127.0.0.1"), Interface: 7}.Append(nil))
	f.Add(PacketInfo{Local: netip.MustParseAddr("::1"), Interface: 7, TOS: 3, HasTOS: true}.Append(nil))
	f.Add(sys.AppendPktinfo6(nil, 0, netip.MustParseAddr("::ffff:255.255.255.255").As16()))
	for _, level := range []int{-1, sys.IPPROTO_IP, sys.IPPROTO_IPV6, sys.SOL_SOCKET} {
		oob, data := sys.AppendCmsg(nil, level, -1, 20)
		copy(data, "\xc0\x00\x02\x01 and the rest")
		f.Add(oob)
	}
	f.Fuzz(func(t *testing.T, oob []byte) {
		p, err := ParsePacketInfo(oob)
		if err != nil {
			return
		}
		if p.Local.IsMulticast() || p.Local.Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			p.Local = netip.Addr{} // which nothing is sent from
		}
		p.Local = p.Local.WithZone("") // zones come and go with interfaces
		p.Destination, p.Time, p.Dropped = netip.Addr{}, time.Time{}, 0
		p.OriginalDst, p.HardwareTime, p.TTL, p.HasTTL = netip.AddrPort{}, time.Time{}, 0, false
		if !p.Local.IsValid() && p.Interface != 0 {
			return // asked for in both families, which leaves a wildcard
		}
		if !p.Local.IsValid() {
			p.Interface = 0
		}
		again, err := ParsePacketInfo(p.Append(nil))
		again.Local, again.Destination = again.Local.WithZone(""), netip.Addr{}
		if diff := cmp.Diff(p, again, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" || err != nil {
			t.Errorf("read back %v (-want +got):\n%s", err, diff)
		}
	})
}

// A dual-stack socket asks for an interface alone in the family that it sends over.
func TestPacketInfoInterfaceAlone(t *testing.T) {
	lo := socktest.LoopbackInterface(t)
	c := conntest.OpenUDP(t, "udp")
	tests := []struct{ network, local string }{
		{"udp4", "::ffff:0.0.0.0"},
		{"udp4", "0.0.0.0"},
		{"udp6", ""},
		{"udp6", "::"},
	}
	for _, tt := range tests {
		p := PacketInfo{Interface: lo.Index}
		if tt.local != "" {
			p.Local = netip.MustParseAddr(tt.local)
		}
		to := conntest.OpenUDP(t, tt.network)
		conntest.LimitTime(t, to)
		conntest.SetOptions(t, to, map[string]sockopt.Option[bool]{"udp4": sockopt.ReceivePacketInfo, "udp6": sockopt.ReceivePacketInfo6}[tt.network])
		if _, _, err := c.WriteMsgUDP([]byte("x"), p.Append(nil), to.LocalAddr().(*net.UDPAddr)); err != nil {
			t.Errorf("to %s by interface %d from %q: %v", tt.network, lo.Index, tt.local, err)
			continue
		}
		if got, _ := conntest.ReadInfo(t, to); got.Interface != lo.Index {
			t.Errorf("to %s from %q: came by interface %d, want %d", tt.network, tt.local, got.Interface, lo.Index)
		}
	}
}

// A link-local address comes with its zone, others without.
func TestDatagramPacketInfoZone(t *testing.T) {
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skip("no interface with index 1: ", err)
	}
	for local, want := range map[string]string{
		"fe80::1":            "fe80::1%" + lo.Name,
		"2001:db8::1":        "2001:db8::1",
		"::ffff:169.254.1.1": "::ffff:169.254.1.1", // link-local of IPv4, which has no zones
	} {
		oob := PacketInfo{Local: netip.MustParseAddr(local), Interface: lo.Index}.Append(nil)
		p, err := ParsePacketInfo(oob)
		if err != nil || p.Local.String() != want || p.Destination != p.Local {
			t.Errorf("%s: %+v, %v, want %s", local, p, err, want)
		}
	}
}

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
	"ReceiveQueueOverflow": {"udp4", sockopt.ReceiveQueueOverflow, nil}, // TestOffloadLossIsCounted
	"ReceiveError":         {"udp4", sockopt.ReceiveError, nil},         // TestReadErrorQueue
	"ReceiveError6":        {"udp6", sockopt.ReceiveError6, nil},
	"Timestamp":            {"udp4", sockopt.Timestamp, hasTime},
	"TimestampNS":          {"udp6", sockopt.TimestampNS, hasTime},
}

// TestReceiveOptionsHaveReaders fails for an option that adds to what is received what
// this package then does not read.
func TestReceiveOptionsHaveReaders(t *testing.T) {
	socktest.NeedPacketInfo(t)
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
			socktest.NeedControl(t, r.network, r.option.With(true).Apply)
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
	p, _ := conntest.ReadInfo(t, c)
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
	if p.Time.IsZero() {
		socktest.NeedControl(t, "udp4", sockopt.Timestamping.With(sockopt.TimestampRxSoftware|sockopt.TimestampSoftware).Apply)
	}
	if !hasTime(p, c) || !p.HardwareTime.IsZero() {
		t.Errorf("%+v has not the time of software alone", p)
	}
}

// An index of more than 32 bits names no interface, and not the one of its low bits.
func TestPacketInfoInterfaceBeyond32Bits(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("an int has 32 bits")
	}
	lo := socktest.LoopbackInterface(t)
	low32 := int64(1) << 32
	plain := unix.Inet4Pktinfo{Ifindex: math.MaxInt32}
	control := socktest.Control(unix.SOL_IP, unix.IP_PKTINFO, unsafe.Slice((*byte)(unsafe.Pointer(&plain)), unsafe.Sizeof(plain)))
	if _, err := (socktest.Datagram{Network: "udp4", Control: control}).Deliver(); err == nil {
		t.Skip("the kernel does not look at the interface of IP_PKTINFO")
	}
	for _, network := range []string{"udp4", "udp6"} {
		a, b := conntest.OpenUDP(t, network), conntest.OpenUDP(t, network)
		to := b.LocalAddr().(*net.UDPAddr)
		for _, tt := range []struct {
			index int
			sent  bool
		}{{lo.Index, true}, {lo.Index + int(low32), false}} {
			info := PacketInfo{Interface: tt.index}
			if network == "udp6" {
				info.Local = netip.IPv6Unspecified()
			}
			_, _, err := a.WriteMsgUDP([]byte("x"), info.Append(nil), to)
			if (err == nil) != tt.sent {
				t.Errorf("%s by interface %#x: %v", network, tt.index, err)
			}
		}
	}
}

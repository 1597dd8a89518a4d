//go:build linux

package sockets_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

func TestMsgFlagsString(t *testing.T) {
	tests := []struct {
		flags sockets.MsgFlags
		want  string
	}{
		{0, ""},
		{sockets.MsgPeek, "MsgPeek"},
		{sockets.MsgConfirm | sockets.MsgOutOfBand, "MsgOutOfBand|MsgConfirm"},
		{sockets.MsgDontWait | 1<<12, "MsgDontWait|0x1000"},
	}
	for _, tt := range tests {
		if got := tt.flags.String(); got != tt.want {
			t.Errorf("%d prints as %q, want %q", int(tt.flags), got, tt.want)
		}
	}
}

// TestMsgFlagsNumbers checks that a flag serves where a system call's flag is expected.
func TestMsgFlagsNumbers(t *testing.T) {
	want := map[sockets.MsgFlags]int{
		sockets.MsgPeek:      syscall.MSG_PEEK,
		sockets.MsgOutOfBand: syscall.MSG_OOB,
		sockets.MsgWaitAll:   syscall.MSG_WAITALL,
		sockets.MsgDontWait:  syscall.MSG_DONTWAIT,
		sockets.MsgDontRoute: syscall.MSG_DONTROUTE,
	}
	for flag, number := range want {
		if int(flag) != number {
			t.Errorf("%v is %#x, want %#x", flag, int(flag), number)
		}
	}
	if len(want) != 5 || sockets.MsgConfirm&sockets.MsgMore != 0 {
		t.Error("two flags have one number")
	}
}

// TestMsgFlagsMisused passes flags to the calls that they are not for.
func TestMsgFlagsMisused(t *testing.T) {
	a, b := conntest.Dialed(t, "tcp4")
	for _, flags := range []sockets.MsgFlags{sockets.MsgPeek, sockets.MsgWaitAll, sockets.MsgDontWait | sockets.MsgPeek, 1 << 20} {
		_, err := a.SendTo([]byte("x"), nil, flags)
		socktest.WantError(t, err, "write", syscall.EINVAL)
		var arg *sockets.ArgumentError
		if !errors.As(err, &arg) || arg.Arg != "flags" || arg.Value != flags {
			t.Errorf("SendTo with %v: %v, want an ArgumentError", flags, err)
		}
	}
	for _, flags := range []sockets.MsgFlags{sockets.MsgDontRoute, sockets.MsgConfirm, sockets.MsgMore, 1 << 20} {
		_, _, err := b.ReceiveFrom(make([]byte, 1), flags)
		socktest.WantError(t, err, "read", syscall.EINVAL)
	}
	_, _, err := conntest.OpenUDP(t, "udp4").ReceiveFromAddrPort(make([]byte, 1), sockets.MsgMore)
	socktest.WantError(t, err, "read", syscall.EINVAL)
	socktest.Check(t, a.Close())
	if n, _, err := b.ReceiveFrom(make([]byte, 1), 0); n != 0 || err != io.EOF {
		t.Errorf("received %d, %v; want nothing to have been sent", n, err)
	}
}

// TestMessageNetworks sends and receives on every kind of connection, with the
// flags that all of them know.
func TestMessageNetworks(t *testing.T) {
	pairs := map[string]func(t *testing.T) (a, b conntest.Messenger){}
	for _, network := range []string{"tcp4", "tcp6", "unix", "unixpacket"} {
		pairs[network] = func(t *testing.T) (a, b conntest.Messenger) { return conntest.Dialed(t, network) }
	}
	for _, network := range []string{"udp4", "udp6"} {
		pairs[network] = func(t *testing.T) (a, b conntest.Messenger) {
			b = conntest.Packets(t, network)
			c, err := sockets.Dial(network, b.LocalAddr().String())
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			return c.(conntest.Messenger), b
		}
	}
	pairs["unixgram"] = func(t *testing.T) (a, b conntest.Messenger) {
		x, y, err := sockets.Pair("unixgram")
		socktest.Check(t, err)
		socktest.CloseLater(t, x)
		socktest.CloseLater(t, y)
		return x, y
	}
	for network, pair := range pairs {
		t.Run(network, func(t *testing.T) {
			a, b := pair(t)
			_, _, err := b.ReceiveFrom(make([]byte, 9), sockets.MsgDontWait)
			socktest.WantError(t, err, "read", sockets.ErrWouldBlock)
			_, _, err = b.ReceiveFrom(make([]byte, 9), sockets.MsgDontWait|sockets.MsgPeek|sockets.MsgWaitAll)
			socktest.WantError(t, err, "read", sockets.ErrWouldBlock)
			conntest.Send(t, a, "message", 0)
			conntest.WantReceive(t, b, 9, sockets.MsgPeek, "message")
			conntest.WantReceive(t, b, 7, sockets.MsgPeek|sockets.MsgWaitAll, "message")
			conntest.WantReceive(t, b, 7, sockets.MsgWaitAll, "message")
			conntest.Send(t, a, "again", sockets.MsgDontWait)
			conntest.WantReceive(t, b, 9, 0, "again")

			socktest.Check(t, b.SetReadDeadline(time.Unix(1, 0)))
			_, _, err = b.ReceiveFrom(make([]byte, 9), 0)
			socktest.WantError(t, err, "read", os.ErrDeadlineExceeded)
			socktest.Check(t, a.SetWriteDeadline(time.Unix(1, 0)))
			_, err = a.SendTo([]byte("late"), nil, 0)
			socktest.WantError(t, err, "write", os.ErrDeadlineExceeded)

			socktest.Check(t, a.Close())
			_, err = a.SendTo([]byte("x"), nil, 0)
			socktest.WantError(t, err, "write", net.ErrClosed)
			_, _, err = a.ReceiveFrom(make([]byte, 9), 0)
			socktest.WantError(t, err, "read", net.ErrClosed)
			_, err = a.SendTo([]byte("x"), b.LocalAddr(), 0)
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, net.ErrWriteToConnected) {
				t.Errorf("SendTo an address after Close: %v", err)
			}
		})
	}
}

// TestMessageAddresses compares the destinations that SendTo takes.
func TestMessageAddresses(t *testing.T) {
	udp := conntest.Packets(t, "udp4")
	var udp6 conntest.Messenger
	if socktest.HasIPv6() {
		udp6 = conntest.Packets(t, "udp6")
	}
	gram := conntest.Packets(t, "unixgram")
	tcp, _ := conntest.Dialed(t, "tcp4")
	packet, _ := conntest.Dialed(t, "unixpacket")
	var addrError *net.AddrError
	var argument *sockets.ArgumentError
	tests := []struct {
		name string
		c    conntest.Messenger
		to   net.Addr
		want any // an error to match, or a pointer to one
	}{
		{"none", udp, nil, syscall.EDESTADDRREQ},
		{"typed nil", udp, (*net.UDPAddr)(nil), syscall.EDESTADDRREQ},
		{"TCP address", udp, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, &argument},
		{"unix address", udp, &net.UnixAddr{Name: "@x", Net: "unixgram"}, &argument},
		{"IPv6 address", udp, &net.UDPAddr{IP: net.IPv6loopback, Port: 1}, &addrError},
		{"malformed IP address", udp, &net.UDPAddr{IP: net.IP{1, 2, 3}, Port: 1}, &addrError},
		{"port 65536", udp, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 65536}, syscall.EINVAL},
		{"IPv4 address of an IPv6 socket", udp6, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, syscall.ENETUNREACH},
		{"UDP address", gram, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, &argument},
		{"stream's unix address", gram, &net.UnixAddr{Name: "@x", Net: "unix"}, syscall.EAFNOSUPPORT},
		{"unix address of nobody", gram, &net.UnixAddr{Name: "@nobody", Net: "unixgram"}, syscall.ECONNREFUSED},
		{"path with a NUL", gram, &net.UnixAddr{Name: "a\x00b", Net: "unixgram"}, &argument},
		{"name too long", gram, &net.UnixAddr{Name: strings.Repeat("x", 109), Net: "unixgram"}, syscall.EINVAL},
		{"stream", tcp, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, net.ErrWriteToConnected},
		{"sequenced packets", packet, &net.UnixAddr{Name: "@x", Net: "unixpacket"}, net.ErrWriteToConnected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.c == nil {
				socktest.NeedIPv6(t)
			}
			n, err := tt.c.SendTo([]byte("x"), tt.to, 0)
			var op *net.OpError
			if n != 0 || !errors.As(err, &op) || op.Op != "write" {
				t.Fatalf("sent %d, %v; want an error of write", n, err)
			}
			if socktest.IsNil(op.Addr) && op.Addr != nil {
				t.Errorf("the error has a typed nil address")
			}
			switch want := tt.want.(type) {
			case error:
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			default:
				if !errors.As(err, want) {
					t.Errorf("error %v, want a %T", err, want)
				}
			}
		})
	}
}

// TestConnectedSendTo sends elsewhere from a socket with a peer: the kernel allows
// it for UDP.
func TestConnectedSendTo(t *testing.T) {
	a, b, third := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	socktest.Check(t, a.(*sockets.UDPConn).Connect(b.LocalAddr()))
	_, err := a.SendTo([]byte("third"), third.LocalAddr(), 0)
	socktest.Check(t, err)
	conntest.WantReceive(t, third, 9, 0, "third")
	conntest.Send(t, a, "peer", 0)
	conntest.WantReceive(t, b, 9, 0, "peer")
}

func TestReceiveFromEmpty(t *testing.T) {
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	_, err := a.SendTo(nil, b.LocalAddr(), 0)
	socktest.Check(t, err)
	_, err = a.SendTo([]byte("x"), b.LocalAddr(), 0)
	socktest.Check(t, err)
	n, from, err := b.ReceiveFrom(make([]byte, 4), 0)
	if n != 0 || from == nil || err != nil {
		t.Errorf("empty datagram: %d from %v, %v", n, from, err)
	}
	// Whether there is a message, without taking it.
	_, _, err = b.ReceiveFrom(nil, sockets.MsgPeek)
	socktest.WantError(t, err, "read", io.ErrShortBuffer)
	conntest.WantReceive(t, b, 4, 0, "x")

	c, d := conntest.Dialed(t, "unixpacket")
	socktest.Check(t, c.Close())
	if n, _, err := d.ReceiveFrom(make([]byte, 4), 0); n != 0 || err != io.EOF {
		t.Errorf("end of sequenced packets: %d, %v; want EOF", n, err)
	}
	_, f := conntest.Dialed(t, "tcp4")
	if n, _, err := f.ReceiveFrom(nil, 0); n != 0 || err != nil {
		t.Errorf("stream into an empty buffer: %d, %v", n, err)
	}
}

// TestReceiveFromNothing receives without room: it tells whether there is a record,
// and whether the connection is closed, as Read does.
func TestReceiveFromNothing(t *testing.T) {
	a, b := conntest.Dialed(t, "unixpacket")
	conntest.Send(t, a, "record", 0)
	for _, flags := range []sockets.MsgFlags{sockets.MsgPeek, 0} {
		_, _, err := b.ReceiveFrom(nil, flags)
		socktest.WantError(t, err, "read", io.ErrShortBuffer)
	}
	_, _, err := b.ReceiveFrom(nil, sockets.MsgDontWait)
	socktest.WantError(t, err, "read", sockets.ErrWouldBlock)
	for _, network := range []string{"tcp4", "unix"} {
		_, c := conntest.Dialed(t, network)
		socktest.Check(t, c.Close())
		_, _, err := c.ReceiveFrom(nil, 0)
		socktest.WantError(t, err, "read", net.ErrClosed)
	}
}

// TestMessageAllocs wants no allocation where no address is made.
func TestMessageAllocs(t *testing.T) {
	info, _ := debug.ReadBuildInfo()
	if info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	stream, streamPeer := conntest.Dialed(t, "tcp4")
	x, y, err := sockets.Pair("unixgram")
	socktest.Check(t, err)
	socktest.CloseLater(t, x)
	socktest.CloseLater(t, y)
	udp, sink := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	to := sink.LocalAddr()
	b := make([]byte, 64)
	for name, f := range map[string]func(){
		"stream": func() {
			stream.SendTo(b, nil, sockets.MsgDontWait)
			streamPeer.ReceiveFrom(b, sockets.MsgWaitAll)
		},
		"datagram": func() {
			x.SendTo(b, nil, 0)
			y.ReceiveFrom(b, 0)
		},
		"datagram to an address": func() {
			udp.SendTo(b, to, 0)
			sink.Read(b)
		},
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

// TestZeroConns calls the methods of values that this package did not make.
func TestZeroConns(t *testing.T) {
	for _, c := range []conntest.Messenger{
		new(sockets.TCPConn), new(sockets.UDPConn), new(sockets.IPConn), new(sockets.UnixConn), new(sockets.StreamConn), new(sockets.PacketConn),
	} {
		calls := map[string]error{
			"SendTo":      socktest.ErrOf(c.SendTo(nil, nil, 0)),
			"ReceiveFrom": func() error { _, _, err := c.ReceiveFrom(nil, 0); return err }(),
			"Close":       c.Close(),
		}
		if p, ok := c.(interface {
			Connect(net.Addr) error
			Disconnect() error
		}); ok {
			calls["Connect"], calls["Disconnect"] = p.Connect(nil), p.Disconnect()
		}
		if p, ok := c.(net.PacketConn); ok {
			_, _, calls["ReadFrom"] = p.ReadFrom(nil)
			calls["WriteTo"] = socktest.ErrOf(p.WriteTo(nil, nil))
		}
		switch c := c.(type) {
		case *sockets.UDPConn:
			_, _, calls["ReceiveFromAddrPort"] = c.ReceiveFromAddrPort(nil, 0)
			_, _, calls["ReadErrorQueue"] = c.ReadErrorQueue(nil)
			calls["JoinGroup"] = c.JoinGroup(nil, nil)
		case *sockets.UnixConn:
			calls["SendFD"] = c.SendFD(os.Stdin)
			calls["SendFDs"] = socktest.ErrOf(c.SendFDs(nil))
			calls["SendRawFDs"] = socktest.ErrOf(c.SendRawFDs(nil))
			calls["SendCred"] = socktest.ErrOf(c.SendCred(nil, sockopt.Ucred{}))
			calls["ReceiveFD"] = socktest.ErrOf(c.ReceiveFD())
			_, _, calls["ReceiveFDs"] = c.ReceiveFDs(nil, 0)
			_, _, calls["ReceiveRawFDs"] = c.ReceiveRawFDs(nil, nil)
			_, _, calls["ReceiveCred"] = c.ReceiveCred(nil)
		}
		for name, err := range calls {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%T.%s: %v, want EINVAL", c, name, err)
			}
		}
	}
	for _, l := range []conntest.Acceptor{
		new(sockets.TCPListener), new(sockets.UnixListener), new(sockets.StreamListener), (*sockets.StreamListener)(nil),
	} {
		for name, err := range map[string]error{
			"Accept":      socktest.ErrOf(l.Accept()),
			"AcceptWith":  socktest.ErrOf(l.AcceptWith(sockets.AcceptConfig{})),
			"SetDeadline": l.SetDeadline(time.Time{}),
			"File":        socktest.ErrOf(l.File()),
			"SyscallConn": socktest.ErrOf(l.SyscallConn()),
			"Close":       l.Close(),
		} {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%T.%s: %v, want EINVAL", l, name, err)
			}
		}
	}
}

// TestMessageMethods checks that types have no methods that could not work.
func TestMessageMethods(t *testing.T) {
	type connector interface{ Connect(net.Addr) error }
	type closeWriter interface{ CloseWrite() error }
	type lingerer interface{ SetLinger(int) error }
	type readerFrom interface {
		ReadFrom(io.Reader) (int64, error)
	}
	for _, c := range []any{new(sockets.TCPConn), new(sockets.StreamConn), new(sockets.IPConn), new(sockets.PacketConn)} {
		if _, ok := c.(connector); ok {
			t.Errorf("%T has Connect", c)
		}
	}
	for _, c := range []any{new(sockets.UDPConn), new(sockets.IPConn), new(sockets.PacketConn)} {
		if _, ok := c.(closeWriter); ok {
			t.Errorf("%T has CloseWrite", c)
		}
		if _, ok := c.(lingerer); ok {
			t.Errorf("%T has SetLinger", c)
		}
	}
	if _, ok := any(new(sockets.StreamConn)).(net.PacketConn); ok {
		t.Error("StreamConn is a net.PacketConn")
	}
	if _, ok := any(new(sockets.UnixConn)).(readerFrom); ok {
		t.Error("UnixConn is an io.ReaderFrom")
	}
}

// TestDontRoute sends to a host behind a gateway, which the flag rules out.
func TestDontRoute(t *testing.T) {
	socktest.EnterNetNS(t)
	v0, v1 := socktest.VethPair(t)
	socktest.AddAddr(t, v0, net.IPv4(192, 0, 2, 1))
	socktest.AddNeighbor(t, v0, net.IPv4(192, 0, 2, 2), v1.HardwareAddr)
	socktest.AddDefaultRoute(t, net.IPv4(192, 0, 2, 2))
	c, err := sockets.ListenPacket("udp4", ":0")
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	behind := &net.UDPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 9}
	beside := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}
	for _, to := range []net.Addr{behind, beside} {
		_, err = c.(conntest.Messenger).SendTo([]byte("x"), to, 0)
		socktest.Check(t, err)
	}
	_, err = c.(conntest.Messenger).SendTo([]byte("x"), beside, sockets.MsgDontRoute)
	socktest.Check(t, err)
	_, err = c.(conntest.Messenger).SendTo([]byte("x"), behind, sockets.MsgDontRoute)
	socktest.WantError(t, err, "write", unix.ENETUNREACH)
}

// TestConfirm looks into the kernel's table of neighbors, arp(7): only the flag
// says that one is there.
func TestConfirm(t *testing.T) {
	socktest.EnterNetNS(t)
	v0, v1 := socktest.VethPair(t)
	socktest.AddAddr(t, v0, net.IPv4(192, 0, 2, 1))
	socktest.AddNeighbor(t, v0, net.IPv4(192, 0, 2, 2), v1.HardwareAddr)
	c, err := sockets.ListenPacket("udp4", ":0")
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	to := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}
	const longAgo = 1000
	_, err = c.(conntest.Messenger).SendTo([]byte("x"), to, 0)
	socktest.Check(t, err)
	if got := confirmed(t); len(got) != 1 || got[0] < longAgo {
		t.Fatalf("neighbors confirmed %v ticks ago, want one and long ago", got)
	}
	_, err = c.(conntest.Messenger).SendTo([]byte("x"), to, sockets.MsgConfirm)
	socktest.Check(t, err)
	if got := confirmed(t); len(got) != 1 || got[0] >= longAgo {
		t.Errorf("neighbors confirmed %v ticks ago, want one and just now", got)
	}
}

// confirmed returns the number of clock ticks, at 100 in a second, since the
// neighbors of this namespace were known to be there.
func confirmed(t *testing.T) (ticks []uint32) {
	t.Helper()
	c := conntest.RouteSocket(t)
	conntest.NetlinkRequest(t, c, unix.RTM_GETNEIGH, unix.NLM_F_DUMP, make([]byte, unix.SizeofNdMsg))
	socktest.Check(t, conntest.Replies(t, c, func(m syscall.NetlinkMessage) {
		if m.Data[0] != unix.AF_INET {
			return
		}
		for b := m.Data[unix.SizeofNdMsg:]; len(b) >= 4; {
			n := int(binary.NativeEndian.Uint16(b))
			if binary.NativeEndian.Uint16(b[2:]) == unix.NDA_CACHEINFO {
				ticks = append(ticks, binary.NativeEndian.Uint32(b[4:]))
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}))
	return ticks
}

// SendToAddrPort and ReceiveFromAddrPort are SendTo and ReceiveFrom without allocations.
func TestAddrPortForms(t *testing.T) {
	a := conntest.OpenUDP(t, "udp4")
	b := conntest.OpenUDP(t, "udp4")
	to, from := b.LocalAddr().(*net.UDPAddr).AddrPort(), a.LocalAddr().(*net.UDPAddr).AddrPort()
	buf, data := make([]byte, 8), []byte("hello")
	step := func() {
		if n, err := a.SendToAddrPort(data, to, sockets.MsgDontWait); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		if n, got, err := b.ReceiveFromAddrPort(buf, sockets.MsgPeek); n != 5 || got != from || err != nil {
			t.Fatal(n, got, err)
		}
		if n, got, err := b.ReceiveFromAddrPort(buf, 0); string(buf[:n]) != "hello" || got != from || err != nil {
			t.Fatal(n, got, err)
		}
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 && !socktest.Race {
		t.Errorf("%v allocations", n)
	}
	_, err := a.SendToAddrPort([]byte("longer than that"), to, 0)
	socktest.Check(t, err)
	if n, got, err := b.ReceiveFromAddrPort(buf, 0); n != 8 || got != from || !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("cut: %d from %v, %v", n, got, err)
	}
	_, _, err = b.ReceiveFromAddrPort(buf, sockets.MsgDontWait)
	socktest.WantError(t, err, "read", sockets.ErrWouldBlock)
	_, err = a.SendToAddrPort(data, netip.MustParseAddrPort("[::1]:9"), 0)
	if addr, ok := errors.AsType[*net.AddrError](err); !ok {
		t.Errorf("IPv6: %v, want an *AddrError, not %v", err, addr)
	}
	_, err = a.SendToAddrPort(data, netip.AddrPort{}, 0)
	socktest.WantError(t, err, "write", syscall.EDESTADDRREQ)
	_, err = a.SendToAddrPort(data, to, 1<<30)
	socktest.WantError(t, err, "write", syscall.EINVAL)
	_, err = new(sockets.UDPConn).SendToAddrPort(data, to, 0)
	if err != syscall.EINVAL {
		t.Errorf("zero: %v", err)
	}
}

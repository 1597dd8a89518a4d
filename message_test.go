//go:build linux

package sockets_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
)

// wantReceive calls ReceiveFrom with room for size bytes.
func wantReceive(t *testing.T, c messenger, size int, flags sockets.MsgFlags, want string) {
	t.Helper()
	b := make([]byte, size)
	n, _, err := c.ReceiveFrom(b, flags)
	if got := string(b[:n]); got != want || err != nil {
		t.Errorf("ReceiveFrom with %q got %q, %v; want %q", flags, got, err, want)
	}
}

func send(t *testing.T, c messenger, text string, flags sockets.MsgFlags) {
	t.Helper()
	if n, err := c.SendTo([]byte(text), nil, flags); n != len(text) || err != nil {
		t.Fatalf("SendTo with %q sent %d, %v", flags, n, err)
	}
}

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
	a, b := dialed(t, "tcp4")
	for _, flags := range []sockets.MsgFlags{sockets.MsgPeek, sockets.MsgWaitAll, sockets.MsgDontWait | sockets.MsgPeek, 1 << 20} {
		_, err := a.SendTo([]byte("x"), nil, flags)
		wantError(t, err, "write", syscall.EINVAL)
		var arg *sockets.ArgumentError
		if !errors.As(err, &arg) || arg.Arg != "flags" || arg.Value != flags {
			t.Errorf("SendTo with %v: %v, want an ArgumentError", flags, err)
		}
	}
	for _, flags := range []sockets.MsgFlags{sockets.MsgDontRoute, sockets.MsgConfirm, sockets.MsgMore, 1 << 20} {
		_, _, err := b.ReceiveFrom(make([]byte, 1), flags)
		wantError(t, err, "read", syscall.EINVAL)
	}
	check(t, a.Close())
	if n, _, err := b.ReceiveFrom(make([]byte, 1), 0); n != 0 || err != io.EOF {
		t.Errorf("received %d, %v; want nothing to have been sent", n, err)
	}
}

// TestMessageNetworks sends and receives on every kind of connection, with the
// flags that all of them know.
func TestMessageNetworks(t *testing.T) {
	pairs := map[string]func(t *testing.T) (a, b messenger){}
	for _, network := range []string{"tcp4", "tcp6", "unix", "unixpacket"} {
		pairs[network] = func(t *testing.T) (a, b messenger) { return dialed(t, network) }
	}
	for _, network := range []string{"udp4", "udp6"} {
		pairs[network] = func(t *testing.T) (a, b messenger) {
			b = packets(t, network)
			c, err := sockets.Dial(network, b.LocalAddr().String())
			check(t, err)
			closeLater(t, c)
			return c.(messenger), b
		}
	}
	pairs["unixgram"] = func(t *testing.T) (a, b messenger) {
		x, y, err := sockets.Pair("unixgram")
		check(t, err)
		closeLater(t, x)
		closeLater(t, y)
		return x, y
	}
	for network, pair := range pairs {
		t.Run(network, func(t *testing.T) {
			a, b := pair(t)
			_, _, err := b.ReceiveFrom(make([]byte, 9), sockets.MsgDontWait)
			wantError(t, err, "read", sockets.ErrWouldBlock)
			_, _, err = b.ReceiveFrom(make([]byte, 9), sockets.MsgDontWait|sockets.MsgPeek|sockets.MsgWaitAll)
			wantError(t, err, "read", sockets.ErrWouldBlock)
			send(t, a, "message", 0)
			wantReceive(t, b, 9, sockets.MsgPeek, "message")
			wantReceive(t, b, 7, sockets.MsgPeek|sockets.MsgWaitAll, "message")
			wantReceive(t, b, 7, sockets.MsgWaitAll, "message")
			send(t, a, "again", sockets.MsgDontWait)
			wantReceive(t, b, 9, 0, "again")

			check(t, b.SetReadDeadline(time.Unix(1, 0)))
			_, _, err = b.ReceiveFrom(make([]byte, 9), 0)
			wantError(t, err, "read", os.ErrDeadlineExceeded)
			check(t, a.SetWriteDeadline(time.Unix(1, 0)))
			_, err = a.SendTo([]byte("late"), nil, 0)
			wantError(t, err, "write", os.ErrDeadlineExceeded)

			check(t, a.Close())
			_, err = a.SendTo([]byte("x"), nil, 0)
			wantError(t, err, "write", net.ErrClosed)
			_, _, err = a.ReceiveFrom(make([]byte, 9), 0)
			wantError(t, err, "read", net.ErrClosed)
			_, err = a.SendTo([]byte("x"), b.LocalAddr(), 0)
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, net.ErrWriteToConnected) {
				t.Errorf("SendTo an address after Close: %v", err)
			}
		})
	}
}

// TestMessageAddresses compares the destinations that SendTo takes.
func TestMessageAddresses(t *testing.T) {
	udp := packets(t, "udp4")
	udp6 := packets(t, "udp6")
	gram := packets(t, "unixgram")
	tcp, _ := dialed(t, "tcp4")
	packet, _ := dialed(t, "unixpacket")
	var addrError *net.AddrError
	tests := []struct {
		name string
		c    messenger
		to   net.Addr
		want any // an error to match, or a pointer to one
	}{
		{"none", udp, nil, syscall.EDESTADDRREQ},
		{"typed nil", udp, (*net.UDPAddr)(nil), syscall.EDESTADDRREQ},
		{"TCP address", udp, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, &addrError},
		{"unix address", udp, &net.UnixAddr{Name: "@x", Net: "unixgram"}, &addrError},
		{"IPv6 address", udp, &net.UDPAddr{IP: net.IPv6loopback, Port: 1}, &addrError},
		{"malformed IP address", udp, &net.UDPAddr{IP: net.IP{1, 2, 3}, Port: 1}, &addrError},
		{"port 65536", udp, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 65536}, syscall.EINVAL},
		{"IPv4 address of an IPv6 socket", udp6, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, syscall.ENETUNREACH},
		{"UDP address", gram, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, &addrError},
		{"stream's unix address", gram, &net.UnixAddr{Name: "@x", Net: "unix"}, syscall.EAFNOSUPPORT},
		{"unix address of nobody", gram, &net.UnixAddr{Name: "@nobody", Net: "unixgram"}, syscall.ECONNREFUSED},
		{"path with a NUL", gram, &net.UnixAddr{Name: "a\x00b", Net: "unixgram"}, &addrError},
		{"name too long", gram, &net.UnixAddr{Name: strings.Repeat("x", 109), Net: "unixgram"}, syscall.EINVAL},
		{"stream", tcp, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, net.ErrWriteToConnected},
		{"sequenced packets", packet, &net.UnixAddr{Name: "@x", Net: "unixpacket"}, net.ErrWriteToConnected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := tt.c.SendTo([]byte("x"), tt.to, 0)
			var op *net.OpError
			if n != 0 || !errors.As(err, &op) || op.Op != "write" {
				t.Fatalf("sent %d, %v; want an error of write", n, err)
			}
			if isNil(op.Addr) && op.Addr != nil {
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
	a, b, third := packets(t, "udp4"), packets(t, "udp4"), packets(t, "udp4")
	check(t, a.(*sockets.UDPConn).Connect(b.LocalAddr()))
	_, err := a.SendTo([]byte("third"), third.LocalAddr(), 0)
	check(t, err)
	wantReceive(t, third, 9, 0, "third")
	send(t, a, "peer", 0)
	wantReceive(t, b, 9, 0, "peer")
}

func TestReceiveFromEmpty(t *testing.T) {
	a, b := packets(t, "udp4"), packets(t, "udp4")
	_, err := a.SendTo(nil, b.LocalAddr(), 0)
	check(t, err)
	_, err = a.SendTo([]byte("x"), b.LocalAddr(), 0)
	check(t, err)
	n, from, err := b.ReceiveFrom(make([]byte, 4), 0)
	if n != 0 || from == nil || err != nil {
		t.Errorf("empty datagram: %d from %v, %v", n, from, err)
	}
	// Whether there is a message, without taking it.
	_, _, err = b.ReceiveFrom(nil, sockets.MsgPeek)
	wantError(t, err, "read", io.ErrShortBuffer)
	wantReceive(t, b, 4, 0, "x")

	c, d := dialed(t, "unixpacket")
	check(t, c.Close())
	if n, _, err := d.ReceiveFrom(make([]byte, 4), 0); n != 0 || err != io.EOF {
		t.Errorf("end of sequenced packets: %d, %v; want EOF", n, err)
	}
	_, f := dialed(t, "tcp4")
	if n, _, err := f.ReceiveFrom(nil, 0); n != 0 || err != nil {
		t.Errorf("stream into an empty buffer: %d, %v", n, err)
	}
}

// TestReceiveFromNothing receives without room: it tells whether there is a record,
// and whether the connection is closed, as Read does.
func TestReceiveFromNothing(t *testing.T) {
	a, b := dialed(t, "unixpacket")
	send(t, a, "record", 0)
	for _, flags := range []sockets.MsgFlags{sockets.MsgPeek, 0} {
		_, _, err := b.ReceiveFrom(nil, flags)
		wantError(t, err, "read", io.ErrShortBuffer)
	}
	_, _, err := b.ReceiveFrom(nil, sockets.MsgDontWait)
	wantError(t, err, "read", sockets.ErrWouldBlock)
	for _, network := range []string{"tcp4", "unix"} {
		_, c := dialed(t, network)
		check(t, c.Close())
		_, _, err := c.ReceiveFrom(nil, 0)
		wantError(t, err, "read", net.ErrClosed)
	}
}

// TestMessageAllocs wants no allocation where no address is made.
func TestMessageAllocs(t *testing.T) {
	info, _ := debug.ReadBuildInfo()
	if info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	stream, streamPeer := dialed(t, "tcp4")
	x, y, err := sockets.Pair("unixgram")
	check(t, err)
	closeLater(t, x)
	closeLater(t, y)
	udp, sink := packets(t, "udp4"), packets(t, "udp4")
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
	for _, c := range []messenger{
		new(sockets.TCPConn), new(sockets.UDPConn), new(sockets.IPConn), new(sockets.UnixConn), new(sockets.StreamConn), new(sockets.PacketConn),
	} {
		calls := map[string]error{
			"SendTo":      errOf(c.SendTo(nil, nil, 0)),
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
			calls["WriteTo"] = errOf(p.WriteTo(nil, nil))
		}
		for name, err := range calls {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%T.%s: %v, want EINVAL", c, name, err)
			}
		}
	}
	for _, l := range []acceptor{
		new(sockets.TCPListener), new(sockets.UnixListener), new(sockets.StreamListener), (*sockets.StreamListener)(nil),
	} {
		for name, err := range map[string]error{
			"Accept":      errOf(l.Accept()),
			"AcceptWith":  errOf(l.AcceptWith(sockets.AcceptConfig{})),
			"SetDeadline": l.SetDeadline(time.Time{}),
			"File":        errOf(l.File()),
			"SyscallConn": errOf(l.SyscallConn()),
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

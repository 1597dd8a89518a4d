//go:build linux

package sockets_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// A seedRow is a keyword of an operator of IOLib, the library this one comes from.
type seedRow struct {
	operator, keyword string // the keyword is empty for the operator as such
	do                func(t *testing.T)
}

// TestSeed does once what each operator and keyword of IOLib is for. README.md has
// the same table.
func TestSeed(t *testing.T) {
	for _, row := range seedRows {
		name := row.operator
		if row.keyword != "" {
			name += "/" + row.keyword
		}
		t.Run(name, row.do)
	}
}

var seedRows = []seedRow{
	{"make-socket", ":address-family", seedAddressFamily},
	{"make-socket", ":type", seedType},
	{"make-socket", ":protocol", seedProtocol},
	{"make-socket", ":connect", seedActivePassive},
	{"make-socket", ":ipv6", seedIPv6},
	{"make-socket", ":local-host", seedLocalHostPort},
	{"make-socket", ":local-port", seedLocalHostPort},
	{"make-socket", ":remote-host", seedRemoteHostPort},
	{"make-socket", ":remote-port", seedRemoteHostPort},
	{"make-socket", ":local-filename", seedFilenames},
	{"make-socket", ":remote-filename", seedFilenames},
	{"make-socket", ":backlog", seedBacklog},
	{"make-socket", ":reuse-address", func(t *testing.T) { seedOption(t, sockopt.ReuseAddr, true) }},
	{"make-socket", ":keepalive", func(t *testing.T) { seedOption(t, sockopt.KeepAlive, false) }},
	{"make-socket", ":nodelay", func(t *testing.T) { seedOption(t, sockopt.NoDelay, false) }},
	{"make-socket", ":interface", func(t *testing.T) { seedOption(t, sockopt.BindToDevice, "lo") }},
	{"make-socket", ":broadcast", func(t *testing.T) { seedOption(t, sockopt.Broadcast, true) }},
	{"make-socket", ":external-format", seedSocketFormat},
	{"make-socket", ":input-buffer-size", seedInputBuffer["make-socket"]},
	{"make-socket", ":output-buffer-size", seedOutputBuffer["make-socket"]},
	{"with-open-socket", "", seedWithOpenSocket},
	{"with-accept-connection", "", seedWithAcceptConnection},
	{"make-socket-from-fd", ":dup", seedFDDup},
	{"make-socket-from-fd", ":connect", seedFDConnect},
	{"make-socket-from-fd", ":external-format", seedFDFormat},
	{"make-socket-from-fd", ":input-buffer-size", seedInputBuffer["make-socket-from-fd"]},
	{"make-socket-from-fd", ":output-buffer-size", seedOutputBuffer["make-socket-from-fd"]},
	{"make-socket-pair", ":type", seedPairType},
	{"make-socket-pair", ":protocol", seedPairProtocol},
	{"make-socket-pair", ":external-format", seedPairFormat},
	{"make-socket-pair", ":input-buffer-size", seedInputBuffer["make-socket-pair"]},
	{"make-socket-pair", ":output-buffer-size", seedOutputBuffer["make-socket-pair"]},
	{"send-to", ":start", seedSendToPart},
	{"send-to", ":end", seedSendToPart},
	{"send-to", ":remote-host", seedSendToHostPort},
	{"send-to", ":remote-port", seedSendToHostPort},
	{"send-to", ":remote-filename", seedSendToFilename},
	{"send-to", ":ipv6", seedSendToIPv6},
	{"send-to", ":flags", seedSendToFlags},
	{"send-to", ":dont-route", func(t *testing.T) { seedSendFlag(t, sockets.MsgDontRoute) }},
	{"send-to", ":dont-wait", seedSendDontWait},
	{"send-to", ":out-of-band", seedOutOfBand},
	{"send-to", ":more", seedMore},
	{"send-to", ":confirm", func(t *testing.T) { seedSendFlag(t, sockets.MsgConfirm) }},
	{"receive-from", ":buffer", seedReceiveBuffer},
	{"receive-from", ":size", seedReceiveBuffer},
	{"receive-from", ":start", seedReceivePart},
	{"receive-from", ":end", seedReceivePart},
	{"receive-from", ":flags", seedReceiveFlags},
	{"receive-from", ":out-of-band", seedOutOfBand},
	{"receive-from", ":peek", seedPeek},
	{"receive-from", ":wait-all", seedWaitAll},
	{"receive-from", ":dont-wait", seedReceiveDontWait},
	{"bind-address", ":port", seedBindPort},
	{"bind-address", ":reuse-address", seedBindReuseAddress},
	{"listen-on", ":backlog", seedListenBacklog},
	{"accept-connection", ":wait", seedAcceptWait},
	{"accept-connection", ":timeout", seedAcceptTimeout},
	{"accept-connection", ":external-format", seedAcceptFormat},
	{"accept-connection", ":input-buffer-size", seedInputBuffer["accept-connection"]},
	{"accept-connection", ":output-buffer-size", seedOutputBuffer["accept-connection"]},
	{"connect", ":port", seedConnectPort},
	{"connect", ":wait", seedConnectWait},
	{"connect", ":timeout", seedConnectTimeout},
	{"disconnect", "", seedDisconnect},
	{"shutdown", ":read", seedShutdownRead},
	{"shutdown", ":write", seedShutdownWrite},
	{"send-file-descriptor", "", seedDescriptor},
	{"receive-file-descriptor", "", seedDescriptor},
}

// A messenger is a connection of any kind that sends and receives with flags.
type messenger interface {
	net.Conn
	syscall.Conn
	SendTo(b []byte, addr net.Addr, flags sockets.MsgFlags) (int, error)
	ReceiveFrom(b []byte, flags sockets.MsgFlags) (n int, addr net.Addr, err error)
}

var (
	_ messenger = (*sockets.TCPConn)(nil)
	_ messenger = (*sockets.UDPConn)(nil)
	_ messenger = (*sockets.IPConn)(nil)
	_ messenger = (*sockets.UnixConn)(nil)
	_ messenger = (*sockets.StreamConn)(nil)
	_ messenger = (*sockets.PacketConn)(nil)
)

// check stops the test if a step on its way failed.
func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// closeLater closes c when the test is over, if the test does not.
func closeLater(tb testing.TB, c io.Closer) {
	tb.Helper()
	tb.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Errorf("Close: %v", err)
		}
	})
}

// loopbackOf is an address on this host for the network.
func loopbackOf(network string) string {
	switch network {
	case "tcp6", "udp6":
		return "[::1]:0"
	case "unix", "unixpacket", "unixgram":
		return "" // an abstract name of the kernel's choice
	}
	return "127.0.0.1:0"
}

// dialed returns the two ends of a connection.
func dialed(tb testing.TB, network string) (client, server messenger) {
	tb.Helper()
	l, err := sockets.Listen(network, loopbackOf(network))
	check(tb, err)
	defer l.Close()
	c, err := sockets.Dial(network, l.Addr().String())
	check(tb, err)
	closeLater(tb, c)
	s, err := l.Accept()
	check(tb, err)
	closeLater(tb, s)
	// A test that waits for what never comes is to fail.
	end := time.Now().Add(30 * time.Second)
	check(tb, c.SetDeadline(end))
	check(tb, s.SetDeadline(end))
	return c.(messenger), s.(messenger)
}

// packets returns a socket for messages on this host.
func packets(tb testing.TB, network string) messenger {
	tb.Helper()
	c, err := sockets.ListenPacket(network, loopbackOf(network))
	check(tb, err)
	closeLater(tb, c)
	check(tb, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c.(messenger)
}

// newRoleless makes a socket that is closed with the test.
func newRoleless(tb testing.TB, network string) *sockets.Socket {
	tb.Helper()
	s, err := sockets.New(network)
	check(tb, err)
	closeLater(tb, s)
	return s
}

// wantRead reads exactly what is expected, as one message or from a stream.
func wantMessage(tb testing.TB, c io.Reader, want string) {
	tb.Helper()
	b := make([]byte, len(want)+1)
	n, err := c.Read(b)
	check(tb, err)
	if got := string(b[:n]); got != want {
		tb.Errorf("read %q, want %q", got, want)
	}
}

// wantError wants a *net.OpError of op around target.
func wantError(tb testing.TB, err error, op string, target error) {
	tb.Helper()
	var o *net.OpError
	if !errors.As(err, &o) || o.Op != op || !errors.Is(err, target) {
		tb.Errorf("error %v (%T), want a *net.OpError of %s around %v", err, err, op, target)
	}
}

// errOf drops what a call returned besides its error.
func errOf[T any](_ T, err error) error { return err }

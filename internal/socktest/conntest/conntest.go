// Package conntest makes connections of package sockets over the loopback interface.
package conntest

import (
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// An Acceptor is a listener of any kind.
type Acceptor interface {
	net.Listener
	syscall.Conn
	AcceptWith(sockets.AcceptConfig) (net.Conn, error)
	SetDeadline(time.Time) error
	File() (*os.File, error)
}

// ListenOn returns a listener on an address of this host.
func ListenOn(tb testing.TB, network string) Acceptor {
	tb.Helper()
	socktest.NeedNetwork(tb, network)
	l, err := sockets.Listen(network, LoopbackOf(network))
	socktest.Check(tb, err)
	socktest.CloseLater(tb, l)
	return l.(Acceptor)
}

// DialTo returns a connection to l.
func DialTo(tb testing.TB, l net.Listener) net.Conn {
	tb.Helper()
	c, err := sockets.Dial(l.Addr().Network(), l.Addr().String())
	socktest.Check(tb, err)
	socktest.CloseLater(tb, c)
	return c
}

// Listen4 is ListenOn for TCP on 127.0.0.1.
func Listen4(tb testing.TB) *sockets.TCPListener {
	tb.Helper()
	return ListenOn(tb, "tcp4").(*sockets.TCPListener)
}

// Dialed returns the two ends of a connection of this package.
func Dialed(tb testing.TB, network string) (client, server Messenger) {
	tb.Helper()
	l := ListenOn(tb, network)
	defer l.Close()
	c := DialTo(tb, l)
	s, err := l.Accept()
	socktest.Check(tb, err)
	socktest.CloseLater(tb, s)
	LimitTime(tb, c, s)
	return c.(Messenger), s.(Messenger)
}

// Pair returns two connected unix sockets.
func Pair(tb testing.TB, network string) (a, b *sockets.UnixConn) {
	tb.Helper()
	a, b, err := sockets.Pair(network)
	socktest.Check(tb, err)
	socktest.CloseLater(tb, a)
	socktest.CloseLater(tb, b)
	LimitTime(tb, a, b)
	return a, b
}

// Packets returns a socket for messages on this host.
func Packets(tb testing.TB, network string) Messenger {
	tb.Helper()
	socktest.NeedNetwork(tb, network)
	c, err := sockets.ListenPacket(network, LoopbackOf(network))
	socktest.Check(tb, err)
	socktest.CloseLater(tb, c)
	LimitTime(tb, c)
	return c.(Messenger)
}

// StreamPair returns the two ends of a connection made by impl, "net" or "". They have no
// deadlines, whose timers have the runtime wait in the poller all the time. Unix sockets
// have a path.
func StreamPair(tb testing.TB, impl, network string) (a, b net.Conn) {
	tb.Helper()
	listen, dial := sockets.Listen, sockets.Dial
	if impl == "net" {
		listen, dial = net.Listen, net.Dial
	}
	address := "127.0.0.1:0"
	if strings.HasPrefix(network, "unix") {
		address = socktest.ShortDir(tb) + "/s"
	}
	l, err := listen(network, address)
	socktest.Check(tb, err)
	defer l.Close()
	a, err = dial(network, l.Addr().String())
	socktest.Check(tb, err)
	socktest.CloseLater(tb, a)
	b, err = l.Accept()
	socktest.Check(tb, err)
	socktest.CloseLater(tb, b)
	return a, b
}

// LimitTime keeps a broken test from hanging.
func LimitTime(tb testing.TB, conns ...interface{ SetDeadline(time.Time) error }) {
	tb.Helper()
	for _, c := range conns {
		socktest.Check(tb, c.SetDeadline(time.Now().Add(2*time.Minute)))
	}
}

// WantReceive calls ReceiveFrom with room for size bytes.
func WantReceive(t *testing.T, c Messenger, size int, flags sockets.MsgFlags, want string) {
	t.Helper()
	b := make([]byte, size)
	n, _, err := c.ReceiveFrom(b, flags)
	if got := string(b[:n]); got != want || err != nil {
		t.Errorf("ReceiveFrom with %q got %q, %v; want %q", flags, got, err, want)
	}
}

// Send sends the text to the peer in one piece.
func Send(t *testing.T, c Messenger, text string, flags sockets.MsgFlags) {
	t.Helper()
	if n, err := c.SendTo([]byte(text), nil, flags); n != len(text) || err != nil {
		t.Fatalf("SendTo with %q sent %d, %v", flags, n, err)
	}
}

// A Messenger is a connection of any kind that sends and receives with flags.
type Messenger interface {
	net.Conn
	syscall.Conn
	SendTo(b []byte, addr net.Addr, flags sockets.MsgFlags) (int, error)
	ReceiveFrom(b []byte, flags sockets.MsgFlags) (n int, addr net.Addr, err error)
}

// LoopbackOf is an address on this host for the network.
func LoopbackOf(network string) string {
	switch network {
	case "tcp6", "udp6":
		return "[::1]:0"
	case "unix", "unixpacket", "unixgram":
		return "" // an abstract name of the kernel's choice
	}
	return "127.0.0.1:0"
}

// NewSocket makes a socket that is closed with the test.
func NewSocket(tb testing.TB, network string) *sockets.Socket {
	tb.Helper()
	socktest.NeedNetwork(tb, network)
	s, err := sockets.New(network)
	if err != nil && (network == "vsock" || strings.HasPrefix(network, "mptcp")) {
		tb.Skipf("no %s: %v", network, err)
	}
	socktest.Check(tb, err)
	socktest.CloseLater(tb, s)
	return s
}

// WantMessage reads exactly what is expected, as one message or from a stream.
func WantMessage(tb testing.TB, c io.Reader, want string) {
	tb.Helper()
	b := make([]byte, len(want)+1)
	n, err := c.Read(b)
	socktest.Check(tb, err)
	if got := string(b[:n]); got != want {
		tb.Errorf("read %q, want %q", got, want)
	}
}

// OpenUDP returns a UDP socket on loopback, "udp" one for both families.
func OpenUDP(t testing.TB, network string) *sockets.UDPConn {
	t.Helper()
	return OpenUDPWith(t, &sockets.ListenConfig{}, network)
}

// OpenUDPWith is OpenUDP with a configuration.
func OpenUDPWith(t testing.TB, lc *sockets.ListenConfig, network string) *sockets.UDPConn {
	t.Helper()
	socktest.NeedNetwork(t, network)
	if lc.Offload {
		socktest.NeedSizes(t)
	}
	address := LoopbackOf(network)
	if network == "udp" {
		address = "[::]:0"
	}
	c, err := lc.ListenPacket(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*sockets.UDPConn)
}

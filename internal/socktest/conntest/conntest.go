// Package conntest makes connections of package sockets over the loopback interface.
package conntest

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// Connect returns the two ends of a connection of this package.
func Connect(tb testing.TB, network string) (dialed, accepted net.Conn, err error) {
	tb.Helper()
	socktest.NeedNetwork(tb, network)
	address := "127.0.0.1:0"
	switch network {
	case "tcp6":
		address = "[::1]:0"
	case "unix", "unixpacket":
		address = socktest.ShortDir(tb) + "/l"
	}
	l, err := sockets.Listen(network, address)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	dialed, err = sockets.Dial(network, l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	accepted, err = l.Accept()
	if err != nil {
		dialed.Close()
		return nil, nil, err
	}
	return dialed, accepted, nil
}

// ListenUDP returns a socket bound to an address of the loopback interface.
func ListenUDP(tb testing.TB, network, address string) *sockets.UDPConn {
	tb.Helper()
	socktest.NeedNetwork(tb, network)
	pc, err := sockets.ListenPacket(network, address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { pc.Close() })
	return pc.(*sockets.UDPConn)
}

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

// Listen4 returns a TCP listener on 127.0.0.1.
func Listen4(tb testing.TB) *sockets.TCPListener {
	tb.Helper()
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	socktest.Check(tb, err)
	socktest.CloseLater(tb, l)
	return l.(*sockets.TCPListener)
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

// Dialed returns the two ends of a connection.
func Dialed(tb testing.TB, network string) (client, server Messenger) {
	tb.Helper()
	socktest.NeedNetwork(tb, network)
	l, err := sockets.Listen(network, LoopbackOf(network))
	socktest.Check(tb, err)
	defer l.Close()
	c, err := sockets.Dial(network, l.Addr().String())
	socktest.Check(tb, err)
	socktest.CloseLater(tb, c)
	s, err := l.Accept()
	socktest.Check(tb, err)
	socktest.CloseLater(tb, s)
	// A test that waits for what never comes is to fail.
	end := time.Now().Add(2 * time.Minute)
	socktest.Check(tb, c.SetDeadline(end))
	socktest.Check(tb, s.SetDeadline(end))
	return c.(Messenger), s.(Messenger)
}

// Packets returns a socket for messages on this host.
func Packets(tb testing.TB, network string) Messenger {
	tb.Helper()
	socktest.NeedNetwork(tb, network)
	c, err := sockets.ListenPacket(network, LoopbackOf(network))
	socktest.Check(tb, err)
	socktest.CloseLater(tb, c)
	socktest.Check(tb, c.SetDeadline(time.Now().Add(2*time.Minute)))
	return c.(Messenger)
}

// NewSocket makes a socket that is closed with the test.
func NewSocket(tb testing.TB, network string) *sockets.Socket {
	tb.Helper()
	socktest.NeedNetwork(tb, network)
	s, err := sockets.New(network)
	if err != nil && network == "vsock" {
		tb.Skip("no vsock: ", err)
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

// Pair returns two connected unix sockets. Their calls fail after some minutes.
func Pair(tb testing.TB, network string) (a, b *sockets.UnixConn) {
	tb.Helper()
	a, b, err := sockets.Pair(network)
	socktest.Check(tb, err)
	tb.Cleanup(func() { a.Close(); b.Close() })
	for _, c := range []*sockets.UnixConn{a, b} {
		socktest.Check(tb, c.SetDeadline(time.Now().Add(5*time.Minute)))
	}
	return a, b
}

// UnixPair returns two connected unix sockets without deadlines, whose timers have the
// runtime wait in the poller all the time.
func UnixPair(tb testing.TB) (a, b *sockets.UnixConn) {
	tb.Helper()
	a, b, err := sockets.Pair("unix")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

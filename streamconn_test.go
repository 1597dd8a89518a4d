//go:build linux

package sockets_test

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// streamListener is a StreamListener for which every kernel has a loopback.
func streamListener(tb testing.TB) *sockets.StreamListener {
	tb.Helper()
	l, err := sockets.Listen("unix", "")
	socktest.Check(tb, err)
	socktest.CloseLater(tb, l)
	return sockets.StreamListenerOf(l.(*sockets.UnixListener))
}

// asStream returns c as a *StreamConn.
func asStream(c net.Conn) net.Conn {
	if u, ok := c.(*sockets.UnixConn); ok {
		return sockets.StreamConnOf(u)
	}
	return c
}

// pipeStreams makes a connection of StreamConns to l.
func pipeStreams(l net.Listener) (c1, c2 net.Conn, stop func(), err error) {
	c1, c2, stop, err = conntest.PipeThrough(l)
	if err != nil {
		return nil, nil, nil, err
	}
	return asStream(c1), asStream(c2), stop, nil
}

func TestStreamConn(t *testing.T) {
	l := streamListener(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) { return pipeStreams(l) })
	c1, c2, stop, err := pipeStreams(l)
	socktest.Check(t, err)
	defer stop()
	s1, s2 := c1.(*sockets.StreamConn), c2.(*sockets.StreamConn)
	n, err := s1.WriteBuffers(&net.Buffers{[]byte("sev"), []byte("eral")})
	if n != 7 || err != nil {
		t.Errorf("WriteBuffers: %d, %v", n, err)
	}
	parts := net.Buffers{make([]byte, 2), make([]byte, 5)}
	if n, err := s2.ReadBuffers(parts); n != 7 || err != nil || string(parts[0])+string(parts[1]) != "several" {
		t.Errorf("ReadBuffers: %q, %d, %v", parts, n, err)
	}
	conntest.Send(t, s1, "last", 0)
	socktest.Check(t, s1.CloseWrite())
	got, err := io.ReadAll(s2)
	if string(got) != "last" || err != nil {
		t.Errorf("read %q, %v after CloseWrite", got, err)
	}
	socktest.Check(t, s1.CloseRead())
	if _, err := s1.Read(got); err != io.EOF {
		t.Errorf("Read after CloseRead: %v, want EOF", err)
	}
	f, err := s2.File()
	socktest.Check(t, err)
	socktest.Check(t, f.Close())
}

func TestStreamListener(t *testing.T) {
	conntest.ServeHTTPOver(t, streamListener(t))
	l := streamListener(t)
	f, err := l.File()
	socktest.Check(t, err)
	socktest.Check(t, f.Close())
	socktest.WithFD(t, l, func(int) error { return nil })
	conntest.DialTo(t, l)
	c, err := l.AcceptWith(sockets.AcceptConfig{NoWait: true})
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	socktest.Check(t, l.SetDeadline(time.Unix(1, 0)))
	_, err = l.Accept()
	socktest.WantError(t, err, "accept", os.ErrDeadlineExceeded)
	socktest.Check(t, l.Close())
	_, err = l.Accept()
	socktest.WantError(t, err, "accept", net.ErrClosed)
	socktest.WantError(t, l.Close(), "close", net.ErrClosed)
}

// TestMultipath negotiates MPTCP in every way there is to ask for it.
func TestMultipath(t *testing.T) {
	s, err := sockets.New("mptcp4")
	if err != nil {
		t.Skip("no MPTCP:", err)
	}
	socktest.CloseLater(t, s)
	socktest.Check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	l, err := s.Listen(0)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	var multi sockets.Dialer
	multi.SetMultipathTCP(true)
	var single sockets.Dialer
	single.SetMultipathTCP(false)
	tests := []struct {
		name string
		dial func() (net.Conn, error)
		want bool
	}{
		{"Socket", func() (net.Conn, error) { return conntest.NewSocket(t, "mptcp").Connect(t.Context(), l.Addr()) }, true},
		{"network", func() (net.Conn, error) { return sockets.Dial("mptcp4", l.Addr().String()) }, true},
		{"Dialer", func() (net.Conn, error) { return multi.Dial("tcp", l.Addr().String()) }, true},
		{"TCP", func() (net.Conn, error) { return single.Dial("tcp", l.Addr().String()) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tt.dial()
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			a, err := l.Accept()
			socktest.Check(t, err)
			socktest.CloseLater(t, a)
			_, err = c.Write([]byte("x"))
			socktest.Check(t, err)
			conntest.WantMessage(t, a, "x")
			for side, conn := range map[string]net.Conn{"dialed": c, "accepted": a} {
				if got, err := conn.(*sockets.TCPConn).MultipathTCP(); got != tt.want || err != nil {
					t.Errorf("%s side uses MPTCP: %v, %v; want %v", side, got, err, tt.want)
				}
				if got := conn.LocalAddr().Network(); got != "tcp" {
					t.Errorf("%s side has a %s address", side, got)
				}
			}
		})
	}
	listening, err := sockets.Listen("mptcp", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, listening)
	if got, err := sockopt.SocketProtocol.Get(listening.(syscall.Conn)); got != unix.IPPROTO_MPTCP || err != nil {
		t.Errorf("Listen made a socket of protocol %d, %v", got, err)
	}
}

// TestUDPLite sends with a checksum over the start of the datagram only, udplite(7).
func TestUDPLite(t *testing.T) {
	socktest.NeedUDPLite(t)
	open := func() *sockets.UDPConn {
		s, err := sockets.NewRaw(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE)
		socktest.Check(t, err)
		defer s.Close()
		socktest.Check(t, s.Bind(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
		c, err := s.PacketConn()
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		return c.(*sockets.UDPConn)
	}
	a, b := open(), open()
	const sendCoverage = 10 // UDPLITE_SEND_CSCOV
	socktest.WithFD(t, a, func(fd int) error {
		err := unix.SetsockoptInt(fd, unix.IPPROTO_UDPLITE, sendCoverage, 8)
		if err == unix.ENOPROTOOPT {
			t.Skip("no coverage of checksums, which every kernel has, but not every emulator: ", err)
		}
		return err
	})
	_, err := a.WriteToUDP([]byte("lite"), b.LocalAddr().(*net.UDPAddr))
	socktest.Check(t, err)
	conntest.WantReceive(t, b, 9, 0, "lite")
}

func TestSCTP(t *testing.T) {
	socktest.NeedSCTP(t)
	s, err := sockets.NewRaw(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	socktest.Check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	l, err := s.Listen(1)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	c, err := sockets.NewRaw(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	conn, err := c.Connect(t.Context(), l.Addr())
	socktest.Check(t, err)
	socktest.CloseLater(t, conn)
	a, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, a)
	conntest.Send(t, conn.(*sockets.StreamConn), "x", 0)
	conntest.WantReceive(t, a.(*sockets.StreamConn), 1, 0, "x")
}

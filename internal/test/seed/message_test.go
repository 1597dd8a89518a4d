//go:build linux

package seed

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"golang.org/x/sys/unix"
)

// :start and :end are a slice.
func seedSendToPart(t *testing.T) {
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	message := []byte("<part>")
	n, err := a.SendTo(message[1:5], b.LocalAddr(), 0)
	if n != 4 || err != nil {
		t.Errorf("sent %d, %v; want 4", n, err)
	}
	conntest.WantMessage(t, b, "part")
}

func seedSendToHostPort(t *testing.T) {
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	// A name is looked up once, not with each message.
	_, port, _ := net.SplitHostPort(b.LocalAddr().String())
	to, err := net.ResolveUDPAddr("udp4", "localhost:"+port)
	socktest.Check(t, err)
	_, err = a.SendTo([]byte("x"), to, 0)
	socktest.Check(t, err)
	got := make([]byte, 8)
	n, from, err := b.ReceiveFrom(got, 0)
	if string(got[:n]) != "x" || err != nil {
		t.Errorf("received %q, %v", got[:n], err)
	}
	if diff := cmp.Diff(a.LocalAddr(), from); diff != "" {
		t.Errorf("sender (-want +got):\n%s", diff)
	}
}

func seedSendToFilename(t *testing.T) {
	path := filepath.Join(socktest.ShortDir(t), "s")
	c, err := sockets.ListenPacket("unixgram", path)
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	a := conntest.Packets(t, "unixgram")
	_, err = a.SendTo([]byte("x"), &net.UnixAddr{Name: path, Net: "unixgram"}, 0)
	socktest.Check(t, err)
	conntest.WantMessage(t, c.(conntest.Messenger), "x")
}

// An IPv6 socket takes IPv4 destinations, an IPv4 one no IPv6 ones.
func seedSendToIPv6(t *testing.T) {
	u, err := sockets.ListenPacket("udp", ":0")
	socktest.Check(t, err)
	socktest.CloseLater(t, u)
	b := conntest.Packets(t, "udp4")
	_, err = u.(conntest.Messenger).SendTo([]byte("x"), b.LocalAddr(), 0)
	socktest.Check(t, err)
	conntest.WantMessage(t, b, "x")
	_, err = b.SendTo([]byte("x"), &net.UDPAddr{IP: net.IPv6loopback, Port: 1}, 0)
	var wrong *net.AddrError
	if !errors.As(err, &wrong) {
		t.Errorf("IPv6 destination: %v, want *net.AddrError", err)
	}
}

func seedSendToFlags(t *testing.T) {
	socktest.NeedSendFlag(t, int(sockets.MsgConfirm))
	a, b := conntest.Dialed(t, "tcp4")
	_, err := a.SendTo([]byte("xy"), nil, sockets.MsgDontWait|sockets.MsgConfirm)
	socktest.Check(t, err)
	conntest.WantMessage(t, b, "xy")
	_, err = a.SendTo([]byte("x"), nil, sockets.MsgPeek)
	socktest.WantError(t, err, "write", syscall.EINVAL)
}

// seedSendFlag sends with a flag that changes nothing between two ends of one host.
func seedSendFlag(t *testing.T, flag sockets.MsgFlags) {
	socktest.NeedSendFlag(t, int(flag))
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	_, err := a.SendTo([]byte("x"), b.LocalAddr(), flag)
	socktest.Check(t, err)
	conntest.WantMessage(t, b, "x")
}

func seedSendDontWait(t *testing.T) {
	a, b := conntest.Dialed(t, "tcp4")
	block := make([]byte, 1<<20)
	sent := 0
	for {
		n, err := a.SendTo(block, nil, sockets.MsgDontWait)
		if sent += n; err != nil {
			socktest.WantError(t, err, "write", sockets.ErrWouldBlock)
			break
		}
	}
	socktest.Check(t, a.Close())
	if n, err := io.Copy(io.Discard, b); n != int64(sent) || err != nil {
		t.Errorf("received %d bytes, %v; %d were sent", n, err, sent)
	}
}

func seedOutOfBand(t *testing.T) {
	a, b := conntest.Dialed(t, "tcp4")
	_, err := a.SendTo([]byte("ab!"), nil, sockets.MsgOutOfBand)
	socktest.Check(t, err)
	got := make([]byte, 8)
	n, _, err := b.ReceiveFrom(got[:2], sockets.MsgWaitAll)
	if string(got[:n]) != "ab" || err != nil {
		t.Errorf("before the urgent byte %q, %v; want ab", got[:n], err)
	}
	n, _, err = b.ReceiveFrom(got, sockets.MsgOutOfBand)
	if string(got[:n]) != "!" || err != nil {
		t.Errorf("urgent data %q, %v; want !", got[:n], err)
	}
}

func seedMore(t *testing.T) {
	socktest.NeedSendFlag(t, unix.MSG_MORE)
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	for _, part := range []struct {
		text  string
		flags sockets.MsgFlags
	}{{"one ", sockets.MsgMore}, {"datagram", 0}} {
		_, err := a.SendTo([]byte(part.text), b.LocalAddr(), part.flags)
		socktest.Check(t, err)
	}
	conntest.WantMessage(t, b, "one datagram")
}

// :buffer and :size are the slice; a message that does not fit is an error, and not
// cut in silence.
func seedReceiveBuffer(t *testing.T) {
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	for range 2 {
		_, err := a.SendTo([]byte("longer"), b.LocalAddr(), 0)
		socktest.Check(t, err)
	}
	got := make([]byte, 4)
	n, from, err := b.ReceiveFrom(got, 0)
	socktest.WantError(t, err, "read", io.ErrShortBuffer)
	if string(got[:n]) != "long" || from == nil {
		t.Errorf("got %q from %v, want the start of the message and its sender", got[:n], from)
	}
	conntest.WantMessage(t, b, "longer")
}

func seedReceivePart(t *testing.T) {
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	_, err := a.SendTo([]byte("part"), b.LocalAddr(), 0)
	socktest.Check(t, err)
	got := []byte("<....>")
	_, _, err = b.ReceiveFrom(got[1:5], 0)
	socktest.Check(t, err)
	if string(got) != "<part>" {
		t.Errorf("buffer is %q", got)
	}
}

func seedReceiveFlags(t *testing.T) {
	a, b := conntest.Dialed(t, "tcp4")
	_, err := a.Write([]byte("abc"))
	socktest.Check(t, err)
	got := make([]byte, 3)
	n, _, err := b.ReceiveFrom(got, sockets.MsgPeek|sockets.MsgWaitAll)
	if string(got[:n]) != "abc" || err != nil {
		t.Errorf("peeked %q, %v; want abc", got[:n], err)
	}
	conntest.WantMessage(t, b, "abc")
	_, _, err = b.ReceiveFrom(got, sockets.MsgMore)
	socktest.WantError(t, err, "read", syscall.EINVAL)
}

func seedPeek(t *testing.T) {
	for _, network := range []string{"udp4", "unixgram"} {
		a, b := conntest.Packets(t, network), conntest.Packets(t, network)
		_, err := a.SendTo([]byte("still here"), b.LocalAddr(), 0)
		socktest.Check(t, err)
		for range 2 {
			got := make([]byte, 16)
			n, from, err := b.ReceiveFrom(got, sockets.MsgPeek)
			if string(got[:n]) != "still here" || err != nil || from.String() != a.LocalAddr().String() {
				t.Errorf("%s: peeked %q from %v, %v", network, got[:n], from, err)
			}
		}
		conntest.WantMessage(t, b, "still here")
	}
}

func seedWaitAll(t *testing.T) {
	a, b := conntest.Dialed(t, "tcp4")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sent := make(chan error, 1)
	go func() {
		for _, part := range [][]byte{want[:1], want[1:100], want[100:]} {
			if _, err := a.Write(part); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	got := make([]byte, len(want))
	n, _, err := b.ReceiveFrom(got, sockets.MsgWaitAll)
	if n != len(want) || err != nil || !bytes.Equal(got, want) {
		t.Errorf("received %d bytes of %d, %v", n, len(want), err)
	}
	socktest.Check(t, <-sent)
}

func seedReceiveDontWait(t *testing.T) {
	_, b := conntest.Dialed(t, "tcp4")
	for _, c := range []conntest.Messenger{b, conntest.Packets(t, "udp4"), conntest.Packets(t, "unixgram")} {
		_, _, err := c.ReceiveFrom(make([]byte, 1), sockets.MsgDontWait)
		socktest.WantError(t, err, "read", syscall.EAGAIN)
		if !errors.Is(err, sockets.ErrWouldBlock) {
			t.Errorf("%v is not ErrWouldBlock", err)
		}
	}
}

func seedDisconnect(t *testing.T) {
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	c, err := sockets.Dial("udp4", a.LocalAddr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	local := c.LocalAddr().String()
	u := c.(*sockets.UDPConn)
	socktest.Check(t, u.Disconnect())
	if got := u.LocalAddr().String(); u.RemoteAddr() != nil || !strings.HasSuffix(local, got[strings.LastIndex(got, ":"):]) {
		t.Errorf("%v to %v after Disconnect, want no peer and the port of %s", got, u.RemoteAddr(), local)
	}
	socktest.Check(t, u.Connect(b.LocalAddr()))
	_, err = u.Write([]byte("to b"))
	socktest.Check(t, err)
	conntest.WantMessage(t, b, "to b")
}

func seedShutdownRead(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		_, b := conntest.Dialed(t, network)
		socktest.Check(t, b.(interface{ CloseRead() error }).CloseRead())
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: Read after CloseRead: %v, want EOF", network, err)
		}
	}
}

func seedShutdownWrite(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		a, b := conntest.Dialed(t, network)
		_, err := a.Write([]byte("last"))
		socktest.Check(t, err)
		socktest.Check(t, a.(interface{ CloseWrite() error }).CloseWrite())
		got, err := io.ReadAll(b)
		if string(got) != "last" || err != nil {
			t.Errorf("%s: the peer read %q, %v; want last and the end", network, got, err)
		}
		_, err = b.Write([]byte("answer"))
		socktest.Check(t, err)
		conntest.WantMessage(t, a, "answer")
	}
}

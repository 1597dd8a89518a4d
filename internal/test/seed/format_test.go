//go:build linux

package seed

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// This file has the keywords of external formats, and the operators of descriptors.

// seedText is text in UTF-8 and on the wire in the format that seedFormat returns.
const seedText, seedWire = "日本\n", "\x93\xfa\x96{\r\n"

func seedFormat(t *testing.T) sockets.ExternalFormat {
	t.Helper()
	f, err := sockets.ParseFormat("shift_jis,crlf")
	socktest.Check(t, err)
	return f
}

// wantFormat has c speak the format of seedFormat with peer, which has none.
func wantFormat(t *testing.T, c, peer net.Conn) {
	t.Helper()
	_, err := io.WriteString(c, seedText)
	socktest.Check(t, err)
	got := make([]byte, len(seedWire))
	_, err = io.ReadFull(peer, got)
	socktest.Check(t, err)
	if string(got) != seedWire {
		t.Errorf("on the wire is %q, want %q", got, seedWire)
	}
	_, err = io.WriteString(peer, seedWire)
	socktest.Check(t, err)
	got = make([]byte, len(seedText))
	_, err = io.ReadFull(c, got)
	socktest.Check(t, err)
	if string(got) != seedText {
		t.Errorf("read %q, want %q", got, seedText)
	}
}

// connectedBy returns a connection of the dialer and what the listener accepts.
func connectedBy(t *testing.T, d sockets.Dialer, lc sockets.ListenConfig, config sockets.AcceptConfig) (dialed, accepted net.Conn) {
	t.Helper()
	l, err := lc.Listen(t.Context(), "unix", "")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	dialed, err = d.Dial("unix", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, dialed)
	accepted, err = l.(conntest.Acceptor).AcceptWith(config)
	socktest.Check(t, err)
	socktest.CloseLater(t, accepted)
	return dialed, accepted
}

func seedSocketFormat(t *testing.T) {
	f := seedFormat(t)
	c, a := connectedBy(t, sockets.Dialer{Format: f}, sockets.ListenConfig{}, sockets.AcceptConfig{})
	wantFormat(t, c, a)
	c, a = connectedBy(t, sockets.Dialer{}, sockets.ListenConfig{Format: f}, sockets.AcceptConfig{})
	wantFormat(t, a, c)
}

func seedAcceptFormat(t *testing.T) {
	c, a := connectedBy(t, sockets.Dialer{}, sockets.ListenConfig{}, sockets.AcceptConfig{Format: seedFormat(t)})
	wantFormat(t, a, c)
}

func seedPairFormat(t *testing.T) {
	a, b, err := sockets.Pair("unix")
	socktest.Check(t, err)
	socktest.CloseLater(t, a)
	socktest.CloseLater(t, b)
	wantFormat(t, sockets.WithFormat(a, seedFormat(t)), b)
}

func seedFDFormat(t *testing.T) {
	c, peer := connectionFromFD(t)
	wantFormat(t, sockets.WithFormat(c, seedFormat(t)), peer)
}

// connectionFromFD returns a connection made of a descriptor, and its peer.
func connectionFromFD(t *testing.T) (c net.Conn, peer *sockets.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	var ends [2]net.Conn
	for i, fd := range fds {
		s, err := sockets.FromFD(fd)
		socktest.Check(t, err)
		ends[i], err = s.Conn()
		socktest.Check(t, err)
		socktest.CloseLater(t, ends[i])
	}
	return ends[0], ends[1].(*sockets.UnixConn)
}

// wantInputBuffer has c hold more of what peer sent than was read.
func wantInputBuffer(t *testing.T, c net.Conn, peer conntest.Messenger) {
	t.Helper()
	conntest.Send(t, peer, strings.Repeat(seedWire, 100), 0)
	_, err := io.ReadFull(c, make([]byte, len(seedText)))
	socktest.Check(t, err)
	raw := c.(*sockets.TextConn).NetConn().(conntest.Messenger)
	_, _, err = raw.ReceiveFrom(make([]byte, 1), sockets.MsgPeek|sockets.MsgDontWait)
	socktest.WantError(t, err, "read", sockets.ErrWouldBlock)
}

// wantOutputBuffer has c hold what it wrote until it is flushed.
func wantOutputBuffer(t *testing.T, c net.Conn, peer conntest.Messenger) {
	t.Helper()
	_, err := io.WriteString(c, seedText)
	socktest.Check(t, err)
	_, _, err = peer.ReceiveFrom(make([]byte, 1), sockets.MsgPeek|sockets.MsgDontWait)
	socktest.WantError(t, err, "read", sockets.ErrWouldBlock)
	socktest.Check(t, c.(*sockets.TextConn).Flush())
	conntest.WantReceive(t, peer, len(seedWire)+1, 0, seedWire)
}

// seedBufferSize does what is asked of a buffer with connections made in each way.
func seedBufferSize(input, output int, want func(*testing.T, net.Conn, conntest.Messenger)) map[string]func(t *testing.T) {
	sized := func(t *testing.T, c net.Conn) net.Conn {
		text := sockets.NewTextConn(c, seedFormat(t))
		socktest.Check(t, text.SetBufferSizes(input, output))
		return text
	}
	return map[string]func(t *testing.T){
		"make-socket": func(t *testing.T) {
			d := sockets.Dialer{Format: seedFormat(t), InputBufferSize: input, OutputBufferSize: output}
			c, a := connectedBy(t, d, sockets.ListenConfig{}, sockets.AcceptConfig{})
			want(t, c, a.(conntest.Messenger))
			lc := sockets.ListenConfig{Format: seedFormat(t), InputBufferSize: input, OutputBufferSize: output}
			c, a = connectedBy(t, sockets.Dialer{}, lc, sockets.AcceptConfig{})
			want(t, a, c.(conntest.Messenger))
		},
		"accept-connection": func(t *testing.T) {
			config := sockets.AcceptConfig{Format: seedFormat(t), InputBufferSize: input, OutputBufferSize: output}
			c, a := connectedBy(t, sockets.Dialer{}, sockets.ListenConfig{}, config)
			want(t, a, c.(conntest.Messenger))
		},
		"make-socket-from-fd": func(t *testing.T) {
			c, peer := connectionFromFD(t)
			want(t, sized(t, c), peer)
		},
		"make-socket-pair": func(t *testing.T) {
			a, b, err := sockets.Pair("unix")
			socktest.Check(t, err)
			socktest.CloseLater(t, a)
			socktest.CloseLater(t, b)
			want(t, sized(t, a), b)
		},
	}
}

var (
	seedInputBuffer  = seedBufferSize(4096, 0, wantInputBuffer)
	seedOutputBuffer = seedBufferSize(0, 4096, wantOutputBuffer)
)

// :dup nil is FromFD, which takes the descriptor, and t FromFile.
func seedFDDup(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	kept := os.NewFile(uintptr(fds[0]), "kept")
	s, err := sockets.FromFile(kept)
	socktest.Check(t, err)
	socktest.Check(t, s.Close())
	taken, err := sockets.FromFD(fds[1])
	socktest.Check(t, err)
	socktest.Check(t, taken.Close())
	if n, err := kept.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the file from which a copy was made reads %d, %v; want the end, for its peer is closed", n, err)
	}
	socktest.Check(t, kept.Close())
}

// :connect is found out, and a contradiction refused.
func seedFDConnect(t *testing.T) {
	f, err := conntest.Listen4(t).File()
	socktest.Check(t, err)
	defer f.Close()
	s, err := sockets.FromFile(f)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	_, err = s.Conn()
	socktest.WantError(t, err, "conn", errors.ErrUnsupported)
	l, err := s.Listener()
	socktest.Check(t, err)
	socktest.Check(t, l.Close())

	c, _ := conntest.Dialed(t, "tcp4")
	g, err := c.(*sockets.TCPConn).File()
	socktest.Check(t, err)
	defer g.Close()
	s, err = sockets.FromFile(g)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	_, err = s.Listener()
	socktest.WantError(t, err, "listener", errors.ErrUnsupported)
	d, err := s.Conn()
	socktest.Check(t, err)
	socktest.CloseLater(t, d)
	if got, want := d.RemoteAddr().String(), c.RemoteAddr().String(); got != want {
		t.Errorf("peer %s, want %s", got, want)
	}
}

// seedDescriptor passes one end of a pipe, and reads what the other is given.
func seedDescriptor(t *testing.T) {
	a, b := conntest.Dialed(t, "unix")
	r, w, err := os.Pipe()
	socktest.Check(t, err)
	defer w.Close()
	socktest.Check(t, a.(*sockets.UnixConn).SendFD(r))
	socktest.Check(t, r.Close())
	f, err := b.(*sockets.UnixConn).ReceiveFD()
	socktest.Check(t, err)
	defer f.Close()
	_, err = w.WriteString("through the pipe")
	socktest.Check(t, err)
	conntest.WantMessage(t, f, "through the pipe")
}

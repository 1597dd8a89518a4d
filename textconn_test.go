package sockets_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/codec"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// connPairs makes both ends of each kind of connection.
var connPairs = map[string]func(t *testing.T) (near, far net.Conn){
	"pipe": func(t *testing.T) (net.Conn, net.Conn) { return net.Pipe() },
	"tcp":  func(t *testing.T) (net.Conn, net.Conn) { return conntest.StreamPair(t, "net", "tcp") },
	"unix": func(t *testing.T) (net.Conn, net.Conn) { return conntest.StreamPair(t, "net", "unix") },
	"tls": func(t *testing.T) (net.Conn, net.Conn) {
		near, far := conntest.StreamPair(t, "net", "tcp")
		srv := httptest.NewTLSServer(nil) // has a certificate
		defer srv.Close()
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		return tls.Client(near, &tls.Config{RootCAs: roots, ServerName: "example.com"}),
			tls.Server(far, &tls.Config{Certificates: srv.TLS.Certificates})
	},
}

func TestTextConnOverEveryConn(t *testing.T) {
	for name, pair := range connPairs {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			near := sockets.NewTextConn(a, conntest.Format(t, "shift_jis,crlf,strict"))
			far := sockets.NewTextConn(b, conntest.Format(t, "shift_jis,crlf,strict"))
			defer near.Close()
			defer far.Close()
			near.SetDeadline(time.Now().Add(time.Minute))
			far.SetDeadline(time.Now().Add(time.Minute))

			served := make(chan error, 1)
			go func() {
				_, err := io.Copy(far, far)
				if err == nil && name != "pipe" {
					err = far.CloseWrite()
				}
				served <- err
			}()
			const text = "こんにちは\nABC\n"
			go io.WriteString(near, text)
			got := make([]byte, len(text))
			if _, err := io.ReadFull(near, got); err != nil || string(got) != text {
				t.Fatalf("%q, %v", got, err)
			}

			// A deadline inside a character, and on.
			raw := near.Raw()
			if _, err := raw.Write([]byte("\x83")); err != nil {
				t.Fatal(err)
			}
			near.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
			n, err := near.Read(got)
			var ne net.Error
			if n != 0 || !errors.As(err, &ne) || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("%d, %v", n, err)
			}
			near.SetReadDeadline(time.Now().Add(time.Minute))
			go raw.Write([]byte("e\r\n"))
			if _, err := io.ReadFull(near, got[:4]); err != nil || string(got[:4]) != "テ\n" {
				t.Fatalf("%q, %v", got[:4], err)
			}

			if name == "pipe" {
				near.Close()
			} else {
				if err := near.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if rest, err := io.ReadAll(near); len(rest) > 0 || err != nil {
					t.Errorf("%q, %v", rest, err)
				}
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEscapeBelongsToCharacter has a Read leave the escape sequence in front of a
// character that it does not deliver: what reads on, in another format or none, finds
// the character as it was sent.
func TestEscapeBelongsToCharacter(t *testing.T) {
	tests := []struct {
		encoding, first, rest, text string
		room                        int // for the first Read
		arrived                     int // bytes of rest that come together with first
	}{
		{"iso-2022-jp", "A\n", "\x1b$BF|\x1b(B", "日", 2, 8},
		{"iso-2022-jp", "A\n", "\x1b$BF|\x1b(B", "日", 4, 4},
		{"iso-2022-jp", "A\n", "\x1b$BF|\x1b(B", "日", 4, 3},
		{"iso-2022-jp", "A\n", "\x1b$BF|\x1b(B", "日", 4000, 3},
		{"iso-2022-jp", "A\n", "\x1b$B\x1b(B\x1b$BF|\x1b(B", "日", 2, 14},
		{"iso-2022-jp", "A\n", "\x1b$B\x1b(B\x1b$BF|\x1b(B", "日", 4000, 9},
		{"iso-2022-jp", "\x1b$BF|", "\x1b(BA", "A", 3, 4},
		{"hz-gb-2312", "A\n", "~{VP~}", "中", 2, 6},
		{"hz-gb-2312", "A\n", "~{VP~}", "中", 4000, 2},
	}
	for _, tt := range tests {
		for _, way := range []string{"raw", "format"} {
			t.Run(fmt.Sprintf("%s %q %d %d %s", tt.encoding, tt.rest, tt.room, tt.arrived, way), func(t *testing.T) {
				a, b := net.Pipe()
				defer a.Close()
				go func() {
					io.WriteString(b, tt.first+tt.rest[:tt.arrived])
					io.WriteString(b, tt.rest[tt.arrived:])
					b.Close()
				}()
				f := conntest.Format(t, tt.encoding)
				c := sockets.NewTextConn(a, f)
				p := make([]byte, tt.room)
				n, err := c.Read(p)
				if err != nil {
					t.Fatal(err)
				}
				if read, _ := c.Offsets(); read != int64(len(tt.first)) {
					t.Errorf("Read of %q consumed %d bytes, want %d", p[:n], read, len(tt.first))
				}
				var got []byte
				want := tt.rest
				if way == "raw" {
					got, err = io.ReadAll(c.Raw())
				} else {
					if err := c.SetReadFormat(f); err != nil {
						t.Fatal(err)
					}
					got, err = io.ReadAll(c)
					want = tt.text
				}
				if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			})
		}
	}
}

// TestTelnet has a server answer an option and both sides exchange text with
// the byte FF.
func TestTelnet(t *testing.T) {
	client, server, err := sockets.Pair("unix")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := sockets.NewTextConn(server, sockets.ExternalFormat{Encoding: charmap.ISO8859_1, Newline: sockets.NewlineNVT, Strict: true})
	defer c.Close()
	var got []sockets.TelnetCommand
	c.SetCommandFunc(func(cmd sockets.TelnetCommand) {
		cmd.Data = append([]byte(nil), cmd.Data...)
		got = append(got, cmd)
		if cmd.Code == sockets.TelnetDO {
			if err := c.SendCommand(sockets.TelnetCommand{Code: sockets.TelnetWONT, Option: cmd.Option}); err != nil {
				t.Error(err)
			}
		}
	})
	if _, err := client.Write([]byte("\xff\xfd\x01lo\xff\xffgin\r\xff\xf1\n\xff\xfa\x18\x00vt\xff\xff\xff\xf0")); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if diff := cmp.Diff("loÿgin\n", string(text)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	want := []sockets.TelnetCommand{{Code: sockets.TelnetDO, Option: 1}, {Code: 241}, {Code: sockets.TelnetSB, Option: 24, Data: []byte("\x00vt\xff")}}
	if diff := cmp.Diff(want, got, cmp.Transformer("nil", func(b []byte) string { return string(b) })); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if _, err := io.WriteString(c, "ÿ\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wire, err := io.ReadAll(client)
	if diff := cmp.Diff("\xff\xfc\x01\xff\xff\r\n", string(wire)); diff != "" || err != nil {
		t.Errorf("%v: the client received (-want +got):\n%s", err, diff)
	}
	for _, bad := range []sockets.TelnetCommand{{}, {Code: 240}, {Code: 255}, {Code: 241, Option: 1}, {Code: sockets.TelnetDO, Data: []byte{1}}} {
		var arg *sockets.ArgumentError
		if err := c.SendCommand(bad); !errors.As(err, &arg) || arg.Arg != "cmd" {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// A CR at the end is read at once in the styles that do not look for CR LF, and waits in
// those that do.
func TestLoneCRWaits(t *testing.T) {
	for style, want := range map[string]string{"cr": "a\n", "lf": "a\r", "crlf": "a", "any": "a\n", "nvt": "a"} {
		near, far := net.Pipe()
		c := sockets.NewTextConn(near, conntest.Format(t, "utf-8,"+style))
		go far.Write([]byte("a\r"))
		got, b := "", make([]byte, 10)
		for len(got) < len(want) {
			n, err := c.Read(b)
			if got += string(b[:n]); err != nil {
				t.Fatalf("%s: %q, %v", style, got, err)
			}
		}
		if got != want {
			t.Errorf("%s: read %q, want %q", style, got, want)
		}
		if len(want) == 1 {
			c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if n, err := c.Read(b); n != 0 || !os.IsTimeout(err) {
				t.Errorf("%s: read %q, %v, want to wait", style, b[:n], err)
			}
		}
		c.Close()
		far.Close()
	}
}

// textSource is a connection of which Read repeats data for ever, and which
// throws away what is written.
type textSource struct {
	net.Conn
	data []byte
}

func (s textSource) Read(p []byte) (int, error)  { return copy(p, s.data), nil }
func (s textSource) Write(p []byte) (int, error) { return len(p), nil }

func TestAnIdleConnCostsItsStruct(t *testing.T) {
	// Two characters and the beginning of a third, which stays behind.
	s := textSource{data: []byte("\x83e\x83X\x83")}
	for _, size := range []int{1, 3, 100, 512, 4096} {
		c := sockets.NewTextConn(s, conntest.Format(t, "shift_jis"))
		p := make([]byte, size)
		for range 10 {
			if _, err := c.Read(p); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("テスト")); err != nil {
				t.Fatal(err)
			}
		}
		if sockets.HoldsMemory(c) {
			t.Errorf("reading %d bytes at a time leaves memory behind", size)
		}
	}
	// What is too much for p stays in a block, and that goes back.
	c := sockets.NewTextConn(textSource{data: bytes.Repeat([]byte("\x83e"), 2000)}, conntest.Format(t, "shift_jis"))
	p := make([]byte, 4096)
	if _, err := c.Read(p); err != nil {
		t.Fatal(err)
	}
	if !sockets.HoldsMemory(c) {
		t.Error("there must be something left")
	}
	if _, err := c.Read(p); err != nil {
		t.Fatal(err)
	}
	if sockets.HoldsMemory(c) {
		t.Error("an empty block must go back")
	}
}

func TestReadAndWriteDoNotAllocate(t *testing.T) {
	if socktest.Race {
		t.Skip("sync.Pool drops values at random under the race detector")
	}
	text := strings.Repeat("plain text, é Ж 日本語 한국어 テスト😀\r\n", 100)
	for _, name := range sockets.EncodingNames() {
		if name == "replacement" || strings.Contains(name, "rot") {
			continue
		}
		for _, style := range []string{"", ",crlf", ",strict"} {
			f := conntest.Format(t, name+style)
			var e codec.Encoder
			lax := sockets.CodecOf(f)
			lax.Strict = false
			e.Init(lax)
			wire := make([]byte, 1<<16)
			n, _, _ := e.Encode(wire, []byte(text))
			var src []byte
			for _, r := range text {
				if codec.Of(f.Encoding).Encodes(r) {
					src = append(src, string(r)...)
				}
			}
			if style == ",strict" {
				e.Init(lax)
				n, _, _ = e.Encode(wire, src)
			} else {
				src = []byte(text)
			}
			c := sockets.NewTextConn(textSource{data: wire[:n]}, f)
			p := make([]byte, 1<<16) // all of wire, which textSource begins anew each time
			if allocs := testing.AllocsPerRun(50, func() {
				for range 4 {
					if _, err := c.Read(p); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := c.Write(src); err != nil {
					t.Fatal(err)
				}
			}); allocs > 0 {
				t.Errorf("%s%s: %v allocations", name, style, allocs)
			}
		}
	}
	c := sockets.NewTextConn(textSource{}, conntest.Format(t, "utf-16"))
	if allocs := testing.AllocsPerRun(50, func() { c.WriteString(text) }); allocs > 0 {
		t.Errorf("WriteString: %v allocations", allocs)
	}
}

func TestBuffersAreMadeOnce(t *testing.T) {
	c := sockets.NewTextConn(textSource{data: []byte("x")}, conntest.Format(t, "iso-8859-1"))
	if err := c.SetBufferSizes(4096, 4096); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if allocs := testing.AllocsPerRun(50, func() {
		if _, err := c.Read(p); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestTablesAreMadeOnce(t *testing.T) {
	grow := func() uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 50 {
			c := sockets.NewTextConn(textSource{data: []byte("x")}, conntest.Format(t, "big5,strict"))
			if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	grow()
	if n := grow(); n > 50*4096 {
		t.Errorf("%d bytes for 50 connections", n)
	}
}

// TestFormatOfDial has only what converts or buffers something be a TextConn.
func TestFormatOfDial(t *testing.T) {
	l := conntest.Listen4(t)
	tests := []struct {
		format  string
		in, out int
		text    bool
		reason  error
	}{
		{"bytes", 0, 0, false, nil},
		{"utf-8", 0, 0, false, nil},
		{"utf-8,crlf", 0, 0, true, nil},
		{"bytes", 64, 0, true, nil},
		{"utf-8", 0, 4096, true, nil},
		{"utf-16", -1, 0, false, syscall.EINVAL},
		{"utf-16", 0, 63, false, syscall.EINVAL},
		{"bytes", 1, 0, false, syscall.EINVAL},
	}
	for _, tt := range tests {
		d := sockets.Dialer{Format: conntest.Format(t, tt.format), InputBufferSize: tt.in, OutputBufferSize: tt.out}
		c, err := d.Dial("tcp4", l.Addr().String())
		if err == nil {
			defer c.Close()
		}
		if _, text := c.(*sockets.TextConn); text != tt.text || !errors.Is(err, tt.reason) || (c == nil) != (err != nil) {
			t.Errorf("%s, %d, %d: a %T, %v", tt.format, tt.in, tt.out, c, err)
		}
	}
	d := sockets.Dialer{Format: sockets.ExternalFormat{Newline: 77}}
	_, err := d.Dial("tcp4", l.Addr().String())
	socktest.WantError(t, err, "dial", sockets.ErrFormatOption)
}

// TestTextConnLines reads lines from a connection, whichever memory they come by.
func TestTextConnLines(t *testing.T) {
	for _, input := range []int{0, 64} {
		a, b := conntest.Pair(t, "unix")
		c := sockets.NewTextConn(a, conntest.Format(t, "shift_jis,crlf,strict"))
		socktest.CloseLater(t, c)
		if err := c.SetBufferSizes(input, 0); err != nil {
			t.Fatal(err)
		}
		conntest.MustWrite(t, b, "\x83e\x83X\x83g\r\none\r\ntwo\xff")
		socktest.Check(t, b.CloseWrite())
		// A part of a character that was read is text as well.
		p := make([]byte, 1)
		if n, err := c.Read(p); n != 1 || p[0] != 0xe3 || err != nil {
			t.Fatalf("read % x, %v", p[:n], err)
		}
		for _, want := range []string{"\x83\x86スト", "one"} {
			if line, err := c.ReadLine(); line != want || err != nil {
				t.Errorf("line %q, %v, want %q", line, err, want)
			}
		}
		line, err := c.ReadLine()
		if line != "two" {
			t.Errorf("line %q, want two", line)
		}
		conntest.WantFormatError(t, err, "read", 16, "\xff", sockets.ErrMalformed)
		if n, err := c.Skip(1); n != 1 || err != nil {
			t.Errorf("Skip: %d, %v", n, err)
		}
		if line, err := c.ReadLine(); line != "" || err != io.EOF {
			t.Errorf("line %q, %v at the end", line, err)
		}
		socktest.Check(t, c.Close())
		_, err = c.ReadString('\n')
		socktest.WantError(t, err, "read", net.ErrClosed)
	}
}

// TestReadStringBehindSwitch has a CR, which in the format before may have begun a line
// end, be the delimiter.
func TestReadStringBehindSwitch(t *testing.T) {
	a, b := conntest.Pair(t, "unix")
	c := sockets.NewTextConn(a, conntest.Format(t, "utf-8,crlf"))
	socktest.CloseLater(t, c)
	conntest.MustWrite(t, b, "x\r")
	p := make([]byte, 9)
	if n, err := c.Read(p); string(p[:n]) != "x" || err != nil {
		t.Fatalf("read %q, %v", p[:n], err)
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := c.Read(p); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %q, %v, want to wait for what follows the CR", p[:n], err)
	}
	c.SetReadDeadline(time.Now().Add(time.Minute))
	socktest.Check(t, c.SetReadFormat(conntest.Format(t, "utf-8")))
	if s, err := c.ReadString('\r'); s != "\r" || err != nil {
		t.Errorf("read %q, %v, want the CR", s, err)
	}
	conntest.MustWrite(t, b, "y\n")
	if s, err := c.ReadLine(); s != "y" || err != nil {
		t.Errorf("read %q, %v", s, err)
	}
}

// quietConn is a connection whose methods do nothing and do not fail, but as told.
type quietConn struct {
	net.Conn
	closeWrite error
}

func (quietConn) Read(p []byte) (int, error)  { return 0, nil }
func (quietConn) Write(p []byte) (int, error) { return len(p), nil }
func (quietConn) Close() error                { return nil }
func (c quietConn) CloseWrite() error         { return c.closeWrite }

// TestClosedTextConnSaysSo closes one over a connection that does not say so itself.
func TestClosedTextConnSaysSo(t *testing.T) {
	c := sockets.NewTextConn(quietConn{}, conntest.Format(t, "utf-16"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Read":        socktest.ErrOf(c.Read(make([]byte, 1))),
		"Write":       socktest.ErrOf(c.Write([]byte("x"))),
		"WriteString": socktest.ErrOf(c.WriteString("x")),
		"ReadLine":    socktest.ErrOf(c.ReadLine()),
		"Raw Read":    socktest.ErrOf(c.Raw().Read(make([]byte, 1))),
		"Raw Write":   socktest.ErrOf(c.Raw().Write([]byte("x"))),
	} {
		if err != net.ErrClosed {
			t.Errorf("%s: %v, want net.ErrClosed", name, err)
		}
	}
}

// TestCloseWriteReportsBoth has the text end inside a character, and the connection fail
// to end.
func TestCloseWriteReportsBoth(t *testing.T) {
	own := errors.New("own")
	c := sockets.NewTextConn(quietConn{closeWrite: own}, conntest.Format(t, "utf-8,strict"))
	if _, err := c.Write([]byte("\xe3\x81")); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); !errors.Is(err, own) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("CloseWrite: %v, want both errors", err)
	}
}

// TestWriteToShortWriter has a writer take less than it was given, and say nothing.
func TestWriteToShortWriter(t *testing.T) {
	a, b := conntest.Pair(t, "unix")
	c := sockets.NewTextConn(a, conntest.Format(t, "iso-8859-1"))
	socktest.CloseLater(t, c)
	conntest.MustWrite(t, b, "four")
	n, err := c.WriteTo(writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil }))
	if n != 3 || err != io.ErrShortWrite {
		t.Errorf("WriteTo: %d, %v, want 3, io.ErrShortWrite", n, err)
	}
}

// TestLongTextOnTheWire writes text that is many times longer on the wire, or is not text.
func TestLongTextOnTheWire(t *testing.T) {
	const n = 1 << 16
	for _, tt := range []struct {
		format, text, wire string // of which the text has n
		size               int    // of text; more than one block does not fit in one write
	}{
		{"utf-32le,crlf", "\n", "\r\x00\x00\x00\n\x00\x00\x00", n},
		{"utf-16be", "\x80", "\xff\xfd", n + 100},
	} {
		var wire bytes.Buffer
		w := conntest.Format(t, tt.format).NewWriter(&wire)
		if k, err := w.WriteString(strings.Repeat(tt.text, tt.size)); k != tt.size || err != nil {
			t.Errorf("%s: wrote %d of %d, %v", tt.format, k, tt.size, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if got, want := wire.Len(), tt.size*len(tt.wire); got != want || wire.String() != strings.Repeat(tt.wire, tt.size) {
			t.Errorf("%s: %d bytes on the wire, want %d times %q", tt.format, got, tt.size, tt.wire)
		}
	}
}

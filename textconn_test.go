package sockets_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// errBlocked is what a script answers where a real connection would block.
var errBlocked = errors.New("would block")

// script is a net.Conn that plays what the test wrote down: the results of
// Read one after the other, and how much Write takes before it fails.
type script struct {
	mu     sync.Mutex
	reads  []scripted
	wrote  bytes.Buffer
	writes [][]byte // each call's bytes
	take   []int    // each failing Write's number of bytes; nil: all succeed
	closed []string // CloseRead, CloseWrite, Close in order
	nReads int
	last   []byte // the memory that Read was called with
}

type scripted struct {
	data string
	err  error
}

func data(pieces ...string) []scripted {
	var s []scripted
	for _, p := range pieces {
		s = append(s, scripted{data: p})
	}
	return s
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nReads++
	s.last = p
	if len(s.reads) == 0 {
		return 0, errBlocked
	}
	next := &s.reads[0]
	n := copy(p, next.data)
	next.data = next.data[n:]
	if len(next.data) > 0 {
		return n, nil
	}
	err := next.err
	s.reads = s.reads[1:]
	return n, err
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, p)
	if len(s.take) > 0 {
		k := s.take[0]
		s.take = s.take[1:]
		if k < len(p) {
			s.wrote.Write(p[:k])
			return k, os.ErrDeadlineExceeded
		}
	}
	return s.wrote.Write(p)
}

func (s *script) close(how string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, how)
	return nil
}

func (s *script) Close() error                     { return s.close("Close") }
func (s *script) CloseRead() error                 { return s.close("CloseRead") }
func (s *script) CloseWrite() error                { return s.close("CloseWrite") }
func (s *script) LocalAddr() net.Addr              { return nil }
func (s *script) RemoteAddr() net.Addr             { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// play returns a TextConn over a script of reads.
func play(t testing.TB, text string, reads ...scripted) (*sockets.TextConn, *script) {
	t.Helper()
	s := &script{reads: slices.Clone(reads)}
	return sockets.NewTextConn(s, conntest.Format(t, text)), s
}

// readable reads until the script would block or anything else happens.
func readable(c io.Reader, size int) (string, error) {
	var text []byte
	p := make([]byte, size)
	for {
		n, err := c.Read(p)
		text = append(text, p[:n]...)
		if err == errBlocked {
			return string(text), nil
		}
		if err != nil {
			return string(text), err
		}
	}
}

func wantRead(t *testing.T, c io.Reader, want string) {
	t.Helper()
	got, err := readable(c, 4096)
	if err != nil && err != io.EOF {
		t.Fatalf("read %q: %v", got, err)
	}
	if got != want {
		t.Fatalf("read %q, want %q", got, want)
	}
}

func wantWire(t *testing.T, s *script, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.wrote.String(); got != want {
		t.Fatalf("the wire has %q (% x), want %q (% x)", got, got, want, want)
	}
}

func wantFormatError(t *testing.T, err error, op string, offset int64, bad string, reason error) {
	t.Helper()
	var fe *sockets.FormatError
	if !errors.As(err, &fe) {
		t.Fatalf("error %v, want a FormatError", err)
	}
	if fe.Op != op || fe.Offset != offset || string(fe.Bytes) != bad || !errors.Is(err, reason) {
		t.Fatalf("error %v: op %s, % x at offset %d; want %s, % x at offset %d, %v", fe, fe.Op, fe.Bytes, fe.Offset, op, bad, offset, reason)
	}
}

// connPairs makes both ends of each kind of connection.
var connPairs = map[string]func(t *testing.T) (near, far net.Conn){
	"pipe": func(t *testing.T) (net.Conn, net.Conn) { return net.Pipe() },
	"tcp":  func(t *testing.T) (net.Conn, net.Conn) { return conntest.TCPEnds(t) },
	"unix": func(t *testing.T) (net.Conn, net.Conn) {
		dir, err := os.MkdirTemp("", "text")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		l, err := net.Listen("unix", filepath.Join(dir, "s"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		near, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return near, far
	},
	"tls": func(t *testing.T) (net.Conn, net.Conn) {
		near, far := conntest.TCPEnds(t)
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

func ExampleWithFormat() {
	here, there := net.Pipe()
	f, err := sockets.ParseFormat("cp1047,nel") // EBCDIC, as z/OS ends lines
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		c := sockets.WithFormat(here, f)
		fmt.Fprintf(c, "HELLO\n")
		c.Close()
	}()
	wire, err := io.ReadAll(there)
	fmt.Printf("% X %v\n", wire, err)
	// Output: C8 C5 D3 D3 D6 15 <nil>
}

func ExampleParseFormat() {
	f, err := sockets.ParseFormat("MS932, CRLF")
	fmt.Println(f, err)
	_, err = sockets.ParseFormat("shift_jsi")
	fmt.Println(err)
	// Output:
	// shift_jis,crlf <nil>
	// sockets: parse: unknown encoding (nearest: shift_jis): "shift_jsi" at offset 0
}

func ExampleTextConn_Raw() {
	here, there := net.Pipe()
	go func() {
		there.Write([]byte("length: 3\r\n\x00\xff\x01done\r\n"))
		there.Close()
	}()
	c := sockets.NewTextConn(here, sockets.ExternalFormat{Encoding: conntest.MustEncoding("us-ascii"), Newline: sockets.NewlineCRLF})
	var n int
	if _, err := fmt.Fscanf(c, "length: %d\n", &n); err != nil {
		log.Fatal(err)
	}
	bytes := make([]byte, n)
	if _, err := io.ReadFull(c.Raw(), bytes); err != nil {
		log.Fatal(err)
	}
	rest, err := io.ReadAll(c)
	fmt.Printf("%d % x %q %v\n", n, bytes, rest, err)
	// Output: 3 00 ff 01 "done\n" <nil>
}

func TestRule26SwitchesOfTheWriteFormat(t *testing.T) {
	c, s := play(t, "iso-2022-jp,crlf")
	conntest.MustWrite(t, c, "あ\n")
	conntest.MustWrite(t, c, "い")
	for _, f := range []string{"utf-16", "shift_jis,strict", "utf-16"} {
		if err := c.SetWriteFormat(conntest.Format(t, f)); err != nil {
			t.Fatal(err)
		}
		conntest.MustWrite(t, c, "い")
	}
	wantWire(t, s, "\x1b$B$\"\x1b(B\r\n\x1b$B$$\x1b(B"+"\xfe\xff\x30\x44"+"\x82\xa2"+"\xfe\xff\x30\x44")
	if err := c.SetWriteFormat(conntest.Format(t, "shift_jis,strict")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Write([]byte("ऄ"))
	wantFormatError(t, err, "write", int64(s.wrote.Len()), "ऄ", sockets.ErrUnencodable)

	conntest.MustWrite(t, c, "x\xe3")
	err = c.SetWriteFormat(conntest.Format(t, "utf-16le"))
	wantFormatError(t, err, "write", int64(s.wrote.Len()), "\xe3", io.ErrUnexpectedEOF)
	conntest.MustWrite(t, c, "y") // the switch has happened
	if !strings.HasSuffix(s.wrote.String(), "xy\x00") {
		t.Errorf("%q", s.wrote.String())
	}
}

func TestAFullOutputBufferAndAFailedSwitchLoseNothing(t *testing.T) {
	const text = "あいうえおかきくけこさしすせそたちつてとなにぬねのは" // 3 + 2*26 bytes and 3 at the end
	want := oneShot(t, "iso-2022-jp", text) + "xyz"
	for filled := range len(text) / 3 {
		c, s := play(t, "iso-2022-jp")
		if err := c.SetBufferSizes(0, 64); err != nil {
			t.Fatal(err)
		}
		conntest.MustWrite(t, c, "\n\n\n\n\n\n\n\n"[:filled%9])
		conntest.MustWrite(t, c, text)
		s.take = []int{0}
		if err := c.SetWriteFormat(conntest.Format(t, "us-ascii")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		rest := "xyz"
		n, _ := c.Write([]byte(rest))
		conntest.MustWrite(t, c, rest[n:])
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantWire(t, s, "\n\n\n\n\n\n\n\n"[:filled%9]+want)
	}
}

func TestASwitchKeepsTheMemoryOfACRInStyleAny(t *testing.T) {
	for format2, want := range map[string]string{"shift_jis,any": "b", "utf-8,any": "b", "utf-8": "\nb", "utf-8,crlf": "\nb"} {
		c, s := play(t, "utf-8,any", data("a\r")...)
		wantRead(t, c, "a\n")
		if err := c.SetReadFormat(conntest.Format(t, format2)); err != nil {
			t.Fatal(err)
		}
		s.reads = data("\nb")
		if got, err := readable(c, 10); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", format2, got, err, want)
		}
	}
}

func TestBytesBetweenEndTheMemoryOfACR(t *testing.T) {
	for name, pass := range map[string]func(*sockets.TextConn) error{
		"Skip":            func(c *sockets.TextConn) error { _, err := c.Skip(1); return err },
		"Raw":             func(c *sockets.TextConn) error { _, err := io.ReadFull(c.Raw(), make([]byte, 1)); return err },
		"Raw, as it came": func(c *sockets.TextConn) error { _, err := c.Raw().Read(make([]byte, 100)); return err },
	} {
		c, s := play(t, "utf-8,any", data("a\r")...)
		wantRead(t, c, "a\n")
		s.reads = data("#")
		if err := pass(c); err != nil {
			t.Fatal(err)
		}
		s.reads = data("\nb")
		if got, err := readable(c, 10); got != "\nb" || err != nil {
			t.Errorf("%s: %q, %v; the line end behind it was lost", name, got, err)
		}
	}
}

func TestErrorsOfSwitchesAreNetErrors(t *testing.T) {
	strict, _ := play(t, "iso-2022-jp,strict")
	conntest.MustWrite(t, strict, "x\xe3")
	if err, ok := strict.SetWriteFormat(conntest.Format(t, "us-ascii")).(net.Error); !ok || err.Timeout() {
		t.Errorf("%T", err)
	}
	c, s := play(t, "iso-2022-jp")
	conntest.MustWrite(t, c, "あ")
	s.take = []int{0}
	if err, ok := c.SetWriteFormat(conntest.Format(t, "us-ascii")).(net.Error); !ok || !err.Timeout() {
		t.Errorf("%T", err)
	}
	if got := new(sockets.FormatError).Error(); got == "" {
		t.Error("an empty FormatError must have a text")
	}
}

func TestRule09OffsetsCountThroughSwitches(t *testing.T) {
	c, _ := play(t, "utf-16le,strict", data("a\x00b\x00", "\x83e", "\xffx")...)
	p := make([]byte, 3)
	if n, err := c.Read(p); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := c.SetReadFormat(conntest.Format(t, "shift_jis,strict")); err != nil {
		t.Fatal(err)
	}
	got, err := readable(c, 10)
	if got != "テ" {
		t.Errorf("%q", got)
	}
	wantFormatError(t, err, "read", 6, "\xff", sockets.ErrMalformed)
	want := "sockets: read shift_jis: malformed input: ff at offset 6"
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestRule26SwitchesOfTheReadFormat(t *testing.T) {
	encode := func(f, text string) string {
		c, s := play(t, f)
		conntest.MustWrite(t, c, text)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		return s.wrote.String()
	}
	formats := []string{"shift_jis,crlf", "utf-16le", "iso-2022-jp", "cp1047,nel", "utf-8,strict", "gb18030,any", "bytes", "utf-32", "hz-gb-2312"}
	texts := []string{"日本\n", "a😀\n", "テスト\n", "Äb\n", "é\n", "中\n", "raw\n", "ж\n", "国~\n"}
	wire, want := "", ""
	for i, f := range formats {
		wire += encode(f, texts[i])
		want += texts[i]
	}
	// The lines arrive in all ways of two pieces, and are read in all sizes;
	// the format changes where a line ends.
	for cut := range wire {
		for size := 1; size < 5; size++ {
			c, _ := play(t, formats[0], data(wire[:cut], wire[cut:])...)
			got := ""
			for i, f := range formats {
				if err := c.SetReadFormat(conntest.Format(t, f)); err != nil {
					t.Fatal(err)
				}
				line := ""
				for len(line) < len(texts[i]) {
					p := make([]byte, min(size, len(texts[i])-len(line)))
					n, err := c.Read(p)
					if err != nil {
						t.Fatalf("cut at %d, format %s, behind %q%q: %v", cut, f, got, line, err)
					}
					line += string(p[:n])
				}
				got += line
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
			}
			if read, _ := c.Offsets(); read > int64(len(wire)) {
				t.Fatalf("offset %d of %d", read, len(wire))
			}
		}
	}
}

func TestRule27TextAndBytesAlternate(t *testing.T) {
	c, s := play(t, "utf-16le", data("a\x00\n\x00\x03\x00\xffz\x00", "\n\x00\x01")...)
	p := make([]byte, 2)
	if n, err := c.Read(p); string(p[:n]) != "a\n" || err != nil {
		t.Fatalf("%q, %v", p[:n], err)
	}
	raw := make([]byte, 3)
	if _, err := io.ReadFull(c.Raw(), raw); err != nil || string(raw) != "\x03\x00\xff" {
		t.Fatalf("% x, %v", raw, err)
	}
	if n, err := io.ReadFull(c, p); string(p[:n]) != "z\n" || err != nil {
		t.Fatalf("%q, %v", p[:n], err)
	}
	wantRead(t, c.Raw(), "\x01")

	if err := c.SetWriteFormat(conntest.Format(t, "iso-2022-jp")); err != nil {
		t.Fatal(err)
	}
	conntest.MustWrite(t, c, "あ")
	conntest.MustWrite(t, c.Raw(), "\x00\xff")
	conntest.MustWrite(t, c, "い\n")
	wantWire(t, s, "\x1b$B$\"\x1b(B\x00\xff\x1b$B$$\x1b(B\n")
}

func TestRule28SwitchWhereTheBufferedReaderIsEmpty(t *testing.T) {
	// The peer waits after "STARTTEXT", as in a protocol that negotiates, so
	// a bufio.Reader has nothing ahead there.
	c, s := play(t, "us-ascii,crlf", data("STARTTEXT\r\n")...)
	br := bufio.NewReader(c)
	if line, err := br.ReadString('\n'); line != "STARTTEXT\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if br.Buffered() != 0 {
		t.Fatalf("%d bytes ahead", br.Buffered())
	}
	if err := c.SetReadFormat(conntest.Format(t, "cp1047,nel")); err != nil {
		t.Fatal(err)
	}
	s.reads = data("\xc1\x63\x15")
	if line, err := br.ReadString('\n'); line != "AÄ\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
}

func TestBytesBetweenEndTheMemoryOfAWrittenCR(t *testing.T) {
	for f, want := range map[string]string{"utf-8,crlf": "a\r#\r\nb", "utf-8,cr": "a\r#\rb", "utf-8,nvt": "a\r\x00#\r\nb", "utf-8,nel": "a\r#\u0085b"} {
		c, s := play(t, f)
		conntest.MustWrite(t, c, "a\r")
		conntest.MustWrite(t, c.Raw(), "#")
		conntest.MustWrite(t, c, "\nb")
		wantWire(t, s, want)
	}
}

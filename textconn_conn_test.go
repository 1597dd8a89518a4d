package sockets_test

import (
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
	"strings"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"golang.org/x/text/encoding"
)

// connPairs makes both ends of each kind of connection.
var connPairs = map[string]func(t *testing.T) (near, far net.Conn){
	"pipe": func(t *testing.T) (net.Conn, net.Conn) { return net.Pipe() },
	"tcp":  func(t *testing.T) (net.Conn, net.Conn) { return tcpEnds(t) },
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
		near, far := tcpEnds(t)
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
			near := sockets.NewTextConn(a, format(t, "shift_jis,crlf,strict"))
			far := sockets.NewTextConn(b, format(t, "shift_jis,crlf,strict"))
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

func TestWriteDuringCloseIsEncodedOrFails(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(a, format(t, "utf-16be"))
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, c, "ab")
	closed, wrote := make(chan error), make(chan error)
	go func() { closed <- c.Close() }()
	first := make([]byte, 1)
	if _, err := io.ReadFull(b, first); err != nil {
		t.Fatal(err)
	}
	go func() { // while Close is sending
		_, err := c.Write([]byte("xyz"))
		wrote <- err
	}()
	rest, err := io.ReadAll(b)
	if err != nil || len(rest)%2 != 1 || string(rest[:3]) != "a\x00b" {
		t.Errorf("% x, %v", rest, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	<-wrote
	for _, p := range []string{"x", ""} {
		if _, err := c.Write([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Write(%q) of a closed connection: %v", p, err)
		}
		if _, err := c.Raw().Write([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("raw Write(%q) of a closed connection: %v", p, err)
		}
		if _, err := c.Raw().Read([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("raw Read(%q) of a closed connection: %v", p, err)
		}
	}
}

func TestReplacementEncoding(t *testing.T) {
	c, _ := play(t, "replacement", scripted{"abc", io.EOF})
	if got, err := readable(c, 10); got != "\ufffd" || err != io.EOF {
		t.Errorf("%q, %v", got, err)
	}
}

func TestForeignEncodingGivesBackItsCR(t *testing.T) {
	s := &script{reads: data("Uv\r")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: rot13Encoding{}, Newline: sockets.NewlineCRLF})
	wantRead(t, c, "Hi")
	if err := c.SetReadFormat(format(t, "us-ascii")); err != nil {
		t.Fatal(err)
	}
	s.reads = data("\nplain")
	wantRead(t, c, "\r\nplain")
}

func TestForeignEncodingGoesOnBehindMalformedBytes(t *testing.T) {
	s := &script{reads: data("uv\xff\xffuv")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: rot13Encoding{}, Strict: true})
	for i, want := range []string{"hi", "", "hi"} {
		got, err := readable(c, 10)
		if got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if i == 2 {
			break
		}
		wantFormatError(t, err, "read", int64(2+i), "\xff", sockets.ErrMalformed)
		if n, err := c.Skip(1); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
}

// strange hides which encoding of x/text it is.
type strange struct{ encoding.Encoding }

func TestForeignEncodingIsOnlySlower(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"shift_jis", "aテスト\r\nx\r\r\n"}, {"gb18030", "中😀\r\n\r"}, {"utf-16le", "é日\r\n😀"},
		{"iso-2022-jp", "aあ\r\nいb\r\n"}, {"cp037", "Grüße\r\n"}, {"big5", "Ê̄中\r\n"},
	} {
		f := sockets.ExternalFormat{Encoding: strange{mustEncoding(tt.name)}, Newline: sockets.NewlineCRLF}
		native := format(t, tt.name+",crlf")
		wire, err := native.Encoding.NewEncoder().Bytes([]byte(strings.ReplaceAll(tt.text, "Ê̄", "")))
		if err != nil {
			t.Fatal(err)
		}
		if tt.name == "big5" {
			wire = append([]byte("\x88\x62"), wire...)
		}
		want := strings.ReplaceAll(tt.text, "\r\n", "\n")
		for cut := range wire {
			for size := 1; size < 6; size++ {
				s := &script{reads: []scripted{{string(wire[:cut]), nil}, {"", temporary}, {string(wire[cut:]), io.EOF}}}
				c := sockets.NewTextConn(s, f)
				first, err := readable(c, size)
				if err != temporary {
					t.Fatal(err)
				}
				rest, err := readable(c, size)
				if first+rest != want || err != io.EOF {
					t.Fatalf("%s cut at %d: %q and %q, %v; want %q", tt.name, cut, first, rest, err, want)
				}
			}
		}
		if tt.name == "big5" {
			continue
		}
		for cut := range tt.text {
			s := &script{}
			c := sockets.NewTextConn(s, f)
			mustWrite(t, c, tt.text[:cut])
			mustWrite(t, c, tt.text[cut:])
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			wantWire(t, s, string(wire))
		}
	}
	// x/text makes U+FFFD of the bytes, and is past them then; we are not.
	s := &script{reads: data("\x83e\xff\xffX")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: strange{mustEncoding("shift_jis")}, Strict: true})
	for i, want := range []string{"テ", "", "X"} {
		got, err := readable(c, 10)
		if got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if i < 2 {
			_, again := c.Read(make([]byte, 10))
			wantFormatError(t, err, "read", int64(2+i), "\xff", sockets.ErrMalformed)
			wantFormatError(t, again, "read", int64(2+i), "\xff", sockets.ErrMalformed)
			if n, err := c.Skip(1); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	// U+FFFD that the wire really has is text.
	s = &script{reads: data("\xfd\xff")}
	c = sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: strange{mustEncoding("utf-16le")}, Strict: true})
	wantRead(t, c, "\ufffd")
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
	c := sockets.NewTextConn(here, sockets.ExternalFormat{Encoding: mustEncoding("us-ascii"), Newline: sockets.NewlineCRLF})
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

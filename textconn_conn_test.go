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
	"testing"
	"time"

	"github.com/iolib-go/sockets"
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

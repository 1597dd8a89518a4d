package conntest

import (
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/text/encoding"

	"github.com/iolib-go/sockets"
)

// MustEncoding returns the encoding of that name.
func MustEncoding(name string) encoding.Encoding {
	f, err := sockets.ParseFormat(name)
	if err != nil {
		panic(err)
	}
	return f.Encoding
}

// Format parses the text of a format.
func Format(t testing.TB, text string) sockets.ExternalFormat {
	t.Helper()
	f, err := sockets.ParseFormat(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// MustWrite writes the text, all of it.
func MustWrite(t *testing.T, c io.Writer, text string) {
	t.Helper()
	if n, err := io.WriteString(c, text); n != len(text) || err != nil {
		t.Fatalf("write %q: %d, %v", text, n, err)
	}
}

// TCPEnds returns the two ends of a TCP connection.
func TCPEnds(b testing.TB) (near, far *net.TCPConn) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	n, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	f, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Close(); f.Close() })
	return n.(*net.TCPConn), f.(*net.TCPConn)
}

// WantFormatError checks that err is a FormatError with these fields.
func WantFormatError(tb testing.TB, err error, op string, offset int64, bad string, reason error) {
	tb.Helper()
	var fe *sockets.FormatError
	if !errors.As(err, &fe) {
		tb.Fatalf("error %v, want a FormatError", err)
	}
	if fe.Op != op || fe.Offset != offset || string(fe.Bytes) != bad || !errors.Is(err, reason) {
		tb.Fatalf("error %v: op %s, % x at offset %d; want %s, % x at offset %d, %v", fe, fe.Op, fe.Bytes, fe.Offset, op, bad, offset, reason)
	}
}

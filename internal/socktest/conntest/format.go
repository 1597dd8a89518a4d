package conntest

import (
	"errors"
	"io"
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

package sockets_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
)

func mustFormat(t *testing.T, s string) sockets.ExternalFormat {
	t.Helper()
	f, err := sockets.ParseFormat(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFormatOfDialerAndListener sends text from a dialed to an accepted
// connection, each in a format of its own, and compares what the wire carried.
func TestFormatOfDialerAndListener(t *testing.T) {
	const text = "日本\näöü\n"
	tests := []struct {
		name           string
		dial, listen   string
		accept         string // for this connection alone
		dialT, acceptT string // types
		got            string // by the accepted connection
	}{
		{"none", "", "", "", "raw", "raw", text},
		{"both", "shift_jis,crlf", "shift_jis,crlf", "", "text", "text", "日本\n???\n"},
		{"dialed only", "utf-8,crlf", "", "", "text", "raw", "日本\r\näöü\r\n"},
		{"accepted only", "", "latin-1", "", "raw", "text", "æ\u0097¥æ\u009c¬\nÃ¤Ã¶Ã¼\n"},
		{"inherited and replaced", "utf-16be", "latin-1", "utf-16be", "text", "text", text},
		{"replaced by the identity", "utf-8,crlf", "utf-8,crlf", "utf-8", "text", "raw", "日本\r\näöü\r\n"},
	}
	for _, network := range []string{"tcp", "unix"} {
		for _, tt := range tests {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				var lc sockets.ListenConfig
				var d sockets.Dialer
				var ac sockets.AcceptConfig
				if tt.listen != "" {
					lc.Format = mustFormat(t, tt.listen)
				}
				if tt.dial != "" {
					d.Format = mustFormat(t, tt.dial)
				}
				if tt.accept != "" {
					ac.Format = mustFormat(t, tt.accept)
				}
				l, err := lc.Listen(context.Background(), network, address)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				c, err := d.Dial(network, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				a, err := l.(interface {
					AcceptWith(sockets.AcceptConfig) (net.Conn, error)
				}).AcceptWith(ac)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				if _, isText := c.(*sockets.TextConn); isText != (tt.dialT == "text") {
					t.Errorf("dialed %T", c)
				}
				if _, isText := a.(*sockets.TextConn); isText != (tt.acceptT == "text") {
					t.Errorf("accepted %T", a)
				}
				if _, err := io.WriteString(c, text); err != nil {
					t.Fatal(err)
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(a)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.got, string(got)); diff != "" {
					t.Errorf("text differs (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestFormatAcceptInherits has Accept return what the listener's format says, and
// AcceptTCP the connection itself.
func TestFormatAcceptInherits(t *testing.T) {
	lc := sockets.ListenConfig{Format: mustFormat(t, "cp037,nel")}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		c, err := sockets.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, ok := a.(*sockets.TextConn); !ok {
		t.Errorf("Accept returned %T, want *sockets.TextConn", a)
	}
	b, err := l.(*sockets.TCPListener).AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}

// TestFormatRefused lists formats and sizes that a connection cannot have.
func TestFormatRefused(t *testing.T) {
	var badNewline sockets.ExternalFormat
	badNewline.Newline = 99
	tests := []struct {
		name    string
		network string
		format  sockets.ExternalFormat
		in, out int
		want    any
	}{
		{"datagrams", "udp", mustFormat(t, "utf-16"), 0, 0, new(*sockets.ArgumentError)},
		{"records", "unixpacket", mustFormat(t, "utf-16"), 0, 0, new(*sockets.ArgumentError)},
		{"unknown newline", "tcp", badNewline, 0, 0, new(*sockets.FormatError)},
		{"negative input buffer", "tcp", mustFormat(t, "utf-16"), -1, 0, new(*sockets.ArgumentError)},
		{"small output buffer", "unix", mustFormat(t, "utf-16"), 0, 3, new(*sockets.ArgumentError)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := sockets.Dialer{Format: tt.format, InputBufferSize: tt.in, OutputBufferSize: tt.out, Timeout: time.Minute}
			c, err := d.Dial(tt.network, "127.0.0.1:1")
			checkRefused(t, c == nil, err, "dial", tt.want)
			lc := sockets.ListenConfig{Format: tt.format, InputBufferSize: tt.in, OutputBufferSize: tt.out}
			if tt.network == "udp" {
				p, err := lc.ListenPacket(context.Background(), tt.network, "127.0.0.1:0")
				checkRefused(t, p == nil, err, "listen", tt.want)
				return
			}
			l, err := lc.Listen(context.Background(), tt.network, filepath.Join(t.TempDir(), "s"))
			checkRefused(t, l == nil, err, "listen", tt.want)
		})
	}
}

func checkRefused(t *testing.T, isNil bool, err error, op string, want any) {
	t.Helper()
	var oe *net.OpError
	if !isNil || !errors.As(err, &oe) || oe.Op != op || !errors.As(err, want) {
		t.Errorf("%s: nil result %v, error %v; want a *net.OpError with %T", op, isNil, err, want)
	}
}

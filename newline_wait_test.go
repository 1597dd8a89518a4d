package sockets_test

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

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

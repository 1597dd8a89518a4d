package sockets_test

import (
	"bytes"
	"testing"

	"github.com/iolib-go/sockets"
)

// FuzzStripIPv4Header takes the header off whatever arrives: the rest of what arrived is
// in front, or all of it if that has no header of IPv4.
func FuzzStripIPv4Header(f *testing.F) {
	f.Add([]byte("\x45...................data"), 24)
	f.Add([]byte("\x4f........................................................."), 30)
	f.Add([]byte("\x45"), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > len(b) {
			return
		}
		want := bytes.Clone(b[:n])
		if n >= 20 && b[0]>>4 == 4 {
			if header := 4 * int(b[0]&15); header >= 20 && header <= n {
				want = want[header:]
			}
		}
		n = sockets.StripIPv4Header(n, b)
		if n < 0 || n > len(b) || !bytes.Equal(want, b[:n]) {
			t.Errorf("%d bytes are left, want %d", n, len(want))
		}
	})
}

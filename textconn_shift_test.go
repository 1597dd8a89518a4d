package sockets_test

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

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

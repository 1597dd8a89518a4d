package codec

import (
	"bytes"
	"strings"
	"testing"
)

// TestRoom decodes and encodes rows of each character with any room that there may be:
// the result is the same as with plenty.
func TestRoom(t *testing.T) {
	for _, name := range Names() {
		c := Lookup(name)
		f := Format{Charset: c}
		for _, r := range sample(c) {
			// One of another length in front moves the row.
			for _, text := range []string{strings.Repeat(string(r), 20) + "a", "a " + strings.Repeat(string(r), 11)} {
				encoded := write(f, [][]byte{[]byte(text)}, 1<<10)
				wire := []byte(encoded.Text)
				want := oneShot(f, wire).String()
				for size := 1; size < 50; size++ {
					if got := read(f, [][]byte{wire}, size).String(); got != want {
						t.Fatalf("%s: %x with room for %d bytes: %s, want %s", name, wire, size, got, want)
					}
				}
				for size := FinishLen; size < FinishLen+50; size++ {
					if got := write(f, [][]byte{[]byte(text)}, size); got.Text != encoded.Text {
						t.Fatalf("%s: %q with room for %d bytes: %x, want %x", name, text, size, got.Text, encoded.Text)
					}
				}
			}
		}
	}
}

// TestNoRoom has Decode say what is wrong with its input, and take what makes no text,
// while there is no room.
func TestNoRoom(t *testing.T) {
	for _, tt := range []struct {
		charset, wire string
		eof           bool
		n             int
		want          Status
	}{
		{"utf-8", "\xff", false, 0, Malformed},
		{"utf-8", "a", false, 0, Full},
		{"utf-8", "\xe3\x81", true, 0, Truncated},
		{"iso-2022-jp", "\x1b(B", true, 3, More},
		{"iso-2022-jp", "\x1b(Ba", true, 0, Full},
		{"utf-16", "\xfe\xff", true, 2, More},
	} {
		var d Decoder
		d.Init(Format{Charset: Lookup(tt.charset), Strict: true})
		nDst, nSrc, status := d.Decode(nil, []byte(tt.wire), tt.eof)
		if nDst != 0 || nSrc != tt.n || status != tt.want {
			t.Errorf("%s: %q is %d bytes of %d, status %d, want %d, status %d", tt.charset, tt.wire, nDst, nSrc, status, tt.n, tt.want)
		}
	}
}

// TestASCII finds the end of ASCII text wherever it is.
func TestASCII(t *testing.T) {
	for n := range 150 {
		for end := 0; end <= n; end++ {
			src := bytes.Repeat([]byte("a"), n)
			for _, bad := range []byte{0x80, 0xff} {
				if end < n {
					src[end] = bad
				}
				dst := make([]byte, n+8)
				if got := asciiLen(src); got != end {
					t.Fatalf("asciiLen of %d bytes is %d, want %d", n, got, end)
				}
				if got := copyASCII(dst, src); got != end || !bytes.Equal(dst[:end], src[:end]) {
					t.Fatalf("copyASCII of %d bytes is %d, want %d", n, got, end)
				}
				if n <= 8 {
					if got := copyWord(dst, src); got != min(end, 8) || !bytes.Equal(dst[:end], src[:end]) {
						t.Fatalf("copyWord of %d bytes is %d, want %d", n, got, end)
					}
				}
			}
		}
	}
}

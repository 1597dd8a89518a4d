package codec

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

// unknown is an encoding that this package knows nothing about.
type unknown struct{ encoding.Encoding }

var unknowns = map[string]*Charset{
	"single byte":   Of(unknown{charmap.Windows1252}),
	"two bytes":     Of(unknown{japanese.ShiftJIS}),
	"with shifts":   Of(unknown{japanese.ISO2022JP}),
	"of the plane":  Of(unknown{unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}),
	"of many bytes": Of(unknown{unicode.UTF8}),
}

// An unknown encoding loses nothing, wherever the input is cut and however little room
// there is: not its text, not a CR at the end, not a shift in front of what replaces a
// rune.
func TestUnknownEncodings(t *testing.T) {
	text := []byte("a\r\n日é\n\r\x00ß日☃本\r☃\r\r\nこ😀ÿ\r")
	for name, c := range unknowns {
		for nl := LF; nl < numNewlines; nl++ {
			if nl == NEL && !c.Encodes('\u0085') {
				continue
			}
			for _, strict := range []bool{false, true} {
				f := Format{c, nl, strict}
				t.Run(fmt.Sprintf("%s/%s/strict=%v", name, nl, strict), func(t *testing.T) {
					check := func(how string, want, got result) {
						t.Helper()
						got.Offset, want.Offset = 0, 0 // of a cut rune is at its end
						if diff := cmp.Diff(want.String(), got.String()); diff != "" {
							t.Errorf("%s (-one shot +got):\n%s", how, diff)
						}
					}
					want := write(f, [][]byte{text}, 1<<10)
					for i := range text {
						if strict {
							break // a shift is on the wire in front of the error, or not yet
						}
						check(fmt.Sprintf("text split at %d", i), want, write(f, [][]byte{text[:i], text[i:]}, 1<<10))
					}
					all := []byte(write(Format{Charset: c}, [][]byte{text}, 1<<10).Text)
					for n := range len(all) + 1 {
						wire := all[:n]
						want := oneShot(f, wire)
						for size := 1; size < 8; size++ {
							check(fmt.Sprintf("%x at once into %d", wire, size), want, read(f, [][]byte{wire}, size))
							check(fmt.Sprintf("%x byte by byte into %d", wire, size), want, read(f, bytewise(wire), size))
						}
					}
				})
			}
		}
	}
}

// What is held goes out in front of a command that never got its end.
func TestUnknownEncodingBeforeCommand(t *testing.T) {
	for _, strict := range []bool{false, true} {
		f := Format{unknowns["single byte"], NVT, strict}
		wire := []byte("\xe9\r\xff\xfd")
		want := result{Text: "é\r", Offset: len(wire)}
		if strict {
			want = result{Text: "é\r", Offset: 2, Status: Truncated, Bad: wire[2:]}
		}
		for _, size := range []int{1, 2, 64} {
			for _, pieces := range [][][]byte{{wire}, bytewise(wire)} {
				if diff := cmp.Diff(want.String(), read(f, pieces, size).String()); diff != "" {
					t.Errorf("strict=%v, %d pieces into %d (-want +got):\n%s", strict, len(pieces), size, diff)
				}
			}
		}
	}
}

// A shift that an encoder made before it failed is part of what it writes next.
func TestUnknownEncodingShifts(t *testing.T) {
	var e Encoder
	e.Init(Format{Charset: unknowns["with shifts"], Strict: true})
	var wire []byte
	dst := make([]byte, 1<<10)
	for _, text := range []string{"日\xe2\x98", "\x83", "a"} {
		n, _, status := e.Encode(dst, []byte(text))
		wire = append(wire, dst[:n]...)
		if want := map[bool]Status{true: Malformed}[text == "\x83"]; status != want {
			t.Errorf("%q: status %d, want %d", text, status, want)
		}
	}
	n, _ := e.Finish(dst)
	wire = append(wire, dst[:n]...)
	if want := "\x1b$BF|\x1b(Ba"; !bytes.Equal(wire, []byte(want)) {
		t.Errorf("wire is %q, want %q", wire, want)
	}
}

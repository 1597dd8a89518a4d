package codec

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// fuzzFormat makes a format of three numbers.
func fuzzFormat(charset, newline uint8, strict bool) (Format, bool) {
	names := Names()
	c := Lookup(names[int(charset)%len(names)])
	f := Format{Charset: c, Newline: Newline(newline) % numNewlines, Strict: strict}
	return f, c.Name != "replacement" && (f.Newline != NEL || c.Encodes('\u0085'))
}

func seeds(f *testing.F) {
	for i, name := range Names() {
		c := Lookup(name)
		if name == "replacement" {
			continue
		}
		text := []byte(sample(c))
		f.Add(uint8(i), uint8(i), i%2 == 0, uint64(i), text)
		f.Add(uint8(i), uint8(i+1), i%2 == 1, uint64(i), []byte(write(Format{Charset: c}, [][]byte{text}, 1<<12).Text))
	}
	for i, name := range Names() {
		if name != "replacement" {
			f.Add(uint8(i), uint8(NVT), i%2 == 0, uint64(i), []byte("a\xff\xff\xff\xf1\x00\xff\xfb\x01A\r\xff\xfa\x18\x00x\xff\xff\xff\xf0\n\xff"))
		}
	}
	f.Add(uint8(0), uint8(2), false, uint64(1), []byte("\x1b$B$\x1b(B~{V\n~}\r\r\n\x00\r\x00\x81\x30\x81\x30\x8f\xa1\xff\xfe\xd8\x00"))
}

// FuzzDecoder holds decoding in random pieces against decoding at once.
func FuzzDecoder(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, charset, newline uint8, strict bool, seed uint64, wire []byte) {
		format, ok := fuzzFormat(charset, newline, strict)
		if !ok || len(wire) > 1<<12 {
			t.Skip()
		}
		rnd := rand.New(rand.NewPCG(seed, 0))
		want := oneShot(format, wire)
		if !utf8.ValidString(want.Text) && format.Charset != Bytes && !format.AsIs() {
			t.Fatalf("%q is not UTF-8", want.Text)
		}
		if want.Status == More && want.Offset != len(wire) {
			t.Fatalf("%d of %d bytes consumed: %s", want.Offset, len(wire), want)
		}
		if !strict && want.Status != More && want.Status != NoMark {
			t.Fatalf("not strict, and yet %s", want)
		}
		if got := read(format, split(wire, rnd), 1+rnd.IntN(70)); got.String() != want.String() {
			t.Fatalf("in pieces %s\nat once   %s", got, want)
		}

		// What can be decoded in place is the beginning of the same text.
		var d Decoder
		d.Init(format)
		b := bytes.Clone(wire)
		nText, nWire := d.InPlace(b)
		if nText > nWire || !bytes.Equal(b[nWire:], wire[nWire:]) {
			t.Fatalf("in place: %d bytes of text of %d", nText, nWire)
		}
		if !bytes.HasPrefix([]byte(want.Text), b[:nText]) {
			t.Fatalf("in place %q, else %s", b[:nText], want)
		}
	})
}

// FuzzEncoder holds encoding in random pieces against encoding at once, and
// strict text that encodes against what it decodes to.
func FuzzEncoder(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, charset, newline uint8, strict bool, seed uint64, text []byte) {
		format, ok := fuzzFormat(charset, newline, strict)
		if !ok || len(text) > 1<<12 {
			t.Skip()
		}
		rnd := rand.New(rand.NewPCG(seed, 0))
		want := write(format, [][]byte{text}, 1<<16)
		got := write(format, split(text, rnd), FinishLen+rnd.IntN(100))
		got.Offset, want.Offset = 0, 0 // a cut rune is reported at its end
		if got.String() != want.String() {
			t.Fatalf("in pieces %s\nat once   %s", got, want)
		}
		if !strict && want.Status != More {
			t.Fatalf("not strict, and yet %s", want)
		}
		var e Encoder
		e.Init(format)
		if n, ok := e.Plain(text); ok && !strings.HasPrefix(want.Text, string(text[:n])) {
			t.Fatalf("%d bytes of plain text, and yet %s", n, want)
		} else if ok && n < len(text) {
			if _, ns, status := e.Encode(nil, text[n:]); ns != len(text)-n || status != More {
				t.Fatalf("%x is no beginning of a rune", text[n:])
			}
		}
		if !strict || want.Status != More || format.Newline != LF || len(text) == 0 {
			return
		}
		if format.Charset.mark == ignoreMark && bytes.HasPrefix(text, []byte(utf8Mark)) {
			return
		}
		back := oneShot(Format{Charset: format.Charset}, []byte(want.Text))
		again := write(format, [][]byte{[]byte(back.Text)}, 1<<16)
		if back.Text != string(text) && again.Text != want.Text {
			t.Fatalf("%q is %x and back %q", text, want.Text, back.Text)
		}
	})
}

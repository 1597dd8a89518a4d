package codec

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"
)

// validPrefix is what validLen is to return, one character after the other.
func validPrefix(b []byte) int {
	n := 0
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == runeError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// kernelSeeds are texts of all densities, in which anything may be malformed.
var kernelSeeds = []string{
	"",
	"plain text, nothing else in it, for more than sixty-four bytes of it, as most of it is in the world",
	"Voilà une phrase française où les accents reviennent déjà souvent; über Größe müßte man nicht streiten.",
	"Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
	"吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた",
	"나라의 말이 중국과 달라 문자와 서로 통하지 아니하므로 어리석은 백성이 이르고자 하는 바가 있어도",
	"😀😃😄😁 and 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 and ordinary text between them; 😅😂🤣 once more, up to a block's end 🙂",
}

// malformed are sequences that UTF-8 does not have, and their neighbors.
var malformed = []string{
	"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\xc2", "\xdf\x7f", "\xe0\x9f\xbf", "\xe0\xa0", "\xe0\xa0\x80",
	"\xed\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xee\x80", "\xef\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf0\x90\x80\x80",
	"\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe\xff", "\xe3\x81", "\xe3\xe3\x81\x82",
}

func TestValidLen(t *testing.T) {
	for _, seed := range kernelSeeds {
		for _, bad := range malformed {
			for at := 0; at <= len(seed); at++ {
				if at < len(seed) && !utf8.RuneStart(seed[at]) {
					continue
				}
				for _, twice := range []string{"", seed} {
					b := []byte(twice + seed[:at] + bad + seed[at:] + seed)
					if got, want := validLen(b), validPrefix(b); got != want {
						t.Fatalf("validLen(%q) is %d, want %d", b, got, want)
					}
					// And cut anywhere behind.
					if n := len(twice) + at + len(bad); at%13 == 0 {
						for ; n < len(b); n++ {
							if got, want := validLen(b[:n]), validPrefix(b[:n]); got != want {
								t.Fatalf("validLen(%q) is %d, want %d", b[:n], got, want)
							}
						}
					}
				}
			}
		}
	}
}

// Something malformed between characters of all kinds stops what encodes many at a time.
func TestEncodersStop(t *testing.T) {
	for _, seed := range kernelSeeds {
		for _, bad := range malformed {
			for at := 0; at <= len(seed); at++ {
				if at%(5*sparse) != 0 || at < len(seed) && !utf8.RuneStart(seed[at]) {
					continue
				}
				for _, name := range []string{"utf-16be", "utf-32le", "windows-1251", "euc-kr"} {
					checkEncoder(t, Format{Charset: Lookup(name), Strict: true}, []byte(seed+seed[:at]+bad+seed[at:]))
				}
			}
		}
	}
}

// Line ends are converted wherever a piece of text ends, also between CR and LF.
func TestLinePieces(t *testing.T) {
	for _, name := range kernelCharsets {
		f := Format{Charset: Lookup(name), Newline: CRLF}
		for _, line := range []string{"a\n", "é\n", "ж\r\n", "あ b\n", "한\r", "😀\n\n"} {
			for before := range 4 {
				text := []byte(strings.Repeat("x", before) + strings.Repeat(line, 2*linePiece/len(line)))
				checkEncoder(t, f, text)
				checkDecoder(t, f, []byte(write(f, [][]byte{text}, 1<<20).Text))
			}
		}
	}
}

// TestLanes has four characters in a row, each of any length up to the limits of
// lengths, and what is malformed: what looks at several at a time tells them apart in
// each place.
func TestLanes(t *testing.T) {
	units := []uint32{0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff, 0x10000, 0x10ffff, 0x110000}
	appends := map[string]func(b []byte, u uint32) []byte{
		"utf-16le": func(b []byte, u uint32) []byte { return binary.LittleEndian.AppendUint16(b, uint16(u)) },
		"utf-16be": func(b []byte, u uint32) []byte { return binary.BigEndian.AppendUint16(b, uint16(u)) },
		"utf-32le": binary.LittleEndian.AppendUint32,
		"utf-32be": binary.BigEndian.AppendUint32,
	}
	for name, add := range appends {
		t.Run(name, func(t *testing.T) {
			f := Format{Charset: Lookup(name)}
			for i := 0; i < len(units)*len(units)*len(units)*len(units); i += sparse {
				var wire, text []byte
				for k, places := 0, i; k < 4; k++ {
					u := units[places%len(units)]
					places /= len(units)
					wire = add(wire, u)
					text = utf8.AppendRune(text, rune(u))
				}
				// Room and input for whole steps behind them.
				for range 4 {
					wire = add(wire, 'z')
					text = append(text, 'z')
				}
				checkDecoder(t, f, wire)
				checkEncoder(t, f, text)
			}
		})
	}
}

// FuzzKernels holds what looks at many characters at a time against what looks
// at one.
func FuzzKernels(f *testing.F) {
	for i, seed := range kernelSeeds {
		for which := range kernelCharsets {
			f.Add([]byte(seed), []byte(malformed[i]), uint16(i*7), uint8(which))
			f.Add([]byte(seed+seed), []byte("\r\n"), uint16(i*11), uint8(which))
		}
	}
	f.Fuzz(func(t *testing.T, text, insert []byte, at uint16, which uint8) {
		if len(text)+len(insert) > 1<<10 {
			t.Skip()
		}
		if len(text) > 0 {
			n := int(at) % len(text)
			text = append(append(bytes.Clone(text[:n]), insert...), text[n:]...)
		}
		if got, want := validLen(text), validPrefix(text); got != want {
			t.Fatalf("validLen(%q) is %d, want %d", text, got, want)
		}
		c := Lookup(kernelCharsets[int(which)%len(kernelCharsets)])
		for _, f := range []Format{{c, LF, false}, {c, LF, true}, {c, CRLF, false}, {c, CRLF, true}} {
			if !f.AsIs() {
				checkDecoder(t, f, text)
				checkEncoder(t, f, text)
			}
		}
	})
}

// kernelCharsets are those whose machines look at many characters at a time.
var kernelCharsets = []string{
	"utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be", "windows-1251", "windows-1253", "iso-8859-1", "cp037", "euc-kr", "shift_jis",
	"gb18030", "iso-2022-jp",
}

// checkDecoder holds Decode against the single-character methods of the machine.
func checkDecoder(t *testing.T, f Format, wire []byte) {
	t.Helper()
	got := oneShot(f, wire)
	var d Decoder
	d.Init(f)
	var want result
	var all []byte
	dst := make([]byte, maxRune)
	for want.Offset < len(wire) {
		nd, ns, status := d.step(dst, wire[want.Offset:], true)
		all = append(all, dst[:nd]...)
		want.Offset += ns
		if ns > 0 {
			continue
		}
		if !f.Strict {
			t.Fatalf("step consumes nothing of %x", wire[want.Offset:])
		}
		want.Status = status
		want.Bad = wire[want.Offset:][:d.Bad()]
		break
	}
	want.Text = string(all)
	if got.String() != want.String() {
		t.Fatalf("%s %s: %x is %s, want %s", f.Charset.Name, f.Newline, wire, got, want)
	}
}

// checkEncoder is checkDecoder for Encode.
func checkEncoder(t *testing.T, f Format, text []byte) {
	t.Helper()
	got := write(f, [][]byte{text}, 8*len(text)+FinishLen)
	var e Encoder
	e.Init(f)
	var want result
	var all []byte
	dst := make([]byte, 64)
	for want.Offset < len(text) {
		nd, ns, status := e.step(dst, text[want.Offset:])
		all = append(all, dst[:nd]...)
		want.Offset += ns
		if ns > 0 {
			continue
		}
		if !f.Strict {
			t.Fatalf("step consumes nothing of %q", text[want.Offset:])
		}
		want.Status, want.Bad = status, bytes.Clone(e.Bad())
		break
	}
	if want.Status == More {
		nd, status := e.Finish(dst)
		all = append(all, dst[:nd]...)
		if want.Status = status; status != More {
			want.Bad = bytes.Clone(e.Bad())
		}
	}
	want.Text = string(all)
	if got.String() != want.String() {
		t.Fatalf("%s %s: %q is %s, want %s", f.Charset.Name, f.Newline, text, got, want)
	}
}

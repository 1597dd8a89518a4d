package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets/internal/socktest"
)

// sparse is how much of an exhaustive test is left under the race detector,
// which finds nothing in pure functions: one of so many.
var sparse = map[bool]int{false: 1, true: 13}[socktest.Race]

// sample is text with characters of every length that c can write.
func sample(c *Charset) string {
	var b strings.Builder
	for _, r := range "ab\r\nc\n\nd\re\r\r\nf~g\\é\nÄ\u0085ßж\r\nщ\n日本語\r\n中国語の\nテスト한국어\r\nﾊﾝ¥‾丂\nЖz\x00\r\x00\n😀\r\n�q\u1234ỳ\U00020000.\n" {
		if c.Encodes(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// damage puts bytes that are malformed in many encodings between those of wire.
func damage(rnd *rand.Rand, wire []byte) []byte {
	bad := []string{"\xff", "\x80", "\x81", "\xe3\x81", "\x1b", "\x1b$", "\x1b(", "~", "~x", "\x8f\xa1", "\x81\x30\x81", "\xd8\x00", "\xfe\xff", "\xa0", "\xed\xa0\x80", "\r", "\x85A", "\x0e", "\xff\xff", "\xff\xf6", "\xff\xfd\x01", "\xff\xfa\x18\xff\xff\xff\xf0", "\xff\xfa"}
	out := make([]byte, 0, len(wire)+32)
	for _, b := range wire {
		if rnd.IntN(6) == 0 {
			out = append(out, bad[rnd.IntN(len(bad))]...)
		}
		out = append(out, b)
	}
	return append(out, bad[rnd.IntN(len(bad))]...)
}

// result is what a reader of a stream sees.
type result struct {
	Text   string
	Status Status
	Offset int
	Bad    []byte
}

func (r result) String() string {
	return fmt.Sprintf("%q, status %d at %d, bad %x", r.Text, r.Status, r.Offset, r.Bad)
}

// read decodes wire the way a connection does: pieces arrive one after the
// other, and the reader has a buffer of size bytes.
func read(f Format, pieces [][]byte, size int) result {
	var d Decoder
	d.Init(f)
	var res result
	var pending []byte
	p := make([]byte, size)
	for i := 0; ; i++ {
		eof := i == len(pieces)
		if !eof {
			pending = append(pending, pieces[i]...)
		}
		for {
			nDst, nSrc, status := d.Decode(p, pending, eof)
			text := p[:nDst]
			if status == Full && nDst == 0 && nSrc == 0 {
				var carry [8]byte
				for k := size + 1; nDst == 0 && k <= len(carry); k++ {
					nDst, nSrc, status = d.Decode(carry[:k], pending, eof)
				}
				if nDst == 0 && status == Full {
					panic("a character of more than 8 bytes")
				}
				text = carry[:nDst]
			}
			res.Text += string(text)
			res.Offset += nSrc
			pending = pending[nSrc:]
			if status == Malformed || status == Truncated || status == NoMark {
				if nDst > 0 {
					continue // text first, the error when it is alone
				}
				res.Status, res.Bad = status, bytes.Clone(pending[:d.Bad()])
				return res
			}
			if status == More {
				break
			}
		}
		if eof {
			return res
		}
	}
}

func oneShot(f Format, wire []byte) result {
	return read(f, [][]byte{wire}, 8*len(wire)+64)
}

// write encodes the pieces into blocks of size bytes, stops at the first
// Malformed, and finishes.
func write(f Format, pieces [][]byte, size int) result {
	var e Encoder
	e.Init(f)
	var res result
	dst := make([]byte, size)
	for _, p := range pieces {
		for {
			nDst, nSrc, status := e.Encode(dst, p)
			res.Text += string(dst[:nDst])
			res.Offset += nSrc
			p = p[nSrc:]
			if status == Malformed {
				res.Status, res.Bad = status, bytes.Clone(e.Bad())
				return res
			}
			if status == More {
				break
			}
			if nDst == 0 {
				panic("no progress")
			}
		}
	}
	n, status := e.Finish(dst)
	res.Text += string(dst[:n])
	res.Status = status
	if status == Truncated {
		res.Bad = bytes.Clone(e.Bad())
	}
	return res
}

func split(b []byte, rnd *rand.Rand) [][]byte {
	var pieces [][]byte
	for len(b) > 0 {
		n := 1 + rnd.IntN(min(len(b), 9))
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

func bytewise(b []byte) [][]byte {
	var pieces [][]byte
	for i := range b {
		pieces = append(pieces, b[i:i+1])
	}
	return pieces
}

// formats calls do for all formats that differ in more than a table: of most
// encodings of one byte, a single style of line ends is enough.
func formats(t *testing.T, do func(t *testing.T, f Format)) {
	typical := []string{"cp037", "cp290", "cp420", "cp1047", "cp437", "iso-8859-1", "iso-8859-6", "iso-8859-15", "koi8-u", "macintosh", "us-ascii", "windows-1252", "windows-1253", "windows-874"}
	for _, name := range Names() {
		if name == "replacement" {
			continue // has neither characters nor positions
		}
		c := Lookup(name)
		for nl := LF; nl < numNewlines; nl++ {
			if c.kind == kindSingle && nl != CRLF && !slices.Contains(typical, name) {
				continue
			}
			if nl == NEL && !c.Encodes('\u0085') {
				continue
			}
			for _, strict := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/strict=%v", name, nl, strict), func(t *testing.T) {
					do(t, Format{c, nl, strict})
				})
			}
		}
	}
}

func mark(c *Charset) []byte {
	switch {
	case c.mark == ignoreMark:
		return nil
	case c.kind == kindUTF8:
		return []byte(utf8Mark)
	case c.kind == kindUTF16:
		return []byte("\xff\xfe")
	}
	return []byte("\xff\xfe\x00\x00")
}

func TestDecodeIsTheSameForEverySplit(t *testing.T) {
	formats(t, func(t *testing.T, f Format) {
		rnd := rand.New(rand.NewPCG(1, uint64(f.Newline)))
		// A writer that keeps line ends as they are gives each style its chance.
		good := []byte(write(Format{Charset: f.Charset}, [][]byte{[]byte(sample(f.Charset))}, 1<<12).Text)
		wires := [][]byte{good, damage(rnd, good), damage(rnd, good), append(mark(f.Charset), damage(rnd, good[:len(good)/2])...)}
		if !f.Strict && f.Newline == LF {
			wires = append(wires, good[:len(good)-1])
		}
		for i, wire := range wires {
			if i%sparse != 0 {
				continue
			}
			want := oneShot(f, wire)
			if !utf8.ValidString(want.Text) && f.Charset != Bytes && !f.AsIs() {
				t.Fatalf("%x decodes to %q, which is not UTF-8", wire, want.Text)
			}
			check := func(how string, got result) {
				t.Helper()
				if diff := cmp.Diff(want.String(), got.String()); diff != "" {
					t.Fatalf("%x %s (-one shot +got):\n%s", wire, how, diff)
				}
			}
			for i := range wire {
				check(fmt.Sprintf("split at %d", i), read(f, [][]byte{wire[:i], wire[i:]}, 1+i%3<<9))
			}
			for _, size := range []int{1, 2, 3, 4, 5, 7, 16, 64} {
				check(fmt.Sprintf("byte by byte into %d", size), read(f, bytewise(wire), size))
				check(fmt.Sprintf("at once into %d", size), read(f, [][]byte{wire}, size))
				check(fmt.Sprintf("random into %d", size), read(f, split(wire, rnd), size))
			}
		}
	})
}

func TestEncodeIsTheSameForEverySplit(t *testing.T) {
	formats(t, func(t *testing.T, f Format) {
		rnd := rand.New(rand.NewPCG(2, uint64(f.Newline)))
		good := []byte(sample(f.Charset))
		all := []byte("a\r\n日本é\nЖ한국語😀\x1b$B\r\r\n~{z\r\x00☃中\U00020000\n")
		texts := [][]byte{good, all, damage(rnd, all), append(good[:len(good):len(good)], "x\xe3\x81"...), append(good[:len(good):len(good)], '\r')}
		for _, text := range texts {
			want := write(f, [][]byte{text}, 1<<13)
			// An unfinished rune is reported where it becomes known.
			check := func(how string, got result) {
				t.Helper()
				got.Offset, want.Offset = 0, 0
				if diff := cmp.Diff(want.String(), got.String()); diff != "" {
					t.Fatalf("%q %s (-one shot +got):\n%s", text, how, diff)
				}
			}
			for i := range text {
				check(fmt.Sprintf("split at %d", i), write(f, [][]byte{text[:i], text[i:]}, 1<<10))
			}
			for _, size := range []int{FinishLen, 67, 80} {
				check(fmt.Sprintf("byte by byte into %d", size), write(f, bytewise(text), size))
				check(fmt.Sprintf("at once into %d", size), write(f, [][]byte{text}, size))
				check(fmt.Sprintf("random into %d", size), write(f, split(text, rnd), size))
			}
		}
	})
}

// TestEveryRune encodes each rune by the run and by the single-character
// methods: what is written is decoded to the same rune, or the rune is lacking.
func TestEveryRune(t *testing.T) {
	for _, name := range Names() {
		c := Lookup(name)
		if c == Bytes || name == "replacement" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := rune(sparse)
			if testing.Short() {
				step *= 7
			}
			m := c.machine()
			f := Format{Charset: c, Strict: true}
			var st state
			room, text := make([]byte, 64), make([]byte, 16)
			var src, wire, fin []byte
			var d Decoder
			d.Init(f)
			fresh := d
			for r := rune(0); r <= utf8.MaxRune; r += step {
				if r >= 0xd800 && r < 0xe000 || r >= 0x30000 && r%101 != 0 {
					continue
				}
				if c.kind == kindSingle && r >= 0x3000 && r < 0xe000 && r%17 != 0 || c.kind == kindSingle && r > 0xffff && r%101 != 0 {
					continue // lacking
				}
				m.start(&st)
				n := m.encodeRune(&st, room, r)
				wire = append(wire[:0], room[:n]...)
				fin = append(fin[:0], room[:m.finish(&st, room)]...)
				src = append(utf8.AppendRune(src[:0], r), "zzzzzzzzz"...)
				m.start(&st)
				if nd, ns := m.encodeRun(&st, room, src); ns > 0 && ns < len(src)-9 {
					t.Fatalf("%U: the run consumed part of it", r)
				} else if ns > 0 && !bytes.HasPrefix(room[:nd], wire) {
					t.Fatalf("%U: run %x, alone %x", r, room[:nd], wire)
				}
				if len(wire) == 0 {
					continue
				}
				d = fresh
				wire = append(wire, fin...)
				nDst, nSrc, status := d.Decode(text, wire, true)
				if string(text[:nDst]) != string(r) || nSrc != len(wire) || status != More {
					t.Fatalf("%U is %x and back %q, status %d", r, wire, text[:nDst], status)
				}
			}
		})
	}
}

// TestStrayBytes holds what is decoded behind a lead byte against the rule: ASCII
// in the text is ASCII on the wire, and ASCII that is no second half of a character
// is in the text.
func TestStrayBytes(t *testing.T) {
	for _, name := range Names() {
		c := Lookup(name)
		if c.kind != kindDouble {
			continue
		}
		for lead := 0x80; lead < 0x100; lead++ {
			for trail := range 0x100 {
				wire := []byte{byte(lead), byte(trail), '\n'}
				strict := oneShot(Format{Charset: c, Strict: true}, wire[:2])
				got := oneShot(Format{Charset: c}, wire).Text
				want := "\ufffd"
				switch {
				case strict.Status == More:
					want = strict.Text
				case trail < 0x80:
					want += string(rune(trail))
					if first := oneShot(Format{Charset: c, Strict: true}, wire[:1]); first.Status == More {
						want = first.Text + string(rune(trail))
					}
				default:
					if i := strings.IndexFunc(got, func(r rune) bool { return r < 0x80 }); i != len(got)-1 {
						t.Errorf("%s: % x is %q", name, wire, got)
					}
					continue
				}
				if got != want+"\n" {
					t.Errorf("%s: % x is %q, want %q", name, wire, got, want+"\n")
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ name, want string }{
		{"UTF8", "utf-8"}, {"utf_8", "utf-8"}, {"ascii", "us-ascii"}, {"US-ASCII", "us-ascii"},
		{"latin-1", "iso-8859-1"}, {"ISO-8859-1", "iso-8859-1"}, {"iso8859-1", "iso-8859-1"}, {"latin9", "iso-8859-15"},
		{"latin-9", "iso-8859-15"}, {"cp1252", "windows-1252"}, {"cp037", "cp037"}, {"ibm-037", "cp037"}, {"IBM037", "cp037"},
		{"037", "cp037"}, {"cp1047", "cp1047"}, {"ibm-1047", "cp1047"}, {"cp1140", "cp1140"}, {"IBM01140", "cp1140"},
		{"cp858", "cp858"}, {"sjis", "shift_jis"}, {"Shift-JIS", "shift_jis"}, {"cp932", "shift_jis"}, {"ms932", "shift_jis"},
		{"windows-31j", "shift_jis"}, {"eucjp", "euc-jp"}, {"EUC-JP", "euc-jp"}, {"cp949", "euc-kr"}, {"uhc", "euc-kr"},
		{"ks_c_5601-1987", "euc-kr"}, {"cp950", "big5"}, {"big5-hkscs", "big5"}, {"hz", "hz-gb-2312"}, {"gb2312", "gbk"},
		{"cp936", "gbk"}, {"cp874", "windows-874"}, {"TIS-620", "iso-8859-11"}, {"x-mac-cyrillic", "x-mac-cyrillic"},
		{"utf16le", "utf-16le"}, {"UTF-16", "utf-16"}, {"utf-16", "utf-16"}, {"UTF-32", "utf-32"}, {"utf-32be", "utf-32be"},
		{"koi8r", "koi8-r"}, {"cp65001", "utf-8"}, {"iso_8859-1:1987", "iso-8859-1"}, {"ANSI_X3.4-1968", "us-ascii"},
		{"csISO2022JP", "iso-2022-jp"}, {"iso_8859_1_1987", "iso-8859-1"}, {"ISO_8859-11:2001", "iso-8859-11"}, {"hkscs", "big5"}, {"l5", "iso-8859-9"}, {"866", "cp866"}, {"utf-8-sig", "utf-8-sig"},
		{"CSPC858MULTILINGUAL", "cp858"}, {"SJIS-WIN", "shift_jis"}, {"MS-EE", "windows-1250"}, {"MAC-UK", "x-mac-cyrillic"}, {"ISO-IR-203", "iso-8859-15"},
		{"bytes", "bytes"}, {"UTF-16LE-BOM", "utf-16le-bom"}, {"ISO-10646-UCS-2", "utf-16be"},
		{"cp500", "cp500"}, {"ibm500", "cp500"}, {"IBM-500", "cp500"}, {"500", "cp500"}, {"ebcdic-cp-be", "cp500"}, {"EBCDIC-CP-CH", "cp500"}, {"csIBM500", "cp500"},
		{"IBM01141", "cp1141"}, {"ebcdic-de-273+euro", "cp1141"}, {"cp20273", "cp273"}, {"cp857", "cp857"}, {"x-mac-greek", "x-mac-greek"}, {"mac_latin2", "x-mac-ce"},
		{"gb18030-2022", "gb18030"}, {"GB18030-2005", "gb18030-2005"}, {"dec-mcs", "dec-mcs"}, {"roman8", "hp-roman8"},
	}
	for _, tt := range tests {
		c := Lookup(tt.name)
		if c == nil {
			t.Errorf("%s is unknown", tt.name)
		} else if diff := cmp.Diff(tt.want, c.Name); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	for _, name := range []string{"", "utf-7", "ibm924", "johab", "iso-2022-kr", "utf-9", "-", "x", "cp", "1"} {
		if c := Lookup(name); c != nil {
			t.Errorf("%q is %s", name, c.Name)
		}
	}
}

func TestEveryNameIsItsOwn(t *testing.T) {
	seen := make(map[string]string)
	for _, r := range rows() {
		for _, a := range append(strings.Fields(r.aliases), fold(r.name)) {
			if fold(a) != a {
				t.Errorf("%s: %q is not folded", r.name, a)
			}
			if other, ok := seen[a]; ok && other != r.name {
				t.Errorf("%q is %s and %s", a, other, r.name)
			}
			seen[a] = r.name
		}
		if r.enc == nil {
			t.Errorf("%s has no encoding", r.name)
		} else if got := Of(r.enc); got.Name != r.name {
			t.Errorf("%s is %s", r.name, got.Name)
		}
	}
}

func TestNearest(t *testing.T) {
	tests := []struct {
		name string
		want string
	}{
		{"utf-9", "utf-8"}, {"shiftjs", "shift_jis"}, {"iso-8859-12", "iso-8859-1"}, {"ibm500", ""}, {"qqqqqqqqqqq", ""},
	}
	for _, tt := range tests {
		got := Nearest(tt.name)
		if tt.want != "" && (len(got) == 0 || got[0] != tt.want) {
			t.Errorf("nearest to %s: %q, want %s first", tt.name, got, tt.want)
		}
		if len(got) > 3 {
			t.Errorf("nearest to %s: %q", tt.name, got)
		}
	}
}

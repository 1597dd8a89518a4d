package codec

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// source is where the tables of an East Asian encoding come from: the table of this
// package, or x/text's transformers if that is the value that the program has. Both
// have the same, and a program has those only that it uses.
type source interface {
	// decode returns the rune, or the two, that code stands for, or 0. The bytes of
	// code are those that are not 0 on the left; a set above them says that they are
	// behind the shift to that set.
	decode(code uint32) (r, r2 rune)
	// encode returns the code of r of up to two bytes, or 0 if it has none or if it
	// is the lowest one.
	encode(r rune) uint16
}

// The sets of encodings that shift.
const (
	setGB2312 uint32 = (iota + 1) << 24
	setJIS0208
	setJIS0212
)

func sourceOf(enc encoding.Encoding) source {
	if e, ok := enc.(*eastAsian); ok {
		return e.source()
	}
	return newXText(enc)
}

// eastAsian is an encoding of more than one byte per character.
type eastAsian struct {
	name   string
	kind   kind
	source func() source
}

// String returns the canonical name.
func (e *eastAsian) String() string { return e.name }

// NewDecoder implements encoding.Encoding.
func (e *eastAsian) NewDecoder() *encoding.Decoder { return newDecoder(e) }

// NewEncoder implements encoding.Encoding.
func (e *eastAsian) NewEncoder() *encoding.Encoder { return newEncoder(e) }

var (
	big5          = eastAsian{"big5", kindDouble, func() source { return newTable(tableBig5) }}
	eucJP         = eastAsian{"euc-jp", kindDouble, func() source { return newEUCJP() }}
	eucKR         = eastAsian{"euc-kr", kindDouble, func() source { return newTable(tableEUCKR) }}
	gb18030of2005 = eastAsian{"gb18030-2005", kindDouble, newGB18030}
	gb18030of2022 = eastAsian{"gb18030", kindDouble, newGB18030}
	gbk           = eastAsian{"gbk", kindDouble, func() source { return newTable(tableGBK) }}
	hzGB2312      = eastAsian{"hz-gb-2312", kindHZ, func() source { return newTable(tableGBK) }}
	iso2022JP     = eastAsian{"iso-2022-jp", kindISO2022JP, func() source { return newEUCJP() }}
	shiftJIS      = eastAsian{"shift_jis", kindDouble, func() source { return newTable(tableShiftJIS) }}
)

// codeTable is a source made of one of the generated strings. Each of its lines is a
// code in hex, a colon and the characters of that code and the ones behind it. A
// combining mark belongs to the character before. Behind "=", the characters are
// those that are written as that code, although there is a lower one.
type codeTable struct {
	runes   []rune // by codes of one and two bytes
	three   []rune // by the last two of three bytes
	marks   map[uint32]rune
	written map[rune]uint16
}

func newTable(lines string) *codeTable {
	t := &codeTable{make([]rune, 1<<16), nil, make(map[uint32]rune), make(map[rune]uint16)}
	for line := range strings.Lines(lines) {
		code, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		code, second := strings.CutPrefix(code, "=")
		n, _ := strconv.ParseUint(code, 16, 32)
		runes := t.runes
		if n >= 1<<16 {
			if t.three == nil {
				t.three = make([]rune, 1<<16)
			}
			runes = t.three
		}
		for c := uint16(n); text != ""; c++ {
			r, size := utf8.DecodeRuneInString(text)
			text = text[size:]
			if second {
				t.written[r] = c
				continue
			}
			runes[c] = r
			if r, size := utf8.DecodeRuneInString(text); combines(r) {
				t.marks[uint32(c)] = r
				text = text[size:]
			}
		}
	}
	return t
}

// combines reports whether r is one of the marks of Big5's characters of two.
func combines(r rune) bool { return r == '\u0304' || r == '\u030c' }

func (t *codeTable) decode(code uint32) (r, r2 rune) {
	switch {
	case code >= setGB2312:
		code = code&0xffff | 0x8080
		if code >= 0xfe00 {
			return 0, 0
		}
	case code >= 1<<16:
		if t.three != nil {
			r = t.three[code&0xffff]
		}
		return r, 0
	}
	return t.runes[code], t.marks[code]
}

func (t *codeTable) encode(r rune) uint16 { return t.written[r] }

// newGB18030 is GBK's table but for the euro sign, which GBK writes as Windows does.
func newGB18030() source {
	t := newTable(tableGBK)
	t.written['€'] = 0xa2e3
	return t
}

// eucTable is the table of EUC-JP, whose characters of two bytes are those of
// Shift_JIS, in rows of 94 instead of 188.
type eucTable struct{ other, two *codeTable }

func newEUCJP() eucTable { return eucTable{newTable(tableEUCJP), newTable(tableShiftJIS)} }

func (t eucTable) decode(code uint32) (r, r2 rune) {
	switch code &^ 0xffff {
	case setJIS0208:
		code = code&0xffff | 0x8080
	case setJIS0212:
		return t.other.decode(code&0xffff | 0x8f8080)
	}
	high, low := int(code>>8)-0xa1, int(code&0xff)-0xa1
	if high < 0 || high >= 94 || low < 0 || low >= 94 {
		return t.other.decode(code)
	}
	n := high*94 + low
	lead, trail := n/188+0x81, n%188+0x40
	if lead > 0x9f {
		lead += 0xe0 - 0xa0
	}
	if trail >= 0x7f {
		trail++
	}
	return t.two.decode(uint32(lead<<8 | trail))
}

func (t eucTable) encode(r rune) uint16 { return t.other.encode(r) }

// xtext asks the transformers of x/text for one character at a time.
type xtext struct {
	dec, enc transform.Transformer
}

func newXText(enc encoding.Encoding) xtext {
	return xtext{enc.NewDecoder().Transformer, enc.NewEncoder().Transformer}
}

// text returns the characters that all of src stands for, the second of which is 0
// in most cases, or -1 if it stands for none.
func (x xtext) text(src []byte) (r, r2 rune) {
	var dst [16]byte
	x.dec.Reset()
	nd, ns, err := x.dec.Transform(dst[:], src, true)
	r, size := utf8.DecodeRune(dst[:nd])
	if err != nil || ns != len(src) || r == runeError {
		return -1, 0
	}
	if size < nd {
		r2, _ = utf8.DecodeRune(dst[size:nd])
	}
	return r, r2
}

func (x xtext) decode(code uint32) (r, r2 rune) {
	var src [8]byte
	b := src[:0]
	switch code &^ 0xffff {
	case setGB2312:
		b = append(b, "~{"...)
	case setJIS0208:
		b = append(b, "\x1b$B"...)
	case setJIS0212:
		b = append(b, "\x1b$(D"...)
	default:
		if code >= 1<<16 {
			b = append(b, byte(code>>16))
		}
	}
	if code >= 1<<8 {
		b = append(b, byte(code>>8))
	}
	r, r2 = x.text(append(b, byte(code)))
	if r < 0x80 {
		return 0, 0
	}
	return r, r2
}

func (x xtext) encode(r rune) uint16 {
	var dst [8]byte
	var src [utf8.UTFMax]byte
	nd, _, err := x.enc.Transform(dst[:], src[:utf8.EncodeRune(src[:], r)], true)
	switch {
	case err != nil:
	case nd == 1:
		return uint16(dst[0])
	case nd == 2:
		return be.Uint16(dst[:])
	}
	return 0
}

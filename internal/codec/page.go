package codec

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

//go:generate go run ./internal/genpages

// page is an encoding of one byte per character.
type page struct {
	name    string
	table   string // 256 characters, see pagetables.go and xtextpages.go
	aliases string
	numbers []int // see row
}

// String returns the canonical name.
func (p *page) String() string { return p.name }

// NewDecoder implements encoding.Encoding.
func (p *page) NewDecoder() *encoding.Decoder { return newDecoder(p) }

// NewEncoder implements encoding.Encoding.
func (p *page) NewEncoder() *encoding.Encoder { return newEncoder(p) }

func newDecoder(enc encoding.Encoding) *encoding.Decoder {
	t := &decodeTransformer{format: Format{Charset: Of(enc)}}
	t.Reset()
	return &encoding.Decoder{Transformer: t}
}

func newEncoder(enc encoding.Encoding) *encoding.Encoder {
	t := &encodeTransformer{format: Format{Charset: Of(enc), Strict: true}}
	t.Reset()
	return &encoding.Encoder{Transformer: t}
}

// decodeTransformer is a Decoder the way x/text wants it.
type decodeTransformer struct {
	format Format
	d      Decoder
}

func (t *decodeTransformer) Reset() { t.d.Init(t.format) }

func (t *decodeTransformer) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	nDst, nSrc, status := t.d.Decode(dst, src, atEOF)
	switch {
	case status == Full:
		err = transform.ErrShortDst
	case nSrc < len(src):
		err = transform.ErrShortSrc
	}
	return nDst, nSrc, err
}

// encodeTransformer is an Encoder the way x/text wants it.
type encodeTransformer struct {
	format Format
	e      Encoder
}

func (t *encodeTransformer) Reset() { t.e.Init(t.format) }

func (t *encodeTransformer) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	whole := src
	if !atEOF {
		whole = src[:len(src)-stubLen(src)]
	}
	nDst, nSrc, status := t.e.Encode(dst, whole)
	switch {
	case status == Full:
		err = transform.ErrShortDst
	case status == Malformed:
		err = lackingError{}
	case t.e.nStub > 0: // at EOF
		nSrc -= int(t.e.nStub)
		t.e.nStub = 0
		err = lackingError{}
	case nSrc < len(src):
		err = transform.ErrShortSrc
	case atEOF:
		before := t.e
		var end [FinishLen]byte
		n, _ := t.e.Finish(end[:])
		if n > len(dst)-nDst {
			t.e = before
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += copy(dst[nDst:], end[:n])
	}
	return nDst, nSrc, err
}

// stubLen returns the length of the unfinished rune that b ends with.
func stubLen(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if rest := b[len(b)-n:]; utf8.RuneStart(rest[0]) {
			if utf8.FullRune(rest) {
				return 0
			}
			return n
		}
	}
	return 0
}

// lackingError is what x/text's ReplaceUnsupported and HTMLEscapeUnsupported
// look for.
type lackingError struct{}

func (lackingError) Error() string     { return "encoding: rune not supported by encoding." }
func (lackingError) Replacement() byte { return encoding.ASCIISub }

// singleTable returns the characters of the bytes of a charset of one byte per
// character, U+FFFD where there is none.
func singleTable(c *Charset) (table [256]rune) {
	if p, ok := c.Encoding.(*page); ok {
		copy(table[:], []rune(p.table))
	} else {
		x := newXText(c.Encoding)
		for i := range table {
			table[i] = runeError
			if r, _ := x.text([]byte{byte(i)}); r >= 0 {
				table[i] = r
			}
		}
	}
	// ISO 8859 leaves 80 to 9F to the control set, which is the one of ISO 6429
	// (ECMA-48): IANA's ISO-8859-1 to -16 are defined with it, and a VT220 sends
	// CSI as 9B. x/text has it in two parts only. Windows' own converter and
	// WHATWG have the same in the gaps of the Windows pages.
	if strings.HasPrefix(c.Name, "iso-8859-") || strings.HasPrefix(c.Name, "windows-") {
		for i := 0x80; i < 0xa0; i++ {
			if table[i] == runeError {
				table[i] = rune(i)
			}
		}
	}
	return table
}

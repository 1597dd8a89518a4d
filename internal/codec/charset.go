package codec

import (
	"fmt"
	"reflect"
	"sync"

	"golang.org/x/text/encoding"
)

type kind uint8

const (
	kindForeign kind = iota
	kindBytes
	kindUTF8
	kindUTF16
	kindUTF32
	kindSingle
	kindDouble
	kindISO2022JP
	kindHZ
)

// Charset is an encoding that Format can name. Equal encodings are one Charset.
type Charset struct {
	// Name is the name that Lookup finds it by and errors print.
	Name string
	// Encoding is nil for bytes as they are.
	Encoding encoding.Encoding

	kind   kind
	mark   markPolicy
	little bool

	once    sync.Once
	built   machine
	subs    [2]rune
	subOnce sync.Once
}

// Bytes is the charset of bytes as they are: no character is malformed, and
// none is more than one byte.
var Bytes = &Charset{Name: "bytes", kind: kindBytes}

// Of returns the charset of enc. A nil enc and encoding.Nop are Bytes; an
// encoding that this package does not know runs through its own transformers.
func Of(enc encoding.Encoding) *Charset {
	if enc == nil || isComparable(enc) && enc == encoding.Nop {
		return Bytes
	}
	if isComparable(enc) {
		if c := known(enc); c != nil {
			return c
		}
	}
	name := fmt.Sprintf("%T", enc)
	if s, ok := enc.(fmt.Stringer); ok {
		name = s.String()
	}
	return &Charset{Name: name, Encoding: enc}
}

// isComparable reports whether enc may be the key of a map.
func isComparable(enc encoding.Encoding) bool {
	return reflect.ValueOf(enc).Comparable()
}

// Wide returns how many times longer than its text the wire may well be.
func (c *Charset) Wide() int {
	switch c.kind {
	case kindUTF16:
		return 2
	case kindUTF32:
		return 4
	}
	return 1
}

// Bytewise reports whether the characters of c are bytes.
func (c *Charset) Bytewise() bool { return c.kind == kindBytes }

// plainLines reports whether CR, LF and other ASCII bytes on the wire of c are those
// characters and no part of others, wherever no mark is due.
func (c *Charset) plainLines() bool {
	switch c.kind {
	case kindBytes, kindUTF8:
		return true
	case kindSingle, kindDouble:
		var st state
		return c.machine().plain(&st, []byte("\r\n")) == 2
	}
	return false
}

// Usable reports whether c can be decoded and encoded: an encoding that is not
// of x/text may lack either.
func (c *Charset) Usable() bool {
	if c.kind != kindForeign {
		return true
	}
	d, e := c.Encoding.NewDecoder(), c.Encoding.NewEncoder()
	return d != nil && d.Transformer != nil && e != nil && e.Transformer != nil
}

// Encodes reports whether c has r.
func (c *Charset) Encodes(r rune) bool {
	if c.kind == kindBytes {
		return r < 0x80
	}
	var m machine
	if c.kind == kindForeign {
		m = newForeignEncoder(c)
	} else {
		m = c.machine()
	}
	var st state
	m.start(&st)
	return m.encodeRune(&st, make([]byte, maxRune), r) > 0
}

// substitutes returns what replaces a rune that c lacks, and malformed UTF-8.
func (c *Charset) substitutes() [2]rune {
	c.subOnce.Do(func() {
		switch c.kind {
		case kindBytes:
			return
		case kindUTF8, kindUTF16, kindUTF32:
			c.subs = [2]rune{runeError, runeError}
			return
		}
		// '?' is for sets that print ASCII as ASCII; EBCDIC has its SUB.
		candidates := []rune{'?', '？', 0x1a}
		if !c.asciiSuperset() {
			candidates = []rune{0x1a, '?', '？'}
		}
		for _, r := range candidates {
			if c.Encodes(r) {
				c.subs[0] = r
				break
			}
		}
		c.subs[1] = c.subs[0]
		if c.Encodes(runeError) {
			c.subs[1] = runeError
		}
	})
	return c.subs
}

func (c *Charset) asciiSuperset() bool { return string(c.encode("A?")) == "A?" }

// encode returns the short text s on the wire, or nil if that fails. It does
// not trust the encoding to end by itself, as x/text's helpers do.
func (c *Charset) encode(s string) []byte {
	dst := make([]byte, 64)
	nDst, nSrc, err := c.Encoding.NewEncoder().Transform(dst, []byte(s), true)
	if err != nil || nSrc < len(s) {
		return nil
	}
	return dst[:nDst]
}

// machine returns the machine of c, whose tables are made at the first call.
func (c *Charset) machine() machine {
	c.once.Do(func() {
		switch c.kind {
		case kindBytes:
			c.built = bytesMachine{}
		case kindUTF8:
			c.built = utf8Machine{mark: c.mark != ignoreMark}
		case kindUTF16:
			c.built = utf16Machine{mark: c.mark, little: c.little, short: shortUnits()}
		case kindUTF32:
			c.built = utf32Machine{mark: c.mark, little: c.little}
		case kindSingle:
			c.built = newSingle(c.Encoding)
		case kindDouble:
			c.built = newDouble(c.Encoding)
		case kindISO2022JP:
			c.built = newISO2022JP()
		case kindHZ:
			c.built = newHZ()
		}
	})
	return c.built
}

// markPolicy says what a byte order mark is good for.
type markPolicy uint8

const (
	ignoreMark markPolicy = iota
	useMark
	expectMark
)

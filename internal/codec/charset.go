package codec

import (
	"fmt"
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

// Charset is an encoding that Format can name. Equal values of an encoding are one
// Charset; x/text's value and this package's are two with the same tables.
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
	nel     bool
	nelOnce sync.Once
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

// charsets has each charset that was asked for, by its encoding, and those that are
// not of this package by name.
var charsets struct {
	mu      sync.RWMutex
	byValue map[encoding.Encoding]*Charset
	byName  map[string]*Charset
}

// known returns the charset of an encoding of x/text, of this package or of
// Register, else nil. It does not use the list of encodings, so a program has
// only the tables of those that it names itself.
func known(enc encoding.Encoding) *Charset {
	charsets.mu.RLock()
	c := charsets.byValue[enc]
	charsets.mu.RUnlock()
	if c != nil {
		return c
	}
	c = identify(enc)
	if c == nil {
		return nil
	}
	charsets.mu.Lock()
	defer charsets.mu.Unlock()
	if prev := charsets.byValue[enc]; prev != nil {
		return prev
	}
	return remember(c, enc)
}

// remember makes c the charset of enc. It wants the lock.
func remember(c *Charset, enc encoding.Encoding) *Charset {
	if charsets.byValue == nil {
		charsets.byValue = make(map[encoding.Encoding]*Charset)
		charsets.byName = make(map[string]*Charset)
	}
	switch enc.(type) {
	case *page, *eastAsian:
	default:
		charsets.byName[c.Name] = c
	}
	charsets.byValue[enc] = c
	return c
}

// inUse returns the charset of the encoding that the program has for c, which is of
// this package, if it has one of x/text. So what it says its name is finds that
// value again.
func inUse(c *Charset) *Charset {
	charsets.mu.RLock()
	defer charsets.mu.RUnlock()
	if other := charsets.byName[c.Name]; other != nil {
		return other
	}
	return c
}

// isComparable reports whether enc may be the key of a map. It is asked each time a
// format is set, and package reflect would allocate for each field of a struct.
func isComparable(enc encoding.Encoding) (ok bool) {
	defer func() { ok = recover() == nil }() // of comparing a func, a map or a slice
	other := enc
	return enc == other
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

// EncodesNEL reports whether c has U+0085. It is asked each time a format is set.
func (c *Charset) EncodesNEL() bool {
	c.nelOnce.Do(func() { c.nel = c.Encodes('\u0085') })
	return c.nel
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

// encode returns the short text s on the wire, or nil if that fails.
func (c *Charset) encode(s string) []byte {
	if c.kind == kindForeign {
		// The encoding is not trusted to end by itself, as x/text's helpers do.
		dst := make([]byte, 64)
		nDst, nSrc, err := c.Encoding.NewEncoder().Transform(dst, []byte(s), true)
		if err != nil || nSrc < len(s) {
			return nil
		}
		return dst[:nDst]
	}
	m := c.machine()
	var st state
	m.start(&st)
	var dst []byte
	for _, r := range s {
		room := make([]byte, maxRune)
		n := m.encodeRune(&st, room, r)
		if n == 0 {
			return nil
		}
		dst = append(dst, room[:n]...)
	}
	return dst
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
			c.built = utf16Machine{mark: c.mark, little: c.little, short: shortUnits(), runes: shortRunes()}
		case kindUTF32:
			c.built = utf32Machine{mark: c.mark, little: c.little, short: shortUnits(), runes: shortRunes()}
		case kindSingle:
			c.built = newSingle(c)
		case kindDouble:
			c.built = newDouble(c)
		case kindISO2022JP:
			c.built = newISO2022JP(c)
		case kindHZ:
			c.built = newHZ(c)
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

package codec

import (
	"bytes"
	"unicode/utf8"
)

// Decoder turns wire bytes into text. It is not safe for concurrent use.
type Decoder struct {
	m       machine
	foreign *foreignDecoder
	telnet  *telnet
	nl      Newline
	strict  bool
	afterCR bool // Any: a "\n" that follows belongs to the line end just delivered
	lines   bool // CRLF, and both are bytes of their own: see foldCRLF
	shifted bool // by the last step
	bad     int
	st      state
}

// Init makes d decode f from here on. Only the memory of a CR that an Any
// format has delivered goes over from the format before, and only to another
// Any format.
func (d *Decoder) Init(f Format) {
	afterCR := d.afterCR && d.nl == Any && f.Newline == Any
	*d = Decoder{telnet: d.telnet, nl: f.Newline, strict: f.Strict, afterCR: afterCR}
	if f.Newline == NVT && d.telnet == nil {
		d.telnet = new(telnet)
	}
	if f.Charset.kind == kindForeign {
		d.foreign = newForeignDecoder(f.Charset)
		return
	}
	d.m = f.Charset.machine()
	if f.Charset.kind == kindUTF8 && f.AsIs() {
		d.m = bytesMachine{}
	}
	d.lines = f.Newline == CRLF && f.Charset.plainLines()
	d.m.start(&d.st)
}

// Bad is the number of bytes that the last Malformed or Truncated is about.
func (d *Decoder) Bad() int { return d.bad }

// Skipped tells d that its caller has gone past bytes without decoding them.
func (d *Decoder) Skipped() {
	d.afterCR = false
	if d.foreign != nil {
		d.foreign.stuck = 0
	}
}

// Held is the number of bytes of text that Decode has made of bytes it
// reported as consumed, but had no chance to deliver. It is 0 for every
// encoding that x/text has.
func (d *Decoder) Held() int {
	if d.foreign == nil {
		return 0
	}
	return d.foreign.held()
}

// TakeHeld delivers what Held counts, as if the input ended here.
func (d *Decoder) TakeHeld(dst []byte) int {
	if d.foreign == nil {
		return 0
	}
	return d.foreign.takeHeld(dst)
}

// Decode decodes src into dst. The consumed bytes, src[:nSrc], are exactly
// those whose text is in dst[:nDst], or that stand for none; the rest of dst is
// scratch space. With eof, an unfinished character at the end is malformed. An escape
// sequence belongs to the character behind it, unless the input ends there.
func (d *Decoder) Decode(dst, src []byte, eof bool) (nDst, nSrc int, status Status) {
	if d.nl == NVT {
		return d.decodeTelnet(dst, src, eof)
	}
	return d.decode(dst, src, eof)
}

// decode is Decode for bytes without commands.
func (d *Decoder) decode(dst, src []byte, eof bool) (nDst, nSrc int, status Status) {
	if d.foreign != nil {
		return d.decodeForeign(dst, src, eof)
	}
	place := -1 // before escape sequences that no character has followed yet
	var there state
	for nSrc < len(src) {
		if nDst == len(dst) && nDst > 0 {
			return nDst, nSrc, Full // also in front of what is no text
		}
		if d.lines && d.st.initial() {
			nd, ns := foldCRLF(dst[nDst:], src[nSrc:])
			if ns > 0 {
				nDst += nd
				nSrc += ns
				place = -1
			}
		}
		nd, ns := d.run(dst[nDst:], src[nSrc:])
		if ns > 0 {
			nDst += nd
			nSrc += ns
			place = -1
			continue
		}
		before := d.st
		nd, ns, status = d.step(dst[nDst:], src[nSrc:], eof)
		switch {
		case ns == 0:
			if place >= 0 && nSrc-place <= maxShifts && (status == Full || status == More) {
				nSrc, d.st = place, there
			}
			return nDst, nSrc, status
		case !d.shifted:
			place = -1
		case place < 0:
			place, there = nSrc, before
		}
		nDst += nd
		nSrc += ns
	}
	if place >= 0 && nSrc-place <= maxShifts && !eof {
		nSrc, d.st = place, there
	}
	return nDst, nSrc, More
}

// shortRead is what most reads are shorter than, which are not worth the stack that pieces
// need.
const shortRead = 128

// run decodes what needs no look at single characters, as far as that goes.
func (d *Decoder) run(dst, src []byte) (nDst, nSrc int) {
	switch {
	case d.nl == LF:
		return d.m.decodeRun(&d.st, dst, src)
	case d.nl == CRLF && len(src) > shortRead:
		return d.decodeLines(dst, src)
	}
	nDst, nSrc = d.m.decodeRun(&d.st, dst, src)
	return d.foldNewlines(dst[:nDst], nSrc)
}

// DecodeUntil is Decode that stops behind the text delim, which is ASCII or any byte
// of Bytes. dst has room for any character.
func (d *Decoder) DecodeUntil(dst, src []byte, delim byte, eof bool) (nDst, nSrc int, status Status) {
	if d.foreign != nil {
		for nDst < len(dst) {
			nd, ns, st := d.Decode(dst[nDst:nDst+1], src[nSrc:], eof)
			nDst += nd
			nSrc += ns
			if nd == 0 || dst[nDst-1] == delim {
				return nDst, nSrc, st
			}
		}
		return nDst, nSrc, Full
	}
	before := *d
	var telnet telnet
	if d.nl == NVT {
		telnet = *d.telnet
		d.telnet.hook = nil // which is called once for a command
	}
	nDst, nSrc, status = d.Decode(dst, src, eof)
	end := bytes.IndexByte(dst[:nDst], delim)
	if end < 0 && d.nl != NVT {
		return nDst, nSrc, status
	}
	// Once more, with no room for what follows.
	*d = before
	if d.nl == NVT {
		*d.telnet = telnet
		if end < 0 {
			return d.Decode(dst, src, eof)
		}
	}
	nDst, nSrc = 0, 0
	for nDst <= end {
		nd, ns, _ := d.Decode(dst[nDst:end+1], src[nSrc:], eof)
		nDst += nd
		nSrc += ns
	}
	return nDst, nSrc, Full
}

// InPlace turns wire bytes into text where they lie, as far as that needs no
// more than the removal of bytes: b[:nText] is the text of the first nWire
// bytes, the bytes from nWire on are untouched.
func (d *Decoder) InPlace(b []byte) (nText, nWire int) {
	if d.foreign != nil {
		return 0, 0
	}
	if d.nl == NVT {
		if d.telnet.sub != noSub {
			return 0, 0
		}
		if i := bytes.IndexByte(b, iac); i >= 0 {
			b = b[:i]
		}
	}
	n := d.m.plain(&d.st, b)
	if d.nl == LF || n == 0 {
		return n, n
	}
	return d.foldNewlines(b[:n], n)
}

// step decodes one character by hand. It consumes nothing if it returns a
// status that is not More, or if it needs more input.
func (d *Decoder) step(dst, src []byte, eof bool) (nDst, nSrc int, status Status) {
	before := d.st
	c := d.m.decodeChar(&d.st, src)
	d.shifted = c.v == isShift
	switch c.v {
	case isShift, isMark:
		return 0, c.size, More
	case isNoMark:
		d.bad = c.size
		return 0, 0, NoMark
	case isShort:
		if !eof {
			d.st = before
			return 0, 0, More
		}
		status = Truncated
		c.r, c.v = runeError, isBad
	case isBad:
		status = Malformed
		c.r = runeError
	}
	if c.v == isBad {
		if d.strict {
			d.bad = c.size
			d.st = before
			return 0, 0, status
		}
	} else if d.nl != LF {
		var ok bool
		if c, ok = d.newline(c, src, eof); !ok {
			d.st = before
			return 0, 0, More
		}
	}
	afterCR := false
	if d.nl == Any {
		switch {
		case c.r == '\n' && d.afterCR:
			d.afterCR = false
			return 0, c.size, More
		case c.r == '\r':
			c.r, afterCR = '\n', true
		}
	}
	need := utf8.RuneLen(c.r)
	if c.r2 != 0 {
		need += utf8.RuneLen(c.r2)
	}
	if need > len(dst) {
		d.st = before
		return 0, 0, Full
	}
	d.afterCR = afterCR
	nDst = utf8.EncodeRune(dst, c.r)
	if c.r2 != 0 {
		nDst += utf8.EncodeRune(dst[nDst:], c.r2)
	}
	return nDst, c.size, More
}

// newline applies the newline style to c, the first character of src. It
// reports false if that takes more input.
func (d *Decoder) newline(c char, src []byte, eof bool) (char, bool) {
	switch d.nl {
	case CR:
		if c.r == '\r' {
			c.r = '\n'
		}
	case NEL:
		if c.r == '\u0085' {
			c.r = '\n'
		}
	case CRLF, NVT:
		if c.r == '\r' {
			return d.peekLF(c, src, eof)
		}
	}
	return c, true
}

// maxShifts bounds the bytes of escape sequences between the halves of a line
// end. A peer that sends nothing else could have any number of them buffered.
const maxShifts = 24

// peekLF looks at the character behind the CR c without consuming it.
func (d *Decoder) peekLF(c char, src []byte, eof bool) (char, bool) {
	behindCR := d.st
	for i := c.size; i < len(src); {
		if i-c.size > maxShifts {
			d.st = behindCR
			return c, true
		}
		next := d.m.decodeChar(&d.st, src[i:])
		switch {
		case next.v == isShift:
			i += next.size
			continue
		case next.v == isText && next.r == '\n':
			return char{r: '\n', size: i + next.size}, true
		case next.v == isText && next.r == 0 && d.nl == NVT:
			return char{r: '\r', size: i + next.size}, true
		case next.v == isShort && !eof && (d.m.unit() > 1 || src[i] < 0x80):
			return c, false
		}
		d.st = behindCR
		return c, true
	}
	d.st = behindCR
	return c, eof
}

// foldNewlines applies the newline style to text, which was just made of
// nWire bytes. It returns the new length of the text and how many of the bytes
// it stands for: a CR at the very end that needs a look at the next character
// is given back.
func (d *Decoder) foldNewlines(text []byte, nWire int) (int, int) {
	if len(text) == 0 {
		return 0, nWire
	}
	switch d.nl {
	case CR:
		for rest := text; ; {
			i := bytes.IndexByte(rest, '\r')
			if i < 0 {
				return len(text), nWire
			}
			rest[i] = '\n'
			rest = rest[i+1:]
		}
	case Any:
		return d.foldAny(text), nWire
	case NEL:
		return squeeze(text, 0xc2, 0x85, '\n'), nWire
	}
	if text[len(text)-1] == '\r' {
		text = text[:len(text)-1]
		nWire -= d.m.unit()
	}
	if d.nl == CRLF {
		return squeeze(text, '\r', '\n', '\n'), nWire
	}
	// One pass for both pairs of NVT would be a second squeeze with two
	// seconds; a terminal does not need the speed.
	return squeeze(squeezed(text, '\r', '\n', '\n'), '\r', 0, '\r'), nWire
}

func squeezed(b []byte, first, second, by byte) []byte {
	return b[:squeeze(b, first, second, by)]
}

// squeeze replaces each pair first, second in b by one byte and returns the
// new length.
func squeeze(b []byte, first, second, by byte) int {
	n := 0
	for i := 0; ; {
		j := bytes.IndexByte(b[i:], first)
		if j < 0 || i+j+1 == len(b) {
			if n == i {
				return len(b)
			}
			return n + copy(b[n:], b[i:])
		}
		if n != i {
			copy(b[n:], b[i:i+j])
		}
		n += j
		i += j + 1
		if b[i] == second {
			b[n] = by
			i++
		} else {
			b[n] = first
		}
		n++
	}
}

func (d *Decoder) foldAny(text []byte) int {
	n, i := 0, 0
	if d.afterCR && text[0] == '\n' {
		i = 1
	}
	d.afterCR = false
	for {
		j := bytes.IndexByte(text[i:], '\r')
		if j < 0 {
			if n == i {
				return len(text)
			}
			return n + copy(text[n:], text[i:])
		}
		if n != i {
			copy(text[n:], text[i:i+j])
		}
		n += j
		i += j + 1
		text[n] = '\n'
		n++
		if i == len(text) {
			d.afterCR = true
			return n
		}
		if text[i] == '\n' {
			i++
		}
	}
}

package codec

import (
	"bytes"
	"unicode/utf8"
)

// Encoder turns text into wire bytes. It is not safe for concurrent use.
//
// An Encoder is a value: a copy taken before Encode takes the copied encoder
// back to that moment, unless Rewinds is false.
type Encoder struct {
	m       machine
	charset *Charset
	foreign *foreignEncoder
	nl      Newline
	strict  bool
	doubles bool // each FF on the wire is doubled: NVT
	afterCR bool // the last rune was CR; in style NEL it is still to be written
	nStub   uint8
	nBad    uint8
	stub    [utf8.UTFMax]byte // the beginning of a rune that the last Encode ended in
	bad     [utf8.UTFMax]byte
	sub     [2]rune // instead of an unencodable rune, of malformed UTF-8
	room    [3 * maxRune]byte
	eol     [8]byte // a line end in the initial state, eolLen bytes
	eolLen  uint8
	expands expansion
	st      state
}

// expansion says how an encoder can make CR LF of many LF at once.
type expansion uint8

const (
	oneByOne   expansion = iota
	intoWire             // expandLF, since they are bytes of their own, and encodeLines
	beforeWire           // encodeLines
)

// Init makes e encode f from here on.
func (e *Encoder) Init(f Format) {
	*e = Encoder{charset: f.Charset, nl: f.Newline, strict: f.Strict, doubles: f.Newline == NVT}
	if f.Charset.kind == kindForeign {
		e.foreign = newForeignEncoder(f.Charset)
		e.m = e.foreign
	} else {
		e.m = f.Charset.machine()
		if f.Charset.kind == kindUTF8 && f.AsIs() {
			e.m = bytesMachine{}
		}
	}
	e.m.start(&e.st)
	e.sub = f.Charset.substitutes()
	if e.nl == CRLF || e.nl == NVT {
		switch c := f.Charset; {
		case c.plainLines():
			e.expands = intoWire
		case e.doubles: // see Encode
		case c.kind == kindUTF16 || c.kind == kindUTF32 || c.kind == kindSingle:
			e.expands = beforeWire
		}
	}
	if e.nl != LF && e.nl != Any && e.foreign == nil {
		mark := e.st.mark
		e.st.mark = false
		n, _ := e.put(e.eol[:], '\n')
		e.eolLen = uint8(max(n, 0))
		e.st.mark = mark
	}
}

// Rewinds reports whether a copy of e can stand in for it later.
func (e *Encoder) Rewinds() bool { return e.foreign == nil }

// Bad is the text that the last Malformed or Truncated is about.
func (e *Encoder) Bad() []byte { return e.bad[:e.nBad] }

// Plain reports whether the wire bytes of text[:n] are that text itself, encoding it
// would leave no trace in e, and the rest is nothing or the beginning of a rune, which
// Encode keeps.
func (e *Encoder) Plain(text []byte) (n int, ok bool) {
	if e.nStub > 0 || e.afterCR {
		return 0, false
	}
	n = e.m.plain(&e.st, text)
	if rest := text[n:]; len(rest) >= utf8.UTFMax || len(rest) > 0 && utf8.FullRune(rest) {
		return n, false
	}
	if e.nl == LF || e.nl == Any {
		return n, true
	}
	if e.doubles && bytes.IndexByte(text[:n], iac) >= 0 {
		return n, false
	}
	return n, bytes.IndexByte(text[:n], '\n') < 0 && bytes.IndexByte(text[:n], '\r') < 0
}

// Encode encodes src into dst. It returns More when all of src is accepted;
// a rune that src ends in the middle of is kept for the next call. Malformed
// is about Bad, which begins at src[nSrc] or in the text of an earlier call; e
// goes on behind it or at it, as the caller likes.
func (e *Encoder) Encode(dst, src []byte) (nDst, nSrc int, status Status) {
	if e.nStub > 0 && len(src) > 0 {
		if nDst, nSrc, status = e.join(dst, src); status != More || e.nStub > 0 {
			return nDst, nSrc, status
		}
	}
	lineEnds := lineEnds{lf: -1, cr: -1}
	piece := linePiece
	for nSrc < len(src) {
		if e.expands != oneByOne && !e.afterCR && e.st.initial() {
			if e.expands == intoWire {
				nd, ns := expandLF(dst[nDst:], src[nSrc:])
				nDst += nd
				nSrc += ns
			}
			ns := 0
			if nSrc > 0 && src[nSrc-1] == '\n' {
				piece = max(piece, firstPiece)
			}
			if !e.doubles { // or what is written would have to be looked at
				var nd int
				nd, ns = e.encodeLines(dst[nDst:], src[nSrc:], &piece)
				nDst += nd
				nSrc += ns
			}
			if nSrc == len(src) {
				break
			}
			if ns > 0 {
				continue
			}
		}
		end := len(src)
		if e.nl != LF && e.nl != Any {
			end = lineEnds.next(src, nSrc)
		}
		if end > nSrc && !(e.afterCR && (e.nl == NEL || e.nl == NVT)) {
			room := dst[nDst:]
			if e.doubles {
				room = room[:len(room)/2]
			}
			nd, ns := e.m.encodeRun(&e.st, room, src[nSrc:end])
			if e.doubles {
				nd = doubleIAC(dst[nDst:], nd)
			}
			nDst += nd // also without ns: an encoding may shift before it fails
			if ns > 0 {
				e.afterCR = false
				nSrc += ns
				if nSrc == len(src) {
					break
				}
			}
		}
		if src[nSrc] == '\n' && e.eolLen > 0 && !e.afterCR && e.st.initial() && nDst+len(e.eol) <= len(dst) {
			store64(dst, nDst, le.Uint64(e.eol[:]))
			nDst += int(e.eolLen)
			nSrc++
			continue
		}
		nd, ns, status := e.step(dst[nDst:], src[nSrc:])
		nDst += nd
		nSrc += ns
		if status != More || ns == 0 {
			return nDst, nSrc, status
		}
	}
	return nDst, nSrc, More
}

// lineEnds remembers how far a text has been searched for each of the two.
type lineEnds struct{ lf, cr int }

// next returns the index of the first CR or LF at or behind i.
func (p *lineEnds) next(b []byte, i int) int {
	p.lf = indexFrom(b, '\n', i, p.lf)
	p.cr = indexFrom(b, '\r', i, p.cr)
	return min(p.lf, p.cr)
}

func indexFrom(b []byte, c byte, i, known int) int {
	if known >= i {
		return known
	}
	if j := bytes.IndexByte(b[i:], c); j >= 0 {
		return i + j
	}
	return len(b)
}

// step encodes one rune by hand, or keeps an unfinished one.
func (e *Encoder) step(dst, src []byte) (nDst, nSrc int, status Status) {
	if e.asBytes() {
		nDst, ok := e.put(dst, rune(src[0]))
		if !ok {
			return 0, 0, Full
		}
		return nDst, 1, More
	}
	r, size := utf8.DecodeRune(src)
	if r == runeError && size == 1 {
		if !utf8.FullRune(src) {
			e.nStub = uint8(copy(e.stub[:], src))
			return 0, len(src), More
		}
		size = malformedLen(src)
		return e.replace(dst, src[:size], e.sub[1])
	}
	nDst, ok := e.put(dst, r)
	switch {
	case !ok:
		return 0, 0, Full
	case nDst < 0:
		return e.replace(dst, src[:size], e.instead(r))
	}
	return nDst, size, More
}

// asBytes reports whether the text is not looked at as UTF-8.
func (e *Encoder) asBytes() bool {
	_, ok := e.m.(bytesMachine)
	return ok
}

// replace writes sub instead of bad, or reports bad.
func (e *Encoder) replace(dst, bad []byte, sub rune) (nDst, nSrc int, status Status) {
	if e.strict {
		e.nBad = uint8(copy(e.bad[:], bad))
		return 0, 0, Malformed
	}
	nDst, ok := e.put(dst, sub)
	if !ok {
		return 0, 0, Full
	}
	return max(nDst, 0), len(bad), More
}

// put writes r, converted if it is a line end. It reports false, and does
// nothing, if dst is too short, and returns -1 if the encoding lacks r.
func (e *Encoder) put(dst []byte, r rune) (n int, ok bool) {
	var wire [3]rune
	k, afterCR := 0, false
	switch e.nl {
	case CR:
		switch {
		case r == '\n' && e.afterCR: // the second half of the text's own "\r\n"
		case r == '\n':
			wire[0], k = '\r', 1
		default:
			wire[0], k, afterCR = r, 1, r == '\r'
		}
	case CRLF:
		if r == '\n' && !e.afterCR {
			wire[0], k = '\r', 1
		}
		wire[k], afterCR = r, r == '\r'
		k++
	case NVT:
		switch {
		case e.afterCR && r != '\n':
			k = 1 // RFC 854: a NUL behind the bare CR that is on the wire already
		case !e.afterCR && r == '\n':
			wire[0], k = '\r', 1
		}
		wire[k], afterCR = r, r == '\r'
		k++
	case NEL:
		if e.afterCR && r != '\n' {
			wire[0], k = '\r', 1
		}
		switch r {
		case '\n':
			wire[k] = '\u0085'
			k++
		case '\r':
			afterCR = true
		default:
			wire[k] = r
			k++
		}
	default:
		wire[0], k = r, 1
	}
	return e.putRunes(dst, wire[:k], afterCR)
}

// putRunes writes all of rs or nothing.
func (e *Encoder) putRunes(dst []byte, rs []rune, afterCR bool) (n int, ok bool) {
	if e.foreign != nil && len(dst) < len(e.room) {
		return 0, false // its state cannot be restored, so ask for room first
	}
	before := e.st
	for _, r := range rs {
		size := e.m.encodeRune(&e.st, e.room[n:], r)
		if size == 0 {
			e.st = before
			return -1, true
		}
		n += size
	}
	if e.doubles {
		if n = doubleIAC(e.room[:], n); n < 0 {
			e.st = before
			return -1, true
		}
	}
	if n > len(dst) {
		e.st = before
		return 0, false
	}
	e.afterCR = afterCR
	return copy(dst, e.room[:n]), true
}

// join completes the rune that an earlier Encode ended in.
func (e *Encoder) join(dst, src []byte) (nDst, nSrc int, status Status) {
	var buf [2 * utf8.UTFMax]byte
	had := int(e.nStub)
	n := copy(buf[:], e.stub[:had])
	n += copy(buf[n:], src[:min(len(src), utf8.UTFMax)])
	joined := buf[:n]
	if !utf8.FullRune(joined) {
		e.nStub = uint8(copy(e.stub[:], joined))
		return 0, n - had, More
	}
	e.nStub = 0
	r, size := utf8.DecodeRune(joined)
	var ok bool
	if r == runeError && size == 1 {
		// The stub was the beginning of a rune, so it is one maximal subpart.
		nDst, nSrc, status = e.replace(dst, joined[:malformedLen(joined)], e.sub[1])
	} else if nDst, ok = e.put(dst, r); !ok {
		status = Full
	} else if nDst < 0 {
		nDst, nSrc, status = e.replace(dst, joined[:size], e.instead(r))
	} else {
		nSrc = size
	}
	switch status {
	case Full:
		e.nStub = uint8(had)
		return nDst, 0, Full
	case Malformed:
		// Keeping the stub would fail every later call.
		return nDst, 0, Malformed
	}
	return nDst, nSrc - had, More
}

// Finish writes what is still owed: a rune that never got its end, half a line
// end, and the return to the initial state. It returns Full without effect if
// dst is shorter than FinishLen; Truncated if the format is strict and a rune
// is unfinished: that rune is then dropped, the rest is written.
func (e *Encoder) Finish(dst []byte) (nDst int, status Status) {
	if len(dst) < FinishLen {
		return 0, Full
	}
	if e.nStub > 0 {
		n, _, st := e.replace(dst, e.stub[:e.nStub], e.sub[1])
		if st == Malformed {
			status = Truncated
		}
		nDst += n
		e.nStub = 0
	}
	if e.afterCR {
		r := rune(-1)
		switch e.nl {
		case NVT:
			r = 0
		case NEL:
			r = '\r'
		}
		if r >= 0 {
			n, _ := e.putRunes(dst[nDst:], []rune{r}, false)
			nDst += max(n, 0)
		}
		e.afterCR = false
	}
	n := e.m.finish(&e.st, dst[nDst:])
	if e.doubles {
		n = max(doubleIAC(dst[nDst:], n), 0)
	}
	nDst += n
	return nDst, status
}

// Owes reports whether Finish would write anything.
func (e *Encoder) Owes() bool {
	if e.m == nil {
		return false
	}
	if e.foreign != nil || e.nStub > 0 || e.afterCR && (e.nl == NEL || e.nl == NVT) {
		return true
	}
	c := *e
	return c.m.finish(&c.st, c.room[:]) > 0
}

// FinishLen is the room that Finish wants.
const FinishLen = 4 * maxRune

// malformedLen returns the length of the maximal subpart at the front of b,
// which is malformed.
func malformedLen(b []byte) int {
	for n := 1; n < len(b) && n < utf8.UTFMax; n++ {
		if utf8.FullRune(b[:n+1]) {
			return n
		}
	}
	return min(len(b), utf8.UTFMax)
}

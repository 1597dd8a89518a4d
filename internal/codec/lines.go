package codec

import (
	"bytes"
	"math/bits"
	"unicode/utf8"
)

const (
	ones = 0x0101010101010101

	// firstPrint is above CR and LF, and below what most lines are made of.
	firstPrint = 0x0e
)

// foldCRLF copies the ASCII prefix of src to dst, with CR LF as LF. It stops in
// front of other bytes, and some 40 bytes before an end: a CR that it copies is
// followed by something else. Bytes of dst behind the result may be overwritten.
//
// Words are copied, searched for line ends and for what is not ASCII in one go.
func foldCRLF(dst, src []byte) (nDst, nSrc int) {
	d, s := dst[:len(dst):len(dst)], src[:len(src):len(src)]
	for len(s) >= 40 && len(d) > 32 {
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		le.PutUint64(d, w0)
		le.PutUint64(d[8:], w1)
		le.PutUint64(d[16:], w2)
		le.PutUint64(d[24:], w3)
		// A borrow goes to higher bytes only, so the first one is right.
		w0 |= w0 - firstPrint*ones
		w1 |= w1 - firstPrint*ones
		w2 |= w2 - firstPrint*ones
		w3 |= w3 - firstPrint*ones
		if (w0|w1|w2|w3)&asciiMask == 0 {
			d, s = d[32:], s[32:]
			continue
		}
		i := firstOf(w0, w1, w2, w3) & 31
		if le.Uint16(s[i:]) == '\r'|'\n'<<8 {
			d[i] = '\n'
			d, s = d[i+1:], s[i+2:]
			continue
		}
		if s[i] >= 0x80 {
			d, s = d[i:], s[i:]
			break
		}
		d, s = d[i+1:], s[i+1:] // it is there already
	}
	return len(dst) - len(d), len(src) - len(s)
}

// expandLF copies the ASCII prefix of src to dst, with LF as CR LF. It stops in front
// of a CR and of other bytes, and some 40 bytes before an end. Bytes of dst behind the
// result may be overwritten.
func expandLF(dst, src []byte) (nDst, nSrc int) {
	d, s := dst[:len(dst):len(dst)], src[:len(src):len(src)]
	for len(s) > 32 && len(d) >= 40 {
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		le.PutUint64(d, w0)
		le.PutUint64(d[8:], w1)
		le.PutUint64(d[16:], w2)
		le.PutUint64(d[24:], w3)
		w0 |= w0 - firstPrint*ones
		w1 |= w1 - firstPrint*ones
		w2 |= w2 - firstPrint*ones
		w3 |= w3 - firstPrint*ones
		if (w0|w1|w2|w3)&asciiMask == 0 {
			d, s = d[32:], s[32:]
			continue
		}
		i := firstOf(w0, w1, w2, w3) & 31
		c := s[i]
		if c == '\n' {
			le.PutUint16(d[i:], '\r'|'\n'<<8)
			d, s = d[i+2:], s[i+1:]
			continue
		}
		if c >= 0x80 || c == '\r' {
			d, s = d[i:], s[i:]
			break
		}
		d, s = d[i+1:], s[i+1:] // it is there already
	}
	return len(dst) - len(d), len(src) - len(s)
}

// expandText is expandLF that copies other bytes as well.
func expandText(dst, src []byte) (nDst, nSrc int) {
	d, s := dst[:len(dst):len(dst)], src[:len(src):len(src)]
	for len(s) > 32 && len(d) >= 40 {
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		le.PutUint64(d, w0)
		le.PutUint64(d[8:], w1)
		le.PutUint64(d[16:], w2)
		le.PutUint64(d[24:], w3)
		w0 = (w0 - firstPrint*ones) &^ w0
		w1 = (w1 - firstPrint*ones) &^ w1
		w2 = (w2 - firstPrint*ones) &^ w2
		w3 = (w3 - firstPrint*ones) &^ w3
		if (w0|w1|w2|w3)&asciiMask == 0 {
			d, s = d[32:], s[32:]
			continue
		}
		i := firstOf(w0, w1, w2, w3) & 31
		c := s[i]
		if c == '\n' {
			le.PutUint16(d[i:], '\r'|'\n'<<8)
			d, s = d[i+2:], s[i+1:]
			continue
		}
		if c == '\r' {
			d, s = d[i:], s[i:]
			break
		}
		d, s = d[i+1:], s[i+1:] // it is there already
	}
	return len(dst) - len(d), len(src) - len(s)
}

const (
	// foldAhead is how far text lies behind where foldText copies it.
	foldAhead = 32
	// foldPad is the room behind the text.
	foldPad = 40
)

// foldText moves n bytes at text[foldAhead] to text[0], with CR LF as LF, and returns
// how many there are then. The last one is no CR. foldPad bytes behind them are
// overwritten.
func foldText(text []byte, n int) int {
	s := text[foldAhead : foldAhead+n+foldPad : foldAhead+n+foldPad]
	for i := range foldPad / 8 {
		store64(s, n+8*i, ' '*ones)
	}
	d := text[: n+foldPad : n+foldPad]
	for len(s) >= 40 && len(d) > 32 {
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		le.PutUint64(d, w0)
		le.PutUint64(d[8:], w1)
		le.PutUint64(d[16:], w2)
		le.PutUint64(d[24:], w3)
		w0 = (w0 - firstPrint*ones) &^ w0
		w1 = (w1 - firstPrint*ones) &^ w1
		w2 = (w2 - firstPrint*ones) &^ w2
		w3 = (w3 - firstPrint*ones) &^ w3
		if (w0|w1|w2|w3)&asciiMask == 0 {
			d, s = d[32:], s[32:]
			continue
		}
		i := firstOf(w0, w1, w2, w3) & 31
		if le.Uint16(s[i:]) == '\r'|'\n'<<8 {
			d[i] = '\n'
			d, s = d[i+1:], s[i+2:]
			continue
		}
		d, s = d[i+1:], s[i+1:] // it is there already
	}
	// What was read of the blanks was copied.
	return n - (len(d) - len(s))
}

// firstOf returns the index of the first byte with its top bit set in 32 bytes, one
// of which has.
func firstOf(w0, w1, w2, w3 uint64) int {
	if w0 &= asciiMask; w0 != 0 {
		return bits.TrailingZeros64(w0) >> 3
	}
	if w1 &= asciiMask; w1 != 0 {
		return bits.TrailingZeros64(w1)>>3 + 8
	}
	if w2 &= asciiMask; w2 != 0 {
		return bits.TrailingZeros64(w2)>>3 + 16
	}
	return bits.TrailingZeros64(w3&asciiMask|1<<63)>>3 + 24
}

// linePiece is how much text is expanded or folded at a time: it is to stay in the
// processor's cache. Behind a line that had to go without, encodeLines begins with
// firstPiece.
const linePiece, firstPiece = 2 << 10, 128

// encodeLines encodes text with line ends that become CR LF, by expanding a piece of it
// to the end of dst first. It leaves what is left of src to others if it makes no
// progress.
//
// *piece is the size of the piece and becomes that of the next one. That is 0 if most of
// the piece was for nothing, since the encoding lacks a rune in it: a line may have many.
func (e *Encoder) encodeLines(dst, src []byte, piece *int) (nDst, nSrc int) {
	// Four bytes for each byte of text, and the text itself.
	size := min((len(dst)-4*maxRune)/5, *piece)
	if size < 64 {
		return 0, 0
	}
	at := len(dst) - size
	nText, nSrc := expandText(dst[at:], src)
	text := dst[at : at+nText]
	nDst, n := e.m.encodeRun(&e.st, dst[:at], text)
	if 0 < n && n < nText && text[n] == '\n' && text[n-1] == '\r' {
		nDst -= e.m.unit()
		n--
	}
	*piece = min(*piece*2, linePiece)
	if n <= nText-utf8.UTFMax {
		*piece = 0
	}
	rest := text[n:]
	return nDst, nSrc - len(rest) + bytes.Count(rest, []byte{'\n'})
}

// decodeLines decodes a piece of src with CR LF as LF. A CR at its end is left for want
// of what follows.
func (d *Decoder) decodeLines(dst, src []byte) (nDst, nSrc int) {
	size := min(len(dst)-foldAhead-foldPad, linePiece)
	if size < 64 {
		nDst, nSrc = d.m.decodeRun(&d.st, dst, src)
		return d.foldNewlines(dst[:nDst], nSrc)
	}
	nDst, nSrc = d.m.decodeRun(&d.st, dst[foldAhead:foldAhead+size], src)
	if nDst > 0 && dst[foldAhead+nDst-1] == '\r' {
		nDst--
		nSrc -= d.m.unit()
	}
	return foldText(dst, nDst), nSrc
}

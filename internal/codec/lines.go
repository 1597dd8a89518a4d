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

// foldCRLF copies src to dst, with CR LF as LF. It stops in front of a CR at the end,
// and in front of a character that dst has no room for. dst may begin where src
// does, and is as long then.
func foldCRLF(dst, src []byte) (nDst, nSrc int) {
	for nSrc+40 <= len(src) && nDst+32 <= len(dst) {
		s, d := src[nSrc:nSrc+40:nSrc+40], dst[nDst:nDst+32:nDst+32]
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		t0, t1 := low(w0), low(w1)
		t2, t3 := low(w2), low(w3)
		if t0|t1|t2|t3 == 0 {
			le.PutUint64(d, w0)
			le.PutUint64(d[8:], w1)
			le.PutUint64(d[16:], w2)
			le.PutUint64(d[24:], w3)
			nDst += 32
			nSrc += 32
			continue
		}
		i, w, t := 0, w0, t0
		if t0 == 0 {
			le.PutUint64(d, w0)
			i, w, t = 8, w1, t1
			if t1 == 0 {
				le.PutUint64(d[8:], w1)
				i, w, t = 16, w2, t2
				if t2 == 0 {
					le.PutUint64(d[16:], w2)
					i, w, t = 24, w3, t3
				}
			}
		}
		// What is behind the byte may be src, not yet read.
		below := (t&-t)>>7 - 1
		old := le.Uint64(d[i:])
		le.PutUint64(d[i:], old^(old^w)&below)
		i = (i + bits.TrailingZeros64(t)>>3) & 31
		c := s[i]
		nDst += i
		nSrc += i
		nSrc++
		if c == '\r' && s[i+1] == '\n' {
			c = '\n'
			nSrc++
		}
		d[i] = c
		nDst++
	}
	for nSrc < len(src) && nDst < len(dst) {
		c := src[nSrc]
		if c == '\r' {
			if nSrc+1 == len(src) {
				return nDst, nSrc
			}
			if src[nSrc+1] == '\n' {
				c = '\n'
				nSrc++
			}
		}
		dst[nDst] = c
		nDst++
		nSrc++
	}
	back := cutBefore(src, nSrc)
	return nDst - back, nSrc - back
}

// cutBefore returns how many bytes of a character are in front of i, in text that
// is valid as far as it is not ASCII.
func cutBefore(text []byte, i int) int {
	n := 0
	for i < len(text) && n < min(i, utf8.UTFMax-1) && !utf8.RuneStart(text[i-n]) {
		n++
	}
	return n
}

// expandLF copies src to dst, with LF as CR LF. It stops in front of a CR, and in
// front of a character that dst has no room for. Bytes of dst behind the result may
// be overwritten.
func expandLF(dst, src []byte) (nDst, nSrc int) {
	for nSrc+32 <= len(src) && nDst+40 <= len(dst) {
		s, d := src[nSrc:nSrc+32:nSrc+32], dst[nDst:nDst+40:nDst+40]
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		le.PutUint64(d, w0)
		le.PutUint64(d[8:], w1)
		le.PutUint64(d[16:], w2)
		le.PutUint64(d[24:], w3)
		t0, t1 := low(w0), low(w1)
		t2, t3 := low(w2), low(w3)
		if t0|t1|t2|t3 == 0 {
			nDst += 32
			nSrc += 32
			continue
		}
		i, t := 0, t0
		if t0 == 0 {
			i, t = 8, t1
			if t1 == 0 {
				i, t = 16, t2
				if t2 == 0 {
					i, t = 24, t3
				}
			}
		}
		i = (i + bits.TrailingZeros64(t)>>3) & 31
		c := s[i]
		nDst += i
		nSrc += i
		if c == '\r' {
			return nDst, nSrc
		}
		nSrc++
		if c == '\n' {
			d[i] = '\r'
			nDst++
			i++
		}
		d[i] = c
		nDst++
	}
	for nSrc < len(src) && nDst+2 <= len(dst) && src[nSrc] != '\r' {
		if src[nSrc] == '\n' {
			dst[nDst] = '\r'
			nDst++
		}
		dst[nDst] = src[nSrc]
		nDst++
		nSrc++
	}
	back := cutBefore(src, nSrc)
	return nDst - back, nSrc - back
}

// low finds the bytes of w below firstPrint. It is right for the first of them.
func low(w uint64) uint64 { return (w - firstPrint*ones) &^ w & asciiMask }

// linePiece is how many bytes are looked at twice, once as characters and once as
// lines: they are to stay in the processor's cache.
const linePiece = 4 << 10

// decodeLines decodes what is the same on the wire, but for CR LF.
func (d *Decoder) decodeLines(dst, src []byte) (nDst, nSrc int) {
	for {
		piece := src[nSrc:min(len(src), nSrc+linePiece)]
		nd, ns := foldCRLF(dst[nDst:], piece[:d.m.plain(&d.st, piece)])
		nDst += nd
		nSrc += ns
		if ns < linePiece/2 {
			return nDst, nSrc
		}
	}
}

// expandLines encodes what is the same on the wire, but for LF.
func (e *Encoder) expandLines(dst, src []byte) (nDst, nSrc int) {
	for {
		piece := src[nSrc:min(len(src), nSrc+linePiece)]
		nd, ns := expandLF(dst[nDst:], piece[:e.m.plain(&e.st, piece)])
		nDst += nd
		nSrc += ns
		if ns < linePiece/2 {
			return nDst, nSrc
		}
	}
}

// encodeLines encodes text with line ends that become CR LF, by expanding it to the
// end of dst first. It is for machines whose ASCII is not ASCII on the wire, and
// leaves what is left of src to others if it makes no progress.
func (e *Encoder) encodeLines(dst, src []byte) (nDst, nSrc int) {
	for {
		// Four bytes for each byte of text, and the text itself.
		size := min((len(dst)-nDst-4*maxRune)/5, linePiece)
		if size < 64 {
			return nDst, nSrc
		}
		at := len(dst) - size
		nText, n := expandLF(dst[at:], src[nSrc:])
		text := dst[at : at+nText]
		nd, ns := e.m.encodeRun(&e.st, dst[nDst:at], text)
		if 0 < ns && ns < nText && text[ns] == '\n' { // behind its CR
			nd -= e.m.unit()
			ns--
		}
		nDst += nd
		rest := text[ns:]
		nSrc += n - len(rest) + bytes.Count(rest, []byte{'\n'})
		if ns == 0 {
			return nDst, nSrc
		}
	}
}

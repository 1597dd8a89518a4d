package codec

import (
	"bytes"
	"math/bits"
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
	dst, src = dst[:len(dst):len(dst)], src[:len(src):len(src)] // one length less to keep
	for nSrc+40 <= len(src) && nDst+32 <= len(dst) {
		s, d := src[nSrc:nSrc+40:nSrc+40], dst[nDst:nDst+32:nDst+32]
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		le.PutUint64(d, w0)
		le.PutUint64(d[8:], w1)
		le.PutUint64(d[16:], w2)
		le.PutUint64(d[24:], w3)
		// A borrow goes to higher bytes only, so the first one is right.
		w0 = (w0 | (w0 - firstPrint*ones)) & asciiMask
		w1 = (w1 | (w1 - firstPrint*ones)) & asciiMask
		w2 = (w2 | (w2 - firstPrint*ones)) & asciiMask
		w3 = (w3 | (w3 - firstPrint*ones)) & asciiMask
		if w0|w1|w2|w3 == 0 {
			nDst += 32
			nSrc += 32
			continue
		}
		i := firstOf(w0, w1, w2, w3)
		if le.Uint16(s[i:]) == '\r'|'\n'<<8 {
			d[i] = '\n'
			nDst += i + 1
			nSrc += i + 2
			continue
		}
		nDst += i
		nSrc += i
		if s[i] >= 0x80 {
			break
		}
		nDst++ // it is there already
		nSrc++
	}
	return nDst, nSrc
}

// expandLF copies the ASCII prefix of src to dst, with LF as CR LF. It stops in front
// of a CR and of other bytes, and some 40 bytes before an end. Bytes of dst behind the
// result may be overwritten.
func expandLF(dst, src []byte) (nDst, nSrc int) {
	dst, src = dst[:len(dst):len(dst)], src[:len(src):len(src)] // one length less to keep
	for nSrc+32 <= len(src) && nDst+40 <= len(dst) {
		s, d := src[nSrc:nSrc+32:nSrc+32], dst[nDst:nDst+40:nDst+40]
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		le.PutUint64(d, w0)
		le.PutUint64(d[8:], w1)
		le.PutUint64(d[16:], w2)
		le.PutUint64(d[24:], w3)
		w0 = (w0 | (w0 - firstPrint*ones)) & asciiMask
		w1 = (w1 | (w1 - firstPrint*ones)) & asciiMask
		w2 = (w2 | (w2 - firstPrint*ones)) & asciiMask
		w3 = (w3 | (w3 - firstPrint*ones)) & asciiMask
		if w0|w1|w2|w3 == 0 {
			nDst += 32
			nSrc += 32
			continue
		}
		i := firstOf(w0, w1, w2, w3)
		c := s[i]
		if c == '\n' {
			le.PutUint16(d[i:], '\r'|'\n'<<8)
			nDst += i + 2
			nSrc += i + 1
			continue
		}
		nDst += i
		nSrc += i
		if c >= 0x80 || c == '\r' {
			break
		}
		nDst++ // it is there already
		nSrc++
	}
	return nDst, nSrc
}

// expandText is expandLF that copies other bytes as well.
func expandText(dst, src []byte) (nDst, nSrc int) {
	dst, src = dst[:len(dst):len(dst)], src[:len(src):len(src)] // one length less to keep
	for nSrc+32 <= len(src) && nDst+40 <= len(dst) {
		s, d := src[nSrc:nSrc+32:nSrc+32], dst[nDst:nDst+40:nDst+40]
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		le.PutUint64(d, w0)
		le.PutUint64(d[8:], w1)
		le.PutUint64(d[16:], w2)
		le.PutUint64(d[24:], w3)
		w0 = (w0 - firstPrint*ones) &^ w0 & asciiMask
		w1 = (w1 - firstPrint*ones) &^ w1 & asciiMask
		w2 = (w2 - firstPrint*ones) &^ w2 & asciiMask
		w3 = (w3 - firstPrint*ones) &^ w3 & asciiMask
		if w0|w1|w2|w3 == 0 {
			nDst += 32
			nSrc += 32
			continue
		}
		i := firstOf(w0, w1, w2, w3)
		c := s[i]
		if c == '\n' {
			le.PutUint16(d[i:], '\r'|'\n'<<8)
			nDst += i + 2
			nSrc += i + 1
			continue
		}
		nDst += i
		nSrc += i
		if c == '\r' {
			break
		}
		nDst++ // it is there already
		nSrc++
	}
	return nDst, nSrc
}

// firstOf returns the index of the first byte with its top bit set in 32 bytes, one
// of which has.
func firstOf(w0, w1, w2, w3 uint64) int {
	i := 0
	if w0 == 0 {
		i, w0 = 8, w1
		if w1 == 0 {
			i, w0 = 16, w2
			if w2 == 0 {
				i, w0 = 24, w3
			}
		}
	}
	return (i + bits.TrailingZeros64(w0)>>3) & 31
}

// linePiece is how much text encodeLines expands at a time: it is to stay in the
// processor's cache.
const linePiece = 2 << 10

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
		nText, n := expandText(dst[at:], src[nSrc:])
		text := dst[at : at+nText]
		nd, ns := e.m.encodeRun(&e.st, dst[nDst:at], text)
		if 0 < ns && ns < nText && text[ns] == '\n' && text[ns-1] == '\r' {
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

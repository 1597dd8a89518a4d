package codec

import (
	"math/bits"
	"unicode/utf8"
)

// utf32Machine is UTF-32 in all its variants. A malformed unit is four bytes
// and reported when it is whole, so that the next one stays in step.
type utf32Machine struct {
	mark   markPolicy
	little bool
	short  *[0x800]uint64 // see utf16Machine
	runes  *shortTable
}

func (m utf32Machine) start(st *state) {
	st.mark, st.little = m.mark != ignoreMark, m.little
}

func (utf32Machine) plain(*state, []byte) int  { return 0 }
func (utf32Machine) finish(*state, []byte) int { return 0 }
func (utf32Machine) unit() int                 { return 4 }

func (m utf32Machine) decodeChar(st *state, src []byte) char {
	if len(src) < 4 {
		return char{v: isShort, size: len(src)}
	}
	u := be.Uint32(src)
	if st.mark {
		if u == 0xfeff || u == 0xfffe0000 {
			st.mark, st.little = false, u != 0xfeff
			return char{v: isMark, size: 4}
		}
		if m.mark == expectMark {
			return char{v: isNoMark, size: 4}
		}
		st.mark = false
	}
	if st.little {
		u = bits.ReverseBytes32(u)
	}
	if u > utf8.MaxRune || u-surrogates < 0x800 {
		return char{v: isBad, size: 4}
	}
	return char{r: rune(u), size: 4}
}

func (m utf32Machine) decodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	if st.mark {
		return 0, 0
	}
	for nSrc+4 <= len(src) && nDst+4 <= len(dst) {
		for nSrc+16 <= len(src) && nDst+4 <= len(dst) {
			s := src[nSrc : nSrc+16 : nSrc+16]
			w0, w1 := le.Uint64(s), le.Uint64(s[8:])
			if !st.little {
				w0, w1 = swapLong(w0), swapLong(w1)
			}
			if (w0|w1)&0xffffff80ffffff80 != 0 {
				break
			}
			store32(dst, nDst, uint32(w0|w0>>24)&0xffff|uint32(w1|w1>>24)<<16)
			nDst += 4
			nSrc += 16
		}
		for nSrc+16 <= len(src) && nDst+16 <= len(dst) {
			s, d := src[nSrc:nSrc+16:nSrc+16], dst[nDst:nDst+16:nDst+16]
			w0, w1 := le.Uint64(s), le.Uint64(s[8:])
			if !st.little {
				w0, w1 = swapLong(w0), swapLong(w1)
			}
			if (w0|w1)&0xfffff800fffff800 == 0 {
				if (w0|w1)&0xffffff80ffffff80 == 0 {
					break
				}
				// Words of most alphabets: no branch depends on which.
				t := m.short
				e0, e1, e2, e3 := t[w0&0x7ff], t[w0>>32&0x7ff], t[w1&0x7ff], t[w1>>32&0x7ff]
				le.PutUint64(d, e0|e1<<(e0>>56&63))
				n := int((e0>>56+e1>>56)>>3) & 7
				le.PutUint64(d[n:], e2|e3<<(e2>>56&63))
				nDst += n + int((e2>>56+e3>>56)>>3)
				nSrc += 16
				continue
			}
			u0, u1, u2, u3 := uint32(w0), uint32(w0>>32), uint32(w1), uint32(w1>>32)
			const threes = surrogates - 0x800 // and those above the surrogates, which are rare
			if u0-0x800 >= threes || u1-0x800 >= threes || u2-0x800 >= threes || u3-0x800 >= threes {
				break
			}
			t2 := uint64(utf8Three(u2))
			le.PutUint64(d, uint64(utf8Three(u0))|uint64(utf8Three(u1))<<24|t2<<48)
			le.PutUint32(d[8:], uint32(t2>>16)|utf8Three(u3)<<8)
			nDst += 12
			nSrc += 16
		}
		if nSrc+4 > len(src) || nDst+4 > len(dst) {
			break
		}
		u := load32(src, nSrc)
		if !st.little {
			u = bits.ReverseBytes32(u)
		}
		switch {
		case u < 0x80:
			dst[nDst] = byte(u)
			nDst++
		case u > utf8.MaxRune || u-surrogates < 0x800:
			return nDst, nSrc
		case u < 0x800:
			store32(dst, nDst, 0x80c0|u>>6|u<<8&0x3f00)
			nDst += 2
		case u < 0x10000:
			store32(dst, nDst, utf8Three(u))
			nDst += 3
		default:
			nDst += utf8.EncodeRune(dst[nDst:], rune(u))
		}
		nSrc += 4
	}
	return nDst, nSrc
}

// swapLong swaps the bytes of each of two units of four bytes.
func swapLong(w uint64) uint64 { return bits.RotateLeft64(bits.ReverseBytes64(w), 32) }

func (m utf32Machine) encodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	if st.mark {
		return 0, 0
	}
	for {
		size := len(src)
		if mostlyShort(src[nSrc:]) {
			nd, ns := m.encodeShort(dst[nDst:], src[nSrc:])
			nDst += nd
			nSrc += ns
			size = min(nSrc+betweenShort, size)
		}
		nd, ns := m.encodeMixed(dst[nDst:], src[nSrc:size])
		if ns == 0 {
			return nDst, nSrc
		}
		nDst += nd
		nSrc += ns
	}
}

// encodeMixed encodes any text. It stops behind maxShorts characters of two bytes,
// since encodeShort may do better.
func (m utf32Machine) encodeMixed(dst, src []byte) (nDst, nSrc int) {
	shorts := maxShorts
	for shorts > 0 && nSrc < len(src) && nDst+4 <= len(dst) {
		for nSrc+4 <= len(src) && nDst+16 <= len(dst) {
			w := load32(src, nSrc)
			if w&0x80808080 != 0 {
				break
			}
			w0 := uint64(w&0xff) | uint64(w&0xff00)<<24
			w1 := uint64(w>>16&0xff) | uint64(w>>24)<<32
			if !m.little {
				w0, w1 = swapLong(w0), swapLong(w1)
			}
			store64(dst, nDst, w0)
			store64(dst, nDst+8, w1)
			nDst += 16
			nSrc += 4
		}
		for nSrc+4 <= len(src) && nDst+4 <= len(dst) {
			w := load32(src, nSrc)
			u := three(w)
			if !isThree(w) || u-surrogates < 0x800 {
				break
			}
			m.put(dst[nDst:], uint32(u))
			nDst += 4
			nSrc += 3
		}
		if nSrc == len(src) || nDst+4 > len(dst) {
			break
		}
		r, size := rune(src[nSrc]), 1
		if r >= 0xc2 && r < 0xe0 && nSrc+1 < len(src) && src[nSrc+1]&0xc0 == 0x80 {
			r, size = r&0x1f<<6|rune(src[nSrc+1]&0x3f), 2
			shorts--
		} else if r >= 0x80 {
			r, size = utf8.DecodeRune(src[nSrc:])
			if r == runeError && size == 1 {
				break
			}
		}
		nDst += m.put(dst[nDst:], uint32(r))
		nSrc += size
	}
	return nDst, nSrc
}

// encodeShort encodes characters of up to two bytes.
func (m utf32Machine) encodeShort(dst, src []byte) (nDst, nSrc int) {
	var runes shortBuffer
	for nSrc < len(src) && nDst+4*shortPiece <= len(dst) {
		n, ns := m.runes.encode(runes[:], src[nSrc:min(nSrc+shortPiece+1, len(src))])
		d := dst[nDst : nDst+4*shortPiece]
		for i := 0; i < n; i += 8 {
			w := le.Uint64(runes[i:])
			w0 := w&0xffff | w<<16&0xffff00000000
			w1 := w>>32&0xffff | w>>16&0xffff00000000
			if !m.little {
				w0, w1 = swapLong(w0), swapLong(w1)
			}
			le.PutUint64(d[2*i:], w0)
			le.PutUint64(d[2*i+8:], w1)
		}
		nDst += 2 * n
		nSrc += ns
		if ns < shortPiece {
			break
		}
	}
	return nDst, nSrc
}

func (m utf32Machine) encodeRune(st *state, dst []byte, r rune) int {
	n := 0
	if st.mark {
		st.mark = false
		n = m.put(dst, 0xfeff)
	}
	return n + m.put(dst[n:], uint32(r))
}

func (m utf32Machine) put(dst []byte, u uint32) int {
	if m.little {
		u = bits.ReverseBytes32(u)
	}
	be.PutUint32(dst, u)
	return 4
}

package codec

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

var be = binary.BigEndian

// utf16Machine is UTF-16 in all its variants.
type utf16Machine struct {
	mark   markPolicy
	little bool // the order to assume, and to write
	short  *[0x800]uint64
	runes  *shortTable
}

// shortUnits has the UTF-8 of up to two bytes, with eight times the length in the
// top byte.
var shortUnits = sync.OnceValue(func() *[0x800]uint64 {
	t := new([0x800]uint64)
	for i := range t {
		e := entryOf(rune(i))
		t[i] = uint64(e&0xffffff) | uint64(e>>24)<<59
	}
	return t
})

// entry is the entry of shortUnits for u, or what it would be for three bytes.
func (m utf16Machine) entry(u uint64) uint64 {
	e := m.short[u&0x7ff]
	if three := uint64(utf8Three(uint32(u))) | 3<<59; u >= 0x800 {
		e = three
	}
	return e
}

func (m utf16Machine) start(st *state) {
	st.mark, st.little = m.mark != ignoreMark, m.little
}

func (utf16Machine) plain(*state, []byte) int  { return 0 }
func (utf16Machine) finish(*state, []byte) int { return 0 }
func (utf16Machine) unit() int                 { return 2 }

func (m utf16Machine) decodeChar(st *state, src []byte) char {
	if len(src) < 2 {
		return char{v: isShort, size: len(src)}
	}
	u := be.Uint16(src)
	if st.mark {
		if u == 0xfeff || u == 0xfffe {
			st.mark, st.little = false, u == 0xfffe
			return char{v: isMark, size: 2}
		}
		if m.mark == expectMark {
			return char{v: isNoMark, size: 2}
		}
		st.mark = false
	}
	if st.little {
		u = bits.ReverseBytes16(u)
	}
	switch {
	case u < surrogates || u >= 0xe000:
		return char{r: rune(u), size: 2}
	case u >= 0xdc00:
		return char{v: isBad, size: 2}
	case len(src) == 3 && !st.little && src[2]&0xfc != 0xdc:
		return char{v: isBad, size: 2}
	case len(src) < 4:
		return char{v: isShort, size: len(src)}
	}
	low := be.Uint16(src[2:])
	if st.little {
		low = bits.ReverseBytes16(low)
	}
	if r := utf16.DecodeRune(rune(u), rune(low)); r != runeError {
		return char{r: r, size: 4}
	}
	return char{v: isBad, size: 2}
}

func (m utf16Machine) encodeRune(st *state, dst []byte, r rune) int {
	n := 0
	if st.mark {
		st.mark = false
		n = m.put(dst, 0xfeff)
	}
	if r < 0x10000 {
		return n + m.put(dst[n:], uint16(r))
	}
	hi, lo := utf16.EncodeRune(r)
	n += m.put(dst[n:], uint16(hi))
	return n + m.put(dst[n:], uint16(lo))
}

func (m utf16Machine) put(dst []byte, u uint16) int { return putUnit(dst, u, !m.little) }

func putUnit(dst []byte, u uint16, big bool) int {
	if big {
		u = bits.ReverseBytes16(u)
	}
	le.PutUint16(dst, u)
	return 2
}

func (m utf16Machine) decodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	if st.mark {
		return 0, 0
	}
	big := !st.little
	for {
		// A short text, as most reads have it, does not need the stack for that.
		if nSrc+wordsSrc < len(src) && nDst+wordsDst < len(dst) {
			nd, ns := m.decodeWords(dst[nDst:], src[nSrc:], big)
			nDst += nd
			nSrc += ns
		}
		// Up to the first characters of two units, and the end.
		pair := false
		for {
			if nSrc+2 > len(src) || nDst+4 > len(dst) {
				return nDst, nSrc
			}
			u := uint32(load16(src, nSrc))
			if big {
				u = u>>8 | u<<8&0xff00
			}
			if pair && u-surrogates >= 0x800 && nSrc+wordsSrc < len(src) && nDst+wordsDst < len(dst) {
				break
			}
			if u >= 0x800 && u-surrogates >= 0x800 {
				store32(dst, nDst, utf8Three(u))
				nDst += 3
				nSrc += 2
				continue
			}
			if u < 0x80 {
				dst[nDst] = byte(u)
				nDst++
				nSrc += 2
				continue
			}
			if u < 0x800 {
				store32(dst, nDst, 0x80c0|u>>6|u<<8&0x3f00)
				nDst += 2
				nSrc += 2
				continue
			}
			if nSrc+4 > len(src) {
				return nDst, nSrc
			}
			low := load16(src, nSrc+2)
			if big {
				low = bits.ReverseBytes16(low)
			}
			r := utf16.DecodeRune(rune(u), rune(low))
			if r == runeError {
				return nDst, nSrc
			}
			nDst += utf8.EncodeRune(dst[nDst:], r)
			nSrc += 4
			pair = true
		}
	}
}

// decodeWords wants more than wordsSrc bytes of units, and of room than wordsDst.
const wordsSrc, wordsDst = 16, 24

// decodeWords decodes words of four units, up to one with a surrogate.
func (m utf16Machine) decodeWords(dst, src []byte, big bool) (nDst, nSrc int) {
	notASCII, shift := uint64(0xff80ff80ff80ff80), 0
	if big {
		notASCII, shift = 0x80ff80ff80ff80ff, 8
	}
	t := m.short
	d, s := dst[:len(dst):len(dst)], src[:len(src):len(src)]
	for len(s) > wordsSrc && len(d) > wordsDst {
		w, next := le.Uint64(s), le.Uint64(s[8:])
		if w&notASCII == 0 {
			le.PutUint32(d, pack(w>>(shift&63)))
			d, s = d[4:], s[8:]
			for len(s) > 32 && len(d) > 16 {
				w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
				if (w0|w1|w2|w3)&notASCII != 0 {
					break
				}
				le.PutUint64(d, uint64(pack(w0>>(shift&63)))|uint64(pack(w1>>(shift&63)))<<32)
				le.PutUint64(d[8:], uint64(pack(w2>>(shift&63)))|uint64(pack(w3>>(shift&63)))<<32)
				d, s = d[16:], s[32:]
			}
			continue
		}
		if big {
			w, next = swapUnits(w), swapUnits(next)
		}
		if w&0xf800f800f800f800 == 0 {
			// Words of most alphabets: no branch depends on which.
			e0, e1, e2, e3 := t[w&0x7ff], t[w>>16&0x7ff], t[w>>32&0x7ff], t[w>>48&0x7ff]
			le.PutUint64(d, e0|e1<<(e0>>56&63))
			n := int((e0>>56+e1>>56)>>3) & 7
			le.PutUint64(d[n:], e2|e3<<(e2>>56&63))
			n += int((e2>>56+e3>>56)>>3) & 7
			d, s = d[n:], s[8:]
			continue
		}
		if anySurrogate(w) {
			break
		}
		three := threeUnits(w)
		if three&threeUnits(next) == topUnits && !anySurrogate(next) {
			// Eight in a row are enough of them for the branch to be guessed right.
			putThrees(d, w)
			putThrees(d[12:], next)
			d, s = d[24:], s[16:]
			continue
		}
		all := three | (three - three>>15)
		if w&^all&0xff80ff80ff80ff80 != 0 {
			e0, e1, e2, e3 := m.entry(w&0xffff), m.entry(w>>16&0xffff), m.entry(w>>32&0xffff), m.entry(w>>48)
			le.PutUint64(d, e0|e1<<(e0>>56&63))
			n := int((e0>>56+e1>>56)>>3) & 7
			le.PutUint64(d[n:], e2|e3<<(e2>>56&63))
			n += int((e2>>56+e3>>56)>>3) & 7
			d, s = d[n:], s[8:]
			continue
		}
		// Three bytes each or ASCII: the first two bytes, the third one, and the bits.
		two, last := splitThrees(w)
		two = two&all | w&^all
		last &= all
		size := three>>11 + 0x0008000800080008
		le.PutUint64(d, two&0xffff|last&0xff<<16|(two>>16&0xffff|last&0xff0000)<<(size&63))
		n := int((size+size>>16)>>3) & 7
		le.PutUint64(d[n:], two>>32&0xffff|last>>16&0xff0000|(two>>48|last>>32&0xff0000)<<(size>>32&63))
		n += int((size>>32+size>>48)>>3) & 7
		d, s = d[n:], s[8:]
	}
	return len(dst) - len(d), len(src) - len(s)
}

func (m utf16Machine) encodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
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
		nd, ns := encodeUnits(dst[nDst:], src[nSrc:size], !m.little)
		if ns == 0 {
			if nd, ns = m.encodePairs(dst[nDst:], src[nSrc:]); ns == 0 {
				return nDst, nSrc
			}
		}
		nDst += nd
		nSrc += ns
	}
}

// encodePairs encodes characters of two units.
func (m utf16Machine) encodePairs(dst, src []byte) (nDst, nSrc int) {
	for nDst+4 <= len(dst) {
		r, size := utf8.DecodeRune(src[nSrc:])
		if r < 0x10000 {
			break
		}
		hi, lo := utf16.EncodeRune(r)
		nDst += m.put(dst[nDst:], uint16(hi))
		nDst += m.put(dst[nDst:], uint16(lo))
		nSrc += size
	}
	return nDst, nSrc
}

// encodeUnits encodes text of the basic plane in UTF-16. It stops behind maxShorts characters of two
// bytes, since encodeShort may do better.
func encodeUnits(dst, src []byte, big bool) (nDst, nSrc int) {
	shorts := maxShorts
	shift := 0
	if big {
		shift = 8
	}
	for shorts > 0 {
		for nSrc+8 <= len(src) && nDst+16 <= len(dst) {
			w := load64(src, nSrc)
			lo, hi := spread(uint32(w)), spread(uint32(w>>32))
			if big {
				lo, hi = lo<<8, hi<<8
			}
			d := dst[nDst : nDst+16 : nDst+16]
			le.PutUint64(d, lo)
			le.PutUint64(d[8:], hi)
			if w &= asciiMask; w != 0 {
				n := bits.TrailingZeros64(w) >> 3
				nDst += 2 * n
				nSrc += n
				if nSrc+2 > len(src) || shorts == 0 {
					break
				}
				two := uint32(load16(src, nSrc))
				if !isTwo(two) {
					break
				}
				two = two&0x1f<<6 | two>>8&0x3f
				if big {
					two = two>>8 | two<<8
				}
				store16(dst, nDst, uint16(two))
				nDst += 2
				nSrc += 2
				shorts--
				continue
			}
			nDst += 16
			nSrc += 8
			for nSrc+16 <= len(src) && nDst+32 <= len(dst) {
				s, d := src[nSrc:nSrc+16:nSrc+16], dst[nDst:nDst+32:nDst+32]
				w0, w1 := le.Uint64(s), le.Uint64(s[8:])
				if (w0|w1)&asciiMask != 0 {
					break
				}
				le.PutUint64(d, spread(uint32(w0))<<(shift&63))
				le.PutUint64(d[8:], spread(uint32(w0>>32))<<(shift&63))
				le.PutUint64(d[16:], spread(uint32(w1))<<(shift&63))
				le.PutUint64(d[24:], spread(uint32(w1>>32))<<(shift&63))
				nDst += 32
				nSrc += 16
			}
		}
		for nSrc+8 <= len(src) && nDst+4 <= len(dst) {
			w := load64(src, nSrc)
			if !isThree(uint32(w)) {
				break
			}
			u := uint32(three(uint32(w)))
			v := uint32(three(uint32(w >> 24)))
			if u-surrogates < 0x800 {
				break
			}
			if !isThree(uint32(w>>24)) || v-surrogates < 0x800 {
				// One
				if big {
					u = u>>8 | u<<8
				}
				store16(dst, nDst, uint16(u))
				nDst += 2
				nSrc += 3
				break
			}
			u |= v << 16
			if big {
				u = u>>8&0xff00ff | u&0xff00ff<<8
			}
			store32(dst, nDst, u)
			nDst += 4
			nSrc += 6
		}
		for {
			if nSrc+3 > len(src) || nDst+4 > len(dst) {
				return nDst, nSrc
			}
			s := src[nSrc : nSrc+3 : nSrc+3]
			c := s[0]
			if c < 0x80 {
				if nSrc+8 <= len(src) && nDst+16 <= len(dst) {
					break
				}
				nDst += putUnit(dst[nDst:], uint16(c), big)
				nSrc++
				continue
			}
			var u uint16
			c1, c2 := s[1], s[2]
			switch {
			case c-0xe0 < 0x10:
				u = uint16(c)<<12 | uint16(c1&0x3f)<<6 | uint16(c2&0x3f)
				if c1&0xc0 != 0x80 || c2&0xc0 != 0x80 || u < 0x800 || u-surrogates < 0x800 {
					return nDst, nSrc
				}
				nSrc += 3
			case c-0xc2 < 0x1e:
				if c1&0xc0 != 0x80 {
					return nDst, nSrc
				}
				u = uint16(c&0x1f)<<6 | uint16(c1&0x3f)
				nSrc += 2
				shorts--
			default: // also what is above the basic plane: a call would cost registers
				return nDst, nSrc
			}
			if big {
				u = u>>8 | u<<8
			}
			store16(dst, nDst, u)
			nDst += 2
		}
	}
	return nDst, nSrc
}

// encodeShort encodes characters of up to two bytes.
func (m utf16Machine) encodeShort(dst, src []byte) (nDst, nSrc int) {
	nDst, nSrc = m.runes.encode(dst, src)
	if !m.little {
		i := 0
		for ; i+8 <= nDst; i += 8 {
			store64(dst, i, swapUnits(load64(dst, i)))
		}
		for ; i < nDst; i += 2 {
			dst[i], dst[i+1] = dst[i+1], dst[i]
		}
	}
	return nDst, nSrc
}

// swapUnits swaps the bytes of each of four units.
func swapUnits(w uint64) uint64 { return w>>8&0x00ff00ff00ff00ff | w&0x00ff00ff00ff00ff<<8 }

// pack is the inverse of spread.
func pack(w uint64) uint32 {
	w = (w | w>>8) & 0x0000ffff0000ffff
	return uint32(w | w>>16)
}

// utf8Three returns the three bytes of UTF-8 of u, in little-endian order.
func utf8Three(u uint32) uint32 { return 0x8080e0 | u>>12 | u<<2&0x3f00 | u<<16&0x3f0000 }

// topUnits are the top bits of four units.
const topUnits = 0x8000800080008000

// threeUnits returns the top bits of those units of w that are 800 or more.
func threeUnits(w uint64) uint64 {
	return (w&0xf800f800f800f800>>4 + 0x7f807f807f807f80) & topUnits
}

// anySurrogate reports whether a unit of w is a surrogate.
func anySurrogate(w uint64) bool { return threeUnits(w^0xd800d800d800d800) != topUnits }

// splitThrees returns the first two bytes of UTF-8 of each unit of w, and the third one.
func splitThrees(w uint64) (two, last uint64) {
	return 0x80e080e080e080e0 | w>>12&0x000f000f000f000f | w<<2&0x3f003f003f003f00,
		0x0080008000800080 | w&0x003f003f003f003f
}

// putThrees writes the UTF-8 of four units of three bytes.
func putThrees(d []byte, w uint64) {
	two, last := splitThrees(w)
	le.PutUint64(d, two&0xffff|last&0xff<<16|(two>>16&0xffff|last&0xff0000)<<24|two>>32<<48)
	le.PutUint32(d[8:], uint32(last>>32&0xff|two>>48<<8|last>>48<<24))
}

// spread puts each byte of x into 16 bits.
func spread(x uint32) uint64 {
	w := uint64(x)
	w = (w | w<<16) & 0x0000ffff0000ffff
	return (w | w<<8) & 0x00ff00ff00ff00ff
}

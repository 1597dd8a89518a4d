package codec

import (
	"bytes"
	"math/bits"
)

// hz is HZ, RFC 1843: GB 2312 between "~{" and "~}". Like ISO-2022-JP it
// takes line ends and other controls for themselves in any state, and a line
// end returns to ASCII.
//
// What x/text reads is more than GB 2312: GBK's characters between A1A1 and
// FDFE, the euro sign among them. All are written, too.
type hz struct {
	dec *[128 << 8]pair // by two bytes, the second with its top bit
	enc *[1 << 16]uint16
}

func newHZ(c *Charset) hz {
	m := hz{new([128 << 8]pair), new([1 << 16]uint16)}
	fill7(m.dec, m.enc, sourceOf(c.Encoding), setGB2312)
	return m
}

// fill7 fills the tables of a set of 94 by 94 characters. Of two codes for one
// character the lower one is written.
func fill7(dec *[128 << 8]pair, enc *[1 << 16]uint16, src source, set uint32) {
	for c := uint16(0x2121); c <= 0x7e7e; c++ {
		if c&0xff < 0x21 || c&0xff > 0x7e {
			continue
		}
		r, r2 := src.decode(set | uint32(c))
		if r == 0 || r2 != 0 {
			continue
		}
		dec[c|0x80] = pairOf(r, 2)
		if enc != nil && enc[r] == 0 {
			enc[r] = c
		}
	}
}

const (
	hzASCII uint8 = iota
	hzGB
)

func (hz) start(st *state) { st.mode = hzASCII }
func (hz) unit() int       { return 1 }

func (hz) plain(st *state, b []byte) int {
	if st.mode != hzASCII {
		return 0
	}
	return noTildeLen(b[:asciiLen(b)])
}

// block bounds what is looked at twice in front of a tilde: a stream of nothing
// else would cost the square of its length.
const block = 256

func copyNoTilde(dst, src []byte) int {
	i := 0
	for {
		n := copyASCII(dst[i:], src[i:min(len(src), i+block)])
		k := noTildeLen(src[i : i+n])
		i += k
		if k < block {
			return i
		}
	}
}

func noTildeLen(b []byte) int {
	if i := bytes.IndexByte(b, '~'); i >= 0 {
		return i
	}
	return len(b)
}

func (m hz) decodeChar(st *state, src []byte) char {
	c0 := src[0]
	switch {
	case c0 >= 0x80:
		return char{v: isBad, size: 1}
	case c0 == '~':
		return m.decodeTilde(st, src)
	case c0 == '\n':
		st.mode = hzASCII
		return char{r: '\n', size: 1}
	case c0 < 0x20 || st.mode == hzASCII:
		return char{r: rune(c0), size: 1}
	case c0 == 0x20 || c0 == 0x7f:
		return char{v: isBad, size: 1}
	case len(src) == 1:
		return char{v: isShort, size: 1}
	case src[1] < 0x21 || src[1] > 0x7e:
		return char{v: isBad, size: 1}
	}
	p := m.dec[uint(c0)<<8|uint(src[1]|0x80)]
	if p == 0 {
		return char{v: isBad, size: 2}
	}
	return char{r: p.rune(), size: 2}
}

func (hz) decodeTilde(st *state, src []byte) char {
	if len(src) == 1 {
		return char{v: isShort, size: 1}
	}
	switch src[1] {
	case '{':
		st.mode = hzGB
	case '}':
		st.mode = hzASCII
	case '\n':
		// A line end that the text does not have.
	case '~':
		return char{r: '~', size: 2}
	default:
		return char{v: isBad, size: 1}
	}
	return char{v: isShift, size: 2}
}

// decodeRun goes past an escape sequence if a character that it converts follows.
func (m hz) decodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	for {
		if st.mode == hzASCII {
			n := copyNoTilde(dst[nDst:], src[nSrc:])
			nDst += n
			nSrc += n
			if nSrc+4 > len(src) || nDst+4 > len(dst) || load16(src, nSrc) != '~'|'{'<<8 || m.entry(load16(src, nSrc+2)) == 0 {
				return nDst, nSrc
			}
			st.mode = hzGB
			nSrc += 2
		}
		for nSrc+2 <= len(src) && nDst+4 <= len(dst) {
			p := m.entry(load16(src, nSrc))
			if p == 0 {
				break
			}
			store32(dst, nDst, uint32(p))
			nDst += int(p >> 24 & 0xf)
			nSrc += 2
		}
		if nSrc+3 > len(src) || nDst == len(dst) || load16(src, nSrc) != '~'|'}'<<8 || src[nSrc+2]-' ' >= '~'-' ' {
			return nDst, nSrc
		}
		st.mode = hzASCII
		nSrc += 2
	}
}

// entry returns what two bytes, in little-endian order, are in the set of GB, or 0. '~'
// begins no character.
func (m hz) entry(w uint16) pair {
	c0, c1 := byte(w), byte(w>>8)
	if c0-0x21 >= 0x5d || c1-0x21 >= 0x5e {
		return 0
	}
	return m.dec[uint(c0)<<8|uint(c1|0x80)]
}

func (hz) shiftTo(st *state, dst []byte, mode uint8) int {
	if st.mode == mode {
		return 0
	}
	st.mode = mode
	if mode == hzGB {
		return copy(dst, "~{")
	}
	return copy(dst, "~}")
}

func (m hz) encodeRune(st *state, dst []byte, r rune) int {
	if r < 0x80 {
		n := m.shiftTo(st, dst, hzASCII)
		if r == '~' {
			dst[n] = '~'
			n++
		}
		dst[n] = byte(r)
		return n + 1
	}
	if r >= 1<<16 {
		return 0
	}
	v := m.enc[r]
	if v == 0 {
		return 0
	}
	n := m.shiftTo(st, dst, hzGB)
	store16(dst, n, bits.ReverseBytes16(v))
	return n + 2
}

func (m hz) encodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	for {
		if st.mode == hzASCII {
			n := copyNoTilde(dst[nDst:], src[nSrc:])
			nDst += n
			nSrc += n
		}
		for {
			if nSrc+3 > len(src) || nDst+4 > len(dst) {
				return nDst, nSrc
			}
			c0, c1, c2 := src[nSrc], src[nSrc+1], src[nSrc+2]
			if c0 < 0x80 {
				if c0 == '~' {
					return nDst, nSrc
				}
				nDst += m.shiftTo(st, dst[nDst:], hzASCII)
				dst[nDst] = c0
				nDst++
				nSrc++
				break
			}
			r := uint(c0&0xf)<<12 | uint(c1&0x3f)<<6 | uint(c2&0x3f)
			if c0-0xe0 >= 0x10 || c1&0xc0 != 0x80 || c2&0xc0 != 0x80 || r < 0x800 {
				return nDst, nSrc
			}
			v := m.enc[r]
			if v == 0 {
				return nDst, nSrc
			}
			nDst += m.shiftTo(st, dst[nDst:], hzGB)
			store16(dst, nDst, bits.ReverseBytes16(v))
			nDst += 2
			nSrc += 3
		}
	}
}

func (m hz) finish(st *state, dst []byte) int {
	return m.shiftTo(st, dst, hzASCII)
}

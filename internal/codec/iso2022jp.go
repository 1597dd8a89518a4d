package codec

import "math/bits"

// iso2022jp is ISO-2022-JP, RFC 1468, with the sets that x/text also reads:
// JIS X 0212, half-width katakana, and JIS X 0201 Roman. It writes JIS X 0212
// never.
//
// Whatever a damaged stream says, ESC, CR, LF and the other controls are taken
// for themselves, and LF returns to ASCII, so it gets into step again at the
// end of the line.
type iso2022jp struct {
	dec  [128 << 8]pair // JIS X 0208, by two bytes, the second with its top bit
	dec2 [128 << 8]pair // JIS X 0212
	enc  [1 << 16]uint16
}

func newISO2022JP(c *Charset) *iso2022jp {
	m := new(iso2022jp)
	src := sourceOf(c.Encoding)
	fill7(&m.dec, &m.enc, src, setJIS0208)
	fill7(&m.dec2, nil, src, setJIS0212)
	m.enc['¥'], m.enc['‾'] = 0, 0 // Roman has them
	return m
}

const (
	jisASCII uint8 = iota
	jisRoman
	jisKatakana
	jis0208
	jis0212
)

var jisEscapes = [...]struct {
	seq  string
	mode uint8
}{
	{"\x1b(B", jisASCII},
	{"\x1b(J", jisRoman},
	{"\x1b(I", jisKatakana},
	{"\x1b$B", jis0208},
	{"\x1b$@", jis0208}, // the edition of 1978
	{"\x1b$(D", jis0212},
}

const (
	esc = 0x1b
	so  = 0x0e
	si  = 0x0f
)

// shifts reports whether c is one of the controls that ISO 2022 gives a
// meaning to: as text they would let a writer change the set of what follows.
func shifts(c byte) bool { return c == esc || c == so || c == si }

func (*iso2022jp) start(st *state) { st.mode = jisASCII }
func (*iso2022jp) unit() int       { return 1 }

func (*iso2022jp) plain(st *state, b []byte) int {
	if st.mode != jisASCII {
		return 0
	}
	return noShiftLen(b)
}

// shiftMask flags the bytes of w that are not ASCII, or one of ESC, SO and SI.
// The lowest flag is right, which is all that counts: a subtraction borrows
// from the bytes above a 0.
func shiftMask(w uint64) uint64 {
	const ones = 0x0101010101010101
	e := w ^ esc*ones
	s := w&(0xfe*ones) ^ so*ones // SO and SI
	return ((e - ones) | (s - ones) | w) & asciiMask
}

func noShiftLen(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if w := shiftMask(load64(b, i)); w != 0 {
			return i + bits.TrailingZeros64(w)>>3
		}
	}
	for ; i < len(b) && b[i] < 0x80 && !shifts(b[i]); i++ {
	}
	return i
}

// copyNoShift copies what noShiftLen counts and has room. Bytes of dst behind
// the result may be overwritten.
func copyNoShift(dst, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	i := 0
	for ; i+8 <= n && i < 32; i += 8 { // the text between two others is short
		w := load64(src, i)
		store64(dst, i, w)
		if w = shiftMask(w); w != 0 {
			return i + bits.TrailingZeros64(w)>>3
		}
	}
	for ; i+32 <= n; i += 32 {
		s, d := src[i:i+32:i+32], dst[i:i+32:i+32]
		a, b, c, e := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		if shiftMask(a)|shiftMask(b)|shiftMask(c)|shiftMask(e) != 0 {
			break
		}
		le.PutUint64(d, a)
		le.PutUint64(d[8:], b)
		le.PutUint64(d[16:], c)
		le.PutUint64(d[24:], e)
	}
	for ; i+8 <= n; i += 8 {
		w := load64(src, i)
		store64(dst, i, w)
		if w = shiftMask(w); w != 0 {
			return i + bits.TrailingZeros64(w)>>3
		}
	}
	for ; i < n && src[i] < 0x80 && !shifts(src[i]); i++ {
		dst[i] = src[i]
	}
	return i
}

func (m *iso2022jp) decodeChar(st *state, src []byte) char {
	c0 := src[0]
	switch {
	case c0 == esc:
		return m.decodeEscape(st, src)
	case c0 >= 0x80 || shifts(c0):
		return char{v: isBad, size: 1}
	case c0 == '\n':
		st.mode = jisASCII
		return char{r: '\n', size: 1}
	case c0 < 0x20 || st.mode == jisASCII:
		return char{r: rune(c0), size: 1}
	}
	switch st.mode {
	case jisRoman:
		switch c0 {
		case '\\':
			return char{r: '¥', size: 1}
		case '~':
			return char{r: '‾', size: 1}
		}
		return char{r: rune(c0), size: 1}
	case jisKatakana:
		if c0 < 0x21 || c0 >= 0x60 {
			return char{v: isBad, size: 1}
		}
		return char{r: rune(c0) - 0x21 + '｡', size: 1}
	}
	switch {
	case c0 == 0x20 || c0 == 0x7f:
		return char{v: isBad, size: 1}
	case len(src) == 1:
		return char{v: isShort, size: 1}
	case src[1] < 0x21 || src[1] > 0x7e:
		return char{v: isBad, size: 1}
	}
	table := &m.dec
	if st.mode == jis0212 {
		table = &m.dec2
	}
	p := table[uint(c0)<<8|uint(src[1]|0x80)]
	if p == 0 {
		return char{v: isBad, size: 2}
	}
	return char{r: p.rune(), size: 2}
}

func (*iso2022jp) decodeEscape(st *state, src []byte) char {
	short := false
	for _, e := range jisEscapes {
		n := min(len(src), len(e.seq))
		if string(src[:n]) != e.seq[:n] {
			continue
		}
		if n == len(e.seq) {
			st.mode = e.mode
			return char{v: isShift, size: n}
		}
		short = true
	}
	if short {
		return char{v: isShort, size: 1}
	}
	return char{v: isBad, size: 1}
}

func (m *iso2022jp) decodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	i := 0 // ahead of nSrc by an escape sequence at most
	mode := st.mode
	for {
		switch mode {
		case jisASCII:
			n := copyNoShift(dst[nDst:], src[i:])
			nDst += n
			i += n
			if n > 0 {
				nSrc, st.mode = i, mode
			}
		case jis0208:
			for i+2 <= len(src) && nDst+4 <= len(dst) {
				c0, c1 := src[i], src[i+1]
				if c0-0x21 >= 0x5e || c1-0x21 >= 0x5e {
					break
				}
				p := m.dec[uint(c0)<<8|uint(c1|0x80)]
				if p == 0 {
					break
				}
				store32(dst, nDst, uint32(p))
				nDst += int(p >> 24 & 0xf)
				i += 2
				nSrc, st.mode = i, mode
			}
		}
		// The two shifts of most texts; text must follow, see machine.
		if i != nSrc || i+3 > len(src) || src[i] != esc {
			return nDst, nSrc
		}
		switch string(src[i : i+3]) {
		case "\x1b$B":
			mode = jis0208
		case "\x1b(B":
			mode = jisASCII
		default:
			return nDst, nSrc
		}
		i += 3
	}
}

// shiftTo writes the escape sequence that puts mode in force.
func (*iso2022jp) shiftTo(st *state, dst []byte, mode uint8) int {
	if st.mode == mode {
		return 0
	}
	st.mode = mode
	return copy(dst, jisEscapes[mode].seq)
}

func (m *iso2022jp) encodeRune(st *state, dst []byte, r rune) int {
	switch {
	case r < 0x80:
		if shifts(byte(r)) {
			return 0
		}
		n := m.shiftTo(st, dst, jisASCII)
		dst[n] = byte(r)
		return n + 1
	case r == '¥' || r == '‾':
		n := m.shiftTo(st, dst, jisRoman)
		dst[n] = '\\'
		if r == '‾' {
			dst[n] = '~'
		}
		return n + 1
	case '｡' <= r && r <= 'ﾟ':
		n := m.shiftTo(st, dst, jisKatakana)
		dst[n] = byte(r - '｡' + 0x21)
		return n + 1
	case r >= 1<<16 || m.enc[r] == 0:
		return 0
	}
	n := m.shiftTo(st, dst, jis0208)
	be.PutUint16(dst[n:], m.enc[r])
	return n + 2
}

func (m *iso2022jp) encodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	// The escape sequences, written with a byte too many.
	const toASCII, toJIS0208 = esc | '('<<8 | 'B'<<16, esc | '$'<<8 | 'B'<<16
	mode := st.mode
	defer func() { st.mode = mode }()
	for {
		if mode == jisASCII {
			n := copyNoShift(dst[nDst:], src[nSrc:])
			nDst += n
			nSrc += n
		}
		for nSrc+4 <= len(src) && nDst+5 <= len(dst) {
			w := load32(src, nSrc)
			if !isThree(w) {
				break
			}
			v := m.enc[three(w)]
			if v == 0 {
				break
			}
			if mode != jis0208 {
				store32(dst, nDst, toJIS0208)
				nDst += 3
				mode = jis0208
			}
			store16(dst, nDst, bits.ReverseBytes16(v))
			nDst += 2
			nSrc += 3
		}
		for {
			if nSrc+3 > len(src) || nDst+5 > len(dst) {
				return nDst, nSrc
			}
			c0, c1, c2 := src[nSrc], src[nSrc+1], src[nSrc+2]
			if c0 < 0x80 {
				if shifts(c0) {
					return nDst, nSrc
				}
				if mode == jisASCII {
					break
				}
				store32(dst, nDst, toASCII)
				dst[nDst+3] = c0
				nDst += 4
				nSrc++
				mode = jisASCII
				break
			}
			var r uint
			size := 3
			if c0-0xe0 < 0x10 {
				r = uint(c0&0xf)<<12 | uint(c1&0x3f)<<6 | uint(c2&0x3f)
				if c1&0xc0 != 0x80 || c2&0xc0 != 0x80 || r < 0x800 {
					return nDst, nSrc
				}
			} else if c0-0xc2 < 0x1e && c1&0xc0 == 0x80 {
				r = uint(c0&0x1f)<<6 | uint(c1&0x3f)
				size = 2
			} else {
				return nDst, nSrc
			}
			v := m.enc[r]
			if v == 0 {
				return nDst, nSrc
			}
			if mode != jis0208 {
				store32(dst, nDst, toJIS0208)
				nDst += 3
				mode = jis0208
			}
			store16(dst, nDst, bits.ReverseBytes16(v))
			nDst += 2
			nSrc += size
		}
	}
}

func (m *iso2022jp) finish(st *state, dst []byte) int {
	return m.shiftTo(st, dst, jisASCII)
}

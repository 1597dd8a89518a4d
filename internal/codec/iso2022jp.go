package codec

// iso2022jp is ISO-2022-JP, RFC 1468, with the sets that x/text also reads:
// JIS X 0212, half-width katakana, and JIS X 0201 Roman. It writes JIS X 0212
// never.
//
// Whatever a damaged stream says, ESC, CR, LF and the other controls are taken
// for themselves, and LF returns to ASCII, so it gets into step again at the
// end of the line.
type iso2022jp struct{ euc *double }

func newISO2022JP() iso2022jp { return iso2022jp{eucJPTables()} }

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

func (iso2022jp) start(st *state) { st.mode = jisASCII }
func (iso2022jp) unit() int       { return 1 }

func (iso2022jp) plain(st *state, b []byte) int {
	if st.mode != jisASCII {
		return 0
	}
	return noShiftLen(b[:asciiLen(b)])
}

// block bounds what is looked at twice in front of a byte that ends a run:
// a stream of nothing else would cost the square of its length.
const block = 256

func copyNoShift(dst, src []byte) int {
	i := 0
	for {
		n := copyASCII(dst[i:], src[i:min(len(src), i+block)])
		k := noShiftLen(src[i : i+n])
		i += k
		if k < block {
			return i
		}
	}
}

func noShiftLen(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		// Bytes below 0x20 borrow into their top bit, all of b being ASCII.
		if w := le.Uint64(b[i:]); (w-0x2020202020202020)&asciiMask != 0 {
			for _, c := range b[i : i+8] {
				if shifts(c) {
					break
				}
				i++
			}
			if i < len(b) && shifts(b[i]) {
				return i
			}
			i -= 8
		}
	}
	for ; i < len(b) && !shifts(b[i]); i++ {
	}
	return i
}

func (m iso2022jp) decodeChar(st *state, src []byte) char {
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
	if st.mode == jis0212 {
		st.tmp[5], st.tmp[6], st.tmp[7] = 0x8f, c0|0x80, src[1]|0x80
		c := m.euc.decodeThree(st, st.tmp[5:])
		c.size = 2
		return c
	}
	p := m.euc.dec[uint(c0)<<8|uint(src[1]|0x80)]
	if p == 0 {
		return char{v: isBad, size: 2}
	}
	return char{r: p.rune(), size: 2}
}

func (iso2022jp) decodeEscape(st *state, src []byte) char {
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

func (m iso2022jp) decodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	switch st.mode {
	case jisASCII:
		n := copyNoShift(dst, src)
		return n, n
	case jis0208:
		for nSrc+2 <= len(src) && nDst+4 <= len(dst) {
			c0, c1 := src[nSrc], src[nSrc+1]
			if c0-0x21 >= 0x5e || c1-0x21 >= 0x5e {
				break
			}
			p := m.euc.dec[uint(c0)<<8|uint(c1|0x80)]
			if p == 0 {
				break
			}
			le.PutUint32(dst[nDst:], uint32(p))
			nDst += int(p >> 24 & 0xf)
			nSrc += 2
		}
	}
	return nDst, nSrc
}

// shiftTo writes the escape sequence that puts mode in force.
func (iso2022jp) shiftTo(st *state, dst []byte, mode uint8) int {
	if st.mode == mode {
		return 0
	}
	st.mode = mode
	return copy(dst, jisEscapes[mode].seq)
}

func (m iso2022jp) encodeRune(st *state, dst []byte, r rune) int {
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
	case r >= 1<<16 || m.euc.enc[r]&0x8080 != 0x8080:
		return 0
	}
	n := m.shiftTo(st, dst, jis0208)
	be.PutUint16(dst[n:], m.euc.enc[r]&0x7f7f)
	return n + 2
}

func (m iso2022jp) encodeRun(st *state, dst, src []byte) (nDst, nSrc int) {
	for {
		if st.mode == jisASCII {
			n := copyNoShift(dst[nDst:], src[nSrc:])
			nDst += n
			nSrc += n
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
				nDst += m.shiftTo(st, dst[nDst:], jisASCII)
				dst[nDst] = c0
				nDst++
				nSrc++
				break
			}
			var r uint
			size := 3
			switch {
			case c0-0xe0 < 0x10:
				r = uint(c0&0xf)<<12 | uint(c1&0x3f)<<6 | uint(c2&0x3f)
				if c1&0xc0 != 0x80 || c2&0xc0 != 0x80 || r < 0x800 {
					return nDst, nSrc
				}
			case c0-0xc2 < 0x1e && c1&0xc0 == 0x80:
				r = uint(c0&0x1f)<<6 | uint(c1&0x3f)
				size = 2
			default:
				return nDst, nSrc
			}
			v := m.euc.enc[r]
			if v&0x8080 != 0x8080 || r == 0xa5 || r == 0x203e || v>>8 == 0x8e {
				return nDst, nSrc
			}
			if st.mode != jis0208 {
				nDst += m.shiftTo(st, dst[nDst:], jis0208)
			}
			be.PutUint16(dst[nDst:], v&0x7f7f)
			nDst += 2
			nSrc += size
		}
	}
}

func (m iso2022jp) finish(st *state, dst []byte) int {
	return m.shiftTo(st, dst, jisASCII)
}

package codec

import "math/bits"

// pair is an entry whose top byte also has the number of wire bytes, in its
// upper half.
type pair uint32

// pairOfTwo is set in the entries of two wire bytes, and in no others.
const pairOfTwo pair = 2 << 28

func pairOf(r rune, size int) pair { return pair(entryOf(r)) | pair(size)<<28 }

func (p pair) rune() rune { return entry(p & 0x0fffffff).rune() }

// double is an ASCII superset of one and two bytes per character; some have
// three or four. The tables are lead by trail byte and rune to code, 0 where
// there is none.
type double struct {
	dec   [128 << 8]pair
	enc   [1 << 16]uint16
	lead  [128]bool // begins a character of more than one byte
	trail [256]bool // ends one of two bytes
	long  longForm
	// Characters of more than two bytes, by their number, and the numbers, plus
	// one, by rune.
	longDec []uint16
	longEnc *[1 << 16]uint16
	// GB 18030: the two bytes, in the order of a little-endian store, that a half
	// of a number makes: 126 values of the first by 10 of the second.
	half *[1 << 11]uint16
	// What does not fit into dec and enc: characters behind the basic plane and
	// codes of two characters, of which Big5 has some.
	rareDec map[uint16][2]rune
	rareEnc map[rune]uint16
}

// longForm says which characters of more than two bytes there are.
type longForm uint8

const (
	noLong   longForm = iota
	gb18030           // 81..FE 30..39 81..FE 30..39
	threeEUC          // 8F A1..FE A1..FE
)

// newDouble makes the tables of c. They are what its source has, mended where that
// does not follow the encoding's own standard; whatever they are, a code that is not
// decoded to the same rune is not encoded.
func newDouble(c *Charset) *double {
	src := sourceOf(c.Encoding)
	m := new(double)
	for lead := 0x80; lead < 0x100; lead++ {
		row := m.dec[lead&0x7f<<8:][:256]
		if r, r2 := src.decode(uint32(lead)); r != 0 && r2 == 0 {
			for trail := range row {
				row[trail] = pairOf(r, 1)
			}
			continue
		}
		for trail := 0x21; trail < 0x100; trail++ {
			code := uint16(lead<<8 | trail)
			if r, r2 := src.decode(uint32(code)); r != 0 {
				m.set(code, r, r2)
			}
		}
	}
	switch c.Name {
	case "shift_jis":
		m.addShiftJISUser()
	case "gbk":
		m.addGBKUser(true)
	case "gb18030":
		m.addGBKUser(true)
		m.addFourBytes(true)
	case "gb18030-2005":
		m.addGBKUser(false)
		m.addFourBytes(false)
	}
	m.invert(src)
	switch c.Name {
	case "shift_jis":
		m.preferIBM()
	case "euc-jp":
		m.addThreeBytes(src)
	}
	return m
}

// set makes code, of two bytes, stand for r and, unless it is 0, r2.
func (m *double) set(code uint16, r, r2 rune) {
	lead := code >> 8 & 0x7f
	m.lead[lead] = true
	m.trail[code&0xff] = true
	if r2 == 0 && r < 1<<16 {
		m.dec[lead<<8|code&0xff] = pairOf(r, 2)
		return
	}
	if m.rareDec == nil {
		m.rareDec = make(map[uint16][2]rune)
	}
	m.rareDec[code] = [2]rune{r, r2}
}

// invert fills the encoder's tables. Of two codes for one rune it takes the one
// that src takes, which is WHATWG's choice, or else the lower.
func (m *double) invert(src source) {
	learn := func(code uint16, r rune) {
		if r >= 1<<16 && m.rareEnc == nil {
			m.rareEnc = make(map[rune]uint16)
		}
		if m.code(r) != 0 {
			return
		}
		if best := src.encode(r); best != 0 && m.rune(best) == r {
			code = best
		}
		if r < 1<<16 {
			m.enc[r] = code
		} else {
			m.rareEnc[r] = code
		}
	}
	for i, p := range m.dec {
		switch {
		case p == 0:
		case p>>28 == 2:
			learn(0x8000|uint16(i), p.rune())
		case i&0xff == 0:
			learn(0x80|uint16(i>>8), p.rune())
		}
	}
	for code, r := range m.rareDec {
		if r[1] == 0 {
			learn(code, r[0])
		}
	}
}

// code returns the code of r of up to two bytes, or 0.
func (m *double) code(r rune) uint16 {
	if r < 1<<16 {
		return m.enc[r]
	}
	return m.rareEnc[r]
}

// rune returns the rune of a code of up to two bytes, or 0.
func (m *double) rune(code uint16) rune {
	if code < 0x100 {
		if p := m.dec[code&0x7f<<8]; p>>28 == 1 {
			return p.rune()
		}
		return 0
	}
	if p := m.dec[code&0x7fff]; p != 0 {
		return p.rune()
	}
	if r := m.rareDec[code]; r[1] == 0 {
		return r[0]
	}
	return 0
}

func (*double) start(*state)                 {}
func (*double) plain(_ *state, b []byte) int { return asciiLen(b) }
func (*double) finish(*state, []byte) int    { return 0 }
func (*double) unit() int                    { return 1 }

func (m *double) decodeChar(_ *state, src []byte) char {
	c0 := src[0]
	if c0 < 0x80 {
		return char{r: rune(c0), size: 1}
	}
	row := m.dec[int(c0&0x7f)<<8:][:256]
	if p := row[0]; p != 0 { // a character of one byte has all of its row
		return char{r: p.rune(), size: 1}
	}
	if !m.lead[c0&0x7f] {
		return char{v: isBad, size: 1}
	}
	if len(src) < 2 {
		return char{v: isShort, size: 1}
	}
	c1 := src[1]
	if p := row[c1]; p != 0 {
		return char{r: p.rune(), size: 2}
	}
	switch {
	case m.long == gb18030 && '0' <= c1 && c1 <= '9':
		return m.decodeFour(src)
	case m.long == threeEUC && c0 == 0x8f:
		return m.decodeThree(src)
	}
	if r := m.rareDec[be.Uint16(src)]; r[0] != 0 {
		return char{r: r[0], r2: r[1], size: 2}
	}
	if c1 < 0x80 || !m.trail[c1] {
		return char{v: isBad, size: 1} // the second byte is text of its own
	}
	return char{v: isBad, size: 2}
}

func (m *double) decodeRun(_ *state, dst, src []byte) (nDst, nSrc int) {
	for {
		n := copyWord(dst[nDst:], src[nSrc:])
		if n == 8 {
			n += copyASCII(dst[nDst+8:], src[nSrc+8:])
		}
		nSrc += n
		nDst += n
		for nSrc+4 <= len(src) && nDst+8 <= len(dst) {
			w := load32(src, nSrc)
			p0 := m.dec[w&0x7f<<8|w>>8&0xff]
			p1 := m.dec[w>>8&0x7f00|w>>24]
			if w&0x800080 != 0x800080 || p0&p1&pairOfTwo == 0 {
				break
			}
			d := dst[nDst : nDst+8 : nDst+8]
			le.PutUint32(d, uint32(p0))
			le.PutUint32(d[p0>>24&3:], uint32(p1))
			nDst += int((p0>>24 + p1>>24) & 0xf)
			nSrc += 4
		}
		for {
			if nSrc+2 > len(src) || nDst+4 > len(dst) {
				return nDst, nSrc
			}
			c := src[nSrc]
			if c < 0x80 {
				break
			}
			p := m.dec[uint(c&0x7f)<<8|uint(src[nSrc+1])]
			if p == 0 {
				nd, ns := m.decodeLongRun(dst[nDst:], src[nSrc:])
				if ns == 0 {
					return nDst, nSrc
				}
				nDst += nd
				nSrc += ns
				continue
			}
			store32(dst, nDst, uint32(p))
			nDst += int(p >> 24 & 0xf)
			// A branch, which is predicted: the next load need not wait for
			// the table.
			if p>>28 == 1 {
				nSrc++
			} else {
				nSrc += 2
			}
		}
	}
}

func (m *double) encodeRune(_ *state, dst []byte, r rune) int {
	if r < 0x80 {
		dst[0] = byte(r)
		return 1
	}
	switch v := m.code(r); {
	case v >= 0x100:
		be.PutUint16(dst, v)
		return 2
	case v != 0:
		dst[0] = byte(v)
		return 1
	}
	if m.longEnc == nil {
		return 0
	}
	return m.encodeLong(dst, r)
}

func (m *double) encodeRun(_ *state, dst, src []byte) (nDst, nSrc int) {
	for {
		n := copyWord(dst[nDst:], src[nSrc:])
		if n == 8 {
			n += copyASCII(dst[nDst+8:], src[nSrc+8:])
		}
		nSrc += n
		nDst += n
		for nSrc+8 <= len(src) && nDst+4 <= len(dst) {
			w := load64(src, nSrc)
			if !isThree(uint32(w)) {
				break
			}
			v0 := m.enc[three(uint32(w))]
			if v0 < 0x100 {
				break
			}
			v1 := m.enc[three(uint32(w>>24))]
			if !isThree(uint32(w>>24)) || v1 < 0x100 {
				store16(dst, nDst, bits.ReverseBytes16(v0))
				nDst += 2
				nSrc += 3
				break
			}
			store32(dst, nDst, bits.ReverseBytes32(uint32(v0)<<16|uint32(v1)))
			nDst += 4
			nSrc += 6
		}
		for {
			if nSrc+3 > len(src) || nDst+2 > len(dst) {
				return nDst, nSrc
			}
			c0, c1, c2 := src[nSrc], src[nSrc+1], src[nSrc+2]
			if c0 < 0x80 {
				break
			}
			var r uint
			var size int
			switch {
			case c0-0xe0 < 0x10:
				// A surrogate and an overlong form have no code: they are
				// not in the table, or below 0x800 and tested.
				r = uint(c0&0xf)<<12 | uint(c1&0x3f)<<6 | uint(c2&0x3f)
				if c1&0xc0 != 0x80 || c2&0xc0 != 0x80 || r < 0x800 {
					return nDst, nSrc
				}
				size = 3
			case c0-0xc2 < 0x1e:
				r = uint(c0&0x1f)<<6 | uint(c1&0x3f)
				if c1&0xc0 != 0x80 {
					return nDst, nSrc
				}
				size = 2
			default:
				size = 0
			}
			var v uint16
			if size > 0 {
				v = m.enc[r]
			}
			if v >= 0x100 {
				store16(dst, nDst, bits.ReverseBytes16(v))
				nDst += 2
			} else if v != 0 {
				dst[nDst] = byte(v)
				nDst++
			} else {
				nd, ns := m.encodeLongRun(dst[nDst:], src[nSrc:])
				if ns == 0 {
					return nDst, nSrc
				}
				nDst += nd
				nSrc += ns
				continue
			}
			nSrc += size
		}
	}
}

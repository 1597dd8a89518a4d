package codec

import (
	"math/bits"
	"unicode/utf8"
)

// entry is the UTF-8 of a character of the basic plane in the order of a
// little-endian store, with its length in the top byte. 0 means that there is
// none.
type entry uint32

func entryOf(r rune) entry {
	var b [4]byte
	n := utf8.EncodeRune(b[:], r)
	return entry(le.Uint32(b[:])) | entry(n)<<24
}

func (e entry) rune() rune {
	var b [4]byte
	le.PutUint32(b[:], uint32(e))
	r, _ := utf8.DecodeRune(b[:e>>24])
	return r
}

// single is an encoding of one byte per character.
type single struct {
	ascii  bool      // ASCII is encoded as itself
	direct [256]byte // what an ASCII character's byte decodes to; 0x80 for the others
	dec    [256]entry
	wide   [256]uint64 // dec, with eight times the length in the top byte
	enc    runeTable
	runes  *shortTable

	fromASCII  [256]byte // the codes of ASCII
	lacksASCII bool      // not all of ASCII is there: some EBCDIC pages lack "`" or small letters
}

func newSingle(c *Charset) *single {
	m := &single{ascii: true, runes: shortRunes()}
	for i, r := range singleTable(c) {
		m.direct[i] = 0x80
		m.ascii = m.ascii && (i >= 0x80 || r == rune(i))
		if r == runeError {
			continue
		}
		m.dec[i] = entryOf(r)
		m.wide[i] = uint64(m.dec[i]&0xffffff) | uint64(m.dec[i]>>24)<<59
		if r < 0x80 {
			m.direct[i] = byte(r)
		}
		// Of two bytes for one character the encoder takes the lower.
		if m.enc.get(r) == 0 {
			m.enc.set(r, 0x100|uint16(i))
			if r < 0x80 {
				m.fromASCII[r] = byte(i)
			}
		}
	}
	for r := range rune(0x80) {
		m.lacksASCII = m.lacksASCII || m.enc.get(r) == 0
	}
	return m
}

// runeTable maps the runes of the basic plane to what is not 0. Most sets are
// in a few rows of 256.
type runeTable struct {
	low  [0x800]uint16 // what UTF-8 writes with up to two bytes
	row  [256]uint8
	rows [][256]uint16
}

func (t *runeTable) set(r rune, v uint16) {
	if r < 0x800 {
		t.low[r] = v
		return
	}
	i := t.row[r>>8]
	if i == 0 {
		if t.rows == nil {
			t.rows = make([][256]uint16, 1)
		}
		i = uint8(len(t.rows))
		t.row[r>>8] = i
		t.rows = append(t.rows, [256]uint16{})
	}
	t.rows[i][r&0xff] = v
}

func (t *runeTable) get(r rune) uint16 {
	switch {
	case r < 0x800:
		return t.low[r]
	case r < 0x10000:
		if i := t.row[r>>8]; i != 0 {
			return t.rows[i][r&0xff]
		}
	}
	return 0
}

func (m *single) start(*state)              {}
func (m *single) finish(*state, []byte) int { return 0 }
func (m *single) unit() int                 { return 1 }

func (m *single) plain(_ *state, b []byte) int {
	if !m.ascii {
		return 0
	}
	return asciiLen(b)
}

func (m *single) decodeChar(_ *state, src []byte) char {
	e := m.dec[src[0]]
	if e == 0 {
		return char{v: isBad, size: 1}
	}
	return char{r: e.rune(), size: 1}
}

func (m *single) encodeRune(_ *state, dst []byte, r rune) int {
	c := m.enc.get(r)
	if c == 0 {
		return 0
	}
	dst[0] = byte(c)
	return 1
}

func (m *single) decodeRun(_ *state, dst, src []byte) (nDst, nSrc int) {
	if m.ascii {
		nDst, nSrc = m.decodeSuperset(dst, src)
	} else {
		nDst, nSrc = m.decodeOther(dst, src)
	}
	for nSrc < len(src) && nDst+4 <= len(dst) {
		e := m.dec[src[nSrc]]
		if e == 0 {
			break
		}
		store32(dst, nDst, uint32(e))
		nDst += int(e >> 24)
		nSrc++
	}
	return nDst, nSrc
}

// decodeSuperset decodes as far as there is room for many characters.
//
// What is left to chance in its loop is as little as can be, since a wrong
// guess costs as much as ten characters. A word is stored as if it were ASCII,
// and the character behind its ASCII prefix by the table: that character may
// well be ASCII too. Words of mostly other characters go by the table at once.
func (m *single) decodeSuperset(dst, src []byte) (nDst, nSrc int) {
	nSrc = copyASCII(dst, src)
	nDst = nSrc
	for nSrc+16 <= len(src) && nDst+wordRoom <= len(dst) {
		s := src[nSrc : nSrc+16 : nSrc+16]
		d := dst[nDst : nDst+wordRoom : nDst+wordRoom]
		w := le.Uint64(s)
		high := w & asciiMask
		if bits.OnesCount64(high) > 2 {
			n := m.decode8((*[wordRoom]byte)(d), w)
			if n == 0 {
				return nDst, nSrc
			}
			nSrc += 8
			nDst += n
			continue
		}
		le.PutUint64(d, w)
		if high == 0 && le.Uint64(s[8:])&asciiMask == 0 {
			n := copyASCII(dst[nDst+8:], src[nSrc+8:]) + 8
			nSrc += n
			nDst += n
			continue
		}
		n := bits.TrailingZeros64(high) >> 3
		e := m.dec[s[n]]
		if e == 0 {
			return nDst + n, nSrc + n
		}
		le.PutUint32(d[n:], uint32(e))
		nSrc += n + 1
		nDst += n + int(e>>24)
	}
	return nDst, nSrc
}

// decodeOther is decodeSuperset for EBCDIC, where nothing can be told from the
// bytes.
func (m *single) decodeOther(dst, src []byte) (nDst, nSrc int) {
	// Text with some characters that are not ASCII has more of them near by,
	// so the next words are not even asked.
	mixed := 0
	for nSrc+8 <= len(src) && nDst+wordRoom <= len(dst) {
		s := src[nSrc : nSrc+8 : nSrc+8]
		d := dst[nDst : nDst+wordRoom : nDst+wordRoom]
		if mixed == 0 {
			if m.direct8(d, s) {
				nSrc += 8
				nDst += 8
				continue
			}
			mixed = 32
		}
		mixed--
		n := m.decode8((*[wordRoom]byte)(d), le.Uint64(s))
		if n == 0 {
			break
		}
		nSrc += 8
		nDst += n
	}
	return nDst, nSrc
}

// wordRoom is more than the stores of decode8 need, so that the compiler can see
// that it is enough.
const wordRoom = 40

// decode8 decodes the 8 bytes of w to d and returns the length of the text, or
// 0 if one is not in the table. It stores two characters at a time.
func (m *single) decode8(d *[wordRoom]byte, w uint64) int {
	t := &m.wide
	e0, e1, e2, e3 := t[w&0xff], t[w>>8&0xff], t[w>>16&0xff], t[w>>24&0xff]
	e4, e5, e6, e7 := t[w>>32&0xff], t[w>>40&0xff], t[w>>48&0xff], t[w>>56]
	// An entry of 0 borrows from the top bit; the others do not.
	if ((e0-1)|(e1-1)|(e2-1)|(e3-1)|(e4-1)|(e5-1)|(e6-1)|(e7-1))>>63 != 0 {
		return 0
	}
	le.PutUint64(d[:], e0|e1<<(e0>>56&63))
	n := (e0>>56 + e1>>56) >> 3
	le.PutUint64(d[n&15:], e2|e3<<(e2>>56&63))
	n += (e2>>56 + e3>>56) >> 3
	le.PutUint64(d[n&15:], e4|e5<<(e4>>56&63))
	n += (e4>>56 + e5>>56) >> 3
	le.PutUint64(d[n&31:], e6|e7<<(e6>>56&63))
	n += (e6>>56 + e7>>56) >> 3
	return int(n)
}

// direct8 decodes the 8 bytes of s to d, and reports whether they are ASCII.
func (m *single) direct8(d, s []byte) bool {
	t := &m.direct
	_, _ = d[7], s[7]
	a0, a1, a2, a3, a4, a5, a6, a7 := t[s[0]], t[s[1]], t[s[2]], t[s[3]], t[s[4]], t[s[5]], t[s[6]], t[s[7]]
	d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7] = a0, a1, a2, a3, a4, a5, a6, a7
	return (a0|a1|a2|a3|a4|a5|a6|a7)&0x80 == 0
}

func (m *single) encodeRun(_ *state, dst, src []byte) (nDst, nSrc int) {
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
func (m *single) encodeMixed(dst, src []byte) (nDst, nSrc int) {
	shorts := maxShorts
	for shorts > 0 {
		var n int
		if m.ascii {
			n = copyASCII(dst[nDst:], src[nSrc:])
		} else {
			n = m.encodeASCII(dst[nDst:], src[nSrc:])
		}
		nDst += n
		nSrc += n
		for {
			if nSrc+3 > len(src) || nDst >= len(dst) {
				n := m.encodeTail(dst[nDst:], src[nSrc:])
				if n.src == 0 {
					return nDst, nSrc
				}
				nDst += n.dst
				nSrc += n.src
				continue
			}
			var v uint16
			c0, c1 := src[nSrc], src[nSrc+1]
			size := 2
			if c0 < 0x80 {
				if m.lacksASCII && m.enc.low[c0] == 0 {
					return nDst, nSrc
				}
				break
			} else if c0-0xc2 < 0x1e {
				if c1&0xc0 != 0x80 {
					return nDst, nSrc
				}
				v = m.enc.low[uint(c0&0x1f)<<6|uint(c1&0x3f)]
				shorts--
			} else if c0-0xe0 < 0x10 {
				c2 := src[nSrc+2]
				if c1&0xc0 != 0x80 || c2&0xc0 != 0x80 {
					return nDst, nSrc
				}
				// Surrogates are not in the rows, nor is what is below 0x800,
				// as an overlong form would be.
				if i := m.enc.row[c0<<4|c1>>2&0xf]; i != 0 {
					v = m.enc.rows[i][c1<<6|c2&0x3f]
				}
				size = 3
			}
			if v == 0 {
				return nDst, nSrc
			}
			dst[nDst] = byte(v)
			nDst++
			nSrc += size
		}
	}
	return nDst, nSrc
}

// encodeShort encodes characters of up to two bytes, as far as there is room for many.
func (m *single) encodeShort(dst, src []byte) (nDst, nSrc int) {
	var runes shortBuffer
	t := &m.enc.low
	for nSrc < len(src) && nDst+shortPiece+8 <= len(dst) {
		piece := src[nSrc:min(nSrc+shortPiece+1, len(src))]
		n, ns := m.runes.encode(runes[:], piece)
		d := dst[nDst : nDst+shortPiece+8]
		has := uint16(0x100)
		for i := 0; i < n/2; i += 8 {
			w0, w1 := le.Uint64(runes[2*i:]), le.Uint64(runes[2*i+8:])
			v0, v1, v2, v3 := t[w0&0x7ff], t[w0>>16&0x7ff], t[w0>>32&0x7ff], t[w0>>48&0x7ff]
			v4, v5, v6, v7 := t[w1&0x7ff], t[w1>>16&0x7ff], t[w1>>32&0x7ff], t[w1>>48&0x7ff]
			d := d[i : i+8 : i+8]
			d[0], d[1], d[2], d[3] = byte(v0), byte(v1), byte(v2), byte(v3)
			d[4], d[5], d[6], d[7] = byte(v4), byte(v5), byte(v6), byte(v7)
			if has &= v0 & v1 & v2 & v3 & v4 & v5 & v6 & v7; has == 0 {
				// What is behind the last rune counts as well.
				return m.encodeEach(dst, src, nDst, nSrc, n/2)
			}
		}
		nDst += n / 2
		nSrc += ns
		if ns < shortPiece {
			break
		}
	}
	return nDst, nSrc
}

// encodeEach goes on with the next n characters of src, as far as they are there.
func (m *single) encodeEach(dst, src []byte, nDst, nSrc, n int) (int, int) {
	for ; n > 0; n-- {
		p := m.encodeTail(dst[nDst:], src[nSrc:])
		if p.src == 0 {
			break
		}
		nDst += p.dst
		nSrc += p.src
	}
	return nDst, nSrc
}

type progress struct{ dst, src int }

// encodeTail encodes one character near the end of src or dst.
func (m *single) encodeTail(dst, src []byte) progress {
	r, size := utf8.DecodeRune(src)
	if len(dst) == 0 || len(src) == 0 || r == runeError && size == 1 {
		return progress{}
	}
	v := m.enc.get(r)
	if v == 0 {
		return progress{}
	}
	dst[0] = byte(v)
	return progress{1, size}
}

// encodeASCII encodes the ASCII prefix of src that fits into dst. Bytes of dst
// behind the result may be overwritten.
func (m *single) encodeASCII(dst, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	t := &m.fromASCII
	i := 0
	if m.lacksASCII {
		for ; i < n && src[i] < 0x80 && m.enc.low[src[i]] != 0; i++ {
			dst[i] = t[src[i]]
		}
		return i
	}
	for ; i+8 <= n; i += 8 {
		s := src[i : i+8 : i+8]
		store64(dst, i, uint64(t[s[0]])|uint64(t[s[1]])<<8|uint64(t[s[2]])<<16|uint64(t[s[3]])<<24|
			uint64(t[s[4]])<<32|uint64(t[s[5]])<<40|uint64(t[s[6]])<<48|uint64(t[s[7]])<<56)
		if w := le.Uint64(s) & asciiMask; w != 0 { // t is 0 there
			return i + bits.TrailingZeros64(w)>>3
		}
	}
	for ; i < n && src[i] < 0x80; i++ {
		dst[i] = t[src[i]]
	}
	return i
}

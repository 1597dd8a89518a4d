package codec

import (
	"unicode/utf8"

	"golang.org/x/text/encoding"
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
	enc    runeTable
}

func newSingle(enc encoding.Encoding) *single {
	m := &single{ascii: true}
	dec := enc.NewDecoder()
	var dst [8]byte
	for i := range 256 {
		m.direct[i] = 0x80
		nd, _, err := dec.Transform(dst[:], []byte{byte(i)}, true)
		r, _ := utf8.DecodeRune(dst[:nd])
		if err != nil || nd == 0 || r == runeError {
			m.ascii = m.ascii && i >= 0x80
			continue
		}
		m.dec[i] = entryOf(r)
		if r < 0x80 {
			m.direct[i] = byte(r)
		}
		m.ascii = m.ascii && (i >= 0x80 || r == rune(i))
	}
	e := enc.NewEncoder()
	for i := range 256 {
		if m.dec[i] == 0 {
			continue
		}
		r := m.dec[i].rune()
		nd, _, err := e.Transform(dst[:], utf8.AppendRune(nil, r), true)
		if err == nil && nd == 1 {
			m.enc.set(r, 0x100|uint16(dst[0]))
		}
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
		nSrc = copyASCII(dst, src)
		nDst = nSrc
	}
	// Eight characters a turn: all ASCII by a table of bytes, else by stores
	// of four bytes of which the next one overwrites what is too much. Eight
	// characters are at most 24 bytes, and the last store may be one longer.
	for nSrc+8 <= len(src) && nDst+25 <= len(dst) {
		s := src[nSrc : nSrc+8 : nSrc+8]
		d := dst[nDst : nDst+25 : nDst+25]
		w := le.Uint64(s)
		if m.ascii {
			if w&asciiMask == 0 {
				n := copyASCII(dst[nDst:], src[nSrc:])
				nSrc += n
				nDst += n
				continue
			}
		} else {
			t := &m.direct
			a := uint64(t[s[0]]) | uint64(t[s[1]])<<8 | uint64(t[s[2]])<<16 | uint64(t[s[3]])<<24 |
				uint64(t[s[4]])<<32 | uint64(t[s[5]])<<40 | uint64(t[s[6]])<<48 | uint64(t[s[7]])<<56
			if a&asciiMask == 0 {
				le.PutUint64(d, a)
				nSrc += 8
				nDst += 8
				continue
			}
		}
		// An entry of 0 borrows from the top bit; the others do not.
		n, lacks := 0, entry(0)
		for _, c := range s {
			e := m.dec[c]
			lacks |= e - 1
			le.PutUint32(d[n:], uint32(e))
			n += int(e >> 24)
		}
		if lacks>>31 != 0 {
			break
		}
		nSrc += 8
		nDst += n
	}
	for nSrc < len(src) && nDst+4 <= len(dst) {
		e := m.dec[src[nSrc]]
		if e == 0 {
			break
		}
		le.PutUint32(dst[nDst:], uint32(e))
		nDst += int(e >> 24)
		nSrc++
	}
	return nDst, nSrc
}

func (m *single) encodeRun(_ *state, dst, src []byte) (nDst, nSrc int) {
	for {
		if m.ascii {
			n := copyASCII(dst[nDst:], src[nSrc:])
			nDst += n
			nSrc += n
		} else {
			n := m.encodeASCII(dst[nDst:], src[nSrc:])
			nDst += n
			nSrc += n
		}
		for ascii := 0; ascii < 8; {
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
			size := 1
			switch {
			case c0 < 0x80:
				v = m.enc.low[c0]
				ascii++
			case c0-0xc2 < 0x1e:
				if c1&0xc0 != 0x80 {
					return nDst, nSrc
				}
				v = m.enc.low[uint(c0&0x1f)<<6|uint(c1&0x3f)]
				size, ascii = 2, 0
			case c0-0xe0 < 0x10:
				c2 := src[nSrc+2]
				if c1&0xc0 != 0x80 || c2&0xc0 != 0x80 || c0 == 0xe0 && c1 < 0xa0 {
					return nDst, nSrc
				}
				// Surrogates are not in the table.
				if i := m.enc.row[c0<<4|c1>>2&0xf]; i != 0 {
					v = m.enc.rows[i][c1<<6|c2&0x3f]
				}
				size, ascii = 3, 0
			}
			if v == 0 {
				return nDst, nSrc
			}
			dst[nDst] = byte(v)
			nDst++
			nSrc += size
		}
	}
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

// encodeASCII encodes the ASCII prefix of src, as far as it goes in words.
func (m *single) encodeASCII(dst, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	t := &m.enc.low
	i := 0
	for ; i+8 <= n; i += 8 {
		s := src[i : i+8 : i+8]
		w := le.Uint64(s)
		if w&asciiMask != 0 {
			break
		}
		le.PutUint64(dst[i:], uint64(uint8(t[s[0]]))|uint64(uint8(t[s[1]]))<<8|
			uint64(uint8(t[s[2]]))<<16|uint64(uint8(t[s[3]]))<<24|
			uint64(uint8(t[s[4]]))<<32|uint64(uint8(t[s[5]]))<<40|
			uint64(uint8(t[s[6]]))<<48|uint64(uint8(t[s[7]]))<<56)
	}
	return i
}

package codec

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// pair is an entry whose top byte also has the number of wire bytes, in its
// upper half.
type pair uint32

// pairOfTwo is set in the entries of two wire bytes, and in no others.
const pairOfTwo pair = 2 << 28

func pairOf(r rune, size int) pair { return pair(entryOf(r)) | pair(size)<<28 }

func (p pair) rune() rune { return entry(p & 0x0fffffff).rune() }

// double is an ASCII superset of one and two bytes per character; some have
// three or four. The tables are lead by trail byte and rune to code; what they
// cannot say is 0 there and asked of x/text, whose transformers for these
// encodings are stateless and shared.
type double struct {
	long longForm
	dec  [128 << 8]pair
	enc  [1 << 16]uint16
	lead [128]bool // begins a character of more than one byte
	xdec transform.Transformer
	xenc transform.Transformer
}

// longForm says which characters of more than two bytes there are.
type longForm uint8

const (
	noLong   longForm = iota
	gb18030           // 81..FE 30..39 81..FE 30..39
	threeEUC          // 8F A1..FE A1..FE
)

func newDouble(enc encoding.Encoding) *double {
	m := &double{xdec: enc.NewDecoder().Transformer, xenc: enc.NewEncoder().Transformer}
	switch enc {
	case simplifiedchinese.GB18030:
		m.long = gb18030
	case japanese.EUCJP:
		m.long = threeEUC
		m.lead[0x8f&0x7f] = true
	}
	dst := make([]byte, 8)
	src := make([]byte, 2)
	for i := range 128 {
		src[0] = byte(i) | 0x80
		row := m.dec[i<<8 : (i+1)<<8]
		if r, _ := m.probe(dst, src[:1]); r != runeError {
			for trail := range row {
				row[trail] = pairOf(r, 1)
			}
			m.learn(dst, r)
			continue
		}
		for trail := 0x21; trail < 0x100; trail++ {
			src[1] = byte(trail)
			r, single := m.probe(dst, src)
			if r == runeError {
				continue
			}
			m.lead[i] = true
			if single && r < 1<<16 {
				row[trail] = pairOf(r, 2)
				m.learn(dst, r)
			}
		}
		m.lead[i] = m.lead[i] || m.long == gb18030 && 0x81 <= src[0] && src[0] < 0xff
	}
	return m
}

// probe decodes src, all of which must be one character of one or, without
// single, two runes.
func (m *double) probe(dst, src []byte) (r rune, single bool) {
	nd, ns, err := m.xdec.Transform(dst, src, true)
	r, size := utf8.DecodeRune(dst[:nd])
	if err != nil || ns != len(src) || r < 0x80 {
		return runeError, false
	}
	return r, size == nd
}

func (m *double) learn(dst []byte, r rune) {
	if r >= 1<<16 || m.enc[r] != 0 {
		return
	}
	var b [4]byte
	switch n := m.ask(dst, b[:], r); n {
	case 1:
		m.enc[r] = uint16(dst[0])
	case 2:
		m.enc[r] = be.Uint16(dst)
	}
}

// ask has x/text encode r; 0 means that it cannot.
func (m *double) ask(dst, tmp []byte, r rune) int {
	n := utf8.EncodeRune(tmp, r)
	nd, _, err := m.xenc.Transform(dst, tmp[:n], true)
	if err != nil {
		return 0
	}
	return nd
}

func (*double) start(*state)                 {}
func (*double) plain(_ *state, b []byte) int { return asciiLen(b) }
func (*double) finish(*state, []byte) int    { return 0 }
func (*double) unit() int                    { return 1 }

func (m *double) decodeChar(st *state, src []byte) char {
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
		return m.decodeFour(st, src)
	case m.long == threeEUC && c0 == 0x8f:
		return m.decodeThree(st, src)
	}
	nd, ns, _ := m.xdec.Transform(st.tmp[:], src[:2], true)
	r, size := utf8.DecodeRune(st.tmp[:nd])
	if r == runeError {
		if c1 < 0x80 {
			return char{v: isBad, size: 1} // the trail byte is text of its own
		}
		// Its size is where x/text goes on, which takes a dst that has no
		// room for more.
		_, ns, _ = m.xdec.Transform(st.tmp[:errorLen], src[:2], true)
		return char{v: isBad, size: ns}
	}
	c := char{r: r, size: ns}
	if size < nd {
		c.r2, _ = utf8.DecodeRune(st.tmp[size:nd])
	}
	return c
}

// decodeFour decodes GB 18030's form of four bytes, of which two are there
// and right. An ASCII digit of a sequence that fails is text of its own.
func (m *double) decodeFour(st *state, src []byte) char {
	bad := char{v: isBad, size: 1}
	if len(src) < 3 {
		return char{v: isShort, size: 2}
	}
	if src[2] < 0x81 || src[2] > 0xfe {
		return bad
	}
	if len(src) < 4 {
		return char{v: isShort, size: 3}
	}
	if src[3] < '0' || src[3] > '9' {
		return bad
	}
	n := ((rune(src[0])-0x81)*10+rune(src[1])-'0')*1260 + (rune(src[2])-0x81)*10 + rune(src[3]) - '0'
	const bmp, astral = 39420, 189000 // linear numbers: end of the plane 0, start of the others
	switch {
	case n < bmp:
		nd, _, _ := m.xdec.Transform(st.tmp[:4], src[:4], true)
		r, _ := utf8.DecodeRune(st.tmp[:nd])
		return char{r: r, size: 4}
	case n >= astral && n < astral+0x100000:
		return char{r: n - astral + 0x10000, size: 4}
	}
	return bad
}

// decodeThree decodes a character of JIS X 0212 in EUC-JP.
func (m *double) decodeThree(st *state, src []byte) char {
	switch {
	case src[1] < 0xa1 || src[1] > 0xfe:
		return char{v: isBad, size: 1}
	case len(src) < 3:
		return char{v: isShort, size: 2}
	case src[2] < 0xa1 || src[2] > 0xfe:
		return char{v: isBad, size: 2}
	}
	nd, _, _ := m.xdec.Transform(st.tmp[:4], src[:3], true)
	r, _ := utf8.DecodeRune(st.tmp[:nd])
	if r == runeError {
		return char{v: isBad, size: 3}
	}
	return char{r: r, size: 3}
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
			w := le.Uint32(src[nSrc:])
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
				return nDst, nSrc
			}
			le.PutUint32(dst[nDst:], uint32(p))
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

func (m *double) encodeRune(st *state, dst []byte, r rune) int {
	if r < 0x80 {
		dst[0] = byte(r)
		return 1
	}
	if r < 1<<16 {
		switch v := m.enc[r]; {
		case v >= 0x100:
			be.PutUint16(dst, v)
			return 2
		case v != 0:
			dst[0] = byte(v)
			return 1
		}
	}
	return m.ask(dst, st.tmp[:], r)
}

func (m *double) encodeRun(_ *state, dst, src []byte) (nDst, nSrc int) {
	for {
		n := copyWord(dst[nDst:], src[nSrc:])
		if n == 8 {
			n += copyASCII(dst[nDst+8:], src[nSrc+8:])
		}
		nSrc += n
		nDst += n
		for nSrc+4 <= len(src) && nDst+2 <= len(dst) {
			w := le.Uint32(src[nSrc:])
			if !isThree(w) {
				break
			}
			v := m.enc[three(w)]
			if v < 0x100 {
				break
			}
			be.PutUint16(dst[nDst:], v)
			nDst += 2
			nSrc += 3
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
				return nDst, nSrc
			}
			v := m.enc[r]
			if v >= 0x100 {
				be.PutUint16(dst[nDst:], v)
				nDst += 2
			} else if v != 0 {
				dst[nDst] = byte(v)
				nDst++
			} else {
				return nDst, nSrc
			}
			nSrc += size
		}
	}
}

// The stateful encodings walk over the tables of their 8-bit siblings.
var (
	eucJPTables = sync.OnceValue(func() *double { return newDouble(japanese.EUCJP) })
	gbkTables   = sync.OnceValue(func() *double { return newDouble(simplifiedchinese.GBK) })
)

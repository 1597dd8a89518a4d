package codec

import "unicode/utf8"

// gbkUser and editionOf2022 are about the editions of GB 18030.
//
// The encoding called gb18030 is GB 18030-2022, which is mandatory in China
// since August 2023 and what WHATWG, ICU and Java have turned to: 18 codes of
// two bytes, which were for want of a character in the private use area, are
// now the characters that Unicode has got in the meantime, and the private
// characters have their codes of four bytes instead. Both editions have a code
// for each rune and a rune for each code. See editionOf2022.
// gbkUser are the codes of GBK and GB 18030 that are in the private use area of
// Unicode, in runs. The three user-defined areas are not among them.
var gbkUser = [...]struct {
	code uint16
	r    rune
	n    uint16
}{
	{0xa2ab, 0xe766, 6}, {0xa2e4, 0xe76d, 1}, {0xa2ef, 0xe76e, 2}, {0xa2fd, 0xe770, 2}, {0xa4f4, 0xe772, 11}, {0xa5f7, 0xe77d, 8},
	{0xa6b9, 0xe785, 8}, {0xa6d9, 0xe78d, 7}, {0xa6ec, 0xe794, 2}, {0xa6f3, 0xe796, 1}, {0xa6f6, 0xe797, 9}, {0xa7c2, 0xe7a0, 15},
	{0xa7f2, 0xe7af, 13}, {0xa896, 0xe7bc, 11}, {0xa8bc, 0x1e3f, 1}, {0xa8c1, 0xe7c9, 4}, {0xa8ea, 0xe7cd, 21}, {0xa958, 0xe7e2, 1},
	{0xa95b, 0xe7e3, 1}, {0xa95d, 0xe7e4, 3}, {0xa997, 0xe7f4, 13}, {0xa9f0, 0xe801, 15}, {0xd7fa, 0xe810, 5}, {0xfe51, 0xe816, 3},
	{0xfe59, 0xe81e, 1}, {0xfe61, 0xe826, 1}, {0xfe66, 0xe82b, 2}, {0xfe6c, 0xe831, 2}, {0xfe76, 0xe83b, 1}, {0xfe7e, 0xe843, 1},
	{0xfe90, 0xe854, 2}, {0xfea0, 0xe864, 1},
}

// editionOf2022 are the codes that GB 18030-2022 gave another rune.
var editionOf2022 = [...]struct {
	code     uint16
	was, now rune
}{
	{0xa6d9, 0xe78d, 0xfe10}, {0xa6da, 0xe78e, 0xfe12}, {0xa6db, 0xe78f, 0xfe11}, {0xa6dc, 0xe790, 0xfe13}, {0xa6dd, 0xe791, 0xfe14},
	{0xa6de, 0xe792, 0xfe15}, {0xa6df, 0xe793, 0xfe16}, {0xa6ec, 0xe794, 0xfe17}, {0xa6ed, 0xe795, 0xfe18}, {0xa6f3, 0xe796, 0xfe19},
	{0xfe59, 0xe81e, 0x9fb4}, {0xfe61, 0xe826, 0x9fb5}, {0xfe66, 0xe82b, 0x9fb6}, {0xfe67, 0xe82c, 0x9fb7}, {0xfe6d, 0xe832, 0x9fb8},
	{0xfe7e, 0xe843, 0x9fb9}, {0xfe90, 0xe854, 0x9fba}, {0xfea0, 0xe864, 0x9fbb},
}

// addGBKUser adds the codes of two bytes that stand for private characters,
// which x/text lacks, and gives some of them what the edition of 2022 says.
func (m *double) addGBKUser(of2022 bool) {
	r := rune(0xe000)
	add := func(leads, trails [2]int) {
		for lead := leads[0]; lead <= leads[1]; lead++ {
			for trail := trails[0]; trail <= trails[1]; trail++ {
				if trail != 0x7f {
					m.set(uint16(lead<<8|trail), r, 0)
					r++
				}
			}
		}
	}
	add([2]int{0xaa, 0xaf}, [2]int{0xa1, 0xfe})
	add([2]int{0xf8, 0xfe}, [2]int{0xa1, 0xfe})
	add([2]int{0xa1, 0xa7}, [2]int{0x40, 0xa0})
	for _, u := range gbkUser {
		for i := range u.n {
			m.set(u.code+i, u.r+rune(i), 0)
		}
	}
	if of2022 {
		for _, e := range editionOf2022 {
			m.set(e.code, e.now, 0)
		}
	}
}

// addFourBytes numbers the codes of four bytes: they are all runes of the
// basic plane that had none of two bytes in the first edition, of 2000, in
// order. The later editions swapped some.
func (m *double) addFourBytes(of2022 bool) {
	two := new([1 << 16]bool)
	for _, p := range m.dec {
		if p>>28 == 2 {
			two[p.rune()] = true
		}
	}
	if of2022 {
		for _, e := range editionOf2022 {
			two[e.was], two[e.now] = true, false
		}
	}
	two['ḿ'], two[0xe7c7] = false, true
	m.long = gb18030
	m.longDec = make([]uint16, 0, 39420)
	m.longEnc = new([1 << 16]uint16)
	m.half = new([1 << 11]uint16)
	for i := range uint16(1260) {
		m.half[i] = 0x3081 + i/10 + i%10<<8
	}
	for r := rune(0x80); r < 1<<16; r++ {
		if !two[r] && (r < 0xd800 || r > 0xdfff) {
			m.longDec = append(m.longDec, uint16(r))
			m.longEnc[r] = uint16(len(m.longDec))
		}
	}
	swap := func(two, four rune) {
		n := m.longEnc[two]
		m.longEnc[two], m.longEnc[four] = 0, n
		m.longDec[n-1] = uint16(four)
	}
	swap('ḿ', 0xe7c7)
	if of2022 {
		for _, e := range editionOf2022 {
			swap(e.now, e.was)
		}
	}
	for lead := 0x81; lead < 0xff; lead++ {
		m.lead[lead&0x7f] = true
	}
}

// addThreeBytes adds JIS X 0212. A character that JIS X 0208 has as well is
// encoded as that.
func (m *double) addThreeBytes(src source) {
	m.long = threeEUC
	m.lead[0x8f&0x7f] = true
	m.longDec = make([]uint16, 94*94)
	m.longEnc = new([1 << 16]uint16)
	for i := range m.longDec {
		r, _ := src.decode(0x8fa1a1 + uint32(i/94<<8+i%94))
		m.longDec[i] = uint16(r)
		if r != 0 && m.longEnc[r] == 0 && m.enc[r] == 0 {
			m.longEnc[r] = uint16(i + 1)
		}
	}
}

// addShiftJISUser adds the user-defined area of Microsoft's code page 932, rows
// 95 to 114.
func (m *double) addShiftJISUser() {
	r := rune(0xe000)
	for lead := 0xf0; lead <= 0xf9; lead++ {
		for trail := 0x40; trail <= 0xfc; trail++ {
			if trail != 0x7f {
				m.set(uint16(lead<<8|trail), r, 0)
				r++
			}
		}
	}
}

// preferIBM has IBM's kanji written in their codes from FA40 on, as Microsoft and
// WHATWG do, and not in the ones that NEC selected for them, ED40 to EEFC.
func (m *double) preferIBM() {
	for code := uint16(0xfa40); code < 0xfd00; code++ {
		if p := m.dec[code&0x7fff]; p != 0 {
			if was := m.enc[p.rune()]; 0xed00 <= was && was < 0xef00 {
				m.enc[p.rune()] = code
			}
		}
	}
}

// Linear numbers of GB 18030: how many codes there are for the basic plane,
// where the others begin.
const (
	fourBasic  = 39420
	fourAstral = 189000
)

// decodeFour decodes GB 18030's form of four bytes, of which two are there
// and right. An ASCII digit of a sequence that fails is text of its own.
func (m *double) decodeFour(src []byte) char {
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
	if r := m.four(src[0], src[1], src[2], src[3]); r != 0 {
		return char{r: r, size: 4}
	}
	return bad
}

// four returns the rune of four bytes in their ranges, or 0.
func (m *double) four(c0, c1, c2, c3 byte) rune {
	n := uint(c0-0x81)*12600 + uint(c1-'0')*1260 + uint(c2-0x81)*10 + uint(c3-'0')
	if n < uint(len(m.longDec)) {
		return rune(m.longDec[n])
	}
	if n -= fourAstral; n < 0x100000 {
		return rune(n) + 0x10000
	}
	return 0
}

// decodeThree decodes a character of JIS X 0212 in EUC-JP.
func (m *double) decodeThree(src []byte) char {
	switch {
	case src[1] < 0xa1 || src[1] > 0xfe:
		return char{v: isBad, size: 1}
	case len(src) < 3:
		return char{v: isShort, size: 2}
	case src[2] < 0xa1 || src[2] > 0xfe:
		return char{v: isBad, size: 2}
	}
	r := rune(m.longDec[int(src[1]-0xa1)*94+int(src[2]-0xa1)])
	if r == 0 {
		return char{v: isBad, size: 3}
	}
	return char{r: r, size: 3}
}

// decodeLongRun decodes characters of more than two bytes as far as they go,
// and the single ASCII characters between them, like spaces.
func (m *double) decodeLongRun(dst, src []byte) (nDst, nSrc int) {
	switch m.long {
	case gb18030:
		return m.decodeFours(dst, src)
	case threeEUC:
		for nSrc+3 <= len(src) && nDst+utf8.UTFMax <= len(dst) {
			s := src[nSrc : nSrc+3 : nSrc+3]
			if s[0] != 0x8f || s[1]-0xa1 >= 94 || s[2]-0xa1 >= 94 {
				break
			}
			r := m.longDec[uint(s[1]-0xa1)*94+uint(s[2]-0xa1)]
			if r == 0 {
				break
			}
			nDst += putBasic(dst[nDst:nDst+4:nDst+4], uint(r))
			nSrc += 3
		}
	}
	return nDst, nSrc
}

// decodeFours is decodeLongRun for GB 18030. What follows a character may well be a
// space, or not: a branch would be guessed wrong once for most words.
func (m *double) decodeFours(dst, src []byte) (nDst, nSrc int) {
	d, s := dst[:len(dst):len(dst)], src[:len(src):len(src)]
	for len(s) > 8 && len(d) > 8 {
		w := le.Uint64(s)
		// The distances from 81 30 81 30, which are up to 7D 09 7D 09.
		x := uint32(w) - 0x30813081
		if (x|(x+0x76027602))&0x80808080 != 0 {
			if w&0x8080 == 0x8000 && len(s) < len(src) {
				d[0] = byte(w)
				d, s = d[1:], s[1:]
				continue
			}
			break
		}
		x = x&0xff00ff*10 + x>>8&0xff00ff
		n := uint(x&0xffff*1260 + x>>16)
		if n >= uint(len(m.longDec)) {
			if n -= fourAstral; n >= 0x100000 {
				break
			}
			n += 0x10000
			le.PutUint32(d, uint32(n>>18|0xf0|(n>>12&0x3f|0x80)<<8|(n>>6&0x3f|0x80)<<16|(n&0x3f|0x80)<<24))
			d, s = d[4:], s[4:]
			continue
		}
		other := int(w >> 39 & 1)
		s = s[5-other:]
		if r := uint(m.longDec[n]); r < 0x800 {
			le.PutUint16(d, uint16(r>>6|0xc0|r&0x3f<<8|0x8000))
			d[2] = byte(w >> 32)
			d = d[3-other:]
		} else {
			le.PutUint32(d, utf8Three(uint32(r))|uint32(w>>32)<<24)
			d = d[4-other:]
		}
	}
	return len(dst) - len(d), len(src) - len(s)
}

// putBasic writes r, which is from 80 to FFFF, and up to two bytes of no
// meaning.
func putBasic(d []byte, r uint) int {
	_ = d[3]
	if r < 0x800 {
		le.PutUint16(d, uint16(r>>6|0xc0|r&0x3f<<8|0x8000))
		return 2
	}
	le.PutUint32(d, uint32(r>>12|0xe0|r>>6&0x3f<<8|0x8000|r&0x3f<<16|0x800000))
	return 3
}

// encodeLongRun encodes characters of more than two bytes as far as they go, and
// the single ASCII characters between them.
func (m *double) encodeLongRun(dst, src []byte) (nDst, nSrc int) {
	switch m.long {
	case gb18030:
		return m.encodeFours(dst, src)
	case threeEUC:
		for nSrc+4 <= len(src) && nDst+4 <= len(dst) {
			w := load32(src, nSrc)
			var n uint16
			size := 3
			switch {
			case isThree(w):
				n = m.longEnc[three(w)]
			case isTwo(w):
				n = m.longEnc[w&0x1f<<6|w>>8&0x3f]
				size = 2
			case w&0x8080 == 0x8000 && nSrc > 0:
				dst[nDst] = byte(w)
				nDst++
				nSrc++
				continue
			}
			if n == 0 {
				break
			}
			nDst += m.putLong(dst[nDst:nDst+4:nDst+4], uint32(n-1))
			nSrc += size
		}
	}
	return nDst, nSrc
}

// encodeFours is encodeLongRun for GB 18030, and to decodeFours what that is to
// decodeLongRun.
func (m *double) encodeFours(dst, src []byte) (nDst, nSrc int) {
	d, s := dst[:len(dst):len(dst)], src[:len(src):len(src)]
	for len(s) > 4 && len(d) > 8 {
		w := le.Uint32(s)
		if isThree(w) {
			n := m.longEnc[three(w)]
			if n == 0 {
				break
			}
			m.putFour(d, uint32(n-1))
			d[4] = byte(w >> 24)
			other := int(w >> 31)
			d, s = d[5-other:], s[4-other:]
			continue
		}
		switch {
		case isTwo(w):
			n := m.longEnc[w&0x1f<<6|w>>8&0x3f]
			if n == 0 {
				return len(dst) - len(d), len(src) - len(s)
			}
			m.putFour(d, uint32(n-1))
			d[4] = byte(w >> 16)
			other := int(w >> 23 & 1)
			d, s = d[5-other:], s[3-other:]
		case isFour(w):
			r := w&7<<18 | w<<4&0x3f000 | w>>10&0xfc0 | w>>24&0x3f
			m.putFour(d, r-0x10000+fourAstral)
			d, s = d[4:], s[4:]
		case w&0x8080 == 0x8000 && len(s) < len(src):
			d[0] = byte(w)
			d, s = d[1:], s[1:]
		default:
			return len(dst) - len(d), len(src) - len(s)
		}
	}
	return len(dst) - len(d), len(src) - len(s)
}

// encodeLong encodes r in more than two bytes, or returns 0. dst has four.
func (m *double) encodeLong(dst []byte, r rune) int {
	switch {
	case r < 1<<16:
		if n := uint32(m.longEnc[r]); n != 0 {
			return m.putLong(dst, n-1)
		}
	case m.long == gb18030:
		return m.putLong(dst, uint32(r)-0x10000+fourAstral)
	}
	return 0
}

// putLong writes the character of number n.
func (m *double) putLong(dst []byte, n uint32) int {
	if m.long == threeEUC {
		_ = dst[2]
		dst[0], dst[1], dst[2] = 0x8f, byte(n/94)+0xa1, byte(n%94)+0xa1
		return 3
	}
	m.putFour(dst, n)
	return 4
}

func (m *double) putFour(dst []byte, n uint32) {
	high, low := n/1260, n%1260
	le.PutUint32(dst, uint32(m.half[high&0x7ff])|uint32(m.half[low&0x7ff])<<16)
}

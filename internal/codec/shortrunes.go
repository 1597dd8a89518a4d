package codec

import (
	"math/bits"
	"sync"
)

// shortTable has what begins at the first of two bytes of text, for characters of one
// or two bytes: the rune, in 16 bits, and twice the number of runes, which is none at
// a byte that continues a character, in the top bits.
type shortTable [1 << 16]uint32

// notShort is set in the entries of bytes that do not follow each other in such text.
const notShort = 1 << 29

var shortRunes = sync.OnceValue(func() *shortTable {
	t := new(shortTable)
	for c := range 0x100 {
		for next := range 0x100 {
			e := uint32(notShort)
			switch cont := next&0xc0 == 0x80; {
			case c < 0x80 && !cont:
				e = 2<<30 | uint32(c)
			case c >= 0xc2 && c < 0xe0 && cont:
				e = 2<<30 | uint32(c&0x1f<<6|next&0x3f)
			case c&0xc0 == 0x80 && !cont:
				e = ' '
			}
			t[next<<8|c] = e
		}
	}
	return t
})

// mostlyShort reports whether text begins like one of an alphabet with characters of two
// bytes.
func mostlyShort(text []byte) bool {
	const block = 64
	if len(text) < block {
		return false
	}
	var leads uint64
	for i := 0; i < block; i += 8 {
		w := le.Uint64(text[i : i+8])
		leads |= w & (w << 1) &^ (w << 2) & asciiMask >> (i / 8)
	}
	return bits.OnesCount64(leads) >= block/6
}

const (
	// shortBlock is how many bytes of text a turn of encode takes.
	shortBlock = 32
	// shortRoom is more than what it may write, so that the compiler can see that
	// it is enough: three bytes for each of text.
	shortRoom = 128
	// shortPiece is how many bytes of text go through a shortBuffer at once. encode
	// wants one more to look at.
	shortPiece = 8 * shortBlock
	// maxShorts is how many characters of two bytes pass before the next mostlyShort.
	maxShorts = 32
	// betweenShort is room for what stopped encode, and little more.
	betweenShort = 24
)

// shortBuffer is for the runes of a piece of text.
type shortBuffer [2*shortPiece + shortRoom]byte

// encode writes the runes of src to dst, 16 bits each, in little-endian order. It
// stops in front of longer characters and what is malformed, and behind a block of
// ASCII, and may stop anywhere for want of room. Bytes of dst behind the result may be
// overwritten.
//
// Each byte is looked up, and what it makes is written over what is no rune. Branches
// on what comes next would be guessed wrong once for most words.
func (t *shortTable) encode(dst, src []byte) (nDst, nSrc int) {
	if len(src) == 0 || src[0]&0xc0 == 0x80 {
		return 0, 0
	}
	for nSrc+shortBlock < len(src) && nDst+shortRoom <= len(dst) {
		s := src[nSrc : nSrc+shortBlock+1 : nSrc+shortBlock+1]
		d := dst[nDst : nDst+shortRoom : nDst+shortRoom]
		n, e := t.two(d, 0, 0, s)
		n, e = t.two(d, n, e, s[2:])
		n, e = t.two(d, n, e, s[4:])
		n, e = t.two(d, n, e, s[6:])
		n, e = t.two(d, n, e, s[8:])
		n, e = t.two(d, n, e, s[10:])
		n, e = t.two(d, n, e, s[12:])
		n, e = t.two(d, n, e, s[14:])
		n, e = t.two(d, n, e, s[16:])
		n, e = t.two(d, n, e, s[18:])
		n, e = t.two(d, n, e, s[20:])
		n, e = t.two(d, n, e, s[22:])
		n, e = t.two(d, n, e, s[24:])
		n, e = t.two(d, n, e, s[26:])
		n, e = t.two(d, n, e, s[28:])
		n, e = t.two(d, n, e, s[30:])
		if e&notShort != 0 {
			break
		}
		nDst += int(n)
		nSrc += shortBlock
		if n == 2*shortBlock {
			return nDst, t.whole(src, nSrc)
		}
	}
	for nSrc+2 <= len(src) && nDst+2 <= len(dst) {
		e := t[load16(src, nSrc)]
		if e&notShort != 0 {
			break
		}
		store16(dst, nDst, uint16(e))
		nDst += int(e >> 30)
		nSrc++
	}
	return nDst, t.whole(src, nSrc)
}

// two looks up the first two of three bytes. Before them, the n bytes in front of d[n]
// were written, and e are the bits of what was found.
func (t *shortTable) two(d []byte, n uint, e uint32, s []byte) (uint, uint32) {
	e0, e1 := t[le.Uint16(s)], t[le.Uint16(s[1:])]
	le.PutUint16(d[n:], uint16(e0))
	n += uint(e0 >> 30)
	le.PutUint16(d[n:], uint16(e1))
	return n + uint(e1>>30), e | e0 | e1
}

// whole returns n, or one more if it is in the middle of a character of two bytes, the
// second of which has been looked at.
func (*shortTable) whole(src []byte, n int) int {
	if n < len(src) && src[n]&0xc0 == 0x80 {
		n++
	}
	return n
}

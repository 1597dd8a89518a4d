package codec

import (
	"encoding/binary"
	"math/bits"
)

var le = binary.LittleEndian

// load16 and the like read and write at b[i:] in little-endian order. A slice of
// constant capacity takes no instructions that the address depends on.

func load16(b []byte, i int) uint16 { return le.Uint16(b[i : i+2 : i+2]) }
func load32(b []byte, i int) uint32 { return le.Uint32(b[i : i+4 : i+4]) }
func load64(b []byte, i int) uint64 { return le.Uint64(b[i : i+8 : i+8]) }

func store16(b []byte, i int, v uint16) { le.PutUint16(b[i:i+2:i+2], v) }
func store32(b []byte, i int, v uint32) { le.PutUint32(b[i:i+4:i+4], v) }
func store64(b []byte, i int, v uint64) { le.PutUint64(b[i:i+8:i+8], v) }

// asciiLen returns the length of the ASCII prefix of b.
func asciiLen(b []byte) int {
	i := 0
	for ; i+64 <= len(b); i += 64 {
		s := b[i : i+64 : i+64]
		w := le.Uint64(s) | le.Uint64(s[8:]) | le.Uint64(s[16:]) | le.Uint64(s[24:]) |
			le.Uint64(s[32:]) | le.Uint64(s[40:]) | le.Uint64(s[48:]) | le.Uint64(s[56:])
		if w&asciiMask != 0 {
			break
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if w := load64(b, i) & asciiMask; w != 0 {
			return i + bits.TrailingZeros64(w)>>3
		}
	}
	for ; i < len(b); i++ {
		if b[i] >= 0x80 {
			break
		}
	}
	return i
}

// copyASCII copies the ASCII prefix of src that fits into dst. Bytes of dst
// behind the result may be overwritten.
func copyASCII(dst, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	i := 0
	for ; i+32 <= n; i += 32 {
		s, d := src[i:i+32:i+32], dst[i:i+32:i+32]
		a, b, c, e := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		if (a|b|c|e)&asciiMask != 0 {
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
		if w &= asciiMask; w != 0 {
			return i + bits.TrailingZeros64(w)>>3
		}
	}
	for ; i < n && src[i] < 0x80; i++ {
		dst[i] = src[i]
	}
	return i
}

// copyWord is copyASCII for up to 8 bytes, which is enough between the words
// of most languages.
func copyWord(dst, src []byte) int {
	if len(src) < 8 || len(dst) < 8 {
		return copyASCII(dst[:min(len(dst), 7)], src)
	}
	w := le.Uint64(src)
	le.PutUint64(dst, w)
	return bits.TrailingZeros64(w&asciiMask) >> 3
}

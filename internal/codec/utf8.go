package codec

import "unicode/utf8"

// utf8Machine is UTF-8. It says which bytes are malformed, so it serves the
// strict policy, and the formats with a newline style other than LF.
type utf8Machine struct {
	mark bool // take and write a byte order mark: utf-8-sig
}

const utf8Mark = "\xef\xbb\xbf"

func (m utf8Machine) start(st *state)         { st.mark = m.mark }
func (utf8Machine) finish(*state, []byte) int { return 0 }
func (utf8Machine) unit() int                 { return 1 }

func (utf8Machine) plain(st *state, b []byte) int {
	if st.mark {
		return 0
	}
	return validLen(b)
}

func (utf8Machine) decodeRun(st *state, dst, src []byte) (int, int) {
	if st.mark {
		return 0, 0
	}
	return copyValid(dst, src)
}

func (utf8Machine) encodeRun(st *state, dst, src []byte) (int, int) {
	if st.mark {
		return 0, 0
	}
	return copyValid(dst, src)
}

func copyValid(dst, src []byte) (int, int) {
	n := validLen(src[:min(len(dst), len(src))])
	copy(dst, src[:n])
	return n, n
}

func (utf8Machine) decodeChar(st *state, src []byte) char {
	if st.mark {
		for i := 0; ; i++ {
			if i == len(utf8Mark) {
				st.mark = false
				return char{v: isShift, size: len(utf8Mark)}
			}
			if i == len(src) {
				return char{v: isShort, size: len(src)}
			}
			if src[i] != utf8Mark[i] {
				break
			}
		}
		st.mark = false
	}
	r, size := utf8.DecodeRune(src)
	switch {
	case r != runeError || size > 1:
		return char{r: r, size: size}
	case !utf8.FullRune(src):
		return char{v: isShort, size: len(src)}
	}
	return char{v: isBad, size: malformedLen(src)}
}

func (utf8Machine) encodeRune(st *state, dst []byte, r rune) int {
	n := 0
	if st.mark {
		n = copy(dst, utf8Mark)
		st.mark = false
	}
	return n + utf8.EncodeRune(dst[n:], r)
}

// isThree reports whether w, loaded in little-endian order, begins with a
// character of three bytes, or with a surrogate; three returns that.
func isThree(w uint32) bool { return w&0xc0c0f0 == 0x8080e0 && w&0x200f != 0 }

func three(w uint32) uint16 { return uint16(w<<12 | w>>2&0xfc0 | w>>16&0x3f) }

// validLen returns the length of the longest prefix of b that is whole
// characters of valid UTF-8.
func validLen(b []byte) int {
	i := 0
	for {
		i += asciiLen(b[i:])
		for {
			if i+4 > len(b) {
				return validTail(b, i)
			}
			c := b[i : i+4 : i+4]
			switch c0 := c[0]; {
			case c0 < 0x80:
				// One word at a time again.
			case c0 < 0xc2:
				return i
			case c0 < 0xe0:
				if c[1]&0xc0 != 0x80 {
					return i
				}
				i += 2
				continue
			case c0 < 0xf0:
				if c[1]&0xc0 != 0x80 || c[2]&0xc0 != 0x80 ||
					c0 == 0xe0 && c[1] < 0xa0 || c0 == 0xed && c[1] > 0x9f {
					return i
				}
				i += 3
				continue
			default:
				if c0 > 0xf4 || c[1]&0xc0 != 0x80 || c[2]&0xc0 != 0x80 || c[3]&0xc0 != 0x80 ||
					c0 == 0xf0 && c[1] < 0x90 || c0 == 0xf4 && c[1] > 0x8f {
					return i
				}
				i += 4
				continue
			}
			break
		}
	}
}

func validTail(b []byte, i int) int {
	for i < len(b) {
		r, size := utf8.DecodeRune(b[i:])
		if r == runeError && size == 1 {
			break
		}
		i += size
	}
	return i
}

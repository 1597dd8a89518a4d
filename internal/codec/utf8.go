package codec

import (
	"math/bits"
	"unicode/utf8"
)

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
				return char{v: isMark, size: len(utf8Mark)}
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

// isTwo and isFour are like isThree for characters of two and four bytes. Four are no
// less than U+10000 and no more than U+10FFFF.
func isTwo(w uint32) bool { return w&0xc0e0 == 0x80c0 && w&0x1e != 0 }

func isFour(w uint32) bool {
	return w&0xc0c0c0f8 == 0x808080f0 && (w&7<<8|w>>8&0x30)-0x10 < 0x400
}

// validLen returns the length of the longest prefix of b that is whole
// characters of valid UTF-8.
//
// ASCII goes by words, and a character here and there by branches. Where there
// are more, too many branches would be guessed wrong, and all bytes go through an
// automaton, which has none.
func validLen(b []byte) int {
	i := 0
	for i+validBlock <= len(b) {
		s := b[i : i+validBlock : i+validBlock]
		w0, w1, w2, w3 := le.Uint64(s), le.Uint64(s[8:]), le.Uint64(s[16:]), le.Uint64(s[24:])
		w4, w5, w6, w7 := le.Uint64(s[32:]), le.Uint64(s[40:]), le.Uint64(s[48:]), le.Uint64(s[56:])
		if (w0|w1|w2|w3|w4|w5|w6|w7)&asciiMask == 0 {
			i += validBlock
			continue
		}
		// The top bits of the words, each at its own place.
		high := bits.OnesCount64(w0&asciiMask | w1&asciiMask>>1 | w2&asciiMask>>2 | w3&asciiMask>>3 |
			w4&asciiMask>>4 | w5&asciiMask>>5 | w6&asciiMask>>6 | w7&asciiMask>>7)
		n, ok := 0, false
		if high > fewHigh {
			n, ok = validDense(b[i:])
		} else {
			n, ok = validSparse(b[i:])
		}
		i += n
		if !ok {
			return i
		}
	}
	return i + validTail(b[i:])
}

const (
	validBlock = 64
	fewHigh    = 6 // bytes of a block that are not ASCII
)

// validSparse is validLen for the characters that begin in the first block of b. It
// reports false if one of them is malformed, or too near the end to say.
func validSparse(b []byte) (int, bool) {
	i := 0
	for i < validBlock {
		if i+8 > len(b) {
			n := validTail(b[i:])
			return i + n, false
		}
		w := load64(b, i) & asciiMask
		if w == 0 {
			i += 8
			continue
		}
		n := bits.TrailingZeros64(w) >> 3
		i += n
		if n > 4 {
			continue
		}
		switch c := load32(b, i); {
		case isTwo(c):
			i += 2
		case isThree(c) && three(c)-surrogates >= 0x800:
			i += 3
		case isFour(c):
			i += 4
		default:
			return i, false
		}
	}
	return i, true
}

// validDense is validLen for the blocks at the beginning of b that are not ASCII. It
// reports false if a character in them is malformed.
func validDense(b []byte) (int, bool) {
	state := uint64(stateStart)
	t := &utf8Steps
	i := 0
	for i+32 <= len(b) {
		before := state
		s := b[i : i+32 : i+32]
		for k := 0; k < 32; k += 8 {
			s := s[k : k+8 : k+8]
			state = t[s[0]] >> (state & 63)
			state = t[s[1]] >> (state & 63)
			state = t[s[2]] >> (state & 63)
			state = t[s[3]] >> (state & 63)
			state = t[s[4]] >> (state & 63)
			state = t[s[5]] >> (state & 63)
			state = t[s[6]] >> (state & 63)
			state = t[s[7]] >> (state & 63)
		}
		if state&63 == stateBad {
			i -= pending(before, b[:i])
			return i + validTail(b[i:]), false
		}
		i += 32
		if (le.Uint64(s)|le.Uint64(s[8:])|le.Uint64(s[16:])|le.Uint64(s[24:]))&asciiMask == 0 {
			return i, true
		}
	}
	return i - pending(state, b[:i]), true
}

// pending returns the length of the unfinished character that b ends with, if state
// says that there is one.
func pending(state uint64, b []byte) int {
	n := 0
	if state&63 != stateStart {
		for n = 1; !utf8.RuneStart(b[len(b)-n]); n++ {
		}
	}
	return n
}

// validTail is validLen for what is short or malformed.
func validTail(b []byte) int {
	if utf8.Valid(b) {
		return len(b)
	}
	i := 0
	for {
		r, size := utf8.DecodeRune(b[i:])
		if r == runeError && size <= 1 {
			return i
		}
		i += size
	}
}

// The states of the automaton, six bits each in its table. A character's byte moves
// the next state to where the current one says.
const (
	stateBad   = 6 * iota
	stateStart // between characters
	stateOne   // one more byte
	stateTwo
	stateThree
	stateE0 // the next byte decides whether the character is overlong,
	stateF0
	stateED // a surrogate,
	stateF4 // or above U+10FFFF
)

// utf8Steps has for a byte and, at the bit of a state, the state that follows.
var utf8Steps = func() (t [256]uint64) {
	for _, r := range []struct {
		lo, hi   int
		from, to uint64
	}{
		{0x00, 0x7f, stateStart, stateStart},
		{0xc2, 0xdf, stateStart, stateOne},
		{0xe0, 0xe0, stateStart, stateE0},
		{0xe1, 0xef, stateStart, stateTwo},
		{0xf0, 0xf0, stateStart, stateF0},
		{0xf1, 0xf3, stateStart, stateThree},
		{0xf4, 0xf4, stateStart, stateF4},
		{0x80, 0xbf, stateOne, stateStart},
		{0x80, 0xbf, stateTwo, stateOne},
		{0x80, 0xbf, stateThree, stateTwo},
		{0xa0, 0xbf, stateE0, stateOne},
		{0x90, 0xbf, stateF0, stateTwo},
		{0x80, 0x9f, stateED, stateOne},
		{0x80, 0x8f, stateF4, stateTwo},
	} {
		for c := r.lo; c <= r.hi; c++ {
			t[c] |= r.to << r.from
		}
	}
	t[0xed] = stateED << stateStart
	return t
}()

// Package codec converts between UTF-8 text with "\n" line ends and the bytes
// of an external format. It performs no I/O.
//
// Decoder and Encoder are incremental: whatever way the input is cut into
// calls, the output is the same. Both leave input they cannot finish with the
// caller, so the undecoded bytes are the only buffer a connection needs.
//
// The conversion tables are generated from those of golang.org/x/text and others, see
// internal/genpages. They are reached from names alone, so that a program that names
// no encoding does not have them.
package codec

import "unicode/utf8"

// Newline is the way the wire ends a line.
type Newline uint8

// The newline styles.
const (
	LF   Newline = iota // nothing is converted
	CR                  // U+000D
	CRLF                // U+000D U+000A
	Any                 // reads LF, CR and CRLF, writes LF
	NEL                 // U+0085
	NVT                 // CRLF, and CR NUL for a bare CR; RFC 854
	numNewlines
)

var newlineNames = [numNewlines]string{"lf", "cr", "crlf", "any", "nel", "nvt"}

// Valid reports whether n is one of the constants.
func (n Newline) Valid() bool { return n < numNewlines }

// String returns the lower case name of the style.
func (n Newline) String() string {
	if !n.Valid() {
		return "invalid"
	}
	return newlineNames[n]
}

// ParseNewline returns the style of that name.
func ParseNewline(name string) (Newline, bool) {
	for i, s := range newlineNames {
		if s == name {
			return Newline(i), true
		}
	}
	return 0, false
}

// Format is the external format of one direction.
type Format struct {
	Charset *Charset
	Newline Newline
	Strict  bool // malformed or unencodable input stops instead of being replaced
}

// AsIs reports whether text and wire bytes are the same in f, malformed ones
// included.
func (f Format) AsIs() bool {
	if f.Newline != LF {
		return false
	}
	switch c := f.Charset; c.kind {
	case kindBytes:
		return true
	case kindUTF8:
		return c.mark == ignoreMark && !f.Strict
	}
	return false
}

// Status says why Decode or Encode returned.
type Status uint8

const (
	// More: the input is used up, except for an unfinished character.
	More Status = iota
	// Full: the next character does not fit into dst.
	Full
	// Malformed: a strict format met input that has no counterpart, at src[nSrc].
	Malformed
	// Truncated: the input ends inside a character, and the format is strict.
	Truncated
	// NoMark: the encoding requires a byte order mark and there is none.
	NoMark
)

// verdict is what a machine says about the bytes at the front of its input.
type verdict uint8

const (
	isText  verdict = iota // r, and r2 unless 0, made of size bytes
	isShift                // size bytes that stand for no text: escape sequence
	isMark                 // the same at the beginning: byte order mark
	isShort                // unfinished; size is what it comes to if nothing follows
	isBad                  // size bytes are malformed
	isNoMark
)

type char struct {
	r, r2 rune
	size  int
	v     verdict
}

// state is what a machine remembers between characters. It is small and
// copied freely: looking ahead means to save it, to go on and to restore it.
type state struct {
	mode   uint8 // iso-2022-jp, hz: the set in force
	mark   bool  // a byte order mark may come next, or is to be written
	little bool  // utf-16, utf-32: the byte order in force
}

// initial reports whether a mark has been dealt with and no shift is in force.
func (st *state) initial() bool { return st.mode == 0 && !st.mark }

// machine converts one encoding. It is immutable; all memory is in state.
//
// The run methods are the fast path. They convert whole, well-formed
// characters and stop in front of everything else, also for want of room. What
// they consume ends with the bytes of a character: the decoder may have to give
// back a CR. The single-character methods are the whole truth.
type machine interface {
	start(st *state)
	// plain returns how many leading bytes of b are the same as text and on the wire.
	plain(st *state, b []byte) int
	decodeRun(st *state, dst, src []byte) (nDst, nSrc int)
	// decodeChar looks at the front of src, which is not empty.
	decodeChar(st *state, src []byte) char
	encodeRun(st *state, dst, src []byte) (nDst, nSrc int)
	// encodeRune returns 0 when the encoding lacks r. dst has maxRune bytes.
	encodeRune(st *state, dst []byte, r rune) int
	// finish writes what brings the wire back to the initial state.
	finish(st *state, dst []byte) int
	// unit is the number of bytes of a CR on the wire.
	unit() int
}

// maxRune bounds the wire bytes of one rune: mark or escape sequence included.
const maxRune = 16

const (
	asciiMask  = 0x8080808080808080
	runeError  = utf8.RuneError
	errorLen   = 3 // of U+FFFD in UTF-8
	surrogates = 0xd800
)

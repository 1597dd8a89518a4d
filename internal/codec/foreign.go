package codec

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// foreignDecoder runs an encoding that this package knows nothing about, by
// its own transformer, one character at a time: the smallest number of bytes
// that the transformer consumes. Its state is hidden, so a character that was
// looked at cannot be put back; text waits here until there is room for it.
type foreignDecoder struct {
	t       transform.Transformer
	genuine []byte // the wire bytes of U+FFFD itself, if the encoding has it
	out     []byte // decoded, line ends converted, not yet delivered
	cr      bool   // a CR is held until the next character is known
	stuck   int    // malformed bytes that the transformer is past, but not the caller
	ended   bool   // the transformer knows that the input has ended
	outBuf  [foreignChar]byte
	tmp     [foreignChar]byte
}

// foreignChar bounds the text, and the wire bytes, of one step.
const foreignChar = 64

func newForeignDecoder(c *Charset) *foreignDecoder {
	f := &foreignDecoder{t: c.Encoding.NewDecoder().Transformer}
	f.genuine = c.encode("\ufffd")
	return f
}

func (f *foreignDecoder) held() int {
	n := len(f.out)
	if f.cr {
		n++
	}
	return n
}

func (f *foreignDecoder) takeHeld(dst []byte) int {
	if f.cr && len(f.out) < len(f.outBuf) {
		f.out = append(f.out, '\r')
		f.cr = false
	}
	n := copy(dst, f.out)
	f.out = f.out[n:]
	return n
}

func (d *Decoder) decodeForeign(dst, src []byte, eof bool) (nDst, nSrc int, status Status) {
	f := d.foreign
	if f.stuck > 0 {
		d.bad = f.stuck
		return 0, 0, Malformed
	}
	for {
		n := copy(dst[nDst:], f.out)
		nDst += n
		f.out = f.out[n:]
		if len(f.out) > 0 || nDst == len(dst) {
			return nDst, nSrc, Full
		}
		if nSrc == len(src) {
			if eof && f.cr {
				f.take("\r", d)
				continue
			}
			if eof && !f.ended {
				f.ended = true
				nd, _, _ := f.t.Transform(f.tmp[:], nil, true)
				d.foldForeign(f.tmp[:nd])
				continue
			}
			return nDst, nSrc, More
		}
		ns, st := d.stepForeign(src[nSrc:], eof)
		nSrc += ns
		if ns == 0 && len(f.out) == 0 {
			return nDst, nSrc, st
		}
	}
}

// take puts text that has its line ends already into out.
func (f *foreignDecoder) take(text string, d *Decoder) {
	f.out = append(f.outBuf[:0], text...)
	f.cr = false
}

// stepForeign decodes one character of src into out.
func (d *Decoder) stepForeign(src []byte, eof bool) (nSrc int, status Status) {
	f := d.foreign
	for n := 1; n <= len(src) && n < foreignChar; n++ {
		nd, ns, err := f.t.Transform(f.tmp[:], src[:n], false)
		if ns == 0 && (err == nil || err == transform.ErrShortSrc) {
			continue
		}
		if ns == 0 {
			return d.badForeign(1, Malformed)
		}
		text := f.tmp[:nd]
		if bytes.Contains(text, []byte("\ufffd")) && !bytes.Equal(src[:ns], f.genuine) && d.strict {
			if !f.cr {
				f.stuck = ns
			}
			return d.badForeign(ns, Malformed)
		}
		d.foldForeign(text)
		return ns, More
	}
	if len(src) >= foreignChar {
		return d.badForeign(1, Malformed)
	}
	if !eof {
		return 0, More
	}
	return d.badForeign(len(src), Truncated)
}

func (d *Decoder) badForeign(size int, status Status) (int, Status) {
	f := d.foreign
	if f.cr {
		f.take("\r", d)
		return 0, More
	}
	if d.strict {
		d.bad = size
		return 0, status
	}
	f.take("\ufffd", d)
	return size, More
}

// foldForeign moves text to out and converts its line ends.
func (d *Decoder) foldForeign(text []byte) {
	f := d.foreign
	out := f.outBuf[:0]
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		from := text[:size]
		text = text[size:]
		peeks := d.nl == CRLF || d.nl == NVT
		if f.cr {
			f.cr = false
			switch {
			case r == '\n':
				out = append(out, '\n')
				continue
			case r == 0 && d.nl == NVT:
				out = append(out, '\r')
				continue
			}
			out = append(out, '\r')
		}
		afterCR := d.afterCR
		d.afterCR = false
		switch {
		case r == '\r' && peeks:
			f.cr = true
		case r == '\r' && d.nl == CR, r == '\u0085' && d.nl == NEL:
			out = append(out, '\n')
		case r == '\r' && d.nl == Any:
			d.afterCR = true
			out = append(out, '\n')
		case r == '\n' && d.nl == Any && afterCR:
		default:
			out = append(out, from...)
		}
	}
	f.out = out
}

// foreignEncoder is the machine of such an encoding in the other direction.
type foreignEncoder struct {
	t    transform.Transformer
	tmp  [utf8.UTFMax]byte
	owed []byte // what encodeRune had it write in front of a rune that it lacks
}

func newForeignEncoder(c *Charset) *foreignEncoder {
	return &foreignEncoder{t: c.Encoding.NewEncoder().Transformer}
}

func (*foreignEncoder) start(*state)             {}
func (*foreignEncoder) plain(*state, []byte) int { return 0 }
func (*foreignEncoder) unit() int                { return 1 }

func (*foreignEncoder) decodeRun(*state, []byte, []byte) (int, int) { panic("codec: not a decoder") }
func (*foreignEncoder) decodeChar(*state, []byte) char              { panic("codec: not a decoder") }

func (f *foreignEncoder) encodeRun(_ *state, dst, src []byte) (int, int) {
	// Its own view of malformed UTF-8 is not asked. A limit keeps text that
	// is lacking throughout from being looked at again and again.
	src = src[:min(len(src), 4096)]
	n := copy(dst, f.owed)
	f.owed = f.owed[n:]
	nd, ns, _ := f.t.Transform(dst[n:], src[:validLen(src)], false)
	return n + nd, ns
}

func (f *foreignEncoder) encodeRune(_ *state, dst []byte, r rune) int {
	size := utf8.EncodeRune(f.tmp[:], r)
	n := copy(dst, f.owed)
	nd, ns, err := f.t.Transform(dst[n:], f.tmp[:size], false)
	n += nd
	if err != nil || ns < size {
		// It may have shifted before it failed.
		f.owed = bytes.Clone(dst[:n])
		return 0
	}
	f.owed = nil
	return n
}

func (f *foreignEncoder) finish(_ *state, dst []byte) int {
	n := copy(dst, f.owed)
	f.owed = nil
	nd, _, _ := f.t.Transform(dst[n:], nil, true)
	f.t.Reset()
	return n + nd
}

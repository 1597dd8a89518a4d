package sockets

import (
	"io"
	"slices"
	"strings"

	"github.com/iolib-go/sockets/internal/codec"
)

// A TextReader decodes an external format that comes from a file or any other
// io.Reader: Read yields UTF-8 text with "\n" line ends. It does what the reading
// side of a TextConn does.
//
// It reads ahead bytes but decodes no text ahead: SetFormat applies to the byte that follows
// the text returned so far.
//
// Multiple goroutines may invoke methods on a TextReader simultaneously.
type TextReader struct{ r textReader }

var (
	_ io.Reader   = (*TextReader)(nil)
	_ io.WriterTo = (*TextReader)(nil)
)

// NewReader returns a TextReader that decodes format f from r. If f is invalid, every
// Read fails until SetFormat sets a valid format.
func (f ExternalFormat) NewReader(r io.Reader) *TextReader {
	t := &TextReader{}
	t.r.conn = r
	t.r.setFormat(f.codec())
	return t
}

// Read reads text into p, see TextConn.Read.
func (t *TextReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	return t.r.read(p)
}

// ReadString reads text up to delim and returns it with delim, see
// TextConn.ReadString.
func (t *TextReader) ReadString(delim byte) (string, error) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	return t.r.readString(delim)
}

// ReadLine is ReadString('\n') without the "\n". A last line without "\n"
// is returned together with io.EOF.
func (t *TextReader) ReadLine() (string, error) {
	s, err := t.ReadString('\n')
	return strings.TrimSuffix(s, "\n"), err
}

// WriteTo reads text until the end and writes it to w.
func (t *TextReader) WriteTo(w io.Writer) (n int64, err error) { return copyText(w, t) }

// SetFormat makes f the format of the bytes that no Read has consumed yet, see
// TextConn.SetReadFormat.
func (t *TextReader) SetFormat(f ExternalFormat) error {
	g, err := f.codec()
	if err != nil {
		return err
	}
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	t.r.setFormat(g, nil)
	return nil
}

// Format returns the format that Read decodes.
func (t *TextReader) Format() ExternalFormat {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	return externalFormat(t.r.format)
}

// Skip goes past n bytes without decoding them, see TextConn.Skip.
func (t *TextReader) Skip(n int) (int, error) {
	if n < 0 {
		return 0, &ArgumentError{Arg: "number of bytes", Value: n, Why: "must not be negative"}
	}
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	return t.r.skip(n)
}

// Offset returns how many bytes Read has consumed.
func (t *TextReader) Offset() int64 { return t.r.off.Load() }

// A TextWriter encodes text to an external format for a file or any other io.Writer.
// It does what the writing side of a TextConn does: when Write returns, all of the
// text is written except for a character whose end is missing.
//
// Multiple goroutines may invoke methods on a TextWriter simultaneously.
type TextWriter struct{ w textWriter }

var (
	_ io.WriteCloser  = (*TextWriter)(nil)
	_ io.ReaderFrom   = (*TextWriter)(nil)
	_ io.StringWriter = (*TextWriter)(nil)
)

// NewWriter returns a TextWriter that encodes to format f on w. If f is invalid, every
// Write fails until SetFormat sets a valid format.
func (f ExternalFormat) NewWriter(w io.Writer) *TextWriter {
	t := &TextWriter{}
	t.w.conn = w
	t.w.setFormat(f.codec())
	return t
}

// Write writes the text p, see TextConn.Write.
func (t *TextWriter) Write(p []byte) (int, error) {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return t.w.write(p)
}

// WriteString is Write for a string.
func (t *TextWriter) WriteString(s string) (int, error) {
	b := getBlock(blockSize)
	defer putBlock(b)
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return t.w.writeString(b.mem[:blockSize], s)
}

// ReadFrom writes the text that r has until it ends.
func (t *TextWriter) ReadFrom(r io.Reader) (n int64, err error) { return copyText(t, r) }

// SetFormat writes what the format before still owes, see Close, and makes f the
// format of the text that follows.
func (t *TextWriter) SetFormat(f ExternalFormat) error {
	g, err := f.codec()
	if err != nil {
		return err
	}
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	err = t.w.finish()
	t.w.setFormat(g, nil)
	return joinErrors(err, t.w.send())
}

// Format returns the format that Write encodes to.
func (t *TextWriter) Format() ExternalFormat {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return externalFormat(t.w.format)
}

// Offset returns how many bytes were written.
func (t *TextWriter) Offset() int64 { return t.w.off.Load() }

// Close writes what the format owes at the end of the text: an escape sequence back
// to ASCII, or the replacement of an unfinished character, which is a *FormatError
// that wraps io.ErrUnexpectedEOF in a strict format. It does not close the io.Writer
// under t.
func (t *TextWriter) Close() error {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return t.w.end()
}

// AppendDecode decodes src, which must be complete text in format f, and appends the
// result to dst. If f is strict and src is malformed, it returns the text before that,
// and a *FormatError with the offset in src.
func (f ExternalFormat) AppendDecode(dst, src []byte) ([]byte, error) {
	g, err := f.codec()
	if err != nil {
		return dst, err
	}
	var d codec.Decoder
	d.Init(g)
	for off := 0; ; {
		dst = slices.Grow(dst, len(src)-off+smallWire)
		n, used, status := d.Decode(dst[len(dst):cap(dst)], src[off:], true)
		dst = dst[:len(dst)+n]
		off += used
		switch status {
		case codec.More:
			return dst, nil
		case codec.Full:
		default:
			return dst, malformedError(g, status, int64(off), src[off:off+d.Bad()])
		}
	}
}

// AppendEncode encodes text in format f, including an escape sequence that the format
// needs at the end, and appends the result to dst. If f is strict and the encoding
// lacks a character, it returns what is before it, and a *FormatError with the offset
// in what was appended.
func (f ExternalFormat) AppendEncode(dst, text []byte) ([]byte, error) {
	g, err := f.codec()
	if err != nil {
		return dst, err
	}
	if len(text) == 0 {
		return dst, nil
	}
	var e codec.Encoder
	e.Init(g)
	start := len(dst)
	for off := 0; ; {
		dst = slices.Grow(dst, len(text)-off+codec.FinishLen)
		n, used, status := e.Encode(dst[len(dst):cap(dst)], text[off:])
		dst = dst[:len(dst)+n]
		off += used
		switch status {
		case codec.Malformed:
			return dst, unencodableError(g, int64(len(dst)-start), e.Bad())
		case codec.More:
			dst = slices.Grow(dst, codec.FinishLen)
			n, status := e.Finish(dst[len(dst) : len(dst)+codec.FinishLen])
			dst = dst[:len(dst)+n]
			if status == codec.Truncated {
				e := unencodableError(g, int64(len(dst)-start), e.Bad())
				e.Err = io.ErrUnexpectedEOF
				return dst, e
			}
			return dst, nil
		}
	}
}

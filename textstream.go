package sockets

import (
	"io"
	"slices"
	"strings"

	"github.com/iolib-go/sockets/internal/codec"
)

// A TextReader decodes text in an external format from a file or any other [io.Reader]:
// Read returns UTF-8 text with "\n" as newline. It works like the reading side of a
// [TextConn].
//
// It reads bytes ahead, but decodes no text ahead: SetFormat applies from the byte that
// follows the text returned so far.
//
// Methods of a TextReader may be called concurrently.
type TextReader struct{ r textReader }

var (
	_ io.Reader   = (*TextReader)(nil)
	_ io.WriterTo = (*TextReader)(nil)
)

// NewReader returns a [TextReader] that decodes format f from r. If f is invalid, every
// Read fails until SetFormat sets a valid format.
func (f ExternalFormat) NewReader(r io.Reader) *TextReader {
	t := &TextReader{}
	t.r.conn = r
	t.r.setFormat(f.codec())
	return t
}

// Read reads text into p. See [TextConn.Read].
func (t *TextReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	return t.r.read(p)
}

// ReadString reads text up to and including delim. See [TextConn.ReadString].
func (t *TextReader) ReadString(delim byte) (string, error) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	return t.r.readString(delim)
}

// ReadLine is like [TextReader.ReadString] with '\n', but returns the line without the
// "\n". If the last line has no "\n", it is returned together with [io.EOF].
func (t *TextReader) ReadLine() (string, error) {
	s, err := t.ReadString('\n')
	return strings.TrimSuffix(s, "\n"), err
}

// WriteTo reads text until the end of the input and writes it to w.
func (t *TextReader) WriteTo(w io.Writer) (n int64, err error) { return copyText(w, t) }

// SetFormat sets the format of all bytes that no Read has consumed yet. See
// [TextConn.SetReadFormat].
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

// Skip discards n bytes without decoding them. See [TextConn.Skip].
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

// A TextWriter encodes text to an external format for a file or any other [io.Writer].
// It works like the writing side of a [TextConn]: when Write returns, all of its text
// has been written, except for an incomplete character at the end.
//
// Methods of a TextWriter may be called concurrently.
type TextWriter struct{ w textWriter }

var (
	_ io.WriteCloser  = (*TextWriter)(nil)
	_ io.ReaderFrom   = (*TextWriter)(nil)
	_ io.StringWriter = (*TextWriter)(nil)
)

// NewWriter returns a [TextWriter] that encodes to format f on w. If f is invalid,
// every Write fails until SetFormat sets a valid format.
func (f ExternalFormat) NewWriter(w io.Writer) *TextWriter {
	t := &TextWriter{}
	t.w.conn = w
	t.w.setFormat(f.codec())
	return t
}

// Write writes the text p. See [TextConn.Write].
func (t *TextWriter) Write(p []byte) (int, error) {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return t.w.write(p)
}

// WriteString is like [TextWriter.Write], but takes a string.
func (t *TextWriter) WriteString(s string) (int, error) {
	b := getBlock(blockSize)
	defer putBlock(b)
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return t.w.writeString(b.mem[:blockSize], s)
}

// ReadFrom reads text from r until it ends and writes it.
func (t *TextWriter) ReadFrom(r io.Reader) (n int64, err error) { return copyText(t, r) }

// SetFormat sets the format of the text that follows. Before that, it writes what the
// previous format requires at the end, as [TextWriter.Close] does.
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

// Format returns the format to which Write encodes.
func (t *TextWriter) Format() ExternalFormat {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return externalFormat(t.w.format)
}

// Offset returns how many bytes have been written to the underlying io.Writer.
func (t *TextWriter) Offset() int64 { return t.w.off.Load() }

// Close writes what the format requires at the end of the text: an escape sequence back
// to ASCII, or the replacement of an incomplete character, which in a strict format is
// a [*FormatError] that wraps [io.ErrUnexpectedEOF]. It does not close the underlying
// io.Writer.
func (t *TextWriter) Close() error {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	return t.w.end()
}

// AppendDecode decodes src, which must be complete text in format f, and appends the
// result to dst. If f is strict and src is malformed, it returns the text before the
// malformed bytes and a [*FormatError] with their offset in src.
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

// AppendEncode encodes text in format f and appends the result to dst, including an
// escape sequence if the format needs one at the end. If f is strict and the encoding
// lacks a character, it returns what precedes that character and a [*FormatError] with
// the offset in the appended bytes.
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
		// No more of dst than was asked for: all of it is scratch space.
		room := len(text) - off + codec.FinishLen
		dst = slices.Grow(dst, room)
		n, used, status := e.Encode(dst[len(dst):len(dst)+room], text[off:])
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

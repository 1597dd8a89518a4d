package sockets

import (
	"errors"
	"fmt"
	"strings"

	"github.com/iolib-go/sockets/internal/codec"
	"golang.org/x/text/encoding"
)

// ExternalFormat says how text looks on the wire: its character encoding, the
// way lines end, and what happens to input that has no counterpart. The zero
// value is bytes as they are.
//
// Text is UTF-8 with "\n" line ends, whatever the format.
type ExternalFormat struct {
	// Encoding is any encoding of golang.org/x/text, or another one that
	// keeps its contracts. Nil means bytes as they are, in which nothing is
	// malformed and only CR, LF and NUL have a meaning, for Newline.
	//
	// The x/text value named ISO2022JP or HZGB2312 stands for the encoding; the
	// conversion itself is done here.
	Encoding encoding.Encoding

	// Newline is the line end of the wire. The zero value, NewlineLF, converts
	// nothing.
	Newline Newline

	// Strict makes malformed input and characters that Encoding lacks an
	// error, a *FormatError. Otherwise malformed input reads as U+FFFD, and a
	// character that is lacking is written as "?", or as SUB in EBCDIC.
	Strict bool
}

// Newline is a style of line ends.
type Newline uint8

// The styles of line ends. In the styles CR, CRLF and NEL the text's own
// "\r\n" is one line end.
const (
	NewlineLF   Newline = Newline(codec.LF)   // LF: nothing is converted
	NewlineCR   Newline = Newline(codec.CR)   // CR
	NewlineCRLF Newline = Newline(codec.CRLF) // CR LF
	NewlineAny  Newline = Newline(codec.Any)  // reads LF, CR and CR LF, writes LF
	NewlineNEL  Newline = Newline(codec.NEL)  // U+0085, the line end of z/OS
	NewlineNVT  Newline = Newline(codec.NVT)  // CR LF, and CR NUL for a bare CR: RFC 854, Telnet
)

// String returns the name of the style as ParseFormat reads it.
func (n Newline) String() string { return codec.Newline(n).String() }

// Errors that a FormatError wraps, and prints without their prefix.
var (
	ErrMalformed       = errors.New("sockets: malformed input")
	ErrUnencodable     = errors.New("sockets: character not in the encoding")
	ErrUnknownEncoding = errors.New("sockets: unknown encoding")
	ErrFormatOption    = errors.New("sockets: bad format option")
)

// A FormatError reports input that has no counterpart in an external format,
// or a format that cannot be.
type FormatError struct {
	// Op is "read" or "write" for input, "parse" for the text of a format,
	// "format" for a value of ExternalFormat.
	Op string

	// Encoding is the name of the encoding.
	Encoding string

	// Offset is where the input begins. For "read" it counts bytes received,
	// for "write" bytes sent or about to be, both from the start of the
	// connection and through all switches of format; for "parse", bytes of
	// the text.
	Offset int64

	// Bytes is the input: for "read" the malformed bytes, for "write" the
	// character or the malformed UTF-8.
	Bytes []byte

	// Err is the reason: one of this package's errors, io.ErrUnexpectedEOF
	// for input that ends inside a character, or an error of x/text.
	Err error
}

// Error returns one line of text.
func (e *FormatError) Error() string {
	var b strings.Builder
	b.WriteString("sockets: ")
	b.WriteString(e.Op)
	if e.Encoding != "" {
		b.WriteString(" " + e.Encoding)
	}
	if e.Err != nil {
		b.WriteString(": " + strings.TrimPrefix(e.Err.Error(), "sockets: "))
	}
	if len(e.Bytes) == 0 {
		return b.String()
	}
	if e.Op == "read" {
		fmt.Fprintf(&b, ": % x at offset %d", e.Bytes, e.Offset)
	} else {
		fmt.Fprintf(&b, ": %q at offset %d", e.Bytes, e.Offset)
	}
	return b.String()
}

// Unwrap returns e.Err.
func (e *FormatError) Unwrap() error { return e.Err }

// Timeout returns false. Together with Temporary it makes a FormatError a
// net.Error, which users of a net.Conn expect of every error but io.EOF.
func (e *FormatError) Timeout() bool { return false }

// Temporary returns false.
func (e *FormatError) Temporary() bool { return false }

// ParseFormat parses the text of a format: the name of an encoding, and after
// commas a style of line ends (lf, cr, crlf, any, nel, nvt) and "strict" or
// "replace", both optional: "shift_jis,crlf", "cp037,nel,strict", "utf-16le".
// It is the inverse of String.
//
// Names are those that IANA, WHATWG, iconv, Python and ICU have for the
// encodings of x/text, with case and punctuation ignored; EncodingNames
// lists the ones that String uses. "iso-8859-1" is ISO 8859-1, not
// windows-1252; "utf-16" and "utf-32" are big-endian unless a byte order mark
// says otherwise, and write one; "utf-8-sig" is UTF-8 with a mark. "bytes" is
// bytes as they are.
//
// Errors are of type *FormatError. An unknown name comes with the nearest
// ones.
func ParseFormat(s string) (ExternalFormat, error) {
	var f ExternalFormat
	name, rest, more := strings.Cut(s, ",")
	charset := codec.Lookup(strings.TrimSpace(name))
	if charset == nil {
		return f, &FormatError{Op: "parse", Bytes: []byte(name), Err: unknownEncoding(name)}
	}
	f.Encoding = charset.Encoding
	fail := func(at int, word, format string, args ...any) (ExternalFormat, error) {
		err := fmt.Errorf("%w, %s", ErrFormatOption, fmt.Sprintf(format, args...))
		return ExternalFormat{}, &FormatError{Op: "parse", Encoding: charset.Name, Offset: int64(at), Bytes: []byte(word), Err: err}
	}
	newline, policy := "", ""
	for at := len(name) + 1; more; {
		var word string
		word, rest, more = strings.Cut(rest, ",")
		opt := strings.ToLower(strings.TrimSpace(word))
		if nl, ok := codec.ParseNewline(opt); ok {
			if newline != "" {
				return fail(at, word, "%s was given before", newline)
			}
			newline = opt
			f.Newline = Newline(nl)
		} else if opt == "strict" || opt == "replace" {
			if policy != "" {
				return fail(at, word, "%s was given before", policy)
			}
			policy = opt
			f.Strict = opt == "strict"
		} else {
			return fail(at, word, "want one of lf, cr, crlf, any, nel, nvt, strict, replace")
		}
		if err := f.check(); err != nil {
			return fail(at, word, "the encoding has no U+0085")
		}
		at += len(word) + 1
	}
	return f, nil
}

func unknownEncoding(name string) error {
	near := codec.Nearest(name)
	if len(near) == 0 {
		return ErrUnknownEncoding
	}
	return fmt.Errorf("%w (nearest: %s)", ErrUnknownEncoding, strings.Join(near, ", "))
}

// String returns the text that ParseFormat makes f of. An encoding without a
// name, see RegisterEncoding, prints as what it calls itself.
func (f ExternalFormat) String() string {
	s := codec.Of(f.Encoding).Name
	if f.Newline != NewlineLF {
		s += "," + f.Newline.String()
	}
	if f.Strict {
		s += ",strict"
	}
	return s
}

// EncodingNames returns the names of all encodings, sorted. Each is the one
// of its encoding's names that ExternalFormat.String prints.
func EncodingNames() []string { return codec.Names() }

// RegisterEncoding gives an encoding a name, or one more name, that ParseFormat
// finds it by. It fails with an *ArgumentError if the name is in use, or if e cannot be
// compared with ==.
//
// An encoding that x/text does not have works without a name, too.
func RegisterEncoding(name string, e encoding.Encoding) error {
	if err := codec.Register(name, e); err != nil {
		return &ArgumentError{Arg: "encoding", Value: name, Why: err.Error()}
	}
	return nil
}

// check reports a format that cannot be.
func (f ExternalFormat) check() error {
	charset := codec.Of(f.Encoding)
	var err error
	switch {
	case !codec.Newline(f.Newline).Valid():
		err = fmt.Errorf("%w: unknown style of line ends %d", ErrFormatOption, uint8(f.Newline))
	case !charset.Usable():
		err = fmt.Errorf("%w: the encoding has no decoder or no encoder", ErrFormatOption)
	case f.Newline == NewlineNEL && !charset.EncodesNEL():
		err = fmt.Errorf("%w: line ends are U+0085, which the encoding lacks", ErrFormatOption)
	default:
		return nil
	}
	return &FormatError{Op: "format", Encoding: charset.Name, Err: err}
}

func (f ExternalFormat) codec() codec.Format {
	return codec.Format{Charset: codec.Of(f.Encoding), Newline: codec.Newline(f.Newline), Strict: f.Strict}
}

// externalFormat is the inverse of ExternalFormat.codec.
func externalFormat(f codec.Format) ExternalFormat {
	return ExternalFormat{Encoding: f.Charset.Encoding, Newline: Newline(f.Newline), Strict: f.Strict}
}

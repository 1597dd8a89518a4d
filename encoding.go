package sockets

import (
	"errors"
	"fmt"
	"strings"

	"github.com/iolib-go/sockets/internal/codec"
	"golang.org/x/text/encoding"
)

// ExternalFormat says how text looks on the wire: its character encoding, the
// way lines end, and what happens to input that cannot be converted. The zero
// value is bytes as they are.
//
// Text is UTF-8 with "\n" line ends, whatever the format.
type ExternalFormat struct {
	// Encoding is any encoding of golang.org/x/text, one that ParseFormat
	// returns, or another one that keeps x/text's contracts. Nil means bytes as they
	// are, in which nothing is malformed and only CR, LF and NUL have a meaning, for
	// Newline.
	//
	// An x/text value only names the encoding; this package does the conversion
	// itself. It follows the encoding's own standard where x/text's table does
	// not: GB 18030 is the edition of 2022 with the private use area, ISO 8859
	// has the C1 controls. What is written for a character is always read as
	// the same one.
	Encoding encoding.Encoding

	// Newline is the line end of the wire. The zero value, NewlineLF, converts
	// nothing.
	Newline Newline

	// Strict makes malformed input and characters that Encoding lacks an
	// error, a *FormatError. Otherwise malformed input reads as U+FFFD, and a
	// character that is lacking is written as "?", or as SUB in EBCDIC. In the
	// East Asian encodings some of those that are lacking have look-alikes: the
	// minus sign, the wave dash, U+2016, the dashes U+2014 and U+2015, the cent,
	// pound and not signs, and in Shift_JIS and EUC-JP the yen sign and the
	// overline. These are written as WHATWG's and Microsoft's encoders do.
	Strict bool
}

// Newline is a style of line ends.
type Newline uint8

// The styles of line ends. In the styles CR, CRLF and NEL, "\r\n" in the text is written
// as one line end.
//
// A CR at the end of what has arrived may be the first half of CR LF: in the styles CRLF and
// NVT a Read waits for the next byte before it returns that CR. For a protocol whose messages
// end in a CR, such as MLLP for HL7 with FS CR, use NewlineCR or NewlineAny, which end the
// line at once, or NewlineLF, which converts nothing.
const (
	NewlineLF   Newline = Newline(codec.LF)   // LF: nothing is converted
	NewlineCR   Newline = Newline(codec.CR)   // CR
	NewlineCRLF Newline = Newline(codec.CRLF) // CR LF
	NewlineAny  Newline = Newline(codec.Any)  // reads LF, CR and CR LF, writes LF
	NewlineNEL  Newline = Newline(codec.NEL)  // U+0085, the line end of z/OS: 15 in EBCDIC, while LF is 25 in every page
	NewlineNVT  Newline = Newline(codec.NVT)  // Telnet, RFC 854: CR LF, CR NUL for a bare CR, FF doubled; see SetCommandFunc
)

// String returns the name of the style as ParseFormat reads it.
func (n Newline) String() string { return codec.Newline(n).String() }

// Errors that a FormatError wraps.
var (
	ErrMalformed       = errors.New("sockets: malformed input")
	ErrUnencodable     = errors.New("sockets: character not in the encoding")
	ErrUnknownEncoding = errors.New("sockets: unknown encoding")
	ErrFormatOption    = errors.New("sockets: bad format option")
)

// A FormatError reports input that an external format cannot represent, or a format that
// does not exist.
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
// encodings of x/text and for some 60 code pages more, of EBCDIC, DOS and the
// Macintosh, with case and punctuation ignored; EncodingNames
// lists the ones that String uses. "iso-8859-1" is ISO 8859-1, not
// windows-1252; "gb18030" is the edition of 2022, "gb18030-2005" the one before;
// "utf-16" and "utf-32" are big-endian unless a byte order mark
// says otherwise, and write one; "utf-8-sig" is UTF-8 with a mark. "bytes" is
// bytes as they are.
//
// Encoding is a value of this package, except for the forms of Unicode, which are
// x/text's, and for values of x/text that the program has used in a format: those
// are found again by their names. A value of this package works with x/text's
// functions as well.
//
// Errors are of type *FormatError. The error for an unknown name suggests the
// nearest names.
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

// String returns the text from which ParseFormat makes f. An encoding without a name,
// see RegisterEncoding, prints as its own String method says.
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
	_, err := f.codec()
	return err
}

// codec returns f as package codec has it, and what is wrong with it.
func (f ExternalFormat) codec() (codec.Format, error) {
	g := codec.Format{Charset: codec.Of(f.Encoding), Newline: codec.Newline(f.Newline), Strict: f.Strict}
	return g, checkFormat(g)
}

func checkFormat(f codec.Format) error {
	var err error
	switch {
	case !f.Newline.Valid():
		err = fmt.Errorf("%w: unknown style of line ends %d", ErrFormatOption, uint8(f.Newline))
	case !f.Charset.Usable():
		err = fmt.Errorf("%w: the encoding has no decoder or no encoder", ErrFormatOption)
	case f.Newline == codec.NEL && !f.Charset.EncodesNEL():
		err = fmt.Errorf("%w: line ends are U+0085, which the encoding lacks", ErrFormatOption)
	default:
		return nil
	}
	return &FormatError{Op: "format", Encoding: f.Charset.Name, Err: err}
}

// externalFormat is the inverse of ExternalFormat.codec.
func externalFormat(f codec.Format) ExternalFormat {
	return ExternalFormat{Encoding: f.Charset.Encoding, Newline: Newline(f.Newline), Strict: f.Strict}
}

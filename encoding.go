package sockets

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets/internal/codec"
	"golang.org/x/text/encoding"
)

// ExternalFormat describes how text is represented on the wire: its character encoding,
// its newline style, and what happens to input that cannot be converted. The zero value
// converts nothing.
//
// To the program, text is always UTF-8 with "\n" as newline, whatever the format.
type ExternalFormat struct {
	// Encoding is any encoding of golang.org/x/text, one that ParseFormat returns, or
	// another one that satisfies the contracts of encoding.Encoding. Nil means bytes: no
	// input is malformed, and no byte has a meaning except those of Newline.
	//
	// A value of x/text only identifies the encoding; this package does the conversion
	// itself. It follows the encoding's own standard where x/text's table does not: GB
	// 18030 is the 2022 edition with the private use area, and the ISO 8859 encodings have
	// the C1 controls. Whatever is written for a character is read back as that character.
	Encoding encoding.Encoding

	// Newline is the newline style of the wire. The zero value, NewlineLF, converts
	// nothing.
	Newline Newline

	// Strict makes malformed input and characters that Encoding lacks an error, a
	// *FormatError. Without it, malformed input is read as U+FFFD, and a character that
	// the encoding lacks is written as "?", or as SUB in EBCDIC.
	//
	// In the East Asian encodings some missing characters have look-alikes, which are then
	// written instead, as the encoders of WHATWG and Microsoft do: the minus sign, the
	// wave dash, U+2016, the dashes U+2014 and U+2015, the cent, pound and not signs, and,
	// in Shift_JIS and EUC-JP, the yen sign and the overline.
	Strict bool
}

// Newline is a newline style.
type Newline uint8

// The newline styles. In the styles CR, CRLF, NEL and NVT, "\r\n" in the text is written
// as one newline.
//
// A CR at the end of the data received so far may be the first half of a CR LF. In the
// styles CRLF and NVT, Read therefore waits for the next byte before it returns that
// CR. For a protocol whose messages end in CR, such as MLLP for HL7 (FS CR), use
// NewlineCR or NewlineAny, which end the line at once, or NewlineLF, which converts
// nothing.
const (
	NewlineLF   Newline = Newline(codec.LF)   // LF; converts nothing
	NewlineCR   Newline = Newline(codec.CR)   // CR
	NewlineCRLF Newline = Newline(codec.CRLF) // CR LF
	NewlineAny  Newline = Newline(codec.Any)  // reads LF, CR and CR LF, writes LF

	// NewlineNEL is U+0085, the newline of z/OS: byte 0x15 in EBCDIC, where LF is byte
	// 0x25.
	NewlineNEL Newline = Newline(codec.NEL)

	// NewlineNVT is that of Telnet, RFC 854: CR LF, and CR NUL for a bare CR. The byte
	// 0xFF is doubled, and commands are removed; see TextConn.SetCommandFunc.
	NewlineNVT Newline = Newline(codec.NVT)
)

// String returns the style's name in [ParseFormat].
func (n Newline) String() string { return codec.Newline(n).String() }

// Errors that a FormatError wraps.
var (
	ErrMalformed       = errors.New("sockets: malformed input")
	ErrUnencodable     = errors.New("sockets: character not in the encoding")
	ErrUnknownEncoding = errors.New("sockets: unknown encoding")
	ErrFormatOption    = errors.New("sockets: bad format option")
)

// A FormatError reports input that an external format cannot represent, or a format
// that does not exist.
type FormatError struct {
	// Op is "read" or "write" for input, "parse" for the text form of a format, and
	// "format" for an invalid ExternalFormat.
	Op string

	// Encoding is the name of the encoding.
	Encoding string

	// Offset is where the input begins. For "read" it counts received bytes, and for
	// "write" bytes that were or would have been sent, both from the start of the
	// connection and across changes of format. For "parse" it counts bytes of the text.
	Offset int64

	// Bytes is the input: the malformed bytes for "read", and the character or the
	// malformed UTF-8 for "write".
	Bytes []byte

	// Err is the reason: one of this package's errors, io.ErrUnexpectedEOF for input that
	// ends inside a character, or an error of x/text.
	Err error
}

// Error returns a message of one line.
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

// Timeout returns false. Together with Temporary it makes a FormatError a [net.Error],
// as users of a net.Conn expect of every error except io.EOF.
func (e *FormatError) Timeout() bool { return false }

// Temporary returns false.
func (e *FormatError) Temporary() bool { return false }

// ParseFormat parses the text form of a format: the name of an encoding, optionally
// followed by a newline style (lf, cr, crlf, any, nel, nvt) and by "strict" or
// "replace", separated by commas. Examples are "shift_jis,crlf", "cp037,nel,strict" and
// "utf-16le". It is the inverse of [ExternalFormat.String].
//
// Names are those that IANA, WHATWG, iconv, Python and ICU use for the encodings of
// x/text and for about 60 more code pages of EBCDIC, DOS and the Macintosh; case and
// punctuation are ignored. [EncodingNames] lists the ones that String prints.
// "iso-8859-1" is ISO 8859-1, not windows-1252. "gb18030" is the 2022 edition,
// "gb18030-2005" the previous one. "utf-16" and "utf-32" are big-endian unless a byte
// order mark says otherwise, and write such a mark. "utf-8-sig" is UTF-8 with a byte
// order mark. "bytes" converts nothing.
//
// The Encoding of the result is a value of this package, which also works with x/text's
// functions, with two exceptions: the Unicode encodings are x/text's own values, and so
// is an x/text encoding that the program has already used in a format.
//
// Errors are of type [*FormatError]. The error for an unknown name suggests similar
// names.
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

// String returns the text that [ParseFormat] parses to f. An encoding without a name,
// see [RegisterEncoding], is printed by its own String method.
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

// EncodingNames returns the names of all encodings, sorted. For an encoding with
// several names it returns the one that [ExternalFormat.String] prints.
func EncodingNames() []string { return codec.Names() }

// RegisterEncoding gives an encoding a name, or an additional one, under which
// [ParseFormat] finds it. It returns an [*ArgumentError] if the name is in use, or if e
// cannot be compared with ==.
//
// An encoding does not need a name to be used in an [ExternalFormat].
func RegisterEncoding(name string, e encoding.Encoding) error {
	if err := codec.Register(name, e); err != nil {
		return &ArgumentError{Arg: "encoding", Value: strconv.Quote(name), Why: err.Error()}
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
		err = fmt.Errorf("%w: unknown newline style %d", ErrFormatOption, uint8(f.Newline))
	case !f.Charset.Usable():
		err = fmt.Errorf("%w: the encoding lacks a decoder or an encoder", ErrFormatOption)
	case f.Newline == codec.NEL && !f.Charset.EncodesNEL():
		err = fmt.Errorf("%w: the newline is U+0085, which the encoding lacks", ErrFormatOption)
	default:
		return nil
	}
	return &FormatError{Op: "format", Encoding: f.Charset.Name, Err: err}
}

// externalFormat is the inverse of ExternalFormat.codec.
func externalFormat(f codec.Format) ExternalFormat {
	return ExternalFormat{Encoding: f.Charset.Encoding, Newline: Newline(f.Newline), Strict: f.Strict}
}

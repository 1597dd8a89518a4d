package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

func TestRegisterEncodingRefusesNamesThatDoNotParse(t *testing.T) {
	for _, name := range []string{"", "a b", "a,b", "a\rb", "\u00a0x", "x\u3000", "-", "a\tb", "x\u2028"} {
		if err := sockets.RegisterEncoding(name, &oddEncoding{}); err == nil {
			t.Errorf("%q is registered", name)
		}
	}
}

func TestRule34ParseFormat(t *testing.T) {
	utf16 := unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	tests := []struct {
		text string
		want sockets.ExternalFormat
		back string
	}{
		{"shift_jis,crlf", sockets.ExternalFormat{Encoding: japanese.ShiftJIS, Newline: sockets.NewlineCRLF}, "shift_jis,crlf"},
		{"cp037,nel,strict", sockets.ExternalFormat{Encoding: charmap.CodePage037, Newline: sockets.NewlineNEL, Strict: true}, "cp037,nel,strict"},
		{"utf-8", sockets.ExternalFormat{Encoding: unicode.UTF8}, "utf-8"},
		{"bytes", sockets.ExternalFormat{}, "bytes"},
		{" IBM-037 , STRICT , NEL ", sockets.ExternalFormat{Encoding: charmap.CodePage037, Newline: sockets.NewlineNEL, Strict: true}, "cp037,nel,strict"},
		{"UTF16,replace,any", sockets.ExternalFormat{Encoding: utf16, Newline: sockets.NewlineAny}, "utf-16,any"},
		{"iso-8859-1", sockets.ExternalFormat{Encoding: charmap.ISO8859_1}, "iso-8859-1"},
		{"latin-9,cr", sockets.ExternalFormat{Encoding: charmap.ISO8859_15, Newline: sockets.NewlineCR}, "iso-8859-15,cr"},
		{"ascii,nvt", sockets.ExternalFormat{Encoding: conntest.MustEncoding("us-ascii"), Newline: sockets.NewlineNVT}, "us-ascii,nvt"},
	}
	for _, tt := range tests {
		for _, f := range []sockets.ExternalFormat{conntest.Format(t, tt.text), tt.want} {
			if diff := cmp.Diff(tt.back, f.String()); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.text, diff)
			}
		}
		// Now that x/text's value is in use, its name is the one of that value.
		for _, text := range []string{tt.text, tt.back} {
			if got, err := sockets.ParseFormat(text); err != nil || got != tt.want {
				t.Errorf("%q: %v, %v", text, got, err)
			}
		}
	}
}

func TestParseFormatErrors(t *testing.T) {
	tests := []struct {
		text   string
		reason error
		offset int64
		bytes  string
		says   string
	}{
		{"utf-9", sockets.ErrUnknownEncoding, 0, "utf-9", "nearest: utf-8"},
		{"shiftjs,crlf", sockets.ErrUnknownEncoding, 0, "shiftjs", "nearest: shift_jis"},
		{"", sockets.ErrUnknownEncoding, 0, "", "unknown encoding"},
		{"crlf", sockets.ErrUnknownEncoding, 0, "crlf", "unknown encoding"},
		{"utf-8,", sockets.ErrFormatOption, 6, "", "want one of"},
		{"utf-8,dos", sockets.ErrFormatOption, 6, "dos", "want one of"},
		{"utf-8,crlf,lf", sockets.ErrFormatOption, 11, "lf", "crlf was given before"},
		{"utf-8,strict,crlf,replace", sockets.ErrFormatOption, 18, "replace", "strict was given before"},
		{"shift_jis,nel", sockets.ErrFormatOption, 10, "nel", "no U+0085"},
		{"bytes,nel", sockets.ErrFormatOption, 6, "nel", "no U+0085"},
	}
	for _, tt := range tests {
		f, err := sockets.ParseFormat(tt.text)
		if f != (sockets.ExternalFormat{}) {
			t.Errorf("%q: %v", tt.text, f)
		}
		wantFormatError(t, err, "parse", tt.offset, tt.bytes, tt.reason)
		if !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %q does not say %q", tt.text, err, tt.says)
		}
	}
}

func TestEncodingNamesParse(t *testing.T) {
	names := sockets.EncodingNames()
	if len(names) < 60 || !slices.IsSorted(names) {
		t.Errorf("%d names: %q", len(names), names)
	}
	for _, name := range names {
		for _, option := range []string{"", ",crlf", ",any,strict", ",strict"} {
			f, err := sockets.ParseFormat(name + option)
			if err != nil {
				t.Error(err)
			} else if f.String() != name+option {
				t.Errorf("%s%s prints as %s", name, option, f)
			}
			if f.Encoding == nil && name != "bytes" {
				t.Errorf("%s has no encoding", name)
			}
		}
	}
}

func TestFormatErrorIsANetError(t *testing.T) {
	var err error = &sockets.FormatError{Op: "read", Err: sockets.ErrMalformed}
	var ne interface {
		error
		Timeout() bool
		Temporary() bool
	}
	if !errors.As(err, &ne) || ne.Timeout() || ne.Temporary() {
		t.Error("it must be a net.Error that is not a timeout")
	}
}

func FuzzParseFormat(f *testing.F) {
	for _, s := range []string{"shift_jis,crlf", "cp037,nel,strict", "utf-16le", "utf-9", ",", "bytes,replace,any"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := sockets.ParseFormat(s)
		if err != nil {
			var fe *sockets.FormatError
			if !errors.As(err, &fe) || fe.Op != "parse" || fe.Error() == "" {
				t.Fatalf("%q: %v", s, err)
			}
			if at := int(fe.Offset); at > len(s) || !strings.HasPrefix(s[at:], string(fe.Bytes)) {
				t.Fatalf("%q: %q is not at %d", s, fe.Bytes, at)
			}
			return
		}
		back, err := sockets.ParseFormat(got.String())
		if err != nil || back != got {
			t.Fatalf("%q is %v and back %v, %v", s, got, back, err)
		}
	})
}

// rot13Encoding is an encoding that x/text does not have.
type rot13Encoding struct{}

func (rot13Encoding) NewDecoder() *encoding.Decoder {
	return &encoding.Decoder{Transformer: rot13Coder{}}
}

func (rot13Encoding) NewEncoder() *encoding.Encoder {
	return &encoding.Encoder{Transformer: rot13Coder{}}
}

func (rot13Encoding) String() string { return "rot 13" }

type rot13Coder struct{ transform.NopResetter }

func (rot13Coder) Transform(dst, src []byte, atEOF bool) (int, int, error) {
	n := copy(dst, src)
	for i, c := range dst[:n] {
		switch lower := c | 0x20; {
		case c >= 0x80:
			if i > 0 {
				return i, i, nil
			}
			return 0, 0, encoding.ErrInvalidUTF8
		case 'a' <= lower && lower <= 'm':
			dst[i] = c + 13
		case 'n' <= lower && lower <= 'z':
			dst[i] = c - 13
		}
	}
	if n < len(src) {
		return n, n, transform.ErrShortDst
	}
	return n, n, nil
}

func TestRule33AnyEncoding(t *testing.T) {
	f := sockets.ExternalFormat{Encoding: rot13Encoding{}, Newline: sockets.NewlineCRLF}
	if got := f.String(); got != "rot 13,crlf" {
		t.Error(got)
	}
	wire := "Uryyb\r\nJbeyq\r!\xff\r"
	for size := 1; size < 9; size++ {
		for i := range wire {
			s := &script{reads: []scripted{{wire[:i], nil}, {"", temporary}, {wire[i:], io.EOF}}}
			c := sockets.NewTextConn(s, f)
			first, err := readable(c, size)
			if err != temporary {
				t.Fatal(err)
			}
			rest, err := readable(c, size)
			if first+rest != "Hello\nWorld\r!\ufffd\r" || err != io.EOF {
				t.Fatalf("split at %d into %d: %q and %q, %v", i, size, first, rest, err)
			}
		}
	}
	s := &script{}
	c := sockets.NewTextConn(s, f)
	conntest.MustWrite(t, c, "Hello\nWorld é\r\n")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantWire(t, s, "Uryyb\r\nJbeyq \x1a\r\n")

	f.Strict = true
	s = &script{reads: data("no\xffno")}
	c = sockets.NewTextConn(s, f)
	for range 2 {
		_, err := readable(c, 10)
		wantFormatError(t, err, "read", 2, "\xff", sockets.ErrMalformed)
	}
	n, err := c.Write([]byte("aé"))
	if n != 1 {
		t.Error(n)
	}
	wantFormatError(t, err, "write", 1, "é", sockets.ErrUnencodable)

	if err := sockets.RegisterEncoding("rot-13", rot13Encoding{}); err != nil {
		t.Fatal(err)
	}
	if err := sockets.RegisterEncoding("ROT13", rot13Encoding{}); err == nil {
		t.Error("the name is taken")
	}
	if err := sockets.RegisterEncoding("utf-8", rot13Encoding{}); err == nil {
		t.Error("the name is taken")
	}
	got, err := sockets.ParseFormat("rot13,crlf,strict")
	if err != nil || got != f || got.String() != "rot-13,crlf,strict" {
		t.Error(got, err)
	}
}

// oddCoder is a transformer that the test made up.
type oddCoder struct {
	transform.NopResetter
	do func(dst, src []byte, atEOF bool) (int, int, error)
}

func (o oddCoder) Transform(dst, src []byte, atEOF bool) (int, int, error) {
	return o.do(dst, src, atEOF)
}

type oddEncoding struct {
	dec, enc func(dst, src []byte, atEOF bool) (int, int, error)
}

func (o *oddEncoding) NewDecoder() *encoding.Decoder {
	if o.dec == nil {
		return nil
	}
	return &encoding.Decoder{Transformer: oddCoder{do: o.dec}}
}

func (o *oddEncoding) NewEncoder() *encoding.Encoder {
	if o.enc == nil {
		return nil
	}
	return &encoding.Encoder{Transformer: oddCoder{do: o.enc}}
}

func TestForeignEncodingsThatMisbehave(t *testing.T) {
	always := func(err error) func(dst, src []byte, atEOF bool) (int, int, error) {
		return func(dst, src []byte, atEOF bool) (int, int, error) { return 0, 0, err }
	}
	swallow := func(dst, src []byte, atEOF bool) (int, int, error) { return 0, len(src), nil }
	for name, do := range map[string]func(dst, src []byte, atEOF bool) (int, int, error){
		"no progress": always(nil), "short src for ever": always(transform.ErrShortSrc), "short dst for ever": always(transform.ErrShortDst),
		"fails": always(errors.New("no")), "swallows": swallow,
	} {
		for _, strict := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " strict=", strict), func(t *testing.T) {
				f := sockets.ExternalFormat{Encoding: &oddEncoding{do, do}, Newline: sockets.NewlineCRLF, Strict: strict}
				s := &script{reads: []scripted{{strings.Repeat("ab\r\n", 100), nil}, {"", io.EOF}}}
				c := sockets.NewTextConn(s, f)
				text, err := readable(c, 700)
				if err == nil {
					t.Errorf("read %q", text)
				}
				for range 3 {
					n, err := c.Write([]byte("some\ntext"))
					if n < 0 || n > 9 || n < 9 && err == nil {
						t.Errorf("wrote %d, %v", n, err)
					}
				}
				c.Close()
			})
		}
	}
	pass := func(dst, src []byte, atEOF bool) (int, int, error) {
		n := copy(dst, src)
		return n, n, nil
	}
	for name, e := range map[string]*oddEncoding{"decoder": {enc: pass}, "encoder": {dec: pass}, "both": {}} {
		f := sockets.ExternalFormat{Encoding: e}
		c := sockets.NewTextConn(&script{reads: data("x")}, f)
		if err := c.SetReadFormat(f); !errors.Is(err, sockets.ErrFormatOption) {
			t.Errorf("no %s: %v", name, err)
		}
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, sockets.ErrFormatOption) {
			t.Errorf("no %s: read %v", name, err)
		}
		if _, err := c.Write(make([]byte, 1)); !errors.Is(err, sockets.ErrFormatOption) {
			t.Errorf("no %s: write %v", name, err)
		}
	}
	// A panic is the encoding's, but no lock is held on.
	f := sockets.ExternalFormat{Encoding: &oddEncoding{func([]byte, []byte, bool) (int, int, error) { panic("mine") }, pass}}
	c := sockets.NewTextConn(&script{reads: data("x")}, f)
	func() {
		defer func() { recover() }()
		c.Read(make([]byte, 1000))
	}()
	if err := c.SetReadFormat(sockets.ExternalFormat{}); err != nil {
		t.Error(err)
	}
}

func TestReplacementEncoding(t *testing.T) {
	c, _ := play(t, "replacement", scripted{"abc", io.EOF})
	if got, err := readable(c, 10); got != "\ufffd" || err != io.EOF {
		t.Errorf("%q, %v", got, err)
	}
}

func TestForeignEncodingGivesBackItsCR(t *testing.T) {
	s := &script{reads: data("Uv\r")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: rot13Encoding{}, Newline: sockets.NewlineCRLF})
	wantRead(t, c, "Hi")
	if err := c.SetReadFormat(conntest.Format(t, "us-ascii")); err != nil {
		t.Fatal(err)
	}
	s.reads = data("\nplain")
	wantRead(t, c, "\r\nplain")
}

func TestForeignEncodingGoesOnBehindMalformedBytes(t *testing.T) {
	s := &script{reads: data("uv\xff\xffuv")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: rot13Encoding{}, Strict: true})
	for i, want := range []string{"hi", "", "hi"} {
		got, err := readable(c, 10)
		if got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if i == 2 {
			break
		}
		wantFormatError(t, err, "read", int64(2+i), "\xff", sockets.ErrMalformed)
		if n, err := c.Skip(1); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
}

// strange hides which encoding of x/text it is.
type strange struct{ encoding.Encoding }

func TestForeignEncodingIsOnlySlower(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"shift_jis", "aテスト\r\nx\r\r\n"}, {"gb18030", "中😀\r\n\r"}, {"utf-16le", "é日\r\n😀"},
		{"iso-2022-jp", "aあ\r\nいb\r\n"}, {"cp037", "Grüße\r\n"}, {"big5", "Ê̄中\r\n"},
	} {
		f := sockets.ExternalFormat{Encoding: strange{conntest.MustEncoding(tt.name)}, Newline: sockets.NewlineCRLF}
		native := conntest.Format(t, tt.name+",crlf")
		wire, err := native.Encoding.NewEncoder().Bytes([]byte(strings.ReplaceAll(tt.text, "Ê̄", "")))
		if err != nil {
			t.Fatal(err)
		}
		if tt.name == "big5" {
			wire = append([]byte("\x88\x62"), wire...)
		}
		want := strings.ReplaceAll(tt.text, "\r\n", "\n")
		for cut := range wire {
			for size := 1; size < 6; size++ {
				s := &script{reads: []scripted{{string(wire[:cut]), nil}, {"", temporary}, {string(wire[cut:]), io.EOF}}}
				c := sockets.NewTextConn(s, f)
				first, err := readable(c, size)
				if err != temporary {
					t.Fatal(err)
				}
				rest, err := readable(c, size)
				if first+rest != want || err != io.EOF {
					t.Fatalf("%s cut at %d: %q and %q, %v; want %q", tt.name, cut, first, rest, err, want)
				}
			}
		}
		if tt.name == "big5" {
			continue
		}
		for cut := range tt.text {
			s := &script{}
			c := sockets.NewTextConn(s, f)
			conntest.MustWrite(t, c, tt.text[:cut])
			conntest.MustWrite(t, c, tt.text[cut:])
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			wantWire(t, s, string(wire))
		}
	}
	// x/text makes U+FFFD of the bytes, and is past them then; we are not.
	s := &script{reads: data("\x83e\xff\xffX")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: strange{conntest.MustEncoding("shift_jis")}, Strict: true})
	for i, want := range []string{"テ", "", "X"} {
		got, err := readable(c, 10)
		if got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if i < 2 {
			_, again := c.Read(make([]byte, 10))
			wantFormatError(t, err, "read", int64(2+i), "\xff", sockets.ErrMalformed)
			wantFormatError(t, again, "read", int64(2+i), "\xff", sockets.ErrMalformed)
			if n, err := c.Skip(1); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	// U+FFFD that the wire really has is text.
	s = &script{reads: data("\xfd\xff")}
	c = sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: strange{conntest.MustEncoding("utf-16le")}, Strict: true})
	wantRead(t, c, "\ufffd")
}

func TestForeignEncodingKeepsItsState(t *testing.T) {
	f := sockets.ExternalFormat{Encoding: strange{conntest.MustEncoding("iso-2022-jp")}, Newline: sockets.NewlineCRLF}
	s := &script{}
	c := sockets.NewTextConn(s, f)
	conntest.MustWrite(t, c, "あ")
	conntest.MustWrite(t, c.Raw(), "#")
	conntest.MustWrite(t, c, "い")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantWire(t, s, "\x1b$B$\"\x1b(B#\x1b$B$$\x1b(B")

	// A full buffer is not the middle of a character.
	text := strings.Repeat("あ\nいう\n", 50)
	s = &script{}
	c = sockets.NewTextConn(s, f)
	conntest.MustWrite(t, c, text)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	want := s.wrote.String()
	for size := 64; size < 80; size++ {
		s = &script{}
		c = sockets.NewTextConn(s, f)
		if err := c.SetBufferSizes(0, size); err != nil {
			t.Fatal(err)
		}
		conntest.MustWrite(t, c, text)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantWire(t, s, want)
	}
}

func TestForeignEncodingIsNotAskedTwice(t *testing.T) {
	// The decoder is past the malformed byte when it says so, and would give
	// another answer then.
	first := true
	e := &oddEncoding{enc: encoding.Nop.NewEncoder().Transform, dec: func(dst, src []byte, atEOF bool) (int, int, error) {
		if len(src) == 0 {
			return 0, 0, nil
		}
		if first {
			first = false
			return copy(dst, "\ufffd"), 1, nil
		}
		return copy(dst, "x"), 1, nil
	}}
	c := sockets.NewTextConn(&script{reads: data("ab")}, sockets.ExternalFormat{Encoding: e, Strict: true})
	for range 3 {
		_, err := c.Read(make([]byte, 10))
		wantFormatError(t, err, "read", 0, "a", sockets.ErrMalformed)
	}
	if _, err := c.Skip(1); err != nil {
		t.Fatal(err)
	}
	wantRead(t, c, "x")
}

package text

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

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

func TestAnyEncodingOfXTextServes(t *testing.T) {
	f := sockets.ExternalFormat{Encoding: rot13Encoding{}, Newline: sockets.NewlineCRLF}
	if got := f.String(); got != "rot 13,crlf" {
		t.Error(got)
	}
	wire := "Uryyb\r\nJbeyq\r!\xff\r"
	for size := 1; size < 9; size++ {
		for i := range wire {
			s := &scriptConn{reads: []scripted{{wire[:i], nil}, {"", temporary}, {wire[i:], io.EOF}}}
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
	s := &scriptConn{}
	c := sockets.NewTextConn(s, f)
	conntest.MustWrite(t, c, "Hello\nWorld é\r\n")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	wantWire(t, s, "Uryyb\r\nJbeyq \x1a\r\n")

	f.Strict = true
	s = &scriptConn{reads: data("no\xffno")}
	c = sockets.NewTextConn(s, f)
	for range 2 {
		_, err := readable(c, 10)
		conntest.WantFormatError(t, err, "read", 2, "\xff", sockets.ErrMalformed)
	}
	n, err := c.Write([]byte("aé"))
	if n != 1 {
		t.Error(n)
	}
	conntest.WantFormatError(t, err, "write", 1, "é", sockets.ErrUnencodable)

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

// unknownEncoding is an encoding of x/text that package sockets does not recognize.
type unknownEncoding struct{ encoding.Encoding }

// The second half of a character is there without another read.
func TestForeignTextInHalves(t *testing.T) {
	for _, nl := range []sockets.Newline{sockets.NewlineLF, sockets.NewlineCRLF, sockets.NewlineNVT} {
		for name, read := range map[string]func(c *sockets.TextConn) (string, error){
			"Read":       func(c *sockets.TextConn) (string, error) { return readable(c, 1) },
			"ReadString": func(c *sockets.TextConn) (string, error) { return c.ReadString('\n') },
		} {
			s := &scriptConn{reads: []scripted{{"\xe9", nil}, {"", temporary}, {"\n", io.EOF}}}
			c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: unknownEncoding{charmap.ISO8859_1}, Newline: nl})
			var p [1]byte
			n, err := c.Read(p[:])
			text, err2 := read(c)
			if got := string(p[:n]) + text; got != "é" || err != nil || err2 != temporary {
				t.Errorf("%v, %s: %q, %v, %v", nl, name, got, err, err2)
			}
		}
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
				s := &scriptConn{reads: []scripted{{strings.Repeat("ab\r\n", 100), nil}, {"", io.EOF}}}
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
		c := sockets.NewTextConn(&scriptConn{reads: data("x")}, f)
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
	c := sockets.NewTextConn(&scriptConn{reads: data("x")}, f)
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
	s := &scriptConn{reads: data("Uv\r")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: rot13Encoding{}, Newline: sockets.NewlineCRLF})
	wantRead(t, c, "Hi")
	if err := c.SetReadFormat(conntest.Format(t, "us-ascii")); err != nil {
		t.Fatal(err)
	}
	s.reads = data("\nplain")
	wantRead(t, c, "\r\nplain")
}

func TestForeignEncodingGoesOnBehindMalformedBytes(t *testing.T) {
	s := &scriptConn{reads: data("uv\xff\xffuv")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: rot13Encoding{}, Strict: true})
	for i, want := range []string{"hi", "", "hi"} {
		got, err := readable(c, 10)
		if got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if i == 2 {
			break
		}
		conntest.WantFormatError(t, err, "read", int64(2+i), "\xff", sockets.ErrMalformed)
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
				s := &scriptConn{reads: []scripted{{string(wire[:cut]), nil}, {"", temporary}, {string(wire[cut:]), io.EOF}}}
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
			s := &scriptConn{}
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
	s := &scriptConn{reads: data("\x83e\xff\xffX")}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: strange{conntest.MustEncoding("shift_jis")}, Strict: true})
	for i, want := range []string{"テ", "", "X"} {
		got, err := readable(c, 10)
		if got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if i < 2 {
			_, again := c.Read(make([]byte, 10))
			conntest.WantFormatError(t, err, "read", int64(2+i), "\xff", sockets.ErrMalformed)
			conntest.WantFormatError(t, again, "read", int64(2+i), "\xff", sockets.ErrMalformed)
			if n, err := c.Skip(1); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
	}
	// U+FFFD that the wire really has is text.
	s = &scriptConn{reads: data("\xfd\xff")}
	c = sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: strange{conntest.MustEncoding("utf-16le")}, Strict: true})
	wantRead(t, c, "\ufffd")
}

func TestForeignEncodingKeepsItsState(t *testing.T) {
	f := sockets.ExternalFormat{Encoding: strange{conntest.MustEncoding("iso-2022-jp")}, Newline: sockets.NewlineCRLF}
	s := &scriptConn{}
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
	s = &scriptConn{}
	c = sockets.NewTextConn(s, f)
	conntest.MustWrite(t, c, text)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	want := s.wrote.String()
	for size := 64; size < 80; size++ {
		s = &scriptConn{}
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
	c := sockets.NewTextConn(&scriptConn{reads: data("ab")}, sockets.ExternalFormat{Encoding: e, Strict: true})
	for range 3 {
		_, err := c.Read(make([]byte, 10))
		conntest.WantFormatError(t, err, "read", 0, "a", sockets.ErrMalformed)
	}
	if _, err := c.Skip(1); err != nil {
		t.Fatal(err)
	}
	wantRead(t, c, "x")
}

// A character of bytes that are doubled may be longer than the least buffer.
func TestForeignEncodingOfLongCharacters(t *testing.T) {
	const size = 50
	e := &oddEncoding{enc: encoding.Nop.NewEncoder().Transform, dec: func(dst, src []byte, atEOF bool) (int, int, error) {
		if len(src) < size {
			return 0, 0, transform.ErrShortSrc
		}
		return copy(dst, "x"), size, nil
	}}
	wire := strings.Repeat("\xff\xff", 2*size)
	s := &scriptConn{reads: []scripted{{wire, nil}, {"", io.EOF}}}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Encoding: e, Newline: sockets.NewlineNVT})
	if err := c.SetBufferSizes(64, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := readable(c, 10); got != "xx" || err != io.EOF {
		t.Errorf("read %q, %v", got, err)
	}
}

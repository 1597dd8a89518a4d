package sockets_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"golang.org/x/text/encoding"
)

// streamFormats are formats of all kinds, with text that they have.
var streamFormats = []struct{ format, text string }{
	{"bytes,crlf", "one\ntwo\x80\n\nthree"},
	{"utf-8,strict", "plain, é, ы, 日本, 😀\nand so on\n"},
	{"utf-8,crlf", "Все счастливые семьи\nпохожи друг на друга,\n\nкаждая несчастливая"},
	{"utf-8-sig,nvt", "a mark\nfirst\n"},
	{"utf-16,crlf", "a mark, é, ы, 日本, 😀\n\nand so on\n"},
	{"utf-16le", "é, ы, 日本, 😀\nand so on\n"},
	{"utf-32be,cr", "é, ы, 日本, 😀\nand so on\n"},
	{"iso-8859-1,crlf", "Voilà\nune phrase\n"},
	{"windows-1253", "Οδηγός Εγκατάστασης\n"},
	{"cp037,nel,strict", "EBCDIC\nlines é\n"},
	{"shift_jis,crlf", "注文番号 A-1234 を\n受け付けました ｶﾅ\n"},
	{"euc-jp", "注文番号 A-1234 を\n受け付けました\n"},
	{"gb18030", "订单编号 한국어 😀\n"},
	{"big5", "訂單編號\n"},
	{"euc-kr", "주문 번호\n"},
	{"iso-2022-jp,crlf", "注文番号 A-1234 を\n受け付けました"},
	{"hz-gb-2312", "订单编号 ~ 已经\n收到"},
}

// pieces is a reader that ends a Read at each of the cuts.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.size, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

func TestTextWithoutConn(t *testing.T) {
	for _, tt := range streamFormats {
		t.Run(tt.format, func(t *testing.T) {
			f := conntest.Format(t, tt.format)
			wire, err := f.AppendEncode([]byte("before"), []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(wire, []byte("before")) {
				t.Fatalf("AppendEncode lost what was there: %q", wire)
			}
			wire = wire[len("before"):]
			text, err := f.AppendDecode([]byte("before"), wire)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("before"+tt.text, string(text)); diff != "" {
				t.Fatalf("AppendDecode of AppendEncode (-want +got):\n%s", diff)
			}
			for size := 1; size <= len(wire); size++ {
				r := f.NewReader(&pieces{wire, size})
				got, err := io.ReadAll(r)
				if err != nil || string(got) != tt.text {
					t.Fatalf("in pieces of %d: %q, %v", size, got, err)
				}
				if r.Offset() != int64(len(wire)) {
					t.Fatalf("offset is %d, want %d", r.Offset(), len(wire))
				}
			}
			for cut := range len(tt.text) {
				var out bytes.Buffer
				w := f.NewWriter(&out)
				io.WriteString(w, tt.text[:cut])
				w.Write([]byte(tt.text[cut:]))
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(out.Bytes(), wire) {
					t.Fatalf("cut at %d: %x, want %x", cut, out.Bytes(), wire)
				}
			}
		})
	}
}

// ReadString reads no byte behind the delimiter, whatever the pieces are.
func TestReadStringStopsBehindDelimiter(t *testing.T) {
	for _, tt := range streamFormats {
		t.Run(tt.format, func(t *testing.T) {
			f := conntest.Format(t, tt.format)
			lines := strings.SplitAfter(tt.text, "\n")
			const rest = "\x00\x0d\x0araw"
			for _, long := range []int{1, 40, 3000} {
				// A long line, and what is behind it in another format.
				line := strings.Repeat(strings.TrimSuffix(lines[0], "\n"), long) + "\n"
				head, err := f.AppendEncode(nil, []byte(line))
				if err != nil {
					t.Fatal(err)
				}
				wire := append(bytes.Clone(head), rest...)
				sizes := []int{1, 2, 3, 7, 63, 64, 65, len(head), len(wire)}
				for _, size := range sizes {
					r := f.NewReader(&pieces{wire, size})
					got, err := r.ReadString('\n')
					if err != nil || got != line {
						t.Fatalf("pieces of %d: line of %d bytes, want %d, %v", size, len(got), len(line), err)
					}
					if err := r.SetFormat(sockets.ExternalFormat{}); err != nil {
						t.Fatal(err)
					}
					behind, err := io.ReadAll(r)
					if diff := cmp.Diff(rest, string(behind)); err != nil || diff != "" {
						t.Fatalf("pieces of %d: behind the line (-want +got), %v:\n%s", size, err, diff)
					}
				}
			}
		})
	}
}

func TestReadLineAtTheEnd(t *testing.T) {
	r := conntest.Format(t, "iso-8859-1,crlf").NewReader(strings.NewReader("one\r\n\r\n\xe9"))
	for _, want := range []struct {
		line string
		err  error
	}{{"one", nil}, {"", nil}, {"é", io.EOF}, {"", io.EOF}} {
		line, err := r.ReadLine()
		if line != want.line || err != want.err {
			t.Errorf("got %q, %v; want %q, %v", line, err, want.line, want.err)
		}
	}
	var argument *sockets.ArgumentError
	if _, err := r.ReadString(0xe9); !errors.As(err, &argument) {
		t.Errorf("a delimiter that is not ASCII: %v", err)
	}
}

func TestTextWithoutConnErrors(t *testing.T) {
	f := conntest.Format(t, "utf-8,strict")
	text, err := f.AppendDecode(nil, []byte("abc\xffdef"))
	var e *sockets.FormatError
	if string(text) != "abc" || !errors.As(err, &e) || e.Offset != 3 || !errors.Is(err, sockets.ErrMalformed) {
		t.Errorf("got %q, %v", text, err)
	}
	if text, err = f.AppendDecode(nil, []byte("abc\xe3\x81")); string(text) != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", text, err)
	}
	if text, err = f.AppendEncode(nil, []byte("abc\xe3\x81")); string(text) != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", text, err)
	}
	latin := conntest.Format(t, "iso-8859-1,strict")
	text, err = latin.AppendEncode(nil, []byte("aé☃"))
	if string(text) != "a\xe9" || !errors.As(err, &e) || e.Offset != 2 || !errors.Is(err, sockets.ErrUnencodable) {
		t.Errorf("got %q, %v", text, err)
	}
	bad := sockets.ExternalFormat{Newline: 99}
	if _, err := bad.AppendDecode(nil, nil); !errors.As(err, &e) {
		t.Errorf("a format that cannot be decodes: %v", err)
	}
	if _, err := bad.NewReader(strings.NewReader("x")).Read(make([]byte, 9)); !errors.As(err, &e) {
		t.Errorf("a format that cannot be reads: %v", err)
	}
	if _, err := bad.NewWriter(io.Discard).Write([]byte("x")); !errors.As(err, &e) {
		t.Errorf("a format that cannot be writes: %v", err)
	}
	w := f.NewWriter(io.Discard)
	w.Write([]byte("\xe3\x81"))
	if err := w.Close(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a character without its end: %v", err)
	}
}

// The formats in force can be asked for, also one that cannot be.
func TestFormatInForce(t *testing.T) {
	c := sockets.NewTextConn(nil, sockets.ExternalFormat{Newline: 99})
	if got := c.ReadFormat(); got.Newline != 99 {
		t.Errorf("read format is %v", got)
	}
	for _, name := range []string{"bytes", "bytes,crlf", "utf-16le,strict", "shift_jis,crlf", "cp037,nel"} {
		f := conntest.Format(t, name)
		if err := errors.Join(c.SetReadFormat(f), c.SetWriteFormat(f)); err != nil {
			t.Fatal(err)
		}
		if c.ReadFormat() != f || c.WriteFormat() != f {
			t.Errorf("formats are %v and %v, want %v", c.ReadFormat(), c.WriteFormat(), f)
		}
		if got := f.NewReader(nil).Format(); got != f {
			t.Errorf("format of a reader is %v, want %v", got, f)
		}
		if got := f.NewWriter(nil).Format(); got != f {
			t.Errorf("format of a writer is %v, want %v", got, f)
		}
	}
}

// A write that ends inside a character goes out as it is all the same, in one piece,
// and the next one completes the character.
func TestWriteThatEndsInsideCharacter(t *testing.T) {
	for _, tt := range []struct{ format, wire string }{
		{"utf-8,strict", "Grüße, 日本"},
		{"utf-8,crlf", "Grüße, 日本"},
		{"iso-8859-1", "plain \xfc"},
	} {
		f := conntest.Format(t, tt.format)
		text, err := f.AppendDecode(nil, []byte(tt.wire))
		if err != nil {
			t.Fatal(err)
		}
		for cut := 1; cut < len(text); cut++ {
			var writes [][]byte
			w := f.NewWriter(writerFunc(func(p []byte) (int, error) {
				writes = append(writes, bytes.Clone(p))
				return len(p), nil
			}))
			for _, p := range [][]byte{text[:cut], text[cut:]} {
				if n, err := w.Write(p); n != len(p) || err != nil {
					t.Fatalf("%s cut at %d: %d of %d, %v", tt.format, cut, n, len(p), err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if got := string(bytes.Join(writes, nil)); got != tt.wire || len(writes) > 2 {
				t.Errorf("%s cut at %d: %q", tt.format, cut, writes)
			}
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A format costs a connection no memory but its own.
func TestFormatAllocates(t *testing.T) {
	if socktest.Race {
		t.Skip("the race detector allocates")
	}
	for _, name := range sockets.EncodingNames() {
		f := conntest.Format(t, name)
		if f.Encoding == encoding.Replacement || name == "rot-13" { // which a test registers
			continue
		}
		var c *sockets.TextConn
		if got := testing.AllocsPerRun(20, func() { c = sockets.NewTextConn(nil, f) }); got > 1 {
			t.Errorf("%s: NewTextConn allocates %v times", name, got)
		}
		if got := testing.AllocsPerRun(20, func() { c.SetReadFormat(f) }); got > 0 {
			t.Errorf("%s: SetReadFormat allocates %v times", name, got)
		}
	}
}

// TestTextReaderGoesOn goes past a byte that is no text, and on in another format.
func TestTextReaderGoesOn(t *testing.T) {
	r := conntest.Format(t, "utf-8,strict").NewReader(strings.NewReader("ab\xffc\xe9\r\n"))
	if n, err := r.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing: %d, %v", n, err)
	}
	p := make([]byte, 10)
	if n, err := r.Read(p); string(p[:n]) != "ab" || err != nil {
		t.Errorf("read %q, %v", p[:n], err)
	}
	for range 2 {
		_, err := r.Read(p)
		conntest.WantFormatError(t, err, "read", 2, "\xff", sockets.ErrMalformed)
	}
	var argument *sockets.ArgumentError
	if n, err := r.Skip(-1); n != 0 || !errors.As(err, &argument) {
		t.Errorf("Skip(-1): %d, %v, want an *ArgumentError", n, err)
	}
	if n, err := r.Skip(1); n != 1 || err != nil {
		t.Errorf("Skip(1): %d, %v", n, err)
	}
	if err := r.SetFormat(sockets.ExternalFormat{Newline: 99}); !errors.Is(err, sockets.ErrFormatOption) {
		t.Errorf("SetFormat of one that cannot be: %v", err)
	}
	if n, err := r.Read(p[:1]); string(p[:n]) != "c" || err != nil {
		t.Errorf("the format before: read %q, %v", p[:n], err)
	}
	if err := r.SetFormat(conntest.Format(t, "iso-8859-1,crlf")); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); string(text) != "é\n" || err != nil || r.Offset() != 7 {
		t.Errorf("the format behind: read %q, %v, offset %d", text, err, r.Offset())
	}
	if n, err := r.Skip(1); n != 0 || err != io.EOF {
		t.Errorf("Skip at the end: %d, %v", n, err)
	}
}

// TestTextWriterGoesOn changes the format in the middle of a text: what the first one
// owes goes before the second.
func TestTextWriterGoesOn(t *testing.T) {
	var wire bytes.Buffer
	w := conntest.Format(t, "iso-2022-jp").NewWriter(&wire)
	if n, err := w.ReadFrom(strings.NewReader("注")); n != 3 || err != nil {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
	if err := w.SetFormat(sockets.ExternalFormat{Newline: 99}); !errors.Is(err, sockets.ErrFormatOption) {
		t.Errorf("SetFormat of one that cannot be: %v", err)
	}
	if err := w.SetFormat(conntest.Format(t, "shift_jis,crlf")); err != nil {
		t.Fatal(err)
	}
	if n, err := w.WriteString("文\n"); n != 4 || err != nil {
		t.Errorf("WriteString: %d, %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("\x1b$BCm\x1b(B\x95\xb6\r\n", wire.String()); diff != "" {
		t.Errorf("wire (-want +got):\n%s", diff)
	}
	if w.Offset() != int64(wire.Len()) {
		t.Errorf("offset %d, want %d", w.Offset(), wire.Len())
	}

	// A strict format has the unfinished character reported, and goes all the same.
	w = conntest.Format(t, "utf-8,strict").NewWriter(&wire)
	w.Write([]byte("\xe6"))
	if err := w.SetFormat(sockets.ExternalFormat{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("SetFormat inside a character: %v", err)
	}
	if w.Format() != (sockets.ExternalFormat{}) {
		t.Errorf("the format is %v", w.Format())
	}
}

// TestAppendEncodeNothing appends no mark to no text, and nothing in a format that
// cannot be.
func TestAppendEncodeNothing(t *testing.T) {
	dst, err := conntest.Format(t, "utf-16").AppendEncode([]byte("x"), nil)
	if string(dst) != "x" || err != nil {
		t.Errorf("no text: %q, %v", dst, err)
	}
	dst, err = sockets.ExternalFormat{Newline: 99}.AppendEncode([]byte("x"), []byte("y"))
	if string(dst) != "x" || !errors.Is(err, sockets.ErrFormatOption) {
		t.Errorf("a format that cannot be: %q, %v", dst, err)
	}
}

// TestAppendEncodeKeepsToItself leaves memory alone that is far behind what it appends.
func TestAppendEncodeKeepsToItself(t *testing.T) {
	text := []byte(strings.Repeat("line é\n", 30))
	for _, name := range []string{"utf-8,crlf", "iso-8859-1,crlf", "utf-16le,crlf", "utf-32be", "cp037,crlf"} {
		memory := make([]byte, 8<<10)
		behind := memory[4<<10:]
		wire, err := conntest.Format(t, name).AppendEncode(memory[:0], text)
		if err != nil || &wire[0] != &memory[0] {
			t.Fatal(name, err)
		}
		if n := bytes.Count(behind, []byte{0}); n < len(behind) {
			t.Errorf("%s: %d bytes behind %d of the wire are not what they were", name, len(behind)-n, len(wire))
		}
	}
}

// TestTextReaderCommands hears Telnet commands from what is no connection, until it is
// not asked for them any more.
func TestTextReaderCommands(t *testing.T) {
	r := conntest.Format(t, "iso-8859-1,nvt").NewReader(iotest.OneByteReader(strings.NewReader("a\xff\xfb\x01b\xff\xfd\x03c")))
	var got []sockets.TelnetCommand
	r.SetCommandFunc(func(c sockets.TelnetCommand) {
		got = append(got, sockets.TelnetCommand{Code: c.Code, Option: c.Option})
	})
	if s, err := r.ReadString('b'); s != "ab" || err != nil {
		t.Fatalf("read %q, %v", s, err)
	}
	r.SetCommandFunc(nil)
	if s, err := r.ReadString('c'); s != "c" || err != nil {
		t.Fatalf("read %q, %v", s, err)
	}
	if diff := cmp.Diff([]sockets.TelnetCommand{{Code: sockets.TelnetWILL, Option: 1}}, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

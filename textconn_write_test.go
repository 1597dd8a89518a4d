package sockets_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

func TestRule16WriteLeavesNothingBehind(t *testing.T) {
	for _, tt := range []struct{ format, text, wire string }{
		{"shift_jis,crlf", "login: ", "login: "},
		{"utf-16le", "é", "\xe9\x00"},
		{"iso-2022-jp", "あ", "\x1b$B$\""},
		{"cp1047,nel", "A\n", "\xc1\x15"},
		{"utf-8,crlf", "a\r", "a\r"},
		{"us-ascii,nvt", "a\r", "a\r"},
	} {
		c, s := play(t, tt.format)
		mustWrite(t, c, tt.text)
		wantWire(t, s, tt.wire)
	}
}

// oneShot is the wire of text that is written and ended without trouble.
func oneShot(t *testing.T, f, text string) string {
	t.Helper()
	c, s := play(t, f)
	mustWrite(t, c, text)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return s.wrote.String()
}

func TestRule17ADeadlineAtEveryByteLosesNothing(t *testing.T) {
	for _, tt := range []struct{ format, text string }{
		{"shift_jis,crlf", "aテ\nス\r\n\rx"},
		{"utf-16", "日本\n😀é"},
		{"iso-2022-jp,crlf", "aあい¥ﾊ\nい"},
		{"hz-gb-2312", "中国~\n国☃"},
		{"cp1047,nel", "A\nB\r\nC\rD"},
		{"cp1047,nel", "\rA"},
		{"gb18030,nvt", "中\r😀\n\r\n"},
		{"utf-8,strict", "aé日😀"},
		{"utf-8,crlf", "a\xffé\n日\n😀"},
		{"us-ascii", "plain text"},
		{"utf-32le-bom,cr", "a\r\nb\n"},
		{"bytes,crlf", "\xff\n\x80\r\n"},
	} {
		want := oneShot(t, tt.format, tt.text)
		for i := 0; i <= len(want); i++ {
			for j := 0; j <= 4; j++ {
				c, s := play(t, tt.format)
				s.take = []int{i, j}
				rest := tt.text
				for tries := 0; rest != ""; tries++ {
					n, err := c.Write([]byte(rest))
					if n < 0 || n > len(rest) || n < len(rest) && err == nil {
						t.Fatalf("%s, %d and %d bytes: %d of %d, %v", tt.format, i, j, n, len(rest), err)
					}
					if i == 0 && tries == 0 && n != 0 {
						t.Fatalf("%s: %d bytes accepted of which none was sent", tt.format, n)
					}
					rest = rest[n:]
					if tries > 4 {
						t.Fatalf("%s, %d and %d bytes: no progress at %q", tt.format, i, j, rest)
					}
				}
				if err := c.CloseWrite(); err != nil {
					s.take = nil
					if err := c.CloseWrite(); err != nil {
						t.Fatal(err)
					}
				}
				wantWire(t, s, want)
				if _, written := c.Offsets(); written != int64(len(want)) {
					t.Fatalf("%s: offset %d, want %d", tt.format, written, len(want))
				}
			}
		}
	}
}

func TestRule17TheCountIsOfText(t *testing.T) {
	// 3 of 6 wire bytes go out: "日" and half of "本" are accepted.
	c, s := play(t, "utf-16be")
	s.take = []int{3}
	n, err := c.Write([]byte("日本語"))
	if n != len("日本") || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(n, err)
	}
	if n, err := c.Write([]byte("語")); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	wantWire(t, s, "\x65\xe5\x67\x2c\x8a\x9e")
}

func TestRule18OneCallPerBlockAndNoEmptyOnes(t *testing.T) {
	long := strings.Repeat("0123456789abcdé\n", 4<<10) // 68 KiB of text
	for _, tt := range []struct {
		format string
		text   string
		calls  int
	}{
		{"iso-8859-1", long[:64<<10], 1},
		{"shift_jis", strings.Repeat("日本語テスト\n", 3000), 1},
		{"utf-16le", strings.Repeat("x", 64<<10), 1},
		{"utf-32be", strings.Repeat("x", 64<<10), 1},
		{"cp037", strings.Repeat("x", 64<<10), 1},
		{"us-ascii", strings.Repeat("x", 1<<20), 1}, // as it is
		{"utf-8,strict", long, 1},
		{"utf-16", "", 0},
		{"cp1047,nel", "\r", 0},
		{"shift_jis", "\xe3", 0},
	} {
		c, s := play(t, tt.format)
		if n, err := c.Write([]byte(tt.text)); n != len(tt.text) || err != nil {
			t.Fatal(n, err)
		}
		if len(s.writes) != tt.calls {
			t.Errorf("%s: %d calls for %d bytes, want %d", tt.format, len(s.writes), len(tt.text), tt.calls)
		}
		for _, w := range s.writes {
			if len(w) == 0 {
				t.Errorf("%s: an empty Write", tt.format)
			}
		}
	}
}

func TestRule19ARuneCutByTwoWritesIsJoined(t *testing.T) {
	text := "é日😀x"
	for _, f := range []string{"utf-16le", "gb18030", "utf-8,crlf", "utf-8,strict"} {
		want := oneShot(t, f, text)
		for i := range text {
			for j := range text[i:] {
				c, s := play(t, f)
				mustWrite(t, c, text[:i])
				mustWrite(t, c, text[i:i+j])
				mustWrite(t, c, text[i+j:])
				wantWire(t, s, want)
			}
		}
	}
	// What follows may be plain text.
	for _, tt := range []struct{ format, first, second, wire string }{
		{"us-ascii", "\xe3", "ab", "?ab"}, {"utf-8,crlf", "\xe3\x81", "ab", "\ufffdab"}, {"us-ascii,nvt", "\r", "ab", "\r\x00ab"},
	} {
		c, s := play(t, tt.format)
		mustWrite(t, c, tt.first)
		mustWrite(t, c, tt.second)
		wantWire(t, s, tt.wire)
	}
	for _, tt := range []struct{ format, wire string }{
		{"shift_jis", "a?"}, {"utf-16be", "\x00a\xff\xfd"}, {"cp037", "\x81\x3f"}, {"utf-8,crlf", "a\ufffd"},
	} {
		for _, end := range []func(*sockets.TextConn) error{(*sockets.TextConn).CloseWrite, (*sockets.TextConn).Close} {
			c, s := play(t, tt.format)
			mustWrite(t, c, "a\xe3\x81")
			if err := end(c); err != nil {
				t.Fatal(err)
			}
			wantWire(t, s, tt.wire)

			c, s = play(t, tt.format+",strict")
			mustWrite(t, c, "a\xe3\x81")
			err := end(c)
			wantFormatError(t, err, "write", int64(len(tt.wire)-len(oneShot(t, tt.format, "\xff"))), "\xe3\x81", io.ErrUnexpectedEOF)
			if len(s.closed) != 1 {
				t.Errorf("closed %q: an error must not keep it open", s.closed)
			}
		}
	}
}

func TestRule20CRLF(t *testing.T) {
	text := "a\nb\r\nc\r\r\nd\r"
	want := "a\r\nb\r\nc\r\r\nd\r"
	for i := range text {
		c, s := play(t, "us-ascii,crlf")
		mustWrite(t, c, text[:i])
		mustWrite(t, c, text[i:])
		wantWire(t, s, want)
	}
}

func TestRule21CharactersThatAreLacking(t *testing.T) {
	for _, tt := range []struct{ format, wire string }{
		{"shift_jis", "a?b?c"}, {"iso-8859-1", "a?b?c"}, {"cp037", "\x81\x3f\x82\x3f\x83"},
		{"iso-2022-jp", "a?b?c"}, {"gb18030", "a\x81\x30\xd2\x39b\x84\x31\xa4\x37c"}, {"utf-16be", "\x00a\x09\x05\x00b\xff\xfd\x00c"},
	} {
		c, s := play(t, tt.format)
		mustWrite(t, c, "aअb\xffc")
		if tt.format == "gb18030" {
			continue // has the first one
		}
		wantWire(t, s, tt.wire)
	}
	for _, f := range []string{"shift_jis,strict", "iso-8859-1,strict", "iso-2022-jp,strict", "koi8-r,strict,crlf"} {
		c, s := play(t, f)
		n, err := c.Write([]byte("abcअdef"))
		if n != 3 {
			t.Errorf("%s: count %d", f, n)
		}
		wantFormatError(t, err, "write", 3, "अ", sockets.ErrUnencodable)
		wantWire(t, s, "abc")
		mustWrite(t, c, "def") // usable
		n, err = c.Write([]byte("g\xf0h"))
		if n != 1 {
			t.Errorf("%s: count %d", f, n)
		}
		wantFormatError(t, err, "write", 7, "\xf0", sockets.ErrMalformed)
		wantWire(t, s, "abcdefg")
	}
	// A rune that was cut by two writes fails once, not for ever.
	c, s := play(t, "shift_jis,strict")
	mustWrite(t, c, "a\xe0\xa4")
	n, err := c.Write([]byte("\x85b"))
	if n != 0 {
		t.Errorf("count %d", n)
	}
	wantFormatError(t, err, "write", 1, "अ", sockets.ErrUnencodable)
	mustWrite(t, c, "b")
	wantWire(t, s, "ab")
	// An overlong form is not the character it spells.
	for _, f := range []string{"gbk,strict", "euc-jp,strict", "windows-1251,strict", "iso-2022-jp,strict", "hz-gb-2312,strict", "utf-16le,strict", "utf-8,strict"} {
		for _, overlong := range []string{"\xe0\x90\x90", "\xc1\x81"} { // U+0410, U+0041
			c, s := play(t, f)
			n, err := c.Write([]byte(overlong + " some more text"))
			if n != 0 {
				t.Errorf("%s: count %d", f, n)
			}
			wantFormatError(t, err, "write", 0, overlong[:1], sockets.ErrMalformed)
			wantWire(t, s, "")
		}
	}
	// Malformed UTF-8 is an error for Unicode encodings, too.
	for _, f := range []string{"utf-16le,strict", "gb18030,strict", "utf-8,strict"} {
		c, _ := play(t, f)
		_, err := c.Write([]byte("\xed\xa0\x80 some more text"))
		wantFormatError(t, err, "write", 0, "\xed", sockets.ErrMalformed)
	}
}

func TestRule22ShiftsInTextAreLacking(t *testing.T) {
	c, s := play(t, "iso-2022-jp")
	mustWrite(t, c, "AB\x1b$B12\x0e\x0f\n")
	wantWire(t, s, "AB?$B12??\n")
	for _, shift := range []string{"\x1b", "\x0e", "\x0f"} {
		c, s := play(t, "iso-2022-jp")
		mustWrite(t, c, "01234567"+shift+"9abcdefg")
		wantWire(t, s, "01234567?9abcdefg")
	}
	c, _ = play(t, "iso-2022-jp,strict")
	_, err := c.Write([]byte("AB\x1b$B12"))
	wantFormatError(t, err, "write", 2, "\x1b", sockets.ErrUnencodable)
}

func TestRule23ReturnToASCII(t *testing.T) {
	for _, tt := range []struct{ format, one, two, wire string }{
		{"iso-2022-jp", "日", "本", "\x1b$BF|K\\\x1b(B"},
		{"hz-gb-2312", "中", "国", "~{VP9z~}"},
	} {
		for name, end := range map[string]func(*sockets.TextConn) error{
			"CloseWrite":     (*sockets.TextConn).CloseWrite,
			"Close":          (*sockets.TextConn).Close,
			"SetWriteFormat": func(c *sockets.TextConn) error { return c.SetWriteFormat(sockets.ExternalFormat{}) },
		} {
			c, s := play(t, tt.format)
			mustWrite(t, c, tt.one)
			mustWrite(t, c, tt.two) // the state lives on
			if err := end(c); err != nil {
				t.Fatal(name, err)
			}
			wantWire(t, s, tt.wire)
		}
	}
	c, s := play(t, "hz-gb-2312")
	mustWrite(t, c, "中☃国") // x/text forgets the state here
	mustWrite(t, c, "~\n")
	wantWire(t, s, "~{VP~}?~{9z~}~~\n")
}

func TestRule24TheMarkComesWithTheFirstText(t *testing.T) {
	for _, tt := range []struct{ format, wire string }{
		{"utf-16", "\xfe\xff\x00a\x00b"}, {"utf-16le-bom", "\xff\xfea\x00b\x00"}, {"utf-8-sig", "\xef\xbb\xbfab"},
		{"utf-32", "\x00\x00\xfe\xff\x00\x00\x00a\x00\x00\x00b"}, {"utf-16le", "a\x00b\x00"},
	} {
		c, s := play(t, tt.format)
		for i, p := range []string{"", "a", "", "b"} {
			if n, err := c.Write([]byte(p)); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			if i == 0 && s.wrote.Len() > 0 {
				t.Fatal("a mark without text")
			}
		}
		wantWire(t, s, tt.wire)
		c, s = play(t, tt.format)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		wantWire(t, s, "")
	}
}

func TestRule25TextIsNeitherKeptNorChanged(t *testing.T) {
	for _, f := range []string{"us-ascii,crlf", "utf-16", "utf-8,strict", "shift_jis", "cp037", "bytes"} {
		c, s := play(t, f)
		s.take = []int{2}
		p := []byte("ab\ncdé")
		before := string(p)
		n, err := c.Write(p)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if string(p) != before {
			t.Errorf("%s changed it to %q", f, p)
		}
		rest := string(p[n:])
		for i := range p {
			p[i] = '#'
		}
		mustWrite(t, c, rest)
		if got := s.wrote.String(); strings.Contains(got, "#") {
			t.Errorf("%s kept it: %q", f, got)
		}
	}
}

func TestRule26SwitchesOfTheWriteFormat(t *testing.T) {
	c, s := play(t, "iso-2022-jp,crlf")
	mustWrite(t, c, "あ\n")
	mustWrite(t, c, "い")
	for _, f := range []string{"utf-16", "shift_jis,strict", "utf-16"} {
		if err := c.SetWriteFormat(format(t, f)); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, c, "い")
	}
	wantWire(t, s, "\x1b$B$\"\x1b(B\r\n\x1b$B$$\x1b(B"+"\xfe\xff\x30\x44"+"\x82\xa2"+"\xfe\xff\x30\x44")
	if err := c.SetWriteFormat(format(t, "shift_jis,strict")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Write([]byte("ऄ"))
	wantFormatError(t, err, "write", int64(s.wrote.Len()), "ऄ", sockets.ErrUnencodable)

	mustWrite(t, c, "x\xe3")
	err = c.SetWriteFormat(format(t, "utf-16le"))
	wantFormatError(t, err, "write", int64(s.wrote.Len()), "\xe3", io.ErrUnexpectedEOF)
	mustWrite(t, c, "y") // the switch has happened
	if !strings.HasSuffix(s.wrote.String(), "xy\x00") {
		t.Errorf("%q", s.wrote.String())
	}
}

func TestRule29FormatsThatConvertNothing(t *testing.T) {
	for text, same := range map[string]bool{
		"bytes": true, "utf-8": true, "bytes,strict": true, "utf-8,strict": false, "utf-8,crlf": false,
		"utf-8-sig": false, "us-ascii": false, "utf-8,any": false, "iso-8859-1": false,
	} {
		s := &script{}
		if got := sockets.WithFormat(s, format(t, text)) == net.Conn(s); got != same {
			t.Errorf("%s: the same conn %v, want %v", text, got, same)
		}
	}
	if s := (&script{}); sockets.WithFormat(s, sockets.ExternalFormat{Encoding: encoding.Nop}) != net.Conn(s) {
		t.Error("encoding.Nop must give the same conn")
	}
	// utf-8,strict is validated in place: the conn sees the caller's memory.
	c, s := play(t, "utf-8,strict", data("é日")...)
	p := make([]byte, 4096)
	if n, err := c.Read(p); string(p[:n]) != "é日" || err != nil {
		t.Fatal(n, err)
	}
	if &s.last[0] != &p[0] {
		t.Error("Read copies")
	}
	if _, err := c.Write(p[:5]); err != nil {
		t.Fatal(err)
	}
	if &s.writes[0][0] != &p[0] {
		t.Error("Write copies")
	}
}

func TestRule30MethodsGoThroughTheCodec(t *testing.T) {
	c, s := play(t, "utf-16le", scripted{"a\x00\xe9\x00", io.EOF})
	if _, err := c.ReadFrom(strings.NewReader("é\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteString("z"); err != nil {
		t.Fatal(err)
	}
	wantWire(t, s, "\xe9\x00\n\x00z\x00")
	var b bytes.Buffer
	if n, err := c.WriteTo(&b); n != 3 || err != nil || b.String() != "aé" {
		t.Fatal(n, err, b.String())
	}
	if c.NetConn() != net.Conn(s) {
		t.Error("NetConn must be the connection under it")
	}
	var v any = c
	if _, ok := v.(interface{ SyscallConn() (any, error) }); ok {
		t.Error("TextConn must not have SyscallConn: the descriptor has no text")
	}
	for name, has := range map[string]bool{
		"ReadMsgUnix": has[interface{ ReadMsgUnix([]byte, []byte) }](v), "File": has[interface{ File() (*os.File, error) }](v),
		"SetNoDelay": has[interface{ SetNoDelay(bool) error }](v),
	} {
		if has {
			t.Errorf("TextConn must not have %s", name)
		}
	}
	for _, f := range []func() error{c.CloseRead, c.CloseWrite, c.Close} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"CloseRead", "CloseWrite", "Close"}, s.closed); diff != "" {
		t.Error(diff)
	}
	if err := c.Close(); err != nil || len(s.closed) != 4 {
		t.Error("the second Close is the connection's own")
	}
}

func has[T any](v any) bool { _, ok := v.(T); return ok }

func TestCloseHalvesNeedsTheConnToHaveThem(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(a, format(t, "utf-16"))
	defer c.Close()
	for _, f := range []func() error{c.CloseRead, c.CloseWrite} {
		var oe *net.OpError
		if err := f(); !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &oe) {
			t.Error(err)
		}
	}
}

func TestRule31CloseDoesNotWaitForABlockedWrite(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(a, format(t, "iso-2022-jp"))
	errs := make(chan error, 2)
	go func() {
		_, err := c.Write([]byte("日本"))
		errs <- err
	}()
	go func() {
		_, err := c.Read(make([]byte, 10))
		errs <- err
	}()
	// The Write holds its lock once a byte has come out of it.
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestRule31ReadAndWriteAtOnce(t *testing.T) {
	a, b := net.Pipe()
	f := format(t, "utf-16,crlf")
	ca, cb := sockets.NewTextConn(a, f), sockets.NewTextConn(b, f)
	line := "0123456789 日本語 é\n"
	done := make(chan error, 3)
	go func() { // the echo
		_, err := io.Copy(cb, cb)
		done <- err
	}()
	const lines = 300
	for range 2 {
		go func() {
			for range lines {
				if _, err := io.WriteString(ca, line); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	br := bufio.NewReader(ca)
	for range 2 * lines {
		if got, err := br.ReadString('\n'); got != line || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		ca.SetReadDeadline(time.Now().Add(time.Minute))
		ca.Offsets()
	}
	ca.Close()
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
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
	mustWrite(t, c, "Hello\nWorld é\r\n")
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

func TestWriteOfLargeTextIsSplitInvariant(t *testing.T) {
	text := strings.Repeat("plain line\nテスト\r\n日本 é\n", 9000)
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, f := range []string{"shift_jis,crlf", "utf-16,crlf", "utf-32le", "iso-2022-jp,nvt", "cp1047,nel", "gb18030"} {
		want := oneShot(t, f, text)
		c, s := play(t, f)
		for rest := text; rest != ""; {
			n := min(len(rest), 1+rnd.IntN(100000))
			mustWrite(t, c, rest[:n])
			rest = rest[n:]
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if got := s.wrote.String(); got != want {
			t.Errorf("%s: %d bytes, want %d", f, len(got), len(want))
		}
	}
}

func TestAFormatThatCannotBe(t *testing.T) {
	for _, f := range []sockets.ExternalFormat{
		{Newline: 99}, {Newline: sockets.NewlineNEL}, {Encoding: mustEncoding("shift_jis"), Newline: sockets.NewlineNEL},
	} {
		c := sockets.WithFormat(&script{reads: data("x")}, f).(*sockets.TextConn)
		for _, op := range []func([]byte) (int, error){c.Read, c.Write} {
			if n, err := op(make([]byte, 1)); n != 0 || !errors.Is(err, sockets.ErrFormatOption) {
				t.Error(f, n, err)
			}
		}
		if err := c.SetReadFormat(f); !errors.Is(err, sockets.ErrFormatOption) {
			t.Error(err)
		}
		if err := c.SetWriteFormat(f); !errors.Is(err, sockets.ErrFormatOption) {
			t.Error(err)
		}
		if err := c.SetReadFormat(sockets.ExternalFormat{}); err != nil {
			t.Error(err)
		}
		wantRead(t, c, "x")
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

package text

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestWriteLeavesNothingBehind(t *testing.T) {
	for _, tt := range []struct{ format, text, wire string }{
		{"shift_jis,crlf", "login: ", "login: "},
		{"utf-16le", "é", "\xe9\x00"},
		{"iso-2022-jp", "あ", "\x1b$B$\""},
		{"cp1047,nel", "A\n", "\xc1\x15"},
		{"utf-8,crlf", "a\r", "a\r"},
		{"us-ascii,nvt", "a\r", "a\r"},
	} {
		c, s := play(t, tt.format)
		conntest.MustWrite(t, c, tt.text)
		wantWire(t, s, tt.wire)
	}
}

// oneShot is the wire of text that is written and ended without trouble.
func oneShot(t *testing.T, f, text string) string {
	t.Helper()
	c, s := play(t, f)
	conntest.MustWrite(t, c, text)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return s.wrote.String()
}

func TestOneCallPerBlockAndNoEmptyOnes(t *testing.T) {
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

func TestARuneCutByTwoWritesIsJoined(t *testing.T) {
	text := "é日😀x"
	for _, f := range []string{"utf-16le", "gb18030", "utf-8,crlf", "utf-8,strict"} {
		want := oneShot(t, f, text)
		for i := range text {
			for j := range text[i:] {
				c, s := play(t, f)
				conntest.MustWrite(t, c, text[:i])
				conntest.MustWrite(t, c, text[i:i+j])
				conntest.MustWrite(t, c, text[i+j:])
				wantWire(t, s, want)
			}
		}
	}
	// What follows may be plain text.
	for _, tt := range []struct{ format, first, second, wire string }{
		{"us-ascii", "\xe3", "ab", "?ab"}, {"utf-8,crlf", "\xe3\x81", "ab", "\ufffdab"}, {"us-ascii,nvt", "\r", "ab", "\r\x00ab"},
	} {
		c, s := play(t, tt.format)
		conntest.MustWrite(t, c, tt.first)
		conntest.MustWrite(t, c, tt.second)
		wantWire(t, s, tt.wire)
	}
	for _, tt := range []struct{ format, wire string }{
		{"shift_jis", "a?"}, {"utf-16be", "\x00a\xff\xfd"}, {"cp037", "\x81\x3f"}, {"utf-8,crlf", "a\ufffd"},
	} {
		for _, end := range []func(*sockets.TextConn) error{(*sockets.TextConn).CloseWrite, (*sockets.TextConn).Close} {
			c, s := play(t, tt.format)
			conntest.MustWrite(t, c, "a\xe3\x81")
			if err := end(c); err != nil {
				t.Fatal(err)
			}
			wantWire(t, s, tt.wire)

			c, s = play(t, tt.format+",strict")
			conntest.MustWrite(t, c, "a\xe3\x81")
			err := end(c)
			conntest.WantFormatError(t, err, "write", int64(len(tt.wire)-len(oneShot(t, tt.format, "\xff"))), "\xe3\x81", io.ErrUnexpectedEOF)
			if len(s.closed) != 1 {
				t.Errorf("closed %q: an error must not keep it open", s.closed)
			}
		}
	}
}

func TestCRLFReplacesLineFeedsAlone(t *testing.T) {
	text := "a\nb\r\nc\r\r\nd\r"
	want := "a\r\nb\r\nc\r\r\nd\r"
	for i := range text {
		c, s := play(t, "us-ascii,crlf")
		conntest.MustWrite(t, c, text[:i])
		conntest.MustWrite(t, c, text[i:])
		wantWire(t, s, want)
	}
}

func TestCharactersThatAreLacking(t *testing.T) {
	for _, tt := range []struct{ format, wire string }{
		{"shift_jis", "a?b?c"}, {"iso-8859-1", "a?b?c"}, {"cp037", "\x81\x3f\x82\x3f\x83"},
		{"iso-2022-jp", "a?b?c"}, {"gb18030", "a\x81\x31\xcd\x33b\x84\x31\xa4\x37c"}, {"utf-16be", "\x00a\x09\x05\x00b\xff\xfd\x00c"},
	} {
		c, s := play(t, tt.format)
		conntest.MustWrite(t, c, "aअb\xffc")
		wantWire(t, s, tt.wire)
	}
	for _, f := range []string{"shift_jis,strict", "iso-8859-1,strict", "iso-2022-jp,strict", "koi8-r,strict,crlf"} {
		c, s := play(t, f)
		n, err := c.Write([]byte("abcअdef"))
		if n != 3 {
			t.Errorf("%s: count %d", f, n)
		}
		conntest.WantFormatError(t, err, "write", 3, "अ", sockets.ErrUnencodable)
		wantWire(t, s, "abc")
		conntest.MustWrite(t, c, "def") // usable
		n, err = c.Write([]byte("g\xf0h"))
		if n != 1 {
			t.Errorf("%s: count %d", f, n)
		}
		conntest.WantFormatError(t, err, "write", 7, "\xf0", sockets.ErrMalformed)
		wantWire(t, s, "abcdefg")
	}
	// A rune that was cut by two writes fails once, not for ever.
	c, s := play(t, "shift_jis,strict")
	conntest.MustWrite(t, c, "a\xe0\xa4")
	n, err := c.Write([]byte("\x85b"))
	if n != 0 {
		t.Errorf("count %d", n)
	}
	conntest.WantFormatError(t, err, "write", 1, "अ", sockets.ErrUnencodable)
	conntest.MustWrite(t, c, "b")
	wantWire(t, s, "ab")
	// An overlong form is not the character it spells.
	for _, f := range []string{"gbk,strict", "euc-jp,strict", "windows-1251,strict", "iso-2022-jp,strict", "hz-gb-2312,strict", "utf-16le,strict", "utf-8,strict"} {
		for _, overlong := range []string{"\xe0\x90\x90", "\xc1\x81"} { // U+0410, U+0041
			c, s := play(t, f)
			n, err := c.Write([]byte(overlong + " some more text"))
			if n != 0 {
				t.Errorf("%s: count %d", f, n)
			}
			conntest.WantFormatError(t, err, "write", 0, overlong[:1], sockets.ErrMalformed)
			wantWire(t, s, "")
		}
	}
	// Malformed UTF-8 is an error for Unicode encodings, too.
	for _, f := range []string{"utf-16le,strict", "gb18030,strict", "utf-8,strict"} {
		c, _ := play(t, f)
		_, err := c.Write([]byte("\xed\xa0\x80 some more text"))
		conntest.WantFormatError(t, err, "write", 0, "\xed", sockets.ErrMalformed)
	}
}

func TestShiftsInTextAreLacking(t *testing.T) {
	c, s := play(t, "iso-2022-jp")
	conntest.MustWrite(t, c, "AB\x1b$B12\x0e\x0f\n")
	wantWire(t, s, "AB?$B12??\n")
	for _, shift := range []string{"\x1b", "\x0e", "\x0f"} {
		c, s := play(t, "iso-2022-jp")
		conntest.MustWrite(t, c, "01234567"+shift+"9abcdefg")
		wantWire(t, s, "01234567?9abcdefg")
	}
	c, _ = play(t, "iso-2022-jp,strict")
	_, err := c.Write([]byte("AB\x1b$B12"))
	conntest.WantFormatError(t, err, "write", 2, "\x1b", sockets.ErrUnencodable)
}

func TestReturnToASCII(t *testing.T) {
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
			conntest.MustWrite(t, c, tt.one)
			conntest.MustWrite(t, c, tt.two) // the state lives on
			if err := end(c); err != nil {
				t.Fatal(name, err)
			}
			wantWire(t, s, tt.wire)
		}
	}
	c, s := play(t, "hz-gb-2312")
	conntest.MustWrite(t, c, "中☃国") // x/text forgets the state here
	conntest.MustWrite(t, c, "~\n")
	wantWire(t, s, "~{VP~}?~{9z~}~~\n")
}

func TestTheMarkComesWithTheFirstText(t *testing.T) {
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

func TestTextIsNeitherKeptNorChanged(t *testing.T) {
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
		conntest.MustWrite(t, c, rest)
		if got := s.wrote.String(); strings.Contains(got, "#") {
			t.Errorf("%s kept it: %q", f, got)
		}
	}
}

func TestFormatsThatConvertNothingCostNothing(t *testing.T) {
	for text, same := range map[string]bool{
		"bytes": true, "utf-8": true, "bytes,strict": true, "utf-8,strict": false, "utf-8,crlf": false,
		"utf-8-sig": false, "us-ascii": false, "utf-8,any": false, "iso-8859-1": false,
	} {
		s := &scriptConn{}
		if got := sockets.WithFormat(s, conntest.Format(t, text)) == net.Conn(s); got != same {
			t.Errorf("%s: the same conn %v, want %v", text, got, same)
		}
	}
	if s := (&scriptConn{}); sockets.WithFormat(s, sockets.ExternalFormat{Encoding: encoding.Nop}) != net.Conn(s) {
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

func TestMethodsGoThroughTheCodec(t *testing.T) {
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
	c := sockets.NewTextConn(a, conntest.Format(t, "utf-16"))
	defer c.Close()
	for _, f := range []func() error{c.CloseRead, c.CloseWrite} {
		var oe *net.OpError
		if err := f(); !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &oe) {
			t.Error(err)
		}
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
			conntest.MustWrite(t, c, rest[:n])
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
		{Newline: 99}, {Newline: sockets.NewlineNEL}, {Encoding: conntest.MustEncoding("shift_jis"), Newline: sockets.NewlineNEL},
	} {
		c := sockets.WithFormat(&scriptConn{reads: data("x")}, f).(*sockets.TextConn)
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

// miser is a net.Conn that breaks the contract of io.Writer: it takes one byte
// and says nothing.
type miser struct{ scriptConn }

func (m *miser) Write(p []byte) (int, error) { return m.scriptConn.Write(p[:min(len(p), 1)]) }

func TestAShortWriteWithoutErrorIsOne(t *testing.T) {
	for _, f := range []string{"us-ascii", "utf-8,strict", "utf-16le", "bytes"} {
		c := sockets.NewTextConn(new(miser), conntest.Format(t, f))
		if n, err := c.Write([]byte("abc")); n != 1 || err != io.ErrShortWrite {
			t.Errorf("%s: %d, %v", f, n, err)
		}
		if n, err := c.Raw().Write([]byte("abc")); n > 1 || err != io.ErrShortWrite {
			t.Errorf("%s, raw: %d, %v", f, n, err)
		}
	}
}

func TestOneCallPer64KiBWhateverTheFormat(t *testing.T) {
	log := strings.Repeat("2024-05-01T10:20:30Z GET /index.html 200\n", 2000)[:64<<10]
	for _, tt := range []struct{ format, text string }{
		{"us-ascii,crlf", log}, {"shift_jis,crlf", log}, {"utf-16le,crlf", log}, {"cp1047,nel", log}, {"utf-8,crlf", log},
		{"us-ascii,crlf", strings.Repeat("\n", 64<<10)}, {"gb18030", strings.Repeat("Ãÿ", 16<<10)}, {"iso-2022-jp,crlf", strings.Repeat("aあ", 16<<10)},
	} {
		c, s := play(t, tt.format)
		conntest.MustWrite(t, c, "x") // a mark, if any
		if n, err := c.Write([]byte(tt.text)); n != len(tt.text) || err != nil {
			t.Fatal(n, err)
		}
		if len(s.writes) != 2 {
			t.Errorf("%s: %d calls for %d bytes, want 1", tt.format, len(s.writes)-1, len(tt.text))
		}
	}
}

func TestOutputBuffer(t *testing.T) {
	c, s := play(t, "utf-16le", data("a\x00")...)
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	conntest.MustWrite(t, c, "ab")
	wantWire(t, s, "")
	wantRead(t, c, "a") // the peer may be waiting
	wantWire(t, s, "a\x00b\x00")
	conntest.MustWrite(t, c, "c")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	wantWire(t, s, "a\x00b\x00c\x00")
	conntest.MustWrite(t, c, strings.Repeat("x", 40))
	if got := s.wrote.Len(); got != 6+64 {
		t.Errorf("%d bytes on the wire, want a full buffer", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.wrote.Len(); got != 6+80 {
		t.Errorf("%d bytes on the wire", got)
	}

	c, s = play(t, "shift_jis,strict")
	if err := c.SetBufferSizes(64, 100); err != nil {
		t.Fatal(err)
	}
	n, err := c.Write([]byte("abअ"))
	if n != 2 {
		t.Error(n)
	}
	conntest.WantFormatError(t, err, "write", 2, "अ", sockets.ErrUnencodable)
	s.take = []int{1}
	if err := c.Flush(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	conntest.MustWrite(t, c, "テ")
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
	wantWire(t, s, "ab\x83e")
}

func TestOutputBufferGoesOutWhileAReaderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := sockets.NewTextConn(a, conntest.Format(t, "utf-16le"))
		defer c.Close()
		if err := c.SetBufferSizes(0, 4096); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := make(chan string)
			go func() {
				p := make([]byte, 10)
				n, err := c.Read(p)
				got <- fmt.Sprintf("%q %v", p[:n], err)
			}()
			synctest.Wait() // the Read waits
			go c.Write([]byte("?"))
			p := make([]byte, 2)
			if _, err := io.ReadFull(b, p); err != nil || string(p) != "?\x00" {
				t.Fatalf("%q, %v", p, err)
			}
			if _, err := b.Write([]byte("!\x00")); err != nil {
				t.Fatal(err)
			}
			if s := <-got; s != `"!" <nil>` {
				t.Error(s)
			}
		}
	})
}

func TestBufferSizesThatCannotWork(t *testing.T) {
	c, _ := play(t, "utf-16")
	for _, sizes := range [][2]int{{-1, 0}, {0, -1}, {1, 0}, {0, 63}} {
		err := c.SetBufferSizes(sizes[0], sizes[1])
		var argument *sockets.ArgumentError
		if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &argument) || argument.Why != "must be 0 or at least 64" {
			t.Errorf("%d: %v", sizes, err)
		}
	}
}

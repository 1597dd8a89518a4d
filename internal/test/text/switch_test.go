package text

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestSwitchesOfTheWriteFormat(t *testing.T) {
	c, s := play(t, "iso-2022-jp,crlf")
	conntest.MustWrite(t, c, "あ\n")
	conntest.MustWrite(t, c, "い")
	for _, f := range []string{"utf-16", "shift_jis,strict", "utf-16"} {
		if err := c.SetWriteFormat(conntest.Format(t, f)); err != nil {
			t.Fatal(err)
		}
		conntest.MustWrite(t, c, "い")
	}
	wantWire(t, s, "\x1b$B$\"\x1b(B\r\n\x1b$B$$\x1b(B"+"\xfe\xff\x30\x44"+"\x82\xa2"+"\xfe\xff\x30\x44")
	if err := c.SetWriteFormat(conntest.Format(t, "shift_jis,strict")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Write([]byte("ऄ"))
	conntest.WantFormatError(t, err, "write", int64(s.wrote.Len()), "ऄ", sockets.ErrUnencodable)

	conntest.MustWrite(t, c, "x\xe3")
	err = c.SetWriteFormat(conntest.Format(t, "utf-16le"))
	conntest.WantFormatError(t, err, "write", int64(s.wrote.Len()), "\xe3", io.ErrUnexpectedEOF)
	conntest.MustWrite(t, c, "y") // the switch has happened
	if !strings.HasSuffix(s.wrote.String(), "xy\x00") {
		t.Errorf("%q", s.wrote.String())
	}
}

func TestAFullOutputBufferAndAFailedSwitchLoseNothing(t *testing.T) {
	const text = "あいうえおかきくけこさしすせそたちつてとなにぬねのは" // 3 + 2*26 bytes and 3 at the end
	want := oneShot(t, "iso-2022-jp", text) + "xyz"
	for filled := range len(text) / 3 {
		c, s := play(t, "iso-2022-jp")
		if err := c.SetBufferSizes(0, 64); err != nil {
			t.Fatal(err)
		}
		conntest.MustWrite(t, c, "\n\n\n\n\n\n\n\n"[:filled%9])
		conntest.MustWrite(t, c, text)
		s.take = []int{0}
		if err := c.SetWriteFormat(conntest.Format(t, "us-ascii")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		rest := "xyz"
		n, _ := c.Write([]byte(rest))
		conntest.MustWrite(t, c, rest[n:])
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantWire(t, s, "\n\n\n\n\n\n\n\n"[:filled%9]+want)
	}
}

func TestASwitchKeepsTheMemoryOfACRInStyleAny(t *testing.T) {
	for format2, want := range map[string]string{"shift_jis,any": "b", "utf-8,any": "b", "utf-8": "\nb", "utf-8,crlf": "\nb"} {
		c, s := play(t, "utf-8,any", data("a\r")...)
		wantRead(t, c, "a\n")
		if err := c.SetReadFormat(conntest.Format(t, format2)); err != nil {
			t.Fatal(err)
		}
		s.reads = data("\nb")
		if got, err := readable(c, 10); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", format2, got, err, want)
		}
	}
}

func TestBytesBetweenEndTheMemoryOfACR(t *testing.T) {
	for name, pass := range map[string]func(*sockets.TextConn) error{
		"Skip":            func(c *sockets.TextConn) error { _, err := c.Skip(1); return err },
		"Raw":             func(c *sockets.TextConn) error { _, err := io.ReadFull(c.Raw(), make([]byte, 1)); return err },
		"Raw, as it came": func(c *sockets.TextConn) error { _, err := c.Raw().Read(make([]byte, 100)); return err },
	} {
		c, s := play(t, "utf-8,any", data("a\r")...)
		wantRead(t, c, "a\n")
		s.reads = data("#")
		if err := pass(c); err != nil {
			t.Fatal(err)
		}
		s.reads = data("\nb")
		if got, err := readable(c, 10); got != "\nb" || err != nil {
			t.Errorf("%s: %q, %v; the line end behind it was lost", name, got, err)
		}
	}
}

func TestErrorsOfSwitchesAreNetErrors(t *testing.T) {
	strict, _ := play(t, "iso-2022-jp,strict")
	conntest.MustWrite(t, strict, "x\xe3")
	if err, ok := strict.SetWriteFormat(conntest.Format(t, "us-ascii")).(net.Error); !ok || err.Timeout() {
		t.Errorf("%T", err)
	}
	c, s := play(t, "iso-2022-jp")
	conntest.MustWrite(t, c, "あ")
	s.take = []int{0}
	if err, ok := c.SetWriteFormat(conntest.Format(t, "us-ascii")).(net.Error); !ok || !err.Timeout() {
		t.Errorf("%T", err)
	}
	if got := new(sockets.FormatError).Error(); got == "" {
		t.Error("an empty FormatError must have a text")
	}
}

func TestOffsetsCountThroughSwitches(t *testing.T) {
	c, _ := play(t, "utf-16le,strict", data("a\x00b\x00", "\x83e", "\xffx")...)
	p := make([]byte, 3)
	if n, err := c.Read(p); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := c.SetReadFormat(conntest.Format(t, "shift_jis,strict")); err != nil {
		t.Fatal(err)
	}
	got, err := readable(c, 10)
	if got != "テ" {
		t.Errorf("%q", got)
	}
	conntest.WantFormatError(t, err, "read", 6, "\xff", sockets.ErrMalformed)
	want := "sockets: read shift_jis: malformed input: ff at offset 6"
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestSwitchesOfTheReadFormat(t *testing.T) {
	encode := func(f, text string) string {
		c, s := play(t, f)
		conntest.MustWrite(t, c, text)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		return s.wrote.String()
	}
	formats := []string{"shift_jis,crlf", "utf-16le", "iso-2022-jp", "cp1047,nel", "utf-8,strict", "gb18030,any", "bytes", "utf-32", "hz-gb-2312"}
	texts := []string{"日本\n", "a😀\n", "テスト\n", "Äb\n", "é\n", "中\n", "raw\n", "ж\n", "国~\n"}
	wire, want := "", ""
	for i, f := range formats {
		wire += encode(f, texts[i])
		want += texts[i]
	}
	// The lines arrive in all ways of two pieces, and are read in all sizes;
	// the format changes where a line ends.
	for cut := range wire {
		for size := 1; size < 5; size++ {
			c, _ := play(t, formats[0], data(wire[:cut], wire[cut:])...)
			got := ""
			for i, f := range formats {
				if err := c.SetReadFormat(conntest.Format(t, f)); err != nil {
					t.Fatal(err)
				}
				line := ""
				for len(line) < len(texts[i]) {
					p := make([]byte, min(size, len(texts[i])-len(line)))
					n, err := c.Read(p)
					if err != nil {
						t.Fatalf("cut at %d, format %s, behind %q%q: %v", cut, f, got, line, err)
					}
					line += string(p[:n])
				}
				got += line
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("cut at %d (-want +got):\n%s", cut, diff)
			}
			if read, _ := c.Offsets(); read > int64(len(wire)) {
				t.Fatalf("offset %d of %d", read, len(wire))
			}
		}
	}
}

func TestTextAndBytesAlternate(t *testing.T) {
	c, s := play(t, "utf-16le", data("a\x00\n\x00\x03\x00\xffz\x00", "\n\x00\x01")...)
	p := make([]byte, 2)
	if n, err := c.Read(p); string(p[:n]) != "a\n" || err != nil {
		t.Fatalf("%q, %v", p[:n], err)
	}
	raw := make([]byte, 3)
	if _, err := io.ReadFull(c.Raw(), raw); err != nil || string(raw) != "\x03\x00\xff" {
		t.Fatalf("% x, %v", raw, err)
	}
	if n, err := io.ReadFull(c, p); string(p[:n]) != "z\n" || err != nil {
		t.Fatalf("%q, %v", p[:n], err)
	}
	wantRead(t, c.Raw(), "\x01")

	if err := c.SetWriteFormat(conntest.Format(t, "iso-2022-jp")); err != nil {
		t.Fatal(err)
	}
	conntest.MustWrite(t, c, "あ")
	conntest.MustWrite(t, c.Raw(), "\x00\xff")
	conntest.MustWrite(t, c, "い\n")
	wantWire(t, s, "\x1b$B$\"\x1b(B\x00\xff\x1b$B$$\x1b(B\n")
}

func TestSwitchWhereTheBufferedReaderIsEmpty(t *testing.T) {
	// The peer waits after "STARTTEXT", as in a protocol that negotiates, so
	// a bufio.Reader has nothing ahead there.
	c, s := play(t, "us-ascii,crlf", data("STARTTEXT\r\n")...)
	br := bufio.NewReader(c)
	if line, err := br.ReadString('\n'); line != "STARTTEXT\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	if br.Buffered() != 0 {
		t.Fatalf("%d bytes ahead", br.Buffered())
	}
	if err := c.SetReadFormat(conntest.Format(t, "cp1047,nel")); err != nil {
		t.Fatal(err)
	}
	s.reads = data("\xc1\x63\x15")
	if line, err := br.ReadString('\n'); line != "AÄ\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
}

func TestBytesBetweenEndTheMemoryOfAWrittenCR(t *testing.T) {
	for f, want := range map[string]string{"utf-8,crlf": "a\r#\r\nb", "utf-8,cr": "a\r#\rb", "utf-8,nvt": "a\r\x00#\r\nb", "utf-8,nel": "a\r#\u0085b"} {
		c, s := play(t, f)
		conntest.MustWrite(t, c, "a\r")
		conntest.MustWrite(t, c.Raw(), "#")
		conntest.MustWrite(t, c, "\nb")
		wantWire(t, s, want)
	}
}

// TestSkipBehindCR goes past bytes behind a "\r", in the same format: a "\n" behind them
// is a line end of its own.
func TestSkipBehindCR(t *testing.T) {
	skips := map[string]func(c *sockets.TextConn) (int, error){
		"Skip": func(c *sockets.TextConn) (int, error) { return c.Skip(1) },
		"Raw":  func(c *sockets.TextConn) (int, error) { return c.Raw().Read(make([]byte, 1)) },
	}
	for how, skip := range skips {
		for _, pieces := range [][]string{{"a\r", "X\nb"}, {"a\rX\nb"}, {"a\r", "X", "\nb"}} {
			c := sockets.NewTextConn(&scriptConn{reads: data(pieces...)}, sockets.ExternalFormat{Encoding: conntest.MustEncoding("shift_jis"), Newline: sockets.NewlineAny})
			line, err := c.ReadString('\n')
			if line != "a\n" || err != nil {
				t.Fatalf("%s, %q: ReadString is %q, %v", how, pieces, line, err)
			}
			if n, err := skip(c); n != 1 || err != nil {
				t.Fatalf("%s, %q: %d, %v", how, pieces, n, err)
			}
			wantRead(t, c, "\nb")
		}
	}
}

package text

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/text/encoding/unicode"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestEndlessShiftsBehindACRAreNotBuffered(t *testing.T) {
	for _, tt := range []struct{ format, shift string }{
		{"iso-2022-jp,crlf", "\x1b(B"}, {"iso-2022-jp,nvt,strict", "\x1b$B\x1b(B"}, {"hz-gb-2312,crlf", "~{~}"}, {"hz-gb-2312,crlf", "~\n"},
	} {
		for _, input := range []int{0, 64} {
			c, s := play(t, tt.format)
			if err := c.SetBufferSizes(input, 0); err != nil {
				t.Fatal(err)
			}
			s.reads = data("a\r" + strings.Repeat(tt.shift, 100000) + "\nb")
			got, err := readable(c, 600)
			if want := "a\r\nb"; got != want || err != nil {
				t.Errorf("%s: %q, %v; want %q", tt.format, got, err, want)
			}
		}
		// Some are all right. The decision does not depend on how the bytes arrive.
		for shifts := range 20 {
			wire := "a\r" + strings.Repeat(tt.shift, shifts) + "\nb"
			c, _ := play(t, tt.format, data(wire)...)
			want, err := readable(c, 600)
			if err != nil {
				t.Fatal(err)
			}
			if fused := want == "a\nb"; fused != (shifts*len(tt.shift) <= 24) {
				t.Errorf("%s: %q with %d shifts", tt.format, want, shifts)
			}
			for cut := range wire {
				c, _ := play(t, tt.format, data(wire[:cut], wire[cut:])...)
				if got, err := readable(c, 3); got != want || err != nil {
					t.Fatalf("%s, %d shifts, cut at %d: %q, %v; want %q", tt.format, shifts, cut, got, err, want)
				}
			}
		}
	}
}

func TestOnlyUndecodedBytesAreBuffered(t *testing.T) {
	wire := "\x83e\x83X\x83g\n\xff\x00\x01bytes"
	for size := 1; size < 12; size++ {
		c, _ := play(t, "shift_jis", data(wire)...)
		line := ""
		for p := make([]byte, size); !strings.HasSuffix(line, "\n"); {
			n, err := c.Read(p[:min(size, len("テスト\n")-len(line))])
			if err != nil {
				t.Fatal(err)
			}
			line += string(p[:n])
		}
		if line != "テスト\n" {
			t.Fatalf("line %q", line)
		}
		wantRead(t, c.Raw(), "\xff\x00\x01bytes")
	}
}

func TestAnyBufferTakesAnyCharacter(t *testing.T) {
	for _, tt := range []struct{ format, wire, text string }{
		{"shift_jis", "\x83e", "テ"},
		{"big5", "\x88\x62!", "\u00ca\u0304!"},
		{"utf-16le", "\x3d\xd8\x00\xde\n\x00", "😀\n"},
		{"cp037,nel", "\x63\x15", "Ä\n"},
		{"utf-8,crlf", "é\r\n", "é\n"},
	} {
		for size := 1; size < 9; size++ {
			c, _ := play(t, tt.format, data(tt.wire)...)
			got, err := readable(c, size)
			if got != tt.text || err != nil {
				t.Errorf("%s, %d bytes at a time: %q, %v", tt.format, size, got, err)
			}
		}
	}
}

func TestTextThatIsThereIsReturnedNow(t *testing.T) {
	for _, tt := range []struct{ format, wire, text string }{
		{"shift_jis", "login: \x93", "login: "},
		{"gbk", "login: \x93", "login: "},
		{"gb18030", "login: \x81\x30\x81", "login: "},
		{"utf-16be", "\x00o\x00k\x00", "ok"},
		{"iso-2022-jp", "login: \x1b", "login: "},
		{"hz-gb-2312", "login: ~", "login: "},
		{"utf-8,strict", "login: \xe3\x81", "login: "},
		{"utf-8,crlf", "login: \r", "login: "},
		{"euc-jp", "\xa4\xa2\x8f\xa1", "あ"},
	} {
		c, s := play(t, tt.format, data(tt.wire)...)
		p := make([]byte, 100)
		n, err := c.Read(p)
		if string(p[:n]) != tt.text || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.format, p[:n], err, tt.text)
		}
		if s.nReads != 1 {
			t.Errorf("%s: %d reads of the connection, want 1", tt.format, s.nReads)
		}
	}
	// What a Read left over is returned without a look at the connection.
	c, s := play(t, "cp037", data("\x81\x82\x83\x84")...)
	p := make([]byte, 2)
	for range 2 {
		if _, err := c.Read(p); err != nil {
			t.Fatal(err)
		}
	}
	if s.nReads != 1 {
		t.Errorf("%d reads of the connection, want 1", s.nReads)
	}
}

// temporary is an error that goes away.
var temporary = os.ErrDeadlineExceeded

func TestErrorsWithDataAreReturnedOnceAndLater(t *testing.T) {
	c, _ := play(t, "utf-16le",
		scripted{"a\x00b", temporary}, scripted{"", temporary}, scripted{"\x00c\x00", nil}, scripted{"d\x00", io.EOF})
	p := make([]byte, 100)
	for i, want := range []string{"a", temporary.Error(), temporary.Error(), "bc", "d", "EOF", "EOF"} {
		n, err := c.Read(p)
		got := string(p[:n])
		if err != nil {
			got += err.Error()
		}
		if got != want {
			t.Fatalf("read %d: %q, want %q", i, got, want)
		}
	}
}

func TestADeadlineAtEverySplitLosesNothing(t *testing.T) {
	for _, tt := range []struct{ format, wire, text string }{
		{"shift_jis,crlf", "\x83e\r\n\x83X\r\r\nx", "テ\nス\r\nx"},
		{"utf-16,nvt", "\xff\xff\xfea\x00\r\x00\n\x00\r\x00\x00\x00\x3d\xd8\x00\xde", "a\n\r😀"},
		{"iso-2022-jp,strict", "a\x1b$B$\"$$\x1b(B\r\n", "aあい\r\n"},
		{"gb18030,any", "\x94\x39\xda\x33\r\n\r\x81\x30\x84\x36", "💩\n\n\u00a5"},
		{"cp1047,nel", "\xc1\x15\x0d\x25", "A\n\r\n"},
		{"hz-gb-2312", "~{VP~}~~~\n!", "中~!"},
		{"utf-32,crlf,strict", "\x00\x00\xfe\xff\x00\x00\x00\r\x00\x00\x00\n", "\n"},
	} {
		for i := range tt.wire {
			for size := 1; size < 6; size++ {
				c, s := play(t, tt.format, scripted{tt.wire[:i], nil}, scripted{"", temporary}, scripted{tt.wire[i:], io.EOF})
				first, err := readable(c, size)
				if err != temporary {
					t.Fatalf("%s cut at %d: %q, %v", tt.format, i, first, err)
				}
				rest, err := readable(c, size)
				if err != io.EOF || first+rest != tt.text {
					t.Fatalf("%s cut at %d: %q and %q, %v; want %q", tt.format, i, first, rest, err, tt.text)
				}
				if read, _ := c.Offsets(); read != int64(len(tt.wire)) {
					t.Fatalf("%s cut at %d: offset %d, want %d", tt.format, i, read, len(tt.wire))
				}
				_ = s
			}
		}
	}
}

func TestCRWaitsForTheNextCharacter(t *testing.T) {
	c, s := play(t, "utf-8,crlf", data("a\r")...)
	wantRead(t, c, "a")
	if read, _ := c.Offsets(); read != 1 {
		t.Errorf("offset %d, want 1: the CR must not be consumed", read)
	}
	s.reads = data("\nb\r")
	wantRead(t, c, "\nb")
	s.reads = data("c\r", "\xc3\xa9")
	wantRead(t, c, "\rc\ré")
	s.reads = data("\r", "\xff\n")
	wantRead(t, c, "\r\ufffd\n")
	s.reads = []scripted{{"\r", io.EOF}}
	wantRead(t, c, "\r")

	// What cannot become a "\n" is enough of the next character.
	c, _ = play(t, "shift_jis,crlf", data("a\r\x83")...)
	wantRead(t, c, "a\r")

	c, s = play(t, "utf-8,crlf", data("x\r")...)
	wantRead(t, c, "x")
	if err := c.SetReadFormat(conntest.Format(t, "utf-8")); err != nil {
		t.Fatal(err)
	}
	s.reads = data("\n")
	wantRead(t, c, "\r\n") // it was still there

	c, _ = play(t, "utf-8,crlf,strict", data("x\r\xff")...)
	p := make([]byte, 10)
	n, err := c.Read(p)
	if string(p[:n]) != "x\r" || err != nil {
		t.Fatalf("%q, %v", p[:n], err)
	}
	_, err = c.Read(p)
	conntest.WantFormatError(t, err, "read", 2, "\xff", sockets.ErrMalformed)
}

func TestLineEndsAreCharacters(t *testing.T) {
	for _, tt := range []struct{ format, wire, text string }{
		{"utf-16le,crlf", "\r\n\r\x00\n\x00\x0a\x0d", "\u0a0d\n\u0d0a"},
		{"utf-16be,crlf", "\r\n\x00\r\x00\n", "\u0d0a\n"},
		{"cp037,crlf", "\x0d\x25\x0d\x0a", "\n\r\u008e"},
		{"cp1047,cr", "\x0d\x25", "\n\n"},
		{"iso-2022-jp,crlf", "\x1b$B$\"\r\x1b(B\n", "あ\n"},
		{"utf-32le,any", "\r\x00\x00\x00\n\x00\x00\x00\n\x00\x00\x00", "\n\n"},
		{"shift_jis,cr", "\x83\x0d", "\ufffd\n"},
	} {
		c, _ := play(t, tt.format, data(tt.wire)...)
		if got, err := readable(c, 100); got != tt.text || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.format, got, err, tt.text)
		}
	}
}

func TestStylesOfLineEndsBecomeLF(t *testing.T) {
	c, s := play(t, "utf-8,any", data("a\r")...)
	wantRead(t, c, "a\n") // at once
	s.reads = data("\nb\n", "\r\n\r", "\r\n")
	wantRead(t, c, "b\n\n\n\n")

	c, s = play(t, "cp1047,nel", data("\xc1\x15\x25")...)
	wantRead(t, c, "A\n\n")
	conntest.MustWrite(t, c, "A\nB\r\nC\r")
	conntest.MustWrite(t, c, "\nD\r")
	conntest.MustWrite(t, c, "E")
	wantWire(t, s, "\xc1\x15\xc2\x15\xc3\x15\xc4\x0d\xc5")

	c, s = play(t, "us-ascii,nvt", data("a\r\nb\r\x00c\r")...)
	wantRead(t, c, "a\nb\rc")
	s.reads = data("\x00")
	wantRead(t, c, "\r")
	conntest.MustWrite(t, c, "a\nb\rc\r")
	wantWire(t, s, "a\r\nb\r\x00c\r")
	conntest.MustWrite(t, c, "\n\r")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantWire(t, s, "a\r\nb\r\x00c\r\n\r\x00")

	c, s = play(t, "utf-8,cr", data("a\rb\n")...)
	wantRead(t, c, "a\nb\n")
	conntest.MustWrite(t, c, "a\nb\r")
	conntest.MustWrite(t, c, "\nc")
	wantWire(t, s, "a\rb\rc")
}

func TestMalformedIsReplacedAndNothingElseSwallowed(t *testing.T) {
	for _, tt := range []struct{ format, wire, text string }{
		{"utf-8,crlf", "\xf0\x90\x80A\xe0\x80\xc3\r\n\xed\xa0\x80", "\ufffdA\ufffd\ufffd\ufffd\n\ufffd\ufffd\ufffd"},
		{"shift_jis", "\x83\nA\x83\x7f\xfd\x85A", "\ufffd\nA\ufffd\x7f\ufffd\ufffdA"},
		{"gbk", "\x81\x1b\x81\r\x81", "\ufffd\x1b\ufffd\r"},
		{"gb18030", "\x81\x30A\x81\x30\x81A", "\ufffd0A\ufffd0丄"},
		{"euc-jp", "\x8f\xa1\n\xa4A\x8e\x20", "\ufffd\n\ufffdA\ufffd "},
		{"big5", "\xa1\x20\x81\x41", "\ufffd \ufffdA"},
		{"euc-kr", "\xb0\x20\xc9\x41", "\ufffd \ufffdA"},
		{"us-ascii", "a\x80b", "a\ufffdb"},
		{"utf-16be", "\xdc\x00\xd8\x00\x00A\xd8\x00\xd8\x00\xdc\x00", "\ufffd\ufffdA\ufffd\U00010000"},
		{"utf-32le", "\x00\xd8\x00\x00\x00\x00\x11\x00A\x00\x00\x00", "\ufffd\ufffdA"},
		{"iso-2022-jp", "\x1b$B$\x1b(Babc", "\ufffdabc"},
		{"iso-2022-jp", "\x1b$B\x24\x01\x24\n$\"", "\ufffd\x01\ufffd\n$\""},
		{"iso-2022-jp", "\x1bZ\x0e\x80", "\ufffdZ\ufffd\ufffd"},
		{"iso-2022-jp", "\x1b$B\x7f$\"\x20$\"", "\ufffdあ\ufffdあ"},
		{"iso-2022-jp", "\x1b(I\x20\x60\x5f", "\ufffd\ufffdﾟ"},
		{"hz-gb-2312", "~{\x7fVP\x20VP", "\ufffd中\ufffd中"},
		{"iso-2022-jp", "01234567\x0f9abcdefg", "01234567\ufffd9abcdefg"},
		{"hz-gb-2312", "~x~{V\nP~{VP\r", "\ufffdx\ufffd\nP中\r"},
	} {
		c, _ := play(t, tt.format, data(tt.wire)...)
		if got, err := readable(c, 100); got != tt.text || err != nil {
			t.Errorf("%s % x: %q, %v; want %q", tt.format, tt.wire, got, err, tt.text)
		}
	}
}

func TestStrictStopsAtTheExactByte(t *testing.T) {
	wire := "good\r\n\x83e\x83\x20bad\r\n"
	for i := range wire {
		c, _ := play(t, "shift_jis,crlf,strict", data(wire[:i], wire[i:])...)
		for range 3 { // it is sticky
			got, err := readable(c, 3)
			if got != "good\nテ" && got != "" {
				t.Fatalf("split at %d: %q", i, got)
			}
			conntest.WantFormatError(t, err, "read", 8, "\x83", sockets.ErrMalformed)
		}
		// Three ways to go on.
		switch i % 3 {
		case 0:
			if n, err := c.Skip(1); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			wantRead(t, c, " bad\n")
		case 1:
			if err := c.SetReadFormat(conntest.Format(t, "iso-8859-1,crlf")); err != nil {
				t.Fatal(err)
			}
			wantRead(t, c, "\u0083 bad\n")
		case 2:
			wantRead(t, c.Raw(), "\x83 bad\r\n")
		}
		if read, _ := c.Offsets(); read != int64(len(wire)) {
			t.Fatalf("offset %d, want %d", read, len(wire))
		}
	}
}

func TestGenuineReplacementCharactersAreNotMalformed(t *testing.T) {
	for _, tt := range []struct{ format, wire string }{
		{"utf-8,strict", "\xef\xbf\xbd"},
		{"utf-8-sig,strict", "\xef\xbf\xbd"},
		{"utf-16be,strict", "\xff\xfd"},
		{"utf-16le,strict,crlf", "\xfd\xff"},
		{"utf-32be,strict", "\x00\x00\xff\xfd"},
		{"gb18030,strict", "\x84\x31\xa4\x37"},
	} {
		c, s := play(t, tt.format, data(tt.wire)...)
		if got, err := readable(c, 100); got != "\ufffd" || err != nil {
			t.Errorf("%s: %q, %v", tt.format, got, err)
		}
		if tt.format != "utf-8-sig,strict" {
			conntest.MustWrite(t, c, "\ufffd")
			wantWire(t, s, tt.wire)
		}
	}
}

func TestTheBytesSayWhatIsMalformed(t *testing.T) {
	for _, tt := range []struct{ format, wire string }{
		{"utf-32be", "\x00\x11\x00\x00"}, {"utf-32le", "\x00\xd8\x00\x00"}, {"utf-32be", "\x00\x00\xdf\xff"}, {"utf-16le", "\x00\xdc"},
		{"utf-8", "\xf4"}, {"gb18030", "\x81"}, {"shift_jis", "\xa0"}, {"us-ascii", "\x80"},
	} {
		c, _ := play(t, tt.format+",strict", data(tt.wire, "\xff\xff")...)
		got, err := readable(c, 100)
		if got != "" {
			t.Errorf("%s: %q", tt.format, got)
		}
		conntest.WantFormatError(t, err, "read", 0, tt.wire, sockets.ErrMalformed)
	}
}

func TestKnownMalformedIsNotWaitedFor(t *testing.T) {
	for _, tt := range []struct{ format, wire, text string }{
		{"utf-8,crlf", "\xf0\x3e\x20", "\ufffd> "},
		{"utf-8,crlf", "\xf0\x80", "\ufffd\ufffd"},
		{"utf-16le", "\x00\xdc", "\ufffd"},
		{"utf-16be", "\xd8\x00\x00", "\ufffd"},
		{"gb18030", "\x81\x30\x20", "\ufffd0 "},
		{"gb18030", "\x81\x30\xff", "\ufffd0\ufffd"},
		{"euc-jp", "\x8f\x20", "\ufffd "},
		{"euc-jp", "\xf5", "\ufffd"}, // begins nothing
		{"iso-2022-jp", "\x1bA", "\ufffdA"},
		{"iso-2022-jp", "\x1b$A", "\ufffd$A"},
		{"shift_jis", "\xa0", "\ufffd"},
		{"hz-gb-2312", "~{V\n", "\ufffd\n"},
	} {
		c, _ := play(t, tt.format, data(tt.wire)...)
		if got, err := readable(c, 100); got != tt.text || err != nil {
			t.Errorf("%s % x: %q, %v; want %q", tt.format, tt.wire, got, err, tt.text)
		}
	}
}

func TestTheEndInsideACharacterIsMalformed(t *testing.T) {
	for _, tt := range []struct{ format, wire, text, bad string }{
		{"utf-8,crlf", "a\xe3\x81", "a\ufffd", "\xe3\x81"},
		{"shift_jis", "a\x83", "a\ufffd", "\x83"},
		{"gb18030", "a\x81\x30\x81", "a\ufffd", "\x81\x30\x81"},
		{"euc-jp", "a\x8f\xa1", "a\ufffd", "\x8f\xa1"},
		{"utf-16be", "\x00a\xd8\x00", "a\ufffd", "\xd8\x00"},
		{"utf-16le", "a\x00b", "a\ufffd", "b"},
		{"utf-32be", "\x00\x00\x00a\x00\x00", "a\ufffd", "\x00\x00"},
		{"iso-2022-jp", "a\x1b", "a\ufffd", "\x1b"},
		{"iso-2022-jp", "a\x1b$B$", "a\ufffd", "$"},
		{"hz-gb-2312", "a~", "a\ufffd", "~"},
	} {
		c, _ := play(t, tt.format, scripted{tt.wire, io.EOF})
		if got, err := readable(c, 100); got != tt.text || err != io.EOF {
			t.Errorf("%s: %q, %v; want %q", tt.format, got, err, tt.text)
		}
		c, _ = play(t, tt.format+",strict", scripted{tt.wire, nil}, scripted{"", io.EOF})
		got, err := readable(c, 100)
		if got != "a" {
			t.Errorf("%s, strict: %q", tt.format, got)
		}
		conntest.WantFormatError(t, err, "read", int64(len(tt.wire)-len(tt.bad)), tt.bad, io.ErrUnexpectedEOF)
	}
}

func TestAByteOrderMarkIsNoTextWhereTheFormatHasOne(t *testing.T) {
	for _, tt := range []struct{ format, wire, text string }{
		{"utf-16", "\xff\xfea\x00\xff\xfe", "a\ufeff"},
		{"utf-16", "\xfe\xff\x00a", "a"},
		{"utf-16", "\x00a\xfe\xff", "a\ufeff"},
		{"utf-16le-bom", "a\x00", "a"},
		{"utf-16le", "\xff\xfea\x00", "\ufeffa"},
		{"utf-16be", "\xfe\xff", "\ufeff"},
		{"utf-16le-expect-bom", "\xfe\xff\x00a", "a"},
		{"utf-32", "\xff\xfe\x00\x00a\x00\x00\x00", "a"},
		{"utf-32le", "\xff\xfe\x00\x00", "\ufeff"},
		{"utf-8-sig", "\xef\xbb\xbfa\xef\xbb\xbf", "a\ufeff"},
		{"utf-8-sig", "O", "O"},
		{"utf-8-sig", "O\xef\xbb\xbf", "O\ufeff"},
		{"utf-8-sig,crlf", "\xef\xbb>", "\ufffd>"},
		{"utf-8", "\xef\xbb\xbf", "\ufeff"},
	} {
		c, _ := play(t, tt.format, data(strings.Split(tt.wire, "")...)...)
		if got, err := readable(c, 100); got != tt.text || err != nil {
			t.Errorf("%s % x: %q, %v; want %q", tt.format, tt.wire, got, err, tt.text)
		}
	}
	c, _ := play(t, "utf-16-expect-bom", data("\x00a")...)
	_, err := c.Read(make([]byte, 10))
	conntest.WantFormatError(t, err, "read", 0, "\x00a", unicode.ErrMissingBOM)

	c, s := play(t, "utf-16", data("\xff\xfea\x00")...)
	wantRead(t, c, "a")
	if err := c.SetReadFormat(conntest.Format(t, "utf-16")); err != nil {
		t.Fatal(err)
	}
	s.reads = data("\xff\xfeb\x00")
	wantRead(t, c, "b") // a mark may come again after a switch
}

func TestStatefulEncodingsAreOurOwn(t *testing.T) {
	for _, tt := range []struct{ format, wire, text string }{
		{"iso-2022-jp", "\x1b$B$\x1b(B abc", "\ufffd abc"},   // ESC is looked at again
		{"iso-2022-jp", "\x1b$B$\"\n$\"", "あ\n$\""},          // LF resets
		{"iso-2022-jp", "\x1b(J\\~\x1b(I1\x1b$@$\"", "¥‾ｱあ"}, // Roman, katakana, JIS C 6226
		{"iso-2022-jp", "\x1b$(D0!\x1b(B", "丂"},              // JIS X 0212
		{"hz-gb-2312", "~{VP\nVP~~", "中\nVP~"},               // LF resets
		{"hz-gb-2312", "a~\nb~{~}c", "abc"},                  // continuation, empty shift
		{"iso-2022-jp", "\x1b$B" + strings.Repeat("$\"", 9), strings.Repeat("あ", 9)},
	} {
		c, _ := play(t, tt.format, data(tt.wire)...)
		if got, err := readable(c, 64); got != tt.text || err != nil {
			t.Errorf("%s %q: %q, %v; want %q", tt.format, tt.wire, got, err, tt.text)
		}
	}
}

func TestReadOfNothingReturnsAtOnce(t *testing.T) {
	c, s := play(t, "utf-16", data("a")...)
	if n, err := c.Read(nil); n != 0 || err != nil || s.nReads != 0 {
		t.Errorf("%d, %v, %d reads", n, err, s.nReads)
	}
}

func TestSkipWaitsForBytes(t *testing.T) {
	c, _ := play(t, "utf-16le", data("abc", "def", "g\x00")...)
	if n, err := c.Skip(5); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := c.Skip(-1); n != 0 || !errors.Is(err, syscall.EINVAL) {
		t.Fatal(n, err)
	}
	if n, err := c.Skip(100); n != 3 || err != errBlocked {
		t.Fatal(n, err)
	}
}

func TestReadReportsNoProgress(t *testing.T) {
	c, _ := play(t, "utf-16le", slices.Repeat(data(""), 1000)...)
	if _, err := c.Read(make([]byte, 10)); err != io.ErrNoProgress {
		t.Error(err)
	}
}

// TestTextConnReadBuffers reads the same stream into buffers of all sizes that
// matter: those that serve as scratch space themselves, and smaller ones.
func TestTextConnReadBuffers(t *testing.T) {
	const line = "plain line\r\nテスト\r\nend\r\r\n\r"
	for _, f := range []string{"shift_jis,crlf", "utf-16le,crlf", "utf-8,crlf", "iso-2022-jp,crlf", "gb18030,crlf,strict"} {
		for _, size := range []int{1, 3, 63, 511, 512, 513, 4096, 1 << 16} {
			text := strings.Repeat(line, 100+size/8)
			want := strings.ReplaceAll(text, "\r\n", "\n")
			c, s := play(t, strings.Replace(f, "crlf", "lf", 1))
			conntest.MustWrite(t, c, text)
			wire := s.wrote.String()
			for _, input := range []int{0, 64, 65, 5000} {
				c, _ := play(t, f, scripted{wire, io.EOF})
				if err := c.SetBufferSizes(input, 0); err != nil {
					t.Fatal(err)
				}
				if got, err := readable(c, size); err != io.EOF || got != want {
					t.Fatalf("%s into %d, input buffer %d: %d bytes, want %d, %v", f, size, input, len(got), len(want), err)
				}
			}
		}
	}
}

package text

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// wantText is a Read of one call.
func wantText(t *testing.T, c io.Reader, size int, want string, wantErr error) {
	t.Helper()
	p := make([]byte, size)
	n, err := c.Read(p)
	if string(p[:n]) != want || err != wantErr {
		t.Fatalf("Read of %d: %q, %v; want %q, %v", size, p[:n], err, want, wantErr)
	}
}

func TestTheEndSeenByRawIsTheEndOfText(t *testing.T) {
	c, s := play(t, "utf-16le", scripted{"ab", io.EOF})
	wantText(t, c.Raw(), 10, "ab", io.EOF)
	for _, r := range []io.Reader{c, c.Raw(), c} {
		wantText(t, r, 10, "", io.EOF)
	}
	if _, err := c.Skip(1); err != io.EOF {
		t.Errorf("Skip: %v, want EOF", err)
	}
	if s.nReads != 1 {
		t.Errorf("%d reads of the connection, want 1", s.nReads)
	}
}

func TestRawAndSkipReportTheErrorThatCameWithData(t *testing.T) {
	for name, pass := range map[string]func(*sockets.TextConn) error{
		"Read": func(c *sockets.TextConn) error { _, err := readable(c, 10); return err },
		"Raw":  func(c *sockets.TextConn) error { _, err := readable(c.Raw(), 10); return err },
		"Skip": func(c *sockets.TextConn) error { _, err := c.Skip(2); return err },
	} {
		c, s := play(t, "iso-8859-1", scripted{"ab", temporary})
		wantText(t, c, 1, "a", nil)
		if err := pass(c); err != temporary {
			t.Errorf("%s: %v, want %v", name, err, temporary)
		}
		if s.nReads != 1 {
			t.Errorf("%s: %d reads of the connection, want 1", name, s.nReads)
		}
		wantText(t, c, 1, "", errBlocked) // once
	}
}

func TestRawReadOfNothingReturnsAtOnce(t *testing.T) {
	c, s := play(t, "utf-16")
	if n, err := c.Raw().Read(nil); n != 0 || err != nil || s.nReads != 0 {
		t.Errorf("Read: %d, %v, %d reads of the connection", n, err, s.nReads)
	}
	if n, err := c.Raw().Write(nil); n != 0 || err != nil || len(s.writes) != 0 {
		t.Errorf("Write: %d, %v, %d writes of the connection", n, err, len(s.writes))
	}
}

func TestBufferedBytesBetweenEndTheMemoryOfACR(t *testing.T) {
	for name, pass := range map[string]func(*sockets.TextConn) error{
		"Skip": func(c *sockets.TextConn) error { _, err := c.Skip(1); return err },
		"Raw":  func(c *sockets.TextConn) error { _, err := io.ReadFull(c.Raw(), make([]byte, 1)); return err },
	} {
		c, _ := play(t, "utf-8,any", data("a\r#\nb")...)
		wantText(t, c, 2, "a\n", nil)
		if err := pass(c); err != nil {
			t.Fatal(err)
		}
		if got, err := readable(c, 10); got != "\nb" || err != nil {
			t.Errorf("%s: %q, %v; the line end behind it was lost", name, got, err)
		}
	}
}

func TestACharacterIsConsumedAlone(t *testing.T) {
	// Only the first byte of its text fits. What follows is not decoded with it.
	for _, tt := range []struct{ format, wire, first, rest string }{
		{"iso-8859-1", "\xe9x", "é", "x"},
		{"shift_jis", "\x83ex", "テ", "x"},
		{"utf-16le", "\x3d\xd8\x00\xdex\x00", "😀", "x\x00"},
	} {
		c, _ := play(t, tt.format, data(tt.wire)...)
		wantText(t, c, 1, tt.first[:1], nil)
		wantRead(t, c.Raw(), tt.rest)
		wantText(t, c, 10, tt.first[1:], nil)
	}
}

func TestReadAsksForWhatTheBuffersTake(t *testing.T) {
	c, s := play(t, "iso-8859-1", slices.Repeat(data("a"), 10)...)
	asked := func(size, want int) {
		t.Helper()
		wantText(t, c, size, "a", nil)
		if len(s.last) != want {
			t.Errorf("Read of %d asked for %d bytes, want %d", size, len(s.last), want)
		}
	}
	asked(512, 512)
	asked(5000, 5000)
	for _, size := range []int{5000, 64, 100} {
		if err := c.SetBufferSizes(size, 0); err != nil {
			t.Fatal(err)
		}
		asked(10, size)
		asked(6000, size)
	}
	if err := c.SetBufferSizes(0, 0); err != nil {
		t.Fatal(err)
	}
	asked(512, 512)
}

func TestReadOfMoreThanABlock(t *testing.T) {
	text := strings.Repeat("日本語テスト\n", 20000)
	wire := oneShot(t, "shift_jis", text)
	c, _ := play(t, "shift_jis", scripted{wire, io.EOF})
	if got, err := readable(c, 1<<20); got != text || err != io.EOF {
		t.Errorf("%d bytes, %v; want %d", len(got), err, len(text))
	}
}

func TestAnyNumberOfBytesMayBeLeft(t *testing.T) {
	// The text is longer than its bytes, of which some are left, in number any
	// between none and all but one: around 64 they move.
	text := strings.Repeat("テ", 255) + "x"
	wire := oneShot(t, "shift_jis", text)
	for k := 3; k < 300; k++ {
		c, _ := play(t, "shift_jis", scripted{wire, io.EOF})
		p := make([]byte, 512)
		n, err := c.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		got := string(p[:n])
		if n, err = c.Read(p[:k]); err != nil {
			t.Fatal(err)
		}
		got += string(p[:n])
		rest, err := readable(c, 512)
		if got+rest != text || err != io.EOF {
			t.Fatalf("a Read of %d: %d bytes of text in all, %v, want %d", k, len(got+rest), err, len(text))
		}
	}
}

func TestNoProgressIsAHundredEmptyReads(t *testing.T) {
	almost := slices.Repeat(data(""), 99)
	c, _ := play(t, "utf-16le", slices.Concat(almost, data("a\x00"), almost, data("b\x00"), slices.Repeat(data(""), 200))...)
	for _, want := range []struct {
		text string
		err  error
	}{{"a", nil}, {"b", nil}, {"", io.ErrNoProgress}, {"", io.ErrNoProgress}, {"", errBlocked}} {
		wantText(t, c, 10, want.text, want.err)
	}
}

func TestAFormatErrorKeepsItsBytes(t *testing.T) {
	c, s := play(t, "shift_jis,strict", data("\x83 a")...)
	_, err := c.Read(make([]byte, 10))
	conntest.WantFormatError(t, err, "read", 0, "\x83", sockets.ErrMalformed)
	if _, err := c.Skip(3); err != nil {
		t.Fatal(err)
	}
	s.reads = data("zzzz") // where the bytes were
	wantText(t, c, 10, "zzzz", nil)
	conntest.WantFormatError(t, err, "read", 0, "\x83", sockets.ErrMalformed)
}

func TestAFormatThatCannotBeIsReplaced(t *testing.T) {
	s := &scriptConn{}
	c := sockets.NewTextConn(s, sockets.ExternalFormat{Newline: 99})
	conntest.MustWrite(t, c.Raw(), "raw ") // needs no format
	if err := c.SetWriteFormat(conntest.Format(t, "utf-16le")); err != nil {
		t.Fatal(err)
	}
	conntest.MustWrite(t, c, "é")
	wantWire(t, s, "raw \xe9\x00")

	s = &scriptConn{}
	c = sockets.NewTextConn(s, sockets.ExternalFormat{Newline: 99})
	if err := c.CloseWrite(); err != nil || !slices.Equal(s.closed, []string{"CloseWrite"}) {
		t.Errorf("CloseWrite: %v, closed %v", err, s.closed)
	}
}

// errWire is what a failing connection says.
var errWire = errors.New("the wire is broken")

// failing is a scriptConn whose next writes fail.
type failing struct {
	scriptConn
	times int
}

func (f *failing) Write(p []byte) (int, error) {
	if f.times > 0 {
		f.times--
		return 0, errWire
	}
	return f.scriptConn.Write(p)
}

// A Read sends what is buffered. If that fails, the next call that writes says so,
// once, and what is left is sent then.
func TestAFailedFlushOfAReaderIsTheWritersError(t *testing.T) {
	for name, write := range map[string]func(*sockets.TextConn) error{
		"Write":      func(c *sockets.TextConn) error { _, err := c.Write([]byte("never")); return err },
		"Flush":      (*sockets.TextConn).Flush,
		"Raw":        func(c *sockets.TextConn) error { _, err := c.Raw().Write([]byte("never")); return err },
		"CloseWrite": (*sockets.TextConn).CloseWrite,
		"Close":      (*sockets.TextConn).Close,
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{scriptConn: scriptConn{reads: data("x\x00", "y\x00")}, times: 1}
			c := sockets.NewTextConn(f, conntest.Format(t, "utf-16le"))
			if err := c.SetBufferSizes(0, 64); err != nil {
				t.Fatal(err)
			}
			conntest.MustWrite(t, c, "ab")
			wantText(t, c, 10, "x", nil)
			wantText(t, c, 10, "y", nil) // does not try again before somebody knows
			wantWire(t, &f.scriptConn, "")
			if err := write(c); !errors.Is(err, errWire) {
				t.Fatalf("%v, want %v", err, errWire)
			}
			if name[:1] != "C" {
				if err := c.Flush(); err != nil {
					t.Errorf("once more: %v", err)
				}
			}
			wantWire(t, &f.scriptConn, "a\x00b\x00")
		})
	}
}

// swallowing says that it is broken when it has taken everything.
type swallowing struct{ scriptConn }

func (s *swallowing) Write(p []byte) (int, error) { return len(p), errWire }

func TestCloseReportsAFailedFlushThatLeftNothing(t *testing.T) {
	s := &swallowing{scriptConn{reads: data("x")}}
	c := sockets.NewTextConn(s, conntest.Format(t, "us-ascii"))
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	conntest.MustWrite(t, c, "ab")
	wantText(t, c, 10, "x", nil)
	if err := c.Close(); !errors.Is(err, errWire) {
		t.Errorf("Close: %v, want %v", err, errWire)
	}
}

func TestAnUnchangedFormatCountsWhatIsSent(t *testing.T) {
	for _, f := range []string{"utf-8", "bytes"} {
		c, s := play(t, f)
		s.take = []int{1}
		if n, err := c.Write([]byte("é")); n != 1 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d, %v, want 1 and a timeout", f, n, err)
		}
		wantWire(t, s, "\xc3")
	}
}

func TestForeignEncodingSurvivesADeadlineAtEveryByte(t *testing.T) {
	// Its state cannot be taken back, so that text whose bytes are unsent counts
	// as written.
	const text = "aあいb"
	f := sockets.ExternalFormat{Encoding: strange{conntest.MustEncoding("iso-2022-jp")}}
	for k := range len(oneShot(t, "iso-2022-jp", text)) {
		s := &scriptConn{take: []int{k}}
		c := sockets.NewTextConn(s, f)
		n, err := c.Write([]byte(text))
		if err != nil && (n != len(text) || !errors.Is(err, os.ErrDeadlineExceeded)) {
			t.Errorf("%d bytes taken: %d, %v", k, n, err)
		}
		conntest.MustWrite(t, c, text[n:])
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantWire(t, s, oneShot(t, "iso-2022-jp", text))
	}
}

func TestAnotherOutputBufferTakesEffect(t *testing.T) {
	c, s := play(t, "us-ascii,crlf")
	sizes := func(size int) {
		t.Helper()
		if err := c.SetBufferSizes(0, size); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("x", 100)
	sizes(1000)
	conntest.MustWrite(t, c, long)
	wantWire(t, s, "")
	sizes(64) // sends what there is
	wantWire(t, s, long)
	conntest.MustWrite(t, c, long)
	wantWire(t, s, long+long[:64])
	sizes(0)
	wantWire(t, s, long+long)
	conntest.MustWrite(t, c, "y")
	wantWire(t, s, long+long+"y")
}

func TestRawWriteDoesNotOvertakeText(t *testing.T) {
	c, s := play(t, "iso-2022-jp")
	conntest.MustWrite(t, c, "あ")
	s.take = []int{0}
	if n, err := c.Raw().Write([]byte("#")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d, %v, want 0 and a timeout", n, err)
	}
	conntest.MustWrite(t, c.Raw(), "#")
	wantWire(t, s, "\x1b$B$\"\x1b(B#")
}

func TestNothingIsReadOrSentAfterClose(t *testing.T) {
	c, s := play(t, "us-ascii,nvt", data("abc")...)
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	wantText(t, c, 1, "a", nil)
	conntest.MustWrite(t, c, "unsent\r")
	s.take = []int{0}
	if err := c.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Close: %v, want a timeout", err)
	}
	for name, f := range map[string]func([]byte) (int, error){
		"Read": c.Read, "Write": c.Write, "Raw().Read": c.Raw().Read, "Raw().Write": c.Raw().Write,
		"WriteString": func(p []byte) (int, error) { return c.WriteString(string(p)) },
	} {
		if n, err := f(make([]byte, 10)); n != 0 || err == nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if err := c.CloseWrite(); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	wantWire(t, s, "")
}

func TestTheLongestCharactersArriveInPieces(t *testing.T) {
	const long = 63 // one less is all that may be left undecoded
	dec := func(dst, src []byte, atEOF bool) (int, int, error) {
		if len(src) < long {
			return 0, 0, transform.ErrShortSrc
		}
		return copy(dst, src[:1]), long, nil
	}
	f := sockets.ExternalFormat{Encoding: &oddEncoding{dec, encoding.Nop.NewEncoder().Transform}}
	wire := strings.Repeat("a", long) + strings.Repeat("b", long) + strings.Repeat("c", long)
	for piece := 1; piece <= len(wire); piece++ {
		for _, input := range []int{0, 64} {
			for _, size := range []int{1, 10, 1000} {
				s := &scriptConn{}
				for rest := wire; rest != ""; {
					n := min(piece, len(rest))
					s.reads, rest = append(s.reads, scripted{data: rest[:n]}), rest[n:]
				}
				c := sockets.NewTextConn(s, f)
				if err := c.SetBufferSizes(input, 0); err != nil {
					t.Fatal(err)
				}
				if got, err := readable(c, size); got != "abc" || err != nil {
					t.Fatalf("pieces of %d into %d, input buffer %d: %q, %v", piece, size, input, got, err)
				}
			}
		}
	}
}

func TestForeignEncodingHasAllLineEnds(t *testing.T) {
	const text = "a\r\nb\rc\n\nd\u0085e\r\x00f\r\r\n\n\r"
	for _, style := range []string{"lf", "cr", "crlf", "any", "nel", "nvt"} {
		native := conntest.Format(t, "utf-16le,"+style)
		foreign := native
		foreign.Encoding = strange{native.Encoding}
		wire := oneShot(t, "utf-16le", text)
		read := func(f sockets.ExternalFormat, cut, size int) string {
			s := &scriptConn{reads: []scripted{{wire[:cut], nil}, {wire[cut:], io.EOF}}}
			got, err := readable(sockets.NewTextConn(s, f), size)
			if err != io.EOF {
				t.Fatal(err)
			}
			return got
		}
		want := read(native, 0, 100)
		for cut := range wire {
			for _, size := range []int{1, 3, 100} {
				if got := read(foreign, cut, size); got != want {
					t.Fatalf("%s, cut at %d into %d: %q, want %q", style, cut, size, got, want)
				}
			}
		}
	}
}

func TestCloseDoesNotWaitForABlockedWrite(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(a, conntest.Format(t, "iso-2022-jp"))
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

func TestReadAndWriteAtOnce(t *testing.T) {
	a, b := net.Pipe()
	f := conntest.Format(t, "utf-16,crlf")
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

// lazy takes so long for a Write that whoever waits for the lock gets it next.
type lazy struct{ *scriptConn }

func (l lazy) Write(p []byte) (int, error) {
	time.Sleep(3 * time.Millisecond)
	return l.scriptConn.Write(p)
}

func TestWriteStringIsOneWrite(t *testing.T) {
	// Strings of more than a block, by several writers, do not mix.
	for _, f := range []string{"utf-16le", "us-ascii"} {
		s := &scriptConn{}
		c := sockets.NewTextConn(lazy{s}, conntest.Format(t, f))
		var wg sync.WaitGroup
		for _, letter := range "abcd" {
			wg.Go(func() { io.WriteString(c, strings.Repeat(string(letter), 200_000)) })
		}
		wg.Wait()
		runs := 1
		wire := strings.ReplaceAll(s.wrote.String(), "\x00", "")
		for i := 1; i < len(wire); i++ {
			if wire[i] != wire[i-1] {
				runs++
			}
		}
		if runs != 4 || len(wire) != 800_000 {
			t.Errorf("%s: %d bytes in %d runs, want 4", f, len(wire), runs)
		}
	}
	// The count is the index of a character that is lacking, wherever it is.
	for at := 64<<10 - 4; at < 64<<10+2; at++ {
		c, _ := play(t, "shift_jis,strict")
		n, err := c.WriteString(strings.Repeat("x", at) + "अyz")
		if n != at {
			t.Errorf("count %d, want %d", n, at)
		}
		conntest.WantFormatError(t, err, "write", int64(at), "अ", sockets.ErrUnencodable)
	}
}

func TestWriteDuringCloseIsEncodedOrFails(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(a, conntest.Format(t, "utf-16be"))
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	conntest.MustWrite(t, c, "ab")
	closed, wrote := make(chan error), make(chan error)
	go func() { closed <- c.Close() }()
	first := make([]byte, 1)
	if _, err := io.ReadFull(b, first); err != nil {
		t.Fatal(err)
	}
	go func() { // while Close is sending
		_, err := c.Write([]byte("xyz"))
		wrote <- err
	}()
	rest, err := io.ReadAll(b)
	if err != nil || len(rest)%2 != 1 || string(rest[:3]) != "a\x00b" {
		t.Errorf("% x, %v", rest, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	<-wrote
	for _, p := range []string{"x", ""} {
		if _, err := c.Write([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Write(%q) of a closed connection: %v", p, err)
		}
		if _, err := c.Raw().Write([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("raw Write(%q) of a closed connection: %v", p, err)
		}
		if _, err := c.Raw().Read([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("raw Read(%q) of a closed connection: %v", p, err)
		}
	}
}

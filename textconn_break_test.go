package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

func TestADeadlineInBytesWithLineEndsLosesNothing(t *testing.T) {
	// Each byte is a character, also where it would continue one of UTF-8.
	text := "a" + strings.Repeat("\x80", 200)
	for _, f := range []string{"bytes,any", "bytes,crlf", "bytes,cr", "bytes,nvt"} {
		for _, taken := range []int{0, 1, 2, 100} {
			c, s := play(t, f)
			s.take = []int{taken}
			n, err := c.Write([]byte(text))
			if n != taken || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %d of %d bytes, %v", f, n, taken, err)
			}
			mustWrite(t, c, text[n:])
			wantWire(t, s, text)
		}
	}
}

// miser is a net.Conn that breaks the contract of io.Writer: it takes one byte
// and says nothing.
type miser struct{ script }

func (m *miser) Write(p []byte) (int, error) { return m.script.Write(p[:min(len(p), 1)]) }

func TestAShortWriteWithoutErrorIsOne(t *testing.T) {
	for _, f := range []string{"us-ascii", "utf-8,strict", "utf-16le", "bytes"} {
		c := sockets.NewTextConn(new(miser), format(t, f))
		if n, err := c.Write([]byte("abc")); n != 1 || err != io.ErrShortWrite {
			t.Errorf("%s: %d, %v", f, n, err)
		}
		if n, err := c.Raw().Write([]byte("abc")); n > 1 || err != io.ErrShortWrite {
			t.Errorf("%s, raw: %d, %v", f, n, err)
		}
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
		mustWrite(t, c, "\n\n\n\n\n\n\n\n"[:filled%9])
		mustWrite(t, c, text)
		s.take = []int{0}
		if err := c.SetWriteFormat(format(t, "us-ascii")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		rest := "xyz"
		n, _ := c.Write([]byte(rest))
		mustWrite(t, c, rest[n:])
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		wantWire(t, s, "\n\n\n\n\n\n\n\n"[:filled%9]+want)
	}
}

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
		// The decision does not depend on how the bytes arrive.
		for shifts := range 20 {
			wire := "a\r" + strings.Repeat(tt.shift, shifts) + "\nb"
			c, _ := play(t, tt.format, data(wire)...)
			want, err := readable(c, 600)
			if err != nil {
				t.Fatal(err)
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

// undated is a connection without deadlines, as the channels of some tunnels are.
type undated struct{ net.Conn }

func (undated) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (undated) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (undated) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

func TestCloseIsBoundedWithoutDeadlines(t *testing.T) {
	for _, buffer := range []int{0, 64} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			defer b.Close()
			c := sockets.NewTextConn(undated{a}, format(t, "utf-16"))
			if err := c.SetBufferSizes(0, buffer); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, c, "\xe3") // a replacement is owed
			start := time.Now()
			if err := c.Close(); err == nil {
				t.Error("what is owed was not sent")
			}
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("buffer %d: %v", buffer, took)
			}
		})
	}
}

func TestCloseIsBoundedBehindABlockedWrite(t *testing.T) {
	t.Parallel() // in real time: a bubble takes no account of mutexes
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(undated{a}, format(t, "utf-16"))
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := c.Write(make([]byte, 1000))
		done <- err
	}()
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil { // it holds the lock
		t.Fatal(err)
	}
	go c.Close()
	select {
	case err := <-done:
		if err == nil {
			t.Error("the Write succeeded")
		}
	case <-time.After(time.Minute):
		t.Fatal("Close does not end the Write")
	}
}

// lazy takes so long for a Write that whoever waits for the lock gets it next.
type lazy struct{ *script }

func (l lazy) Write(p []byte) (int, error) {
	time.Sleep(3 * time.Millisecond)
	return l.script.Write(p)
}

func TestWriteStringIsOneWrite(t *testing.T) {
	// Strings of more than a block, by several writers, do not mix.
	for _, f := range []string{"utf-16le", "us-ascii"} {
		s := &script{}
		c := sockets.NewTextConn(lazy{s}, format(t, f))
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
		wantFormatError(t, err, "write", int64(at), "अ", sockets.ErrUnencodable)
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
	mustWrite(t, strict, "x\xe3")
	if err, ok := strict.SetWriteFormat(format(t, "us-ascii")).(net.Error); !ok || err.Timeout() {
		t.Errorf("%T", err)
	}
	c, s := play(t, "iso-2022-jp")
	mustWrite(t, c, "あ")
	s.take = []int{0}
	if err, ok := c.SetWriteFormat(format(t, "us-ascii")).(net.Error); !ok || !err.Timeout() {
		t.Errorf("%T", err)
	}
	if got := new(sockets.FormatError).Error(); got == "" {
		t.Error("an empty FormatError must have a text")
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

func TestReadKeepsItsDeadlineWhileItFlushes(t *testing.T) {
	for name, set := range map[string]func(c *sockets.TextConn){
		"before":    func(c *sockets.TextConn) { c.SetReadDeadline(time.Now().Add(time.Second)) },
		"meanwhile": func(c *sockets.TextConn) { time.AfterFunc(time.Second, func() { c.SetReadDeadline(time.Unix(1, 0)) }) },
		"both":      func(c *sockets.TextConn) { time.AfterFunc(time.Second, func() { c.SetDeadline(time.Now()) }) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				defer b.Close()
				c := sockets.NewTextConn(a, format(t, "utf-16be"))
				defer c.Close()
				if err := c.SetBufferSizes(0, 64); err != nil {
					t.Fatal(err)
				}
				mustWrite(t, c, "hello")
				set(c)
				start := time.Now()
				done := make(chan error)
				go func() {
					_, err := c.Read(make([]byte, 10))
					done <- err
				}()
				select {
				case err := <-done:
					if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
						t.Errorf("%v after %v", err, time.Since(start))
					}
				case <-time.After(time.Hour):
					t.Error("Read does not return")
					b.Close()
					<-done
					return
				}
				// The deadline of Write is what it was, and nothing is lost.
				c.SetDeadline(time.Time{})
				go func() {
					io.WriteString(c, "!")
					c.Flush()
				}()
				time.Sleep(time.Minute)
				wire := make([]byte, 12)
				if _, err := io.ReadFull(b, wire); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff("\x00h\x00e\x00l\x00l\x00o\x00!", string(wire)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestOneCallPer64KiBWhateverTheFormat(t *testing.T) {
	log := strings.Repeat("2024-05-01T10:20:30Z GET /index.html 200\n", 2000)[:64<<10]
	for _, tt := range []struct{ format, text string }{
		{"us-ascii,crlf", log}, {"shift_jis,crlf", log}, {"utf-16le,crlf", log}, {"cp1047,nel", log}, {"utf-8,crlf", log},
		{"us-ascii,crlf", strings.Repeat("\n", 64<<10)}, {"gb18030", strings.Repeat("Ãÿ", 16<<10)}, {"iso-2022-jp,crlf", strings.Repeat("aあ", 16<<10)},
	} {
		c, s := play(t, tt.format)
		mustWrite(t, c, "x") // a mark, if any
		if n, err := c.Write([]byte(tt.text)); n != len(tt.text) || err != nil {
			t.Fatal(n, err)
		}
		if len(s.writes) != 2 {
			t.Errorf("%s: %d calls for %d bytes, want 1", tt.format, len(s.writes)-1, len(tt.text))
		}
	}
}

func TestRegisterEncodingRefusesNamesThatDoNotParse(t *testing.T) {
	for _, name := range []string{"", "a b", "a,b", "a\rb", "\u00a0x", "x\u3000", "-", "a\tb", "x\u2028"} {
		if err := sockets.RegisterEncoding(name, &oddEncoding{}); err == nil {
			t.Errorf("%q is registered", name)
		}
	}
}

func TestAFlushForAReaderThatFailsEnds(t *testing.T) {
	// A Write whose reader waits sends for it, and does not try for ever.
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := sockets.NewTextConn(a, format(t, "utf-16be"))
		defer c.Close()
		if err := c.SetBufferSizes(0, 64); err != nil {
			t.Fatal(err)
		}
		go c.Read(make([]byte, 10))
		synctest.Wait()
		c.SetWriteDeadline(time.Unix(1, 0))
		mustWrite(t, c, "ab")
		c.SetWriteDeadline(time.Time{})
		go io.WriteString(c, "c")
		wire := make([]byte, 6)
		if _, err := io.ReadFull(b, wire); err != nil || string(wire) != "\x00a\x00b\x00c" {
			t.Errorf("%q, %v", wire, err)
		}
	})
}

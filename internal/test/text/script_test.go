package text

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

var (
	scriptsFlag = flag.Int("text.scripts", 2000, "how many scripts TestScripts does")
	scriptSeed  = flag.Uint64("text.seed", 0, "the seed of TestScripts; a new one if 0")
)

// A part of a script is text in a format, or bytes without one. What the wire has of it
// is made at once, and not by a TextConn.
type part struct {
	format sockets.ExternalFormat
	raw    bool
	text   string // of raw parts the bytes
	wire   []byte

	// bad are bytes in the middle of wire that are malformed, at badAt of text; none if
	// it is empty.
	bad   string
	badAt int
}

func (p part) String() string {
	if p.raw {
		return fmt.Sprintf("raw %q", p.text)
	}
	return fmt.Sprintf("%v %q bad %q at %d, wire %x", p.format, p.text, p.bad, p.badAt, p.wire)
}

// A repertoire is an encoding and characters that it has.
type repertoire struct {
	name, letters string
	newlines      []sockets.Newline
	end           string // what the wire needs behind letters that are not ASCII
	bad           string // malformed bytes
}

var (
	allNewlines   = []sockets.Newline{sockets.NewlineLF, sockets.NewlineCR, sockets.NewlineCRLF, sockets.NewlineAny}
	octetNewlines = append(allNewlines[:4:4], sockets.NewlineNVT)
	repertoires   = []repertoire{
		{"utf-8", "aZ ~éßЖ日本語€😀\u0301", octetNewlines, "", "\xc0"},
		{"utf-16", "aZ ~éßЖ日本語€😀", allNewlines, "", ""},
		{"utf-16le", "aZ ~éßЖ日本語€😀", allNewlines, "", ""},
		{"utf-32", "aZ ~éßЖ日本語€😀", allNewlines, "", ""},
		{"windows-1252", "aZ ~éß€ÿ", octetNewlines, "", ""},
		{"iso-8859-15", "aZ ~éß€", octetNewlines, "", ""},
		{"koi8-r", "aZ ~ЖяЪ", octetNewlines, "", ""},
		{"cp037", "aZ ~é", append(allNewlines[:3:3], sockets.NewlineNEL), "", ""},
		{"shift_jis", "aZ ~日本語表ソｱ", allNewlines, "", "\xfd"},
		{"euc-jp", "aZ ~日本語表ソｱ", allNewlines, "", "\xff"},
		{"iso-2022-jp", "aZ ~日本語表ソ", allNewlines, "\x1b(B", ""},
		{"gbk", "aZ ~中国語", allNewlines, "", "\xff"},
		{"gb18030", "aZ ~中国語😀é", allNewlines, "", "\xff"},
		{"hz-gb-2312", "aZ 中国", allNewlines[:1], "~}", ""},
		{"big5", "aZ ~中國語", allNewlines, "", "\xff"},
		{"euc-kr", "aZ ~한국어中", allNewlines, "", "\xff"},
	}
)

// encode returns what the wire has for a text, at once.
func (r repertoire) encode(f sockets.ExternalFormat, text string) ([]byte, error) {
	switch f.Newline {
	case sockets.NewlineCR:
		text = strings.ReplaceAll(text, "\n", "\r")
	case sockets.NewlineCRLF, sockets.NewlineNVT:
		text = strings.ReplaceAll(text, "\n", "\r\n")
	case sockets.NewlineNEL:
		text = strings.ReplaceAll(text, "\n", "\u0085")
	}
	wire, err := f.Encoding.NewEncoder().Bytes([]byte(text))
	if last, _ := utf8.DecodeLastRuneInString(text); last >= utf8.RuneSelf && !bytes.HasSuffix(wire, []byte(r.end)) {
		wire = append(wire, r.end...)
	}
	if f.Newline == sockets.NewlineNVT {
		wire = bytes.ReplaceAll(wire, []byte{0xff}, []byte{0xff, 0xff})
	}
	return wire, err
}

// newPart returns a part of random text, in a random format.
func newPart(r *rand.Rand) (part, error) {
	if r.IntN(5) == 0 {
		b := make([]byte, 1+r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return part{raw: true, text: string(b), wire: b}, nil
	}
	rep := repertoires[r.IntN(len(repertoires))]
	f, err := sockets.ParseFormat(rep.name)
	if err != nil {
		return part{}, err
	}
	f.Newline = rep.newlines[r.IntN(len(rep.newlines))]
	f.Strict = r.IntN(2) == 0
	letters := []rune(rep.letters + "\n")
	some := func() string {
		var b strings.Builder
		size := 1 << r.IntN(7)
		if r.IntN(100) == 0 {
			size <<= 8 // longer than buffers
		}
		for range 1 + r.IntN(size) {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	p := part{format: f, text: some()}
	if p.wire, err = rep.encode(f, p.text); err != nil {
		return p, err
	}
	if rep.bad != "" && f.Strict && r.IntN(4) == 0 && f.Newline != sockets.NewlineNVT {
		more := some()
		wire, err := rep.encode(f, more)
		if err != nil {
			return p, err
		}
		p.bad, p.badAt = rep.bad, len(p.text)
		p.text += more
		p.wire = append(append(p.wire, rep.bad...), wire...)
	}
	return p, nil
}

// A wire is a connection in memory that is as bad as one can be: it reads and writes
// fewer bytes than it is asked for, deadlines pass at any time, and the end comes
// together with data.
type wire struct {
	net.Conn // nil: what is not here is not called
	r        *rand.Rand
	data     []byte
}

func (w *wire) Read(b []byte) (int, error) {
	n := min(len(b), len(w.data))
	switch w.r.IntN(4) {
	case 0:
		if len(b) > 0 {
			return 0, os.ErrDeadlineExceeded
		}
	case 1:
		n = min(n, 1+w.r.IntN(3))
	}
	n = copy(b[:n], w.data)
	if w.data = w.data[n:]; len(b) > 0 && len(w.data) == 0 && (n == 0 || w.r.IntN(2) == 0) {
		return n, io.EOF
	}
	return n, nil
}

func (w *wire) Write(b []byte) (n int, err error) {
	n = len(b)
	if n > 0 && w.r.IntN(3) == 0 {
		n, err = w.r.IntN(len(b)), os.ErrDeadlineExceeded
	}
	w.data = append(w.data, b[:n]...)
	return n, err
}

func (w *wire) Close() error                     { return nil }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// interrupted reports whether a call is to go on.
func interrupted(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// until calls f until it does not end early.
func until(f func() error) error {
	for {
		if err := f(); err == nil || !interrupted(err) {
			return err
		}
	}
}

// writeAll writes b in pieces that end anywhere.
func writeAll(r *rand.Rand, w func([]byte) (int, error), b []byte) error {
	for len(b) > 0 {
		n, err := w(b[:1+r.IntN(len(b))])
		if n < 0 || n > len(b) {
			return fmt.Errorf("wrote %d of %d bytes", n, len(b))
		}
		if b = b[n:]; err != nil && !interrupted(err) {
			return err
		}
	}
	return nil
}

// writeScript writes the texts of a script. before is called before each call.
func writeScript(r *rand.Rand, c *sockets.TextConn, parts []part, before func()) error {
	for i, p := range parts {
		if r.IntN(4) == 0 {
			size := []int{0, 64, 100, 4096}[r.IntN(4)]
			if err := until(func() error { before(); return c.SetBufferSizes(0, size) }); err != nil {
				return fmt.Errorf("part %d: SetBufferSizes: %w", i, err)
			}
		}
		if p.raw {
			// What the format owes goes first.
			if err := c.SetWriteFormat(sockets.ExternalFormat{}); err != nil && !interrupted(err) {
				return fmt.Errorf("part %d: SetWriteFormat: %w", i, err)
			}
			err := writeAll(r, func(b []byte) (int, error) { before(); return c.Raw().Write(b) }, []byte(p.text))
			if err != nil {
				return fmt.Errorf("part %d: %w", i, err)
			}
			continue
		}
		if err := c.SetWriteFormat(p.format); err != nil && !interrupted(err) {
			return fmt.Errorf("part %d: SetWriteFormat: %w", i, err)
		}
		text := func(s string) error {
			return writeAll(r, func(b []byte) (int, error) {
				before()
				switch r.IntN(6) {
				case 0:
					return c.WriteString(string(b))
				case 1:
					if err := c.Flush(); err != nil && !interrupted(err) {
						return 0, err
					}
				case 2:
					n, err := c.ReadFrom(bytes.NewReader(b))
					return int(n), err
				}
				return c.Write(b)
			}, []byte(s))
		}
		err := text(p.text[:p.badAt])
		if err == nil && p.bad != "" {
			if err = until(func() error { before(); return c.SetWriteFormat(p.format) }); err == nil {
				err = writeAll(r, func(b []byte) (int, error) { before(); return c.Raw().Write(b) }, []byte(p.bad))
			}
		}
		if err == nil {
			err = text(p.text[p.badAt:])
		}
		if err != nil {
			return fmt.Errorf("part %d: %w", i, err)
		}
	}
	if err := c.SetWriteFormat(sockets.ExternalFormat{}); err != nil && !interrupted(err) {
		return err
	}
	return until(func() error { before(); return c.Flush() })
}

// readScript reads the texts of a script, and knows of each part only how long its
// text is.
func readScript(r *rand.Rand, c *sockets.TextConn, parts []part, before func()) error {
	end := int64(0)
	for i, p := range parts {
		begin := end
		end += int64(len(p.wire))
		if r.IntN(4) == 0 {
			if err := c.SetBufferSizes([]int{0, 64, 100, 4096}[r.IntN(4)], 0); err != nil {
				return err
			}
		}
		read := c.Raw().Read
		if !p.raw {
			read = c.Read
			if err := c.SetReadFormat(p.format); err != nil {
				return err
			}
		}
		var got []byte
		failed := false
		for len(got) < len(p.text) {
			before()
			b := make([]byte, 1+r.IntN(len(p.text)-len(got)))
			n, err := read(b)
			got = append(got, b[:n]...)
			var fe *sockets.FormatError
			switch {
			case err == nil || interrupted(err) || err == io.EOF && n > 0:
			case errors.As(err, &fe) && p.bad != "" && !failed:
				failed = true
				at := begin + int64(bytes.Index(p.wire, []byte(p.bad)))
				if len(got) != p.badAt || string(fe.Bytes) != p.bad || fe.Offset != at {
					return fmt.Errorf("part %d: %w after %d bytes of text, want offset %d after %d", i, err, len(got), at, p.badAt)
				}
				for left := len(p.bad); left > 0; {
					n, err := c.Skip(left)
					if left -= n; err != nil && !interrupted(err) {
						return fmt.Errorf("part %d: Skip: %w", i, err)
					}
				}
			default:
				return fmt.Errorf("part %d: %w after %q", i, err, got)
			}
			if !strings.HasPrefix(p.text, string(got)) {
				return fmt.Errorf("part %d: %q, want %q", i, got, p.text)
			}
		}
		if p.bad != "" && !failed {
			return fmt.Errorf("part %d: no error for malformed input", i)
		}
		// Escape sequences without a character behind them are left.
		at, _ := c.Offsets()
		left := end - at
		if left < 0 || left > int64(len(p.wire)) || !shiftsOnly(p.wire[int64(len(p.wire))-left:]) {
			return fmt.Errorf("part %d: %d bytes of %x are left", i, left, p.wire)
		}
		for left > 0 {
			before()
			n, err := c.Skip(int(left))
			if left -= int64(n); err != nil && !interrupted(err) {
				return fmt.Errorf("part %d: Skip: %w", i, err)
			}
		}
	}
	// The end.
	err := until(func() error { before(); _, err := c.Read(make([]byte, 10)); return err })
	if err != io.EOF {
		return fmt.Errorf("at the end %v", err)
	}
	return nil
}

func shiftsOnly(b []byte) bool {
	return len(b) == 0 || string(b) == "\x1b(B" || string(b) == "~}"
}

// script does one script, in memory.
func script(seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1))
	parts := make([]part, 1+r.IntN(6))
	var want []byte
	for i := range parts {
		p, err := newPart(r)
		if err != nil {
			return err
		}
		parts[i] = p
		want = append(want, p.wire...)
	}
	fail := func(what string, err error) error { return fmt.Errorf("%s: %w\n%q", what, err, parts) }
	w := &wire{r: r}
	c := sockets.NewTextConn(w, sockets.ExternalFormat{Encoding: encoding.Nop})
	none := func() {}
	if err := writeScript(r, c, parts, none); err != nil {
		return fail("write", err)
	}
	if !bytes.Equal(w.data, want) {
		return fail("write", fmt.Errorf("the wire has\n%x, want\n%x", w.data, want))
	}
	if _, n := c.Offsets(); n != int64(len(want)) {
		return fail("write", fmt.Errorf("offset %d, want %d", n, len(want)))
	}
	c = sockets.NewTextConn(w, sockets.ExternalFormat{})
	if err := readScript(r, c, parts, none); err != nil {
		return fail("read", err)
	}
	return nil
}

// garbage reads bytes that are no text, mostly, in formats that change, through a bad
// connection and a good one.
func garbage(seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 2))
	var data []byte
	for range 1 + r.IntN(8) {
		if p, err := newPart(r); err == nil {
			data = append(data, p.wire[r.IntN(len(p.wire)):]...)
			data = append(data, []string{"\r", "\n", "\r\n", "\x1b", "\x1b$B", "~{", "\xff", "\x81\x30", "\xd8\x00", "\xfe\xff", "\xef\xbb\xbf"}[r.IntN(11)]...)
		}
	}
	bad := sockets.NewTextConn(&wire{r: r, data: bytes.Clone(data)}, sockets.ExternalFormat{})
	good := sockets.NewTextConn(&whole{data: data}, sockets.ExternalFormat{})
	var log []string
	for {
		rep := repertoires[r.IntN(len(repertoires))]
		f, err := sockets.ParseFormat(rep.name)
		if err != nil {
			return err
		}
		f.Newline, f.Strict = rep.newlines[r.IntN(len(rep.newlines))], r.IntN(2) == 0
		n := 1 + r.IntN(1<<r.IntN(8))
		var results [2]string
		var end bool
		for i, c := range []*sockets.TextConn{good, bad} {
			if err := c.SetReadFormat(f); err != nil {
				return err
			}
			text, err := readText(r, c, n)
			var fe *sockets.FormatError
			switch {
			case errors.As(err, &fe):
				for left := max(len(fe.Bytes), 1); left > 0; {
					k, err := c.Skip(left)
					if left -= k; err != nil && !interrupted(err) {
						left = 0
					}
				}
			case err == io.EOF:
				end = true
			case err != nil:
				return err
			}
			at, _ := c.Offsets()
			results[i] = fmt.Sprintf("%v: %q, %v, offset %d", f, text, err, at)
		}
		log = append(log, results[0])
		if results[0] != results[1] {
			return fmt.Errorf("%x:\n%s\nthrough a bad connection\n%s", data, strings.Join(log, "\n"), results[1])
		}
		if end {
			return nil
		}
	}
}

// readText reads n bytes of text.
func readText(r *rand.Rand, c *sockets.TextConn, n int) (text []byte, err error) {
	for len(text) < n {
		b := make([]byte, n-len(text))
		if _, ok := c.NetConn().(*wire); ok {
			b = b[:1+r.IntN(len(b))]
		}
		k, err := c.Read(b)
		text = append(text, b[:k]...)
		if err != nil && !interrupted(err) {
			return text, err
		}
	}
	return text, nil
}

// whole is a connection that reads all that it has at once.
type whole struct {
	net.Conn
	data []byte
}

func (w *whole) Read(b []byte) (int, error) {
	n := copy(b, w.data)
	if w.data = w.data[n:]; n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestScripts writes and reads texts in formats that change, through a connection that
// interrupts every call, and compares the wire with what packages x/text make of each
// text at once.
func TestScripts(t *testing.T) {
	seed := *scriptSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for i := range *scriptsFlag {
		if err := script(seed + uint64(i)); err != nil {
			t.Fatalf("-text.scripts 1 -text.seed %d: %v", seed+uint64(i), err)
		}
		if err := garbage(seed + uint64(i)); err != nil {
			t.Fatalf("-text.scripts 1 -text.seed %d: %v", seed+uint64(i), err)
		}
	}
	t.Logf("%d scripts", *scriptsFlag)
}

// FuzzScript lets the fuzzer choose the script.
func FuzzScript(f *testing.F) {
	for i := range 100 {
		f.Add(uint64(i))
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := script(seed); err != nil {
			t.Fatal(err)
		}
		if err := garbage(seed); err != nil {
			t.Fatal(err)
		}
	})
}

// TestScriptsOverSocket does scripts from one end of a socket pair to the other, with
// deadlines that pass at any time.
func TestScriptsOverSocket(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i := range max(*scriptsFlag/100, 1) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		var parts []part
		for range 1 + r.IntN(6) {
			p, err := newPart(r)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, p)
		}
		a, b := conntest.Pair(t, "unix")
		in, out := sockets.NewTextConn(a, sockets.ExternalFormat{}), sockets.NewTextConn(b, sockets.ExternalFormat{})
		done := make(chan error, 1)
		wr := rand.New(rand.NewPCG(seed, uint64(i)<<32))
		go func() {
			defer out.Close()
			done <- writeScript(wr, out, parts, func() { out.SetWriteDeadline(deadline(wr)) })
		}()
		if err := readScript(r, in, parts, func() { in.SetReadDeadline(deadline(r)) }); err != nil {
			t.Errorf("read: %v\n%q", err, parts)
		}
		if err := <-done; err != nil {
			t.Errorf("write: %v\n%q", err, parts)
		}
		in.Close()
		if t.Failed() {
			return
		}
	}
}

// deadline returns none, one that is past, or one that passes during the call perhaps.
func deadline(r *rand.Rand) time.Time {
	switch r.IntN(3) {
	case 0:
		return time.Now().Add(time.Duration(r.IntN(50)) * time.Microsecond)
	case 1:
		return time.Now().Add(time.Duration(r.IntN(2000)) * time.Microsecond)
	}
	return time.Time{}
}

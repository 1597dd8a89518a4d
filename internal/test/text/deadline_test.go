package text

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestADeadlineAtEveryByteLosesNothing(t *testing.T) {
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

func TestTheCountIsOfText(t *testing.T) {
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
			conntest.MustWrite(t, c, text[n:])
			wantWire(t, s, text)
		}
	}
}

// undated is a connection without deadlines, as the channels of some tunnels are.
type undated struct{ net.Conn }

func (undated) SetDeadline(time.Time) error { return errors.ErrUnsupported }

func (undated) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

func (undated) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

func TestCloseIsBoundedWithoutDeadlines(t *testing.T) {
	for _, buffer := range []int{0, 64} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			defer b.Close()
			c := sockets.NewTextConn(undated{a}, conntest.Format(t, "utf-16"))
			if err := c.SetBufferSizes(0, buffer); err != nil {
				t.Fatal(err)
			}
			conntest.MustWrite(t, c, "\xe3") // a replacement is owed
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
	c := sockets.NewTextConn(undated{a}, conntest.Format(t, "utf-16"))
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
				c := sockets.NewTextConn(a, conntest.Format(t, "utf-16be"))
				defer c.Close()
				if err := c.SetBufferSizes(0, 64); err != nil {
					t.Fatal(err)
				}
				conntest.MustWrite(t, c, "hello")
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

func TestAFlushForAReaderThatFailsEnds(t *testing.T) {
	// A Write whose reader waits sends for it, and does not try for ever.
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := sockets.NewTextConn(a, conntest.Format(t, "utf-16be"))
		defer c.Close()
		if err := c.SetBufferSizes(0, 64); err != nil {
			t.Fatal(err)
		}
		go c.Read(make([]byte, 10))
		synctest.Wait()
		c.SetWriteDeadline(time.Unix(1, 0))
		conntest.MustWrite(t, c, "ab")
		c.SetWriteDeadline(time.Time{})
		go io.WriteString(c, "c")
		wire := make([]byte, 6)
		if _, err := io.ReadFull(b, wire); err != nil || string(wire) != "\x00a\x00b\x00c" {
			t.Errorf("%q, %v", wire, err)
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit func(c *sockets.TextConn) error
		want  time.Duration
	}{
		{"no deadline", func(c *sockets.TextConn) error { return nil }, 5 * time.Second},
		{"late deadline", func(c *sockets.TextConn) error { return c.SetWriteDeadline(time.Now().Add(time.Hour)) }, 5 * time.Second},
		{"early deadline", func(c *sockets.TextConn) error { return c.SetDeadline(time.Now().Add(time.Second)) }, time.Second},
	} {
		for _, buffer := range []int{0, 64} {
			synctest.Test(t, func(t *testing.T) {
				// The peer does not read, so what is left cannot go out.
				a, b := net.Pipe()
				defer b.Close()
				c := sockets.NewTextConn(a, conntest.Format(t, "utf-16"))
				if err := c.SetBufferSizes(0, buffer); err != nil {
					t.Fatal(err)
				}
				conntest.MustWrite(t, c, "\xe3") // a replacement is owed
				if err := tt.limit(c); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				if err := c.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error(err)
				}
				if got := time.Since(start); got != tt.want {
					t.Errorf("%s, buffer %d: %v, want %v", tt.name, buffer, got, tt.want)
				}
				if _, err := b.Read(make([]byte, 1)); err != io.EOF {
					t.Error(err)
				}
			})
		}
	}
}

func TestADeadlineInALargeBlockLosesNothing(t *testing.T) {
	// The text is longer on the wire, so that it is in a block of twice the size.
	text := strings.Repeat("\n", 64<<10)
	for _, taken := range []int{0, 1, 64<<10 - 1, 64<<10 + 65, 100_001, 128<<10 - 1} {
		c, s := play(t, "us-ascii,crlf")
		s.take = []int{taken}
		n, err := c.Write([]byte(text))
		if n != (taken+1)/2 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d of %d bytes sent: %d, %v", taken, len(text)*2, n, err)
		}
		conntest.MustWrite(t, c, text[n:])
		if err := c.Close(); err != nil { // what is owed may be all
			t.Fatal(err)
		}
		if want := strings.Repeat("\r\n", len(text)); s.wrote.String() != want {
			t.Errorf("%d bytes on the wire, want %d", s.wrote.Len(), len(want))
		}
	}
}

// failingPipe is one end of a net.Pipe whose next writes fail.
type failingPipe struct {
	net.Conn
	times int
}

func (f *failingPipe) Write(p []byte) (int, error) {
	if f.times > 0 {
		f.times--
		return 0, errWire
	}
	return f.Conn.Write(p)
}

// A Write sends for a reader that waits, when its own text is in the buffer already.
// That this failed is for the next Write, whatever comes in between.
func TestAFailedFlushForAReaderIsTheNextWritersError(t *testing.T) {
	for _, between := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			defer b.Close()
			f := &failingPipe{a, 1}
			c := sockets.NewTextConn(f, conntest.Format(t, "us-ascii"))
			defer c.Close()
			if err := c.SetBufferSizes(0, 64); err != nil {
				t.Fatal(err)
			}
			go c.Read(make([]byte, 10))
			go io.Copy(io.Discard, b)
			synctest.Wait()
			conntest.MustWrite(t, c, "a")
			if between {
				if err := c.SetWriteFormat(conntest.Format(t, "iso-8859-1")); err != nil {
					t.Error(err)
				}
			}
			if n, err := c.Write([]byte("b")); n != 0 || err != errWire {
				t.Errorf("%d, %v, want %v", n, err, errWire)
			}
			conntest.MustWrite(t, c, "b")
		})
	}
}

func TestSetBufferSizesReportsAFailedFlush(t *testing.T) {
	c, s := play(t, "us-ascii")
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	conntest.MustWrite(t, c, "ab")
	s.take = []int{1}
	if err := c.SetBufferSizes(0, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a timeout", err)
	}
	conntest.MustWrite(t, c, "c")
	wantWire(t, s, "abc")
}

// writeDeadline is a scriptConn that knows its write deadline.
type writeDeadline struct {
	scriptConn
	t, during time.Time
}

func (w *writeDeadline) SetWriteDeadline(t time.Time) error {
	w.t = t
	return nil
}

func (w *writeDeadline) Write(p []byte) (int, error) {
	w.during = w.t
	return w.scriptConn.Write(p)
}

func TestAReadersDeadlineBoundsItsFlushAlone(t *testing.T) {
	for _, tt := range []struct {
		name                string
		write, read, during time.Duration // from now on; 0: none
	}{
		{"no deadline", 0, 0, 0},
		{"of reading", 0, time.Hour, time.Hour},
		{"of both, reading first", 2 * time.Hour, time.Hour, time.Hour},
		{"of both, writing first", time.Hour, 2 * time.Hour, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			after := func(d time.Duration) time.Time {
				if d == 0 {
					return time.Time{}
				}
				return time.Now().Add(d)
			}
			w := &writeDeadline{scriptConn: scriptConn{reads: data("x")}}
			c := sockets.NewTextConn(w, conntest.Format(t, "us-ascii"))
			if err := c.SetBufferSizes(0, 64); err != nil {
				t.Fatal(err)
			}
			c.SetWriteDeadline(after(tt.write))
			c.SetReadDeadline(after(tt.read))
			conntest.MustWrite(t, c, "ab")
			wantText(t, c, 10, "x", nil)
			wantWire(t, &w.scriptConn, "ab")
			if want := after(tt.during); !w.during.Equal(want) {
				t.Errorf("%s: %v while it is sent, want %v", tt.name, w.during, want)
			}
			if want := after(tt.write); !w.t.Equal(want) {
				t.Errorf("%s: %v afterwards, want %v", tt.name, w.t, want)
			}
		})
	}
}

// A tls.Conn does not survive a write that is cut, so that none is begun.
func TestAReadBeyondItsDeadlineSendsNothing(t *testing.T) {
	c, s := play(t, "us-ascii", data("x")...)
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Unix(1, 0))
	conntest.MustWrite(t, c, "ab")
	wantText(t, c, 10, "x", nil) // there already, as far as the script goes
	if len(s.writes) != 0 {
		t.Errorf("it wrote %q", s.writes)
	}
}

func TestALaterDeadlineDoesNotProlongClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := sockets.NewTextConn(a, conntest.Format(t, "us-ascii"))
		if err := c.SetBufferSizes(0, 64); err != nil {
			t.Fatal(err)
		}
		conntest.MustWrite(t, c, "nobody reads this")
		began := time.Now()
		done := make(chan error)
		go func() { done <- c.Close() }()
		synctest.Wait()
		if err := c.SetDeadline(began.Add(time.Hour)); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Close: %v, want a timeout", err)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close took %v, want 5s", took)
		}
	})
}

func TestCloseWaitsForAWriteThatSendsTheBuffer(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(a, conntest.Format(t, "us-ascii"))
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 200)
	go io.WriteString(c, text)
	got := make([]byte, 1)
	if _, err := io.ReadFull(b, got); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- c.Close() }()
	select {
	case err := <-closed:
		t.Errorf("Close did not wait: %v", err)
	case <-time.After(20 * time.Millisecond): // as long as it would take, mostly
	}
	rest, err := io.ReadAll(b)
	if string(got)+string(rest) != text || err != nil {
		t.Errorf("%d bytes arrived, %v, want %d", 1+len(rest), err, len(text))
	}
}

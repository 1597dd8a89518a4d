package sockets_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iolib-go/sockets"
)

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
			c := sockets.NewTextConn(f, format(t, "us-ascii"))
			defer c.Close()
			if err := c.SetBufferSizes(0, 64); err != nil {
				t.Fatal(err)
			}
			go c.Read(make([]byte, 10))
			go io.Copy(io.Discard, b)
			synctest.Wait()
			mustWrite(t, c, "a")
			if between {
				if err := c.SetWriteFormat(format(t, "iso-8859-1")); err != nil {
					t.Error(err)
				}
			}
			if n, err := c.Write([]byte("b")); n != 0 || err != errWire {
				t.Errorf("%d, %v, want %v", n, err, errWire)
			}
			mustWrite(t, c, "b")
		})
	}
}

func TestSetBufferSizesReportsAFailedFlush(t *testing.T) {
	c, s := play(t, "us-ascii")
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, c, "ab")
	s.take = []int{1}
	if err := c.SetBufferSizes(0, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a timeout", err)
	}
	mustWrite(t, c, "c")
	wantWire(t, s, "abc")
}

// writeDeadline is a script that knows its write deadline.
type writeDeadline struct {
	script
	t, during time.Time
}

func (w *writeDeadline) SetWriteDeadline(t time.Time) error {
	w.t = t
	return nil
}

func (w *writeDeadline) Write(p []byte) (int, error) {
	w.during = w.t
	return w.script.Write(p)
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
			w := &writeDeadline{script: script{reads: data("x")}}
			c := sockets.NewTextConn(w, format(t, "us-ascii"))
			if err := c.SetBufferSizes(0, 64); err != nil {
				t.Fatal(err)
			}
			c.SetWriteDeadline(after(tt.write))
			c.SetReadDeadline(after(tt.read))
			mustWrite(t, c, "ab")
			wantText(t, c, 10, "x", nil)
			wantWire(t, &w.script, "ab")
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
	mustWrite(t, c, "ab")
	wantText(t, c, 10, "x", nil) // there already, as far as the script goes
	if len(s.writes) != 0 {
		t.Errorf("it wrote %q", s.writes)
	}
}

func TestALaterDeadlineDoesNotProlongClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := sockets.NewTextConn(a, format(t, "us-ascii"))
		if err := c.SetBufferSizes(0, 64); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, c, "nobody reads this")
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
	c := sockets.NewTextConn(a, format(t, "us-ascii"))
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
		t.Errorf("%d octets arrived, %v, want %d", 1+len(rest), err, len(text))
	}
}

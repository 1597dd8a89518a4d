package text

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// errBlocked is what a script answers where a real connection would block.
var errBlocked = errors.New("would block")

// scriptConn is a net.Conn that plays what the test wrote down: the results of
// Read one after the other, and how much Write takes before it fails.
type scriptConn struct {
	mu     sync.Mutex
	reads  []scripted
	wrote  bytes.Buffer
	writes [][]byte // each call's bytes
	take   []int    // each failing Write's number of bytes; nil: all succeed
	closed []string // CloseRead, CloseWrite, Close in order
	nReads int
	last   []byte // the memory that Read was called with
}

type scripted struct {
	data string
	err  error
}

func data(pieces ...string) []scripted {
	var s []scripted
	for _, p := range pieces {
		s = append(s, scripted{data: p})
	}
	return s
}

func (s *scriptConn) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nReads++
	s.last = p
	if len(s.reads) == 0 {
		return 0, errBlocked
	}
	next := &s.reads[0]
	n := copy(p, next.data)
	next.data = next.data[n:]
	if len(next.data) > 0 {
		return n, nil
	}
	err := next.err
	s.reads = s.reads[1:]
	return n, err
}

func (s *scriptConn) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, p)
	if len(s.take) > 0 {
		k := s.take[0]
		s.take = s.take[1:]
		if k < len(p) {
			s.wrote.Write(p[:k])
			return k, os.ErrDeadlineExceeded
		}
	}
	return s.wrote.Write(p)
}

func (s *scriptConn) close(how string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, how)
	return nil
}

func (s *scriptConn) Close() error { return s.close("Close") }

func (s *scriptConn) CloseRead() error { return s.close("CloseRead") }

func (s *scriptConn) CloseWrite() error { return s.close("CloseWrite") }

func (s *scriptConn) LocalAddr() net.Addr { return nil }

func (s *scriptConn) RemoteAddr() net.Addr { return nil }

func (s *scriptConn) SetDeadline(time.Time) error { return nil }

func (s *scriptConn) SetReadDeadline(time.Time) error { return nil }

func (s *scriptConn) SetWriteDeadline(time.Time) error { return nil }

// play returns a TextConn over a script of reads.
func play(t testing.TB, text string, reads ...scripted) (*sockets.TextConn, *scriptConn) {
	t.Helper()
	s := &scriptConn{reads: slices.Clone(reads)}
	return sockets.NewTextConn(s, conntest.Format(t, text)), s
}

// readable reads until the script would block or anything else happens.
func readable(c io.Reader, size int) (string, error) {
	var text []byte
	p := make([]byte, size)
	for {
		n, err := c.Read(p)
		text = append(text, p[:n]...)
		if err == errBlocked {
			return string(text), nil
		}
		if err != nil {
			return string(text), err
		}
	}
}

func wantRead(t *testing.T, c io.Reader, want string) {
	t.Helper()
	got, err := readable(c, 4096)
	if err != nil && err != io.EOF {
		t.Fatalf("read %q: %v", got, err)
	}
	if got != want {
		t.Fatalf("read %q, want %q", got, want)
	}
}

func wantWire(t *testing.T, s *scriptConn, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.wrote.String(); got != want {
		t.Fatalf("the wire has %q (% x), want %q (% x)", got, got, want, want)
	}
}

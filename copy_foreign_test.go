//go:build linux

package sockets_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
)

// A write deadline strikes in the middle of a file or of what comes through a
// pipe. The rest is still there, in order.
func TestCopyFileResumesAfterDeadline(t *testing.T) {
	for _, name := range []string{"file", "pipe", "blocking pipe"} {
		t.Run(name, func(t *testing.T) {
			data := randomBytes(12 << 20)
			var wg sync.WaitGroup
			var src io.Reader
			for _, s := range sources {
				if s.name == name {
					src = s.open(t, data, &wg)
				}
			}
			dst, peer := streamPair(t, "", "tcp")
			lr := &io.LimitedReader{R: src, N: 1 << 40}
			dst.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			n, err := sockets.Copy(dst, lr)
			if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n >= int64(len(data)) {
				t.Fatalf("Copy = %d, %v, want a deadline in the middle", n, err)
			}
			if lr.N != 1<<40-n {
				t.Errorf("N went down by %d, count is %d", 1<<40-lr.N, n)
			}
			dst.SetWriteDeadline(time.Time{})
			all := collect(t, dst, peer)
			m, err := sockets.Copy(dst, src)
			if err != nil || n+m != int64(len(data)) {
				t.Errorf("%d and then %d, %v, want %d in all", n, m, err, len(data))
			}
			wg.Wait()
			if !bytes.Equal(data, all()) {
				t.Error("octets were lost or changed")
			}
		})
	}
}

// What is encrypted on the way must not be taken from, or put into, the socket
// below.
func TestCopyTLS(t *testing.T) {
	cert, pool := selfSigned(t, "server.test")
	pair := func(t *testing.T) (c, s *tls.Conn) {
		a, b := streamPair(t, "", "tcp")
		return tls.Client(a, &tls.Config{RootCAs: pool, ServerName: "server.test"}),
			tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	data := randomBytes(500_000)
	t.Run("from", func(t *testing.T) {
		c, s := pair(t)
		dst, peer := streamPair(t, "", "tcp")
		var wg sync.WaitGroup
		feed(t, s, data, &wg)
		all := collect(t, dst, peer)
		if n, err := sockets.Copy(dst, c); n != int64(len(data)) || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		wg.Wait()
		if !bytes.Equal(data, all()) {
			t.Error("octets arrived changed")
		}
	})
	t.Run("to", func(t *testing.T) {
		c, s := pair(t)
		var wg sync.WaitGroup
		src := connSource("", "tcp")(t, data, &wg)
		all := collect(t, c, s)
		if n, err := io.Copy(c, src); n != int64(len(data)) || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		wg.Wait()
		if !bytes.Equal(data, all()) {
			t.Error("octets arrived changed")
		}
	})
}

// TestHTTPServeContent compares what arrives; this tells how.
func TestCopyServeContent(t *testing.T) {
	data := randomBytes(300_000)
	f := tempFile(t, data, os.O_RDONLY)
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	handled := make(chan bool)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(handled)
		f, err := os.Open(f.Name())
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		http.ServeContent(w, r, "f.bin", time.Time{}, f)
	})}
	tr := &http.Transport{}
	var got []byte
	moved := transfers(func() {
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		req, err := http.NewRequest("GET", "http://"+l.Addr().String(), nil)
		check(t, err)
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", 1000, 250_999))
		resp, err := tr.RoundTrip(req)
		check(t, err)
		got, err = io.ReadAll(resp.Body)
		check(t, err)
		check(t, resp.Body.Close())
		tr.CloseIdleConnections()
		<-handled // which Close does not wait for
		check(t, srv.Close())
		<-served
	})
	if !bytes.Equal(data[1000:251_000], got) {
		t.Errorf("%d octets, which are others", len(got))
	}
	// Package http writes the first 512 itself, to see what they are.
	if moved["sendfile"] != 250_000-512 {
		t.Errorf("through the kernel: %v, want all but 512 by sendfile", moved)
	}
}

// panicReader gives something, and then panics.
type panicReader struct{ given bool }

func (r *panicReader) Read(b []byte) (int, error) {
	if r.given {
		panic("reader")
	}
	r.given = true
	return copy(b, "before"), nil
}

// A reader that panics leaves the connection as it was.
func TestCopyReaderPanics(t *testing.T) {
	a, b := streamPair(t, "", "tcp")
	func() {
		defer func() {
			if recover() != "reader" {
				t.Error("no panic")
			}
		}()
		a.(io.ReaderFrom).ReadFrom(new(panicReader))
	}()
	if _, err := a.Write([]byte(" after")); err != nil {
		t.Error(err)
	}
	check(t, a.Close())
	got, err := io.ReadAll(b)
	if string(got) != "before after" || err != nil {
		t.Errorf("the peer got %q, %v", got, err)
	}
}

// oddRawConn is a RawConn that, after some calls, calls nobody any more, and
// returns err.
type oddRawConn struct {
	syscall.RawConn
	calls *int
	err   error
}

func (c oddRawConn) Read(f func(uintptr) bool) error {
	if *c.calls--; *c.calls < 0 {
		return c.err
	}
	return c.RawConn.Read(f)
}

// oddFile is a file with an oddRawConn.
type oddFile struct {
	*os.File
	calls *int
	err   error
}

func (f oddFile) SyscallConn() (syscall.RawConn, error) {
	raw, err := f.File.SyscallConn()
	return oddRawConn{raw, f.calls, f.err}, err
}

// A RawConn of somebody else's that does not do its part changes no count.
func TestCopyOddRawConn(t *testing.T) {
	for _, odd := range []error{nil, errors.New("odd")} {
		for _, calls := range []int{0, 1} {
			data := randomBytes(100_000)
			a, b := streamPair(t, "", "tcp")
			all := collect(t, a, b)
			n, err := sockets.Copy(a, oddFile{tempFile(t, data, os.O_RDONLY), &calls, odd})
			if n != int64(len(data)) || err != nil {
				t.Errorf("%v: Copy = %d, %v, want %d", odd, n, err, len(data))
			}
			if !bytes.Equal(data, all()) {
				t.Errorf("%v: octets arrived changed", odd)
			}
		}
	}
}

//go:build linux

package sockets_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestCopyErrors(t *testing.T) {
	type shape struct {
		Op, Source, Addr string
		Inner, Call      string // of what is inside
		Err              error
	}
	describe := func(err error) shape {
		op, ok := err.(*net.OpError)
		if !ok {
			return shape{Err: err}
		}
		s := shape{Op: op.Op, Source: op.Source.String(), Addr: op.Addr.String(), Err: op.Err}
		if op, ok := s.Err.(*net.OpError); ok {
			s.Inner, s.Err = op.Op, op.Err
		}
		switch e := s.Err.(type) {
		case *os.SyscallError:
			s.Call, s.Err = e.Syscall, e.Err
		case *os.PathError:
			s.Call, s.Err = e.Op+" of a file", e.Err
		}
		return s
	}
	past := time.Unix(1, 0)
	tests := []struct {
		name string
		run  func(t *testing.T, ours, peer, other net.Conn) error
		want shape
	}{
		{"file, shut down", func(t *testing.T, c, _, _ net.Conn) error {
			c.(*sockets.TCPConn).CloseWrite()
			_, err := io.Copy(c, socktest.TempFile(t, []byte("data"), os.O_RDONLY))
			return err
		}, shape{Op: "readfrom", Call: "sendfile", Err: syscall.EPIPE}},
		{"socket, shut down", func(t *testing.T, c, _, other net.Conn) error {
			c.(*sockets.TCPConn).CloseWrite()
			_, err := c.(*sockets.TCPConn).ReadFrom(other)
			return err
		}, shape{Op: "readfrom", Call: "splice", Err: syscall.EPIPE}},
		{"socket, closed", func(t *testing.T, c, _, other net.Conn) error {
			c.Close()
			_, err := c.(*sockets.TCPConn).ReadFrom(other)
			return err
		}, shape{Op: "readfrom", Err: net.ErrClosed}},
		{"socket, source closed", func(t *testing.T, c, _, other net.Conn) error {
			other.Close()
			_, err := c.(*sockets.TCPConn).ReadFrom(other)
			return err
		}, shape{Op: "readfrom", Err: net.ErrClosed}},
		{"to file, deadline", func(t *testing.T, c, _, _ net.Conn) error {
			c.SetReadDeadline(past)
			_, err := io.Copy(socktest.TempFile(t, nil, os.O_WRONLY), c)
			return err
		}, shape{Op: "writeto", Call: "write of a file", Err: os.ErrDeadlineExceeded}},
		{"pipe, shut down", func(t *testing.T, c, _, _ net.Conn) error {
			r, w := osPipe(t)
			w.Write([]byte("data"))
			c.(*sockets.TCPConn).CloseWrite()
			_, err := io.Copy(c, r)
			return err
		}, shape{Op: "readfrom", Inner: "write", Call: "write", Err: syscall.EPIPE}},
		{"pipe, source's deadline", func(t *testing.T, c, _, _ net.Conn) error {
			r, _ := osPipe(t)
			r.SetReadDeadline(past)
			_, err := io.Copy(c, r)
			return err
		}, shape{Op: "readfrom", Call: "read of a file", Err: os.ErrDeadlineExceeded}},
		{"to net's, deadline", func(t *testing.T, c, _, other net.Conn) error {
			c.SetReadDeadline(past)
			_, err := sockets.Copy(other, c)
			return err
		}, shape{Op: "writeto", Inner: "readfrom", Err: os.ErrDeadlineExceeded}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, peer := conntest.StreamPair(t, "", "tcp")
			other, feeder := conntest.StreamPair(t, "net", "tcp")
			feeder.Write([]byte("data"))
			want := tt.want
			want.Source, want.Addr = c.LocalAddr().String(), c.RemoteAddr().String()
			got := describe(tt.run(t, c, peer, other))
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("net's to a file, deadline", func(t *testing.T) {
		other, _ := conntest.StreamPair(t, "net", "tcp")
		other.SetReadDeadline(past)
		_, err := sockets.Copy(socktest.TempFile(t, nil, os.O_WRONLY), other)
		op, ok := err.(*net.OpError)
		if !ok {
			t.Fatalf("Copy: %v, want an OpError", err)
		}
		path, _ := op.Err.(*os.PathError)
		if op.Op != "writeto" || op.Source != other.LocalAddr() || path == nil || path.Err != os.ErrDeadlineExceeded {
			t.Errorf("Copy: %#v, want a deadline in an OpError of writeto", err)
		}
	})
	t.Run("closed file", func(t *testing.T) {
		c, _ := conntest.StreamPair(t, "", "tcp")
		f := socktest.TempFile(t, nil, os.O_RDONLY)
		f.Close()
		_, err := io.Copy(c, f)
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("Copy: %v, want os.ErrClosed", err)
		}
	})
	t.Run("reader's own", func(t *testing.T) {
		c, peer := conntest.StreamPair(t, "", "tcp")
		own := errors.New("own")
		n, err := c.(*sockets.TCPConn).ReadFrom(io.MultiReader(strings.NewReader("data"), errReader{own}))
		if op, ok := err.(*net.OpError); !ok || n != 4 || op.Op != "readfrom" || op.Err != own {
			t.Errorf("ReadFrom = %d, %#v, want 4 and the reader's error inside", n, err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != "data" {
			t.Errorf("the peer got %q, %v", got, err)
		}
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// Bytes that a failed transfer leaves in a pipe must not show up in another.
func TestCopyPipesCarryNothingOver(t *testing.T) {
	for range 20 {
		func() {
			src := endless(t, "unix")
			defer src.Close()
			dst, _ := conntest.StreamPair(t, "", "tcp")
			socktest.StopWhenFull(t, dst)
			if _, err := sockets.Copy(dst, src); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Copy: %v, want a deadline", err)
			}
		}()
		var wg sync.WaitGroup
		data := []byte("nothing but this")
		src := connSource("", "tcp")(t, data, &wg)
		dst, peer := conntest.StreamPair(t, "", "unix")
		all := collect(t, dst, peer)
		if n, err := sockets.Copy(dst, src); n != int64(len(data)) || err != nil {
			t.Fatalf("Copy = %d, %v", n, err)
		}
		wg.Wait()
		if diff := cmp.Diff(string(data), string(all())); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

func TestCopyIdleHoldsNoPipe(t *testing.T) {
	const n = 20
	var srcs, dsts []net.Conn
	for range n {
		src, feeder := conntest.StreamPair(t, "", "tcp")
		dst, peer := conntest.StreamPair(t, "", "tcp")
		srcs = append(srcs, src, feeder)
		dsts = append(dsts, dst, peer)
	}
	before := socktest.OpenDescriptors(t)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { sockets.Copy(dsts[2*i], srcs[2*i]) })
		// Something comes through: the transfer has begun.
		srcs[2*i+1].Write([]byte("x"))
		io.ReadFull(dsts[2*i+1], make([]byte, 1))
	}
	socktest.WaitDescriptors(t, before, "idle transfers")
	for i := range n {
		srcs[2*i+1].Close()
	}
	wg.Wait()
}

func TestCopyLeaksNoDescriptors(t *testing.T) {
	before := socktest.OpenDescriptors(t)
	for range 10 {
		src := endless(t, "unix")
		dst, peer := conntest.StreamPair(t, "", "tcp")
		socktest.StopWhenFull(t, dst)
		sockets.Copy(dst, src)
		src.Close()
		dst.Close()
		peer.Close()
	}
	socktest.WaitDescriptors(t, before, "ended transfers")
}

// A write deadline strikes in the middle of a file or of what comes through a
// pipe. The rest is still there, in order.
func TestCopyFileResumesAfterDeadline(t *testing.T) {
	for _, name := range []string{"file", "pipe", "blocking pipe"} {
		t.Run(name, func(t *testing.T) {
			data := socktest.RandomBytes(12 << 20)
			var wg sync.WaitGroup
			var src io.Reader
			for _, s := range sources {
				if s.name == name {
					src = s.open(t, data, &wg)
				}
			}
			dst, peer := conntest.StreamPair(t, "", "tcp")
			lr := &io.LimitedReader{R: src, N: 1 << 40}
			socktest.StopWhenFull(t, dst)
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
				t.Error("bytes were lost or changed")
			}
		})
	}
}

// What is encrypted on the way must not be taken from, or put into, the socket
// below.
func TestCopyTLS(t *testing.T) {
	cert, pool := socktest.SelfSigned(t, "server.test")
	pair := func(t *testing.T) (c, s *tls.Conn) {
		a, b := conntest.StreamPair(t, "", "tcp")
		return tls.Client(a, &tls.Config{RootCAs: pool, ServerName: "server.test"}),
			tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert}})
	}
	data := socktest.RandomBytes(500_000)
	t.Run("from", func(t *testing.T) {
		c, s := pair(t)
		dst, peer := conntest.StreamPair(t, "", "tcp")
		var wg sync.WaitGroup
		feed(t, s, data, &wg)
		all := collect(t, dst, peer)
		if n, err := sockets.Copy(dst, c); n != int64(len(data)) || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		wg.Wait()
		if !bytes.Equal(data, all()) {
			t.Error("bytes arrived changed")
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
			t.Error("bytes arrived changed")
		}
	})
}

// TestHTTPServeContent compares what arrives; this tells how.
func TestCopyServeContent(t *testing.T) {
	data := socktest.RandomBytes(300_000)
	f := socktest.TempFile(t, data, os.O_RDONLY)
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	socktest.Check(t, err)
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
		socktest.Check(t, err)
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", 1000, 250_999))
		resp, err := tr.RoundTrip(req)
		socktest.Check(t, err)
		got, err = io.ReadAll(resp.Body)
		socktest.Check(t, err)
		socktest.Check(t, resp.Body.Close())
		tr.CloseIdleConnections()
		<-handled // which Close does not wait for
		socktest.Check(t, srv.Close())
		<-served
	})
	if !bytes.Equal(data[1000:251_000], got) {
		t.Errorf("%d bytes, which are others", len(got))
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
	a, b := conntest.StreamPair(t, "", "tcp")
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
	socktest.Check(t, a.Close())
	got, err := io.ReadAll(b)
	if string(got) != "before after" || err != nil {
		t.Errorf("the peer got %q, %v", got, err)
	}
}

// oddRawConn is a RawConn that, after some calls, no longer calls the function, and
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

// A RawConn of another package that does not do its part changes no count.
func TestCopyOddRawConn(t *testing.T) {
	for _, odd := range []error{nil, errors.New("odd")} {
		for _, calls := range []int{0, 1} {
			data := socktest.RandomBytes(100_000)
			a, b := conntest.StreamPair(t, "", "tcp")
			all := collect(t, a, b)
			n, err := sockets.Copy(a, oddFile{socktest.TempFile(t, data, os.O_RDONLY), &calls, odd})
			if n != int64(len(data)) || err != nil {
				t.Errorf("%v: Copy = %d, %v, want %d", odd, n, err, len(data))
			}
			if !bytes.Equal(data, all()) {
				t.Errorf("%v: bytes arrived changed", odd)
			}
		}
	}
}

func init() {
	socktest.Children["broken stdout"] = func() error {
		args := flag.Args()
		return copyToStdout(args[0], args[1], args[2], args[3])
	}
}

// copyToStdout copies a connection, which net or this package dialed, to its standard
// output, which is broken.
func copyToStdout(who, how, network, amount string) error {
	address := map[string]string{"tcp4": "127.0.0.1:0", "unix": "@broken" + strconv.Itoa(os.Getpid())}[network]
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		b := make([]byte, 5)
		if amount == "much" {
			b = make([]byte, 100000)
		}
		for range 50 {
			if _, err = c.Write(b); err != nil {
				return
			}
		}
		c.Close()
	}()
	dial := net.Dial
	if who == "ours" {
		dial = sockets.Dial
	}
	c, err := dial(network, l.Addr().String())
	if err != nil {
		return err
	}
	switch how {
	case "io.Copy":
		_, err = io.Copy(os.Stdout, c)
	case "LimitedReader":
		_, err = io.Copy(os.Stdout, io.LimitReader(c, 1e6))
	case "Copy":
		_, err = sockets.Copy(os.Stdout, c)
	case "WriteTo":
		_, err = c.(io.WriterTo).WriteTo(os.Stdout)
	}
	fmt.Fprintln(os.Stderr, "goes on:", errors.Is(err, syscall.EPIPE))
	return nil
}

// Copying to a standard output that is broken ends as with package net.
func TestCopyToBrokenStdout(t *testing.T) {
	run := func(stdout string, args ...string) string {
		cmd := socktest.ChildCommand(t, "broken stdout", args...)
		var w *os.File
		if stdout == "pipe" {
			r, pipe, err := os.Pipe()
			socktest.Check(t, err)
			r.Close()
			w = pipe
		} else {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			socktest.Check(t, err)
			unix.Close(fds[0])
			w = os.NewFile(uintptr(fds[1]), "socket")
		}
		defer w.Close()
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &stderr
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.String() + " " + stderr.String()
		}
		socktest.Check(t, err)
		return strings.TrimSpace(stderr.String())
	}
	for _, stdout := range []string{"pipe", "socket"} {
		for _, tt := range []struct{ how, ours, network string }{
			{"io.Copy", "io.Copy", "tcp4"},
			{"WriteTo", "WriteTo", "tcp4"},
			{"LimitedReader", "Copy", "tcp4"},
			{"io.Copy", "Copy", "unix"}, // package os knows net's own conns, and no others
		} {
			for _, amount := range []string{"little", "much"} {
				want, got := run(stdout, "net", tt.how, tt.network, amount), run(stdout, "ours", tt.ours, tt.network, amount)
				if got != want {
					t.Errorf("%s to a %s, %s, %s: %s, with package net's %s %s", tt.ours, stdout, tt.network, amount, got, tt.how, want)
				}
			}
		}
	}
}

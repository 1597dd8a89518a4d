//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestCopyKinds(t *testing.T) {
	for _, src := range sources {
		for _, dst := range destinations {
			t.Run(src.name+" to "+dst.name, func(t *testing.T) {
				for _, size := range []int{0, 1, 4095, 70_000, 1<<20 + rand.IntN(1<<18)} {
					var wg sync.WaitGroup
					data := socktest.RandomBytes(size)
					r := src.open(t, data, &wg)
					w, all := dst.open(t)
					var n int64
					var err error
					moved := transfers(func() { n, err = sockets.Copy(w, r) })
					if err != nil || n != int64(size) {
						t.Fatalf("Copy = %d, %v, want %d", n, err, size)
					}
					wg.Wait()
					if !bytes.Equal(data, all()) {
						t.Fatalf("%d bytes arrived changed", size)
					}
					want := map[string]int64{}
					if w := way(src.name, dst.name); w != "" && size > 0 {
						want[w] = int64(size)
						if w == "some" {
							continue
						}
					}
					if diff := cmp.Diff(want, moved); diff != "" {
						t.Errorf("through the kernel (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// The methods that io.Copy finds have to lead to the same.
func TestCopyByMethod(t *testing.T) {
	tests := []struct {
		src, dst string
		want     string
	}{
		{"file", "tcp", "sendfile"},
		{"tcp", "tcp", "splice"},
		{"unix", "tcp", "splice"},
		{"tcp", "unix", "splice"},
		{"file", "stream.unix", "sendfile"},
		{"tcp", "stream.unix", "splice"},
		{"net.unix", "stream.unix", "splice"},
		{"stream.unix", "net.tcp", "splice"},
		{"stream.unix", "file", "splice"},
		{"tcp", "net.tcp", "splice"},
		{"net.tcp", "tcp", "splice"},
		{"net.unix", "tcp", "splice"},
		{"tcp", "net.unix", "splice"},
		{"tcp", "file", "splice"},
		{"tcp", "pipe", "splice"},
		{"pipe", "tcp", "splice"},
		{"embedded", "tcp", ""},
		{"unixpacket", "tcp", ""},
	}
	for _, tt := range tests {
		for _, limit := range []int64{-1, 300_000, 600_000} {
			if tt.src == "unixpacket" && limit >= 0 {
				continue // the limit would cut a packet
			}
			t.Run(fmt.Sprintf("%s to %s limit %d", tt.src, tt.dst, limit), func(t *testing.T) {
				src := sources[slices.IndexFunc(sources, func(s source) bool { return s.name == tt.src })]
				dst := destinations[slices.IndexFunc(destinations, func(d destination) bool { return d.name == tt.dst })]
				data := socktest.RandomBytes(500_000)
				var wg sync.WaitGroup
				r := src.open(t, data, &wg)
				w, all := dst.open(t)
				var lr *io.LimitedReader
				from, want := r, int64(len(data))
				if limit >= 0 {
					lr = &io.LimitedReader{R: r, N: limit}
					from, want = lr, min(limit, want)
				}
				var n int64
				var err error
				moved := transfers(func() { n, err = io.Copy(w, from) })
				if err != nil || n != want {
					t.Fatalf("Copy = %d, %v, want %d", n, err, want)
				}
				if lr != nil && lr.N != limit-want {
					t.Errorf("N = %d left of %d after %d", lr.N, limit, want)
				}
				if want < int64(len(data)) {
					rest, err := io.ReadAll(r)
					if err != nil || !bytes.Equal(data[want:], rest) {
						t.Errorf("the rest: %d bytes, %v, want %d", len(rest), err, len(data)-int(want))
					}
				}
				wg.Wait()
				if !bytes.Equal(data[:want], all()) {
					t.Error("bytes arrived changed")
				}
				if lr != nil && (tt.dst != "tcp" || tt.src == "net.tcp") && tt.src != "pipe" {
					return // io.Copy asks the other side, which knows nothing of ours
				}
				if tt.want != "" && moved[tt.want] != want {
					t.Errorf("through the kernel: %v, want %s: %d", moved, tt.want, want)
				}
			})
		}
	}
}

// A family that package net does not know goes through the kernel as well.
func TestCopyVsock(t *testing.T) {
	conntest.NeedVsock(t)
	l, err := sockets.Listen("vsock", fmt.Sprintf("%d:*", sockets.VsockLocal))
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	pair := func() (a, b net.Conn) {
		a, b, stop, err := conntest.PipeThrough(l)
		socktest.Check(t, err)
		t.Cleanup(stop)
		return a, b
	}
	data := socktest.RandomBytes(500_000)
	src, feeder := pair()
	dst, peer := pair()
	var wg sync.WaitGroup
	feed(t, feeder, data, &wg)
	all := collect(t, dst, peer)
	var n int64
	moved := transfers(func() { n, err = io.Copy(dst, src) })
	if err != nil || n != int64(len(data)) {
		t.Fatalf("Copy = %d, %v, want %d", n, err, len(data))
	}
	wg.Wait()
	if !bytes.Equal(data, all()) {
		t.Error("bytes arrived changed")
	}
	if diff := cmp.Diff(map[string]int64{"splice": n}, moved); diff != "" {
		t.Errorf("through the kernel (-want +got):\n%s", diff)
	}
}

func TestStreamConnCopyOfZero(t *testing.T) {
	var c sockets.StreamConn
	_, err := c.ReadFrom(strings.NewReader("x"))
	if err != syscall.EINVAL {
		t.Errorf("ReadFrom of a zero value: %v, want EINVAL", err)
	}
	if _, err := c.WriteTo(io.Discard); err != syscall.EINVAL {
		t.Errorf("WriteTo of a zero value: %v, want EINVAL", err)
	}
}

func TestCopyNAdvancesFile(t *testing.T) {
	data := socktest.RandomBytes(100_000)
	f := socktest.TempFile(t, data, os.O_RDONLY)
	a, b := conntest.StreamPair(t, "", "tcp")
	all := collect(t, a, b)
	for _, n := range []int64{0, 10, 60_000, 39_990} {
		if m, err := io.CopyN(a, f, n); m != n || err != nil {
			t.Fatalf("CopyN = %d, %v, want %d", m, err, n)
		}
	}
	if n, err := io.CopyN(a, f, 1); n != 0 || err != io.EOF {
		t.Errorf("CopyN at the end = %d, %v, want 0, EOF", n, err)
	}
	if !bytes.Equal(data, all()) {
		t.Error("bytes arrived changed")
	}
}

func TestCopySpecialFiles(t *testing.T) {
	for _, name := range []string{"/proc/self/limits", "/proc/version", "/proc/sys/kernel/ostype", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(name)
			if err != nil {
				t.Skip(err)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			a, b := conntest.StreamPair(t, "", "tcp")
			all := collect(t, a, b)
			if n, err := sockets.Copy(a, f); n != int64(len(want)) || err != nil {
				t.Errorf("Copy = %d, %v, want %d", n, err, len(want))
			}
			if diff := cmp.Diff(string(want), string(all())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("/dev/zero", func(t *testing.T) {
		f, err := os.Open("/dev/zero")
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		a, b := conntest.StreamPair(t, "", "unix")
		all := collect(t, a, b)
		if n, err := sockets.Copy(a, io.LimitReader(f, 300_000)); n != 300_000 || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		if !bytes.Equal(make([]byte, 300_000), all()) {
			t.Error("bytes arrived changed")
		}
	})
	t.Run("/dev/null", func(t *testing.T) {
		f, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		var wg sync.WaitGroup
		r := connSource("", "tcp")(t, socktest.RandomBytes(300_000), &wg)
		if n, err := sockets.Copy(f, r); n != 300_000 || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		wg.Wait()
	})
	t.Run("directory", func(t *testing.T) {
		f, err := os.Open("/")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		a, _ := conntest.StreamPair(t, "", "tcp")
		if n, err := sockets.Copy(a, f); n != 0 || !errors.Is(err, syscall.EISDIR) {
			t.Errorf("Copy = %d, %v, want EISDIR", n, err)
		}
	})
}

func TestCopyPacketsKeepTheirBounds(t *testing.T) {
	a, b := conntest.StreamPair(t, "", "unixpacket")
	dst, peer := conntest.StreamPair(t, "", "unixpacket")
	for _, s := range []string{"one", "two", "three"} {
		if _, err := a.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	if n, err := sockets.Copy(dst, b); n != 11 || err != nil {
		t.Fatalf("Copy = %d, %v, want 11", n, err)
	}
	dst.Close()
	var got []string
	buf := make([]byte, 100)
	for {
		n, err := peer.Read(buf)
		if err != nil {
			break
		}
		got = append(got, string(buf[:n]))
	}
	if diff := cmp.Diff([]string{"one", "two", "three"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func osPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// blockingPipe is a pipe as standard input and output often are.
func blockingPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w = os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// transfers counts what goes through the kernel while f runs.
func transfers(f func()) map[string]int64 {
	var mu sync.Mutex
	m := map[string]int64{}
	netfd.TransferHook = func(call string, n int64) {
		mu.Lock()
		defer mu.Unlock()
		if n > 0 {
			m[call] += n
		}
	}
	defer func() { netfd.TransferHook = nil }()
	f()
	return m
}

// feed writes data to w in random pieces and closes it.
func feed(t testing.TB, w io.WriteCloser, data []byte, wg *sync.WaitGroup) {
	most := 100_000
	if c, ok := w.(net.Conn); ok && c.LocalAddr().Network() == "unixpacket" {
		most = 512 // the smallest buffer of those that read: a packet is cut
	}
	wg.Go(func() {
		defer w.Close()
		for len(data) > 0 {
			n := min(len(data), 1+rand.IntN(most))
			if _, err := w.Write(data[:n]); err != nil {
				t.Errorf("feeding: %v", err)
				return
			}
			data = data[n:]
		}
	})
}

type source struct {
	name string
	open func(t testing.TB, data []byte, wg *sync.WaitGroup) io.Reader
}

func connSource(impl, network string) func(testing.TB, []byte, *sync.WaitGroup) io.Reader {
	return func(t testing.TB, data []byte, wg *sync.WaitGroup) io.Reader {
		a, b := copyPair(t, impl, network)
		feed(t, b, data, wg)
		return a
	}
}

// copyPair is streamPair that knows the impl "stream", too, whose ends are
// StreamConns.
func copyPair(t testing.TB, impl, network string) (a, b net.Conn) {
	t.Helper()
	if impl != "stream" {
		return conntest.StreamPair(t, impl, network)
	}
	a, b = conntest.StreamPair(t, "", network)
	return sockets.StreamConnOf(a.(*sockets.UnixConn)), sockets.StreamConnOf(b.(*sockets.UnixConn))
}

// shifted has the methods of the connection it embeds, but a Read of its own.
type shifted struct{ *sockets.UnixConn }

func (c shifted) Read(b []byte) (int, error) {
	n, err := c.UnixConn.Read(b)
	for i := range b[:n] {
		b[i] -= 13
	}
	return n, err
}

var sources = []source{
	{"tcp", connSource("", "tcp")},
	{"unix", connSource("", "unix")},
	{"unixpacket", connSource("", "unixpacket")},
	{"stream.unix", connSource("stream", "unix")},
	{"net.tcp", connSource("net", "tcp")},
	{"net.unix", connSource("net", "unix")},
	{"file", func(t testing.TB, data []byte, _ *sync.WaitGroup) io.Reader {
		f := socktest.TempFile(t, append([]byte("skipped"), data...), os.O_RDONLY)
		if _, err := f.Seek(7, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		return f
	}},
	{"pipe", func(t testing.TB, data []byte, wg *sync.WaitGroup) io.Reader {
		r, w := osPipe(t)
		feed(t, w, data, wg)
		return r
	}},
	{"blocking pipe", func(t testing.TB, data []byte, wg *sync.WaitGroup) io.Reader {
		r, w := blockingPipe(t)
		feed(t, w, data, wg)
		return r
	}},
	{"memory", func(t testing.TB, data []byte, _ *sync.WaitGroup) io.Reader { return bytes.NewReader(data) }},
	{"embedded", func(t testing.TB, data []byte, wg *sync.WaitGroup) io.Reader {
		a, b := conntest.StreamPair(t, "", "unix")
		data = bytes.Clone(data)
		for i := range data {
			data[i] += 13
		}
		feed(t, b, data, wg)
		return shifted{a.(*sockets.UnixConn)}
	}},
}

type destination struct {
	name string

	// open returns where to write, and what waits for the end and returns all.
	open func(t testing.TB) (w io.Writer, all func() []byte)
}

func connDestination(impl, network string) func(testing.TB) (io.Writer, func() []byte) {
	return func(t testing.TB) (io.Writer, func() []byte) {
		a, b := copyPair(t, impl, network)
		return a, collect(t, a, b)
	}
}

func fileDestination(flag int) func(testing.TB) (io.Writer, func() []byte) {
	return func(t testing.TB) (io.Writer, func() []byte) {
		f := socktest.TempFile(t, nil, os.O_WRONLY|flag)
		return f, func() []byte {
			b, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
}

var destinations = []destination{
	{"tcp", connDestination("", "tcp")},
	{"unix", connDestination("", "unix")},
	{"stream.unix", connDestination("stream", "unix")},
	{"net.tcp", connDestination("net", "tcp")},
	{"net.unix", connDestination("net", "unix")},
	{"file", fileDestination(0)},
	{"append", fileDestination(os.O_APPEND)},
	{"pipe", func(t testing.TB) (io.Writer, func() []byte) {
		r, w := osPipe(t)
		return w, collect(t, w, r)
	}},
	{"blocking pipe", func(t testing.TB) (io.Writer, func() []byte) {
		r, w := blockingPipe(t)
		return w, collect(t, w, r)
	}},
	{"memory", func(t testing.TB) (io.Writer, func() []byte) {
		var b bytes.Buffer
		return &b, b.Bytes
	}},
}

// way says how data must go from src to dst.
func way(src, dst string) string {
	isSocket := func(s string) bool { return strings.HasSuffix(s, "tcp") || strings.HasSuffix(s, "unix") }
	isPipe := func(s string) bool { return strings.HasSuffix(s, "pipe") }
	switch {
	case dst == "memory" || src == "memory" || src == "embedded" || src == "unixpacket":
		return ""
	case src == "file" && isSocket(dst):
		return "sendfile"
	case src == "file" && !isPipe(dst):
		return "" // package os copies from file to file
	case dst == "append":
		return "some" // a socket's first piece, before the file refuses
	case isSocket(src), isPipe(src), isPipe(dst):
		return "splice"
	}
	return ""
}

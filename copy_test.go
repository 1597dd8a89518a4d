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
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/netfd"
)

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

func tempFile(t testing.TB, data []byte, flag int) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
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
		a, b := streamPair(t, impl, network)
		feed(t, b, data, wg)
		return a
	}
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
	{"net.tcp", connSource("net", "tcp")},
	{"net.unix", connSource("net", "unix")},
	{"file", func(t testing.TB, data []byte, _ *sync.WaitGroup) io.Reader {
		f := tempFile(t, append([]byte("skipped"), data...), os.O_RDONLY)
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
		a, b := streamPair(t, "", "unix")
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
		a, b := streamPair(t, impl, network)
		return a, collect(t, a, b)
	}
}

func fileDestination(flag int) func(testing.TB) (io.Writer, func() []byte) {
	return func(t testing.TB) (io.Writer, func() []byte) {
		f := tempFile(t, nil, os.O_WRONLY|flag)
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

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(rand.Uint32())}).Read(b)
	return b
}

func TestCopyKinds(t *testing.T) {
	for _, src := range sources {
		for _, dst := range destinations {
			t.Run(src.name+" to "+dst.name, func(t *testing.T) {
				for _, size := range []int{0, 1, 4095, 70_000, 1<<20 + rand.IntN(1<<18)} {
					var wg sync.WaitGroup
					data := randomBytes(size)
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
						t.Fatalf("%d octets arrived changed", size)
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
				data := randomBytes(500_000)
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
						t.Errorf("the rest: %d octets, %v, want %d", len(rest), err, len(data)-int(want))
					}
				}
				wg.Wait()
				if !bytes.Equal(data[:want], all()) {
					t.Error("octets arrived changed")
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

func TestCopyNAdvancesFile(t *testing.T) {
	data := randomBytes(100_000)
	f := tempFile(t, data, os.O_RDONLY)
	a, b := streamPair(t, "", "tcp")
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
		t.Error("octets arrived changed")
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
			a, b := streamPair(t, "", "tcp")
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
		a, b := streamPair(t, "", "unix")
		all := collect(t, a, b)
		if n, err := sockets.Copy(a, io.LimitReader(f, 300_000)); n != 300_000 || err != nil {
			t.Errorf("Copy = %d, %v", n, err)
		}
		if !bytes.Equal(make([]byte, 300_000), all()) {
			t.Error("octets arrived changed")
		}
	})
	t.Run("/dev/null", func(t *testing.T) {
		f, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		var wg sync.WaitGroup
		r := connSource("", "tcp")(t, randomBytes(300_000), &wg)
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
		a, _ := streamPair(t, "", "tcp")
		if n, err := sockets.Copy(a, f); n != 0 || !errors.Is(err, syscall.EISDIR) {
			t.Errorf("Copy = %d, %v, want EISDIR", n, err)
		}
	})
}

// A write deadline strikes with data in a pipe between the two sockets. What the
// destination did not take has to come out of the source afterwards.
func TestCopyResumesAfterDeadline(t *testing.T) {
	resume := []struct {
		name string
		rest func(t *testing.T, dst, src net.Conn) (int64, error)
	}{
		{"by Copy", func(_ *testing.T, dst, src net.Conn) (int64, error) { return sockets.Copy(dst, src) }},
		{"by Copy of less", func(_ *testing.T, dst, src net.Conn) (n int64, err error) {
			for {
				m, err := sockets.Copy(dst, io.LimitReader(src, 10_000))
				if n += m; m == 0 || err != nil {
					return n, err
				}
			}
		}},
		{"by Read", func(_ *testing.T, dst, src net.Conn) (int64, error) {
			return io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
		}},
		{"by ReceiveFrom", func(t *testing.T, dst, src net.Conn) (n int64, err error) {
			r := src.(interface {
				ReceiveFrom([]byte, sockets.MsgFlags) (int, net.Addr, error)
			})
			b, again := make([]byte, 10_000), make([]byte, 10_000)
			for {
				peeked, _, err := r.ReceiveFrom(b, sockets.Peek)
				if err == io.EOF {
					return n, nil
				}
				m, _, _ := r.ReceiveFrom(again, sockets.WaitAll)
				if err != nil || m < peeked || !bytes.Equal(b[:peeked], again[:peeked]) {
					t.Fatalf("peeked at %d octets, %v, and then got %d others", peeked, err, m)
				}
				if _, err = dst.Write(again[:m]); err != nil {
					return n, err
				}
				n += int64(m)
			}
		}},
		{"by ReadBuffers", func(_ *testing.T, dst, src net.Conn) (n int64, err error) {
			r := src.(interface {
				ReadBuffers(net.Buffers) (int64, error)
			})
			b := make([]byte, 1000)
			for {
				m, err := r.ReadBuffers(net.Buffers{nil, b[:10], b[10:]})
				if err == io.EOF {
					return n, nil
				}
				if err == nil {
					_, err = dst.Write(b[:m])
				}
				if n += m; err != nil {
					return n, err
				}
			}
		}},
	}
	for _, srcNet := range []string{"tcp", "unix"} {
		for _, tt := range resume {
			t.Run(srcNet+" "+tt.name, func(t *testing.T) {
				data := randomBytes(3 << 20)
				var wg sync.WaitGroup
				src := connSource("", srcNet)(t, data, &wg).(net.Conn)
				dst, peer := streamPair(t, "", "tcp")
				dst.(*sockets.TCPConn).SetWriteBuffer(100_000)
				peer.(*sockets.TCPConn).SetReadBuffer(100_000)
				lr := &io.LimitedReader{R: src, N: 1 << 40}
				dst.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				n, err := sockets.Copy(dst, lr)
				if !errors.Is(err, os.ErrDeadlineExceeded) || n >= int64(len(data)) {
					t.Fatalf("Copy = %d, %v, want a deadline", n, err)
				}
				if lr.N != 1<<40-n {
					t.Errorf("N went down by %d, count is %d", 1<<40-lr.N, n)
				}
				dst.SetWriteDeadline(time.Time{})
				all := collect(t, dst, peer)
				m, err := tt.rest(t, dst, src)
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
}

func TestCopyReadDeadline(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			src, feeder := streamPair(t, "", network)
			dst, peer := streamPair(t, "", "tcp")
			all := collect(t, dst, peer)
			if _, err := feeder.Write([]byte("before ")); err != nil {
				t.Fatal(err)
			}
			src.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
			n, err := sockets.Copy(dst, src)
			if n != 7 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Copy = %d, %v, want 7 and a deadline", n, err)
			}
			src.SetReadDeadline(time.Time{})
			feeder.Write([]byte("after"))
			feeder.Close()
			if n, err := sockets.Copy(dst, src); n != 5 || err != nil {
				t.Errorf("Copy = %d, %v, want 5", n, err)
			}
			if diff := cmp.Diff("before after", string(all())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// endless is a source that never ends and never waits. Closing it ends all of it.
func endless(t testing.TB, network string) net.Conn {
	a, b := streamPair(t, "", network)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 100_000)
		for {
			if _, err := b.Write(buf); err != nil {
				b.Close()
				return
			}
		}
	})
	t.Cleanup(func() { a.Close(); b.Close(); wg.Wait() })
	return a
}

func TestCopyClosedMidway(t *testing.T) {
	pairs := []struct{ src, dst string }{{"tcp", "tcp"}, {"unix", "unix"}, {"tcp", "pipe"}, {"pipe", "tcp"}, {"file", "tcp"}}
	for _, tt := range pairs {
		for _, end := range []string{"source", "destination", "peer"} {
			t.Run(tt.src+" to "+tt.dst+" "+end, func(t *testing.T) {
				var src io.ReadCloser
				var dst io.WriteCloser
				var peer io.ReadCloser
				switch tt.src {
				case "pipe":
					r, w := osPipe(t)
					src = r
					var wg sync.WaitGroup
					wg.Go(func() { io.Copy(w, struct{ io.Reader }{endless(t, "unix")}) })
					defer wg.Wait()
					defer r.Close()
				case "file":
					f, err := os.Open("/dev/zero")
					if err != nil {
						t.Skip(err)
					}
					defer f.Close()
					src = f
				default:
					src = endless(t, tt.src)
				}
				if tt.dst == "pipe" {
					peer, dst = osPipe(t)
				} else {
					dst, peer = streamPair(t, "", tt.dst)
				}
				var n int64
				done := make(chan error)
				go func() {
					var err error
					n, err = sockets.Copy(dst, src)
					done <- err
				}()
				// Once this much is through, the transfer is under way.
				if _, err := io.CopyN(io.Discard, peer, 10<<20); err != nil {
					t.Fatal(err)
				}
				want := []error{net.ErrClosed, os.ErrClosed}
				switch end {
				case "source":
					src.Close()
					go io.Copy(io.Discard, peer)
					if tt.src == "file" {
						// One system call is a long way with such a file.
						dst.Close()
					}
				case "destination":
					dst.Close()
				case "peer":
					want = []error{syscall.EPIPE, syscall.ECONNRESET}
					peer.Close()
				}
				err := <-done
				if !errors.Is(err, want[0]) && !errors.Is(err, want[1]) {
					t.Errorf("Copy = %d, %v, want %v or %v", n, err, want[0], want[1])
				}
				if n < 10<<20 {
					t.Errorf("Copy = %d, but the peer got %d", n, 10<<20)
				}
			})
		}
	}
}

// Octets that a failed transfer leaves in a pipe must not show up in another.
func TestCopyPipesCarryNothingOver(t *testing.T) {
	for range 20 {
		func() {
			src := endless(t, "unix")
			defer src.Close()
			dst, _ := streamPair(t, "", "tcp")
			dst.SetWriteDeadline(time.Now().Add(time.Millisecond))
			if _, err := sockets.Copy(dst, src); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Copy: %v, want a deadline", err)
			}
		}()
		var wg sync.WaitGroup
		data := []byte("nothing but this")
		src := connSource("", "tcp")(t, data, &wg)
		dst, peer := streamPair(t, "", "unix")
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

func openDescriptors(t testing.TB) int {
	t.Helper()
	es, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(es)
}

func TestCopyIdleHoldsNoPipe(t *testing.T) {
	const n = 20
	var srcs, dsts []net.Conn
	for range n {
		src, feeder := streamPair(t, "", "tcp")
		dst, peer := streamPair(t, "", "tcp")
		srcs = append(srcs, src, feeder)
		dsts = append(dsts, dst, peer)
	}
	before := openDescriptors(t)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { sockets.Copy(dsts[2*i], srcs[2*i]) })
		// Something comes through: the transfer has begun.
		srcs[2*i+1].Write([]byte("x"))
		io.ReadFull(dsts[2*i+1], make([]byte, 1))
	}
	waitDescriptors(t, before, "idle transfers")
	for i := range n {
		srcs[2*i+1].Close()
	}
	wg.Wait()
}

func TestCopyLeaksNoDescriptors(t *testing.T) {
	before := openDescriptors(t)
	for range 10 {
		src := endless(t, "unix")
		dst, peer := streamPair(t, "", "tcp")
		dst.SetWriteDeadline(time.Now().Add(time.Millisecond))
		sockets.Copy(dst, src)
		src.Close()
		dst.Close()
		peer.Close()
	}
	waitDescriptors(t, before, "ended transfers")
}

// waitDescriptors fails t if what was opened since before is not closed again.
// Pooled pipes go with the garbage.
func waitDescriptors(t testing.TB, before int, what string) {
	t.Helper()
	for range 100 {
		if openDescriptors(t) <= before {
			return
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%s hold %d descriptors", what, openDescriptors(t)-before)
}

func TestCopyPacketsKeepTheirBounds(t *testing.T) {
	a, b := streamPair(t, "", "unixpacket")
	dst, peer := streamPair(t, "", "unixpacket")
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

func TestCopyErrors(t *testing.T) {
	type shape struct {
		Op, Source, Addr string
		Call             string
		Err              error
	}
	describe := func(err error) shape {
		op, ok := err.(*net.OpError)
		if !ok {
			return shape{Err: err}
		}
		s := shape{Op: op.Op, Source: op.Source.String(), Addr: op.Addr.String(), Err: op.Err}
		if se, ok := op.Err.(*os.SyscallError); ok {
			s.Call, s.Err = se.Syscall, se.Err
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
			_, err := io.Copy(c, tempFile(t, []byte("data"), os.O_RDONLY))
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
			_, err := io.Copy(tempFile(t, nil, os.O_WRONLY), c)
			return err
		}, shape{Op: "writeto", Err: os.ErrDeadlineExceeded}},
		{"to net's, deadline", func(t *testing.T, c, _, other net.Conn) error {
			c.SetReadDeadline(past)
			_, err := sockets.Copy(other, c)
			return err
		}, shape{Op: "writeto", Err: os.ErrDeadlineExceeded}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, peer := streamPair(t, "", "tcp")
			other, feeder := streamPair(t, "net", "tcp")
			feeder.Write([]byte("data"))
			want := tt.want
			want.Source, want.Addr = c.LocalAddr().String(), c.RemoteAddr().String()
			got := describe(tt.run(t, c, peer, other))
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("closed file", func(t *testing.T) {
		c, _ := streamPair(t, "", "tcp")
		f := tempFile(t, nil, os.O_RDONLY)
		f.Close()
		_, err := io.Copy(c, f)
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("Copy: %v, want os.ErrClosed", err)
		}
	})
	t.Run("reader's own", func(t *testing.T) {
		c, peer := streamPair(t, "", "tcp")
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

//go:build linux

package sockets_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

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
		return streamPair(t, impl, network)
	}
	a, b = streamPair(t, "", network)
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
		a, b := copyPair(t, impl, network)
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

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(rand.Uint32())}).Read(b)
	return b
}

//go:build linux

package activation_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"golang.org/x/sys/unix"
)

// pair returns two connected unix sockets. Their calls fail after a minute.
func pair(tb testing.TB, network string) (a, b *sockets.UnixConn) {
	tb.Helper()
	a, b, err := sockets.Pair(network)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(); b.Close() })
	for _, c := range []*sockets.UnixConn{a, b} {
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			tb.Fatal(err)
		}
	}
	return a, b
}

// withFD calls f with c's descriptor.
func withFD(tb testing.TB, c syscall.Conn, f func(fd int) error) {
	tb.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		tb.Fatal(err)
	}
	if ferr != nil {
		tb.Fatal(ferr)
	}
}

// checkNoLeak fails the test if it leaves descriptors open that were not before.
func checkNoLeak(tb testing.TB) {
	tb.Helper()
	before := openFiles()
	tb.Cleanup(func() {
		for fd, what := range openFiles() {
			if before[fd] != what {
				tb.Errorf("descriptor %s is left open: %s", fd, what)
			}
		}
	})
}

// pipes returns the reading ends of n pipes.
func pipes(tb testing.TB, n int) (files []*os.File) {
	tb.Helper()
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			tb.Fatal(err)
		}
		w.Close()
		tb.Cleanup(func() { r.Close() })
		files = append(files, r)
	}
	return files
}

func conns(files []*os.File) (cs []syscall.Conn) {
	for _, f := range files {
		cs = append(cs, f)
	}
	return cs
}

func shortDir(tb testing.TB) string {
	tb.Helper()
	// Unlike os.MkdirTemp's, the name always has the same length.
	d := filepath.Join(os.TempDir(), fmt.Sprintf("s%08x", rand.Uint32()))
	if err := os.Mkdir(d, 0o700); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(d) })
	return d
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

func nonblocking(tb testing.TB, fd int) bool {
	tb.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return flags&unix.O_NONBLOCK != 0
}

// closeLater closes c when the test is over, if the test does not.
func closeLater(tb testing.TB, c io.Closer) {
	tb.Helper()
	tb.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Errorf("Close: %v", err)
		}
	})
}

// check stops the test if a step on its way failed.
func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func idsOf(tb testing.TB, files []*os.File) (ids []fileID) {
	tb.Helper()
	for _, f := range files {
		ids = append(ids, idOf(tb, f))
	}
	return ids
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func idOf(tb testing.TB, c syscall.Conn) (id fileID) {
	tb.Helper()
	withFD(tb, c, func(fd int) error {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		id = fileID{uint64(st.Dev), st.Ino}
		return err
	})
	return id
}

var unixNetworks = []string{"unix", "unixgram", "unixpacket"}

// fileID tells one open file from another.
type fileID struct{ Dev, Ino uint64 }

//go:build linux

package socktest

import (
	"errors"
	"math"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// IsOpen reports whether fd is an open descriptor.
func IsOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// Nonblocking reports whether fd has O_NONBLOCK.
func Nonblocking(tb testing.TB, fd int) bool {
	tb.Helper()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return flags&unix.O_NONBLOCK != 0
}

// UnixNetworks are the networks of unix sockets.
var UnixNetworks = []string{"unix", "unixgram", "unixpacket"}

// FileID tells open files apart.
type FileID struct{ Dev, Ino uint64 }

// IDOf returns the identity of the file that c refers to.
func IDOf(tb testing.TB, c syscall.Conn) (id FileID) {
	tb.Helper()
	WithFD(tb, c, func(fd int) error {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		id = FileID{uint64(st.Dev), st.Ino}
		return err
	})
	return id
}

// IDsOf returns the identity of each file.
func IDsOf(tb testing.TB, files []*os.File) (ids []FileID) {
	tb.Helper()
	for _, f := range files {
		ids = append(ids, IDOf(tb, f))
	}
	return ids
}

// WithFD calls f with c's descriptor.
func WithFD(tb testing.TB, c syscall.Conn, f func(fd int) error) {
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

// CheckCloseOnExec fails the test unless exec closes c's descriptor.
func CheckCloseOnExec(tb testing.TB, c syscall.Conn) {
	tb.Helper()
	WithFD(tb, c, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			err = errors.New("descriptor is not close-on-exec")
		}
		return err
	})
}

// FileLimit returns how many descriptors the process may have.
func FileLimit(tb testing.TB) int {
	tb.Helper()
	var limit unix.Rlimit
	Check(tb, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	return int(min(limit.Cur, math.MaxInt32))
}

// NeedFiles skips the test if the process may not have n descriptors and some more.
func NeedFiles(tb testing.TB, n int) {
	tb.Helper()
	if limit := FileLimit(tb); limit < n+64 {
		tb.Skipf("only %d descriptors", limit)
	}
}

// Pipes returns the reading ends of n pipes.
func Pipes(tb testing.TB, n int) (files []*os.File) {
	tb.Helper()
	NeedFiles(tb, 3*n) // and what is received and opened besides
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

// Conns returns the files as values of their interface.
func Conns(files []*os.File) (cs []syscall.Conn) {
	for _, f := range files {
		cs = append(cs, f)
	}
	return cs
}

// CloseFiles closes each file.
func CloseFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// SendRaw sends a message in a way that shares nothing with the package.
func SendRaw(tb testing.TB, c syscall.Conn, b []byte, files ...*os.File) {
	tb.Helper()
	var fds []int
	for _, f := range files {
		WithFD(tb, f, func(fd int) error { fds = append(fds, fd); return nil })
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	WithFD(tb, c, func(fd int) error { return unix.Sendmsg(fd, b, oob, nil, 0) })
}

// LimitFree lets this process open so many descriptors more, and returns how to
// lift the limit.
func LimitFree(free int) (lift func(), err error) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		return nil, err
	}
	// The lowest numbers are given out first, so that the limit is at the number
	// behind the last free one.
	var taken []int
	for range free + 1 {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		taken = append(taken, fd)
	}
	limit := old
	limit.Cur = uint64(taken[free])
	for _, fd := range taken {
		unix.Close(fd)
	}
	lift = func() { syscall.Setrlimit(unix.RLIMIT_NOFILE, (*syscall.Rlimit)(&old)) }
	return lift, syscall.Setrlimit(unix.RLIMIT_NOFILE, (*syscall.Rlimit)(&limit))
}

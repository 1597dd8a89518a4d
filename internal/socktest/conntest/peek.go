//go:build linux

package conntest

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// NeedPeek skips the test unless MSG_PEEK shows all that waits in a unix stream: in gVisor
// it shows what was written by one call.
func NeedPeek(t testing.TB) {
	t.Helper()
	if n, err := peek(); err != nil || n < 2 {
		t.Skipf("MSG_PEEK shows %d of 2 bytes, %v", n, err)
	}
}

var peek = sync.OnceValues(func() (n int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	for range 2 {
		if _, err := unix.Write(fds[1], []byte("x")); err != nil {
			return 0, err
		}
	}
	n, _, err = unix.Recvfrom(fds[0], make([]byte, 2), unix.MSG_PEEK)
	return n, err
})

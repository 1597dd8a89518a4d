//go:build linux

package conntest

import (
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/socktest"
)

// NeedMerging skips the test unless what was sent in one piece by UDP_SEGMENT comes in
// one piece to a socket of this host with UDP_GRO: older kernels cut it up on the way.
// It returns into how many datagrams the kernel cuts at most.
func NeedMerging(t testing.TB) (segments int) {
	t.Helper()
	found, err := merging()
	socktest.Check(t, err)
	if found.merged < 2 {
		t.Skip("the kernel merges nothing over loopback")
	}
	return found.most
}

// Segments returns into how many datagrams the kernel cuts at most, 1 if it does not.
func Segments(t testing.TB) int {
	t.Helper()
	found, err := merging()
	socktest.Check(t, err)
	return found.most
}

// Merges reports whether NeedMerging would go on.
func Merges(t testing.TB) bool {
	t.Helper()
	found, err := merging()
	socktest.Check(t, err)
	return found.merged > 1
}

// offloading is what a kernel does over loopback: into how many datagrams it cuts one at
// most, and how many of them come merged.
type offloading struct{ most, merged int }

// merging sends by plain calls, more segments than there are before Linux 6.8 first.
var merging = sync.OnceValues(func() (found offloading, err error) {
	var fds [2]int
	for i := range fds {
		if fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return found, err
		}
		defer unix.Close(fds[i])
	}
	if err := unix.Bind(fds[1], &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return found, err
	}
	to, err := unix.Getsockname(fds[1])
	if err != nil {
		return found, err
	}
	const size = 10
	if unix.SetsockoptInt(fds[0], unix.SOL_UDP, unix.UDP_SEGMENT, size) != nil {
		return offloading{1, 1}, nil
	}
	if err := unix.SetsockoptTimeval(fds[1], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}); err != nil {
		return found, err
	}
	if err := unix.Sendto(fds[0], make([]byte, 2*size), 0, to); err != nil {
		return found, err
	}
	switch n, _, err := unix.Recvfrom(fds[1], make([]byte, 2*size), 0); {
	case err != nil:
		return found, err
	case n != size: // nothing was cut, as in gVisor
		return offloading{1, 1}, nil
	}
	if _, _, err := unix.Recvfrom(fds[1], make([]byte, 2*size), 0); err != nil {
		return found, err
	}
	merges := unix.SetsockoptInt(fds[1], unix.SOL_UDP, unix.UDP_GRO, 1) == nil
	for _, n := range []int{128, 64} {
		err := unix.Sendto(fds[0], make([]byte, n*size), 0, to)
		if errors.Is(err, unix.EINVAL) {
			continue
		}
		if err != nil {
			return found, err
		}
		got, _, err := unix.Recvfrom(fds[1], make([]byte, 1<<16), 0)
		if !merges {
			return offloading{n, 1}, err
		}
		return offloading{n, got / size}, err
	}
	return offloading{1, 1}, nil
})

//go:build linux

package conntest

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// NeedErrorQueue skips the test unless a socket that wants to know it hears of a port
// that is closed: IP_RECVERR in ip(7).
func NeedErrorQueue(t testing.TB) {
	t.Helper()
	if err := errorQueue(); err != nil {
		t.Skip("no error queue: ", err)
	}
}

var errorQueue = sync.OnceValue(func() error {
	var fds [2]int
	for i := range fds {
		var err error
		if fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
	}
	defer unix.Close(fds[0])
	if err := unix.Bind(fds[1], &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	gone, err := unix.Getsockname(fds[1])
	if err != nil {
		return err
	}
	unix.Close(fds[1])
	if err := unix.SetsockoptInt(fds[0], unix.SOL_IP, unix.IP_RECVERR, 1); err != nil {
		return err
	}
	if err := unix.Sendto(fds[0], []byte("x"), 0, gone); err != nil {
		return err
	}
	p := []unix.PollFd{{Fd: int32(fds[0])}}
	for {
		if _, err = unix.Poll(p, 5000); err != unix.EINTR {
			break
		}
	}
	_, _, _, _, err = unix.Recvmsg(fds[0], make([]byte, 10), make([]byte, 200), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	return err
})

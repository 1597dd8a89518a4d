//go:build linux

package conntest

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// NeedEdges skips the test unless the poller hears of each message that comes to a unix
// socket, and not of the first alone, as in gVisor: who peeks would wait for ever.
func NeedEdges(t testing.TB) {
	t.Helper()
	if n, err := edges(); err != nil || n < 2 {
		t.Skipf("epoll tells of %d of 2 messages, %v", n, err)
	}
}

var edges = sync.OnceValues(func() (n int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return 0, err
	}
	defer unix.Close(ep)
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fds[0])}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fds[0], &event); err != nil {
		return 0, err
	}
	for range 2 {
		if _, err := unix.Write(fds[1], []byte("x")); err != nil {
			return n, err
		}
		var got int
		for {
			if got, err = unix.EpollWait(ep, make([]unix.EpollEvent, 1), 2000); err != unix.EINTR {
				break
			}
		}
		if err != nil {
			return n, err
		}
		n += got
	}
	return n, nil
})

//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

// WaitReadable reports whether a read from fd would not wait, or would fail. A
// descriptor in blocking mode is waited for.
func WaitReadable(fd uintptr) bool { return wait(fd, unix.POLLIN) }

// WaitWritable is WaitReadable for writing.
func WaitWritable(fd uintptr) bool { return wait(fd, unix.POLLOUT) }

func wait(fd uintptr, events int16) bool {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
	n, err := unix.Poll(p[:], 0)
	if err != nil || n > 0 {
		return true
	}
	if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		return err != nil
	}
	for {
		if _, err := unix.Poll(p[:], -1); err != unix.EINTR {
			return true
		}
	}
}

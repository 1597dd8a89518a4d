//go:build darwin || dragonfly || freebsd

package sys

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// HasSendfile says that there is a sendfile(2).
const HasSendfile = true

// Sendfile moves up to max bytes from src's file offset on, which moves along,
// to dst, a stream socket. 0 is the end of src. See sendfile(2).
func Sendfile(dst, src uintptr, max int) (int, syscall.Errno) {
	// These systems take the offset as an argument and leave the file's alone.
	pos, err := unix.Seek(int(src), 0, io.SeekCurrent)
	if err != nil {
		return -1, EINVAL
	}
	start := pos
	n, err := unix.Sendfile(int(dst), int(src), &pos, max)
	for err == EINTR && n <= 0 {
		n, err = unix.Sendfile(int(dst), int(src), &pos, max)
	}
	if n > 0 {
		// What was sent before EAGAIN or EINTR counts.
		if _, err := unix.Seek(int(src), start+int64(n), io.SeekStart); err != nil {
			return n, errno(err)
		}
		return n, 0
	}
	return n, errno(err)
}

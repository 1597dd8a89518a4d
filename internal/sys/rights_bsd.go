//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Control messages of the unix domain, unix(4). A negative one does not exist, or
// is not what Linux calls by that name.
const (
	SCM_RIGHTS      = unix.SCM_RIGHTS
	SCM_CREDENTIALS = -1
	SCM_PIDFD       = -2
	SCM_SECURITY    = -3
)

// PeeksMessages says that MSG_PEEK tells whether a message brings descriptors. It
// gives the kernel's own form of them here, or nothing.
const PeeksMessages = false

var started = time.Now()

// MonotonicUsec returns microseconds of a clock that never goes back.
func MonotonicUsec() int64 { return time.Since(started).Microseconds() }

// Unread returns how many bytes of a stream wait to be received, ioctl(2).
func Unread(fd uintptr) int {
	const fionread = 0x4004667f // sys/filio.h
	n, err := unix.IoctlGetInt(int(fd), fionread)
	if err != nil {
		return 0
	}
	return n
}

// PIDFDID reports false: this system has no such numbers.
func PIDFDID(pid int) (id uint64, ok bool) { return 0, false }

// Dup2 makes to, which need not be open, a copy of from that exec keeps. See dup(2).
func Dup2(from, to int) syscall.Errno { return errno(unix.Dup2(from, to)) }

// PollErrno returns why kevent(2) refuses fd: it can do so only for want of memory.
func PollErrno(fd int) syscall.Errno { return syscall.ENOMEM }

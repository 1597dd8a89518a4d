//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Nonblocking reports whether the open file description is non-blocking.
func Nonblocking(fd int) (bool, syscall.Errno) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK != 0, errno(err)
}

// SetBlocking makes the open file description blocking, for every descriptor that
// shares it.
func SetBlocking(fd int) syscall.Errno { return errno(unix.SetNonblock(fd, false)) }

// CloseOnExec reports whether exec closes the descriptor.
func CloseOnExec(fd int) (bool, syscall.Errno) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC != 0, errno(err)
}

// SetCloseOnExec makes exec close the descriptor.
func SetCloseOnExec(fd int) syscall.Errno {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
	return errno(err)
}

// OpenNull opens the null device, close-on-exec.
func OpenNull() (int, syscall.Errno) {
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	return fd, errno(err)
}

// FileID returns the numbers that tell the open file from every other one.
func FileID(fd uintptr) (dev, ino uint64, e syscall.Errno) {
	var st unix.Stat_t
	err := unix.Fstat(int(fd), &st)
	return uint64(st.Dev), uint64(st.Ino), errno(err)
}

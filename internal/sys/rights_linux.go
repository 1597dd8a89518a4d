package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Control messages of the unix domain, unix(7). A negative one does not exist.
const (
	SCM_RIGHTS      = unix.SCM_RIGHTS
	SCM_CREDENTIALS = unix.SCM_CREDENTIALS
	SCM_PIDFD       = unix.SCM_PIDFD
	SCM_SECURITY    = unix.SCM_SECURITY
)

// PeeksMessages says that MSG_PEEK tells whether a message brings descriptors.
const PeeksMessages = true

// MonotonicUsec returns the time of CLOCK_MONOTONIC in microseconds.
func MonotonicUsec() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return ts.Nano() / 1000
}

// Unread returns how many bytes of a stream wait to be received, tcp(7).
func Unread(fd uintptr) int {
	n, err := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// PIDFDID returns the number that the process has among all since the system was
// started, if the kernel has such numbers, pidfs in pidfd_open(2).
func PIDFDID(pid int) (id uint64, ok bool) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil || fs.Type != unix.PID_FS_MAGIC {
		return 0, false
	}
	_, id, errno := FileID(uintptr(fd))
	return id, errno == 0
}

// Dup2 makes to, which need not be open, a copy of from that exec keeps. See dup(2).
func Dup2(from, to int) syscall.Errno { return errno(unix.Dup3(from, to, 0)) }

// PollErrno returns why epoll_ctl(2) refuses fd, which the runtime does not tell. If it
// does not any more, watches were short.
func PollErrno(fd int) syscall.Errno {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return errno(err)
	}
	defer unix.Close(ep)
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(fd)}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return errno(err)
	}
	return syscall.ENOSPC
}

//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package sys

import "syscall"

const (
	SCM_RIGHTS      = -4
	SCM_CREDENTIALS = -1
	SCM_PIDFD       = -2
	SCM_SECURITY    = -3
	PeeksMessages   = false
)

func Nonblocking(fd int) (bool, syscall.Errno)             { return false, none }
func SetBlocking(fd int) syscall.Errno                     { return none }
func CloseOnExec(fd int) (bool, syscall.Errno)             { return false, none }
func SetCloseOnExec(fd int) syscall.Errno                  { return none }
func OpenNull() (int, syscall.Errno)                       { return -1, none }
func FileID(fd uintptr) (dev, ino uint64, e syscall.Errno) { return 0, 0, none }
func PIDFDID(pid int) (id uint64, ok bool)                 { return 0, false }
func Unread(fd uintptr) int                                { return 0 }
func Dup2(from, to int) syscall.Errno                      { return none }
func PollErrno(fd int) syscall.Errno                       { return none }
func MonotonicUsec() int64                                 { return 0 }

//go:build !linux

package sys

import "syscall"

// AwaitExit reports false: this system is not asked to leave a zombie.
func AwaitExit(pid int) bool { return false }

// AwaitAny fails, because the system has no process 1 that is a program's.
func AwaitAny() (pid int, errno syscall.Errno) { return 0, syscall.ENOSYS }

// Reap fails as AwaitAny does.
func Reap(pid int) (status int, errno syscall.Errno) { return 0, syscall.ENOSYS }

//go:build !unix

package sys

import "syscall"

// WaitAny fails, because the system has no process that waits for all others.
func WaitAny() (pid, status int, errno syscall.Errno) { return 0, 0, none }

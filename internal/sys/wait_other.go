//go:build !unix

package sys

import (
	"os"
	"syscall"
)

// WaitAny fails, because the system has no process that waits for all others.
func WaitAny() (pid, status int, errno syscall.Errno) { return 0, 0, none }

// ConcernsOneProcess is never asked.
func ConcernsOneProcess(os.Signal) bool { return false }

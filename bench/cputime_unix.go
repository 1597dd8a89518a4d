//go:build unix

package main

import (
	"syscall"
	"time"
)

// processorTime returns what this process has used of the processors, in user and
// kernel mode.
func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

//go:build unix

package sys

import (
	"os"
	"syscall"
)

// ConcernsOneProcess reports whether sig tells a process something about itself: its
// children, its pipes, or what the Go runtime interrupts its own threads with.
func ConcernsOneProcess(sig os.Signal) bool {
	return sig == syscall.SIGCHLD || sig == syscall.SIGPIPE || sig == syscall.SIGURG
}

//go:build unix

package sys

import "syscall"

// WaitAny waits until a child has ended and returns its process ID and its status as a
// shell tells it: the exit code, or 128 and the number of the signal. See waitpid(2).
func WaitAny() (pid, status int, errno syscall.Errno) {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, 0, err.(syscall.Errno)
		case ws.Signaled():
			return pid, 128 + int(ws.Signal()), 0
		default:
			return pid, ws.ExitStatus(), 0
		}
	}
}

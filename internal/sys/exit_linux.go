package sys

import "golang.org/x/sys/unix"

// AwaitExit waits until a child has ended, and leaves its status to be waited for. See
// waitid(2).
func AwaitExit(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

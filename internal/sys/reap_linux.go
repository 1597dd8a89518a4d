package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// AwaitExit waits until a child has ended, and leaves it as a zombie, so that no other
// process gets its number. It reports false if the system cannot wait like that. See
// waitid(2), WNOWAIT.
func AwaitExit(pid int) bool { return awaitExit(unix.P_PID, pid, new(unix.Siginfo)) == 0 }

// AwaitAny waits until a child has ended, leaves it as a zombie, and returns its process
// ID.
func AwaitAny() (pid int, errno syscall.Errno) {
	var info unix.Siginfo
	errno = awaitExit(unix.P_ALL, 0, &info)
	// A union that begins with si_pid follows three integers, aligned as a pointer.
	const align = unsafe.Sizeof(uintptr(0))
	const offset = (3*4 + align - 1) / align * align
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), offset))), errno
}

func awaitExit(idType, id int, info *unix.Siginfo) syscall.Errno {
	for {
		err := unix.Waitid(idType, id, info, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return errno(err)
		}
	}
}

// Reap ends a child that is a zombie, and returns its status as a shell tells it: the exit
// code, or 128 and the number of the signal.
func Reap(pid int) (status int, e syscall.Errno) {
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(pid, &ws, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, errno(err)
		case ws.Signaled():
			return 128 + int(ws.Signal()), 0
		default:
			return ws.ExitStatus(), 0
		}
	}
}

package netfd

import (
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// IsStale reports whether no process has the unix socket at path open, whose type is
// typ. Whatever the answer of the kernel is besides ECONNREFUSED, there may be one.
func IsStale(path string, typ int) bool {
	var sa sys.Sockaddr
	if sa.SetUnix(path) != 0 {
		return false
	}
	sysfd, errno := sys.Socket(sys.AF_UNIX, typ, 0)
	if errno != 0 {
		return false
	}
	defer sys.Close(sysfd)
	return sys.Connect(uintptr(sysfd), &sa) == syscall.ECONNREFUSED
}

// LockFile makes and locks the file at path, and unlock removes it. The error is EAGAIN
// if another holds the lock.
func LockFile(path string) (unlock func(), errno syscall.Errno) {
	sysfd, errno := sys.LockFile(path)
	if errno != 0 {
		return nil, errno
	}
	return func() {
		sys.Unlink(path)
		sys.Close(sysfd)
	}, 0
}

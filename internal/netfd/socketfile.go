package netfd

import (
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// IsStale reports whether no process has the unix socket at path open. Whatever the answer
// of the kernel is besides ECONNREFUSED, there may be one.
func IsStale(path string) bool {
	var sa sys.Sockaddr
	if sa.SetUnix(path) != 0 {
		return false
	}
	// A datagram socket is refused only where no socket is, and in gVisor also by one that
	// accepts connections, of which a stale one is of a wrong type still.
	for _, typ := range [...]int{sys.SOCK_DGRAM, sys.SOCK_SEQPACKET, sys.SOCK_STREAM} {
		sysfd, errno := sys.Socket(sys.AF_UNIX, typ, 0)
		if errno == syscall.EPROTONOSUPPORT {
			continue // macOS has no sequenced packets
		}
		if errno != 0 {
			return false
		}
		errno = sys.Connect(uintptr(sysfd), &sa)
		sys.Close(sysfd)
		if errno != syscall.ECONNREFUSED && (errno != syscall.EPROTOTYPE || typ == sys.SOCK_DGRAM) {
			return false
		}
	}
	return true
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

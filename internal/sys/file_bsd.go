//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Setmode is not possible on these systems.
func Setmode(fd uintptr, mode uint32) syscall.Errno { return syscall.EOPNOTSUPP }

// ChangeSocketFile gives the file of a unix socket an owner, a group and permissions. It
// follows no symbolic link. A negative number leaves the owner or the group as it is.
func ChangeSocketFile(path string, uid, gid int, mode uint32) syscall.Errno {
	if uid >= 0 || gid >= 0 {
		if err := unix.Lchown(path, uid, gid); err != nil {
			return errno(err)
		}
	}
	return errno(unix.Fchmodat(unix.AT_FDCWD, path, mode, unix.AT_SYMLINK_NOFOLLOW))
}

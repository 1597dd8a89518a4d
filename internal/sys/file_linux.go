package sys

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Setmode sets the permissions that the file of an unbound unix socket is to have, of
// which bind takes away those of the umask. See unix_bind_bsd in net/unix/af_unix.c.
func Setmode(fd uintptr, mode uint32) syscall.Errno { return errno(unix.Fchmod(int(fd), mode)) }

// ChangeSocketFile gives the file of a unix socket an owner, a group and permissions. It
// changes no other file that may have got the path meanwhile, and follows no symbolic
// link. A negative number leaves the owner or the group as it is.
func ChangeSocketFile(path string, uid, gid int, mode uint32) syscall.Errno {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return errno(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return errno(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return syscall.ENOTSOCK
	}
	if uid >= 0 || gid >= 0 {
		if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return errno(err)
		}
	}
	// The first way works since Linux 6.6, the other one where /proc is mounted.
	first := unix.Fchmodat(fd, "", mode, unix.AT_EMPTY_PATH)
	if first == nil {
		return 0
	}
	err = unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode)
	if err == unix.ENOENT { // no /proc
		err = first
	}
	return errno(err)
}

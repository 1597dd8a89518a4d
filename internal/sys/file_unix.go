//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// SocketFileID tells files of sockets that exist at the same time apart.
type SocketFileID struct{ Device, Inode uint64 }

// SocketFile returns the ID of the file of a unix socket at path, and reports whether
// there is one. See lstat(2).
func SocketFile(path string) (id SocketFileID, ok bool) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	for err == unix.EINTR {
		err = unix.Lstat(path, &st)
	}
	return SocketFileID{uint64(st.Dev), uint64(st.Ino)}, err == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// Unlink removes the file of a unix socket. See unlink(2).
func Unlink(path string) syscall.Errno { return errno(unix.Unlink(path)) }

// LockFile opens the file at path, makes it if there is none, and locks it until it is
// closed. The holder removes the file first. The error is EAGAIN if another holds the
// lock, or has just removed the file, and EEXIST if the file is no empty regular one, as
// locks are. See flock(2).
func LockFile(path string) (int, syscall.Errno) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err == unix.EINTR {
		return -1, EAGAIN
	}
	if err != nil {
		return -1, errno(err)
	}
	var opened, now unix.Stat_t
	if err = unix.Fstat(fd, &opened); err == nil && (opened.Mode&unix.S_IFMT != unix.S_IFREG || opened.Size != 0) {
		err = unix.EEXIST
	}
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		if err = unix.Lstat(path, &now); err == unix.ENOENT || err == nil && (now.Dev != opened.Dev || now.Ino != opened.Ino) {
			err = EAGAIN
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, errno(err)
	}
	return fd, 0
}

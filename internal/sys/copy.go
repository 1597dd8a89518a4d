package sys

import "syscall"

// Errno values of system calls that the system, or what it was asked for, lacks.
const (
	ENOSYS     = syscall.ENOSYS
	EOPNOTSUPP = syscall.EOPNOTSUPP
	EPERM      = syscall.EPERM
)

// Refused reports whether errno may say that a way of doing something is closed, and
// not that the thing itself failed: another way may work, or tells what the matter is.
// EPERM and EACCES are what sandboxes and some file systems say, EFAULT is what gVisor
// says of a full pipe.
func Refused(errno syscall.Errno) bool {
	switch errno {
	case EINVAL, ENOSYS, EOPNOTSUPP, EPERM, syscall.EACCES, syscall.EFAULT:
		return true
	}
	return errno == syscall.ENOTSUP // the same as EOPNOTSUPP on some systems
}

// MaxIovecs is the most buffers that Readv and Writev use at a time, IOV_MAX on
// every system of today.
const MaxIovecs = 1024

// maxIovec is the most that a call moves, so that the sum of its buffers is an int of
// the kernel's; the BSDs refuse more.
const maxIovec = 1 << 30

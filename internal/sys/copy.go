package sys

import "syscall"

// Errno values by which a system call that moves data between descriptors says
// that it cannot do so for these two, and has not begun.
const (
	ENOSYS     = syscall.ENOSYS
	EOPNOTSUPP = syscall.EOPNOTSUPP
	EPERM      = syscall.EPERM
)

// MaxIovecs is the most buffers that Readv and Writev use at a time, IOV_MAX on
// every system of today.
const MaxIovecs = 1024

// maxIovec is the most of one buffer that a call uses, so that the sum of a few
// does not overflow what the kernel counts in.
const maxIovec = 1 << 30

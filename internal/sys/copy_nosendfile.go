//go:build !(linux || darwin || dragonfly || freebsd)

package sys

import "syscall"

// HasSendfile says that there is no sendfile(2).
const HasSendfile = false

// Sendfile answers ENOSYS.
func Sendfile(dst, src uintptr, max int) (int, syscall.Errno) { return -1, ENOSYS }

//go:build !linux

package sys

import "syscall"

// Systems that are called through their C library have no quicker way.

func QuickRecvfrom(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	return Recvfrom(fd, p, flags, sa)
}

func QuickRecvmsg(fd uintptr, h *Msghdr, p, oob []byte, flags int, sa *Sockaddr) (n, oobn, rflags int, e syscall.Errno) {
	return Recvmsg(fd, h, p, oob, flags, sa)
}

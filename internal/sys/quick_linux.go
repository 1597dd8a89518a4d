package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The Quick variants of calls do not tell the scheduler that the goroutine is in the
// kernel, which saves some percent of a datagram's way, and may keep a collection of
// garbage waiting for as long as the call takes. So they are for calls that take a
// few microseconds at most. MSG_DONTWAIT makes sure of that for a descriptor that
// somebody has made blocking.

// QuickRecvfrom is Recvfrom for little data and a socket that has no locks for long.
func QuickRecvfrom(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	sa.len = sockaddrSize
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags|MSG_DONTWAIT), uintptr(unsafe.Pointer(&sa.raw)), uintptr(unsafe.Pointer(&sa.len)))
	sa.failed(errno)
	return result(n, errno)
}

// QuickSendto is Sendto for little data and a socket that has no locks for long.
func QuickSendto(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	var name unsafe.Pointer
	if sa.len > 0 {
		name = unsafe.Pointer(&sa.raw)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags|MSG_DONTWAIT), uintptr(name), uintptr(sa.len))
	return result(n, errno)
}

// QuickRecvmsg is Recvmsg for little data and a socket that has no locks for long.
func QuickRecvmsg(fd uintptr, h *Msghdr, p, oob []byte, flags int, sa *Sockaddr) (n, oobn, rflags int, e syscall.Errno) {
	h.set(p, oob, sa, sockaddrSize)
	r, _, e := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&h.hdr)), uintptr(flags|MSG_DONTWAIT))
	if e != 0 {
		sa.len = 0
		return 0, 0, 0, e
	}
	sa.len = h.hdr.Namelen
	return int(r), int(h.hdr.Controllen), int(h.hdr.Flags), 0
}

// QuickSendmsg is Sendmsg for little data and a socket that has no locks for long.
func QuickSendmsg(fd uintptr, h *Msghdr, p, oob []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	h.set(p, oob, sa, sa.len)
	n, _, e := unix.RawSyscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&h.hdr)), uintptr(flags|MSG_DONTWAIT))
	return result(n, e)
}

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The Quick variants of calls do not tell the scheduler that the goroutine is in the
// kernel, which saves some percent of a datagram's way, and keeps a collection of
// garbage and other goroutines waiting for as long as the call takes. So they are for
// calls that take a few microseconds at most. To take a datagram off the queue is to
// copy it; MSG_DONTWAIT makes sure of that for a descriptor that somebody has made
// blocking. To send one is none of these: it may wait for memory, and takes the
// datagram, and others that are due, through the network stack to a device or to the
// receiver.

// QuickRecvfrom is Recvfrom for little data and a socket that has no locks for long.
func QuickRecvfrom(fd uintptr, p []byte, flags int, sa *Sockaddr) (int, syscall.Errno) {
	sa.len = sockaddrSize
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags|MSG_DONTWAIT), uintptr(unsafe.Pointer(&sa.raw)), uintptr(unsafe.Pointer(&sa.len)))
	sa.failed(errno)
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

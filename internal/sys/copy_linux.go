package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HasSendfile and HasSplice say which ways there are to move data between
// descriptors inside the kernel.
const (
	HasSendfile = true
	HasSplice   = true
)

// Sendfile moves up to max bytes from src's file offset on, which moves along,
// to dst. 0 is the end of src. See sendfile(2).
func Sendfile(dst, src uintptr, max int) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDFILE, dst, src, 0, uintptr(max), 0, 0)
		if errno != EINTR {
			return result(n, errno)
		}
	}
}

// Splice moves up to max bytes from src to dst, one of which is a pipe. It never
// waits for a pipe. 0 is the end of src. See splice(2).
func Splice(dst, src uintptr, max int) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_SPLICE, src, 0, dst, 0, uintptr(max), unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if errno != EINTR {
			return result(n, errno)
		}
	}
}

// Pipe makes a pipe, non-blocking and close-on-exec, with room for size bytes if
// the system grants them. See pipe(2), and F_SETPIPE_SZ in fcntl(2).
func Pipe(size int) (r, w int, e syscall.Errno) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return -1, -1, errno(err)
	}
	// Refused to a user who has many pipes; a small one works as well.
	unix.FcntlInt(uintptr(p[0]), unix.F_SETPIPE_SZ, size)
	return p[0], p[1], 0
}

// Iovecs is the scratch memory of Readv and Writev.
type Iovecs struct {
	iov []unix.Iovec
}

// set makes v of as many of bufs as one call takes.
func (v *Iovecs) set(bufs [][]byte) {
	v.iov = v.iov[:0]
	left := maxIovec
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		b = b[:min(len(b), left)]
		iov := unix.Iovec{Base: unsafe.SliceData(b)}
		iov.SetLen(len(b))
		v.iov = append(v.iov, iov)
		if left -= len(b); left == 0 || len(v.iov) == MaxIovecs {
			return
		}
	}
}

// Readv receives into bufs, one after the other. v is scratch memory. See
// recvmsg(2).
func Readv(fd uintptr, v *Iovecs, bufs [][]byte) (int, syscall.Errno) {
	return v.call(unix.SYS_RECVMSG, unix.SYS_READV, fd, bufs, 0)
}

// Writev sends bufs, as many as one call takes. v is scratch memory. See
// sendmsg(2).
func Writev(fd uintptr, v *Iovecs, bufs [][]byte, flags int) (int, syscall.Errno) {
	return v.call(unix.SYS_SENDMSG, unix.SYS_WRITEV, fd, bufs, flags)
}

// call makes the system call trap, or plain if that is refused, which knows no flags
// but MSG_EOR, of which it knows by itself.
func (v *Iovecs) call(trap, plain, fd uintptr, bufs [][]byte, flags int) (int, syscall.Errno) {
	v.set(bufs)
	h := unix.Msghdr{Iov: unsafe.SliceData(v.iov)}
	h.SetIovlen(len(v.iov))
	n, _, errno := syscall.Syscall(trap, fd, uintptr(unsafe.Pointer(&h)), uintptr(flags))
	for errno == EINTR {
		n, _, errno = syscall.Syscall(trap, fd, uintptr(unsafe.Pointer(&h)), uintptr(flags))
	}
	// gVisor with the network of its host takes fewer buffers by sendmsg than by writev. With
	// fewer, EMSGSIZE is of the message, or kept by the socket for one call.
	if barred(trap, errno) || errno == unix.EMSGSIZE && len(v.iov) == MaxIovecs {
		n, _, errno = syscall.Syscall(plain, fd, uintptr(unsafe.Pointer(h.Iov)), uintptr(len(v.iov)))
		for errno == EINTR {
			n, _, errno = syscall.Syscall(plain, fd, uintptr(unsafe.Pointer(h.Iov)), uintptr(len(v.iov)))
		}
	}
	clear(v.iov) // the pool that v is kept in must not hold on to the buffers
	return result(n, errno)
}

//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// HasSplice says that there is no splice(2).
const HasSplice = false

// Splice answers ENOSYS.
func Splice(dst, src uintptr, max int) (int, syscall.Errno) { return -1, ENOSYS }

// Pipe answers ENOSYS.
func Pipe(size int) (r, w int, e syscall.Errno) { return -1, -1, ENOSYS }

// Iovecs is the scratch memory of Readv and Writev.
type Iovecs struct {
	bufs [][]byte
}

func (v *Iovecs) set(bufs [][]byte) {
	v.bufs = v.bufs[:0]
	left := maxIovec
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		b = b[:min(len(b), left)]
		v.bufs = append(v.bufs, b)
		if left -= len(b); left == 0 || len(v.bufs) == MaxIovecs {
			return
		}
	}
}

// Readv receives into bufs, one after the other. v is scratch memory. See
// recvmsg(2).
func Readv(fd uintptr, v *Iovecs, bufs [][]byte) (int, syscall.Errno) {
	v.set(bufs)
	defer clear(v.bufs) // the pool that v is kept in must not hold on to them
	for {
		n, _, _, _, err := unix.RecvmsgBuffers(int(fd), v.bufs, nil, 0)
		if err != EINTR {
			return n, errno(err)
		}
	}
}

// Writev sends bufs, as many as one call takes. v is scratch memory. See
// sendmsg(2).
func Writev(fd uintptr, v *Iovecs, bufs [][]byte, flags int) (int, syscall.Errno) {
	v.set(bufs)
	defer clear(v.bufs) // the pool that v is kept in must not hold on to them
	for {
		n, err := unix.SendmsgBuffers(int(fd), v.bufs, nil, nil, flags)
		if err != EINTR {
			return n, errno(err)
		}
	}
}

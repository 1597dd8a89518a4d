package netfd

import (
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// vec is a Readv or Writev under way, kept in a pool like a Msg.
type vec struct {
	bufs  [][]byte
	iov   sys.Iovecs
	n     int64
	errno syscall.Errno
	r, w  func(uintptr) bool
}

var vecs = sync.Pool{New: func() any {
	v := new(vec)
	v.r, v.w = v.read, v.write
	return v
}}

func (v *vec) free() {
	v.bufs, v.n, v.errno = nil, 0, 0
	vecs.Put(v)
}

// Readv reads into bufs, one after the other, as much as is there. Nothing and no
// error is an empty datagram, or the result of asking for nothing.
func (fd *FD) Readv(bufs [][]byte) (int64, error) {
	i := 0
	for i < len(bufs) && len(bufs[i]) == 0 {
		i++
	}
	if i == len(bufs) && fd.IsStream() {
		return 0, nil
	}
	if fd.hasUnread() {
		if n, err := fd.readUnread(bufs[i], false); n > 0 || err != nil {
			return int64(n), err
		}
	}
	v := vecs.Get().(*vec)
	defer v.free()
	v.bufs = bufs[i:]
	if err := fd.RawRead(v.r); err != nil {
		return 0, err
	}
	if v.errno != 0 {
		return 0, os.NewSyscallError("readv", v.errno)
	}
	if v.n == 0 && fd.IsStream() {
		return 0, io.EOF
	}
	return v.n, nil
}

func (v *vec) read(s uintptr) bool {
	for {
		n, errno := sys.Readv(s, &v.iov, v.bufs)
		switch errno {
		case sys.EINTR:
			continue
		case sys.EAGAIN:
			return false
		}
		v.n, v.errno = int64(max(n, 0)), errno
		return true
	}
}

// Writev writes *bufs and takes from it what was written, until nothing is left or
// it fails. No other write comes in between.
func (fd *FD) Writev(bufs *[][]byte) (int64, error) {
	v := vecs.Get().(*vec)
	defer v.free()
	v.bufs = *bufs
	err := fd.RawWrite(v.w)
	*bufs = v.bufs
	if err == nil && v.errno != 0 {
		err = os.NewSyscallError("writev", v.errno)
	}
	if err == nil && len(v.bufs) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return v.n, err
}

func (v *vec) write(s uintptr) bool {
	for v.consume(0); len(v.bufs) > 0; {
		n, errno := sys.Writev(s, &v.iov, v.bufs)
		switch {
		case errno == sys.EINTR:
		case errno == sys.EAGAIN:
			return false
		case errno != 0 || n == 0:
			v.errno = errno
			return true
		default:
			v.n += int64(n)
			v.consume(n)
		}
	}
	return true
}

// consume drops n octets and empty buffers from the front. Buffers are forgotten
// one by one, as package net does, so that what is sent may be collected.
func (v *vec) consume(n int) {
	for len(v.bufs) > 0 {
		if b := v.bufs[0]; len(b) > n {
			v.bufs[0] = b[n:]
			return
		}
		n -= len(v.bufs[0])
		v.bufs[0] = nil
		v.bufs = v.bufs[1:]
	}
}

package netfd

import (
	"io"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// iovecs are scratch memory.
var iovecs = sync.Pool{New: func() any { return new(sys.Iovecs) }}

// Readv reads into bufs, one after the other, as much as is there. Nothing and no
// error is an empty datagram, or the result of asking for nothing.
func (fd *FD) Readv(bufs [][]byte) (int64, error) {
	n := 0
	i := 0
	for i < len(bufs) && len(bufs[i]) == 0 {
		i++
	}
	if i == len(bufs) {
		return 0, fd.Control(func(uintptr) {}) // whether it is closed
	}
	v := iovecs.Get().(*sys.Iovecs)
	defer iovecs.Put(v)
	var errno syscall.Errno
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(s uintptr) bool {
			if fd.hasUnread() {
				var ok bool
				if n, _, _, ok = fd.recvvKept(s, bufs[i:], nil, 0, nil); ok {
					errno = 0 // of the call before it waited
					return true
				}
			}
			if errno = fd.takeReadError(); errno == 0 {
				n, errno = sys.Readv(s, v, bufs[i:])
			}
			return fd.settled(&errno, 0)
		})
	}
	switch {
	case err != nil || errno != 0:
		return 0, fd.failed("readv", errno, err)
	case n == 0 && fd.IsStream():
		return 0, io.EOF
	}
	return int64(n), nil
}

// Writev writes *bufs and takes from it what was written, until nothing is left or
// it fails. No other write comes in between.
func (fd *FD) Writev(bufs *[][]byte) (n int64, err error) {
	v := iovecs.Get().(*sys.Iovecs)
	defer iovecs.Put(v)
	flags := 0
	if fd.Type == sys.SOCK_SEQPACKET {
		flags = sys.MSG_EOR // as Write does
	}
	var errno syscall.Errno
	var turn turn
	raw, err := fd.file.SyscallConn()
	if err == nil {
		err = raw.Write(func(s uintptr) bool {
			if errno = fd.takeWriteError(); errno != 0 {
				return true
			}
			turn.take(fd)
			for consume(bufs, 0); len(*bufs) > 0; {
				var k int
				if k, errno = sys.Writev(s, v, *bufs, flags); errno != 0 {
					settled := fd.settled(&errno, 0)
					if !settled {
						turn.park(fd, n > 0)
					}
					return settled
				}
				if k == 0 {
					break
				}
				n += int64(k)
				consume(bufs, k)
			}
			return true
		})
	}
	turn.end(fd)
	if err != nil || errno != 0 {
		return n, fd.failed("writev", errno, err)
	}
	if len(*bufs) > 0 {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// consume drops n bytes and empty buffers from the front. Buffers are forgotten
// one by one, as package net does, so that what is sent may be collected.
func consume(bufs *[][]byte, n int) {
	for len(*bufs) > 0 {
		if b := (*bufs)[0]; len(b) > n {
			(*bufs)[0] = b[n:]
			return
		}
		n -= len((*bufs)[0])
		(*bufs)[0] = nil
		*bufs = (*bufs)[1:]
	}
}

package netfd

import (
	"math"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// End is one end of a transfer: a descriptor that may be read or written without
// the type that it belongs to noticing.
type End struct {
	Raw syscall.RawConn

	// File says that it is a file's, which reports a use after Close in another way.
	File bool

	// FD is the socket if it is one of ours, otherwise nil. What a transfer has
	// taken from it and could not deliver is read from it again.
	FD *FD
}

// End returns fd as the end of a transfer.
func (fd *FD) End() End { return End{Raw: (*rawConn)(fd), FD: fd} }

// TransferHook is called after each transfer in the kernel, if it is not nil.
// Tests set it to learn which way data went.
var TransferHook func(call string, n int64)

// A transfer moves octets from src to dst in the kernel. It is kept in a pool
// together with the functions that the poller calls, like a Msg.
type transfer struct {
	dst, src End
	remain   int64
	written  int64
	n        int // of the last call
	errno    syscall.Errno
	err      error // of src while dst calls, or the other way round
	d        uintptr
	pipe     *pipe  // nil if there is nothing in it
	buf      []byte // of pumpCopy
	rest     []byte // of buf, not written yet

	sendDst, sendSrc, directDst, directSrc, drainSrc, pumpDst, copyDst func(uintptr) bool
}

var transfers = sync.Pool{New: func() any {
	t := new(transfer)
	t.sendDst, t.sendSrc = t.sendfileDst, t.sendfileSrc
	t.directDst, t.directSrc = t.spliceDst, t.spliceSrc
	t.drainSrc, t.pumpDst, t.copyDst = t.drain, t.pump, t.pumpCopy
	return t
}}

func newTransfer(dst, src End, limit int64) *transfer {
	t := transfers.Get().(*transfer)
	t.dst, t.src, t.remain = dst, src, limit
	return t
}

func (t *transfer) free(call string) {
	if TransferHook != nil {
		TransferHook(call, t.written)
	}
	t.dst, t.src = End{}, End{}
	t.remain, t.written, t.n, t.errno, t.err, t.d, t.pipe = 0, 0, 0, 0, nil, 0, nil
	t.buf, t.rest = nil, nil
	transfers.Put(t)
}

// maxTransfer is the most that one system call is asked for; every system counts
// so far.
const maxTransfer = math.MaxInt32

func (t *transfer) chunk(max int64) int { return int(min(t.remain, max)) }

// moved counts the n octets of the last call.
func (t *transfer) moved() {
	t.written += int64(t.n)
	t.remain -= int64(t.n)
}

// refused reports whether errno says that a way is closed to these descriptors.
// EPERM is what sandboxes and some file systems say.
func refused(errno syscall.Errno) bool {
	switch errno {
	case sys.EINVAL, sys.ENOSYS, sys.EOPNOTSUPP, sys.EPERM:
		return true
	}
	return false
}

// Sendfile moves up to limit octets from src, a file with an offset, to dst. If it
// is not handled, the rest has to be copied. Errors are as they come from the two
// ends, or name the system call.
func Sendfile(dst, src End, limit int64) (written int64, handled bool, err error) {
	if !sys.HasSendfile {
		return 0, false, nil
	}
	t := newTransfer(dst, src, limit)
	defer t.free("sendfile")
	if err := t.dst.Raw.Write(t.sendDst); err != nil {
		if t.d == 0 {
			return 0, false, nil // writing reports it, as it does in package net
		}
		return t.written, true, endError(t.dst, err)
	}
	switch {
	case t.err != nil || refused(t.errno):
		return t.written, false, nil // reading says what is wrong with src
	case t.errno != 0:
		return t.written, true, os.NewSyscallError("sendfile", t.errno)
	}
	// A file that ends before it has begun may be one whose length the kernel does
	// not know beforehand, like many below /proc: reading tells.
	return t.written, t.written > 0 || t.remain == 0, nil
}

// sendfileDst runs with dst locked, but holds src during each system call alone:
// whoever closes src must not wait until dst has room.
func (t *transfer) sendfileDst(d uintptr) bool {
	t.d = d
	for t.remain > 0 {
		t.n, t.errno = 0, 0 // a RawConn of somebody else's may not call sendSrc
		if t.err = t.src.Raw.Read(t.sendSrc); t.err != nil {
			return true
		}
		switch {
		case t.errno == sys.EAGAIN:
			return false
		case t.errno != 0 || t.n == 0:
			return true
		}
		t.moved()
	}
	return true
}

func (t *transfer) sendfileSrc(s uintptr) bool {
	for {
		t.n, t.errno = sys.Sendfile(t.d, s, t.chunk(maxTransfer))
		if t.errno != sys.EINTR {
			return true
		}
	}
}

// SpliceDirect moves up to limit octets from src to dst, one of which must be a
// pipe, so that nothing is ever on the way between them. If it is not handled,
// the rest has to be copied.
func SpliceDirect(dst, src End, limit int64) (written int64, handled bool, err error) {
	if !sys.HasSplice || src.FD != nil && src.FD.hasUnread() {
		return 0, false, nil
	}
	t := newTransfer(dst, src, limit)
	defer t.free("splice")
	stuck := 0
	for t.remain > 0 {
		if err := t.dst.Raw.Write(t.directDst); err != nil {
			if t.d == 0 {
				return 0, false, nil
			}
			return t.written, true, endError(t.dst, err)
		}
		switch {
		case t.err != nil && t.src.FD == nil:
			return t.written, false, nil // reading says what is wrong with src
		case t.err != nil:
			return t.written, true, endError(t.src, t.err)
		case t.errno == sys.EAGAIN:
			// It does not say whether src is empty or dst is full.
			if stuck++; stuck > 2 {
				return t.written, false, nil
			}
			if err := t.src.Raw.Read(sys.WaitReadable); err != nil {
				return t.written, true, endError(t.src, err)
			}
			if err := t.dst.Raw.Write(sys.WaitWritable); err != nil {
				return t.written, true, endError(t.dst, err)
			}
			continue
		case refused(t.errno):
			return t.written, false, nil
		case t.errno != 0:
			return t.written, true, os.NewSyscallError("splice", t.errno)
		case t.n == 0:
			return t.written, true, nil
		}
		stuck = 0
		t.moved()
	}
	return t.written, true, nil
}

func (t *transfer) spliceDst(d uintptr) bool {
	t.d = d
	t.err = t.src.Raw.Read(t.directSrc)
	return true
}

func (t *transfer) spliceSrc(s uintptr) bool {
	for {
		t.n, t.errno = sys.Splice(t.d, s, t.chunk(maxTransfer))
		if t.errno != sys.EINTR {
			return true
		}
	}
}

// Splice moves up to limit octets from src, a stream socket, to dst by way of a
// pipe. If it is not handled, the rest has to be copied.
//
// What dst does not take of the last piece, 1 MiB at most, is read from src again
// if that is one of ours, and lost otherwise.
func Splice(dst, src End, limit int64) (written int64, handled bool, err error) {
	if !sys.HasSplice {
		return 0, false, nil
	}
	t := newTransfer(dst, src, limit)
	defer t.free("splice")
	for t.remain > 0 {
		if err := t.src.Raw.Read(t.drainSrc); err != nil {
			return t.written, true, endError(t.src, err)
		}
		switch {
		case refused(t.errno):
			return t.written, false, nil
		case t.errno != 0:
			return t.written, true, os.NewSyscallError("splice", t.errno)
		case t.n == 0:
			return t.written, true, nil
		}
		if err := t.dst.Raw.Write(t.pumpDst); err != nil {
			t.keep()
			return t.written, true, endError(t.dst, err)
		}
		if t.errno == 0 {
			continue
		}
		if !refused(t.errno) {
			t.keep()
			return t.written, true, os.NewSyscallError("splice", t.errno)
		}
		// Too late to say that dst takes nothing from pipes, as files opened to
		// append do: this piece has left src.
		t.buf = make([]byte, 32<<10)
		if err := t.dst.Raw.Write(t.copyDst); err != nil {
			t.keep()
			return t.written, true, endError(t.dst, err)
		}
		if t.errno != 0 {
			t.keep()
			return t.written, true, os.NewSyscallError("write", t.errno)
		}
		return t.written, false, nil
	}
	return t.written, true, nil
}

// drain fills a pipe from src. A transfer has a pipe only while there is something
// in it: those that wait for input, as most do, hold none.
func (t *transfer) drain(s uintptr) bool {
	t.n, t.errno = 0, 0
	if t.src.FD != nil {
		if t.src.FD.inMemory() {
			t.errno = sys.ENOSYS // for a Read to get it
			return true
		}
		if p := t.src.FD.takeUnread(); p != nil {
			t.pipe, t.n = p, p.n
			return true
		}
	}
	p := getPipe()
	if p == nil {
		t.errno = sys.ENOSYS
		return true
	}
	for {
		t.n, t.errno = sys.Splice(uintptr(p.w), s, t.chunk(pipeSize))
		if t.errno != sys.EINTR {
			break
		}
	}
	if t.n <= 0 {
		p.put()
		return t.errno != sys.EAGAIN
	}
	p.n = t.n
	t.pipe = p
	return true
}

// pump empties the pipe into dst.
func (t *transfer) pump(d uintptr) bool {
	p := t.pipe
	for p.n > 0 && t.remain > 0 {
		t.n, t.errno = sys.Splice(d, uintptr(p.r), t.chunk(int64(p.n)))
		switch {
		case t.errno == sys.EINTR:
		case t.errno == sys.EAGAIN:
			if !t.mayWrite(d) {
				return false
			}
		case t.errno != 0:
			return true
		case t.n == 0:
			t.errno = sys.EINVAL // cannot be; rather that than going round for ever
			return true
		default:
			p.n -= t.n
			t.moved()
		}
	}
	t.keep()
	return true
}

// pumpCopy empties the pipe into dst by way of t.buf.
func (t *transfer) pumpCopy(d uintptr) bool {
	p := t.pipe
	for {
		if len(t.rest) == 0 {
			if t.rest = t.buf[:p.read(t.buf[:min(t.remain, int64(len(t.buf)))])]; len(t.rest) == 0 {
				t.errno = 0
				t.keep()
				return true
			}
		}
		t.n, t.errno = sys.Write(d, t.rest)
		switch {
		case t.errno == sys.EINTR:
		case t.errno == sys.EAGAIN:
			if !t.mayWrite(d) {
				return false
			}
		case t.errno != 0:
			return true
		default:
			t.rest = t.rest[t.n:]
			t.moved()
		}
	}
}

// mayWrite reports, after EAGAIN, whether to try again at once. The poller does
// not wait for a file in blocking mode, which splice(2) treats as if it were not.
func (t *transfer) mayWrite(d uintptr) bool { return t.dst.File && sys.WaitWritable(d) }

// keep leaves what is in the pipe, and what pumpCopy has taken from it, to src's
// next reader.
func (t *transfer) keep() {
	p := t.pipe
	t.pipe = nil
	p.head, t.rest = t.rest, nil
	p.n += len(p.head)
	if p.n > 0 && t.src.FD != nil && t.src.FD.keep(p) {
		return
	}
	p.put()
}

// endError takes the error of an end's RawConn apart.
func endError(e End, err error) error {
	if op, ok := err.(*net.OpError); ok {
		err = op.Err // from a connection of package net
	}
	switch {
	case err == nil || err == os.ErrDeadlineExceeded || err == os.ErrNoDeadline:
		return err
	case e.File:
		return os.ErrClosed
	}
	return net.ErrClosed
}

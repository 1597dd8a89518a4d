package netfd

import (
	"bytes"
	"errors"
	"math"
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

	// Unix says that it is a socket of the unix domain.
	Unix bool

	// FD is the socket if it is one of ours, otherwise nil. What a transfer has
	// taken from it and could not deliver is read from it again.
	FD *FD
}

// End returns fd as the end of a transfer.
func (fd *FD) End() End { return End{Raw: (*rawConn)(fd), Unix: fd.Family == sys.AF_UNIX, FD: fd} }

// TransferHook is called after each transfer in the kernel, if it is not nil.
// Tests set it to learn which way data went.
var TransferHook func(call string, n int64)

// A transfer moves bytes from src to dst. It is kept in a pool together with the
// functions that RawConns call, which would be on the heap for each transfer.
type transfer struct {
	dst, src End
	remain   int64
	written  int64
	n        int // of the last call
	errno    syscall.Errno
	err      error // of src while dst calls, or the other way round
	turn     turn  // of dst
	d        uintptr

	piece   kept    // on its way
	block   *[]byte // that has piece.data, nil if it is not from blocks
	short   bool    // the next piece is expected to be short
	noPipes bool    // splice is refused, or slower

	sendDst, sendSrc, directDst, directSrc, takeSrc, giveDst func(uintptr) bool
}

var transfers = sync.Pool{New: func() any {
	t := new(transfer)
	t.sendDst, t.sendSrc = t.sendfileDst, t.sendfileSrc
	t.directDst, t.directSrc = t.spliceDst, t.spliceSrc
	t.takeSrc, t.giveDst = t.take, t.give
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
	if t.dst.FD != nil {
		t.turn.end(t.dst.FD)
	}
	t.dst, t.src = End{}, End{}
	t.remain, t.written, t.n, t.errno, t.err, t.d = 0, 0, 0, 0, nil, 0
	transfers.Put(t)
}

// maxTransfer is the most that one system call is asked for; every system counts
// so far.
const maxTransfer = math.MaxInt32

func (t *transfer) chunk(max int64) int { return int(min(t.remain, max)) }

// park is called before dst waits for room.
func (t *transfer) park() {
	if t.dst.FD != nil {
		t.turn.park(t.dst.FD, false)
	}
}

// moved counts the n bytes of the last call.
func (t *transfer) moved() {
	t.written += int64(t.n)
	t.remain -= int64(t.n)
}

// Sendfile moves up to limit bytes from src, a file with an offset, to dst. If it
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
		return t.written, true, endError(t.dst, "sendfile", err)
	}
	switch {
	case t.err != nil || sys.Refused(t.errno):
		return t.written, false, nil // reading says what is wrong with src
	case t.errno != 0:
		return t.written, true, os.NewSyscallError("sendfile", t.errno)
	}
	// A file that ends before it has begun may be one whose length the kernel does
	// not know beforehand, like many below /proc: reading tells.
	return t.written, t.written > 0 || t.remain == 0, nil
}

// sendfileDst runs with dst locked, but holds src during each system call alone:
// a Close of src must not wait until dst has room.
func (t *transfer) sendfileDst(d uintptr) bool {
	t.d = d
	for t.remain > 0 {
		t.n, t.errno = 0, 0 // a RawConn of another package may not call sendSrc
		if t.err = t.src.Raw.Read(t.sendSrc); t.err != nil {
			return true
		}
		switch {
		case t.again():
			t.park()
			return false
		case t.errno != 0 || t.n == 0:
			return true
		}
		t.moved()
	}
	return true
}

func (t *transfer) sendfileSrc(s uintptr) bool {
	t.n, t.errno = sys.Sendfile(t.d, s, t.chunk(maxTransfer))
	return true
}

// SpliceDirect moves up to limit bytes from src to dst, one of which must be a
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
			return t.written, true, endError(t.dst, "splice", err)
		}
		switch {
		case t.err != nil:
			return t.sourceFailed()
		case t.again():
			// It does not say whether src is empty or dst is full.
			if stuck++; stuck > 2 {
				return t.written, false, nil
			}
			if t.err = t.src.Raw.Read(sys.WaitReadable); t.err != nil {
				return t.sourceFailed()
			}
			t.park()
			if err := t.dst.Raw.Write(sys.WaitWritable); err != nil {
				return t.written, true, endError(t.dst, "splice", err)
			}
			continue
		case sys.Refused(t.errno):
			return t.written, false, nil
		case t.errno != 0:
			call := "splice"
			if !t.dst.File {
				call = "write" // by which package net copies from what is no socket
			}
			return t.written, true, os.NewSyscallError(call, t.errno)
		case t.n == 0:
			// Only receiving from a socket tells whether this is the end.
			return t.written, t.src.File, nil
		}
		stuck = 0
		t.moved()
	}
	return t.written, true, nil
}

// sourceFailed is what SpliceDirect returns for an error of src's RawConn.
func (t *transfer) sourceFailed() (written int64, handled bool, err error) {
	if t.src.FD == nil {
		return t.written, false, nil // reading says what is wrong with src
	}
	return t.written, true, endError(t.src, "splice", t.err)
}

func (t *transfer) spliceDst(d uintptr) bool {
	t.d = d
	t.err = t.src.Raw.Read(t.directSrc)
	return true
}

func (t *transfer) spliceSrc(s uintptr) bool {
	t.n, t.errno = sys.Splice(t.d, s, t.chunk(maxTransfer))
	return true
}

// Sizes of pieces. A short one is copied, which costs less than to move it to a pipe
// and out of it again.
const (
	shortPiece = 4 << 10
	longPiece  = 256 << 10
)

// blocks are memory for pieces that are copied, in the two sizes.
var blocks = [2]sync.Pool{
	{New: func() any { b := make([]byte, shortPiece); return &b }},
	{New: func() any { b := make([]byte, longPiece); return &b }},
}

// Splice moves up to limit bytes from src, a stream socket, to dst: long pieces by
// way of a pipe. If it is not handled, the rest has to be copied.
//
// What dst does not take of the last piece, 1 MiB at most, is read from src again
// if that is one of ours, and lost otherwise. Errors name splice however a piece
// went.
func Splice(dst, src End, limit int64) (written int64, handled bool, err error) {
	if !sys.HasSplice {
		return 0, false, nil
	}
	t := newTransfer(dst, src, limit)
	defer t.free("splice")
	t.short = !dst.File // which names other calls in its errors
	// What was written to a unix socket lies in many small parts, each of which
	// TCP would send for itself.
	t.noPipes = src.Unix && !dst.Unix && !dst.File
	for t.remain > 0 {
		if err := t.src.Raw.Read(t.takeSrc); err != nil {
			return t.written, true, endError(t.src, "splice", err)
		}
		switch {
		case sys.Refused(t.errno):
			return t.written, false, nil
		case t.errno != 0:
			return t.written, true, os.NewSyscallError("splice", t.errno)
		case t.n == 0:
			return t.written, true, nil
		}
		err := t.dst.Raw.Write(t.giveDst)
		refused := t.noPipes && dst.File
		t.keep()
		switch {
		case err != nil:
			return t.written, true, endError(t.dst, "splice", err)
		case t.errno != 0 && refused:
			return t.written, true, os.NewSyscallError("write", t.errno)
		case t.errno != 0:
			return t.written, true, os.NewSyscallError("splice", t.errno)
		case refused:
			return t.written, false, nil
		}
	}
	return t.written, true, nil
}

// take takes a piece from src. A transfer has a pipe or a block only while there is
// something in it: those that wait for input, as most do, hold none.
func (t *transfer) take(s uintptr) bool {
	t.n, t.errno = 0, 0
	fd := t.src.FD
	if fd != nil {
		if k := fd.takeUnread(); k != nil {
			t.piece, t.n = *k, k.len()
			return true
		}
	}
	var done bool
	if t.short || t.noPipes {
		done = t.receive(s)
	} else {
		done = t.drain(s)
	}
	if t.n > 0 && fd != nil {
		t.piece.turn = nextTurn()
	}
	return done
}

// again reports whether the last call is to be made again once an end is ready: it said
// EAGAIN, or ENOTCONN for one of ours that is being connected.
func (t *transfer) again() bool {
	if t.errno == sys.ENOTCONN || t.errno == sys.EPIPE {
		for _, fd := range [...]*FD{t.dst.FD, t.src.FD} {
			if fd != nil {
				fd.notYet(&t.errno)
			}
		}
	}
	return t.errno == sys.EAGAIN
}

// receive takes a piece from src into memory.
func (t *transfer) receive(s uintptr) bool {
	pool := &blocks[1]
	if t.short {
		pool = &blocks[0]
	}
	block := pool.Get().(*[]byte)
	b := (*block)[:t.chunk(int64(len(*block)))]
	if t.n, t.errno = sys.Recv(s, b); t.n <= 0 {
		t.n = 0
		pool.Put(block)
		return !t.again()
	}
	t.block, t.piece.data = block, b[:t.n]
	t.short = t.n < shortPiece && !t.dst.File
	return true
}

// drain takes a piece from src into a pipe.
func (t *transfer) drain(s uintptr) bool {
	p := getPipe()
	if p == nil {
		t.errno = sys.ENOSYS
		return true
	}
	if t.n, t.errno = sys.Splice(uintptr(p.w), s, t.chunk(pipeSize)); t.n <= 0 {
		p.put()
		if t.n < 0 && !t.again() {
			t.n = 0
			return true
		}
		// The end, or nothing there, or TCP's urgent mark, before which splice(2) says
		// the one or the other: only receiving tells, and goes beyond it.
		t.short = true
		done := t.receive(s)
		t.short = t.short && t.n > 0
		return done
	}
	p.n, t.piece.pipe = t.n, p
	t.short = t.n < shortPiece && !t.dst.File
	return true
}

// give writes the piece to dst.
func (t *transfer) give(d uintptr) bool {
	for t.remain > 0 && t.piece.len() > 0 {
		if data, p := t.piece.data, t.piece.pipe; len(data) > 0 {
			t.n, t.errno = t.write(d, data[:t.chunk(int64(len(data)))])
			if t.errno == 0 {
				t.piece.data = data[t.n:]
			}
		} else if t.noPipes {
			// Too late to say that dst takes nothing from pipes, as files opened
			// to append do: this piece has left src.
			if t.errno = t.piece.spill(min(p.n, 32<<10)); t.errno != 0 {
				return true
			}
			continue
		} else {
			t.n, t.errno = sys.Splice(d, uintptr(p.r), t.chunk(int64(p.n)))
			if sys.Refused(t.errno) {
				t.noPipes = true
				continue
			}
			if t.errno == 0 {
				p.n -= t.n
			}
		}
		switch {
		case t.again():
			if !t.mayWrite(d) {
				t.park()
				return false
			}
		case t.errno != 0:
			return true
		case t.n == 0:
			t.errno = sys.EINVAL // cannot be; rather that than going round for ever
			return true
		default:
			t.moved()
		}
	}
	return true
}

func (t *transfer) write(d uintptr, b []byte) (int, syscall.Errno) {
	if t.dst.File {
		return sys.Write(d, b)
	}
	return sys.Send(d, b)
}

// mayWrite reports, after EAGAIN, whether to try again at once. The poller does
// not wait for a file in blocking mode, which splice(2) treats as if it were not.
func (t *transfer) mayWrite(d uintptr) bool { return t.dst.File && sys.WaitWritable(d) }

// keep leaves what remains of the piece to src's next reader.
func (t *transfer) keep() {
	if t.piece.len() > 0 && t.src.FD != nil {
		left := new(kept)
		*left = t.piece
		left.data = bytes.Clone(left.data)
		if t.src.FD.keep(left) {
			// The next reader may have them already.
			t.piece.pipe, t.piece.message = nil, nil
		}
	}
	t.piece.drop()
	t.piece = kept{}
	switch b := t.block; {
	case b == nil:
	case len(*b) == shortPiece:
		blocks[0].Put(b)
	default:
		blocks[1].Put(b)
	}
	t.block = nil
}

// endError is what a transfer reports of err, which waiting for e with the named system
// call has come to.
func endError(e End, call string, err error) error {
	if e.FD != nil {
		return e.FD.failed(call, 0, err)
	}
	if err = ConnError(err); e.File && errors.Is(err, os.ErrClosed) {
		return os.ErrClosed
	}
	return err
}

package netfd

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Rights is a message with descriptors, or with credentials, under way. It is kept
// in a pool for its memory.
type Rights struct {
	sys.Received // of the last receive

	// Truncated says that control data were lost, and Limit why if it was for
	// want of descriptor numbers.
	Truncated bool
	Limit     syscall.Errno

	// Short says that the data of a message did not fit.
	Short bool

	// Left says that TakeRight has left the message to the next read, and with it
	// Came descriptors.
	Left bool
	Came int

	fd     *FD
	conns  []syscall.Conn // whose descriptors are sent
	raw    []int          // descriptors that are sent besides
	held   int            // of conns, -1 before the first
	heldE  error          // why the next one is not held
	data   []byte         // of the control message, for the descriptors
	b      []byte
	single [1]byte
	n      int // bytes of b sent, or received
	errno  syscall.Errno
	done   bool
	turn   turn
	alone  bool // what was kept goes with nothing else
	s      uintptr
	oobn   int // of the last receive
	flags  int
	from   sys.Sockaddr

	oob    []byte // control data to send, part of buffer
	buffer [controlSize / 8]uint64
	fds    [sys.MaxRights]int // memory of Received.Rights

	// hold is called with a descriptor that stays open until it returns: that of the
	// socket, then, from within, each of conns, and sends in the end.
	hold func(uintptr)
}

// controlSize has room for everything that a message of the unix domain brings at
// once: descriptors, credentials, a pidfd, a security label. So if control data
// are cut off, the buffer was not the reason.
const controlSize = 4096

var rights = sync.Pool{New: func() any {
	r := new(Rights)
	r.hold = func(sysfd uintptr) {
		if r.held == len(r.conns) || r.heldE != nil {
			return // a RawConn of another package calls more than once
		}
		if r.held >= 0 {
			sys.PutRight(r.data, r.held, sysfd)
		}
		r.held++
		i := r.held
		if i == len(r.conns) {
			r.sendmsg()
			return
		}
		// There are as many calls in each other as descriptors, and the processor does not
		// predict where they return to. So Control is here once more.
		var err error
		if file, ok := r.conns[i].(*os.File); ok && file != nil {
			raw, e := file.SyscallConn() // on the stack
			if err = e; err == nil {
				err = raw.Control(r.hold)
			}
			if err != nil {
				err = ConnError(err)
			}
		} else {
			err = Control(r.conns[i], r.hold)
		}
		if r.held > i {
			return
		}
		if err == nil {
			err = syscall.EBADF
		}
		r.heldE, r.done = &HeldError{i, err}, true
	}
	return r
}}

// GetRights returns a Rights with nothing in it. Free gives it back.
func GetRights() *Rights {
	r := rights.Get().(*Rights)
	r.Rights = r.fds[:0]
	r.clear()
	return r
}

// Free gives r back. Descriptors in it that are still the receiver's stay open.
func (r *Rights) Free() {
	clear(r.conns)
	r.fd, r.conns, r.raw, r.heldE, r.data, r.b, r.oob = nil, r.conns[:0], nil, nil, nil, nil, nil
	rights.Put(r)
}

func (r *Rights) control() []byte {
	return sys.Bytes(&r.buffer)
}

// CloseAll closes the descriptors that were received.
func (r *Rights) CloseAll() {
	for _, fd := range r.Rights {
		sys.Close(fd)
	}
	r.Rights = r.Rights[:0]
	r.closePIDFD()
}

func (r *Rights) closePIDFD() {
	if r.PIDFD >= 0 {
		sys.Close(r.PIDFD)
		r.PIDFD = -1
	}
}

// Add adds the descriptors of conns to what is sent.
func (r *Rights) Add(conns ...syscall.Conn) { r.conns = append(r.conns, conns...) }

// AddRaw adds descriptors that the caller keeps open, behind those of Add.
func (r *Rights) AddRaw(fds []int) { r.raw = fds }

// HeldError reports a descriptor that could not be sent because it could not be
// kept open meanwhile.
type HeldError struct {
	Index int   // in the order of Add
	Err   error // of Control
}

func (e *HeldError) Error() string { return fmt.Sprintf("descriptor %d: %v", e.Index, e.Err) }

// SendRights sends all of b with the descriptors that were added, in one go as
// seen by other writers; of a stream, they go with the first byte. Nothing can
// close them while the system call runs. On other than datagram sockets a byte
// of zero carries them if b is empty, and is not counted. The error is a
// *HeldError if a descriptor was gone.
func (fd *FD) SendRights(r *Rights, b []byte) (int, error) {
	if n := len(r.raw) + len(r.conns); n > 0 {
		r.oob, r.data = sys.AppendRights(r.control()[:0], n)
	}
	for i, fd := range r.raw {
		sys.PutRight(r.data, len(r.conns)+i, uintptr(fd))
	}
	return r.write(fd, b)
}

// SendCred is SendRights with credentials.
func (fd *FD) SendCred(r *Rights, b []byte, c sys.Ucred) (int, error) {
	r.oob = sys.AppendCred(r.control()[:0], c)
	return r.write(fd, b)
}

func (r *Rights) write(fd *FD, b []byte) (int, error) {
	r.fd, r.b, r.n, r.errno, r.heldE = fd, b, 0, 0, nil
	uncounted := len(b) == 0 && len(r.oob) > 0 && fd.Type != sys.SOCK_DGRAM
	if uncounted {
		r.single[0] = 0
		r.b = r.single[:]
	}
	err := fd.RawWrite(r.send)
	r.turn.end(fd)
	if uncounted {
		r.n = 0
	}
	if err == nil && r.heldE != nil {
		return r.n, r.heldE
	}
	if err = fd.failed("sendmsg", r.errno, err); err == nil && r.n < len(b) {
		err = io.ErrUnexpectedEOF
	}
	return r.n, err
}

// send sends what is left and reports whether the matter is settled.
func (r *Rights) send(s uintptr) bool {
	r.s, r.done, r.held = s, false, -1
	if r.n > 0 {
		// They went with the first byte of a stream.
		clear(r.conns)
		r.conns = r.conns[:0]
	}
	r.hold(s)
	return r.done
}

func (r *Rights) sendmsg() {
	for {
		n, errno := 0, r.fd.takeWriteError()
		if errno == 0 {
			r.turn.take(r.fd)
			n, errno = sys.Sendmsg(r.s, r.b[r.n:], r.oob, sys.MSG_NOSIGNAL, nil)
		}
		switch errno {
		case 0:
			r.n += n
			if r.n < len(r.b) && n > 0 {
				r.oob = nil // and the rest alone
				continue
			}
		case sys.EAGAIN:
			r.turn.park(r.fd, r.n > 0)
			return
		}
		r.errno, r.done = errno, true
		return
	}
}

// RecvRights receives one message into b, and the descriptors that come with it
// into r. Closing them is up to the caller, also if something else is wrong with
// the message; after an error there are none. A pidfd is closed already.
func (fd *FD) RecvRights(r *Rights, b []byte) (int, error) {
	return r.recv(fd, b, false)
}

// RecvCred is RecvRights that does not put bytes of several senders together.
func (fd *FD) RecvCred(r *Rights, b []byte) (int, error) {
	return r.recv(fd, b, true)
}

func (r *Rights) recv(fd *FD, b []byte, alone bool) (int, error) {
	r.fd, r.b, r.alone = fd, b, alone
	return r.read(r.receive)
}

// TakeRight receives a descriptor with the byte that carries it, of which r tells as
// after RecvRights. Plain data are left for the next read, and so is a message of more
// than a byte, except where the system does not allow to look first: r.Left is set
// then.
func (fd *FD) TakeRight(r *Rights) error {
	r.fd, r.b = fd, r.single[:]
	_, err := r.read(r.take)
	return err
}

func (r *Rights) read(f func(uintptr) bool) (int, error) {
	r.n, r.errno = 0, 0
	err := r.fd.RawRead(f)
	r.closePIDFD()
	if err = r.fd.failed("recvmsg", r.errno, err); err == nil && r.ended() {
		err = io.EOF
	}
	if err != nil {
		return 0, err
	}
	return r.n, nil
}

// ended reports whether what was received is the end. A sequenced packet may be
// empty and carry descriptors, nothing else tells it from the end.
func (r *Rights) ended() bool {
	return r.n == 0 && len(r.b) > 0 && r.fd.IsStream() && r.plain() && !r.Left
}

func (r *Rights) receive(s uintptr) bool {
	fd := r.fd
	if !fd.hasUnread() {
		return r.recvmsg(s, r.b, 0)
	}
	n, oobn, flags, ok := fd.recvKept(s, r.b, r.control(), 0, nil)
	if !ok {
		return r.recvmsg(s, r.b, 0)
	}
	r.received(n, oobn, flags)
	if fd.Type == sys.SOCK_STREAM && n == 1 && !r.alone && len(r.b) > 1 && !fd.hasUnread() && sys.Unread(s) > 0 {
		// What was sent together is received together.
		r.closePIDFD()
		if !r.recvmsg(s, r.b[1:], 0) || r.errno != 0 {
			r.n, r.errno = 0, 0
		}
		r.n++
	}
	return true
}

func (r *Rights) take(s uintptr) bool {
	if kept, came := r.fd.keptRights(); kept {
		r.n, r.errno = 1, 0
		r.left(came)
		return true
	}
	switch {
	case r.fd.Type == sys.SOCK_STREAM:
		return r.takeStream(s)
	case sys.PeeksMessages:
		return r.takeMessage(s)
	}
	return r.recvmsg(s, r.b, 0)
}

// takeStream gives back a byte without a descriptor. MSG_PEEK would cost another
// system call, and not do: Linux shows descriptors of a later byte, too.
func (r *Rights) takeStream(s uintptr) bool {
	if !r.recvmsg(s, r.b, 0) {
		return false
	}
	if r.errno == 0 && r.n > 0 && r.plain() {
		r.keep(r.b[:r.n])
	}
	return true
}

// takeMessage takes a message only after a look at it. Others who share the socket,
// in this process or another, may be faster, and then what is taken is another message.
// So what counts is what was taken: it is kept if it had better been left.
func (r *Rights) takeMessage(s uintptr) bool {
	if !r.recvmsg(s, r.b, sys.MSG_PEEK) {
		return false
	}
	if r.errno != 0 || r.plain() || r.Short {
		if r.errno == 0 && !r.ended() {
			came := len(r.Rights)
			if r.Truncated {
				came++ // at least
			}
			r.CloseAll()
			r.left(came)
		}
		return true
	}
	// The number is needed again: it may be the last.
	r.CloseAll()
	long := messages.Get().(*[]byte)
	defer messages.Put(long)
	if !r.recvmsg(s, *long, 0) {
		return false
	}
	if r.errno != 0 || r.ended() {
		return true
	}
	if r.n > len(r.b) || r.plain() {
		r.keep((*long)[:r.n])
	}
	return true
}

// messages are memory for any message of the unix domain up to the size that a
// process may ask for by default, see wmem_max in socket(7).
var messages = sync.Pool{New: func() any { b := make([]byte, 512<<10); return &b }}

// keep leaves what recvmsg received, with the descriptors in it, to the next read.
func (r *Rights) keep(b []byte) {
	came := len(r.Rights)
	r.fd.keepMessage(b, r.control()[:r.oobn], r.flags, &r.from)
	r.Rights, r.PIDFD = r.Rights[:0], -1
	r.left(came)
}

// left says that a message was left, which brings so many descriptors.
func (r *Rights) left(came int) {
	r.clear()
	r.Left, r.Came = true, came
}

// plain reports whether data without descriptors were received.
func (r *Rights) plain() bool { return len(r.Rights) == 0 && !r.Truncated }

// Single reports whether one descriptor was received, and nothing is wrong.
func (r *Rights) Single() bool {
	return len(r.Rights) == 1 && !r.Truncated && !r.Unknown && !r.Short
}

// clear forgets what was received, which must not be open any more.
func (r *Rights) clear() {
	r.Received = sys.Received{Rights: r.Rights[:0], PIDFD: -1}
	r.Truncated, r.Limit, r.Short, r.Left, r.Came = false, 0, false, false, 0
}

// recvmsg receives into b and reports whether the matter is settled.
func (r *Rights) recvmsg(s uintptr, b []byte, flags int) bool {
	n, oobn, rflags, errno := 0, 0, 0, r.fd.takeReadError()
	if errno == 0 {
		n, oobn, rflags, errno = sys.Recvmsg(s, b, r.control(), flags|sys.MSG_CMSG_CLOEXEC, &r.from)
	}
	if errno == sys.EAGAIN {
		return false
	}
	if errno != 0 {
		r.n, r.errno = n, errno
		return true
	}
	r.received(n, oobn, rflags)
	if r.Truncated {
		// Before any is closed, for then there would be room again.
		var spare int
		if spare, r.Limit = sys.Dup(s); r.Limit == 0 {
			sys.Close(spare)
		}
	}
	return true
}

// received takes note of a message, whose control data are in place.
func (r *Rights) received(n, oobn, flags int) {
	r.clear()
	r.n, r.errno, r.oobn, r.flags = n, 0, oobn, flags
	r.Parse(r.control()[:oobn])
	r.Truncated = flags&sys.MSG_CTRUNC != 0 || r.Lost
	r.Short = flags&sys.MSG_TRUNC != 0
}

package sockets

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// MaxDescriptors is the greatest number of descriptors in one message. On Linux this is
// the kernel's limit, see SCM_RIGHTS in unix(7); elsewhere this package sets it.
const MaxDescriptors = 253

var _ = [1]struct{}{}[MaxDescriptors-sys.MaxRights] // they are the same

// Errors that receiving descriptors or credentials can return. An error of
// [UnixConn.ReceiveFD], [UnixConn.ReceiveFDs], [UnixConn.ReceiveCred] and their
// relatives matches one or more of them.
var (
	// ErrNoDescriptor means that plain data arrived, without a descriptor.
	ErrNoDescriptor = errors.New("sockets: no descriptor received")

	// ErrTooManyDescriptors means that more descriptors arrived than were asked for.
	ErrTooManyDescriptors = errors.New("sockets: too many descriptors received")

	// ErrDescriptorsLost means that the kernel could not install all of the descriptors
	// and discarded the rest. Either this process has reached its limit of open files, in
	// which case the error matches syscall.EMFILE as well, or a security policy forbids
	// it.
	ErrDescriptorsLost = errors.New("sockets: descriptors lost")

	// ErrMessageTooLong means that the message is longer than the buffer.
	ErrMessageTooLong = errors.New("sockets: message longer than the buffer")

	// ErrUnknownControl means that control data arrived other than descriptors and what
	// PassCred, PassPIDFD and PassSecurity ask for.
	ErrUnknownControl = errors.New("sockets: unknown control data received")

	// ErrNoCredentials means that no credentials arrived because PassCred is off.
	ErrNoCredentials = errors.New("sockets: no credentials received")
)

// ControlError reports what is wrong with the control data of a received message. All
// descriptors that came with the message have been closed.
type ControlError struct {
	Descriptors int   // how many arrived
	Max         int   // how many were asked for
	Err         error // ErrNoDescriptor, ErrTooManyDescriptors, ...
	Errno       error // syscall.EMFILE if descriptors were lost at the limit of open files, or nil
	TooLong     bool  // the rest of the message is lost as well: ErrMessageTooLong
}

func (e *ControlError) Error() string {
	s := fmt.Sprintf("%v (asked for %d, got %d)", e.Err, e.Max, e.Descriptors)
	if e.Errno != nil {
		s += ": " + e.Errno.Error()
	}
	if e.TooLong {
		s += "; " + ErrMessageTooLong.Error()
	}
	return s
}

// Unwrap returns Err, Errno and [ErrMessageTooLong], as far as they apply.
func (e *ControlError) Unwrap() []error {
	errs := []error{e.Err}
	if e.Errno != nil {
		errs = append(errs, e.Errno)
	}
	if e.TooLong {
		errs = append(errs, ErrMessageTooLong)
	}
	return errs
}

// DescriptorError reports a descriptor that cannot be sent, usually because it is
// closed.
type DescriptorError struct {
	Index int // of the descriptor among the arguments, from 0
	Err   error
}

func (e *DescriptorError) Error() string {
	return fmt.Sprintf("sockets: descriptor %d cannot be sent: %v", e.Index, e.Err)
}

// Unwrap returns Err.
func (e *DescriptorError) Unwrap() error { return e.Err }

// SendFD sends a copy of f's descriptor together with one byte of data. f may be any
// file or socket: an [*os.File], a connection or listener of this package or of package
// net, or c itself.
//
// The caller keeps f and may close it once SendFD returns; the peer's copy stays open.
// The two share the file offset, the socket options and the non-blocking mode.
//
// It obeys the write deadline and is safe for concurrent use; the byte is not mixed
// with the data of another Write. A datagram socket must be connected. The error is a
// [*DescriptorError] if f is closed, and matches [syscall.ETOOMANYREFS] if too many
// descriptors are in flight. See SCM_RIGHTS in unix(7).
func (c *UnixConn) SendFD(f syscall.Conn) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	r := netfd.GetRights()
	defer r.Free()
	r.Add(f)
	_, err := c.fd.SendRights(r, zeroByte)
	return opError(c.fd, "write", descriptorError(err))
}

// zeroByte is the data that travel with a descriptor.
var zeroByte = make([]byte, 1)

// SendFDs sends b together with copies of the descriptors of fds, and returns how many
// bytes of b were sent. On a stream, descriptors travel with the first byte. If b is
// empty, a zero byte that n does not count carries them; datagrams need none. Without
// descriptors it sends b alone.
//
// More than [MaxDescriptors] are refused before anything is sent, because it is up to
// the protocol between the peers how to split them into messages. If n is not 0, the
// descriptors were sent even if there is an error. Otherwise SendFDs is like
// [UnixConn.SendFD].
func (c *UnixConn) SendFDs(b []byte, fds ...syscall.Conn) (n int, err error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	r := netfd.GetRights()
	defer r.Free()
	if err = checkSend(len(fds)); err == nil {
		r.Add(fds...)
		n, err = c.fd.SendRights(r, b)
	}
	return n, opError(c.fd, "write", descriptorError(err))
}

// SendRawFDs is like [UnixConn.SendFDs], but takes descriptors as numbers. The caller
// must keep them open until it returns. If one is not open, nothing is sent, and the
// error matches [syscall.EBADF].
func (c *UnixConn) SendRawFDs(b []byte, fds ...int) (n int, err error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	r := netfd.GetRights()
	defer r.Free()
	err = checkSend(len(fds))
	for i, fd := range fds {
		if err == nil && (fd < 0 || fd > math.MaxInt32) {
			err = &DescriptorError{i, syscall.EBADF} // the kernel would take its low 32 bits
		}
	}
	if err == nil {
		r.AddRaw(fds)
		n, err = c.fd.SendRights(r, b)
	}
	return n, opError(c.fd, "write", err)
}

func checkSend(descriptors int) error {
	if descriptors > MaxDescriptors {
		return &ArgumentError{Arg: "number of descriptors", Value: descriptors, Why: fmt.Sprintf("at most %d go into a message", MaxDescriptors)}
	}
	return nil
}

// descriptorError turns the error for a descriptor that was closed into ours.
func descriptorError(err error) error {
	if held, ok := err.(*netfd.HeldError); ok {
		return &DescriptorError{held.Index, argumentError("descriptor", held.Err)}
	}
	return err
}

// ReceiveFD receives one descriptor and the byte that comes with it. The caller must
// close the file, which is close-on-exec from the start.
//
// If there is data without a descriptor, the error matches [ErrNoDescriptor], and the
// data is left for Read. If a message has more than one byte, the error matches
// [ErrMessageTooLong], and the message is left for [UnixConn.ReceiveFDs]. Until another
// method receives the data that was left, every ReceiveFD returns the same error.
//
// If anything else is wrong, the byte is consumed, everything that came with it is
// closed, and the error matches [ErrTooManyDescriptors], [ErrDescriptorsLost] or
// [ErrUnknownControl]. Credentials and the like that come with the descriptor are
// discarded. At the end of the stream the error is [io.EOF]; all others are of type
// [*net.OpError].
//
// On a stream, the byte left behind is kept in c with its control data, and returned by
// its next read method; direct reads from the descriptor do not see it. Messages are
// left in the socket, except on systems other than Linux, which cannot look at a
// message without consuming it.
//
// Several workers may share a unixpacket or unixgram socket, in this process and in
// others: each descriptor goes to one of them. If another worker takes the message that
// ReceiveFD has looked at, ReceiveFD continues with the next one. If that one has to be
// left, it is kept in c with its descriptors.
//
// ReceiveFD obeys the read deadline and is safe for concurrent use. It does not work
// together with [sockopt.PeekOffset].
//
// A peer may pass a socket that takes seconds to close, because SO_LINGER is set and
// there is unsent data. Closing a descriptor that it rejects then delays ReceiveFD for
// as long. A server that expects no descriptors can prevent this by turning
// [sockopt.PassRights] off (Linux 6.16); one that expects them should close sockets in
// a separate goroutine.
func (c *UnixConn) ReceiveFD() (*os.File, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	fd, err := c.receiveFD()
	if err != nil {
		return nil, opError(c.fd, "read", err)
	}
	return netfd.ReceivedFile(fd), nil
}

func (c *UnixConn) receiveFD() (int, error) {
	r := netfd.GetRights()
	defer r.Free()
	if err := c.fd.TakeRight(r); err != nil {
		return -1, err
	}
	switch {
	case r.Left && r.Came > 0:
		return -1, &ControlError{Descriptors: r.Came, Max: 1, Err: ErrMessageTooLong}
	case r.Left:
		return -1, &ControlError{Max: 1, Err: ErrNoDescriptor}
	case !r.Single():
		err := controlError(r, 1, 1)
		r.CloseAll()
		return -1, err
	}
	return r.Rights[0], nil
}

// ReceiveSocket is like [UnixConn.ReceiveFD], but for a socket. The socket is made
// non-blocking; its options are unchanged. If the descriptor is not a socket, it is
// closed, and the error matches [syscall.ENOTSOCK].
func (c *UnixConn) ReceiveSocket() (*Socket, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	sysfd, err := c.receiveFD()
	if err != nil {
		return nil, opError(c.fd, "read", err)
	}
	fd, p, err := netfd.Adopt(sysfd)
	if err != nil {
		return nil, opError(c.fd, "read", err)
	}
	return adopted(fd, &p), nil
}

// ReceiveFDs receives data into b, and up to max descriptors that come with it,
// possibly none. The caller must close the files, which are close-on-exec from the
// start.
//
// On a stream, descriptors belong to the byte with which they were sent. b may begin
// with data that was sent before them, but never contains data that was sent after
// them. If b is too short for all the data sent with them, the rest is received without
// descriptors. On a stream b must not be empty.
//
// On error no files are returned and every received descriptor is closed, but b[:n] is
// valid and the stream can be read further. The error is [io.EOF] at the end of a
// stream. Otherwise it is a [*net.OpError] that matches [ErrTooManyDescriptors],
// [ErrDescriptorsLost], [ErrUnknownControl] or, if the rest of a message is lost,
// [ErrMessageTooLong]. Credentials and the like are discarded.
//
// It obeys the read deadline and is safe for concurrent use.
func (c *UnixConn) ReceiveFDs(b []byte, max int) (n int, fds []*os.File, err error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	if err := c.checkReceive(b, max); err != nil {
		return 0, nil, opError(c.fd, "read", err)
	}
	r := netfd.GetRights()
	defer r.Free()
	n, err = c.receiveFDs(r, b, max)
	if err != nil || len(r.Rights) == 0 {
		return n, nil, opError(c.fd, "read", err)
	}
	fds = make([]*os.File, len(r.Rights))
	for i, fd := range r.Rights {
		fds[i] = netfd.ReceivedFile(fd)
	}
	return n, fds, nil
}

// ReceiveRawFDs is like [UnixConn.ReceiveFDs], but stores descriptors as numbers in fds,
// at most len(fds), and returns how many it received. It is for programs that pass on or
// close so many that an [os.File] for each would cost too much. The caller must close
// each number, or pass it to [os.NewFile] or [FromFD]; nothing else closes it.
func (c *UnixConn) ReceiveRawFDs(b []byte, fds []int) (n, nfds int, err error) {
	if !c.ok() {
		return 0, 0, syscall.EINVAL
	}
	if err := c.checkReceive(b, len(fds)); err != nil {
		return 0, 0, opError(c.fd, "read", err)
	}
	r := netfd.GetRights()
	defer r.Free()
	n, err = c.receiveFDs(r, b, len(fds))
	if err != nil {
		return n, 0, opError(c.fd, "read", err)
	}
	return n, copy(fds, r.Rights), nil
}

// receiveFDs receives data into b and up to max descriptors into r, none if it
// fails.
func (c *UnixConn) receiveFDs(r *netfd.Rights, b []byte, max int) (n int, err error) {
	n, err = c.fd.RecvRights(r, b)
	if err != nil {
		return n, err
	}
	if err := controlError(r, 0, max); err != nil {
		r.CloseAll()
		return n, err
	}
	return n, nil
}

// checkReceive refuses what could only lose data.
func (c *UnixConn) checkReceive(b []byte, max int) error {
	if max < 0 {
		return &ArgumentError{Arg: "number of descriptors", Value: max, Why: "must not be negative"}
	}
	if len(b) == 0 && c.fd.Type == sys.SOCK_STREAM {
		return &ArgumentError{Arg: "buffer", Value: "of length 0", Why: "must not be empty on a stream: control data needs a byte"}
	}
	return nil
}

// controlError says what is wrong with a message that should have brought between
// min and max descriptors, and nil if nothing is.
func controlError(r *netfd.Rights, min, max int) *ControlError {
	e := &ControlError{Descriptors: len(r.Rights), Max: max, TooLong: r.Short}
	switch {
	case r.Truncated:
		e.Err = ErrDescriptorsLost
		if r.Limit != 0 {
			e.Errno = r.Limit
		}
	case len(r.Rights) < min:
		e.Err = ErrNoDescriptor
	case r.Unknown:
		e.Err = ErrUnknownControl
	case len(r.Rights) > max:
		e.Err = ErrTooManyDescriptors
	case r.Short:
		e.Err, e.TooLong = ErrMessageTooLong, false
	default:
		return nil
	}
	return e
}

// SendCred sends b with credentials and returns how many bytes of b were sent. The zero
// Ucred means this process and its effective user and group. The kernel checks
// credentials: to send those of others, a process needs CAP_SYS_ADMIN, CAP_SETUID and
// CAP_SETGID.
//
// A receiver with PassCred on gets the sender's credentials with every message, so
// SendCred is needed only to send different ones. Linux only.
func (c *UnixConn) SendCred(b []byte, cred sockopt.Ucred) (n int, err error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	if sys.SCM_CREDENTIALS < 0 {
		return 0, opError(c.fd, "write", errors.ErrUnsupported)
	}
	if cred == (sockopt.Ucred{}) {
		cred = sockopt.Ucred{PID: os.Getpid(), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	}
	if cred.PID != int(int32(cred.PID)) { // the kernel would take its low 32 bits
		return 0, opError(c.fd, "write", &ArgumentError{Arg: "process ID", Value: cred.PID, Why: "does not fit in 32 bits"})
	}
	r := netfd.GetRights()
	defer r.Free()
	n, err = c.fd.SendCred(r, b, sys.Ucred{PID: cred.PID, UID: cred.UID, GID: cred.GID})
	return n, opError(c.fd, "write", err)
}

// ReceiveCred receives data into b together with its sender's credentials. It never
// returns bytes from different senders of a stream together. [sockopt.PassCred] must
// have been on before the data was sent; [sockopt.PeerCred] gives the credentials at
// connect.
//
// If it returns an error, b[:n] is still valid. The error matches [ErrNoCredentials] if
// no credentials arrived, and [ErrTooManyDescriptors] if descriptors arrived, which are
// closed; [UnixConn.ReadMsgUnix] receives both. Otherwise ReceiveCred is like
// [UnixConn.ReceiveFDs]. Linux only.
func (c *UnixConn) ReceiveCred(b []byte) (n int, cred sockopt.Ucred, err error) {
	if !c.ok() {
		return 0, sockopt.Ucred{}, syscall.EINVAL
	}
	if sys.SCM_CREDENTIALS < 0 {
		return 0, sockopt.Ucred{}, opError(c.fd, "read", errors.ErrUnsupported)
	}
	if err := c.checkReceive(b, 0); err != nil {
		return 0, sockopt.Ucred{}, opError(c.fd, "read", err)
	}
	r := netfd.GetRights()
	defer r.Free()
	n, err = c.fd.RecvCred(r, b)
	if err != nil {
		return n, sockopt.Ucred{}, opError(c.fd, "read", err)
	}
	wrong := controlError(r, 0, 0)
	r.CloseAll()
	if wrong == nil && !r.HasCred {
		wrong = &ControlError{Err: ErrNoCredentials}
	}
	if wrong != nil {
		return n, sockopt.Ucred{}, opError(c.fd, "read", wrong)
	}
	return n, sockopt.Ucred{PID: r.Cred.PID, UID: r.Cred.UID, GID: r.Cred.GID}, nil
}

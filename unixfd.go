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

// MaxDescriptors is how many descriptors one message carries at most: the kernel's limit
// on Linux, SCM_RIGHTS in unix(7), and that of this package elsewhere.
const MaxDescriptors = 253

var _ = [1]struct{}{}[MaxDescriptors-sys.MaxRights] // they are the same

// What may be wrong with a message that was received for its descriptors or its
// credentials. Errors of ReceiveFD and its likes match one of them, or several.
var (
	// ErrNoDescriptor means that none came, but plain data.
	ErrNoDescriptor = errors.New("sockets: no descriptor came")

	// ErrTooManyDescriptors means that more came than were asked for.
	ErrTooManyDescriptors = errors.New("sockets: too many descriptors came")

	// ErrDescriptorsLost means that the kernel could not give all of them, and has
	// discarded the rest: this process has no more numbers, and the error matches
	// syscall.EMFILE as well, or a security policy forbids it.
	ErrDescriptorsLost = errors.New("sockets: descriptors were lost")

	// ErrMessageTooLong means that the message is longer than the buffer.
	ErrMessageTooLong = errors.New("sockets: message longer than the buffer")

	// ErrUnknownControl means that control data came that are neither descriptors
	// nor what PassCred, PassPIDFD and PassSecurity ask for.
	ErrUnknownControl = errors.New("sockets: unknown control data came")

	// ErrNoCredentials means that no credentials came: PassCred is off.
	ErrNoCredentials = errors.New("sockets: no credentials came")
)

// ControlError reports what is wrong with the control data of a message. All
// descriptors that came are closed.
type ControlError struct {
	Descriptors int   // how many came
	Max         int   // how many were asked for
	Err         error // ErrNoDescriptor, ErrTooManyDescriptors, ...
	Errno       error // why descriptors were lost, syscall.EMFILE, or nil
	TooLong     bool  // the rest of the message is lost, too: ErrMessageTooLong
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

// Unwrap returns Err, Errno and ErrMessageTooLong, as far as they apply.
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

// DescriptorError reports a descriptor that cannot be sent, mostly because it is
// closed.
type DescriptorError struct {
	Index int // of the argument
	Err   error
}

func (e *DescriptorError) Error() string {
	return fmt.Sprintf("sockets: descriptor %d cannot be sent: %v", e.Index, e.Err)
}

// Unwrap returns Err.
func (e *DescriptorError) Unwrap() error { return e.Err }

// SendFD sends a copy of f's descriptor, with one byte of data. f may be any file
// or socket: an *os.File, whatever has a descriptor in this package or in package
// net, c itself.
//
// The caller keeps f and may close it once SendFD returns; the peer's copy stays
// open. File offset, options and the non-blocking mode belong to both.
//
// It obeys the write deadline and may be called concurrently; the byte does not
// come between those of another Write. A datagram socket must be connected. The
// error matches syscall.ETOOMANYREFS if too many descriptors are under way, and is
// a *DescriptorError if f is closed. See SCM_RIGHTS in unix(7).
func (c *UnixConn) SendFD(f syscall.Conn) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	r := netfd.GetRights()
	defer r.Free()
	err := addDescriptor(r, 0, f)
	if err == nil {
		_, err = c.fd.SendRights(r, zeroByte)
	}
	return opError(c.fd, "write", descriptorError(err))
}

// zeroByte is the data that travel with a descriptor.
var zeroByte = make([]byte, 1)

// SendFDs sends b together with copies of the descriptors of fds, and returns how
// much of b was sent. Of a stream, the descriptors go with the first byte. Without
// any it sends b alone; if b is empty, a byte of zero goes with them that is not
// counted, except on a datagram socket, where a message may be empty.
//
// More than MaxDescriptors are refused before anything is sent: a message is one,
// and only the peers know how to divide theirs. With an error, the descriptors were
// sent if n is not 0. Otherwise it is as SendFD.
func (c *UnixConn) SendFDs(b []byte, fds ...syscall.Conn) (n int, err error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	r := netfd.GetRights()
	defer r.Free()
	err = checkSend(len(fds))
	for i := 0; i < len(fds) && err == nil; i++ {
		err = addDescriptor(r, i, fds[i])
	}
	if err == nil {
		n, err = c.fd.SendRights(r, b)
	}
	return n, opError(c.fd, "write", descriptorError(err))
}

// SendRawFDs is SendFDs for descriptors by their numbers, of which the caller sees
// to it that nobody closes them before it returns. The error matches syscall.EBADF
// if one is not open, and then nothing is sent.
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

func addDescriptor(r *netfd.Rights, i int, f syscall.Conn) error {
	if f == nil {
		return &DescriptorError{i, syscall.EINVAL}
	}
	raw, err := f.SyscallConn()
	if err == nil && raw == nil {
		err = syscall.EINVAL
	}
	if err != nil {
		return &DescriptorError{i, netfd.ConnError(err)}
	}
	r.Add(raw)
	return nil
}

// descriptorError turns the error for a descriptor that was closed into ours.
func descriptorError(err error) error {
	if held, ok := err.(*netfd.HeldError); ok {
		return &DescriptorError{held.Index, netfd.ConnError(held.Err)}
	}
	return err
}

// ReceiveFD receives one descriptor and the byte that comes with it. The file is
// the caller's to close, and close-on-exec from the start.
//
// Data without a descriptor are left for Read: the error matches ErrNoDescriptor, or
// is io.EOF at the end. So is a message of more than a byte, for ReceiveFDs:
// ErrMessageTooLong. What is left must be received in another way first: until then
// every call returns the same error. Otherwise the byte is taken and what came with it
// is closed: ErrTooManyDescriptors, ErrDescriptorsLost, ErrUnknownControl. The errors
// but io.EOF are *net.OpError. Credentials and the like that come with the descriptor
// are discarded.
//
// The first byte that is left of a stream waits in c, where every method finds it,
// but not a reader of the descriptor itself. Messages wait in the socket; systems
// other than Linux cannot tell without taking them. The control data that came with
// what waits in c, such as the sender's credentials, wait there, too.
//
// Workers may share a unixpacket or unixgram socket, in this process and in others:
// each descriptor goes to one of them. If another worker takes the message that
// ReceiveFD has looked at, the next one counts; if that is to be left, it waits in c
// from then on, with its descriptors, and not in the socket.
//
// It obeys the read deadline, may be called concurrently, and does not go together
// with PeekOffset.
//
// A peer may pass a socket whose close takes seconds, one with SO_LINGER set and
// unsent data. Whether it is closed here because something is wrong with the message,
// or later by the caller, that call waits. A server that expects no descriptors of its
// clients turns PassRights off, where the kernel has it (Linux 6.16), which prevents
// it; one that expects them closes sockets in a goroutine of their own.
func (c *UnixConn) ReceiveFD() (*os.File, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	fd, err := c.receiveFD()
	if err != nil {
		return nil, opError(c.fd, "read", err)
	}
	return receivedFile(fd), nil
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

// receivedFile returns the file of a descriptor that was received.
func receivedFile(fd int) *os.File {
	if fd <= 2 {
		// Of 1 and 2, an os.File would raise SIGPIPE.
		if up, errno := sys.Dup(uintptr(fd)); errno == 0 {
			sys.Close(fd)
			fd = up
		}
	}
	return os.NewFile(uintptr(fd), "received")
}

// ReceiveSocket is ReceiveFD for a socket, which is made non-blocking; options stay
// as they are. If the descriptor is none, it is closed, and the error matches
// syscall.ENOTSOCK.
func (c *UnixConn) ReceiveSocket() (*Socket, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	sysfd, err := c.receiveFD()
	if err != nil {
		return nil, opError(c.fd, "read", err)
	}
	fd, err := own(sysfd)
	if err != nil {
		return nil, opError(c.fd, "read", err)
	}
	return adopted(fd), nil
}

// ReceiveFDs receives data into b, and up to max descriptors that come with them,
// possibly none. The files are the caller's to close, and close-on-exec from the
// start.
//
// On a stream, descriptors come with the bytes they were sent with, but what was
// sent before without descriptors may come in front of these in the same call, and
// what was sent after never does: they belong to the end of what is received, or to
// an earlier byte if b was too short for the rest. b must not be empty there.
//
// With an error there are no files, all descriptors that came are closed, and n
// bytes of b are received as ever: the stream goes on behind them. It is io.EOF at
// the end of a stream, or else a *net.OpError that matches ErrTooManyDescriptors,
// ErrDescriptorsLost, ErrUnknownControl or, where the rest of a message is lost,
// ErrMessageTooLong. Credentials and the like are discarded.
//
// It obeys the read deadline and may be called concurrently.
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
		fds[i] = receivedFile(fd)
	}
	return n, fds, nil
}

// ReceiveRawFDs is ReceiveFDs that stores the numbers of up to len(fds) descriptors
// in fds, and returns how many came: for a caller who passes on or closes so many
// that an os.File for each is too much. The numbers are the caller's to close, by
// os.NewFile or FromFD if one becomes a file or a socket; nothing else closes them.
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
		return &ArgumentError{Arg: "buffer", Value: "of length 0", Why: "control data come with a byte of a stream"}
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

// SendCred sends b with credentials, which the kernel checks: a process may send its
// own, and with CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID others' as well. The zero
// Ucred stands for this process and its effective user and group. A receiver with
// PassCred gets credentials with every message, so that it takes this only to send
// others. It returns how much of b was sent. Linux only.
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
	r := netfd.GetRights()
	defer r.Free()
	n, err = c.fd.SendCred(r, b, sys.Ucred{PID: cred.PID, UID: cred.UID, GID: cred.GID})
	return n, opError(c.fd, "write", err)
}

// ReceiveCred receives data into b and the credentials of who sent them: a byte
// of a stream never comes together with one of another sender. PassCred must be on
// since before they were sent; for the peer as of connect, see PeerCred.
//
// With an error, n bytes of b are received as ever. It matches ErrNoCredentials if
// none came, and ErrTooManyDescriptors, with all of them closed, if descriptors
// did; ReadMsgUnix receives both. Otherwise it is as ReceiveFDs. Linux only.
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

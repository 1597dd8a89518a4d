package netfd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// ErrPoller says that the runtime's poller refused a descriptor. It comes as a
// *PollerError.
var ErrPoller = errors.New("sockets: the runtime poller refused the descriptor")

// PollerError matches ErrPoller, and what epoll_ctl(2) says of the descriptor.
type PollerError struct{ Errno syscall.Errno }

func (e *PollerError) Error() string { return ErrPoller.Error() + ": " + e.Errno.Error() }

// Unwrap returns ErrPoller and Errno.
func (e *PollerError) Unwrap() []error { return []error{ErrPoller, e.Errno} }

// Temporary reports whether the system was short of something, watches for example, so
// that a server goes on once there is some again.
func (e *PollerError) Temporary() bool {
	switch e.Errno {
	case syscall.ENOSPC, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE:
		return true
	}
	return false
}

// Timeout returns false.
func (e *PollerError) Timeout() bool { return false }

// ErrPeerKept says that a socket cannot be left without a peer. It matches
// errors.ErrUnsupported.
var ErrPeerKept = fmt.Errorf("sockets: the kernel would still receive from the old peer only: %w", errors.ErrUnsupported)

// CallError names the system call that an errno comes from, and leaves every
// other error alone.
func CallError(call string, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, err)
	}
	return err
}

// DestError is CallError for a destination that the named system call would have
// refused: a closed descriptor and a deadline in the past come before it.
func (fd *FD) DestError(call string, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		if err := fd.RawWrite(func(uintptr) bool { return true }); err != nil {
			return err
		}
	}
	return CallError(call, err)
}

// pollError takes the error of a call apart that a descriptor in the poller refuses
// only once it is closed. A closed os.File answers with an error there that matches
// neither os.ErrClosed nor net.ErrClosed.
func pollError(err error) error {
	if err == nil {
		return nil
	}
	return net.ErrClosed
}

// settled reports whether a call's outcome is the caller's: EAGAIN is only if
// there is to be no waiting.
func (fd *FD) settled(errno *syscall.Errno, flags int) bool {
	return *errno == 0 || fd.failedFor(errno, flags)
}

// failedFor is settled after a failure.
func (fd *FD) failedFor(errno *syscall.Errno, flags int) bool {
	if *errno == sys.ENOTCONN || *errno == sys.EPIPE {
		fd.notYet(errno)
	}
	if *errno == sys.EINPROGRESS {
		// Sending began the connection, TCP_FASTOPEN_CONNECT, and took no data along.
		*errno = sys.EAGAIN
	}
	return *errno != sys.EAGAIN || flags&sys.MSG_DONTWAIT != 0
}

// failed returns what the matter was: err with waiting for the named system call, or
// errno with that.
func (fd *FD) failed(call string, errno syscall.Errno, err error) error {
	if err != nil {
		err = fd.rawError(err)
		if err == os.ErrDeadlineExceeded || err == net.ErrClosed {
			return err
		}
		// The poller does not wait on EPOLLERR alone, which a socket shows for a
		// moment before it is seen to be closed by an error.
		v, e := fd.GetsockoptInt(sys.SOL_SOCKET, sys.SO_ERROR)
		if e != nil || v == 0 {
			return err
		}
		errno = syscall.Errno(v)
	}
	if errno != 0 {
		return os.NewSyscallError(call, errno)
	}
	return nil
}

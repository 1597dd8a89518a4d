package sockopt

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
)

// An Error says which option failed on what kind of socket.
//
// It matches [errors.ErrUnsupported] if the operating system does not have the
// option, or if this kind of socket does not.
type Error struct {
	Option string // the name in the C headers of Linux, such as "TCP_NODELAY"
	Socket string // such as "udp4", "mptcp6", "unixgram"; empty if it is closed or no socket
	Err    error
}

func (e *Error) Error() string {
	if e.Socket == "" {
		return e.Option + ": " + e.Err.Error()
	}
	return e.Option + " on " + e.Socket + " socket: " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes ENOPROTOOPT match errors.ErrUnsupported. Which errno a socket answers
// for an option it lacks depends on its family, and of the two in use package
// syscall treats only EOPNOTSUPP this way.
func (e *Error) Is(target error) bool {
	return target == errors.ErrUnsupported && errors.Is(e.Err, syscall.ENOPROTOOPT)
}

// Timeout lets the *net.OpError around e answer as if e were not there.
func (e *Error) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// Temporary lets the *net.OpError around e answer as if e were not there. An
// os.SyscallError has no such method, so the errno inside is asked.
func (e *Error) Temporary() bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](e.Err)
	return ok && t.Temporary()
}

// syscallError adds the call to an errno; what was refused or missing before any
// call passes through.
func syscallError(call string, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, err)
	}
	return err
}

// optionAddr returns c's local address, nil if c has none.
func optionAddr(c syscall.Conn) net.Addr {
	switch c := c.(type) {
	case interface{ LocalAddr() net.Addr }:
		return c.LocalAddr()
	case interface{ Addr() net.Addr }:
		return c.Addr()
	}
	return nil
}

// closedError turns the ways in which a conn says that it is closed into
// net.ErrClosed; other errors pass through.
func closedError(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) || errors.Is(err, fileClosed()) {
		return net.ErrClosed
	}
	return err
}

// fileClosed returns what the RawConn of a closed os.File answers: an error of
// package os's own that matches no exported one.
var fileClosed = sync.OnceValue(func() error {
	// No system numbers its descriptors this high, so none is opened here and
	// none is closed.
	f := os.NewFile(1<<31-1, "")
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	f.Close()
	return rc.Control(func(uintptr) {})
})

package netfd

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Control calls f with the descriptor of c, of whatever package it is. If there is none
// to be had, the error is that of ConnError; that of a nil c is sys.ErrNil.
func Control(c syscall.Conn, f func(sysfd uintptr)) error {
	if file, ok := c.(*os.File); ok && file != nil {
		raw, err := file.SyscallConn() // on the stack
		if err == nil {
			err = raw.Control(f)
		}
		return ConnError(err)
	}
	if sys.IsNil(c) {
		return sys.ErrNil
	}
	raw, err := c.SyscallConn()
	if err == nil && sys.IsNil(raw) {
		return sys.ErrNil
	}
	if err == nil {
		err = raw.Control(f)
	}
	return ConnError(err)
}

// ConnError returns the error of a file or connection of any package that does not give
// its descriptor away, without the *net.OpError that may be around it: if it is
// closed, one that matches net.ErrClosed.
func ConnError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, net.ErrClosed):
		return net.ErrClosed
	case sys.IsFileClosed(err):
		return fileClosedError{}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// fileClosedError is the error of a closed file. It matches os.ErrClosed as well as
// net.ErrClosed.
type fileClosedError struct{}

func (fileClosedError) Error() string { return os.ErrClosed.Error() }

func (fileClosedError) Is(target error) bool {
	return target == os.ErrClosed || target == net.ErrClosed
}

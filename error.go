package sockets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// ArgumentError reports an argument that is invalid for any socket. It names the
// argument and the reason, and matches [syscall.EINVAL].
type ArgumentError struct {
	Arg   string // "backlog"
	Value any
	Why   string // "must not be negative"
}

func (e *ArgumentError) Error() string {
	value := fmt.Sprint(e.Value)
	if value == "" {
		value = `""`
	}
	return fmt.Sprintf("sockets: invalid %s %s: %s", e.Arg, value, e.Why)
}

// Unwrap returns syscall.EINVAL.
func (e *ArgumentError) Unwrap() error { return syscall.EINVAL }

// argumentError returns err, or an *ArgumentError that names arg if what it was to give
// a descriptor is nil.
func argumentError(arg string, err error) error {
	if err == sys.ErrNil {
		return &ArgumentError{Arg: arg, Value: nil, Why: "must not be nil"}
	}
	return err
}

// Package net gives errors that it does not export to say that an address is
// missing, and that a dial was canceled or timed out. Programs compare them and
// their texts, so ours are the same values, taken from calls that fail before
// they reach the network.
var (
	errMissingAddress = sync.OnceValue(func() error {
		_, err := net.Dial("tcp", "")
		return innerError(err)
	})
	errCanceled = sync.OnceValue(func() error {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := new(net.Dialer).DialContext(ctx, "udp", "127.0.0.1:9")
		return innerError(err)
	})
	errTimeout = sync.OnceValue(func() error {
		d := net.Dialer{Deadline: time.Unix(1, 0)}
		_, err := d.Dial("udp", "127.0.0.1:9")
		return innerError(err)
	})
)

func innerError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// mapErr turns the error of a context into what package net says.
func mapErr(err error) error {
	switch err {
	case context.Canceled:
		return errCanceled()
	case context.DeadlineExceeded:
		return errTimeout()
	}
	return err
}

// opError adds op and both addresses; nil and io.EOF pass through unchanged.
//
//go:noinline // its callers wait, and have as little on their stack as can be
func opError(fd *netfd.FD, op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: fd.Network, Source: fd.Local(), Addr: fd.Remote(), Err: err}
}

// opErrorLocal is opError for calls that concern this end alone: listeners,
// deadlines, buffers.
func opErrorLocal(fd *netfd.FD, op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: fd.Network, Source: nil, Addr: fd.Local(), Err: err}
}

// opErrorTo is opError for calls with a destination.
func opErrorTo(fd *netfd.FD, to net.Addr, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "write", Net: fd.Network, Source: fd.Local(), Addr: to, Err: err}
}

// openError is opError where there is no socket, or none yet. nil passes through.
func openError(op, network string, source, addr net.Addr, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: network, Source: source, Addr: addr, Err: err}
}

// foreignError is opError for a connection of any make.
func foreignError(c net.Conn, op string, err error) error {
	local := c.LocalAddr()
	return openError(op, networkOf(local), local, c.RemoteAddr(), err)
}

// pathError is what ReadFrom of f makes of an error: one of Write.
func pathError(f *os.File, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*os.SyscallError); ok && e.Syscall == "write" {
		err = e.Err
	}
	return &os.PathError{Op: "write", Path: f.Name(), Err: err}
}

// networkOf returns the network of addr, "" for nil.
func networkOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	return addr.Network()
}

// fileError is openError for a file, or whatever it is called, that is to become a
// socket.
func fileError(name string, err error) error {
	return openError("file", "file+net", nil, fileAddr(name), err)
}

// fileAddr is the address in errors about a file that is no socket of use.
type fileAddr string

func (fileAddr) Network() string  { return "file+net" }
func (f fileAddr) String() string { return string(f) }

// socketError wraps an error of a method; fd is nil if the Socket was empty.
func socketError(op string, fd *netfd.FD, addr net.Addr, err error) error {
	if fd == nil {
		return openError(op, "", nil, addr, err)
	}
	return openError(op, fd.Network, fd.Local(), addr, err)
}

// addrError names the system call that would have refused an address with the
// bare errno err. Package net has one exception.
func addrError(call string, err error) error {
	if err == errOtherUnixNet {
		return err
	}
	return netfd.CallError(call, err)
}

// isErrno reports whether err is errno, or a system call's error with it.
func isErrno(err error, errno syscall.Errno) bool {
	return err != nil && errors.Is(err, errno)
}

// destError is addrError for the destination of a message: package net reports that
// the socket is closed, or its deadline over, before an address that the system call
// would refuse.
func (c *conn) destError(call string, err error) error {
	if err == errOtherUnixNet {
		return err
	}
	return c.fd.DestError(call, err)
}

// readError is opError for messages, where the end of a stream is an error with
// addresses in some releases.
func readError(fd *netfd.FD, err error) error {
	if err == nil || err == io.EOF && !netfd.WrapsEOF {
		return err
	}
	return &net.OpError{Op: "read", Net: fd.Network, Source: fd.Local(), Addr: fd.Remote(), Err: err}
}

// ErrWouldBlock is matched by the error of a non-blocking call that would have had to
// wait.
var ErrWouldBlock error = syscall.EAGAIN

// RoleError reports that a socket cannot take a role. It matches
// [errors.ErrUnsupported].
type RoleError struct {
	Socket string // what Socket.String returns
	Role   string // "listener"
	Why    string // "it does not listen"
}

func (e *RoleError) Error() string {
	return "sockets: " + e.Socket + " cannot be a " + e.Role + ": " + e.Why
}

// Is reports whether target is errors.ErrUnsupported.
func (e *RoleError) Is(target error) bool { return target == errors.ErrUnsupported }

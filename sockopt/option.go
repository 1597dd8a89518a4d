package sockopt

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// An Option is a socket option whose value is a T.
//
// It works on every socket that hands out its descriptor as a [syscall.Conn]:
// the types of this package, those of package net, an [os.File]. Options are
// listed by level: SO_ (any socket), IP_, IPV6_, TCP_ and UDP_.
//
// Get and Set never block, may run beside any other call on the conn, and fail
// with a [*net.OpError] that holds an [*Error]. The initial values given
// with each option are those of Linux; where they can be configured, the usual
// configuration is meant.
type Option[T any] struct {
	name  string
	value optionValue[T]
}

// A ReadOnlyOption is a socket option that tells something about a socket and
// that no system call changes. Otherwise it is like an [Option].
type ReadOnlyOption[T any] struct {
	name  string
	value readOnlyValue[T]
}

// readOnlyValue knows how the kernel lays out a T.
type readOnlyValue[T any] interface {
	get(fd uintptr, o sys.Opt) (T, error)
}

// optionValue adds the way back. Its set refuses what does not fit.
type optionValue[T any] interface {
	readOnlyValue[T]
	set(fd uintptr, o sys.Opt, v T) error
}

// String returns the option's name in the C headers of Linux, such as
// "SO_REUSEADDR".
func (o Option[T]) String() string { return o.name }

// Get returns the option's value on c.
func (o Option[T]) Get(c syscall.Conn) (T, error) { return getOption(c, o.name, o.value) }

// Set changes the option on c to v.
//
// A v that the option cannot express is refused before any system call, with an
// error that matches [syscall.EINVAL]; durations are rounded up to the option's
// unit.
func (o Option[T]) Set(c syscall.Conn, v T) error {
	return controlOption(c, "set", o.name, func(fd uintptr, so sys.Opt) error {
		return syscallError("setsockopt", o.value.set(fd, so, v))
	})
}

// With returns the option together with a value, for the Options of a [Dialer]
// or a [ListenConfig]. A v that does not fit is reported when it is applied.
func (o Option[T]) With(v T) Setting { return Setting{setting[T]{o, v}} }

// String returns the option's name in the C headers of Linux, such as "SO_TYPE".
func (o ReadOnlyOption[T]) String() string { return o.name }

// Get returns the option's value on c.
func (o ReadOnlyOption[T]) Get(c syscall.Conn) (T, error) { return getOption(c, o.name, o.value) }

// A Setting is an option with the value it shall get, made by [Option.With].
// The zero Setting sets nothing.
type Setting struct {
	s interface {
		option() string
		value() any
		set(fd uintptr, o sys.Opt) error
	}
}

// String returns the setting as in "SO_REUSEADDR=true".
func (s Setting) String() string {
	if s.s == nil {
		return ""
	}
	return fmt.Sprintf("%s=%v", s.s.option(), s.s.value())
}

// option returns the name of the option to be set.
func (s Setting) option() string {
	if s.s == nil {
		return ""
	}
	return s.s.option()
}

// Apply sets the option on the socket that c gives access to. It serves inside the
// Control function of a net.Dialer or net.ListenConfig, before bind and connect.
// Its error is an [*Error].
func (s Setting) Apply(c syscall.RawConn) error {
	if s.s == nil {
		return nil
	}
	var err error
	if connErr := c.Control(func(fd uintptr) { err = s.apply(fd) }); connErr != nil {
		return &Error{Option: s.option(), Err: closedError(connErr)}
	}
	return err
}

// apply sets the option on a descriptor that stays the caller's. Its errors are
// *Error.
func (s Setting) apply(fd uintptr) error {
	if s.s == nil {
		return nil
	}
	return useOption(fd, s.s.option(), func(fd uintptr, so sys.Opt) error {
		return syscallError("setsockopt", s.s.set(fd, so))
	})
}

type setting[T any] struct {
	o Option[T]
	v T
}

func (s setting[T]) option() string                  { return s.o.name }
func (s setting[T]) value() any                      { return s.v }
func (s setting[T]) set(fd uintptr, o sys.Opt) error { return s.o.value.set(fd, o, s.v) }

func getOption[T any](c syscall.Conn, name string, value readOnlyValue[T]) (v T, err error) {
	err = controlOption(c, "get", name, func(fd uintptr, so sys.Opt) (err error) {
		v, err = value.get(fd, so)
		return syscallError("getsockopt", err)
	})
	return v, err
}

// controlOption calls use with c's descriptor.
func controlOption(c syscall.Conn, op, name string, use func(uintptr, sys.Opt) error) error {
	var err error
	rc, connErr := c.SyscallConn()
	if connErr == nil {
		connErr = rc.Control(func(fd uintptr) { err = useOption(fd, name, use) })
	}
	if connErr != nil {
		// The descriptor was not to be had, so use was not called.
		err = &Error{Option: name, Err: closedError(connErr)}
	}
	if err == nil {
		return nil
	}
	opErr := &net.OpError{Op: op, Addr: optionAddr(c), Err: err}
	if opErr.Addr != nil {
		opErr.Net = opErr.Addr.Network()
	}
	return opErr
}

// useOption calls use with what this system calls the option.
func useOption(fd uintptr, name string, use func(uintptr, sys.Opt) error) error {
	so, ok := sys.OptFind(name)
	err := errors.ErrUnsupported
	if ok {
		err = use(fd, so)
	}
	if err == nil {
		return nil
	}
	return &Error{Option: name, Socket: sys.OptSocketName(fd), Err: err}
}

package sockopt

import (
	"bytes"
	"fmt"
	"slices"
	"syscall"
)

// An Option is a socket option whose value is of type T.
//
// Get and Set never block and may be called concurrently with all other calls on c.
// Errors of Get and Set are of type [*net.OpError] and wrap an [*Error].
//
// The initial value given for each option is that of Linux in its usual configuration.
type Option[T any] struct {
	name  string
	value value[T]
}

// A ReadOnlyOption is a socket option that can be read but not set. Otherwise it is
// like an [Option].
type ReadOnlyOption[T any] struct {
	name  string
	value reader[T]
}

// A WriteOnlyOption is a socket option that can be set but not read. Often it performs
// an action. Otherwise it is like an [Option].
type WriteOnlyOption[T any] struct {
	name  string
	value writer[T]
}

// String returns the option's name in the C headers of Linux, such as "SO_REUSEADDR".
func (o Option[T]) String() string { return o.name }

// Get returns the value of the option on c.
func (o Option[T]) Get(c syscall.Conn) (T, error) { return get(c, o.name, o.value) }

// Set sets the option on c to v.
//
// If the option cannot have the value v, the error wraps a [*ValueError], and the system
// is not called. Durations are rounded up to the option's unit.
func (o Option[T]) Set(c syscall.Conn, v T) error { return set(c, o.name, o.value, v) }

// With returns the option together with a value, as a [Setting]. If the option cannot
// have the value v, applying the Setting returns an error that wraps a [*ValueError].
func (o Option[T]) With(v T) Setting { return Setting{setting[T]{o.name, o.value, v}} }

// String returns the option's name in the C headers of Linux, such as "SO_TYPE".
func (o ReadOnlyOption[T]) String() string { return o.name }

// Get returns the value of the option on c.
func (o ReadOnlyOption[T]) Get(c syscall.Conn) (T, error) { return get(c, o.name, o.value) }

// String returns the option's name in the C headers of Linux, such as
// "MCAST_JOIN_GROUP".
func (o WriteOnlyOption[T]) String() string { return o.name }

// Set sets the option on c to v. If the option cannot have the value v, the error wraps
// a [*ValueError], and the system is not called.
func (o WriteOnlyOption[T]) Set(c syscall.Conn, v T) error { return set(c, o.name, o.value, v) }

// With returns the option together with a value, as [Option.With] does.
func (o WriteOnlyOption[T]) With(v T) Setting { return Setting{setting[T]{o.name, o.value, v}} }

// A Setting is an option together with a value for it. The zero Setting sets nothing.
type Setting struct {
	s interface {
		option() string
		text() string
		put(*call)
		room(*call)
	}
}

// Option returns the name of the option, as [Option.String] does. It is "" for the zero
// Setting.
func (s Setting) Option() string {
	if s.s == nil {
		return ""
	}
	return s.s.option()
}

// String returns the setting, as in "SO_REUSEADDR=true".
func (s Setting) String() string {
	if s.s == nil {
		return ""
	}
	return s.s.option() + "=" + s.s.text()
}

// Apply sets the option on the socket that c gives access to. It can be called in the
// Control function of a [net.Dialer] or [net.ListenConfig], before bind and connect.
// Errors are of type [*Error].
func (s Setting) Apply(c syscall.RawConn) error {
	if s.s == nil {
		return nil
	}
	k := getCall(s.s.option())
	defer k.free()
	s.s.put(k)
	return k.apply(c)
}

// Same reports whether the option has the same value on a and b, whatever that value
// is. It returns false if the option cannot be read.
func (s Setting) Same(a, b syscall.RawConn) bool {
	x, ok := s.read(a)
	if !ok {
		return false
	}
	y, ok := s.read(b)
	return ok && bytes.Equal(x, y)
}

// read returns the value that the option has on c, as the kernel has it.
func (s Setting) read(c syscall.RawConn) (value []byte, ok bool) {
	if s.s == nil {
		return nil, false
	}
	k := getCall(s.s.option())
	defer k.free()
	s.s.room(k)
	if k.apply(c) != nil {
		return nil, false
	}
	return slices.Clone(k.b), true
}

type setting[T any] struct {
	name  string
	value writer[T]
	v     T
}

func (s setting[T]) option() string { return s.name }
func (s setting[T]) text() string   { return fmt.Sprint(s.v) }
func (s setting[T]) put(k *call)    { put(k, s.value, s.v) }
func (s setting[T]) room(k *call) {
	if k.find(s.value) {
		k.makeRoom(s.value)
	}
}

func set[T any](c syscall.Conn, name string, value writer[T], v T) error {
	k := getCall(name)
	defer k.free()
	put(k, value, v)
	return opError("set", c, k.control(c))
}

func put[T any](k *call, value writer[T], v T) {
	k.set = true
	if k.find(value) {
		k.err = value.put(k, v)
	}
}

func get[T any](c syscall.Conn, name string, value reader[T]) (v T, err error) {
	k := getCall(name)
	defer k.free()
	if k.find(value) {
		k.makeRoom(value)
	}
	if err = k.control(c); err == nil {
		if v, k.err = value.get(k); k.err != nil {
			err = k.control(c)
		}
	}
	return v, opError("get", c, err)
}

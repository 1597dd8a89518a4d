package sockopt

import (
	"fmt"
	"math"
	"reflect"

	"github.com/iolib-go/sockets/internal/sys"
)

// Int returns an option that this package does not list and whose value is a 32-bit
// int. level and num are those of the running system; name is used in errors.
func Int(name string, level, num int) Option[int] {
	return Option[int]{name, unlist[int](name, level, num, 0, number[int]{math.MinInt32, math.MaxInt32})}
}

// Bool returns an option that this package does not list and whose value is an int,
// where 0 means false and anything else true.
func Bool(name string, level, num int) Option[bool] {
	return Option[bool]{name, unlist[bool](name, level, num, 0, boolValue{})}
}

// String returns an option that this package does not list and whose value is text of
// at most max bytes, not counting a terminating NUL.
func String(name string, level, num, max int) Option[string] {
	return Option[string]{name, unlist[string](name, level, num, max, text{max})}
}

// Bytes returns an option that this package does not list and whose value is at most
// max bytes, in the form that the kernel uses.
func Bytes(name string, level, num, max int) Option[[]byte] {
	return Option[[]byte]{name, unlist[[]byte](name, level, num, max, blob{max})}
}

// Struct returns an option that this package does not list and whose value has the
// memory layout of T: an integer, or a struct or array of integers, with the same
// padding as in the kernel. If the kernel returns less than a T, the rest is zero.
//
// If T contains bools or pointers, which includes strings and slices, Get and Set
// return a [*ValueError].
func Struct[T any](name string, level, num int) Option[T] {
	u := unlist[T](name, level, num, 0, memory[T]{})
	if t := reflect.TypeFor[T](); !fixed(t) {
		u.err = invalid(fmt.Sprintf("of type %v", t), "may hold pointers or bools")
	}
	return Option[T]{name, u}
}

// unlist returns what an option by number has for a value. A max other than 0 is how
// many bytes that is at most.
func unlist[T any](name string, level, num, max int, v value[T]) unlisted[T] {
	u := unlisted[T]{v, sys.Opt{Name: name, Level: level, Num: num}, nil}
	switch {
	case level != int(int32(level)):
		u.err = invalid(fmt.Sprintf("at level %d", level), "beyond 32 bits")
	case num != int(int32(num)):
		u.err = invalid(fmt.Sprintf("of number %d", num), "beyond 32 bits")
	case max < 0 || max > math.MaxInt32:
		u.err = invalid(fmt.Sprintf("of at most %d bytes", max), "is not possible")
	}
	return u
}

// unlisted is the value of an option that is in no table, or why there is none.
type unlisted[T any] struct {
	value[T]
	opt sys.Opt
	err error
}

func (u unlisted[T]) number() (sys.Opt, error) { return u.opt, u.err }

func (u unlisted[T]) room() int { return roomOf(u.value) }

// memory is a T as it is.
type memory[T any] struct{}

func (memory[T]) room() int { return int(reflect.TypeFor[T]().Size()) }

func (memory[T]) get(k *call) (v T, err error) {
	copy(sys.Bytes(&v), k.b)
	return v, nil
}

func (memory[T]) put(k *call, v T) error {
	k.b = append(k.b, sys.Bytes(&v)...)
	return nil
}

// fixed reports whether any bytes are a valid t.
func fixed(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return fixed(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !fixed(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Complex128
}

package socktest

import (
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
)

// IsNil reports whether v is nil, or an interface around a nil pointer.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Slice, reflect.Map, reflect.Interface:
		return r.IsNil()
	}
	return false
}

// ErrMissingAddress is net's private error for an empty address.
var ErrMissingAddress = func() error {
	_, err := net.Dial("tcp", "")
	return err.(*net.OpError).Err
}()

// TypeName is the name of v's type with this package's types under net's
// name. How the two call their private types is their own business.
func TypeName(v any) string {
	t := reflect.TypeOf(v)
	name := strings.Replace(t.String(), "sockets.", "net.", 1)
	_, base, _ := strings.Cut(name, ".")
	if base != "" && base[0] >= 'a' && base[0] <= 'z' {
		return "(private)"
	}
	return name
}

// Check stops the test if a step on its way failed.
func Check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// CloseLater closes c when the test is over, if the test does not.
func CloseLater(tb testing.TB, c io.Closer) {
	tb.Helper()
	tb.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Errorf("Close: %v", err)
		}
	})
}

// WantError wants a *net.OpError of op around target.
func WantError(tb testing.TB, err error, op string, target error) {
	tb.Helper()
	var o *net.OpError
	if !errors.As(err, &o) || o.Op != op || !errors.Is(err, target) {
		tb.Errorf("error %v (%T), want a *net.OpError of %s around %v", err, err, op, target)
	}
}

// ErrOf drops what a call returned besides its error.
func ErrOf[T any](_ T, err error) error { return err }

package sys

import (
	"os"
	"reflect"
	"unsafe"
)

// UnblockingFile has the Fd method of f, whose descriptor is non-blocking, make it
// blocking, as package os has it of the files of package net alone. It reports whether
// it could.
//
// There is no public way to a file that has this and the name that it is to have: what
// os.NewFile finds non-blocking stays so, and package net, whose files have it, names
// them itself and knows neither all sockets nor a peer that is gone. A field that is
// not as expected is left alone.
func UnblockingFile(f *os.File) bool {
	inner := reflect.ValueOf(f).Elem().FieldByName("file")
	if inner.Kind() != reflect.Pointer || inner.Type().Elem().Kind() != reflect.Struct {
		return false
	}
	field := inner.Elem().FieldByName("nonblock")
	if field.Kind() != reflect.Bool || field.Type().PkgPath() != "" {
		return false
	}
	*(*bool)(unsafe.Pointer(field.UnsafeAddr())) = true
	return true
}

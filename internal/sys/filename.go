package sys

import (
	"os"
	"reflect"
	"unsafe"
)

// fileField returns a field of f, the zero Value if an os.File looks different from what
// is known here.
//
// There is no public way to a file that is as package net's File returns it: what
// os.NewFile finds non-blocking stays so when Fd is called, and package net itself can be
// asked for a file (fileByNet does) of the sockets that it knows alone, takes two more
// descriptors, and names the file after addresses that are gone when a peer is.
func fileField(f *os.File, name string, kind reflect.Kind) (field reflect.Value, ok bool) {
	inner := reflect.ValueOf(f).Elem().FieldByName("file")
	if inner.Kind() != reflect.Pointer || inner.Type().Elem().Kind() != reflect.Struct {
		return field, false
	}
	field = inner.Elem().FieldByName(name)
	return field, field.Kind() == kind && field.Type().PkgPath() == ""
}

// NameFile gives f a name, or leaves it the one it has.
func NameFile(f *os.File, name string) {
	if field, ok := fileField(f, "name", reflect.String); ok {
		*(*string)(unsafe.Pointer(field.UnsafeAddr())) = name
	}
}

// UnblockingFile has the Fd method of f, whose descriptor is non-blocking, make it
// blocking, as package os has it of the files of package net alone. It reports whether
// it could.
func UnblockingFile(f *os.File) bool {
	field, ok := fileField(f, "nonblock", reflect.Bool)
	if ok {
		*(*bool)(unsafe.Pointer(field.UnsafeAddr())) = true
	}
	return ok
}

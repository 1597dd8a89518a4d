package sys

import (
	"os"
	"reflect"
	"unsafe"
)

// NameFile gives f a name. Package net makes files that behave as no other package
// can make them, and names them after what the kernel tells. If an os.File looks
// different from what is known here, it keeps the name it has.
func NameFile(f *os.File, name string) {
	inner := reflect.ValueOf(f).Elem().FieldByName("file")
	if inner.Kind() != reflect.Pointer || inner.Type().Elem().Kind() != reflect.Struct {
		return
	}
	field := inner.Elem().FieldByName("name")
	if field.Kind() == reflect.String && field.Type() == reflect.TypeFor[string]() {
		*(*string)(unsafe.Pointer(field.UnsafeAddr())) = name
	}
}

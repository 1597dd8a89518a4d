package sys

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"sync"
	"syscall"
)

// IsNil reports whether c, a connection or a RawConn, is nothing, or a nil pointer.
func IsNil(c any) bool {
	if c == nil {
		return true
	}
	v := reflect.ValueOf(c)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// ErrNil is what is the matter with a nil connection or file.
var ErrNil = fmt.Errorf("nil connection: %w", syscall.EINVAL)

// ConnAddr returns the local address of a connection or listener of any package, nil if
// it has none.
func ConnAddr(c syscall.Conn) net.Addr {
	if IsNil(c) {
		return nil
	}
	if _, err := c.SyscallConn(); err != nil {
		return nil // a zero listener of package net panics when it is asked
	}
	switch c := c.(type) {
	case interface{ LocalAddr() net.Addr }:
		return c.LocalAddr()
	case interface{ Addr() net.Addr }:
		return c.Addr()
	}
	return nil
}

// IsFileClosed reports whether err is what a closed os.File or its RawConn answers.
func IsFileClosed(err error) bool {
	return errors.Is(err, os.ErrClosed) || errors.Is(err, fileClosed())
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

package netfd

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// Control calls f with the descriptor of c, of whatever package it is. The error says
// why there is none to be had, without the *net.OpError that may be around it.
func Control(c syscall.Conn, f func(sysfd uintptr)) error {
	if c == nil {
		return syscall.EINVAL
	}
	raw, err := c.SyscallConn()
	if err == nil && raw == nil {
		err = syscall.EINVAL
	}
	if err == nil {
		if err = raw.Control(f); err == nil {
			return nil
		}
		if _, ok := c.(*os.File); ok {
			// Package os has an error for this that matches nothing.
			return os.ErrClosed
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

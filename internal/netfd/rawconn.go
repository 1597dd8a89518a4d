package netfd

import (
	"net"
	"os"
	"syscall"
)

// Control calls f with the descriptor, which stays open until f returns. f must
// not close it.
func (fd *FD) Control(f func(sysfd uintptr)) error {
	if fd.file != nil {
		raw, _ := fd.file.SyscallConn()
		return pollError(raw.Control(f))
	}
	if fd.sysfd < 0 {
		return net.ErrClosed
	}
	f(uintptr(fd.sysfd))
	return nil
}

// control is Control for one system call, whose name an error carries.
func (fd *FD) control(call string, f func(sysfd uintptr) syscall.Errno) error {
	var errno syscall.Errno
	if err := fd.Control(func(s uintptr) { errno = f(s) }); err != nil {
		return err
	}
	if errno != 0 {
		return os.NewSyscallError(call, errno)
	}
	return nil
}

// RawRead calls f until it returns true, waiting for input in between. f may
// return false only after the system call said EAGAIN.
//
// f and what it refers to may stay on the caller's stack, for the compiler sees
// through SyscallConn that it is not kept: a field with the RawConn would cost
// every call its closure and its variables on the heap.
func (fd *FD) RawRead(f func(sysfd uintptr) bool) error {
	if fd.file == nil {
		return fd.rawBare(f)
	}
	raw, _ := fd.file.SyscallConn() // fails for a nil file alone
	return fd.rawError(raw.Read(f))
}

// RawWrite is RawRead for output.
func (fd *FD) RawWrite(f func(sysfd uintptr) bool) error {
	if fd.file == nil {
		return fd.rawBare(f)
	}
	raw, _ := fd.file.SyscallConn()
	return fd.rawError(raw.Write(f))
}

// rawConn is an FD in the poller as a syscall.RawConn, without an allocation. Its
// errors are package os's.
type rawConn FD

func (c *rawConn) Control(f func(uintptr)) error {
	raw, _ := c.file.SyscallConn()
	return raw.Control(f)
}

func (c *rawConn) Read(f func(uintptr) bool) error {
	raw, _ := c.file.SyscallConn()
	return raw.Read(f)
}

func (c *rawConn) Write(f func(uintptr) bool) error {
	raw, _ := c.file.SyscallConn()
	return raw.Write(f)
}

// rawError is pollError for calls that wait, which the poller may refuse to do for
// an open descriptor as well.
func (fd *FD) rawError(err error) error {
	if err == nil || err == os.ErrDeadlineExceeded {
		return err
	}
	if closed := fd.Control(func(uintptr) {}); closed != nil {
		return closed
	}
	return err
}

// rawBare calls f once: a bare descriptor cannot wait.
func (fd *FD) rawBare(f func(sysfd uintptr) bool) error {
	done := false
	if err := fd.Control(func(s uintptr) { done = f(s) }); err != nil {
		return err
	}
	if !done {
		return errBare
	}
	return nil
}

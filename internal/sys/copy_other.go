//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package sys

import "syscall"

// HasSplice says that there is no splice(2).
const HasSplice = false

// Iovecs is the scratch memory of Readv and Writev.
type Iovecs struct{}

func Splice(dst, src uintptr, max int) (int, syscall.Errno)                       { return -1, none }
func Pipe(size int) (r, w int, e syscall.Errno)                                   { return -1, -1, none }
func WaitReadable(fd uintptr) bool                                                { return true }
func WaitWritable(fd uintptr) bool                                                { return true }
func Readv(fd uintptr, v *Iovecs, bufs [][]byte) (int, syscall.Errno)             { return -1, none }
func Writev(fd uintptr, v *Iovecs, bufs [][]byte, flags int) (int, syscall.Errno) { return -1, none }
func Read(fd uintptr, b []byte) (int, syscall.Errno)                              { return -1, none }
func Write(fd uintptr, b []byte) (int, syscall.Errno)                             { return -1, none }

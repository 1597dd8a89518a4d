//go:build !linux

package sys

import "syscall"

// CheckNetNS answers that there are no network namespaces.
func CheckNetNS(uintptr) syscall.Errno { return syscall.ENOSYS }

// InNetNS answers that there are no network namespaces.
func InNetNS(uintptr, func()) syscall.Errno { return syscall.ENOSYS }

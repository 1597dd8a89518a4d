package sys

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// CheckNetNS reports EINVAL unless fd refers to a network namespace. See ioctl_nsfs(2).
func CheckNetNS(fd uintptr) syscall.Errno {
	typ, err := unix.IoctlRetInt(int(fd), unix.NS_GET_NSTYPE)
	switch {
	case err == unix.EBADF:
		return unix.EBADF
	case err == nil && typ == unix.CLONE_NEWNET:
		return 0
	case err == nil:
		return EINVAL
	}
	// A sandbox may know namespaces and not this call; of which kind it is, setns says.
	var fs unix.Statfs_t
	if unix.Fstatfs(int(fd), &fs) != nil || fs.Type != unix.NSFS_MAGIC {
		return EINVAL
	}
	return 0
}

// InNetNS calls f in the network namespace that ns refers to: on another thread, so
// that the caller and the process stay where they are. It reports what setns(2) says
// if f is not called.
func InNetNS(ns uintptr, f func()) (e syscall.Errno) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// The main thread cannot end, and it is what /proc/PID/ns/net shows.
			// While this goroutine holds it, another one runs elsewhere.
			e = InNetNS(ns, f)
			runtime.UnlockOSThread()
			return
		}
		home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			defer unix.Close(home)
		}
		if e = errno(unix.Setns(int(ns), unix.CLONE_NEWNET)); e != 0 {
			runtime.UnlockOSThread()
			return
		}
		f()
		// A user namespace may have the right to go there and not the right to come
		// back. A goroutine that ends while it is locked takes its thread along.
		if err == nil && unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	<-done
	return e
}

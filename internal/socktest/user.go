//go:build linux

package socktest

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Nobody is a user, and a group, that own nothing.
const Nobody = 65534

// AsNobody calls f on a thread of its own, which belongs to Nobody and no other group,
// and returns the error if no thread may.
func AsNobody(f func()) error {
	var errno syscall.Errno
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if _, _, errno = syscall.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			return
		}
		for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			if _, _, errno = syscall.RawSyscall(call, Nobody, Nobody, Nobody); errno != 0 {
				return
			}
		}
		f()
	}()
	<-done
	if errno != 0 {
		return os.NewSyscallError("become another user", errno)
	}
	return nil
}

var users = sync.OnceValue(func() error {
	if os.Geteuid() == Nobody {
		return syscall.EALREADY // it is no other user
	}
	return AsNobody(func() {})
})

// NeedUsers skips the test if a thread may not belong to Nobody, or if Nobody may not
// enter the directories, or run the programs, that the paths name.
func NeedUsers(tb testing.TB, paths ...string) {
	tb.Helper()
	need(tb, "other users", users)
	for _, path := range paths {
		need(tb, fmt.Sprintf("way for user %d to %s", Nobody, path), func() error { return closedToNobody(path) })
	}
}

// closedToNobody returns the error of the first part of the path that Nobody may not
// pass, with its name.
func closedToNobody(path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	parts := []string{path}
	for path != filepath.Dir(path) {
		path = filepath.Dir(path)
		parts = append(parts, path)
	}
	asErr := AsNobody(func() {
		for _, part := range slices.Backward(parts) {
			if accessErr := unix.Access(part, unix.X_OK); accessErr != nil {
				err = &fs.PathError{Op: "access", Path: part, Err: accessErr}
				return
			}
		}
	})
	return cmp.Or(asErr, err)
}

// MaySendCred reports whether messages may claim to be from another process, user or
// group, unix(7).
func MaySendCred(tb testing.TB, pid, uid, gid int) bool {
	tb.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	Check(tb, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	cred := unix.UnixCredentials(&unix.Ucred{Pid: int32(pid), Uid: uint32(uid), Gid: uint32(gid)})
	return unix.Sendmsg(fds[0], []byte("x"), cred, nil, 0) == nil
}

var userNS = sync.OnceValue(func() error {
	exe, err := executable()
	if err != nil {
		return err
	}
	// Without a mapping of users, for which package os would leave a pipe open.
	cmd := exec.Command(exe, "-test.list", "^$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
	return cmd.Run()
})

// NeedUserNS skips the test if a child may not have a user namespace of its own.
func NeedUserNS(tb testing.TB) {
	tb.Helper()
	need(tb, "user namespace", userNS)
}

//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
)

// TestPollerRefusesAdoption checks that a socket which cannot be taken, because the
// poller refuses the copy, is as it was. It runs in a process of its own, where no
// other goroutine opens files.
func TestPollerRefusesAdoption(t *testing.T) {
	if out, err := childCommand(t, "poller-refuses").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func init() { children["poller-refuses"] = pollerRefuses }

func pollerRefuses() error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fds[0]), "socket")
	defer f.Close()

	// The poller knows an open file by its number. Closed behind its back, while
	// another descriptor keeps the file open, this one stays known, and the next
	// copy of f, which gets the number again, is refused with EEXIST: epoll(7).
	c, err := sockets.FileConn(f)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = unix.Close(int(fd)) }); cerr != nil || err != nil {
		return fmt.Errorf("%v, %w", cerr, err)
	}

	for _, nonblocking := range []bool{false, true} {
		if err := unix.SetNonblock(fds[0], nonblocking); err != nil {
			return err
		}
		for name, adopt := range map[string]func() error{
			"FileConn": func() error { _, err := sockets.FileConn(f); return err },
			"FromFile": func() error { _, err := sockets.FromFile(f); return err },
			"FromFD":   func() error { _, err := sockets.FromFD(fds[0]); return err },
		} {
			if err := adopt(); err == nil || !strings.Contains(err.Error(), "poller") {
				return fmt.Errorf("%s: %v, want an error of the poller", name, err)
			}
			if !isOpen(fds[0]) {
				return errors.New(name + " closed the descriptor")
			}
			flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0)
			if err != nil || flags&unix.O_NONBLOCK != 0 != nonblocking {
				return fmt.Errorf("%s left flags %#x, %v, of a file that was non-blocking: %v", name, flags, err, nonblocking)
			}
		}
	}
	return nil
}

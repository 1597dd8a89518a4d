//go:build linux

package netfd

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/sys"
)

// TestRawErrors has only a closed descriptor be called closed: the poller refuses to
// wait for reading on EPOLLERR alone as well. A socket reports that when its send
// buffer is full and something is in its error queue, a full pipe when nobody reads
// it any more.
func TestRawErrors(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	fd, err := New(p[1], Kind{sys.AF_UNIX, sys.SOCK_STREAM, 0, "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	if err := fd.Init(); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 4096); ; {
		if _, err := unix.Write(p[1], buf); err == unix.EAGAIN {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	unix.Close(p[0])
	never := func(uintptr) bool { return false }
	if err := fd.RawRead(never); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("RawRead of an open descriptor: %v, want that it cannot be polled", err)
	}
	if err := fd.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(func(uintptr) bool) error{"RawRead": fd.RawRead, "RawWrite": fd.RawWrite} {
		if err := call(never); err != net.ErrClosed {
			t.Errorf("%s of a closed descriptor: %v, want ErrClosed", name, err)
		}
	}
}

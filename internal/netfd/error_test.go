//go:build linux

package netfd

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/sys"
)

// unpollable returns an FD for which the poller refuses to wait for reading, as it does
// on EPOLLERR alone. A socket reports that when its send buffer is full and something is
// in its error queue, a full pipe when its other end is closed.
func unpollable(t *testing.T) *FD {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	fd, err := New(p[1], Kind{sys.AF_UNIX, sys.SOCK_STREAM, 0, "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fd.Close() })
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
	return fd
}

func never(uintptr) bool { return false }

// TestRawErrors has only a closed descriptor be called closed.
func TestRawErrors(t *testing.T) {
	fd := unpollable(t)
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

// TestPendingError has an error that is pending take the place of what the poller
// says, once.
func TestPendingError(t *testing.T) {
	fd, err := Socket(Kind{sys.AF_INET, sys.SOCK_DGRAM, 0, "udp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	var to sys.Sockaddr
	to.SetInet4([4]byte{127, 0, 0, 1}, 0)
	if err := fd.Bind(&to); err != nil {
		t.Fatal(err)
	}
	if err := fd.Sockname(&to); err != nil {
		t.Fatal(err)
	}
	other, err := Socket(*fd.Kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.StartConnect(&to); err != nil {
		t.Fatal(err)
	}
	if err := fd.Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Init(); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("not pollable")
	if err := other.failed("read", 0, refusal); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("with an error pending: %v, want ECONNREFUSED", err)
	}
	if err := other.failed("read", 0, refusal); err != refusal {
		t.Errorf("without: %v, want %v", err, refusal)
	}
}

//go:build linux || darwin || freebsd || netbsd || openbsd

package netfd

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets/internal/sys"
)

// refusingConn is a RawConn whose poller refuses to wait, as the runtime's does on
// EPOLLERR alone: a full send buffer together with something in the error queue.
type refusingConn struct{ syscall.RawConn }

var errRefused = errors.New("not pollable")

func (refusingConn) Read(func(uintptr) bool) error  { return errRefused }
func (refusingConn) Write(func(uintptr) bool) error { return errRefused }

// TestRawErrors has only a closed descriptor be called closed.
func TestRawErrors(t *testing.T) {
	fd, err := Socket(Kind{sys.AF_UNIX, sys.SOCK_DGRAM, 0, "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	if err := fd.Init(); err != nil {
		t.Fatal(err)
	}
	fd.need().raw = refusingConn{fd.need().raw}
	check := func(state string, want error) {
		t.Helper()
		done := func(uintptr) bool { return true }
		if err := fd.RawRead(done); err != want {
			t.Errorf("RawRead %s: %v, want %v", state, err, want)
		}
		if err := fd.RawWrite(done); err != want {
			t.Errorf("RawWrite %s: %v, want %v", state, err, want)
		}
	}
	check("of an open descriptor", errRefused)
	if err := fd.Close(); err != nil {
		t.Fatal(err)
	}
	check("of a closed descriptor", net.ErrClosed)
}

//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// TestAcceptAborted has accept4(2) say each time that a connection is gone, as that of
// some families does for good: Accept does not try for ever.
func TestAcceptAborted(t *testing.T) {
	out, err := socktest.ChildCommand(t, "aborted").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if len(out) > 0 {
		t.Skip(string(out))
	}
}

func init() {
	socktest.Children["aborted"] = func() error {
		l, err := sockets.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		// Nothing is closed: that would wait for the call, were it to try for ever.
		if _, err := net.Dial("tcp", l.Addr().String()); err != nil {
			return err
		}
		if err := (socktest.Refusal{Call: unix.SYS_ACCEPT4, Errno: syscall.ECONNABORTED}).OnProcess(); err != nil {
			fmt.Println("no seccomp:", err)
			return nil
		}
		accepted := make(chan error, 1)
		go func() { accepted <- socktest.ErrOf(l.Accept()) }()
		select {
		case err := <-accepted:
			if !errors.Is(err, syscall.ECONNABORTED) {
				return fmt.Errorf("Accept: %w", err)
			}
			return nil
		case <-time.After(time.Minute):
			return errors.New("Accept does not end")
		}
	}
}

//go:build linux

package conntest

import (
	"net"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// WantBacklog checks that the queue of a unix listener takes backlog and one more.
func WantBacklog(t *testing.T, l net.Listener, backlog int) {
	t.Helper()
	for i := range backlog + 1 {
		c, err := sockets.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatalf("connection %d of %d: %v", i+1, backlog+1, err)
		}
		socktest.CloseLater(t, c)
	}
	_, err := sockets.Dial("unix", l.Addr().String())
	socktest.WantError(t, err, "dial", sockets.ErrWouldBlock)
}

// BusyListener returns the address of a TCP listener whose queue is full, so that
// a connect waits.
func BusyListener(t *testing.T) net.Addr {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp4", socktest.FullListener(t, "127.0.0.1:0"))
	socktest.Check(t, err)
	return addr
}

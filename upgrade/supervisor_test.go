//go:build linux

package upgrade

import (
	"net"
	"os"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestSyncOfAnotherUser has process 1 run with another effective user than its real one: it
// understands itself.
func TestSyncOfAnotherUser(t *testing.T) {
	socktest.NeedUsers(t)
	notify, err := sockets.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	socktest.Check(t, err)
	defer notify.Close()
	socktest.Check(t, sockopt.PassCred.Set(notify, true))
	s := &supervisor{notify: notify, synced: make(chan struct{}, 1)}
	socktest.Check(t, socktest.AsNobody(func() {
		c, err := net.Dial("unixgram", notify.LocalAddr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.Write([]byte("sync"))
	}))
	socktest.Check(t, s.listen())
	if len(s.synced) != 1 {
		t.Errorf("process %d does not hear itself", os.Getpid())
	}
}

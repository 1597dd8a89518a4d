//go:build linux && !race

package sockopt_test

import (
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// Options of a connection of ours are read and set without garbage. One of package
// net allocates its RawConn.
func TestNoAllocs(t *testing.T) {
	c, err := sockets.New("tcp4")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, f := range map[string]func() error{
		"Get of a bool":     func() error { _, err := sockopt.KeepAlive.Get(c); return err },
		"Set of a bool":     func() error { return sockopt.KeepAlive.Set(c, true) },
		"Get of an int":     func() error { _, err := sockopt.TTL.Get(c); return err },
		"Set of an int":     func() error { return sockopt.TTL.Set(c, 64) },
		"Get of a duration": func() error { _, err := sockopt.KeepIdle.Get(c); return err },
		"Set of a duration": func() error { return sockopt.KeepIdle.Set(c, time.Minute) },
		"Get of a timeval":  func() error { _, err := sockopt.SendTimeout.Get(c); return err },
		"Set of a timeval":  func() error { return sockopt.SendTimeout.Set(c, time.Minute) },
		"Get of a linger":   func() error { _, err := sockopt.Linger.Get(c); return err },
		"Set of a linger":   func() error { return sockopt.Linger.Set(c, sockopt.LingerConfig{}) },
		"Get of 64 bits":    func() error { _, err := sockopt.Cookie.Get(c); return err },
		"Get of ports":      func() error { _, err := sockopt.LocalPortRange.Get(c); return err },
		"Set of a rate":     func() error { return sockopt.MaxPacingRate.Set(c, 1<<40) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := f(); err != nil {
				t.Skip(err)
			}
			if n := testing.AllocsPerRun(100, func() { f() }); n > 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

//go:build linux

package activation_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

func init() {
	socktest.Children["adopts"] = func() error { return adoptAndClose(false) }
	socktest.Children["owns"] = func() error { return adoptAndClose(true) }
}

// adoptAndClose closes the listener that this process inherits.
func adoptAndClose(own bool) error {
	ds, err := activation.Inherited()
	if err != nil {
		return err
	}
	l, err := ds[0].Socket.Listener()
	if err != nil {
		return err
	}
	if own {
		l.(*sockets.UnixListener).SetUnlinkOnClose(true)
	}
	return l.Close()
}

// TestPassToLeavesPath looks for the path of a listener that was passed, after its Close.
func TestPassToLeavesPath(t *testing.T) {
	run := func(t *testing.T, cmd *exec.Cmd) {
		socktest.Check(t, cmd.Run())
		activation.ClosePassed(cmd)
	}
	fails := func(t *testing.T, cmd *exec.Cmd) {
		cmd.Path += ".missing"
		if err := cmd.Start(); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("Start: %v, want no such file", err)
		}
		activation.ClosePassed(cmd)
	}
	for _, tt := range []struct {
		name, child string
		do          func(t *testing.T, cmd *exec.Cmd, l net.Listener)
		want        bool // the path is left
	}{
		{"passed", "adopts", func(t *testing.T, cmd *exec.Cmd, l net.Listener) { run(t, cmd); l.Close() }, true},
		{"closed before Start", "adopts", func(t *testing.T, cmd *exec.Cmd, l net.Listener) { l.Close(); run(t, cmd) }, true},
		{"the child owns it", "owns", func(t *testing.T, cmd *exec.Cmd, l net.Listener) { l.Close(); run(t, cmd) }, false},
		{"not started", "adopts", func(t *testing.T, cmd *exec.Cmd, l net.Listener) { fails(t, cmd); l.Close() }, false},
		{"closed, not started", "adopts", func(t *testing.T, cmd *exec.Cmd, l net.Listener) { l.Close(); fails(t, cmd) }, false},
		{"one of two started", "adopts", func(t *testing.T, cmd *exec.Cmd, l net.Listener) {
			other := socktest.ChildCommand(t, "adopts")
			socktest.Check(t, activation.PassTo(other, activation.Named{Conn: l.(syscall.Conn)}))
			run(t, other)
			fails(t, cmd)
			l.Close()
		}, true},
		{"the parent owns it all the same", "adopts", func(t *testing.T, cmd *exec.Cmd, l net.Listener) {
			run(t, cmd)
			l.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(true)
			l.Close()
		}, false},
	} {
		for name, listen := range map[string]func(network, address string) (net.Listener, error){"sockets": sockets.Listen, "net": net.Listen} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				path := filepath.Join(socktest.ShortDir(t), "l")
				l, err := listen("unix", path)
				socktest.Check(t, err)
				defer l.Close()
				cmd := socktest.ChildCommand(t, tt.child)
				cmd.Stderr = os.Stderr
				socktest.Check(t, activation.PassTo(cmd, activation.Named{Conn: l.(syscall.Conn)}))
				tt.do(t, cmd, l)
				want := tt.want
				if name == "net" && (tt.name == "not started" || tt.name == "closed, not started") {
					want = true // such a listener cannot have the path back
				}
				if _, err := os.Lstat(path); (err == nil) != want {
					t.Errorf("after Close: %v, want the path to be left: %t", err, want)
				}
			})
		}
	}
}

// TestPassToFails leaves the path to nothing.
func TestPassToFails(t *testing.T) {
	path := filepath.Join(socktest.ShortDir(t), "l")
	l, err := sockets.Listen("unix", path)
	socktest.Check(t, err)
	named := activation.Named{Conn: l.(syscall.Conn)}
	if err := activation.PassTo(exec.Command("true"), named, activation.Named{Name: ":"}); err == nil {
		t.Error("PassTo takes the name \":\"")
	}
	socktest.Check(t, l.Close())
	if _, err := os.Lstat(path); err == nil {
		t.Error("the path is left")
	}
}

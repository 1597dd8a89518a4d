//go:build linux

package activation_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

func TestPassTo(t *testing.T) {
	socktest.CheckNoLeak(t)
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	std, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer std.Close()
	pipe := socktest.Pipes(t, 1)[0]
	named := []activation.Named{
		{Name: "web", Conn: l.(syscall.Conn)},
		{Name: "", Conn: std.(*net.UDPConn)},
		{Name: "pipe", Conn: pipe},
	}
	want := []string{
		"web: ipv4 stream socket listening on " + l.Addr().String(),
		"unknown: ipv4 datagram socket bound to " + std.LocalAddr().String(),
		"pipe: file",
	}
	t.Run("alone", func(t *testing.T) {
		cmd := socktest.ChildCommand(t, "inherited")
		if err := activation.PassTo(cmd, named...); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		if diff := cmp.Diff(want, inherited(t, cmd)); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
	})
	t.Run("through a shell", func(t *testing.T) {
		cmd := socktest.ChildCommand(t, "inherited")
		cmd.Args = append([]string{"sh", "-c", `"$@"; exit`, cmd.Path, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		if err := activation.PassTo(cmd, named...); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		if diff := cmp.Diff(want, inherited(t, cmd)); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
	})
	t.Run("beside other files", func(t *testing.T) {
		cmd := socktest.ChildCommand(t, "inherited")
		cmd.ExtraFiles = []*os.File{pipe, nil}
		if err := activation.PassTo(cmd, named...); err != nil {
			t.Fatal(err)
		}
		activation.ClosePassed(cmd)
		if cmd.ExtraFiles[0] != pipe || !socktest.IsOpen(int(pipe.Fd())) {
			t.Fatal("ClosePassed closed a file that was there before")
		}
		cmd = socktest.ChildCommand(t, "inherited")
		cmd.ExtraFiles = []*os.File{pipe, nil}
		if err := activation.PassTo(cmd, named...); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		if diff := cmp.Diff(want, inherited(t, cmd)); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		cmd := socktest.ChildCommand(t, "inherited")
		cmd.Env = append(cmd.Env, "LISTEN_FDS=3", "LISTEN_FDNAMES=a:b:c", "LISTEN_PID=1")
		if err := activation.PassTo(cmd); err != nil {
			t.Fatal(err)
		}
		if got := inherited(t, cmd); got != nil {
			t.Errorf("the child inherits %q", got)
		}
	})
	t.Run("service", func(t *testing.T) {
		cmd := socktest.ChildCommand(t, "inherited")
		if err := activation.PassToService(cmd, named...); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		cmd.Env = append(cmd.Env, "SOCKETS_LISTEN_IDS=") // as a program that knows of none
		if diff := cmp.Diff(want, inherited(t, cmd)); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
	})
	t.Run("service without a directory in its path", func(t *testing.T) {
		cmd := socktest.ChildCommand(t, "inherited")
		cmd.Dir, cmd.Path = filepath.Split(cmd.Path)
		if err := activation.PassToService(cmd, named...); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		if diff := cmp.Diff(want, inherited(t, cmd)); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
	})
	t.Run("service of systemd's", func(t *testing.T) {
		socktest.NeedPIDFD(t)
		cmd := socktest.ChildCommand(t, "inherited", "pid", "pidfd")
		if err := activation.PassTo(cmd, named...); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		cmd.Env = append(cmd.Env, "SOCKETS_LISTEN_IDS=")
		if diff := cmp.Diff(want, inherited(t, cmd)); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
	})
	// All that time the listener is what it was.
	socktest.WithFD(t, l.(syscall.Conn), func(fd int) error {
		if !socktest.Nonblocking(t, fd) {
			t.Error("the listener is blocking now")
		}
		return nil
	})
	if err := l.(*sockets.TCPListener).SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Accept: %v", err)
	}
}

func TestPassToErrors(t *testing.T) {
	socktest.CheckNoLeak(t)
	s, err := sockets.New("tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	closed, err := sockets.New("tcp")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	ok := activation.Named{Name: "ok", Conn: s}
	tests := []struct {
		name  string
		socks []activation.Named
		want  error
	}{
		{"colon", []activation.Named{ok, {"a:b", s}}, syscall.EINVAL},
		{"control character", []activation.Named{ok, {"a\nb", s}}, syscall.EINVAL},
		{"not ASCII", []activation.Named{ok, {"é", s}}, syscall.EINVAL},
		{"long", []activation.Named{ok, {strings.Repeat("x", 256), s}}, syscall.EINVAL},
		{"nil", []activation.Named{ok, {"x", nil}}, syscall.EINVAL},
		{"nil file", []activation.Named{ok, {"x", (*os.File)(nil)}}, syscall.EINVAL},
		{"nil listener", []activation.Named{ok, {"x", (*net.TCPListener)(nil)}}, syscall.EINVAL},
		{"closed", []activation.Named{ok, {"x", closed}}, net.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("/bin/true")
			err := activation.PassTo(cmd, tt.socks...)
			if _, argument := errors.AsType[*sockets.ArgumentError](err); !errors.Is(err, tt.want) || argument != (tt.want == syscall.EINVAL) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if cmd.ExtraFiles != nil || cmd.Env != nil {
				t.Error("the command has changed")
			}
		})
	}
	t.Run("no command", func(t *testing.T) {
		defer activation.ClosePassed(nil)
		for name, err := range map[string]error{
			"PassTo":        activation.PassTo(nil, ok),
			"PassToService": activation.PassToService(nil, ok),
		} {
			if _, argument := errors.AsType[*sockets.ArgumentError](err); !argument {
				t.Errorf("%s: %v, want an ArgumentError", name, err)
			}
		}
	})
	t.Run("names at the edges", func(t *testing.T) {
		cmd := exec.Command("/bin/true")
		long := strings.Repeat("x", 255)
		if err := activation.PassTo(cmd, activation.Named{Name: " ~", Conn: s}, activation.Named{Name: long, Conn: s}); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		if want := "LISTEN_FDNAMES= ~:" + long; !slices.Contains(cmd.Env, want) {
			t.Errorf("the environment lacks %s", want)
		}
	})
	t.Run("files of another command", func(t *testing.T) {
		// The caller's slice has room, which is the caller's.
		files := append(make([]*os.File, 0, 10), socktest.Pipes(t, 1)...)
		cmd := exec.Command("/bin/true")
		cmd.ExtraFiles = files
		if err := activation.PassTo(cmd, ok); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		if got := files[:2][1]; got != nil {
			t.Errorf("PassTo wrote %v behind the caller's files", got)
		}
	})
	t.Run("no such program", func(t *testing.T) {
		//lint:ignore SA1005 the name has spaces on purpose
		if err := activation.PassToService(exec.Command("no such program"), ok); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
	})
	t.Run("twice", func(t *testing.T) {
		cmd := exec.Command("/bin/true")
		if err := activation.PassTo(cmd, ok); err != nil {
			t.Fatal(err)
		}
		defer activation.ClosePassed(cmd)
		if err := activation.PassTo(cmd, ok); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("PassTo: %v, want EINVAL", err)
		}
		if err := activation.PassToService(cmd, ok); !errors.Is(err, syscall.EINVAL) || cmd.Path != "/bin/true" {
			t.Errorf("PassToService of %s: %v, want EINVAL", cmd.Path, err)
		}
		if len(cmd.ExtraFiles) != 1 {
			t.Errorf("the command has %d files", len(cmd.ExtraFiles))
		}
	})
	t.Run("service with a gap", func(t *testing.T) {
		cmd := exec.Command("/bin/true")
		cmd.ExtraFiles = []*os.File{nil}
		if err := activation.PassToService(cmd, ok); !errors.Is(err, syscall.EINVAL) || cmd.Path != "/bin/true" || cmd.Env != nil {
			t.Errorf("PassToService of %s: %v, want EINVAL", cmd.Path, err)
		}
	})
	t.Run("does not start", func(t *testing.T) {
		cmd := exec.Command(t.TempDir())
		if err := activation.PassTo(cmd, ok); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err == nil {
			t.Error("a directory was started")
		}
		activation.ClosePassed(cmd)
	})
	t.Run("file of the same name", func(t *testing.T) {
		t.Chdir(t.TempDir())
		f, err := os.Create("passed:x")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd := exec.Command("/bin/true")
		cmd.ExtraFiles = []*os.File{f}
		if err := activation.PassTo(cmd, ok); err != nil {
			t.Fatal(err)
		}
		activation.ClosePassed(cmd)
		if _, err := f.WriteString("x"); err != nil {
			t.Errorf("ClosePassed closed a file that it did not make: %v", err)
		}
	})
	t.Run("started", func(t *testing.T) {
		cmd := exec.Command("/bin/true")
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if err := activation.PassTo(cmd, ok); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%v, want EINVAL", err)
		}
	})
}

// TestPassToRefusesClosed checks which descriptor an error is about.
func TestPassToRefusesClosed(t *testing.T) {
	socktest.CheckNoLeak(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.Close()
	cmd := exec.Command("/bin/true")
	err = activation.PassTo(cmd, activation.Named{Name: "open", Conn: r}, activation.Named{Name: "closed", Conn: w})
	var e *sockets.DescriptorError
	if !errors.As(err, &e) || e.Index != 1 || !errors.Is(err, os.ErrClosed) {
		t.Errorf("PassTo: %v, want a DescriptorError of 1 that is ErrClosed", err)
	}
	if len(cmd.ExtraFiles) != 0 || cmd.Env != nil {
		t.Errorf("the command has %d files and %d variables", len(cmd.ExtraFiles), len(cmd.Env))
	}
}

// TestPassToForgets checks that a child does not take what its parent was given for
// its own.
func TestPassToForgets(t *testing.T) {
	cmd := exec.Command("/bin/true")
	cmd.Env = []string{"LISTEN_PID=1", "LISTEN_PIDFDID=2", "LISTEN_FDS=3", "LISTEN_FDNAMES=a:b:c", "KEPT=yes"}
	if err := activation.PassTo(cmd); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"KEPT=yes"}, cmd.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestPassToPython(t *testing.T) {
	python := socktest.NeedProgram(t, "python3")
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := exec.CommandContext(t.Context(), python, "-c", sdListenFDs)
	if err := activation.PassToService(cmd, activation.Named{Name: "web", Conn: l.(syscall.Conn)}); err != nil {
		t.Fatal(err)
	}
	defer activation.ClosePassed(cmd)
	out, err := cmd.CombinedOutput()
	want := fmt.Sprintf("web 127.0.0.1 %d 1\n", l.Addr().(*net.TCPAddr).Port)
	if err != nil || string(out) != want {
		t.Errorf("%v, printed %q, want %q", err, out, want)
	}
}

// Sockets are passed by the interfaces that servers have them in, and what has no
// descriptor is named.
func TestPassInterfaces(t *testing.T) {
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	nl, err := net.Listen("tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, nl)
	p, err := sockets.ListenPacket("udp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, p)
	var c net.Conn
	c, err = sockets.Dial("tcp4", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	cmd := exec.Command("true")
	socktest.Check(t, activation.PassTo(cmd, activation.Named{Name: "l", Conn: l}, activation.Named{Name: "nl", Conn: nl},
		activation.Named{Name: "p", Conn: p}, activation.Named{Name: "c", Conn: c}))
	if len(cmd.ExtraFiles) != 4 {
		t.Errorf("%d files, want 4", len(cmd.ExtraFiles))
	}
	activation.ClosePassed(cmd)

	for name, bad := range map[string]any{
		"<nil>":         nil,
		"*tls.Conn":     tls.Client(c, &tls.Config{}),
		"*tls.listener": tls.NewListener(l, &tls.Config{}),
		"int":           3,
	} {
		err := activation.PassTo(exec.Command("true"), activation.Named{Name: "ok", Conn: l}, activation.Named{Name: "bad", Conn: bad})
		var which *sockets.DescriptorError
		if !errors.As(err, &which) || which.Index != 1 || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v, want a *DescriptorError with index 1", name, err)
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error does not name the type: %v", name, err)
		}
	}
}

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

//go:build linux

package activation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

func init() { socktest.Children["inherited"] = printInherited }

// printInherited prints what this process inherits, and what of it a child of its
// own would.
func printInherited() error {
	for _, arg := range os.Args[2:] {
		switch arg {
		case "pid":
			os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		case "pidfd":
			fd, err := unix.PidfdOpen(os.Getpid(), 0)
			if err != nil {
				return err
			}
			var st unix.Stat_t
			err = unix.Fstat(fd, &st)
			unix.Close(fd)
			if err != nil {
				return err
			}
			os.Setenv("LISTEN_PIDFDID", strconv.FormatUint(st.Ino, 10))
		}
	}
	socks, err := activation.Inherited()
	var lines []string
	for _, s := range socks {
		what := "file"
		var c syscall.Conn = s.File
		if s.Socket != nil {
			what, c = s.Socket.String(), s.Socket
		}
		raw, err := c.SyscallConn()
		if err != nil {
			return err
		}
		raw.Control(func(fd uintptr) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				what += fmt.Sprintf(", flags %#x, %v", flags, err)
			}
		})
		lines = append(lines, s.Name+": "+what)
		if err := s.Close(); err != nil {
			return err
		}
	}
	var ie *activation.InheritError
	if errors.As(err, &ie) {
		lines = append(lines, fmt.Sprintf("InheritError in %s", ie.Variable))
		if errors.Is(err, syscall.EBADF) {
			lines = append(lines, "EBADF")
		}
	} else if err != nil {
		return err
	}
	for _, kv := range os.Environ() {
		if strings.Contains(kv, "LISTEN_") {
			lines = append(lines, "still set: "+kv)
		}
	}
	if again, err := activation.Inherited(); again != nil || err != nil {
		lines = append(lines, fmt.Sprintf("the second time %v, %v", again, err))
	}
	return json.NewEncoder(os.Stdout).Encode(lines)
}

// nullID returns what PassTo says of the null device.
func nullID(tb testing.TB) string {
	tb.Helper()
	var st unix.Stat_t
	if err := unix.Stat(os.DevNull, &st); err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf("%d.%d", st.Dev, st.Ino)
}

// inherited runs cmd and returns what it prints.
func inherited(tb testing.TB, cmd *exec.Cmd) (lines []string) {
	tb.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%v, output %q", err, out)
	}
	if err := json.Unmarshal(out, &lines); err != nil {
		tb.Fatalf("%v, output %q", err, out)
	}
	return lines
}

func TestInherited(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lf, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer lf.Close()
	pipe := socktest.Pipes(t, 1)[0]
	listening := "ipv4 stream socket listening on " + l.Addr().String()
	two := []*os.File{lf, pipe}
	tests := []struct {
		name  string
		env   []string
		noPID bool
		files []*os.File
		want  []string
	}{
		{"nothing", nil, false, nil, nil},
		{"two", []string{"LISTEN_FDS=2"}, false, two, []string{"unknown: " + listening, "unknown: file"}},
		{"names", []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=web:pipe"}, false, two, []string{"web: " + listening, "pipe: file"}},
		{"fewer names", []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=web"}, false, two, []string{"web: " + listening, "unknown: file"}},
		{"an empty name", []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=:pipe"}, false, two, []string{": " + listening, "pipe: file"}},
		{"more names", []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=web:pipe"}, false, two, []string{"InheritError in LISTEN_FDNAMES"}},
		{"fewer than there are", []string{"LISTEN_FDS=1"}, false, two, []string{"unknown: " + listening}},
		{"more than there are", []string{"LISTEN_FDS=3"}, false, two, []string{"InheritError in LISTEN_FDS", "EBADF"}},
		{"a hole", []string{"LISTEN_FDS=2"}, false, []*os.File{nil, lf}, []string{"InheritError in LISTEN_FDS", "EBADF"}},
		{"far too many", []string{"LISTEN_FDS=2147483000"}, false, two, []string{"InheritError in LISTEN_FDS", "EBADF"}},
		{"beyond int", []string{"LISTEN_FDS=99999999999999999999"}, false, two, []string{"InheritError in LISTEN_FDS"}},
		{"zero", []string{"LISTEN_FDS=0"}, false, two, []string{"InheritError in LISTEN_FDS"}},
		{"negative", []string{"LISTEN_FDS=-1"}, false, two, []string{"InheritError in LISTEN_FDS"}},
		{"no number", []string{"LISTEN_FDS=two"}, false, two, []string{"InheritError in LISTEN_FDS"}},
		{"empty", []string{"LISTEN_FDS="}, false, two, []string{"InheritError in LISTEN_FDS"}},
		{"no count", []string{"LISTEN_FDNAMES=web"}, false, two, nil},
		{"no pid", []string{"LISTEN_FDS=2"}, true, two, nil},
		{"another's pid", []string{"LISTEN_PID=1", "LISTEN_FDS=2", "LISTEN_PIDFDID=7"}, true, two, nil},
		{"another's pidfd", []string{"LISTEN_FDS=2", "LISTEN_PIDFDID=7"}, false, two, nil},
		{"no pidfd number", []string{"LISTEN_FDS=2", "LISTEN_PIDFDID=-7"}, false, two, []string{"InheritError in LISTEN_PIDFDID"}},
		{"no pid number", []string{"LISTEN_PID=x", "LISTEN_FDS=2"}, true, two, []string{"InheritError in LISTEN_PID"}},
		{"pid zero", []string{"LISTEN_PID=0", "LISTEN_FDS=2"}, true, two, []string{"InheritError in LISTEN_PID"}},
		{"standard files", []string{"SOCKETS_LISTEN_IDS=0," + nullID(t), "LISTEN_FDS=1"}, true, two, nil},
		{"another's files", []string{"SOCKETS_LISTEN_IDS=3,1.2,3.4", "LISTEN_FDS=2"}, true, two, nil},
		{"another's files, own pid", []string{"SOCKETS_LISTEN_IDS=3,1.2,3.4", "LISTEN_FDS=1"}, false, two, []string{"unknown: " + listening}},
		{"garbage", []string{"SOCKETS_LISTEN_IDS=0,", "LISTEN_FDS=2"}, true, two, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "another's pidfd" {
				socktest.NeedPIDFD(t) // otherwise it is not looked at
			}
			cmd := socktest.ChildCommand(t, "inherited")
			if !tt.noPID {
				cmd = socktest.ChildCommand(t, "inherited", "pid")
			}
			cmd.Env = append(cmd.Env, tt.env...)
			cmd.ExtraFiles = tt.files
			if diff := cmp.Diff(tt.want, inherited(t, cmd)); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

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
		{"closed", []activation.Named{ok, {"x", closed}}, net.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("/bin/true")
			if err := activation.PassTo(cmd, tt.socks...); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if cmd.ExtraFiles != nil || cmd.Env != nil {
				t.Error("the command has changed")
			}
		})
	}
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
			t.Errorf("ClosePassed closed a file of somebody else: %v", err)
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

// sdListenFDs is sd_listen_fds(3) in Python, with what it finds printed.
const sdListenFDs = `
import os, socket
if os.environ.get("LISTEN_PID") != str(os.getpid()):
    raise SystemExit("LISTEN_PID=%s in process %d" % (os.environ.get("LISTEN_PID"), os.getpid()))
names = os.environ["LISTEN_FDNAMES"].split(":")
for i in range(int(os.environ["LISTEN_FDS"])):
    s = socket.socket(fileno=3+i)
    print(names[i], *s.getsockname(), s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
`

// exchange receives a descriptor with data, sends them back and ends with a message
// that has nothing to do with descriptors.
const exchange = `
import os, socket
s = socket.socket(fileno=3)
for _ in range(4):
    data, fds, flags, addr = socket.recv_fds(s, 100, 253)
    socket.send_fds(s, [data[::-1]], fds)
    for fd in fds:
        os.close(fd)
s.sendall(b"done")
`

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

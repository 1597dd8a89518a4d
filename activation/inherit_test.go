//go:build linux

package activation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
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
	"github.com/iolib-go/sockets/internal/socktest/conntest"
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
				if _, ok := pidfdID(t); !ok {
					t.Skip("the kernel has no numbers of pidfds, so that of another is not looked at")
				}
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

// TestSocketActivate is started by systemd's program.
func TestSocketActivate(t *testing.T) {
	activate := socktest.NeedProgram(t, "systemd-socket-activate")
	cmd := socktest.ChildCommand(t, "inherited")
	path := socktest.ShortDir(t) + "/activate"
	args := append([]string{"-l", path, "-l", "@" + path, "--fdname=first:second", "-E", "SOCKETS_TEST_CHILD", cmd.Path}, cmd.Args[1:]...)
	activated := exec.CommandContext(t.Context(), activate, args...)
	activated.Env, activated.Stderr = cmd.Env, os.Stderr
	out, err := activated.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := activated.Start(); err != nil {
		t.Fatal(err)
	}
	defer activated.Wait()
	defer activated.Process.Kill()
	// It waits for a connection before it starts anything.
	var c net.Conn
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if c, err = net.Dial("unix", path); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer c.Close()
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v, output %q", err, b)
	}
	want := []string{"first: unix stream socket listening on " + path, "second: unix stream socket listening on @" + path}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

func TestPython(t *testing.T) {
	python := socktest.NeedProgram(t, "python3")
	for _, network := range socktest.UnixNetworks {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			socktest.NeedFiles(t, 3*253)
			a, b := conntest.Pair(t, network)
			var errs strings.Builder
			cmd := exec.CommandContext(t.Context(), python, "-c", exchange)
			cmd.Stderr = &errs
			// The shortest way to a descriptor 3 that Python may block on.
			if err := sockets.SetBlocking(b, true); err != nil {
				t.Fatal(err)
			}
			if err := activation.PassTo(cmd, activation.Named{Conn: b}); err != nil {
				t.Fatal(err)
			}
			err := cmd.Start()
			activation.ClosePassed(cmd)
			b.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				a.Close() // it waits no more if the test has failed
				if err := cmd.Wait(); err != nil {
					t.Errorf("python: %v\n%s", err, &errs)
				}
			}()
			for _, n := range []int{1, 2, 100, 253} {
				files := socktest.Pipes(t, n)
				if _, err := a.SendFDs([]byte("data"), socktest.Conns(files)...); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 100)
				n, fds, err := a.ReceiveFDs(buf, 253)
				if err != nil || string(buf[:n]) != "atad" {
					t.Fatalf("received %q, %v", buf[:n], err)
				}
				if diff := cmp.Diff(socktest.IDsOf(t, files), socktest.IDsOf(t, fds)); diff != "" {
					t.Errorf("files mismatch (-want +got):\n%s", diff)
				}
				socktest.CloseFiles(fds)
			}
			if f, err := a.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
				t.Errorf("ReceiveFD: %v, %v", f, err)
			}
			buf := make([]byte, 100)
			if n, err := a.Read(buf); err != nil || string(buf[:n]) != "done" {
				t.Errorf("read %q, %v", buf[:n], err)
			}
		})
	}
}

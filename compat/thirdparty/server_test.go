//go:build linux

package thirdparty_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	net "github.com/iolib-go/sockets/compat"
	"github.com/iolib-go/sockets/internal/socktest"
)

// program returns the path of a server's program. A test without it is skipped,
// but not in continuous integration.
func program(t *testing.T, name string, elsewhere ...string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range elsewhere {
		paths, err := filepath.Glob(filepath.Join(pattern, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) > 0 {
			return paths[len(paths)-1]
		}
	}
	const remedy = "%s is missing: run compat/thirdparty/install.sh"
	if os.Getenv("CI") == "true" {
		t.Fatalf(remedy, name)
	}
	t.Skipf(remedy, name)
	return ""
}

// serverCommand prepares a program that works in dir. Servers refuse to run as
// root, or should not: in its place another user does it, which is given dir.
func serverCommand(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	// The server ends with the test, even if that crashes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return cmd
	}
	socktest.NeedUsers(t, name, filepath.Dir(dir))
	if err := os.Chown(dir, socktest.Nobody, socktest.Nobody); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: socktest.Nobody, Gid: socktest.Nobody}
	return cmd
}

// start starts the server that command makes for a port, and waits for a line
// of its log that contains ready. The server runs until the test has ended.
func start(t *testing.T, ready string, command func(port string) *exec.Cmd) (port string) {
	t.Helper()
	// Somebody else may take the port before the server does.
	for range 3 {
		port = freePort(t)
		cmd := command(port)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout, cmd.Stderr = w, w
		err = cmd.Start()
		w.Close()
		if err != nil {
			r.Close()
			t.Fatal(err)
		}
		var log strings.Builder
		lines := bufio.NewScanner(r)
		found := false
		for !found && lines.Scan() {
			log.WriteString(lines.Text() + "\n")
			found = strings.Contains(lines.Text(), ready)
		}
		if !found {
			t.Logf("%v\n%s", cmd.Wait(), &log)
			r.Close()
			continue
		}
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			io.Copy(io.Discard, r)
		}()
		t.Cleanup(func() {
			cmd.Process.Signal(os.Interrupt)
			<-drained
			cmd.Wait()
			r.Close()
		})
		return port
	}
	t.Fatal("the server does not start")
	return ""
}

// freePort returns a TCP port for a server that cannot choose one itself.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

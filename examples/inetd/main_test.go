//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// mainVar makes the test binary this program.
const mainVar = "INETD_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVar) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command starts a program that finds this one in $0.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), mainVar+"=1")
	cmd.Stderr = os.Stderr
	return cmd
}

// talk has a conversation with the program behind c.
func talk(t *testing.T, c net.Conn) {
	t.Helper()
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	for _, line := range []string{"hello", "world"} {
		if _, err := fmt.Fprintln(c, line); err != nil {
			t.Fatal(err)
		}
		got, err := r.ReadString('\n')
		if err != nil || got != strings.ToUpper(line)+"\n" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

// TestShell has a shell hand over its standard input, blocking as shells have it.
func TestShell(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	child, f := os.NewFile(uintptr(fds[0]), "child's"), os.NewFile(uintptr(fds[1]), "ours")
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "/bin/sh", "-c", `exec "$0" >&0`, socktest.Executable(t))
	cmd.Stdin = child
	err = cmd.Start()
	child.Close()
	if err != nil {
		t.Fatal(err)
	}
	talk(t, c)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestSuperServer has other people's programs accept the connection.
func TestSuperServer(t *testing.T) {
	tests := []struct {
		program string
		args    func(path string) []string
	}{
		{"socat", func(path string) []string {
			return []string{"UNIX-LISTEN:" + path, "EXEC:" + socktest.Executable(t) + ",nofork"}
		}},
		{"systemd-socket-activate", func(path string) []string {
			return []string{"--inetd", "-a", "-l", path, "-E", mainVar, socktest.Executable(t)}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.program, func(t *testing.T) {
			program := socktest.NeedProgram(t, tt.program)
			dir, err := os.MkdirTemp("", "inetd")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			path := dir + "/socket"
			cmd := command(t, program, tt.args(path)...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			var c net.Conn
			for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
				if c, err = net.Dial("unix", path); err == nil {
					break
				}
				if time.Now().After(end) {
					t.Fatal(err)
				}
			}
			talk(t, c)
		})
	}
}

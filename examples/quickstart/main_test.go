package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
)

// exe is the command, which TestMain builds.
var exe string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	exe = filepath.Join(dir, "quickstart")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// tree makes a directory with files of several sizes and awkward names.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, size := range map[string]int{
		"empty": 0, "small": 10, "large": 3<<20 + 17, "sub/index.html": 100, "index.html": 200,
		"sub/with space & 100%?.txt": 1000, "sub/é#x": 20,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte{'a' + byte(size%26)}, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A result is what a user sees of a run.
type result struct {
	Stdout, Stderr string
	Status         int
}

func runCommand(t *testing.T, wd string, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Dir = wd
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// screen is what quickstart prints where everything works, for lack of offload in some
// places.
var screen = regexp.MustCompile(`^A web server is replaced under load     \.{5} 5 upgrades, 0 of \d{4,} requests lost \(\d+\.\d s\)
A deleted file goes to another process   process \d+ read 24000 bytes: identical \(\d+\.\d s\)
A Shift_JIS client, a UTF-8 server       sent 93 fa 96 7b 8c ea 0d 0a, read 日本語 \(\d+\.\d s\)
Datagrams in batches                    \.\.\. \d+\.\d times as fast as one by one(, \d+ times with offload)? \(\d+\.\d s\)
A directory over TCP                     (\d+ files, \d+ bytes): identical \(\d+\.\d s\)
The same over a unix socket              (\d+ files, \d+ bytes): identical \(\d+\.\d s\)
$`)

// TestShow runs quickstart in a directory without a module and for a directory.
func TestShow(t *testing.T) {
	socktest.NeedLoopback(t)
	socktest.NeedProc(t) // by way of which a program finds its file
	tests := []struct {
		name, dir, want string
	}{
		{"its own source", "", ""},
		{"a directory", tree(t), "7 files, 3147075 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var args []string
			if tt.dir != "" {
				args = []string{"-dir", tt.dir}
			}
			got := runCommand(t, t.TempDir(), args...)
			m := screen.FindStringSubmatch(got.Stdout)
			if got.Status != 0 || got.Stderr != "" || m == nil {
				t.Fatalf("status %d\n%s\n%s", got.Status, got.Stdout, got.Stderr)
			}
			if m[2] != m[3] || tt.want != "" && m[2] != tt.want {
				t.Errorf("TCP: %s, unix: %s, want %s", m[2], m[3], tt.want)
			}
		})
	}
}

func TestMisuse(t *testing.T) {
	dir := tree(t)
	const hint = "; run quickstart -h for usage\n"
	tests := []struct {
		name string
		args []string
		want result
	}{
		{"unknown flag", []string{"-nosuch"}, result{Stderr: "quickstart: flag provided but not defined: -nosuch" + hint, Status: 2}},
		{"flag without a value", []string{"-dir"}, result{Stderr: "quickstart: flag needs an argument: -dir" + hint, Status: 2}},
		{"argument", []string{"x"}, result{Stderr: "quickstart: unexpected argument \"x\"" + hint, Status: 2}},
		{"no such directory", []string{"-dir", "nosuch"}, result{Stderr: "quickstart: open nosuch: no such file or directory" + hint, Status: 2}},
		{"no directory", []string{"-dir", exe}, result{Stderr: "quickstart: open " + exe + ": not a directory" + hint, Status: 2}},
		{"address without -serve", []string{"-addr", "127.0.0.1:80"}, result{Stderr: "quickstart: -addr requires -serve" + hint, Status: 2}},
		{"bad address", []string{"-serve", "-addr", "nonsense", "-dir", dir}, result{
			Stderr: "quickstart: -addr: address nonsense: missing port in address" + hint, Status: 2,
		}},
		{"no such port", []string{"-serve", "-addr", "127.0.0.1:99999", "-dir", dir}, result{
			Stderr: "quickstart: -addr: address 99999: invalid port" + hint, Status: 2,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, runCommand(t, ".", tt.args...)); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFailures sees the steps about files fail and the others succeed.
func TestFailures(t *testing.T) {
	socktest.NeedLoopback(t)
	socktest.NeedProc(t)                     // as in TestShow
	const random = "/proc/sys/kernel/random" // files without a size, so that nothing is served of them, and content
	tests := []struct{ name, dir, want string }{
		{"different", random, "different"},
		{"no files", t.TempDir(), "no files to serve"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := os.Stat(tt.dir); err != nil {
				t.Skip("needs Linux's files that change when they are read: ", err)
			}
			got := runCommand(t, ".", "-dir", tt.dir)
			if got.Status != 1 || strings.Count(got.Stdout, tt.want) != 2 || got.Stderr != "quickstart: 2 of 6 failed\n" {
				t.Errorf("got %+v, want status 1, and %q twice", got, tt.want)
			}
		})
	}
}

func TestServe(t *testing.T) {
	socktest.NeedLoopback(t)
	dir := tree(t)
	cmd := exec.CommandContext(t.Context(), exe, "-serve", "-addr", "127.0.0.1:0", "-dir", dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	where := regexp.MustCompile(`http://[^ ]*/`).FindString(first)
	// A request under way when the interrupt comes is finished.
	resp, err := http.Get(where + "large")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if line, err := lines.ReadString('\n'); line != "finishing the requests in progress\n" {
		t.Errorf("after the interrupt: %q, %v", line, err)
	}
	got, err := io.ReadAll(resp.Body)
	if len(got) != 3<<20+17 || err != nil {
		t.Errorf("the request under way: %d bytes, %v", len(got), err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
	if _, err := http.Get(where); err == nil {
		t.Error("it still answers")
	}
}

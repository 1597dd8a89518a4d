package main

import (
	"bufio"
	"bytes"
	"errors"
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
)

// build builds the command and returns its path.
func build(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "quickstart")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
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

var rate = regexp.MustCompile(` +\d+\.\d `)

func runCommand(t *testing.T, exe string, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	// How fast it is depends on the machine, and with it the column's width.
	var lines []string
	for line := range strings.Lines(stdout.String()) {
		lines = append(lines, strings.Join(strings.Fields(rate.ReplaceAllString(line, " RATE ")), " "))
	}
	return result{strings.Join(lines, "\n"), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestRun(t *testing.T) {
	exe, dir := build(t), tree(t)
	tests := []struct {
		name string
		args []string
		want result
	}{
		{"identical", []string{"-dir", dir}, result{
			Stdout: "transport files bytes MB/s result\ntcp 7 3147075 RATE identical\nunix 7 3147075 RATE identical",
		}},
		{"unknown flag", []string{"-nosuch"}, result{Stderr: "quickstart: flag provided but not defined: -nosuch\n", Status: 2}},
		{"flag without a value", []string{"-dir"}, result{Stderr: "quickstart: flag needs an argument: -dir\n", Status: 2}},
		{"argument", []string{"x"}, result{Stderr: "quickstart: unexpected argument \"x\"\n", Status: 2}},
		{"no such directory", []string{"-dir", "nosuch"}, result{Stderr: "quickstart: open nosuch: no such file or directory\n", Status: 2}},
		{"no directory", []string{"-dir", "main.go"}, result{Stderr: "quickstart: open main.go: not a directory\n", Status: 2}},
		{"no files", []string{"-dir", t.TempDir()}, result{Stderr: "quickstart: no files to serve\n", Status: 1}},
		{"bad address", []string{"-serve", "-addr", "nonsense", "-dir", dir}, result{
			Stderr: "quickstart: address nonsense: missing port in address\n", Status: 2,
		}},
		{"no such port", []string{"-serve", "-addr", "127.0.0.1:99999", "-dir", dir}, result{
			Stderr: "quickstart: address 99999: invalid port\n", Status: 2,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, runCommand(t, exe, tt.args...)); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}
		})
	}
}

// These files have no size, so that nothing is served of them, and content.
func TestRunDifferent(t *testing.T) {
	const dir = "/proc/sys/kernel/random"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs Linux's files that change when they are read: ", err)
	}
	got := runCommand(t, build(t), "-dir", dir)
	if got.Status != 1 || !strings.Contains(got.Stdout, "different") || strings.Contains(got.Stdout, "identical") ||
		!strings.Contains(got.Stderr, errDifferent.Error()) {
		t.Errorf("got %+v, want status 1 and both transports different", got)
	}
}

func TestServe(t *testing.T) {
	dir := tree(t)
	cmd := exec.CommandContext(t.Context(), build(t), "-serve", "-addr", "127.0.0.1:0", "-dir", dir)
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
	if line, err := lines.ReadString('\n'); line != "finishing the requests under way\n" {
		t.Errorf("after the interrupt: %q, %v", line, err)
	}
	got, err := io.ReadAll(resp.Body)
	if len(got) != 3<<20+17 || err != nil {
		t.Errorf("the request under way: %d octets, %v", len(got), err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
	if _, err := http.Get(where); err == nil {
		t.Error("it still answers")
	}
}

// Package examples holds the test of what all programs here have in common.
package examples

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCommandLines asks each program how it is used, and uses it wrongly.
func TestCommandLines(t *testing.T) {
	mains, err := filepath.Glob("*/main.go")
	if err != nil || len(mains) < 5 {
		t.Fatalf("%d programs, %v", len(mains), err)
	}
	dir := t.TempDir()
	build := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, main := range mains {
		build = append(build, "./"+filepath.Dir(main))
	}
	if out, err := exec.Command("go", build...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, main := range mains {
		name := filepath.Dir(main)
		tests := []struct {
			name           string
			args           []string
			status         int
			stdout, stderr string
		}{
			{"help", []string{"-h"}, 0, `^usage: ` + name + `( .*)?\n\n[A-Z](?s:.*)$`, `^$`},
			{"unknown flag", []string{"-nosuch"}, 2, `^$`, `^` + name + `: .*-nosuch; ` + name + ` -h says how to use it\n$`},
			{"argument", []string{"surplus"}, 2, `^$`, `^` + name + `: .*"surplus"; ` + name + ` -h says how to use it\n$`},
		}
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				var stdout, stderr strings.Builder
				cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name), tt.args...)
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				var exit *exec.ExitError
				if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				if got := cmd.ProcessState.ExitCode(); got != tt.status {
					t.Errorf("status %d, want %d", got, tt.status)
				}
				if !regexp.MustCompile(tt.stdout).MatchString(stdout.String()) {
					t.Errorf("stdout %q, want %s", stdout.String(), tt.stdout)
				}
				if !regexp.MustCompile(tt.stderr).MatchString(stderr.String()) {
					t.Errorf("stderr %q, want %s", stderr.String(), tt.stderr)
				}
			})
		}
	}
}

// TestInetdByHand starts inetd as a shell does, without a connection.
func TestInetdByHand(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	exe := filepath.Join(t.TempDir(), "inetd")
	if out, err := exec.Command("go", "build", "-o", exe, "./inetd").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Stdin = null
	out, err := cmd.CombinedOutput()
	want := "inetd: the standard input is no connection, and a super-server is to start this; inetd -h says how to use it\n"
	if err == nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}

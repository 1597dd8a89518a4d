// Package examples holds the test of what all programs here have in common.
package examples

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// built is the directory with all programs, which TestMain builds.
var built string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "examples"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(built)
	build := []string{"build", "-o", built + string(filepath.Separator)}
	for _, name := range programs() {
		build = append(build, "./"+name)
	}
	if out, err := exec.Command("go", build...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// programs returns the names of all.
func programs() (names []string) {
	mains, err := filepath.Glob("*/main.go")
	if err != nil || len(mains) < 11 {
		panic(fmt.Sprint(mains, err))
	}
	for _, main := range mains {
		names = append(names, filepath.Dir(main))
	}
	return names
}

// TestCommandLines asks each program how it is used, and uses it wrongly.
func TestCommandLines(t *testing.T) {
	for _, name := range programs() {
		tests := []struct {
			name           string
			args           []string
			status         int
			stdout, stderr string
		}{
			{"help", []string{"-h"}, 0, `^usage: ` + name + `( .*)?\n\n[A-Z](?s:.*)$`, `^$`},
			{"unknown flag", []string{"-nosuch"}, 2, `^$`, `^` + name + `: .*-nosuch; run ` + name + ` -h for usage\n$`},
			{"argument", []string{"surplus"}, 2, `^$`, `^` + name + `: .*"surplus"; run ` + name + ` -h for usage\n$`},
		}
		for _, tt := range tests {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				var stdout, stderr strings.Builder
				cmd := exec.CommandContext(t.Context(), filepath.Join(built, name), tt.args...)
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
	cmd := exec.CommandContext(t.Context(), filepath.Join(built, "inetd"))
	cmd.Stdin = null
	out, err := cmd.CombinedOutput()
	want := "inetd: standard input is not a connection, so start this program from inetd, systemd or socat; run inetd -h for usage\n"
	if err == nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}

// Package examples holds the test of what all programs here have in common.
package examples

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
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

// TestMisuse gives flags values that they cannot have, and flags that do not go together.
// The answer names the flag.
func TestMisuse(t *testing.T) {
	tests := []struct{ command, want string }{
		{"gateway", "-host and -format are required, or -demo"},
		{"gateway -demo -host a:1", "-demo cannot be combined with -host and -format"},
		{"gateway -host a:1 -format klingon", `-format: sockets: parse: unknown encoding: "klingon" at offset 0`},
		{"gateway -host a:1 -format cp037 -client klingon", `-client: sockets: parse: unknown encoding: "klingon" at offset 0`},
		{"gateway -grace soon", `invalid value "soon" for flag -grace: parse error`},
		{"privsep", "either -broker or -file is required"},
		{"privsep -broker -file a", "-broker cannot be combined with -file"},
		{"privsep -file a -dir b", "-dir requires -broker"},
		{"privsep -file a -uid 1", "-uid requires -broker"},
		{"unixweb -mode 999", "-mode 999: must be octal, from 1 to 777"},
		{"unixweb -mode 0", "-mode 0: must be octal, from 1 to 777"},
		{"unixweb -mode 1777", "-mode 1777: must be octal, from 1 to 777"},
	}
	for _, tt := range tests {
		t.Run(tt.command, func(t *testing.T) {
			args := strings.Fields(tt.command)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // if it goes on instead
			defer cancel()
			var stdout, stderr strings.Builder
			cmd := exec.CommandContext(ctx, filepath.Join(built, args[0]), args[1:]...)
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			want := args[0] + ": " + tt.want + "; run " + args[0] + " -h for usage\n"
			if status := cmd.ProcessState.ExitCode(); status != 2 || stdout.String() != "" || stderr.String() != want {
				t.Errorf("%v, stdout %q, stderr %q, want status 2, %q", err, stdout.String(), stderr.String(), want)
			}
		})
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

package socktest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// childVar tells the test binary to be a child process of a test.
const childVar = "SOCKETS_TEST_CHILD"

// Children are the functions that run in a process of their own: because they
// change what a whole process shares, or because they are watched from outside.
// What they return is printed, and fails the test.
var Children = map[string]func() error{}

func runChild(name string) int {
	f := Children[name]
	if f == nil {
		fmt.Fprintf(os.Stderr, "no child %q\n", name)
		return 2
	}
	if err := f(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Executable returns the path of the test binary, without /proc too.
func Executable(tb testing.TB) string {
	tb.Helper()
	exe, err := executable()
	Check(tb, err)
	return exe
}

func executable() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return filepath.Abs(os.Args[0])
	}
	return exe, nil
}

// ChildCommand is the command that runs a child. The arguments are its own.
func ChildCommand(tb testing.TB, name string, args ...string) *exec.Cmd {
	tb.Helper()
	exe := Executable(tb)
	cmd := exec.CommandContext(tb.Context(), exe, append([]string{"--"}, args...)...)
	cmd.Env = append(os.Environ(), childVar+"="+name)
	return cmd
}

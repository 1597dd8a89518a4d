package activation_test

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run if it leaves descriptors open or goroutines behind.
func TestMain(m *testing.M) {
	flag.Parse()
	if name := os.Getenv(childVar); name != "" {
		os.Exit(runChild(name))
	}
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		os.Exit(m.Run()) // the fuzzing engine keeps its own pipes and goroutines
	}
	openForGood()
	files, routines := openFiles(), runtime.NumGoroutine()
	code := m.Run()
	if code == 0 {
		code = reportLeaks(files, routines)
	}
	os.Exit(code)
}

// openForGood opens what the runtime opens once and keeps: the poller, and the
// goroutine that delivers signals.
func openForGood() {
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)
}

// reportLeaks compares with the state before the tests, and waits for what is
// on its way out.
func reportLeaks(files map[string]string, routines int) int {
	// A collected os.File closes itself, which would hide that nobody did.
	debug.SetGCPercent(-1)
	var left []string
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left = left[:0]
		for fd, what := range openFiles() {
			if files[fd] != what {
				left = append(left, fd+" "+what)
			}
		}
		if len(left) == 0 && runtime.NumGoroutine() <= routines {
			return 0
		}
		if !slices.ContainsFunc(left, func(what string) bool { return !strings.Contains(what, " pipe:") }) {
			runtime.GC() // transfers keep pipes in a pool, which go with the garbage
		}
		if time.Now().After(end) {
			break
		}
	}
	sort.Strings(left)
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "descriptors left open by the tests:\n\t%s\n", strings.Join(left, "\n\t"))
	}
	if n := runtime.NumGoroutine(); n > routines {
		var stacks bytes.Buffer
		pprof.Lookup("goroutine").WriteTo(&stacks, 1)
		fmt.Fprintf(os.Stderr, "%d goroutines, %d before the tests:\n%s", n, routines, &stacks)
	}
	return 1
}

// openFiles says what each open descriptor is, as far as the system tells.
// Without /dev/fd it says nothing.
func openFiles() map[string]string {
	open := make(map[string]string)
	names, _ := filepath.Glob("/dev/fd/*")
	for _, name := range names {
		// A target that cannot be read is Glob's own descriptor, closed by now.
		if what, err := os.Readlink(name); err == nil {
			open[filepath.Base(name)] = what
		}
	}
	return open
}

// childVar tells the test binary to be a child process of a test.
const childVar = "SOCKETS_TEST_CHILD"

// children are the functions that run in a process of their own: because they
// change what a whole process shares, or because they are watched from outside.
// What they return is printed, and fails the test.
var children = map[string]func() error{}

func runChild(name string) int {
	f := children[name]
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

// childCommand is the command that runs a child. The arguments are its own.
func childCommand(tb testing.TB, name string, args ...string) *exec.Cmd {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(tb.Context(), exe, append([]string{"--"}, args...)...)
	cmd.Env = append(os.Environ(), childVar+"="+name)
	return cmd
}

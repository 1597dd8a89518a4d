package socktest

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"os"
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

// OpenDescriptors returns how many descriptors are open.
func OpenDescriptors(t testing.TB) int {
	t.Helper()
	NeedProc(t)
	es, err := os.ReadDir("/proc/self/fd")
	Check(t, err)
	return len(es)
}

// WaitDescriptors fails t if what was opened since before is not closed again.
// Pooled pipes go with the garbage.
func WaitDescriptors(t testing.TB, before int, what string) {
	t.Helper()
	if !WaitUntil(func() bool {
		runtime.GC()
		return OpenDescriptors(t) <= before
	}) {
		t.Errorf("%s hold %d descriptors", what, OpenDescriptors(t)-before)
	}
}

// Run is what TestMain does: it runs the tests, and fails the run if they leave
// descriptors open or goroutines behind. In a child process of a test it runs the
// child.
func Run(m *testing.M) int {
	flag.Parse()
	if name := os.Getenv(childVar); name != "" {
		return runChild(name)
	}
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		return m.Run() // the fuzzing engine keeps its own pipes and goroutines
	}
	if !HasLoopback() {
		return 0
	}
	skipExamples()
	openForGood()
	files, routines := OpenFiles(), runtime.NumGoroutine()
	code := m.Run()
	if code == 0 {
		code = reportLeaks(files, routines)
	}
	return code
}

// Examples are those that need what may be missing, with a function that tries it.
var Examples = map[string]func() error{}

// skipExamples leaves out examples that cannot run: they have no way to say so.
func skipExamples() {
	skip := flag.Lookup("test.skip").Value
	for name, try := range Examples {
		if err := try(); err != nil {
			fmt.Printf("--- SKIP: %s: %v\n", name, err)
			skip.Set(strings.TrimPrefix(skip.String()+"|^"+name+"$", "|"))
		}
	}
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
	// A collected os.File closes itself, which would hide that the test did not.
	debug.SetGCPercent(-1)
	var left []string
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left = left[:0]
		for fd, what := range OpenFiles() {
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

// OpenFiles says what each open descriptor is, as far as the system tells.
// Without /dev/fd it says nothing.
func OpenFiles() map[string]string {
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

// CheckNoLeak fails the test if it leaves descriptors open that were not before.
func CheckNoLeak(tb testing.TB) {
	tb.Helper()
	before := OpenFiles()
	tb.Cleanup(func() {
		for fd, what := range OpenFiles() {
			if before[fd] != what {
				tb.Errorf("descriptor %s is left open: %s", fd, what)
			}
		}
	})
}

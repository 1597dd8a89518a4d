//go:build linux

package upgrade_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/test/requests"
)

// post sends a request on a new connection.
func (m *manager) post() {
	m.t.Helper()
	if err := requests.Post(http.DefaultClient, "http://"+m.addr(0)+"/digest", false); err != nil {
		m.t.Error(err)
	}
}

// TestSignalsWhileDraining sends signals to a process that has been replaced, and serves
// its last connection.
func TestSignalsWhileDraining(t *testing.T) {
	m := newManager(t)
	m.start()
	c, err := net.Dial("tcp", m.addr(2))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	say := func(what string) {
		if _, err := io.WriteString(c, what); err != nil {
			t.Error(err)
		}
	}
	hear := func(want string) {
		t.Helper()
		if line, err := r.ReadString('\n'); line != want {
			t.Fatalf("got %q, %v, want %q", line, err, want)
		}
	}
	say("one\n")
	hear("one\n")
	old := m.main
	m.upgrade()
	hear("bye\n")
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGHUP} {
		if err := old.Signal(sig); err != nil {
			t.Fatal(err)
		}
		say(sig.String() + "\n")
		hear(sig.String() + "\n")
	}
	c.Close()
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(old.Pid, &ws, 0, nil); err != nil || ws != 0 {
		t.Errorf("the process that was replaced: status %#x, %v, want 0", ws, err)
	}
}

// TestWatchdogPassesOn has the service manager watch a server and its successors.
func TestWatchdogPassesOn(t *testing.T) {
	m := newManager(t)
	cmd := m.command("WATCHDOG_USEC=60000000")
	cmd.Args = []string{"sh", "-c", `WATCHDOG_PID=$$ exec "$0"`, cmd.Path}
	cmd.Path = "/bin/sh"
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.awaitReady()
	for i := range 3 {
		usec, pid := m.environ("WATCHDOG_USEC"), m.environ("WATCHDOG_PID")
		if usec != "60000000" || pid != "" && pid != strconv.Itoa(m.pid) {
			t.Errorf("process %d, %d: WATCHDOG_USEC=%s, WATCHDOG_PID=%s", i, m.pid, usec, pid)
		}
		m.upgrade()
	}
}

// environ returns a variable of the environment that the server was started with.
func (m *manager) environ(name string) string {
	m.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", m.pid))
	if err != nil {
		m.t.Fatal(err)
	}
	for kv := range strings.SplitSeq(string(b), "\x00") {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// TestChangedDirectory replaces a server that was started by a relative path, which is a
// symbolic link, and has changed its directory since.
func TestChangedDirectory(t *testing.T) {
	m := newManager(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"v1", "v2"} {
		if err := os.WriteFile(m.path(name), b, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := func(version string) {
		os.Remove(m.path("current"))
		if err := os.Symlink(version, m.path("current")); err != nil {
			t.Fatal(err)
		}
	}
	link("v1")
	cmd := m.command("UPGRADE_TEST_CHDIR=/")
	cmd.Path, cmd.Args, cmd.Dir = "./current", []string{"./current"}, m.dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.awaitReady()
	var got []string
	runs := func() {
		path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", m.pid))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimPrefix(path, m.dir+"/"))
	}
	runs()
	m.upgrade()
	runs()
	link("v2")
	m.upgrade()
	runs()
	if diff := cmp.Diff([]string{"v1", "v1", "v2"}, got); diff != "" {
		t.Errorf("programs mismatch (-want +got):\n%s", diff)
	}
}

// TestRelativePaths has a server change its directory once it is ready: what it removes in the
// end is what it made.
func TestRelativePaths(t *testing.T) {
	m := newManager(t)
	cmd := m.command("UPGRADE_TEST_CHDIR_LATER=/")
	cmd.Dir = m.dir
	socktest.Check(t, cmd.Start())
	m.awaitReady()
	m.upgrade()
	for _, name := range []string{"pid", "control"} {
		if _, err := os.Lstat(m.path(name)); err != nil {
			t.Error(err)
		}
	}
	m.signal(syscall.SIGTERM)
	m.pid = 0
	m.end()
	for _, name := range []string{"pid", "control"} {
		if _, err := os.Lstat(m.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

// TestClosedOutput replaces servers that have closed their standard output.
func TestClosedOutput(t *testing.T) {
	m := newManager(t)
	m.start("UPGRADE_TEST_STDOUT=closed")
	for range 2 {
		m.upgrade()
	}
	m.post()
}

// TestBrokenOutput has a successor write to standard output, which is a pipe that has no
// reader any more.
func TestBrokenOutput(t *testing.T) {
	m := newManager(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := m.command()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	m.awaitReady()
	r.Close()
	m.behaviour("crash")
	old := m.pid
	m.signal(syscall.SIGHUP)
	m.await("READY=1", "MAINPID="+strconv.Itoa(old))
	m.post()
}

// TestPredecessorIsKilled kills a server while its successor starts, and writes: that
// one serves then.
func TestPredecessorIsKilled(t *testing.T) {
	for range 3 {
		m := newManager(t)
		log := m.logTo()
		m.start()
		m.behaviour("talk")
		old := m.pid
		m.signal(syscall.SIGHUP)
		m.awaitLog(log, "I talk")
		m.signal(syscall.SIGKILL)
		m.awaitEnd(old)
		if err := os.WriteFile(m.path("enough"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		m.awaitReady()
		if m.pid == old {
			t.Errorf("process %d is ready again", old)
		}
		m.post()
		m.behaviour("")
		m.upgrade()
		m.post()
		m.signal(syscall.SIGTERM)
		m.pid = 0
		m.end()
	}
}

// TestControlOutOfDescriptors has the server fail to accept at its control socket for a while.
func TestControlOutOfDescriptors(t *testing.T) {
	m := newManager(t)
	log := m.logTo()
	before := m.limit()
	m.start(controlVar+"="+m.path("control"), "UPGRADE_TEST_FILES=1")
	for m.limit() == before {
		time.Sleep(time.Millisecond)
	}
	var conns []net.Conn
	dial := func(network, addr string) {
		c, err := sockets.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for range 20 {
		dial("tcp", m.addr(0))
	}
	// What becomes free between two attempts is taken by the next one, so none is now.
	m.awaitLog(log, "too many open files; retrying in 320ms")
	dial("unix", m.path("control"))
	m.awaitLog(log, "upgrade: accept")
	for _, c := range conns {
		c.Close()
	}
	old := m.pid
	if err := m.command(controlVar + "=" + m.path("control")).Start(); err != nil {
		t.Fatal(err)
	}
	for m.pid == old { // which says again that it is ready, once the dialer above is gone
		m.awaitReady()
	}
	m.awaitEnd(old)
	m.post()
}

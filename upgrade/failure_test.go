//go:build linux

package upgrade_test

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/test/requests"
	"golang.org/x/sys/unix"
)

func TestSuccessorThatFails(t *testing.T) {
	for _, tt := range []struct {
		behaviour string
		want      []string // in what the predecessor logs
	}{
		{"crash", []string{"did not become ready", "exit status 2", "first words", "told to crash"}},
		{"hang", []string{"did not become ready", "i/o timeout", "killed", "I hang"}},
		{"gone", []string{"no such file"}},
	} {
		t.Run(tt.behaviour, func(t *testing.T) {
			m := newManager(t)
			log := m.logTo()
			if tt.behaviour == "hang" {
				m.start("UPGRADE_TEST_IMPATIENT=1")
			} else {
				m.start()
			}
			l := m.load(1)
			m.behaviour(tt.behaviour)
			old := m.pid
			m.signal(syscall.SIGHUP)
			m.await("READY=1", "MAINPID="+strconv.Itoa(old))
			for _, want := range tt.want {
				m.awaitLog(log, want)
			}
			// And the next one succeeds.
			m.behaviour("")
			m.upgrade()
			l.End()
		})
	}
}

// TestSuccessorIsKilled kills one that has not become ready.
func TestSuccessorIsKilled(t *testing.T) {
	m := newManager(t)
	log := m.logTo()
	m.start()
	l := m.load(1)
	m.behaviour("hang")
	old := m.pid
	m.signal(syscall.SIGHUP)
	m.awaitLog(log, "I hang")
	m.signal(syscall.SIGHUP)
	m.awaitLog(log, "an upgrade is in progress")
	child := m.process(m.child(old))
	if again := m.child(old); again != child.Pid {
		t.Fatalf("process %d has ended, %d is the child", child.Pid, again)
	}
	if err := child.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	m.await("READY=1", "MAINPID="+strconv.Itoa(old))
	m.awaitLog(log, "signal: killed")
	l.End()
}

// child returns the process ID of a child of pid.
func (m *manager) child(pid int) int {
	m.t.Helper()
	pids := m.childrenOf(pid)
	if len(pids) == 0 {
		m.t.Fatalf("process %d has no child", pid)
	}
	return pids[0]
}

// TestStopDuringUpgrade ends the predecessor while its successor starts: both end.
func TestStopDuringUpgrade(t *testing.T) {
	m := newManager(t)
	log := m.logTo()
	m.start()
	m.behaviour("hang")
	m.signal(syscall.SIGHUP)
	m.awaitLog(log, "I hang")
	m.signal(syscall.SIGTERM)
	m.await("STOPPING=1")
	m.pid = 0
	m.end()
	if _, err := os.Lstat(m.path("http")); !os.IsNotExist(err) {
		t.Errorf("the unix socket is left: %v", err)
	}
	if _, err := os.Lstat(m.path("pid")); !os.IsNotExist(err) {
		t.Errorf("the PID file is left: %v", err)
	}
}

// TestSuccessorCrashesAfterReady ends a successor that is the service: its predecessor
// has done its share and ends, and a process that is started anew serves.
func TestSuccessorCrashesAfterReady(t *testing.T) {
	m := newManager(t)
	m.start()
	m.behaviour("crash after ready")
	m.signal(syscall.SIGHUP)
	old := m.pid
	for m.pid == old {
		m.awaitReady()
	}
	m.pid = 0
	m.end()
	m.behaviour("")
	// Its unix socket's path is left, as after kill -9.
	m.start()
	if err := requests.Post(http.DefaultClient, "http://"+m.addr(0)+"/digest", false); err != nil {
		t.Error(err)
	}
}

// TestSuccessorIsKilledBeforePredecessorEnds kills a successor that is the service while its
// predecessor drains: what was the parent of that learns how it ended, as of every
// process whose number it was told.
func TestSuccessorIsKilledBeforePredecessorEnds(t *testing.T) {
	m := newManager(t)
	m.start()
	old := m.pid
	bye := m.keepDraining()
	m.upgrade()
	m.signal(syscall.SIGKILL)
	if !socktest.WaitUntil(func() bool { return m.state(m.pid) == "Z" }) {
		t.Errorf("process %d is in state %q, want Z", m.pid, m.state(m.pid))
	}
	bye()
	m.awaitEnd(old)
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(m.pid, &ws, 0, nil); err != nil || ws.Signal() != syscall.SIGKILL {
		t.Errorf("the successor: status %#x, %v, want that it was killed", ws, err)
	}
	m.pid = 0
}

// keepDraining has the process that serves drain until the function that it returns is called.
func (m *manager) keepDraining() (bye func()) {
	m.t.Helper()
	c, err := net.Dial("tcp", m.addr(2))
	socktest.Check(m.t, err)
	m.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	_, err = io.WriteString(c, "one\n")
	socktest.Check(m.t, err)
	_, err = io.ReadFull(c, make([]byte, len("one\n")))
	socktest.Check(m.t, err)
	return func() { c.Close() }
}

// state returns the state of a process as proc_pid_stat(5) has it.
func (m *manager) state(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(b), ") ")
	state, _, _ := strings.Cut(after, " ")
	return state
}

// TestPathChangesHands looks at the unix socket's path after an upgrade, and after the
// end of the last process.
func TestPathChangesHands(t *testing.T) {
	m := newManager(t)
	m.start()
	old := m.pid
	m.upgrade()
	m.awaitEnd(old)
	if err := requests.Post(requests.Client(requests.OverUnix(m.path("http"))), "http://unix/digest", false); err != nil {
		t.Error(err)
	}
	m.signal(syscall.SIGTERM)
	m.pid = 0
	m.end()
	if _, err := os.Lstat(m.path("http")); !os.IsNotExist(err) {
		t.Errorf("the unix socket is left: %v", err)
	}
}

// TestPathChanges has a successor listen at another path: the old one goes.
func TestPathChanges(t *testing.T) {
	m := newManager(t)
	m.start()
	m.behaviour("another path")
	old := m.pid
	m.upgrade()
	m.awaitEnd(old)
	if err := requests.Post(requests.Client(requests.OverUnix(m.path("moved"))), "http://unix/digest", false); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(m.path("http")); !os.IsNotExist(err) {
		t.Errorf("the old path is left: %v", err)
	}
	// A path that another process has removed is made anew, and remains.
	socktest.Check(t, os.Remove(m.path("moved")))
	old = m.pid
	m.upgrade()
	m.awaitEnd(old)
	if err := requests.Post(requests.Client(requests.OverUnix(m.path("moved"))), "http://unix/digest", false); err != nil {
		t.Error(err)
	}
}

// awaitEnd waits until the process, which is or becomes a child of this one, has ended.
func (m *manager) awaitEnd(pid int) {
	m.t.Helper()
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil {
		m.t.Fatal(err)
	}
}

// TestStranger has a process that something else started take over.
func TestStranger(t *testing.T) {
	m := newManager(t)
	m.start(controlVar + "=" + m.path("control"))
	l := m.load(1)
	for range 3 {
		old := m.pid
		m.start(controlVar + "=" + m.path("control"))
		m.awaitEnd(old)
	}
	sent, lost := l.End()
	t.Logf("%d requests, %d lost", sent, lost)
	m.signal(syscall.SIGTERM)
	m.pid = 0
	m.end()
	for _, name := range []string{"control", "http", "pid"} {
		if _, err := os.Lstat(m.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

// TestStrangerOfAnotherUser is refused.
func TestStrangerOfAnotherUser(t *testing.T) {
	socktest.NeedUsers(t, os.TempDir())
	m := newManager(t)
	log := m.logTo()
	m.start(controlVar + "=" + m.path("control"))
	for path, mode := range map[string]os.FileMode{"": 0o755, "control": 0o777} {
		if err := os.Chmod(m.path(path), mode); err != nil {
			t.Fatal(err)
		}
	}
	n, err := readAsNobody(m.path("control"))
	if n != 0 || err != io.EOF {
		t.Errorf("Read: got %d bytes, %v, want 0, EOF", n, err)
	}
	m.awaitLog(log, "of user 65534")
}

// readAsNobody connects to a unix socket as another user, and reads.
func readAsNobody(path string) (n int, err error) {
	asErr := socktest.AsNobody(func() {
		var c net.Conn
		if c, err = net.Dial("unix", path); err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		n, err = c.Read(make([]byte, 100))
	})
	return n, cmp.Or(asErr, err)
}

// TestPIDFileFails has a successor whose PID file cannot be written: it fails before the predecessor is told.
func TestPIDFileFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, dir string, start func()) // makes the directory and starts the server
		want string
	}{
		{"no directory", func(_ *testing.T, _ string, start func()) { start() }, "no such file or directory"},
		{"no permission", func(t *testing.T, dir string, start func()) {
			socktest.Check(t, os.Mkdir(dir, 0o500))
			if os.WriteFile(filepath.Join(dir, "x"), nil, 0o600) == nil {
				t.Skip("this user may write to any directory")
			}
			start()
		}, "permission denied"},
		{"read-only", startBesideReadOnly, "read-only file system"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newManager(t)
			log := m.logTo()
			tt.make(t, m.path("missing"), func() { m.start() })
			l := m.load(1)
			m.behaviour("no pid directory")
			old := m.pid
			m.signal(syscall.SIGHUP)
			m.await("READY=1", "MAINPID="+strconv.Itoa(old))
			m.awaitLog(log, tt.want)
			m.behaviour("")
			m.upgrade()
			l.End()
		})
	}
}

// startBesideReadOnly makes a directory that is read-only for the server that start starts,
// even if that is of root.
func startBesideReadOnly(t *testing.T, dir string, start func()) {
	socktest.Check(t, os.Mkdir(dir, 0o700))
	var err error
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err = unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = unix.Mount(dir, dir, "", unix.MS_BIND, "")
		}
		if err == nil {
			err = unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
		}
		if err == nil {
			start()
		}
	}()
	<-done
	if err != nil {
		t.Skipf("no mount name space: %v", err)
	}
	if t.Failed() { // start has ended that goroutine alone
		t.FailNow()
	}
}

// TestCredentialsOfSuccessor has successors of root be another user's, by Config.Command.
func TestCredentialsOfSuccessor(t *testing.T) {
	socktest.NeedUsers(t)
	m := newManager(t)
	log := m.logTo()
	// What that user may read and run.
	b, err := os.ReadFile(socktest.Executable(t))
	socktest.Check(t, err)
	socktest.Check(t, os.WriteFile(m.path("server"), b, 0o755))
	for path, mode := range map[string]os.FileMode{"": 0o755, "server": 0o755, "cert.pem": 0o644, "key.pem": 0o644, "notify": 0o666} {
		socktest.Check(t, os.Chmod(m.path(path), mode))
	}
	cmd := m.command()
	cmd.Path, cmd.Args = m.path("server"), []string{m.path("server")}
	socktest.Check(t, cmd.Start())
	m.awaitReady()
	l := m.load(1)
	var got []uint32
	user := func() {
		var st syscall.Stat_t
		socktest.Check(t, syscall.Stat(fmt.Sprintf("/proc/%d", m.pid), &st))
		got = append(got, st.Uid)
	}
	user()
	m.behaviour("nobody")
	old := m.pid
	m.signal(syscall.SIGHUP) // of a successor that cannot write its PID file
	m.await("READY=1", "MAINPID="+strconv.Itoa(old))
	m.awaitLog(log, "permission denied")
	user()
	socktest.Check(t, os.Chmod(m.path(""), 0o777))
	m.upgrade()
	user()
	m.behaviour("")
	socktest.Check(t, os.Chmod(m.path("behaviour"), 0o644))
	m.upgrade()
	user()
	if diff := gocmp.Diff([]uint32{0, 0, socktest.Nobody, socktest.Nobody}, got); diff != "" {
		t.Errorf("users mismatch (-want +got):\n%s", diff)
	}
	l.End()
	m.signal(syscall.SIGTERM)
	m.pid = 0
	m.end()
	for _, name := range []string{"http", "pid"} {
		if _, err := os.Lstat(m.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

// TestAfterKill starts a server again after its last process was killed.
func TestAfterKill(t *testing.T) {
	m := newManager(t)
	m.start(controlVar + "=" + m.path("control"))
	m.signal(syscall.SIGKILL)
	m.awaitEnd(m.pid)
	m.start(controlVar + "=" + m.path("control"))
	if err := requests.Post(requests.Client(requests.OverUnix(m.path("http"))), "http://unix/digest", false); err != nil {
		t.Error(err)
	}
}

// TestDescriptorsRunOut upgrades while the process has no descriptor left.
func TestDescriptorsRunOut(t *testing.T) {
	m := newManager(t)
	log := m.logTo()
	before := m.limit()
	m.start("UPGRADE_TEST_FILES=1")
	for m.limit() == before {
		time.Sleep(time.Millisecond) // it is ready before it limits itself
	}
	old := m.pid
	m.signal(syscall.SIGHUP)
	m.await("READY=1", "MAINPID="+strconv.Itoa(old))
	m.awaitLog(log, "too many open files")
	if err := requests.Post(http.DefaultClient, "http://"+m.addr(0)+"/digest", false); err != nil {
		t.Error(err)
	}
}

// limit returns the line about open files of the limits of the process that serves, or of
// this one before there is one.
func (m *manager) limit() string {
	m.t.Helper()
	pid := m.pid
	if pid == 0 {
		pid = os.Getpid()
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		m.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "Max open files")
	line, _, _ := strings.Cut(after, "\n")
	return line
}

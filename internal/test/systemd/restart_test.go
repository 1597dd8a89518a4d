//go:build linux

package systemd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
)

// restart is where restart.service has its program, and restartAddr where restart.socket
// listens.
const (
	restart     = "/usr/local/bin/restart"
	restartAddr = "127.0.0.1:8080"
)

// newRestart starts the socket of examples/restart. Nothing runs then.
func newRestart(t *testing.T) *unit { return newExample(t, "restart") }

// newExample installs the units of one of the examples and starts the socket.
func newExample(t *testing.T, name string) *unit {
	t.Helper()
	needSystemd(t)
	if _, err := os.Stat("/usr/local/bin/" + name); err != nil {
		t.Skipf("the example is not installed: %v", err)
	}
	files := make(map[string]string)
	for _, suffix := range []string{".service", ".socket"} {
		b, err := os.ReadFile(filepath.Join("../../../examples", name, name+suffix))
		socktest.Check(t, err)
		files[suffix] = string(b)
	}
	u := install(t, name, files)
	u.systemctl("start", name+".socket")
	u.check("ActiveState", "inactive")
	return u
}

// activate has a first client start the service.
func (u *unit) activate() (pid int) {
	u.t.Helper()
	pid, err := get(restartAddr)
	socktest.Check(u.t, err)
	u.await("ActiveState", "active")
	u.check("MainPID", fmt.Sprint(pid))
	return pid
}

func TestSystemdUnitsAreValid(t *testing.T) {
	for _, name := range []string{"restart", "activated"} {
		newExample(t, name)
		out, err := exec.Command("systemd-analyze", "verify", unitFile(name+".socket"), unitFile(name+".service")).CombinedOutput()
		if err != nil || len(out) != 0 {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	}
}

func TestSystemdSocketActivation(t *testing.T) {
	u := newRestart(t)
	u.activate()
	u.check("SubState", "running")
	u.check("NRestarts", "0")
}

// load sends requests until it ends, over connections that are kept and new ones.
type load struct {
	sent, lost atomic.Int64
	pids       sync.Map
	ended      atomic.Bool
	wg         sync.WaitGroup
}

func startLoad(t *testing.T, addr string) *load {
	l := new(load)
	for i := range 4 {
		l.wg.Go(func() {
			tr := &http.Transport{DisableKeepAlives: i%2 == 0}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr, Timeout: time.Minute}
			for !l.ended.Load() {
				pid, err := getBy(c, addr)
				l.sent.Add(1)
				if err != nil {
					l.lost.Add(1)
					t.Error(err)
				}
				l.pids.Store(pid, true)
				time.Sleep(5 * time.Millisecond) // systemd needs the processor as well
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

func (l *load) end() {
	l.ended.Store(true)
	l.wg.Wait()
}

// some waits for n more requests.
func (l *load) some(n int64) {
	for end := l.sent.Load() + n; l.sent.Load() < end; {
		time.Sleep(time.Millisecond)
	}
}

// TestSystemdReloadUnderLoad replaces the service by systemctl reload. Each main process must be
// the successor of the last one, and the unit stays up.
func TestSystemdReloadUnderLoad(t *testing.T) {
	u := newRestart(t)
	pid := u.activate()
	l := startLoad(t, restartAddr)
	const reloads = 5
	states := make(map[string]bool)
	for range reloads {
		l.some(100)
		u.systemctl("reload", "restart")
		old := pid
		if !until(func() bool {
			states[u.show("ActiveState")] = true
			pid = u.mainPID()
			return pid != old
		}) {
			t.Fatalf("process %d remains the main one", old)
		}
	}
	u.await("ActiveState", "active")
	l.some(100)
	l.end()
	pids := 0
	l.pids.Range(func(any, any) bool { pids++; return true })
	t.Logf("%d requests, %d reloads, %d lost, answered by %d processes", l.sent.Load(), reloads, l.lost.Load(), pids)
	if pids != reloads+1 {
		t.Errorf("%d processes answered, want %d", pids, reloads+1)
	}
	delete(states, "active")
	delete(states, "reloading")
	if len(states) > 0 {
		t.Errorf("the service was %v as well", states)
	}
	u.check("NRestarts", "0")
	u.awaitProcesses(1)
}

// awaitProcesses waits until the service has n processes.
func (u *unit) awaitProcesses(n int) {
	u.t.Helper()
	var pids []string
	if !until(func() bool {
		b, err := os.ReadFile("/sys/fs/cgroup" + u.show("ControlGroup") + "/cgroup.procs")
		pids = strings.Fields(string(b))
		return err == nil && len(pids) == n
	}) {
		u.t.Errorf("%s has processes %v, want %d", u.name, pids, n)
	}
}

// TestSystemdReloadFails has a new version that does not start: the old process serves on.
func TestSystemdReloadFails(t *testing.T) {
	u := newRestart(t)
	pid := u.activate()
	l := startLoad(t, restartAddr)
	version := func(text string) {
		t.Helper()
		socktest.Check(t, os.WriteFile(restart+".new", []byte(text), 0o755))
		socktest.Check(t, os.Rename(restart+".new", restart))
	}
	good, err := os.ReadFile(restart)
	socktest.Check(t, err)
	t.Cleanup(func() { version(string(good)) })
	version("#!/bin/sh\necho this version is broken\nexit 3\n")
	u.systemctl("reload", "restart")
	u.journal("exit status 3")
	u.journal("this version is broken")
	u.await("ActiveState", "active")
	u.check("MainPID", fmt.Sprint(pid))
	l.some(100)
	version(string(good))
	u.systemctl("reload", "restart")
	u.awaitNewPID(pid)
	l.some(100)
	l.end()
}

// TestSystemdKill kills the main process: systemd has kept the sockets, and no client is refused.
func TestSystemdKill(t *testing.T) {
	u := newRestart(t)
	pid := u.activate()
	u.kill("KILL")
	next, err := get(restartAddr)
	if err != nil || next == pid {
		t.Errorf("process %d answers after the end of %d, %v", next, pid, err)
	}
	u.await("ActiveState", "active")
	u.check("MainPID", fmt.Sprint(next))
	u.check("NRestarts", "1")
	u.check("Result", "success")
}

// TestSystemdStop stops the service while a request is under way, which is answered: a process
// that systemd has started, and a successor.
func TestSystemdStop(t *testing.T) {
	u := newRestart(t)
	for reloads := range 2 {
		pid := u.activate()
		for range reloads {
			u.systemctl("reload", "restart")
			pid = u.awaitNewPID(pid)
			u.awaitProcesses(1)
		}
		finish := beginRequest(t, pid)
		stopped := make(chan error, 1)
		go func() { stopped <- exec.Command("systemctl", "stop", "restart.service").Run() }()
		u.await("ActiveState", "deactivating")
		time.Sleep(time.Second) // time for systemd to kill it
		finish()
		socktest.Check(t, <-stopped)
		u.check("ActiveState", "inactive")
		u.check("Result", "success")
		u.check("ExecMainStatus", "0")
	}
	// The socket is systemd's, and starts the service again.
	u.activate()
	u.systemctl("stop", "restart.service", "restart.socket")
	if _, err := net.Dial("tcp", restartAddr); err == nil {
		t.Error("it still listens")
	}
}

// beginRequest sends a request without its body to process pid, which answers when it has
// that. The function that it returns sends the rest and checks the answer.
func beginRequest(t *testing.T, pid int) (finish func()) {
	t.Helper()
	c, err := net.Dial("tcp", restartAddr)
	socktest.Check(t, err)
	t.Cleanup(func() { c.Close() })
	r := bufio.NewReader(c)
	answer := func(rest string) {
		t.Helper()
		_, err := io.WriteString(c, rest)
		socktest.Check(t, err)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("process %d: %v", pid, err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		if want := fmt.Sprintf("process %d\n", pid); string(body) != want {
			t.Errorf("got %q, %v, want %q", body, err, want)
		}
	}
	answer("GET / HTTP/1.1\r\nHost: test\r\n\r\n") // the connection is accepted
	_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n")
	socktest.Check(t, err)
	return func() { t.Helper(); answer("body") }
}

// TestSystemdStopWhileDraining stops the service while its process, a successor, has a
// request, and the one that was replaced as well.
func TestSystemdStopWhileDraining(t *testing.T) {
	u := newRestart(t)
	pid := u.activate()
	finishFirst := beginRequest(t, pid)
	u.systemctl("reload", "restart")
	finishSecond := beginRequest(t, u.awaitNewPID(pid))
	u.awaitProcesses(2)
	stopped := make(chan error, 1)
	go func() { stopped <- exec.Command("systemctl", "stop", "restart.service").Run() }()
	u.await("ActiveState", "deactivating")
	time.Sleep(time.Second) // time for systemd to kill it
	finishSecond()
	finishFirst()
	socktest.Check(t, <-stopped)
	u.check("Result", "success")
	u.check("ExecMainStatus", "0")
}

// TestSystemdCrashWhileDraining kills a successor while the process that it has replaced
// still has a request. That is answered; then systemd, which takes over what the process was
// the parent of, learns how the successor has ended and starts the service again. No client
// is refused.
func TestSystemdCrashWhileDraining(t *testing.T) {
	u := newRestart(t)
	first := u.activate()
	finish := beginRequest(t, first)
	u.systemctl("reload", "restart")
	second := u.awaitNewPID(first)
	u.kill("KILL")
	u.awaitProcesses(1)
	third := make(chan int)
	go func() {
		pid, err := get(restartAddr)
		if err != nil {
			t.Error(err)
		}
		third <- pid
	}()
	finish()
	if pid := <-third; pid == first || pid == second {
		t.Errorf("process %d answers after the end of %d and %d", pid, first, second)
	}
	u.await("ActiveState", "active")
	u.check("NRestarts", "1")
}

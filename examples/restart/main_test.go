//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// mainVar makes the test binary this program.
const mainVar = "RESTART_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVar) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The size of a run. RESTART_REQUESTS=20000 RESTARTS=10 is the full one.
var (
	requests = size("RESTART_REQUESTS", 2000)
	restarts = size("RESTARTS", 4)
)

func size(name string, small int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return small
}

// manager starts servers and hears from them, as a service manager does.
type manager struct {
	dir     string
	notify  net.PacketConn
	pid     int // of the process that serves
	process *os.Process
	tcp     string
	control string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	socktest.NeedLoopback(t)
	dir, err := os.MkdirTemp("", "restart")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &manager{dir: dir}
	m.control = m.path("control")
	if m.notify, err = net.ListenPacket("unixgram", m.path("notify")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.notify.Close() })
	m.tcp = net.JoinHostPort(socktest.Loopback(), "8080")
	// The processes that servers start are to become ours when these end.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *manager) path(name string) string { return filepath.Join(m.dir, name) }

// start starts a server and waits until it serves.
func (m *manager) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(socktest.Executable(t), "-tcp", m.tcp, "-unix", m.path("http"), "-control", m.control)
	cmd.Env = append(os.Environ(), mainVar+"=1", "NOTIFY_SOCKET="+m.path("notify"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.awaitReady(t)
	if m.pid != cmd.Process.Pid {
		t.Fatalf("process %d is ready, want %d", m.pid, cmd.Process.Pid)
	}
}

// awaitReady waits until another process says that it serves.
func (m *manager) awaitReady(t *testing.T) {
	t.Helper()
	m.notify.SetDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 1000)
	for {
		n, _, err := m.notify.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		var pid int
		if _, err := fmt.Sscanf(string(buf[:n]), "READY=1\nMAINPID=%d", &pid); err == nil {
			m.pid = pid
			if m.process, err = os.FindProcess(pid); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

// wait waits for the end of process pid.
func wait(t *testing.T, pid int) {
	t.Helper()
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || status.ExitStatus() != 0 {
			t.Errorf("process %d: status %d, %v", pid, status.ExitStatus(), err)
		}
		return
	}
}

// load sends requests until it is to stop, over TCP and over the unix socket, with
// connections that are kept and with a new one for each.
type load struct {
	stop   atomic.Bool
	done   atomic.Int64
	failed atomic.Int64
	pids   sync.Map
	wg     sync.WaitGroup
}

func (l *load) start(t *testing.T, m *manager) {
	dial := map[string]func(ctx context.Context, network, addr string) (net.Conn, error){
		"tcp": func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", m.tcp)
		},
		"unix": func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", m.path("http"))
		},
	}
	for network, dial := range dial {
		for _, keep := range []bool{true, false} {
			tr := &http.Transport{DialContext: dial, DisableKeepAlives: !keep}
			client := &http.Client{Transport: tr, Timeout: time.Minute}
			var workers sync.WaitGroup
			for range 4 {
				l.wg.Add(1)
				workers.Go(func() {
					defer l.wg.Done()
					for !l.stop.Load() {
						pid, err := get(client)
						if err != nil {
							l.failed.Add(1)
							t.Errorf("%s, kept %t: %v", network, keep, err)
						}
						l.pids.Store(pid, true)
						l.done.Add(1)
					}
				})
			}
			l.wg.Go(func() {
				workers.Wait()
				tr.CloseIdleConnections()
			})
		}
	}
}

func get(c *http.Client) (pid int, err error) {
	resp, err := c.Get("http://server/")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(string(body), "process %d\n", &pid)
	return pid, err
}

// during calls f restarts times, with a share of the requests before each and after
// the last.
func (l *load) during(t *testing.T, m *manager, f func()) {
	start := time.Now()
	l.start(t, m)
	defer l.wg.Wait()
	defer l.stop.Store(true)
	for i := range restarts + 1 {
		for want := l.done.Load() + int64(requests/(restarts+1)+1); l.done.Load() < want; {
			time.Sleep(time.Millisecond)
		}
		if i < restarts {
			f()
		}
	}
	l.stop.Store(true)
	l.wg.Wait()
	pids := 0
	l.pids.Range(func(any, any) bool { pids++; return true })
	t.Logf("%d requests, %d failed, %d restarts, answered by %d processes in %v", l.done.Load(), l.failed.Load(), restarts, pids, time.Since(start).Round(time.Millisecond))
	if pids != restarts+1 {
		t.Errorf("%d processes answered, want %d", pids, restarts+1)
	}
	if n := l.failed.Load(); n != 0 || l.done.Load() < int64(requests) {
		t.Errorf("%d requests of %d failed", n, l.done.Load())
	}
}

// stop ends the server and checks what it leaves.
func (m *manager) stop(t *testing.T) {
	t.Helper()
	if err := m.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wait(t, m.pid)
	names, err := os.ReadDir(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if n.Name() != "notify" {
			t.Errorf("the server leaves %s", n.Name())
		}
	}
}

func TestRestart(t *testing.T) {
	m := newManager(t)
	m.start(t)
	new(load).during(t, m, func() {
		old := m.pid
		if err := m.process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		m.awaitReady(t)
		wait(t, old)
	})
	m.stop(t)
}

// TestRestartFails starts a successor that cannot do what it is to do, because the
// directory of its control socket is gone.
func TestRestartFails(t *testing.T) {
	m := newManager(t)
	dir, err := os.MkdirTemp("", "restart")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	m.control = filepath.Join(dir, "control")
	m.start(t)
	l := new(load)
	l.start(t, m)
	defer l.wg.Wait()
	defer l.stop.Store(true)
	some := func() {
		for want := l.done.Load() + 100; l.done.Load() < want; {
			time.Sleep(time.Millisecond)
		}
	}
	some()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	old := m.pid
	for range 2 {
		if err := m.process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if m.awaitReady(t); m.pid != old {
			t.Fatalf("process %d is ready, want the old one, %d", m.pid, old)
		}
		some()
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if m.awaitReady(t); m.pid == old {
		t.Fatal("the old process is ready")
	}
	wait(t, old)
	some()
	l.stop.Store(true)
	l.wg.Wait()
	l.pids.Range(func(pid, _ any) bool {
		if pid != old && pid != m.pid {
			t.Errorf("process %v answered, which never was ready", pid)
		}
		return true
	})
	m.stop(t)
	reap()
}

// reap waits for processes that failed, which are ours by now.
func reap() {
	for {
		if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}

func TestHandover(t *testing.T) {
	m := newManager(t)
	m.start(t)
	new(load).during(t, m, func() {
		old := m.pid
		m.start(t) // which takes over from the old one
		wait(t, old)
	})
	m.stop(t)
}

// TestAfterKill starts the server again after kill -9, which leaves its unix sockets.
func TestAfterKill(t *testing.T) {
	m := newManager(t)
	m.start(t)
	if err := m.process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(m.pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	m.start(t)
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", m.path("http"))
	}}
	defer tr.CloseIdleConnections()
	if pid, err := get(&http.Client{Transport: tr, Timeout: time.Minute}); err != nil || pid != m.pid {
		t.Errorf("process %d answers, %v, want %d", pid, err, m.pid)
	}
	m.stop(t)
}

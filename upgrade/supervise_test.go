//go:build linux

package upgrade_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/test/requests"
)

// TestSupervise runs the server as process 1 of a PID name space, as in a container.
func TestSupervise(t *testing.T) {
	m := newManager(t)
	m.start() // finds out whether the server works at all, and ends here
	m.signal(syscall.SIGTERM)
	m.awaitEnd(m.pid)
	m.pid = 0

	cmd := m.supervised()
	l := m.load(1)
	var seen []int
	for range 3 {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		m.await("READY=1")
		seen = append(seen, m.serverProcess())
	}
	sent, lost := l.End()
	t.Logf("%d requests, %d lost, served by %v", sent, lost, seen)
	if seen[0] == seen[2] || seen[0] <= 1 {
		t.Errorf("served by processes %v, want others than 1 that change", seen)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("process 1: %v", err)
	}
}

// supervised starts the server as process 1 of a PID name space, and waits until it serves.
func (m *manager) supervised() *exec.Cmd {
	m.t.Helper()
	cmd := m.command("UPGRADE_TEST_SUPERVISE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		socktest.NeedUserNS(m.t)
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		m.t.Skipf("no PID name space: %v", err)
	}
	m.await("READY=1")
	return cmd
}

// TestSuperviseDrainsLast has a successor end before its predecessor, which is its parent
// and still drains.
func TestSuperviseDrainsLast(t *testing.T) {
	m := newManager(t)
	cmd := m.supervised()
	c, err := net.Dial("tcp", m.addr(2))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, "held\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, len("held\n"))); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	m.await("READY=1")
	successor := m.serverProcess()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); runs(t, cmd.Process.Pid, successor); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the successor still runs a minute after SIGTERM")
		}
	}
	c.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("process 1: %v, want the successor's status 0", err)
	}
}

// runs reports whether a process, by its number in the PID name space of process 1, has
// not ended. Its status may still be waited for.
func runs(t *testing.T, process1, pid int) bool {
	t.Helper()
	socktest.NeedProc(t)
	stats, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid_for_children", process1))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		if s, _ := os.Readlink(filepath.Join(filepath.Dir(path), "ns", "pid")); s != space {
			continue
		}
		b, _ := os.ReadFile(path)
		if strings.Contains(string(b), fmt.Sprintf("\t%d\n", pid)) && !strings.Contains(string(b), "State:\tZ") {
			return true
		}
	}
	return false
}

// serverProcess asks the server for its process ID.
func (m *manager) serverProcess() int {
	m.t.Helper()
	c := requests.Client(func(tr *http.Transport) { tr.DisableKeepAlives = true })
	resp, err := c.Post("http://"+m.addr(0)+"/digest", "", strings.NewReader(""))
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	pid, err := strconv.Atoi(resp.Header.Get("Server-Process"))
	if err != nil {
		m.t.Fatal(err)
	}
	return pid
}

// TestSuperviseStatus has process 1 exit with the status of the program.
func TestSuperviseStatus(t *testing.T) {
	m := newManager(t)
	cmd := m.command("UPGRADE_TEST_SUPERVISE=1", behaviourVar+"=crash")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if err := cmd.Start(); err != nil {
		t.Skipf("no PID name space: %v", err)
	}
	err := cmd.Wait()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 {
		t.Errorf("process 1: got %v, want the program's exit status 2", err)
	}
}

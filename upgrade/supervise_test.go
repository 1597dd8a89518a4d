//go:build linux

package upgrade_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/activation"
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

// TestSuperviseInherits has process 1 get a listener by sd_listen_fds(3).
func TestSuperviseInherits(t *testing.T) {
	m := newManager(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	socktest.Check(t, err)
	defer l.Close()
	cmd := m.supervised(activation.Named{Name: "web", Conn: l})
	addr := l.Addr().String()
	l.Close()
	if err := requests.Post(http.DefaultClient, "http://"+addr+"/digest", false); err != nil {
		t.Error(err)
	}
	socktest.Check(t, cmd.Process.Signal(syscall.SIGTERM))
	socktest.Check(t, cmd.Wait())
}

// TestSuperviseWaits ends the process that serves while one that it has replaced, by way of
// another, has work left.
func TestSuperviseWaits(t *testing.T) {
	m := newManager(t)
	cmd := m.supervised()
	first := m.child(cmd.Process.Pid)
	bye := m.keepDraining()
	for range 2 {
		old := m.serverProcess()
		socktest.Check(t, cmd.Process.Signal(syscall.SIGHUP))
		if !socktest.WaitUntil(func() bool { return m.serverProcess() != old }) {
			t.Fatalf("process %d still serves", old)
		}
	}
	// The second has ended, so that the third is a child of process 1.
	if !socktest.WaitUntil(func() bool { return m.state(m.child(first)) == "Z" }) {
		t.Fatal("the second process has not ended")
	}
	socktest.Check(t, cmd.Process.Signal(syscall.SIGTERM))
	m.await("STOPPING=1")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if !socktest.WaitUntil(func() bool { return len(m.childrenOf(cmd.Process.Pid)) <= 1 }) {
		t.Error("the third process has not ended")
	}
	select {
	case err := <-ended:
		t.Fatalf("process 1 has ended: %v", err)
	case <-time.After(500 * time.Millisecond): // time to do so
	}
	bye()
	socktest.Check(t, <-ended)
}

// supervised starts the server as process 1 of a PID name space, and waits until it serves.
func (m *manager) supervised(given ...activation.Named) *exec.Cmd {
	m.t.Helper()
	cmd := m.command("UPGRADE_TEST_SUPERVISE=1")
	if len(given) > 0 {
		socktest.Check(m.t, activation.PassToService(cmd, given...))
		defer activation.ClosePassed(cmd)
		// As a service manager has it, without what package activation adds.
		cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool { return strings.HasPrefix(kv, "SOCKETS_LISTEN_IDS=") })
	}
	m.startAsInit(cmd)
	m.await("READY=1")
	return cmd
}

// startAsInit starts cmd as process 1 of a PID name space.
func (m *manager) startAsInit(cmd *exec.Cmd) {
	m.t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		socktest.NeedUserNS(m.t)
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		m.t.Skipf("no PID name space: %v", err)
	}
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
	m.startAsInit(cmd)
	err := cmd.Wait()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 {
		t.Errorf("process 1: got %v, want the program's exit status 2", err)
	}
}

// TestSuperviseStatusOfSuccessor has process 1 exit with the status of the last process,
// which ends before its predecessor does.
func TestSuperviseStatusOfSuccessor(t *testing.T) {
	m := newManager(t)
	cmd := m.supervised()
	bye := m.keepDraining()
	m.behaviour("crash after ready")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	old := m.child(cmd.Process.Pid)
	ended := func() bool {
		successors := m.childrenOf(old)
		return len(successors) == 0 || m.state(successors[0]) == "Z"
	}
	m.await("READY=1")
	if !socktest.WaitUntil(ended) {
		t.Error("the successor lives")
	}
	bye()
	err := cmd.Wait()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 3 {
		t.Errorf("process 1: got %v, want the successor's exit status 3", err)
	}
}

// TestSuperviseStranger has a process take over that was started in the name space from
// outside, as docker exec does: process 1 lives for as long as that, and passes signals on.
func TestSuperviseStranger(t *testing.T) {
	nsenter := socktest.NeedProgram(t, "nsenter")
	m := newManager(t)
	control := controlVar + "=" + m.path("control")
	cmd := m.command("UPGRADE_TEST_SUPERVISE=1", control)
	m.startAsInit(cmd)
	m.await("READY=1")
	old := m.child(cmd.Process.Pid)
	inside := []string{nsenter, "--target", strconv.Itoa(cmd.Process.Pid), "--pid", "--"}
	if out, err := exec.Command(nsenter, append(inside[1:], "true")...).CombinedOutput(); err != nil {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		t.Skipf("no way into the name space: %v: %s", err, out)
	}
	stranger := m.command(control)
	stranger.Args = append(inside, stranger.Path)
	stranger.Path = nsenter
	socktest.Check(t, stranger.Start())
	m.await("READY=1")
	if !socktest.WaitUntil(func() bool { return m.state(old) == "" }) {
		t.Error("the predecessor lives")
	}
	socktest.Check(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := stranger.Wait(); err != nil {
		t.Errorf("the process that served: %v, want a clean end", err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("process 1: %v, want exit status 1: it cannot know how the other ended", err)
	}
}

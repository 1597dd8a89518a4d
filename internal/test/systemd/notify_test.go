//go:build linux

package systemd

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
)

// watched are lines of a unit that systemd watches.
var watched = []string{"WatchdogSec=6", "Restart=on-failure", "RestartSec=0"}

// TestSystemdWatchdog has systemd watch a service that is well, then ill, then silent.
func TestSystemdWatchdog(t *testing.T) {
	u := newUnit(t, "watchdog", watched...)
	u.systemctl("start", u.name)
	pid := u.mainPID()
	u.awaitPings(2)
	u.check("MainPID", fmt.Sprint(pid))
	u.check("NRestarts", "0")
	u.leave(noteTo(pid, "ill"))
	pid = u.awaitNewPID(pid)
	u.journal("watchdog: there is a note that says ill")
	u.awaitPings(1)
	u.check("NRestarts", "1")
	u.leave(noteTo(pid, "silent"))
	u.awaitNewPID(pid)
	u.journal("Watchdog timeout")
	u.check("NRestarts", "2")
}

// awaitPings waits until systemd has heard n times that the service is well.
func (u *unit) awaitPings(n int) {
	u.t.Helper()
	for range n {
		last := u.show("WatchdogTimestampMonotonic")
		if !until(func() bool { return u.show("WatchdogTimestampMonotonic") != last }) {
			u.t.Fatalf("%s: systemd hears nothing", u.name)
		}
	}
}

// TestSystemdWatchdogOfSuccessor has systemd watch a process that has replaced another.
func TestSystemdWatchdogOfSuccessor(t *testing.T) {
	u := newUnit(t, "web", append(watched, "ExecReload=/bin/kill -HUP $MAINPID")...)
	u.systemctl("start", u.name)
	pid := u.mainPID()
	for range 2 {
		u.systemctl("reload", u.name)
		pid = u.awaitNewPID(pid)
	}
	u.awaitProcesses(1)
	u.awaitPings(2)
	u.check("MainPID", fmt.Sprint(pid))
	u.check("NRestarts", "0")
	u.leave(noteTo(pid, "silent"))
	u.awaitNewPID(pid)
	u.check("NRestarts", "1")
	u.journal("Watchdog timeout")
}

// TestSystemdExtendTimeout has a service that takes longer to start and to stop than it has.
func TestSystemdExtendTimeout(t *testing.T) {
	u := newUnit(t, "slow", "TimeoutStartSec=5", "TimeoutStopSec=5")
	u.systemctl("start", u.name)
	u.check("ActiveState", "active")
	u.systemctl("stop", u.name)
	u.check("Result", "success")
	u.leave("quiet")
	if err := exec.Command("systemctl", "start", u.name).Run(); err == nil {
		t.Error("the service starts, without more time")
	}
	u.check("Result", "timeout")
}

// TestSystemdStopping has a service end by itself: systemd knows that it is stopping.
func TestSystemdStopping(t *testing.T) {
	u := newUnit(t, "slow")
	u.systemctl("start", u.name)
	u.kill("TERM")
	u.await("ActiveState", "deactivating")
	u.await("ActiveState", "inactive")
	u.check("Result", "success")
}

// TestSystemdReloading looks at a service while its successor starts.
func TestSystemdReloading(t *testing.T) {
	u := newUnit(t, "web", "ExecReload=/bin/kill -HUP $MAINPID")
	u.systemctl("start", u.name)
	pid := u.mainPID()
	u.leave("wait")
	u.systemctl("reload", "--no-block", u.name)
	u.await("ActiveState", "reloading")
	if got, err := get(u.addr); err != nil || got != pid {
		t.Errorf("process %d answers while %d is reloading, %v", got, pid, err)
	}
	u.check("MainPID", fmt.Sprint(pid))
	u.takeBack("wait")
	pid = u.awaitNewPID(pid)
	if got, err := get(u.addr); err != nil || got != pid {
		t.Errorf("process %d answers, %v, want %d", got, err, pid)
	}
	// What a successor writes before it is ready comes by way of its predecessor.
	u.journal(fmt.Sprint("standard output before Ready of ", pid))
	u.journal(fmt.Sprint("standard output after Ready of ", pid))
}

// TestSystemdStore restarts a service that has descriptors in systemd's store.
func TestSystemdStore(t *testing.T) {
	u := newUnit(t, "store", "FileDescriptorStoreMax=10")
	found := func() string {
		b, err := os.ReadFile(filepath.Join(u.dir, "found"))
		socktest.Check(t, err)
		return string(b)
	}
	u.systemctl("start", u.name)
	if diff := cmp.Diff("", found()); diff != "" {
		t.Errorf("found at first, mismatch (-want +got):\n%s", diff)
	}
	u.await("NFileDescriptorStore", "3") // polled is forgotten
	u.await("StatusErrno", fmt.Sprint(int(syscall.ENOSPC)))
	c, err := net.Dial("tcp", u.addr)
	socktest.Check(t, err)
	c.Close()
	u.systemctl("restart", u.name)
	want := "1 listener web " + u.addr + `
file state "kept" false
file unpolled "unpolled" false`
	if diff := cmp.Diff(want, found()); diff != "" {
		t.Errorf("found after a restart, mismatch (-want +got):\n%s", diff)
	}
	u.leave("forget")
	u.await("NFileDescriptorStore", "2")
	u.kill("KILL")
	u.await("ActiveState", "failed")
}

// TestSystemdActivated has the service of examples/activated go on counting after a crash and a
// restart, as a user without privileges.
func TestSystemdActivated(t *testing.T) {
	u := newExample(t, "activated")
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	var got []int
	for _, end := range []func(){
		func() { u.kill("KILL") },
		func() { u.systemctl("restart", u.name) },
		func() {},
	} {
		n, err := number(c, "127.0.0.1:8090", "request %d\n")
		socktest.Check(t, err)
		u.await("ActiveState", "active")
		u.check("StatusText", "counting")
		got = append(got, n)
		end()
	}
	if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" {
		t.Errorf("counts mismatch (-want +got):\n%s", diff)
	}
}

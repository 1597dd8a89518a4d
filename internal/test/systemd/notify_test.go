//go:build linux

package systemd

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
)

// TestWatchdog has systemd watch a service that is well, then ill, then silent.
func TestWatchdog(t *testing.T) {
	u := newUnit(t, "watchdog", "WatchdogSec=2", "Restart=on-failure", "RestartSec=0", "StartLimitBurst=100")
	u.systemctl("start", u.name)
	pid := u.mainPID()
	time.Sleep(5 * time.Second) // more than two intervals
	u.check("MainPID", fmt.Sprint(pid))
	u.check("NRestarts", "0")
	for _, note := range []string{"ill", "silent"} {
		u.leave(note)
		if !until(func() bool { return u.mainPID() != pid }) {
			t.Fatalf("%s: process %d lives", note, pid)
		}
		u.takeBack(note)
		u.journal(map[string]string{"ill": "watchdog: there is a note that says ill", "silent": "Watchdog timeout"}[note])
		pid = u.awaitNewPID(0)
	}
}

// TestWatchdogOfSuccessor has systemd watch a process that has replaced another.
func TestWatchdogOfSuccessor(t *testing.T) {
	u := newUnit(t, "web", "WatchdogSec=2", "Restart=on-failure", "RestartSec=0", "ExecReload=/bin/kill -HUP $MAINPID")
	u.systemctl("start", u.name)
	pid := u.mainPID()
	for range 2 {
		u.systemctl("reload", u.name)
		pid = u.awaitNewPID(pid)
	}
	time.Sleep(5 * time.Second)
	u.check("MainPID", fmt.Sprint(pid))
	u.check("NRestarts", "0")
	u.leave("silent")
	if !until(func() bool { return u.mainPID() != pid }) {
		t.Fatalf("process %d lives", pid)
	}
	u.takeBack("silent")
	u.awaitNewPID(0)
	u.check("NRestarts", "1")
	u.journal("Watchdog timeout")
}

// TestExtendTimeout has a service that takes longer to start and to stop than it has.
func TestExtendTimeout(t *testing.T) {
	u := newUnit(t, "slow", "TimeoutStartSec=1", "TimeoutStopSec=1")
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

// TestStopping has a service end by itself: systemd knows that it is stopping.
func TestStopping(t *testing.T) {
	u := newUnit(t, "slow")
	u.systemctl("start", u.name)
	u.kill("TERM")
	u.await("ActiveState", "deactivating")
	u.await("ActiveState", "inactive")
	u.check("Result", "success")
}

// TestReloading looks at a service while its successor starts.
func TestReloading(t *testing.T) {
	u := newUnit(t, "web", "ExecReload=/bin/kill -HUP $MAINPID")
	u.systemctl("start", u.name)
	pid := u.mainPID()
	u.leave("wait")
	u.systemctl("reload", "--no-block", u.name)
	u.await("ActiveState", "reloading")
	if got, err := get(webAddr); err != nil || got != pid {
		t.Errorf("process %d answers while %d is reloading, %v", got, pid, err)
	}
	u.check("MainPID", fmt.Sprint(pid))
	u.takeBack("wait")
	pid = u.awaitNewPID(pid)
	if got, err := get(webAddr); err != nil || got != pid {
		t.Errorf("process %d answers, %v, want %d", got, err, pid)
	}
	// What a successor writes before it is ready comes by way of its predecessor.
	u.journal(fmt.Sprint("standard output before Ready of ", pid))
	u.journal(fmt.Sprint("standard output after Ready of ", pid))
}

// TestStore restarts a service that has descriptors in systemd's store.
func TestStore(t *testing.T) {
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
	c, err := net.Dial("tcp", "127.0.0.1:8099")
	socktest.Check(t, err)
	c.Close()
	u.systemctl("restart", u.name)
	want := `1 listener web 127.0.0.1:8099
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

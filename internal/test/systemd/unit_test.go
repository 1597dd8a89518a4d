//go:build linux

// Package systemd runs services under systemd, which has to be process 1. It changes the
// units of the machine, so it does so only where the environment allows that, as
// .ci/systemd.sh does on a kernel of its own.
package systemd

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
)

// allowVar allows the tests to change the units of the machine.
const allowVar = "SOCKETS_TEST_SYSTEMD"

func TestMain(m *testing.M) {
	if f := services[os.Getenv(serviceVar)]; f != nil {
		if err := f(os.Getenv(dirVar)); err != nil {
			log.Fatal(err)
		}
		return
	}
	flag.Parse()
	os.Exit(socktest.Run(m))
}

// unit is a service under systemd.
type unit struct {
	t    *testing.T
	name string // without ".service"
	dir  string // where the test and the service leave notes for each other
	addr string // where the service listens
}

// newUnit returns a unit that has not been started. [Service] has lines besides those that
// make the test binary the named one of services. The test may run beside others.
func newUnit(t *testing.T, service string, lines ...string) *unit {
	t.Helper()
	needSystemd(t)
	t.Parallel()
	dir, err := os.MkdirTemp("/run", "systemd-test")
	socktest.Check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, err := os.Executable()
	socktest.Check(t, err)
	addr := net.JoinHostPort(socktest.Loopback(), "8080")
	u := install(t, t.Name(), map[string]string{".service": fmt.Sprintf(
		"[Service]\nType=notify\nNotifyAccess=all\nExecStart=%s\nEnvironment=%s=%s %s=%s %s=%s\n%s\n",
		exe, serviceVar, service, dirVar, dir, addrVar, addr, strings.Join(lines, "\n"))})
	u.dir, u.addr = dir, addr
	return u
}

// needSystemd skips the test where there is no systemd, or it must be left alone.
func needSystemd(t *testing.T) {
	t.Helper()
	if os.Getenv(allowVar) == "" {
		t.Skipf("%s is not set, which allows changing the machine's units", allowVar)
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		t.Skipf("no systemd: %v", err)
	}
}

// install writes files of a unit, by their suffixes, which go when the test ends. systemd
// reads them when it first hears of the unit.
func install(t *testing.T, name string, files map[string]string) *unit {
	t.Helper()
	u := &unit{t: t, name: name}
	var units []string
	for suffix, text := range files {
		units = append(units, name+suffix)
		socktest.Check(t, os.WriteFile(unitFile(name+suffix), []byte(text), 0o644))
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("journalctl", "--no-pager", "-o", "short-precise", "-u", name).CombinedOutput()
			t.Logf("the journal of %s:\n%s", name, out)
		}
		exec.Command("systemctl", append([]string{"stop"}, units...)...).Run()
		exec.Command("systemctl", append([]string{"reset-failed"}, units...)...).Run()
		for _, unit := range units {
			os.Remove(unitFile(unit))
		}
	})
	return u
}

func unitFile(name string) string { return filepath.Join("/run/systemd/system", name) }

// systemctl runs a command of systemctl, which must succeed.
func (u *unit) systemctl(args ...string) {
	u.t.Helper()
	if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
		u.t.Fatalf("systemctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// show returns a property of the service.
func (u *unit) show(property string) string {
	u.t.Helper()
	out, err := exec.Command("systemctl", "show", "--value", "-p", property, u.name).Output()
	socktest.Check(u.t, err)
	return strings.TrimSpace(string(out))
}

// until waits until cond is true. It leaves the processor, of which there is one, to others.
func until(cond func() bool) bool {
	return socktest.WaitUntil(func() bool {
		if cond() {
			return true
		}
		time.Sleep(50 * time.Millisecond)
		return false
	})
}

// await waits until a property has a value.
func (u *unit) await(property, want string) {
	u.t.Helper()
	var got string
	if !until(func() bool { got = u.show(property); return got == want }) {
		u.t.Fatalf("%s of %s: got %q, want %q", property, u.name, got, want)
	}
}

// check compares a property with a value.
func (u *unit) check(property, want string) {
	u.t.Helper()
	if got := u.show(property); got != want {
		u.t.Errorf("%s of %s: got %q, want %q", property, u.name, got, want)
	}
}

// mainPID returns the process ID of the main process.
func (u *unit) mainPID() int {
	u.t.Helper()
	pid, err := strconv.Atoi(u.show("MainPID"))
	socktest.Check(u.t, err)
	return pid
}

// awaitNewPID waits until the main process is another one than old, and the service active.
func (u *unit) awaitNewPID(old int) (pid int) {
	u.t.Helper()
	if !until(func() bool { pid = u.mainPID(); return pid != 0 && pid != old }) {
		u.t.Fatalf("%s: process %d remains the main one", u.name, old)
	}
	u.await("ActiveState", "active")
	return pid
}

// kill sends a signal to the main process, and to no other.
func (u *unit) kill(signal string) {
	u.t.Helper()
	u.systemctl("kill", "--kill-who=main", "-s", signal, u.name)
}

// leave leaves a note for the service.
func (u *unit) leave(note string) {
	u.t.Helper()
	socktest.Check(u.t, os.WriteFile(filepath.Join(u.dir, note), nil, 0o644))
}

// takeBack removes a note.
func (u *unit) takeBack(note string) {
	u.t.Helper()
	socktest.Check(u.t, os.Remove(filepath.Join(u.dir, note)))
}

// journal waits until the journal of the service has a text.
func (u *unit) journal(want string) {
	u.t.Helper()
	var out []byte
	if !until(func() bool {
		out, _ = exec.Command("journalctl", "--no-pager", "-o", "cat", "-u", u.name).Output()
		return strings.Contains(string(out), want)
	}) {
		u.t.Errorf("the journal of %s has no %q:\n%s", u.name, want, out)
	}
}

// get asks a server for its process ID, over a connection of its own.
func get(addr string) (pid int, err error) {
	t := &http.Transport{DisableKeepAlives: true}
	return getBy(&http.Client{Transport: t, Timeout: time.Minute}, addr)
}

func getBy(c *http.Client, addr string) (pid int, err error) { return number(c, addr, "process %d\n") }

// number returns the number in an answer.
func number(c *http.Client, addr, format string) (n int, err error) {
	resp, err := c.Get("http://" + addr + "/")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(string(body), format, &n)
	return n, err
}

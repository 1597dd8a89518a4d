//go:build linux

package upgrade_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/test/requests"
	"golang.org/x/sys/unix"
)

// The size of TestUpgradeUnderLoad: -requests=50000 -upgrades=20 is the full one.
var (
	total    = flag.Int64("requests", 3000, "requests in TestUpgradeUnderLoad at least")
	upgrades = flag.Int("upgrades", 4, "upgrades in TestUpgradeUnderLoad")
)

func TestMain(m *testing.M) {
	if _, ok := os.LookupEnv(askVar); ok {
		ask()
		return
	}
	if os.Getenv(dirVar) != "" {
		if err := serve(); err != nil {
			log.Fatal(err)
		}
		return
	}
	flag.Parse()
	if !socktest.HasLoopback() {
		return
	}
	os.Exit(m.Run())
}

// manager starts servers and hears from them, as a service manager does.
type manager struct {
	t      *testing.T
	dir    string
	notify net.PacketConn
	pid    int // of the process that serves
	main   *os.Process
	host   string
	port   int
	roots  *x509.CertPool
	log    *os.File // where servers write; nil is where the test does
}

func newManager(t *testing.T) *manager {
	t.Helper()
	socktest.NeedProc(t) // by way of which a program finds its file
	dir, err := os.MkdirTemp("", "upgrade")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &manager{t: t, dir: dir, host: socktest.Loopback()}
	if m.notify, err = net.ListenPacket("unixgram", m.path("notify")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.notify.Close() })
	m.port = freePorts(t, m.host)
	m.makeCertificate()
	// The processes that servers start become children of this one when those end.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip("no child subreaper, which an emulator may lack: ", err)
	}
	t.Cleanup(m.end)
	return m
}

func (m *manager) path(name string) string { return filepath.Join(m.dir, name) }
func (m *manager) addr(i int) string       { return net.JoinHostPort(m.host, strconv.Itoa(m.port+i)) }

// freePorts returns the first of four ports that are free for TCP and UDP.
func freePorts(t *testing.T, host string) int {
	t.Helper()
	for range 100 {
		first, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		port := first.Addr().(*net.TCPAddr).Port
		free := true
		for i := 1; i < 4; i++ {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port+i)))
			if err != nil {
				free = false
				continue
			}
			defer l.Close()
			c, err := net.ListenPacket("udp", l.Addr().String())
			if err != nil {
				free = false
				continue
			}
			defer c.Close()
		}
		first.Close()
		if free {
			return port
		}
	}
	t.Fatal("no four free ports in a row")
	return 0
}

// makeCertificate makes a certificate for the server, which its clients trust.
func (m *manager) makeCertificate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "test"},
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.ParseIP(m.host)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		m.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		m.t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	m.roots = x509.NewCertPool()
	m.roots.AppendCertsFromPEM(certPEM)
	for name, b := range map[string][]byte{"cert.pem": certPEM, "key.pem": keyPEM} {
		if err := os.WriteFile(m.path(name), b, 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
}

// start starts a server and waits until it serves.
func (m *manager) start(env ...string) {
	m.t.Helper()
	cmd := m.command(env...)
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.awaitReady()
	if m.pid != cmd.Process.Pid {
		m.t.Fatalf("process %d is ready, want %d", m.pid, cmd.Process.Pid)
	}
}

func (m *manager) command(env ...string) *exec.Cmd {
	m.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), dirVar+"="+m.dir, addrVar+"="+m.addr(0), "NOTIFY_SOCKET="+m.path("notify"))
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if m.log != nil {
		cmd.Stdout, cmd.Stderr = m.log, m.log
	}
	return cmd
}

// awaitReady waits until a process says that it is ready and the main one.
func (m *manager) awaitReady() {
	m.t.Helper()
	m.await("READY=1", "MAINPID=")
}

// await waits for a message with all of parts, and notes the process ID in it.
func (m *manager) await(parts ...string) {
	m.t.Helper()
	m.notify.SetDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 1000)
next:
	for {
		n, _, err := m.notify.ReadFrom(b)
		if err != nil {
			m.t.Fatalf("waiting for %q: %v", parts, err)
		}
		text := string(b[:n])
		for _, part := range parts {
			if !strings.Contains(text, part) {
				continue next
			}
		}
		if _, after, ok := strings.Cut(text, "MAINPID="); ok {
			fmt.Sscan(after, &m.pid)
			m.main = m.process(m.pid)
		}
		return
	}
}

// upgrade has the server replace itself, and waits until the successor serves.
func (m *manager) upgrade() {
	m.t.Helper()
	old := m.pid
	m.signal(syscall.SIGHUP)
	m.awaitReady()
	if m.pid == old {
		m.t.Fatalf("process %d still serves after an upgrade", old)
	}
}

func (m *manager) signal(sig syscall.Signal) {
	m.t.Helper()
	if err := m.main.Signal(sig); err != nil {
		m.t.Fatal(err)
	}
}

// process returns a process that exists. Unlike its number, it cannot be another one later.
func (m *manager) process(pid int) *os.Process {
	m.t.Helper()
	p, err := os.FindProcess(pid)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// end ends what serves, and checks that no process is left.
func (m *manager) end() {
	if m.pid != 0 {
		m.main.Signal(syscall.SIGTERM)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		var ws syscall.WaitStatus
		_, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		if err == syscall.ECHILD {
			return
		}
		if time.Now().After(deadline) {
			m.t.Error("processes are left after a minute")
			m.kill()
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// kill ends what is left, so that it does not disturb other tests.
func (m *manager) kill() {
	// They are not waited for, so that their numbers are theirs.
	for _, pid := range m.children() {
		syscall.Kill(pid, syscall.SIGKILL)
		syscall.Wait4(pid, nil, 0, nil)
	}
}

// children returns the processes that are children of this one.
func (m *manager) children() []int { return m.childrenOf(os.Getpid()) }

// childrenOf returns the processes that are children of pid, by any of its threads.
func (m *manager) childrenOf(pid int) (pids []int) {
	m.t.Helper()
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, path := range paths {
		b, _ := os.ReadFile(path)
		for _, field := range strings.Fields(string(b)) {
			// In gVisor each thread has all of them, with all of their threads.
			if pid, err := strconv.Atoi(field); err == nil && isProcess(pid) && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// isProcess reports whether there is a process with the number, and not only a thread.
func isProcess(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && strings.Contains(string(b), fmt.Sprintf("\nTgid:\t%d\n", pid))
}

// descriptors counts the open descriptors of the process that serves.
func (m *manager) descriptors() int {
	m.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.pid))
	if err != nil {
		m.t.Fatal(err)
	}
	return len(entries)
}

// load begins to load the server, until the test ends.
func (m *manager) load(clients int) *requests.Load {
	l := requests.Start(requests.Targets{
		HTTP: m.addr(0), Unix: m.path("http"), HTTPS: m.addr(1), Roots: m.roots, Lines: m.addr(2), UDP: m.addr(3),
	}, clients, func(what string, err error) { m.t.Errorf("%s: %v", what, err) })
	m.t.Cleanup(func() { l.End() })
	return l
}

// behaviour says how the next successor behaves.
func (m *manager) behaviour(s string) {
	m.t.Helper()
	if err := os.WriteFile(m.path("behaviour"), []byte(s), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func TestUpgradeUnderLoad(t *testing.T) {
	m := newManager(t)
	m.start()
	first := m.pid
	before := m.descriptors()
	l := m.load(2)
	for i := range *upgrades {
		l.Reach(*total * int64(i+1) / int64(*upgrades+1))
		m.upgrade()
	}
	l.Reach(*total)
	sent, lost := l.End()
	t.Logf("%d requests, %d upgrades, %d lost", sent, *upgrades, lost)
	if m.pid == first {
		t.Error("the first process still serves")
	}
	m.awaitAlone()
	for end := time.Now().Add(time.Minute); m.descriptors() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) { // connections that the clients have closed
			t.Fatalf("%d descriptors after %d upgrades, %d before", m.descriptors(), *upgrades, before)
		}
	}
	if b, err := os.ReadFile(m.path("pid")); err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(m.pid) {
		t.Errorf("PID file: got %q, %v, want %d", b, err, m.pid)
	}
}

// TestStorm upgrades again as soon as a successor is ready.
func TestStorm(t *testing.T) {
	m := newManager(t)
	m.start()
	l := m.load(1)
	for range max(5, *upgrades) {
		m.upgrade()
	}
	sent, lost := l.End()
	t.Logf("%d requests, %d lost", sent, lost)
	m.awaitAlone()
}

// awaitAlone waits until the process that serves is the only one.
func (m *manager) awaitAlone() {
	m.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		left := m.children()
		if len(left) == 1 && left[0] == m.pid {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("processes %v are left, want %d alone", left, m.pid)
		}
		for _, pid := range left {
			if pid != m.pid {
				syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// logTo has what servers write go to a file.
func (m *manager) logTo() (path string) {
	f, err := os.OpenFile(m.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		f.Close()
		if b, err := os.ReadFile(f.Name()); m.t.Failed() {
			m.t.Logf("the log of the servers: %v\n%s", err, b)
		}
	})
	m.log = f
	return f.Name()
}

func (m *manager) awaitLog(path, want string) {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil {
			m.t.Fatal(err)
		}
		if strings.Contains(string(b), want) {
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("the log has no %q", want)
		}
	}
}

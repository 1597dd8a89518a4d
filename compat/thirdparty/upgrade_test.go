package thirdparty_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloudflare/tableflip"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/test/requests"
	"github.com/iolib-go/sockets/upgrade"
)

// The size of TestUpgradeBesideTableflip: -requests=50000 -upgrades=20 is the full one.
var (
	upgradeRequests = flag.Int64("requests", 2000, "requests in TestUpgradeBesideTableflip at least, for each program")
	upgradeCount    = flag.Int("upgrades", 4, "upgrades in TestUpgradeBesideTableflip")
	upgradeResult   = flag.String("result", "", "`file` to which TestUpgradeBesideTableflip appends its results, as upgrade.txt has them")
)

// The environment of the servers of this test: which program to be, and where.
const (
	programVar = "UPGRADE_PROGRAM"
	serveVar   = "UPGRADE_DIR"
)

// programs are the same web server on two libraries, each as its documentation has it.
var programs = map[string]func(dir string) error{
	"sockets/upgrade": func(dir string) error {
		ctx := context.Background()
		up, err := upgrade.New(upgrade.Config{PIDFile: filepath.Join(dir, "pid")})
		if err != nil {
			return err
		}
		tcp, err := up.Listen(ctx, nil, "tcp", "tcp", os.Getenv("UPGRADE_ADDR"))
		if err != nil {
			return err
		}
		local, err := up.Listen(ctx, nil, "unix", "unix", filepath.Join(dir, "http"))
		if err != nil {
			return err
		}
		if _, err := up.Ready(ctx); err != nil {
			return err
		}
		s := &upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(digest)}}
		go s.Serve(tcp)
		go s.Serve(local)
		<-up.Done()
		return s.Drain(ctx)
	},
	"tableflip": func(dir string) error {
		up, err := tableflip.New(tableflip.Options{PIDFile: filepath.Join(dir, "pid")})
		if err != nil {
			return err
		}
		defer up.Stop()
		go func() {
			signals := make(chan os.Signal, 1)
			signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
			for sig := range signals {
				if sig == syscall.SIGTERM {
					up.Stop()
				} else if err := upgradeSoon(up); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
		}()
		tcp, err := up.Listen("tcp", os.Getenv("UPGRADE_ADDR"))
		if err != nil {
			return err
		}
		local, err := up.Listen("unix", filepath.Join(dir, "http"))
		if err != nil {
			return err
		}
		s := http.Server{Handler: http.HandlerFunc(digest)}
		go s.Serve(tcp)
		go s.Serve(local)
		if err := up.Ready(); err != nil {
			return err
		}
		<-up.Exit()
		return s.Shutdown(context.Background())
	},
}

// upgradeSoon asks again while tableflip refuses: for a moment behind its PID file, and
// until it has noticed its predecessor's end.
func upgradeSoon(up *tableflip.Upgrader) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		err := up.Upgrade()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

func digest(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	if _, err := io.Copy(h, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	io.WriteString(w, hex.EncodeToString(h.Sum(nil)))
}

// runProgram makes the process a server if the environment says so.
func runProgram() {
	if f := programs[os.Getenv(programVar)]; f != nil {
		if err := f(os.Getenv(serveVar)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// TestUpgradeBesideTableflip loads the same server on both libraries while it replaces
// itself. On package upgrade no request may be lost; what the other loses is printed.
func TestUpgradeBesideTableflip(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	for name := range programs {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "upgrade")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			addr := net.JoinHostPort(socktest.Loopback(), "8080")
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), programVar+"="+name, serveVar+"="+dir, "UPGRADE_ADDR="+addr)
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			server := awaitServer(t, dir, 0)
			var mu sync.Mutex
			reasons := make(map[string]int)
			l := requests.Start(requests.Targets{HTTP: addr, Unix: filepath.Join(dir, "http"), Plain: true}, 4, func(what string, err error) {
				mu.Lock()
				defer mu.Unlock()
				reasons[what]++
			})
			for i := range *upgradeCount {
				l.Reach(*upgradeRequests * int64(i+1) / int64(*upgradeCount+1))
				if err := server.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				old := server.Pid
				server = awaitServer(t, dir, old)
				// A second upgrade while the first is under way is refused, and
				// tableflip counts the predecessor's end to it.
				syscall.Wait4(old, nil, 0, nil)
			}
			l.Reach(*upgradeRequests)
			sent, lost := l.End()
			t.Logf("%s: %d requests, %d upgrades, %d lost %v", name, sent, *upgradeCount, lost, reasons)
			if *upgradeResult != "" {
				appendLine(t, *upgradeResult, fmt.Sprintf("%s\t%d\t%d\t%d\n", name, sent, *upgradeCount, lost))
			}
			if name == "sockets/upgrade" && lost > 0 {
				t.Errorf("%d requests are lost", lost)
			}
			server.Signal(syscall.SIGTERM)
			syscall.Wait4(server.Pid, nil, 0, nil)
		})
	}
}

func appendLine(t *testing.T, file, line string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(line); err != nil {
		t.Fatal(err)
	}
}

// awaitServer waits until the PID file has another process ID than old.
func awaitServer(t *testing.T, dir string, old int) *os.Process {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(dir, "pid"))
		pid, perr := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || perr != nil || pid == old {
			continue
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatal("no new process within a minute")
	return nil
}

//go:build linux

package activation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// TestSocketActivate is started by systemd's program.
func TestSocketActivate(t *testing.T) {
	activate := socktest.NeedProgram(t, "systemd-socket-activate")
	cmd := socktest.ChildCommand(t, "inherited")
	path := socktest.ShortDir(t) + "/activate"
	args := append([]string{"-l", path, "-l", "@" + path, "--fdname=first:second", "-E", "SOCKETS_TEST_CHILD", cmd.Path}, cmd.Args[1:]...)
	activated := exec.CommandContext(t.Context(), activate, args...)
	activated.Env, activated.Stderr = cmd.Env, os.Stderr
	out, err := activated.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := activated.Start(); err != nil {
		t.Fatal(err)
	}
	defer activated.Wait()
	defer activated.Process.Kill()
	// It waits for a connection before it starts anything.
	var c net.Conn
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if c, err = net.Dial("unix", path); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer c.Close()
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v, output %q", err, b)
	}
	want := []string{"first: unix stream socket listening on " + path, "second: unix stream socket listening on @" + path}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

func TestPassToPython(t *testing.T) {
	python := socktest.NeedProgram(t, "python3")
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := exec.CommandContext(t.Context(), python, "-c", sdListenFDs)
	if err := activation.PassToService(cmd, activation.Named{Name: "web", Conn: l.(syscall.Conn)}); err != nil {
		t.Fatal(err)
	}
	defer activation.ClosePassed(cmd)
	out, err := cmd.CombinedOutput()
	want := fmt.Sprintf("web 127.0.0.1 %d 1\n", l.Addr().(*net.TCPAddr).Port)
	if err != nil || string(out) != want {
		t.Errorf("%v, printed %q, want %q", err, out, want)
	}
}

func TestPython(t *testing.T) {
	python := socktest.NeedProgram(t, "python3")
	for _, network := range socktest.UnixNetworks {
		t.Run(network, func(t *testing.T) {
			socktest.CheckNoLeak(t)
			socktest.NeedFiles(t, 3*253)
			a, b := conntest.Pair(t, network)
			var errs strings.Builder
			cmd := exec.CommandContext(t.Context(), python, "-c", exchange)
			cmd.Stderr = &errs
			// The shortest way to a descriptor 3 that Python may block on.
			if err := sockets.SetBlocking(b, true); err != nil {
				t.Fatal(err)
			}
			if err := activation.PassTo(cmd, activation.Named{Conn: b}); err != nil {
				t.Fatal(err)
			}
			err := cmd.Start()
			activation.ClosePassed(cmd)
			b.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				a.Close() // it waits no more if the test has failed
				if err := cmd.Wait(); err != nil {
					t.Errorf("python: %v\n%s", err, &errs)
				}
			}()
			for _, n := range []int{1, 2, 100, 253} {
				files := socktest.Pipes(t, n)
				if _, err := a.SendFDs([]byte("data"), socktest.Conns(files)...); err != nil {
					t.Fatal(err)
				}
				buf := make([]byte, 100)
				n, fds, err := a.ReceiveFDs(buf, 253)
				if err != nil || string(buf[:n]) != "atad" {
					t.Fatalf("received %q, %v", buf[:n], err)
				}
				if diff := cmp.Diff(socktest.IDsOf(t, files), socktest.IDsOf(t, fds)); diff != "" {
					t.Errorf("files mismatch (-want +got):\n%s", diff)
				}
				socktest.CloseFiles(fds)
			}
			if f, err := a.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
				t.Errorf("ReceiveFD: %v, %v", f, err)
			}
			buf := make([]byte, 100)
			if n, err := a.Read(buf); err != nil || string(buf[:n]) != "done" {
				t.Errorf("read %q, %v", buf[:n], err)
			}
		})
	}
}

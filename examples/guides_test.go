//go:build linux

package examples

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
)

// program is one of the examples that runs.
type program struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// start starts a program, which change may change before, and ends it with the test.
func start(t *testing.T, change func(*exec.Cmd), name string, args ...string) *program {
	t.Helper()
	cmd := exec.Command(filepath.Join(built, name), args...)
	out, w, err := os.Pipe()
	socktest.Check(t, err)
	defer w.Close()
	out.SetReadDeadline(time.Now().Add(time.Minute))
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	if change != nil {
		change(cmd)
	}
	socktest.Check(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		out.Close()
	})
	return &program{cmd, bufio.NewReader(out)}
}

// line returns what the program prints next.
func (p *program) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// address returns that of a program that has just been started.
func (p *program) address(t *testing.T) string {
	t.Helper()
	address, ok := strings.CutPrefix(p.line(t), "listening on ")
	if !ok {
		t.Fatal("it does not listen")
	}
	return address
}

// end sends a signal and wants the program to end with the given status.
func (p *program) end(t *testing.T, sig syscall.Signal, status int) {
	t.Helper()
	socktest.Check(t, p.cmd.Process.Signal(sig))
	p.cmd.Wait()
	if got := p.cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("after %v: status %d, want %d", sig, got, status)
	}
}

// get returns the body of an answer, by way of dial.
func get(t *testing.T, url string, dial func() (net.Conn, error)) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	if dial != nil {
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return dial() }
	}
	client := http.Client{Transport: transport, Timeout: time.Minute}
	resp, err := client.Get(url)
	socktest.Check(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	socktest.Check(t, err)
	return string(body)
}

func TestUnixWeb(t *testing.T) {
	path := filepath.Join(socktest.ShortDir(t), "http")
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} { // the second finds the file of the first
		p := start(t, nil, "unixweb", "-socket", path, "-mode", "0640", "-gid", fmt.Sprint(os.Getgid()))
		p.address(t)
		info, err := os.Stat(path)
		socktest.Check(t, err)
		if got, want := info.Mode(), fs.ModeSocket|0o640; got != want {
			t.Errorf("mode %v, want %v", got, want)
		}
		got := get(t, "http://proxy/page", func() (net.Conn, error) { return net.Dial("unix", path) })
		if want := fmt.Sprintf("/page for user %d\n", os.Getuid()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if sig == syscall.SIGTERM {
			p.end(t, sig, 0)
		} else {
			p.end(t, sig, -1)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the path after the end: %v", err)
	}
}

// TestActivated is the service manager of a service that crashes.
func TestActivated(t *testing.T) {
	socktest.NeedLoopback(t)
	notify := filepath.Join(socktest.ShortDir(t), "notify")
	m, err := sockets.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	socktest.Check(t, err)
	defer m.Close()
	m.SetReadDeadline(time.Now().Add(time.Minute))
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	socktest.Check(t, err)
	defer l.Close()

	var kept *os.File
	for run := 1; run <= 2; run++ {
		p := start(t, func(cmd *exec.Cmd) {
			socks := []activation.Named{{Name: "web", Conn: l.(*sockets.TCPListener)}}
			if kept != nil {
				socks = append(socks, activation.Named{Name: "count", Conn: kept})
			}
			cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+notify, "WATCHDOG_USEC=200000")
			socktest.Check(t, activation.PassTo(cmd, socks...))
		}, "activated")
		activation.ClosePassed(p.cmd)
		// It says that it is ready, and alive, and the first time gives its file.
		for seen := ""; !strings.Contains(seen, "READY=1") || !strings.Contains(seen, "WATCHDOG=1"); {
			b := make([]byte, 1000)
			n, files, err := m.ReceiveFDs(b, 1)
			socktest.Check(t, err)
			seen += string(b[:n]) + "\n"
			if len(files) > 0 {
				if !strings.Contains(string(b[:n]), "FDSTORE=1\nFDNAME=count") || kept != nil {
					t.Errorf("run %d: a file with %q", run, b[:n])
				}
				kept = files[0]
				defer kept.Close()
			}
		}
		if kept == nil {
			t.Fatal("no file was given to keep")
		}
		for i := range 2 {
			want := fmt.Sprintf("request %d\n", 2*(run-1)+i+1)
			if got := get(t, "http://"+l.Addr().String(), nil); got != want {
				t.Errorf("run %d: got %q, want %q", run, got, want)
			}
		}
		if run == 1 {
			p.end(t, syscall.SIGKILL, -1)
		} else {
			p.end(t, syscall.SIGTERM, 0)
		}
	}
}

func TestMLLP(t *testing.T) {
	socktest.NeedLoopback(t)
	p := start(t, nil, "mllp", "-listen", "127.0.0.1:0")
	c, err := net.Dial("tcp", p.address(t))
	socktest.Check(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	for _, m := range []struct{ charset, wire, text string }{
		{"8859/1", "M\xfcller^J\xf6rg", "Müller^Jörg"},
		{"UNICODE UTF-8", "Müller^Jörg", "Müller^Jörg"},
		{"GB 18030-2000", "\xcd\xf5^\xd0\xa1\xc3\xf7", "王^小明"},
	} {
		header := "MSH|^~\\&|LAB|A|HIS|B|202611260800||ORU^R01|42|P|2.5||||||" + m.charset
		_, err := io.WriteString(c, "\x0b"+header+"\rPID|1||"+m.wire+"\r\x1c\r")
		socktest.Check(t, err)
		if diff := cmp.Diff([]string{header, "PID|1||" + m.text}, []string{p.line(t), p.line(t)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.charset, diff)
		}
		got, err := r.ReadString('\x1c')
		socktest.Check(t, err)
		if want := "\x0bMSH|^~\\&|HIS|B|LAB|A|||ACK|42|P|2.5||||||" + m.charset + "\rMSA|AA|42\r\x1c"; got != want {
			t.Errorf("%s: acknowledged by %q, want %q", m.charset, got, want)
		}
		_, err = r.Discard(1)
		socktest.Check(t, err)
	}
}

// TestDatagrams sends to one of several addresses of a server on the wildcard address.
func TestDatagrams(t *testing.T) {
	socktest.NeedLoopback(t)
	socktest.NeedTOS(t, "udp4")
	p := start(t, nil, "datagrams", "-listen", "0.0.0.0:0")
	server := netip.MustParseAddrPort(p.address(t))
	for _, to := range []string{"127.0.0.1", "127.0.0.2"} {
		lc := sockets.ListenConfig{PacketInfo: true, Options: []sockopt.Setting{sockopt.TOS.With(3)}} // ECN CE
		pc, err := lc.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
		socktest.Check(t, err)
		c := pc.(*sockets.UDPConn)
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Minute))
		addr := netip.AddrPortFrom(netip.MustParseAddr(to), server.Port())
		const n = 20
		_, err = c.WriteSegments(bytes.Repeat([]byte("datagram"), n), 8, addr)
		socktest.Check(t, err)
		for range n {
			b, oob := make([]byte, 100), make([]byte, sockets.PacketInfoLen)
			n, oobn, _, from, err := c.ReadMsgUDPAddrPort(b, oob)
			socktest.Check(t, err)
			info, err := sockets.ParsePacketInfo(oob[:oobn])
			socktest.Check(t, err)
			if string(b[:n]) != "datagram" || from != addr || info.TOS != 3 {
				t.Fatalf("%q from %v with TOS %d, want an echo from %v with 3", b[:n], from, info.TOS, addr)
			}
		}
	}
}

func TestPrivsep(t *testing.T) {
	dir := t.TempDir()
	socktest.Check(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("content\n"), 0o600))
	uid := os.Getuid()
	tests := []struct {
		name, file string
		uid        int
		out, err   string
	}{
		{"the right user", "secret", uid, "content\n", ""},
		{"another user", "secret", uid + 1, "", fmt.Sprintf("privsep: the broker says: not for user %d\n", uid)},
		{"a way out", "../secret", uid, "", "privsep: the broker says: openat ../secret: path escapes from parent\n"},
		{"no such file", "none", uid, "", "privsep: the broker says: openat none: no such file or directory\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(socktest.ShortDir(t), "broker")
			start(t, nil, "privsep", "-broker", "-socket", path, "-dir", dir, "-uid", fmt.Sprint(tt.uid)).address(t)
			var stdout, stderr strings.Builder
			cmd := exec.CommandContext(t.Context(), filepath.Join(built, "privsep"), "-socket", path, "-file", tt.file)
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); (err == nil) != (tt.err == "") {
				t.Error(err)
			}
			if diff := cmp.Diff([]string{tt.out, tt.err}, []string{stdout.String(), stderr.String()}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestTransparentProxy has a client in a namespace without a network, and a server outside
// that both have an address of no interface.
func TestTransparentProxy(t *testing.T) {
	ip := socktest.NeedProgram(t, "ip")
	outside, inside := socktest.NewNetNS(t), socktest.NewNetNS(t)
	for _, netns := range []*os.File{outside, inside} {
		socktest.InNetNS(t, netns, func() {
			if out, err := exec.Command(ip, "route", "add", "local", "198.51.100.0/24", "dev", "lo").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		})
	}
	socktest.InNetNS(t, outside, func() {
		plain, err := net.Listen("tcp4", "198.51.100.7:80")
		if err != nil {
			t.Skip("no socket has an address that a route alone makes local: ", err)
		}
		plain.Close()
	})
	lc := sockets.ListenConfig{NetNS: outside}
	l, err := lc.Listen(t.Context(), "tcp4", "198.51.100.7:80")
	socktest.Check(t, err)
	defer l.Close()
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "the host ", r.Host)
	}))
	var p *program
	socktest.InNetNS(t, outside, func() {
		p = start(t, func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{inside} },
			"tproxy", "-netns", "/proc/self/fd/3", "-listen", "0.0.0.0:80")
	})
	p.address(t)
	d := sockets.Dialer{NetNS: inside}
	got := get(t, "http://198.51.100.7/", func() (net.Conn, error) {
		return d.DialContext(t.Context(), "tcp", "198.51.100.7:80")
	})
	if want := "the host 198.51.100.7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if line := p.line(t); !strings.HasSuffix(line, " to 198.51.100.7:80") {
		t.Errorf("it says %q", line)
	}
}

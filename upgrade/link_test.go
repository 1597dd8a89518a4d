//go:build linux

package upgrade

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

// linked returns an Upgrader with a predecessor, and what the predecessor has of the link.
func linked(t *testing.T) (u *Upgrader, theirs *sockets.UnixConn) {
	t.Helper()
	ours, theirs, err := sockets.Pair("unix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	io, err := takeStdio()
	if err != nil {
		t.Fatal(err)
	}
	return &Upgrader{
		config:    Config{Logf: t.Logf},
		done:      make(chan struct{}),
		inherited: make(map[string]activation.Descriptor),
		pre:       watchPredecessor(ours, bufio.NewReader(ours), io),
	}, theirs
}

// TestAnswers has a predecessor say something, and hang up.
func TestAnswers(t *testing.T) {
	var garbage *protocolError
	for _, tt := range []struct {
		say  string
		want any // an error, or a type of one
	}{
		{"go\n", nil},
		{"no\n", ErrRefused},
		{"", nil}, // it has died
		{"g", nil},
		{"\n", &garbage},
		{"gone\n", &garbage},
		{strings.Repeat("go", 10000), &garbage},
	} {
		u, theirs := linked(t)
		go func() {
			io.WriteString(theirs, tt.say)
			theirs.CloseWrite()
		}()
		for i := range 2 {
			_, err := u.Ready(context.Background())
			ok := err == nil
			switch want := tt.want.(type) {
			case error:
				ok = errors.Is(err, want)
			case **protocolError:
				ok = errors.As(err, want)
			}
			if !ok {
				t.Errorf("%.20q: Ready %d: got %v, want %T", tt.say, i, err, tt.want)
			}
		}
	}
}

// TestReadyGivesUp ends the context of Ready while the predecessor answers: either both
// know that this process is to serve, or none.
func TestReadyGivesUp(t *testing.T) {
	for range 2000 {
		u, theirs := linked(t)
		ctx, cancel := context.WithCancel(context.Background())
		answered := make(chan error, 1)
		go func() {
			err := expectReady(theirs)
			go cancel()
			if err == nil {
				_, err = io.WriteString(theirs, sayGo+"\n")
			}
			answered <- err
		}()
		_, err := u.Ready(ctx)
		if sent := <-answered; (sent == nil) != (err == nil) {
			t.Fatalf("Ready: %v, while the predecessor's answer: %v", err, sent)
		}
		theirs.Close()
	}
}

// TestStopWhileAnswered stops a process while its predecessor answers: it leaves no PID file.
func TestStopWhileAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	for range 500 {
		u, theirs := linked(t)
		u.config.PIDFile = path
		stopped := make(chan bool)
		go func() {
			defer close(stopped)
			if expectReady(theirs) == nil {
				io.WriteString(theirs, sayGo+"\n")
			}
			u.Stop()
		}()
		_, err := u.Ready(context.Background())
		<-stopped
		if b, e := os.ReadFile(path); !errors.Is(e, fs.ErrNotExist) {
			t.Fatalf("after Ready, %v, and Stop: the PID file has %q, %v", err, b, e)
		}
		theirs.Close()
	}
}

// TestStopWaitsForSuccessor stops a process during an upgrade: its successor has ended by the
// time that Done is closed.
func TestStopWaitsForSuccessor(t *testing.T) {
	ours, theirs, err := sockets.Pair("unix")
	socktest.Check(t, err)
	defer theirs.Close()
	u := &Upgrader{config: Config{Logf: t.Logf}, done: make(chan struct{}), state: serving}
	exited := make(chan struct{})
	err = u.replace(context.Background(), func([]holding) (*successor, error) {
		go u.Stop()
		return &successor{link: ours, exited: exited, reap: func() *os.ProcessState { return nil }, kill: func() {
			time.Sleep(50 * time.Millisecond) // time for a fault
			select {
			case <-u.Done():
				t.Error("Done is closed while the successor lives")
			default:
			}
			close(exited)
		}}, nil
	})
	if err != ErrStopped {
		t.Errorf("Upgrade: got %v, want ErrStopped", err)
	}
	<-u.Done()
}

// TestUpgradesFail has upgrades fail at the same time: each tells the service manager that it
// has ended before the next one begins.
func TestUpgradesFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenPacket("unixgram", path)
	socktest.Check(t, err)
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	u := &Upgrader{config: Config{Logf: t.Logf}, done: make(chan struct{}), state: serving}
	var said []string
	heard := make(chan bool)
	go func() {
		defer close(heard)
		b := make([]byte, 1000)
		for {
			n, _, err := manager.ReadFrom(b)
			if err != nil || string(b[:n]) == "enough" {
				return
			}
			first, _, _ := strings.Cut(string(b[:n]), "\n")
			said = append(said, first)
		}
	}()
	failed := errors.New("failed")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := 0; n < 100; {
				err := u.replace(context.Background(), func([]holding) (*successor, error) { return nil, failed })
				switch err {
				case failed:
					n++
				case ErrUpgrading:
					runtime.Gosched()
				default:
					t.Errorf("got %v, want %v or %v", err, failed, ErrUpgrading)
					return
				}
			}
		})
	}
	wg.Wait()
	c, err := net.Dial("unixgram", path)
	socktest.Check(t, err)
	defer c.Close()
	io.WriteString(c, "enough")
	<-heard
	if len(said) == 0 || len(said)%2 != 0 {
		t.Errorf("%d messages, want an even number", len(said))
	}
	for i, s := range said {
		if want := []string{"RELOADING=1", "READY=1"}[i%2]; s != want {
			t.Fatalf("message %d: got %q, want %q", i, s, want)
		}
	}
}

// TestExpectReady has a successor say garbage.
func TestExpectReady(t *testing.T) {
	var garbage *protocolError
	for _, say := range []string{"\n", "set\n", strings.Repeat("ready", 1000)} {
		ours, theirs := net.Pipe()
		go io.WriteString(theirs, say)
		if err := expectReady(ours); !errors.As(err, &garbage) {
			t.Errorf("%.20q: got %v, want a *protocolError", say, err)
		}
		ours.Close()
		theirs.Close()
	}
}

// TestListenBesideListen has two calls with one name get as far as a socket.
func TestListenBesideListen(t *testing.T) {
	u := &Upgrader{inherited: make(map[string]activation.Descriptor)}
	var ls [2]net.Listener
	for i := range ls {
		l, err := sockets.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ls[i] = l
	}
	if err := u.hold("a", ls[0], nil); err != nil {
		t.Fatal(err)
	}
	var bad *NameError
	if err := u.hold("a", ls[1], nil); !errors.As(err, &bad) {
		t.Errorf("the second: got %v, want a *NameError", err)
	}
	if err := ls[1].Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second is not closed: %v", err)
	}
}

// TestListenBesideReady has Listen find out that a socket is of another kind after Ready.
func TestListenBesideReady(t *testing.T) {
	u := &Upgrader{config: Config{Logf: t.Logf}, inherited: make(map[string]activation.Descriptor)}
	if _, err := u.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	u.putBack(activation.Descriptor{Name: "a", File: f}, "a")
	if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the descriptor is not closed: %v", err)
	}
}

// TestInvalidName has names that a successor cannot be given.
func TestInvalidName(t *testing.T) {
	u := &Upgrader{inherited: make(map[string]activation.Descriptor)}
	for _, name := range []string{"", "a:b", "a\nb", "é", linkName, strings.Repeat("x", 256)} {
		_, err := u.Listen(t.Context(), nil, name, "tcp", "127.0.0.1:0")
		var bad *NameError
		var argument *sockets.ArgumentError
		if !errors.As(err, &bad) || bad.Name != name || !errors.As(err, &argument) || argument.Arg != "name" || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%q: got %v, want a *NameError with an *ArgumentError", name, err)
		}
	}
}

// TestNewControl has paths of Control that cannot be one.
func TestNewControl(t *testing.T) {
	for _, path := range []string{"@control", "\x00control", "con\x00trol", strings.Repeat("x", 96)} {
		var bad *sockets.ArgumentError
		if _, err := New(Config{Control: path}); !errors.As(err, &bad) || bad.Arg != "Control" {
			t.Errorf("%q: got %v, want an *ArgumentError about Control", path, err)
		}
	}
}

// TestReadyPaths has paths of files that are not to be replaced.
func TestReadyPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	socktest.Check(t, os.WriteFile(file, []byte("precious"), 0o600))
	for _, tt := range []struct {
		arg    string
		config Config
	}{
		{"Control", Config{Control: file}},
		{"Control", Config{Control: dir}},
		{"PIDFile", Config{PIDFile: dir}},
		{"PIDFile", Config{PIDFile: os.DevNull}},
	} {
		u := &Upgrader{config: tt.config, inherited: make(map[string]activation.Descriptor)}
		var bad *sockets.ArgumentError
		if _, err := u.Ready(context.Background()); !errors.As(err, &bad) || bad.Arg != tt.arg {
			t.Errorf("%+v: got %v, want an *ArgumentError about %s", tt.config, err, tt.arg)
		}
	}
	left, err := os.ReadDir(dir)
	if b, _ := os.ReadFile(file); err != nil || len(left) != 1 || string(b) != "precious" {
		t.Errorf("left are %v, %v, and the file has %q", left, err, b)
	}
}

//go:build linux

package activation_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

// notifyManager plays the service manager.
func notifyManager(tb testing.TB) *sockets.UnixConn {
	tb.Helper()
	name := socktest.ShortDir(tb) + "/notify"
	c, err := sockets.ListenPacket("unixgram", name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	tb.Setenv("NOTIFY_SOCKET", name)
	return c.(*sockets.UnixConn)
}

func TestNotifyStore(t *testing.T) {
	socktest.CheckNoLeak(t)
	ctx := context.Background()
	manager := notifyManager(t)
	files := socktest.Pipes(t, 2)
	if sent, err := activation.NotifyStore(ctx, "state", socktest.Conns(files)...); !sent || err != nil {
		t.Fatalf("NotifyStore: %t, %v", sent, err)
	}
	buf := make([]byte, 1000)
	n, fds, err := manager.ReceiveFDs(buf, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer socktest.CloseFiles(fds)
	if diff := cmp.Diff("FDSTORE=1\nFDNAME=state\n", string(buf[:n])); diff != "" {
		t.Errorf("message mismatch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(socktest.IDsOf(t, files), socktest.IDsOf(t, fds)); diff != "" {
		t.Errorf("files mismatch (-want +got):\n%s", diff)
	}
	for _, name := range []string{"a\nREADY=1", "a:b", strings.Repeat("x", 256)} {
		if sent, err := activation.NotifyStore(ctx, name, files[0]); sent || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("NotifyStore of %q: %t, %v, want EINVAL", name, sent, err)
		}
	}
	if sent, err := activation.NotifyStore(ctx, "none"); sent || err != nil {
		t.Errorf("NotifyStore of nothing: %t, %v", sent, err)
	}
	closed := socktest.Pipes(t, 1)[0]
	closed.Close()
	if sent, err := activation.NotifyStore(ctx, "x", closed); sent || !errors.Is(err, os.ErrClosed) {
		t.Errorf("NotifyStore of a closed file: %t, %v", sent, err)
	}
}

func TestNotifyStoreUnpolledAndUnstore(t *testing.T) {
	manager := notifyManager(t)
	files := socktest.Pipes(t, 1)
	ctx := context.Background()
	for _, tt := range []struct {
		notify func() (bool, error)
		want   string
		files  int
	}{
		{func() (bool, error) { return activation.NotifyStoreUnpolled(ctx, "peer", files[0]) }, "FDSTORE=1\nFDNAME=peer\nFDPOLL=0\n", 1},
		{func() (bool, error) { return activation.NotifyUnstore(ctx, "peer") }, "FDSTOREREMOVE=1\nFDNAME=peer\n", 0},
	} {
		if sent, err := tt.notify(); !sent || err != nil {
			t.Fatalf("%q: %t, %v", tt.want, sent, err)
		}
		buf := make([]byte, 1000)
		n, fds, err := manager.ReceiveFDs(buf, 10)
		socktest.CloseFiles(fds)
		if err != nil && !errors.Is(err, sockets.ErrNoDescriptor) {
			t.Fatal(err)
		}
		if string(buf[:n]) != tt.want || len(fds) != tt.files {
			t.Errorf("got %q and %d files, want %q and %d", buf[:n], len(fds), tt.want, tt.files)
		}
	}
	for _, name := range []string{"a:b", "a\n"} {
		if sent, err := activation.NotifyUnstore(ctx, name); sent || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("NotifyUnstore of %q: %t, %v, want EINVAL", name, sent, err)
		}
	}
}

func TestNotifyBarrier(t *testing.T) {
	socktest.CheckNoLeak(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	manager := notifyManager(t)
	done := make(chan error, 1)
	wait := func() {
		sent, err := activation.NotifyBarrier(ctx)
		if !sent && err == nil {
			err = errors.New("not sent")
		}
		done <- err
	}
	receive := func() *os.File {
		t.Helper()
		buf := make([]byte, 100)
		n, fds, err := manager.ReceiveFDs(buf, 1)
		if err != nil || string(buf[:n]) != "BARRIER=1\n" || len(fds) != 1 {
			t.Fatalf("received %q, %d files, %v", buf[:n], len(fds), err)
		}
		return fds[0]
	}
	go wait()
	f := receive()
	select {
	case err := <-done:
		t.Fatalf("NotifyBarrier did not wait: %v", err)
	case <-time.After(10 * time.Millisecond): // or it fails by chance only
	}
	f.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	go wait()
	f = receive()
	defer f.Close()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if sent, err := activation.NotifyBarrier(context.Background()); sent || err != nil {
		t.Errorf("without a manager: %t, %v", sent, err)
	}
}

// TestNotifyAddress has managers that cannot be told.
func TestNotifyAddress(t *testing.T) {
	socktest.CheckNoLeak(t)
	tests := []struct {
		name string
		want error
	}{
		{"vsock:2:1234", errors.ErrUnsupported},
		{"vsock-stream:2:1234", errors.ErrUnsupported},
		{"relative/path", errors.ErrUnsupported},
		{"/" + strings.Repeat("x", 200), syscall.EINVAL},
		{"@" + strings.Repeat("x", 200), syscall.EINVAL},
		{t.TempDir() + "/missing", syscall.ENOENT},
		{"@sockets nobody", syscall.ECONNREFUSED},
	}
	for _, tt := range tests {
		t.Run(tt.name[:1], func(t *testing.T) {
			t.Setenv("NOTIFY_SOCKET", tt.name)
			if sent, err := activation.Notify(t.Context(), activation.NotifyReady); sent || !errors.Is(err, tt.want) {
				t.Errorf("%s: %t, %v, want %v", tt.name, sent, err, tt.want)
			}
			if sent, err := activation.NotifyBarrier(t.Context()); sent || !errors.Is(err, tt.want) {
				t.Errorf("%s, NotifyBarrier: %t, %v, want %v", tt.name, sent, err, tt.want)
			}
		})
	}
	t.Run("nothing to say", func(t *testing.T) {
		manager := notifyManager(t)
		if sent, err := activation.Notify(t.Context()); sent || err != nil {
			t.Errorf("%t, %v", sent, err)
		}
		manager.SetReadDeadline(time.Unix(1, 0))
		if n, err := manager.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("received %d bytes, %v", n, err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		notifyManager(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if sent, err := activation.Notify(ctx, activation.NotifyReady); sent || !errors.Is(err, context.Canceled) {
			t.Errorf("%t, %v", sent, err)
		}
	})
}

// noPID is more than Linux gives to a process, proc_pid_max(5).
const noPID = 1<<22 + 1

// TestNotifyMainPID has the number of the process that no other gets, where there is one.
func TestNotifyMainPID(t *testing.T) {
	want := fmt.Sprintf("MAINPID=%d", os.Getpid())
	if id, ok := pidfdID(t); ok {
		want += fmt.Sprintf("\nMAINPIDFDID=%d", id)
	}
	if diff := cmp.Diff(want, string(activation.NotifyMainPID(os.Getpid()))); diff != "" {
		t.Errorf("state mismatch (-want +got):\n%s", diff)
	}
}

// pidfdID returns that number of this process, if the kernel has such: before Linux 6.9
// pidfds are all the same file.
func pidfdID(t *testing.T) (id uint64, ok bool) {
	t.Helper()
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	var st unix.Stat_t
	socktest.Check(t, unix.Fstatfs(fd, &fs))
	socktest.Check(t, unix.Fstat(fd, &st))
	return st.Ino, fs.Type == unix.PID_FS_MAGIC
}

func TestNotify(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{socktest.ShortDir(t) + "/notify", "@sockets test " + strconv.Itoa(os.Getpid())} {
		t.Run(name[:1], func(t *testing.T) {
			manager, err := net.ListenPacket("unixgram", name)
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			manager.SetDeadline(time.Now().Add(time.Minute))
			t.Setenv("NOTIFY_SOCKET", name)
			received := func() string {
				buf := make([]byte, 1000)
				n, _, err := manager.ReadFrom(buf)
				if err != nil {
					t.Fatal(err)
				}
				return string(buf[:n])
			}
			sent, err := activation.Notify(ctx, activation.NotifyReady, activation.NotifyMainPID(noPID), activation.NotifyStatus("two\nlines"))
			if !sent || err != nil {
				t.Fatalf("Notify: %t, %v", sent, err)
			}
			if diff := cmp.Diff(fmt.Sprintf("READY=1\nMAINPID=%d\nSTATUS=two lines\n", noPID), received()); diff != "" {
				t.Errorf("message mismatch (-want +got):\n%s", diff)
			}
			var before, after unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
				t.Fatal(err)
			}
			if _, err := activation.Notify(ctx, activation.NotifyReloading()); err != nil {
				t.Fatal(err)
			}
			unix.ClockGettime(unix.CLOCK_MONOTONIC, &after)
			var usec int64
			if _, err := fmt.Sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%d\n", &usec); err != nil {
				t.Fatal(err)
			}
			if usec < before.Nano()/1000 || usec > after.Nano()/1000 {
				t.Errorf("MONOTONIC_USEC=%d, not between %d and %d", usec, before.Nano()/1000, after.Nano()/1000)
			}
			// Until the manager's queue is full.
			ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			for err == nil {
				_, err = activation.Notify(ctx, activation.NotifyStopping)
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with a full queue: %v", err)
			}
			manager.Close()
			if _, err := activation.Notify(context.Background(), activation.NotifyReady); err == nil {
				t.Error("Notify without a manager succeeded")
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Setenv("NOTIFY_SOCKET", "")
		if sent, err := activation.Notify(ctx, activation.NotifyReady); sent || err != nil {
			t.Errorf("%t, %v", sent, err)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		t.Setenv("NOTIFY_SOCKET", "vsock:2:1234")
		if _, err := activation.Notify(ctx, activation.NotifyReady); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v, want ErrUnsupported", err)
		}
	})
}

func TestNotifyStates(t *testing.T) {
	for _, tt := range []struct {
		got  activation.NotifyState
		want string
	}{
		{activation.NotifyExtendTimeout(90 * time.Second), "EXTEND_TIMEOUT_USEC=90000000"},
		{activation.NotifyExtendTimeout(time.Nanosecond), "EXTEND_TIMEOUT_USEC=1"},
		{activation.NotifyExtendTimeout(-time.Second), "EXTEND_TIMEOUT_USEC=0"},
		{activation.NotifyWatchdogInterval(time.Second), "WATCHDOG_USEC=1000000"},
		{activation.NotifyErrno(2), "ERRNO=2"},
		{activation.NotifyBusError("org.example.Bad\nREADY=1"), "BUSERROR=org.example.Bad READY=1"},
		{activation.NotifyWatchdogTrigger, "WATCHDOG=trigger"},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

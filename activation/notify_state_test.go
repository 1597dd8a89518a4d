//go:build linux

package activation_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// noPID is more than Linux gives to a process, proc_pid_max(5).
const noPID = 1<<22 + 1

// TestNotifyMainPID has the number of the process that no other gets, where there is one.
func TestNotifyMainPID(t *testing.T) {
	want := fmt.Sprintf("MAINPID=%d", os.Getpid())
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err == nil {
		defer unix.Close(fd)
		var fs unix.Statfs_t
		var st unix.Stat_t
		socktest.Check(t, unix.Fstatfs(fd, &fs))
		socktest.Check(t, unix.Fstat(fd, &st))
		if fs.Type == unix.PID_FS_MAGIC {
			want += fmt.Sprintf("\nMAINPIDFDID=%d", st.Ino)
		}
	}
	if diff := cmp.Diff(want, string(activation.NotifyMainPID(os.Getpid()))); diff != "" {
		t.Errorf("state mismatch (-want +got):\n%s", diff)
	}
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

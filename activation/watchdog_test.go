//go:build linux

package activation_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

func TestWatchdogInterval(t *testing.T) {
	own, other := strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid())
	for _, tt := range []struct {
		name, usec, pid string
		want            time.Duration
		variable        string // of the error
	}{
		{name: "not watched"},
		{name: "watched", usec: "30000000", want: 30 * time.Second},
		{name: "watched by number", usec: "1500", pid: own, want: 1500 * time.Microsecond},
		{name: "another process", usec: "1500", pid: other},
		{name: "zero", usec: "0", variable: "WATCHDOG_USEC"},
		{name: "no number", usec: "1s", variable: "WATCHDOG_USEC"},
		{name: "too long for a Duration", usec: "9223372036854776", variable: "WATCHDOG_USEC"},
		{name: "the longest", usec: "9223372036854775", want: 9223372036854775 * time.Microsecond},
		{name: "negative process", usec: "1500", pid: "-1", variable: "WATCHDOG_PID"},
		{name: "process zero", usec: "1500", pid: "0", variable: "WATCHDOG_PID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setOrUnset(t, "WATCHDOG_USEC", tt.usec)
			setOrUnset(t, "WATCHDOG_PID", tt.pid)
			got, err := activation.WatchdogInterval()
			variable := ""
			var ie *activation.InheritError
			if errors.As(err, &ie) {
				variable = ie.Variable
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{tt.want, tt.variable}, []any{got, variable}); diff != "" {
				t.Errorf("interval and variable of the error (-want +got):\n%s", diff)
			}
		})
	}
}

func setOrUnset(t *testing.T, name, value string) {
	t.Helper()
	t.Setenv(name, value)
	if value == "" {
		os.Unsetenv(name)
	}
}

func TestWatchdog(t *testing.T) {
	path := socktest.ShortDir(t) + "/notify"
	manager, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	manager.SetDeadline(time.Now().Add(time.Minute))
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "2000")
	setOrUnset(t, "WATCHDOG_PID", "")
	ill := errors.New("not well")
	checks := 0
	err = activation.Watchdog(t.Context(), func() error {
		if checks++; checks == 3 {
			return ill
		}
		return nil
	})
	if err != ill {
		t.Errorf("Watchdog: got %v, want %v", err, ill)
	}
	var got []string
	b := make([]byte, 100)
	for range 3 {
		n, _, err := manager.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(b[:n]))
	}
	want := []string{"WATCHDOG=1\n", "WATCHDOG=1\n", "WATCHDOG=trigger\nSTATUS=not well\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages mismatch (-want +got):\n%s", diff)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ill)
	if err := activation.Watchdog(ctx, nil); err != ill {
		t.Errorf("Watchdog until a context ends: got %v, want its cause", err)
	}
	os.Unsetenv("WATCHDOG_USEC")
	if err := activation.Watchdog(ctx, nil); err != nil {
		t.Errorf("Watchdog where nothing watches: %v", err)
	}
}

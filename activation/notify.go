package activation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/sys"
)

// NotifyState is a message for the service manager: an assignment of sd_notify(3), such
// as "WATCHDOG=1".
type NotifyState string

// The messages that take no value.
const (
	// NotifyReady means that the service has started, or has reloaded its configuration.
	NotifyReady NotifyState = "READY=1"

	// NotifyStopping means that the service is about to end.
	NotifyStopping NotifyState = "STOPPING=1"

	// NotifyWatchdog means that the service is alive. See Watchdog.
	NotifyWatchdog NotifyState = "WATCHDOG=1"

	// NotifyWatchdogTrigger means that the service has found itself unhealthy. The manager
	// acts as if the watchdog had expired.
	NotifyWatchdogTrigger NotifyState = "WATCHDOG=trigger"
)

// NotifyWatchdogInterval returns the message that changes the interval in which
// [NotifyWatchdog] must be sent. Its resolution is one microsecond.
func NotifyWatchdogInterval(d time.Duration) NotifyState { return microseconds("WATCHDOG_USEC=", d) }

// NotifyExtendTimeout returns the message that asks for more time to start, reload or
// stop: the manager waits at least d, counted from this message, for the next one. The
// first must be sent before the configured time has passed, and each of the following
// before d has.
func NotifyExtendTimeout(d time.Duration) NotifyState { return microseconds("EXTEND_TIMEOUT_USEC=", d) }

// microseconds never says 0 for a duration that is longer, which would mean something
// else.
func microseconds(name string, d time.Duration) NotifyState {
	usec := max(0, (d+time.Microsecond-1)/time.Microsecond)
	return NotifyState(name + strconv.FormatInt(int64(usec), 10))
}

// NotifyErrno returns the message that the service has failed with a system error.
func NotifyErrno(errno syscall.Errno) NotifyState {
	return NotifyState("ERRNO=" + strconv.Itoa(int(errno)))
}

// NotifyBusError returns the message that the service has failed with a D-Bus error,
// such as "org.freedesktop.DBus.Error.TimedOut".
func NotifyBusError(name string) NotifyState {
	return NotifyState("BUSERROR=" + strings.ReplaceAll(name, "\n", " "))
}

// NotifyReloading returns the message that the service has begun to reload its
// configuration. [NotifyReady] ends the reload.
func NotifyReloading() NotifyState {
	return NotifyState("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(sys.MonotonicUsec(), 10))
}

// NotifyMainPID returns the message that tells which process is the main process of the
// service, for a service that is replaced by a new process. pid must be this process or a
// child that has not been waited for, because another process may get its number later:
// on Linux 6.9 and later the message also has MAINPIDFDID, a number that is never reused.
func NotifyMainPID(pid int) NotifyState {
	s := "MAINPID=" + strconv.Itoa(pid)
	if id, ok := sys.PIDFDID(pid); ok {
		s += "\nMAINPIDFDID=" + strconv.FormatUint(id, 10)
	}
	return NotifyState(s)
}

// NotifyStatus returns the message that describes the state of the service in one line
// of text.
func NotifyStatus(text string) NotifyState {
	// A line break would begin another assignment.
	return NotifyState("STATUS=" + strings.ReplaceAll(text, "\n", " "))
}

// Notify sends states to the service manager in one message. If there is no manager,
// which means that NOTIFY_SOCKET is not set, it returns false and a nil error. The
// variable remains set for child processes. Notify waits while the manager's queue is
// full, until ctx ends. See sd_notify(3).
//
// If the address begins with "vsock", the manager is outside of this virtual machine,
// and the error matches [errors.ErrUnsupported].
func Notify(ctx context.Context, states ...NotifyState) (sent bool, err error) {
	if len(states) == 0 {
		return false, nil
	}
	return notify(ctx, states)
}

// NotifyStore asks the service manager to keep copies of descriptors under a name.
// [Inherited] returns them when the service starts again, even after a crash. The
// service needs FileDescriptorStoreMax=, see systemd.service(5); the manager discards
// what exceeds it without notice. Otherwise NotifyStore is like [Notify].
//
// The manager watches the descriptors and discards one that reports a hang-up or an
// error, such as a connection whose peer is gone. [NotifyStoreUnpolled] prevents that.
func NotifyStore(ctx context.Context, name string, fds ...syscall.Conn) (sent bool, err error) {
	return notifyStore(ctx, name, fds)
}

// NotifyStoreUnpolled is like [NotifyStore], but the manager keeps the descriptors even
// if they report a hang-up or an error (FDPOLL=0).
func NotifyStoreUnpolled(ctx context.Context, name string, fds ...syscall.Conn) (sent bool, err error) {
	return notifyStore(ctx, name, fds, "FDPOLL=0")
}

// NotifyUnstore asks the service manager to discard the descriptors kept under a name.
func NotifyUnstore(ctx context.Context, name string) (sent bool, err error) {
	if name, err = passedName(name); err != nil {
		return false, err
	}
	return notify(ctx, []NotifyState{"FDSTOREREMOVE=1", NotifyState("FDNAME=" + name)})
}

func notifyStore(ctx context.Context, name string, fds []syscall.Conn, how ...NotifyState) (sent bool, err error) {
	if name, err = passedName(name); err != nil {
		return false, err
	}
	if len(fds) == 0 {
		return false, nil
	}
	return notify(ctx, append([]NotifyState{"FDSTORE=1", NotifyState("FDNAME=" + name)}, how...), fds...)
}

// NotifyBarrier waits until the manager has processed all messages sent so far, or
// until ctx ends. Without it, a process that sends a message and exits at once may be
// gone before the manager has found out which service sent the message. See
// sd_notify_barrier(3).
func NotifyBarrier(ctx context.Context) (sent bool, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer r.Close()
	sent, err = notify(ctx, []NotifyState{"BARRIER=1"}, w)
	w.Close()
	if !sent || err != nil {
		return false, err
	}
	defer context.AfterFunc(ctx, func() { r.SetReadDeadline(time.Unix(1, 0)) })()
	// The manager closes its copy.
	if _, err = r.Read(make([]byte, 1)); err == io.EOF {
		return true, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return true, err
}

func notify(ctx context.Context, states []NotifyState, fds ...syscall.Conn) (sent bool, err error) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return false, nil
	}
	if name[0] != '/' && name[0] != '@' {
		return false, fmt.Errorf("sockets: NOTIFY_SOCKET=%q: %w", name, errors.ErrUnsupported)
	}
	var d sockets.Dialer
	c, err := d.DialContext(ctx, "unixgram", name)
	if err != nil {
		return false, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	var b strings.Builder
	for _, s := range states {
		b.WriteString(string(s))
		b.WriteByte('\n')
	}
	if _, err := c.(*sockets.UnixConn).SendFDs([]byte(b.String()), fds...); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return false, err
	}
	return true, nil
}

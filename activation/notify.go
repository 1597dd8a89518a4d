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

// NotifyState is something to tell the service manager, an assignment of
// sd_notify(3) such as "WATCHDOG=1".
type NotifyState string

// What needs no further value.
const (
	// NotifyReady says that the service has started, or has reloaded.
	NotifyReady NotifyState = "READY=1"

	// NotifyStopping says that the service is about to end.
	NotifyStopping NotifyState = "STOPPING=1"

	// NotifyWatchdog says that the service is alive, see Watchdog.
	NotifyWatchdog NotifyState = "WATCHDOG=1"

	// NotifyWatchdogTrigger says that the service has found out that it is not well.
	// The manager does what it would after too long a silence.
	NotifyWatchdogTrigger NotifyState = "WATCHDOG=trigger"
)

// NotifyWatchdogInterval changes the interval in which NotifyWatchdog must be sent. Its
// resolution is a microsecond.
func NotifyWatchdogInterval(d time.Duration) NotifyState { return microseconds("WATCHDOG_USEC=", d) }

// NotifyExtendTimeout asks for more time to start, reload or stop: the manager waits for
// the next message for at least d, counted from this one. The first must come before the
// configured time has passed, and each next before d has.
func NotifyExtendTimeout(d time.Duration) NotifyState { return microseconds("EXTEND_TIMEOUT_USEC=", d) }

// microseconds never says 0 for a duration that is longer, which would mean something
// else.
func microseconds(name string, d time.Duration) NotifyState {
	usec := max(0, (d+time.Microsecond-1)/time.Microsecond)
	return NotifyState(name + strconv.FormatInt(int64(usec), 10))
}

// NotifyErrno says which system error the service fails with.
func NotifyErrno(errno syscall.Errno) NotifyState {
	return NotifyState("ERRNO=" + strconv.Itoa(int(errno)))
}

// NotifyBusError says which D-Bus error the service fails with, such as
// "org.freedesktop.DBus.Error.TimedOut".
func NotifyBusError(name string) NotifyState {
	return NotifyState("BUSERROR=" + strings.ReplaceAll(name, "\n", " "))
}

// NotifyReloading says that the service is taking up a new configuration, from now
// on until it says NotifyReady.
func NotifyReloading() NotifyState {
	return NotifyState("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(sys.MonotonicUsec(), 10))
}

// NotifyMainPID says which process is the main one of the service, for a service that
// is replaced by a new process: this process, or a child that has not been waited for. A
// process ID may be another process's later, so that, on Linux 6.9 and later, the state has
// the number that no other process gets as well, MAINPIDFDID.
func NotifyMainPID(pid int) NotifyState {
	s := "MAINPID=" + strconv.Itoa(pid)
	if id, ok := sys.PIDFDID(pid); ok {
		s += "\nMAINPIDFDID=" + strconv.FormatUint(id, 10)
	}
	return NotifyState(s)
}

// NotifyStatus tells in one line of text how the service is doing.
func NotifyStatus(text string) NotifyState {
	// A line break would begin another assignment.
	return NotifyState("STATUS=" + strings.ReplaceAll(text, "\n", " "))
}

// Notify sends states to the service manager in one message. It reports false, and no
// error, if there is no manager: NOTIFY_SOCKET is not set. The variable stays set, for
// child processes. Notify waits while the manager's queue is full, until ctx ends. See
// sd_notify(3).
//
// The error matches errors.ErrUnsupported if the manager is outside of this virtual
// machine, which an address that begins with "vsock" means.
func Notify(ctx context.Context, states ...NotifyState) (sent bool, err error) {
	if len(states) == 0 {
		return false, nil
	}
	return notify(ctx, states)
}

// NotifyStore asks the service manager to keep copies of descriptors under a name.
// Inherited returns them when the service starts again, even after a crash. The service
// needs FileDescriptorStoreMax=, see systemd.service(5); the manager drops what exceeds
// it without a report. In all else it is as Notify.
//
// The manager watches the descriptors and forgets one that shows a hang-up or an error,
// such as a connection whose peer is gone. NotifyStoreUnpolled prevents that.
func NotifyStore(ctx context.Context, name string, fds ...syscall.Conn) (sent bool, err error) {
	return notifyStore(ctx, name, fds)
}

// NotifyStoreUnpolled is NotifyStore for descriptors that the manager keeps even if
// they show a hang-up or an error, FDPOLL=0.
func NotifyStoreUnpolled(ctx context.Context, name string, fds ...syscall.Conn) (sent bool, err error) {
	return notifyStore(ctx, name, fds, "FDPOLL=0")
}

// NotifyUnstore asks the service manager to forget the descriptors kept under a name.
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

// NotifyBarrier waits until the manager has processed all messages sent before, or
// until ctx ends. Without it, a process that sends a message and exits at once may be
// gone before the manager has found out which service sent it. See
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

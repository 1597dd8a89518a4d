package activation

import (
	"context"
	"os"
	"strconv"
	"time"
)

// The environment variables of sd_watchdog_enabled(3).
const (
	watchdogPID  = "WATCHDOG_PID"
	watchdogUsec = "WATCHDOG_USEC"
)

// WatchdogInterval returns how long the service manager waits for [NotifyWatchdog]
// before it considers the service dead, or 0 if it does not watch this process. See
// sd_watchdog_enabled(3).
//
// The error is an [*InheritError] if the environment variables are malformed.
func WatchdogInterval() (time.Duration, error) {
	v, ok := os.LookupEnv(watchdogUsec)
	if !ok {
		return 0, nil
	}
	usec, err := strconv.ParseUint(v, 10, 63)
	if err != nil || usec == 0 || usec > uint64(1<<63-1)/1000 {
		return 0, &InheritError{watchdogUsec, v, errMalformed}
	}
	if v, ok := os.LookupEnv(watchdogPID); ok {
		pid, err := strconv.ParseUint(v, 10, 31)
		if err != nil || pid == 0 {
			return 0, &InheritError{watchdogPID, v, errMalformed}
		}
		if int(pid) != os.Getpid() {
			return 0, nil
		}
	}
	return time.Duration(usec) * time.Microsecond, nil
}

// Watchdog sends [NotifyWatchdog] to the service manager twice in each watchdog
// interval, for as long as healthy returns nil. A nil healthy means that the service is
// always healthy.
//
// If the manager does not watch this process, Watchdog returns nil at once. If ctx
// ends, it returns the cause. If healthy fails, it tells the manager, which then
// restarts the service, and returns the error.
func Watchdog(ctx context.Context, healthy func() error) error {
	interval, err := WatchdogInterval()
	if err != nil || interval == 0 {
		return err
	}
	tick := time.NewTicker(max(interval/2, time.Microsecond))
	defer tick.Stop()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if healthy != nil {
			if err := healthy(); err != nil {
				_, e := Notify(ctx, NotifyWatchdogTrigger, NotifyStatus(err.Error()))
				if e != nil {
					return e
				}
				return err
			}
		}
		if _, err := Notify(ctx, NotifyWatchdog); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

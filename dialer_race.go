package sockets

import (
	"context"
	"net"
	"reflect"
	"sync"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// dialing is one call of DialContext.
type dialing struct {
	*Dialer
	kind  *kind
	trace connectTrace
}

// failed wraps the error of dialing addr.
func (j *dialing) failed(addr net.Addr, err error) error {
	return openError("dial", j.kind.name, j.LocalAddr, addr, err)
}

// dial dials addrs, those of both families at a time if that is wanted.
func (j *dialing) dial(ctx context.Context, addrs []net.Addr) (net.Conn, error) {
	if j.kind.family == sys.AF_UNSPEC && j.kind.typ == sys.SOCK_STREAM && j.FallbackDelay >= 0 {
		if primaries, fallbacks := partition(addrs); len(fallbacks) > 0 {
			return j.race(ctx, primaries, fallbacks)
		}
	}
	return j.serial(ctx, addrs)
}

// race dials the addresses of one family, and those of the other if that takes
// long or fails. The first connection wins.
func (j *dialing) race(ctx context.Context, primaries, fallbacks []net.Addr) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the loser stops, and closes what it may have

	type result struct {
		conn    net.Conn
		err     error
		primary bool
	}
	results := make(chan result)
	returned := make(chan struct{})
	defer close(returned)
	shared := *j // j itself may be on the stack
	start := func(addrs []net.Addr, primary bool) {
		c, err := shared.serial(ctx, addrs)
		select {
		case results <- result{c, err, primary}:
		case <-returned:
			if c != nil {
				c.Close()
			}
		}
	}

	delay := j.FallbackDelay
	if delay == 0 {
		delay = 300 * time.Millisecond
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()

	go start(primaries, true)
	var primaryErr error
	for running, started := 1, false; ; {
		select {
		case <-timer.C:
			go start(fallbacks, false)
			running, started = running+1, true
		case res := <-results:
			if res.err == nil {
				return res.conn, nil
			}
			running--
			if res.primary {
				primaryErr = res.err
				if !started {
					timer.Reset(0)
				}
			}
			if running == 0 && started {
				return nil, primaryErr
			}
		}
	}
}

// serial dials one address after the other and returns the first connection, or
// the first error.
func (j *dialing) serial(ctx context.Context, addrs []net.Addr) (net.Conn, error) {
	var first error
	for i, addr := range addrs {
		if err := ctx.Err(); err != nil {
			return nil, j.failed(addr, mapErr(err))
		}
		attempt := ctx
		if deadline, ok := ctx.Deadline(); ok {
			share, err := shareOfTime(time.Now(), deadline, len(addrs)-i)
			if err != nil {
				if first == nil {
					first = j.failed(addr, err)
				}
				break
			}
			if share.Before(deadline) {
				var cancel context.CancelFunc
				attempt, cancel = context.WithDeadline(ctx, share)
				defer cancel()
			}
		}
		c, err := j.traced(attempt, addr)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// traced dials addr and tells the trace.
func (j *dialing) traced(ctx context.Context, addr net.Addr) (net.Conn, error) {
	if j.trace.start != nil {
		j.trace.start(j.kind.name, addr.String())
	}
	c, err := j.one(ctx, addr)
	if j.trace.done != nil {
		j.trace.done(j.kind.name, addr.String(), err)
	}
	return c, err
}

// shareOfTime returns the deadline of the first of several attempts: an equal
// share, but 2 seconds if there is that much. A zero deadline is none.
func shareOfTime(now, deadline time.Time, several int) (time.Time, error) {
	if deadline.IsZero() {
		return deadline, nil
	}
	left := deadline.Sub(now)
	if left <= 0 {
		return time.Time{}, errTimeout()
	}
	share := max(left/time.Duration(several), min(left, 2*time.Second))
	return now.Add(share), nil
}

// one dials addr. A LocalAddr of another type has been refused when addr was
// resolved, but for types of the caller's own that bear the name of a network.
func (j *dialing) one(ctx context.Context, addr net.Addr) (net.Conn, error) {
	local := j.LocalAddr
	if reflect.TypeOf(local) != reflect.TypeOf(addr) {
		local = nil
	}
	fd, err := j.open(ctx, j.kind, local, addr)
	if err != nil {
		return nil, j.failed(addr, err)
	}
	return newConn(fd), nil
}

// A connectTrace is what a trace of net/http/httptrace wants to know of connections.
// Either hook may be nil.
//
// That package is not imported, since it links crypto/tls into every program. It leaves
// its hooks for package net in the context as well, and there they are found: under the
// key that net itself asks a context for.
type connectTrace struct {
	start func(network, addr string)
	done  func(network, addr string, err error)
}

// traceIn returns the trace in ctx.
func traceIn(ctx context.Context) (t connectTrace) {
	if hooks := hooksIn(ctx, traceKey()); hooks.IsValid() {
		t.start, _ = hook(hooks, "ConnectStart").(func(network, addr string))
		t.done, _ = hook(hooks, "ConnectDone").(func(network, addr string, err error))
	}
	return t
}

// hook returns the hook of that name, or nil.
func hook(hooks reflect.Value, name string) any {
	if f := hooks.FieldByName(name); f.IsValid() {
		return f.Interface()
	}
	return nil
}

// hooksIn returns the structure of hooks for package net that ctx has under key, or the
// zero Value: a context may have something else for keys that it does not know, which
// package net ignores, and a release of net may have no such key.
func hooksIn(ctx context.Context, key any) reflect.Value {
	if key == nil {
		return reflect.Value{}
	}
	hooks := reflect.Indirect(reflect.ValueOf(ctx.Value(key)))
	if hooks.Kind() != reflect.Struct || hooks.Type().PkgPath() != reflect.TypeOf(key).PkgPath() {
		return reflect.Value{}
	}
	return hooks
}

// traceKey returns the key of the hooks for package net, nil if there is none. A Dialer
// asks for them before it finds that there is nothing to dial.
var traceKey = sync.OnceValue(func() any {
	asked := keySeeker{Context: context.Background()}
	_, _ = new(net.Dialer).DialContext(&asked, "", "") // which asks and fails
	return asked.key
})

// keySeeker is a context that remembers the key of the hooks for package net.
type keySeeker struct {
	context.Context
	key any
}

func (ctx *keySeeker) Value(key any) any {
	if t := reflect.TypeOf(key); t != nil && t.PkgPath() == "internal/nettrace" && t.Name() == "TraceKey" {
		ctx.key = key
	}
	return nil
}

// dnsOnly returns a context for lookups: its trace reports DNS events, and not the
// connections to name servers.
func dnsOnly(ctx context.Context) context.Context {
	given := hooksIn(ctx, traceKey())
	if !given.IsValid() {
		return ctx
	}
	hooks := reflect.New(given.Type())
	hooks.Elem().Set(given)
	for _, name := range []string{"ConnectStart", "ConnectDone"} {
		if f := hooks.Elem().FieldByName(name); f.IsValid() {
			f.SetZero()
		}
	}
	return context.WithValue(ctx, traceKey(), hooks.Interface())
}

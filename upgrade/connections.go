package upgrade

import (
	"context"
	"crypto/tls"
	"iter"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// connections are those that a Server serves.
type connections struct {
	mu      sync.Mutex
	m       map[net.Conn]connection
	changed chan struct{} // for Drain, which alone waits for it

	handlers atomic.Int64 // calls of an HTTP handler
	hijacked atomic.Int64 // connections in m, until their handlers return
}

type connection struct {
	state http.ConnState
	since time.Time // of the state
	h2    bool      // ends by GOAWAY, which http.Server sends
}

func (cs *connections) init() {
	cs.m, cs.changed = make(map[net.Conn]connection), make(chan struct{}, 1)
}

// set records what c does.
func (cs *connections) set(c net.Conn, st http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch st {
	case http.StateClosed:
		delete(cs.m, c)
	case http.StateHijacked:
		cs.hijacked.Add(1)
		cs.m[c] = connection{state: st}
	default:
		cs.m[c] = connection{st, time.Now(), cs.m[c].h2 || isHTTP2(c)}
	}
	cs.signal()
}

// handled records that a handler of c has returned.
func (cs *connections) handled(c net.Conn) {
	if cs.hijacked.Load() > 0 {
		cs.mu.Lock()
		if cs.m[c].state == http.StateHijacked {
			cs.hijacked.Add(-1)
			delete(cs.m, c)
		}
		cs.mu.Unlock()
	}
	if cs.handlers.Add(-1) == 0 {
		cs.signal()
	}
}

// awaitHandlers waits until no handler is under way, or ctx ends.
func (cs *connections) awaitHandlers(ctx context.Context) {
	for cs.handlers.Load() > 0 {
		select {
		case <-cs.changed:
		case <-ctx.Done():
			return
		}
	}
}

// setHTTP2 records that c, if it is known, speaks HTTP/2.
func (cs *connections) setHTTP2(c net.Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if conn, ok := cs.m[c]; ok && !conn.h2 {
		conn.h2 = true
		cs.m[c] = conn
		cs.signal()
	}
}

func (cs *connections) signal() {
	select {
	case cs.changed <- struct{}{}:
	default:
	}
}

// isHTTP2 reports whether c has agreed to speak HTTP/2.
func isHTTP2(c net.Conn) bool {
	t, ok := c.(interface{ ConnectionState() tls.ConnectionState })
	return ok && t.ConnectionState().NegotiatedProtocol == "h2"
}

// drain waits until there is no connection but those of HTTP/2 and hijacked ones, and closes those that
// have been idle for idleTime since it was called. It returns early when ctx ends.
func (cs *connections) drain(ctx context.Context, idleTime time.Duration) {
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, left := cs.closeIdle(began, idleTime)
		if left == 0 {
			return
		}
		timer.Reset(next)
		select {
		case <-cs.changed:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// forever is longer than any drain.
const forever = 1000 * time.Hour

// closeIdle closes connections that have been idle for long enough, and returns when to
// look again, and how many there are.
func (cs *connections) closeIdle(began time.Time, idleTime time.Duration) (next time.Duration, left int) {
	next = forever
	var old []net.Conn
	cs.mu.Lock()
	for c, conn := range cs.m {
		if conn.h2 || conn.state == http.StateHijacked {
			continue
		}
		left++
		// A new connection that sends nothing is idle as well.
		if conn.state == http.StateActive {
			continue
		}
		since := conn.since
		if since.Before(began) {
			since = began
		}
		if wait := idleTime - time.Since(since); wait > 0 {
			next = min(next, wait)
		} else {
			old = append(old, c)
			left--
			delete(cs.m, c)
		}
	}
	cs.mu.Unlock()
	closeAll(slices.Values(old))
	return next, left
}

// cut counts the connections that there are, and closes them.
func (cs *connections) cut() *CutError {
	cs.mu.Lock()
	conns := cs.m
	cs.m = make(map[net.Conn]connection)
	cs.signal()
	cs.mu.Unlock()
	e := new(CutError)
	for _, conn := range conns {
		switch conn.state {
		case http.StateActive:
			e.Active++
		case http.StateHijacked:
			e.Hijacked++
		default:
			e.Idle++
		}
	}
	closeAll(maps.Keys(conns))
	return e
}

// closeAll closes connections at the same time: with TLS each may take seconds, if the
// client does not read.
func closeAll(conns iter.Seq[net.Conn]) {
	var wg sync.WaitGroup
	for c := range conns {
		wg.Go(func() { c.Close() })
	}
	wg.Wait()
}

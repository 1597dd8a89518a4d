package upgrade

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections are those that a Server serves.
type connections struct {
	mu      sync.Mutex
	m       map[net.Conn]connection
	changed chan struct{}
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
	if st == http.StateClosed || st == http.StateHijacked {
		delete(cs.m, c)
	} else {
		cs.m[c] = connection{st, time.Now(), cs.m[c].h2 || isHTTP2(c)}
	}
	cs.signal()
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

// drain waits until there is no connection but those of HTTP/2, and closes those that
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
		if conn.h2 {
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
	for _, c := range old {
		c.Close()
	}
	return next, left
}

// cut counts the connections that there are, and closes them.
func (cs *connections) cut() (active, idle int) {
	cs.mu.Lock()
	conns := cs.m
	cs.m = make(map[net.Conn]connection)
	cs.mu.Unlock()
	for c, conn := range conns {
		if conn.state == http.StateActive {
			active++
		} else {
			idle++
		}
		c.Close()
	}
	return active, idle
}

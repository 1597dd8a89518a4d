package upgrade

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iolib-go/sockets"
)

// DefaultIdleTime is how long a client with an idle connection has to send its next
// request, whose response tells it that the connection ends.
const DefaultIdleTime = 2 * time.Second

// Server serves connections and can end without losing any. Set either HTTP or Handler,
// and change no field once Serve has been called.
type Server struct {
	// HTTP serves the connections. Serve wraps its Handler, ConnState and ConnContext.
	HTTP *http.Server

	// Handler serves and closes one connection, for protocols other than HTTP. ctx ends
	// when the server drains: finish the work in progress then.
	Handler func(ctx context.Context, c net.Conn)

	// IdleTime is how long Drain keeps a connection that waits for its next request. Zero
	// means DefaultIdleTime; a negative value closes it at once. A request that a client
	// sends just as its connection is closed is lost unless the client repeats it; the
	// longer IdleTime is, the fewer such requests there are.
	IdleTime time.Duration

	// OnDrain, if not nil, is called with Drain's context when Drain begins, and Drain
	// waits for it to return. Use it to end connections that handlers have hijacked, such
	// as websockets, or let their handlers select on Draining. Drain waits until those
	// handlers return, and when ctx ends it closes the connections of those that have not.
	OnDrain func(ctx context.Context)

	once      sync.Once
	wrapOnce  sync.Once
	base      context.Context // of Handler; ends when draining begins
	stop      context.CancelFunc
	mu        sync.Mutex
	listeners map[*acceptor]bool
	serving   sync.WaitGroup // calls of Serve
	conns     connections
	draining  atomic.Bool
	drained   chan struct{} // closed when the first Drain returns
	result    error         // of the first Drain
	forced    atomic.Pointer[CutError]
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

func (s *Server) init() {
	s.once.Do(func() {
		s.base, s.stop = context.WithCancel(context.Background())
		s.listeners = make(map[*acceptor]bool)
		s.drained = make(chan struct{})
		s.conns.init()
	})
}

// wrap puts what Drain needs around the fields of HTTP.
func (s *Server) wrap() {
	s.wrapOnce.Do(func() {
		if s.HTTP == nil {
			return
		}
		handler := s.HTTP.Handler
		if handler == nil {
			handler = http.DefaultServeMux
		}
		s.HTTP.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, _ := r.Context().Value(connKey{}).(net.Conn)
			s.conns.handlers.Add(1)
			defer s.conns.handled(c)
			if r.ProtoMajor == 2 {
				s.conns.setHTTP2(c)
			}
			if s.draining.Load() {
				// HTTP/2 sends GOAWAY for it.
				w.Header().Set("Connection", "close")
			}
			handler.ServeHTTP(w, r)
		})
		connContext := s.HTTP.ConnContext
		s.HTTP.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			if connContext != nil {
				ctx = connContext(ctx, c)
			}
			return context.WithValue(ctx, connKey{}, c)
		}
		hook := s.HTTP.ConnState
		s.HTTP.ConnState = func(c net.Conn, st http.ConnState) {
			s.conns.set(c, st)
			if hook != nil {
				hook(c, st)
			}
		}
	})
}

// Draining returns a channel that is closed when Drain begins. Long polls and streams
// can select on it.
func (s *Server) Draining() <-chan struct{} {
	s.init()
	return s.base.Done()
}

// Serve accepts connections from l and serves them. It returns nil after Drain, and
// otherwise the error of Accept. It closes l.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, s.serveHTTP) }

// ServeTLS is like [Server.Serve], for HTTPS. See [http.Server.ServeTLS].
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	return s.serve(l, func(l net.Listener) error { return s.HTTP.ServeTLS(l, certFile, keyFile) })
}

func (s *Server) serveHTTP(l net.Listener) error {
	if s.HTTP != nil {
		return s.HTTP.Serve(l)
	}
	return s.accept(l)
}

func (s *Server) serve(l net.Listener, serve func(net.Listener) error) error {
	s.init()
	s.wrap()
	defer l.Close()
	if s.HTTP == nil && s.Handler == nil {
		return &sockets.ArgumentError{Arg: "server", Value: s, Why: "needs HTTP or Handler"}
	}
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		return nil
	}
	a := &acceptor{Listener: l}
	s.listeners[a] = true
	s.serving.Add(1)
	s.mu.Unlock()
	defer s.serving.Done()
	err := serve(a)
	if s.draining.Load() {
		return nil
	}
	return err
}

// maxAcceptDelay is how long accept waits at most after an error that may pass, such as
// a lack of descriptors.
const maxAcceptDelay = time.Second

func (s *Server) accept(l net.Listener) error {
	delay := 5 * time.Millisecond
	for {
		c, err := l.Accept()
		if err == nil {
			delay = 5 * time.Millisecond
			s.conns.set(c, http.StateActive)
			go func() {
				defer s.conns.set(c, http.StateClosed)
				s.Handler(s.base, c)
			}()
			continue
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			return err
		}
		select {
		case <-time.After(delay):
		case <-s.base.Done():
			return err
		}
		delay = min(2*delay, maxAcceptDelay)
	}
}

// CutError reports connections that Drain closed before they were finished.
type CutError struct {
	Active   int   // with a request in progress, or in Handler
	Idle     int   // between requests, for less than IdleTime
	Hijacked int   // by an HTTP handler that has not returned yet
	Err      error // the cause of Drain's context
}

func (e *CutError) Error() string {
	return fmt.Sprintf("sockets: %d active, %d idle and %d hijacked connections closed: %v", e.Active, e.Idle, e.Hijacked, e.Err)
}

// Unwrap returns Err.
func (e *CutError) Unwrap() error { return e.Err }

// Drain ends the server. It stops accepting and lets requests in progress finish. If an
// idle client sends another request, the response has Connection: close or, for HTTP/2,
// is followed by GOAWAY. Connections that have been idle for IdleTime are closed. Drain
// returns when no connections are left. If ctx ends first, it closes the rest and
// returns a [*CutError] that counts them.
//
// Connections in the queue of a listener are left to the successor if it has a copy of
// the listener. If it does not, closing the listener would reset them, so Drain first
// accepts and serves them. This requires listeners that can report whether a connection
// is pending, such as those of package sockets.
//
// A second call waits for the first and returns the same result. If its ctx ends
// earlier, the remaining connections are closed at that time.
func (s *Server) Drain(ctx context.Context) error {
	s.init()
	s.mu.Lock()
	second := s.draining.Swap(true)
	s.mu.Unlock()
	if !second {
		defer close(s.drained)
		s.result = s.drain(ctx)
		return s.result
	}
	select {
	case <-s.drained:
		return s.result
	case <-ctx.Done():
		return s.cut(ctx)
	}
}

func (s *Server) drain(ctx context.Context) error {
	s.stop()
	hooked := make(chan struct{})
	go func() {
		defer close(hooked)
		if s.OnDrain != nil {
			s.OnDrain(ctx)
		}
	}()
	idleTime := s.idleTime()
	limit := max(idleTime, time.Millisecond)
	if ctx.Err() != nil {
		limit = 0 // what it accepted now would be closed; a successor may have it
	}
	for l := range s.listeners {
		l.stop(limit)
	}
	s.serving.Wait()
	// The rest is HTTP/2, unless a request of HTTP/1 lasts until the end of ctx: GOAWAY, which
	// Shutdown alone sends, is to reach the clients before that.
	before, cancel := endEarlier(ctx, idleTime)
	s.conns.drain(before, idleTime)
	cancel()
	if s.HTTP != nil && ctx.Err() == nil {
		s.HTTP.Shutdown(ctx)
	}
	// The last connection may have been hijacked long after OnDrain was called.
	select {
	case <-hooked:
		s.conns.awaitHandlers(ctx)
	case <-ctx.Done():
	}
	if e := s.forced.Load(); e != nil {
		return e // a second call has closed them
	}
	if ctx.Err() == nil {
		return nil
	}
	return s.cut(ctx)
}

// endEarlier returns a context that ends before the deadline of ctx, by d or by half of the
// time that is left.
func endEarlier(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(max(d, 0), time.Until(deadline)/2)))
}

// cut closes all connections, and counts them.
func (s *Server) cut(ctx context.Context) error {
	e := s.conns.cut()
	e.Err = context.Cause(ctx)
	s.forced.CompareAndSwap(nil, e)
	if s.HTTP != nil {
		s.HTTP.Close()
	}
	return e
}

func (s *Server) idleTime() time.Duration {
	if s.IdleTime == 0 {
		return DefaultIdleTime
	}
	return s.IdleTime
}

package upgrade

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/iolib-go/sockets"
)

// acceptor is a listener that can stop without resetting the connections that wait in
// the kernel's queue.
type acceptor struct {
	net.Listener
	stopped atomic.Bool
	limit   atomic.Int64 // when to stop even if more come, in Unix nanoseconds
}

// noWaiter is a listener of package sockets.
type noWaiter interface {
	AcceptWith(config sockets.AcceptConfig) (net.Conn, error)
}

// stop makes Accept return what waits already and then net.ErrClosed. Another process
// that holds the listener may accept what waits as well; limit bounds how long this one
// goes on.
func (a *acceptor) stop(limit time.Duration) {
	a.limit.Store(time.Now().Add(limit).UnixNano())
	a.stopped.Store(true)
	l, ok := a.Listener.(interface{ SetDeadline(t time.Time) error })
	if !ok || l.SetDeadline(time.Unix(1, 0)) != nil {
		a.Listener.Close()
	}
}

// Accept returns the next connection.
func (a *acceptor) Accept() (net.Conn, error) {
	if !a.stopped.Load() {
		c, err := a.Listener.Accept()
		if err == nil || !a.stopped.Load() {
			return c, err
		}
	}
	if l, ok := a.Listener.(noWaiter); ok && time.Now().UnixNano() < a.limit.Load() {
		if c, err := l.AcceptWith(sockets.AcceptConfig{NoWait: true}); err == nil {
			return c, nil
		}
	}
	a.Listener.Close()
	return nil, net.ErrClosed
}

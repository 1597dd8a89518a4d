package sockets

import (
	"net"
	"os"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// AcceptConfig says how AcceptWith accepts one connection. The zero value makes it
// Accept.
type AcceptConfig struct {
	// Timeout is how long to wait, besides the listener's deadline. Zero means
	// for ever; a negative one fails at once, with os.ErrDeadlineExceeded.
	Timeout time.Duration

	// NoWait fails with ErrWouldBlock if no connection is there, whatever Timeout
	// and deadlines say.
	NoWait bool

	// Format, InputBufferSize and OutputBufferSize are those of ListenConfig, for
	// this connection. If all are zero the listener's count.
	Format                            ExternalFormat
	InputBufferSize, OutputBufferSize int
}

func (l *listener) acceptConn(config AcceptConfig) (net.Conn, error) {
	format := wireFormat{config.Format, config.InputBufferSize, config.OutputBufferSize}
	if format == (wireFormat{}) {
		format = l.format
	}
	if err := format.check(l.fd.Type); err != nil {
		return nil, opErrorLocal(l.fd, "accept", err)
	}
	fd, err := l.acceptWith(config)
	if err != nil {
		return nil, err
	}
	return format.wrap(newConn(fd)), nil
}

func (l *listener) acceptWith(config AcceptConfig) (*netfd.FD, error) {
	var peer sys.Sockaddr
	if config.NoWait {
		s, err := l.fd.AcceptNow(&peer)
		return l.accepted(&peer, s, err)
	}
	if config.Timeout == 0 {
		return l.accept()
	}
	limit := time.Now().Add(config.Timeout)
	timer := time.NewTimer(config.Timeout)
	defer timer.Stop()
	select {
	case l.turn <- struct{}{}:
	case <-timer.C:
		err := l.fd.Control(func(uintptr) {}) // whether the listener is closed
		if err == nil {
			err = os.ErrDeadlineExceeded
		}
		return l.accepted(&peer, -1, err)
	}
	l.setLimit(limit)
	s, err := l.fd.Accept(&peer)
	l.setLimit(time.Time{})
	<-l.turn
	return l.accepted(&peer, s, err)
}

func (l *listener) setDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = t
	return l.fd.SetDeadline(earlier(l.deadline, l.limit))
}

// setLimit restricts the call whose turn it is. A failure means that the listener
// is closed, as that call finds out.
func (l *listener) setLimit(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = t
	l.fd.SetDeadline(earlier(l.deadline, l.limit))
}

// earlier returns the earlier of two deadlines, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

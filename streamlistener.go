package sockets

import (
	"net"
	"os"
	"syscall"
	"time"
)

// StreamListener accepts connections of families that package net does not know,
// such as vsock.
type StreamListener struct {
	l *listener
}

var _ net.Listener = (*StreamListener)(nil)

func (l *StreamListener) ok() bool { return l != nil && l.l != nil }

// Accept waits for a connection, which is a *StreamConn, or a *TextConn over one.
func (l *StreamListener) Accept() (net.Conn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	fd, err := l.l.accept()
	if err != nil {
		return nil, err
	}
	return l.l.format.wrap(&StreamConn{conn{fd}}), nil
}

// AcceptWith is Accept as config says.
func (l *StreamListener) AcceptWith(config AcceptConfig) (net.Conn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.acceptConn(config)
}

// Close stops listening.
func (l *StreamListener) Close() error {
	if !l.ok() {
		return syscall.EINVAL
	}
	return l.l.close()
}

// Addr returns the address listened to, also after Close.
func (l *StreamListener) Addr() net.Addr { return l.l.fd.Local() }

// SetDeadline makes Accept fail with os.ErrDeadlineExceeded once t has passed. A
// zero t means to wait for ever.
func (l *StreamListener) SetDeadline(t time.Time) error {
	if !l.ok() {
		return syscall.EINVAL
	}
	return l.l.setDeadline(t)
}

// File returns a file with a copy of the descriptor; the caller closes both.
func (l *StreamListener) File() (*os.File, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.file()
}

// SyscallConn returns access to the descriptor. Its Read and Write return
// syscall.EINVAL.
func (l *StreamListener) SyscallConn() (syscall.RawConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.syscallConn(), nil
}

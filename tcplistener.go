package sockets

import (
	"net"
	"os"
	"syscall"
	"time"
)

// TCPListener accepts TCP connections. It has the methods of net.TCPListener.
type TCPListener struct {
	l *listener
}

var _ net.Listener = (*TCPListener)(nil)

func (l *TCPListener) ok() bool { return l != nil && l.l != nil }

// AcceptTCP waits for a connection, and returns it without an external format.
func (l *TCPListener) AcceptTCP() (*TCPConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	fd, err := l.l.accept()
	if err != nil {
		return nil, err
	}
	return &TCPConn{conn{fd}}, nil
}

// Accept waits for a connection, which is a *TCPConn, or a *TextConn over one.
func (l *TCPListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return l.l.format.wrap(c), nil
}

// AcceptWith is Accept as config says.
func (l *TCPListener) AcceptWith(config AcceptConfig) (net.Conn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.acceptConn(config)
}

// Close stops listening. Accepted connections stay open; those that wait to be
// accepted are reset, unless a copy of the descriptor is still open.
func (l *TCPListener) Close() error {
	if !l.ok() {
		return syscall.EINVAL
	}
	return l.l.close()
}

// Addr returns the address listened to, also after Close. The same value is
// returned every time; do not modify it.
func (l *TCPListener) Addr() net.Addr { return l.l.fd.Local() }

// SetDeadline makes Accept fail with os.ErrDeadlineExceeded once t has passed. A
// zero t means to wait for ever.
func (l *TCPListener) SetDeadline(t time.Time) error {
	if !l.ok() {
		return syscall.EINVAL
	}
	return l.l.setDeadline(t)
}

// File returns a file with a copy of the descriptor; the caller closes both. The
// port stays open until both are closed.
func (l *TCPListener) File() (*os.File, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.file()
}

// SyscallConn returns access to the descriptor. Its Read and Write return
// syscall.EINVAL.
func (l *TCPListener) SyscallConn() (syscall.RawConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.syscallConn(), nil
}

package sockets

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// UnixListener accepts connections in the unix domain. It has the methods of
// net.UnixListener.
type UnixListener struct {
	l          *listener
	path       string // to unlink
	unlink     bool
	unlinkOnce sync.Once
}

var _ net.Listener = (*UnixListener)(nil)

func newUnixListener(l *listener, unlink bool) *UnixListener {
	u := &UnixListener{l: l, unlink: unlink}
	if addr, ok := l.fd.Local().(*net.UnixAddr); ok && !sys.IsAbstract(addr.Name) {
		u.path = addr.Name
	}
	return u
}

func (l *UnixListener) ok() bool { return l != nil && l.l != nil }

// AcceptUnix waits for a connection, and returns it without an external format.
func (l *UnixListener) AcceptUnix() (*UnixConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	fd, err := l.l.accept()
	if err != nil {
		return nil, err
	}
	return &UnixConn{conn{fd}}, nil
}

// Accept waits for a connection, which is a *UnixConn, or a *TextConn over one.
func (l *UnixListener) Accept() (net.Conn, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return l.l.format.wrap(c), nil
}

// AcceptWith is Accept as config says.
func (l *UnixListener) AcceptWith(config AcceptConfig) (net.Conn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.acceptConn(config)
}

// Close stops listening, and removes the socket's file, see SetUnlinkOnClose.
func (l *UnixListener) Close() error {
	if !l.ok() {
		return syscall.EINVAL
	}
	l.unlinkOnce.Do(func() {
		if l.path != "" && l.unlink {
			sys.Unlink(l.path)
		}
	})
	return l.l.close()
}

// SetUnlinkOnClose says whether the first Close removes the socket's file. It does
// by default if the listener made the file, and not if it came from a descriptor.
func (l *UnixListener) SetUnlinkOnClose(unlink bool) { l.unlink = unlink }

// Addr returns the address listened to, also after Close. The same value is
// returned every time; do not modify it.
func (l *UnixListener) Addr() net.Addr { return l.l.fd.Local() }

// SetDeadline makes Accept fail with os.ErrDeadlineExceeded once t has passed. A
// zero t means to wait for ever.
func (l *UnixListener) SetDeadline(t time.Time) error {
	if !l.ok() {
		return syscall.EINVAL
	}
	return l.l.setDeadline(t)
}

// File returns a file with a copy of the descriptor; the caller closes both.
func (l *UnixListener) File() (*os.File, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.file()
}

// SyscallConn returns access to the descriptor. Its Read and Write return
// syscall.EINVAL.
func (l *UnixListener) SyscallConn() (syscall.RawConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return l.l.syscallConn(), nil
}

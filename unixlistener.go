package sockets

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// UnixListener accepts connections in the unix domain. It has the methods of
// net.UnixListener.
type UnixListener struct {
	l    *listener
	made socketFile // by bind; none if the listener came from a descriptor

	mu     sync.Mutex  // guards what follows
	file   *socketFile // to remove; nil, or none, if it is not ours
	left   *int        // how many processes it was left to, since SetUnlinkOnClose
	closed bool
}

var _ net.Listener = (*UnixListener)(nil)

func (l *UnixListener) core() *listener {
	if l == nil {
		return nil
	}
	return l.l
}

// AcceptUnix waits for a connection, and returns it without an external format.
func (l *UnixListener) AcceptUnix() (*UnixConn, error) {
	fd, err := l.core().accept()
	if err != nil {
		return nil, err
	}
	return newConn(fd).(*UnixConn), nil
}

// Accept waits for a connection, which is a *UnixConn, or a *TextConn over one.
func (l *UnixListener) Accept() (net.Conn, error) { return l.core().acceptConn() }

// AcceptWith is Accept as config says.
func (l *UnixListener) AcceptWith(config AcceptConfig) (net.Conn, error) {
	return l.core().acceptConnWith(config)
}

// Close stops listening, and removes the socket's file, see SetUnlinkOnClose. It never
// removes another file, which may have the path by now: the socket of a successor, or
// any file in a directory that became the working directory since.
func (l *UnixListener) Close() error {
	if l.core() == nil {
		return syscall.EINVAL
	}
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		l.unlink()
	}
	l.mu.Unlock()
	return l.core().close()
}

// unlink removes the file unless it was left to another process. It does so once: later,
// another file may have got its inode number.
func (l *UnixListener) unlink() {
	if l.left == nil || *l.left == 0 {
		l.file.remove()
		l.file = nil
	}
}

// SetUnlinkOnClose says whether the first Close removes the socket's file. It does
// by default if the listener made the file, until LeavePath, and not if it came from a
// descriptor. With true, a listener that came from a descriptor takes the file that is
// at its path now, if that is a socket; a relative path counts from the working
// directory of now.
//
// It is safe for concurrent use, also with Close.
func (l *UnixListener) SetUnlinkOnClose(unlink bool) {
	file := &l.made
	switch {
	case !unlink:
		file = nil
	case l.made.path == "" && l.l != nil:
		found := socketFileAt(l.Addr())
		file = &found
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.file, l.left = file, nil
	}
}

// LeavePath leaves the socket's file to another process, which was given a copy of the
// descriptor: Close does not remove the file. If that process could not be started,
// takeBack undoes the call, and removes the file if the listener was closed meanwhile;
// call it while the copy is open, if at all. It has no effect after SetUnlinkOnClose,
// which counts for all processes.
//
// The other process can take the file over by SetUnlinkOnClose. activation.PassTo calls
// LeavePath by itself.
func (l *UnixListener) LeavePath() (takeBack func()) {
	if l == nil {
		return func() {} // it has no path
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == nil {
		l.left = new(int)
	}
	left := l.left
	*left++
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		*left--
		if l.closed && left == l.left {
			l.unlink()
		}
	})
}

// Addr returns the address listened to, also after Close. The same value is
// returned every time; do not modify it.
func (l *UnixListener) Addr() net.Addr { return l.l.fd.Local() }

// SetDeadline makes Accept fail with os.ErrDeadlineExceeded once t has passed. A
// zero t means to wait for ever.
func (l *UnixListener) SetDeadline(t time.Time) error { return l.core().setDeadline(t) }

// File returns a file with a copy of the descriptor; the caller closes both.
func (l *UnixListener) File() (*os.File, error) { return l.core().file() }

// SyscallConn returns access to the descriptor. Its Read and Write return
// syscall.EINVAL.
func (l *UnixListener) SyscallConn() (syscall.RawConn, error) { return l.core().syscallConn() }

package sockets

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// UnixListener accepts connections in the unix domain. It has the methods of
// [net.UnixListener] and more.
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

// AcceptUnix waits for a connection and returns it without an external format.
func (l *UnixListener) AcceptUnix() (*UnixConn, error) {
	fd, err := l.core().accept()
	if err != nil {
		return nil, err
	}
	return newConn(fd).(*UnixConn), nil
}

// Accept waits for a connection and returns it: a [*UnixConn], or a [*TextConn] over one if
// the listener has a format.
func (l *UnixListener) Accept() (net.Conn, error) { return l.core().acceptConn() }

// AcceptWith is like Accept, with the options in config.
func (l *UnixListener) AcceptWith(config AcceptConfig) (net.Conn, error) {
	return l.core().acceptConnWith(config)
}

// Close stops listening and removes the socket's file, unless
// [UnixListener.SetUnlinkOnClose] or [UnixListener.LeavePath] prevents that. It never
// removes another file that is at the path by now, such as the socket of a successor, or
// a file in a different working directory.
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

// SetUnlinkOnClose sets whether the first Close removes the socket's file. By default it
// does if the listener made the file and [UnixListener.LeavePath] was not called; it
// does not if the listener came from a descriptor.
//
// With true, a listener that came from a descriptor adopts the file that is now at its
// path, if that is a socket. A relative path is resolved in the current working
// directory.
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

// LeavePath leaves the socket's file to another process that was given a copy of the
// descriptor: Close does not remove the file any more. The other process can take the
// file over with [UnixListener.SetUnlinkOnClose].
//
// If the process could not be started, takeBack undoes LeavePath, and removes the file
// if the listener has been closed in the meantime. Call it while the copy is still
// open, or not at all.
//
// LeavePath has no effect after SetUnlinkOnClose, which applies whatever other
// processes there are. Package activation's PassTo calls LeavePath by itself.
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

// Addr returns the listener's address. It also works after Close. All calls return the
// same value; do not modify it.
func (l *UnixListener) Addr() net.Addr { return l.l.fd.Local() }

// SetDeadline sets the time after which Accept fails with [os.ErrDeadlineExceeded]. A
// zero t means no deadline.
func (l *UnixListener) SetDeadline(t time.Time) error { return l.core().setDeadline(t) }

// File returns a file that uses a copy of the descriptor. The caller must close both.
func (l *UnixListener) File() (*os.File, error) { return l.core().file() }

// SyscallConn returns access to the descriptor. Its Read and Write methods return
// [syscall.EINVAL].
func (l *UnixListener) SyscallConn() (syscall.RawConn, error) { return l.core().syscallConn() }

// Package netfd owns a socket's descriptor: who closes it, how it waits, and what
// its errors are called.
//
// An FD starts bare: one goroutine owns it and prepares it (options, bind, listen,
// connect). Init hands the descriptor to an os.File, which registers it with the
// runtime's poller; from then on every method is safe for concurrent use, and
// Close wakes all calls that wait.
//
// Errors are *os.SyscallError around a syscall.Errno, net.ErrClosed,
// os.ErrDeadlineExceeded or io.EOF, ready to be put into a *net.OpError.
package netfd

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// FD is a socket's descriptor.
type FD struct {
	file  *os.File // nil while bare
	addrs atomic.Pointer[Addrs]
	more  atomic.Pointer[more] // nil until needed: most connections never do
	*Kind
	first Addrs // memory for addrs, see SetAddrs

	sysfd int32 // while bare, otherwise -1

	// parked counts writers that wait for room.
	parked atomic.Int32
}

// more is what an FD has besides reading and writing.
type more struct {
	// unread is what was taken from the socket and could not be delivered.
	unread  atomic.Pointer[kept]
	keeping sync.Mutex // guards changes of unread, and all of what is in it

	offload             atomic.Pointer[offload] // nil unless turned on
	refusals            refusals                // of joined datagrams
	corked              atomic.Bool             // see cork
	heldRead, heldWrite atomic.Uintptr          // see hold

	turns        turnLock
	peer         sync.Mutex   // see LockPeer
	zone, device atomic.Int32 // the interface to which a peer has bound it, and the one before
	connecting   atomic.Bool  // see notYet
}

// need returns fd.more, and makes it the first time.
func (fd *FD) need() *more {
	if m := fd.more.Load(); m != nil {
		return m
	}
	m := new(more)
	if !fd.more.CompareAndSwap(nil, m) {
		return fd.more.Load()
	}
	return m
}

// offloads returns the state of segmentation offload, nil unless it is on.
func (fd *FD) offloads() *offload {
	if m := fd.more.Load(); m != nil {
		return m.offload.Load()
	}
	return nil
}

// takeWriteError returns, once, what the kernel had to say when a batch had been sent
// in part. The next call that sends reports it, as it does with the kernel's own
// pending error.
func (fd *FD) takeWriteError() syscall.Errno {
	if m := fd.more.Load(); m != nil {
		return take(&m.heldWrite)
	}
	return 0
}

// takeReadError is takeWriteError for a batch that was received in part.
func (fd *FD) takeReadError() syscall.Errno {
	if m := fd.more.Load(); m != nil {
		return take(&m.heldRead)
	}
	return 0
}

// forgetErrors drops what was held back, and what the path to the peer refused: the peer
// is no more.
func (fd *FD) forgetErrors() {
	if m := fd.more.Load(); m != nil {
		m.heldRead.Store(0)
		m.heldWrite.Store(0)
		m.refusals.forget(peer{})
	}
}

// New returns a bare FD that owns sysfd, which must be non-blocking, and closes it if
// that fails. It moves a descriptor below 3 out of the way, because os.File raises
// SIGPIPE for 1 and 2.
func New(sysfd int, k Kind) (*FD, error) {
	if sysfd <= 2 {
		up, errno := sys.Dup(uintptr(sysfd))
		sys.Close(sysfd)
		if errno != 0 {
			return nil, os.NewSyscallError("fcntl", errno)
		}
		sysfd = up
	}
	fd := &FD{sysfd: int32(sysfd), Kind: k.shared()}
	fd.addrs.Store(&noAddrs)
	return fd, nil
}

// Init registers the descriptor with the runtime's poller. It does nothing the
// second time.
func (fd *FD) Init() error {
	if fd.file != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd.sysfd), "socket")
	if f == nil {
		return &PollerError{syscall.EBADF}
	}
	// NewFile says nothing if epoll_ctl fails; deadlines do.
	if f.SetDeadline(time.Time{}) != nil {
		errno := sys.PollErrno(int(fd.sysfd))
		// f owns the descriptor, and would close its number once more when it is
		// collected.
		f.Close()
		fd.sysfd = -1
		return &PollerError{errno}
	}
	fd.file, fd.sysfd = f, -1
	return nil
}

// IsStream reports whether connections come before data, which may end: reading
// nothing means the end. A datagram may be empty.
func (fd *FD) IsStream() bool { return fd.Type != sys.SOCK_DGRAM && fd.Type != sys.SOCK_RAW }

// KnowsListening reports whether SO_ACCEPTCONN tells if connections are accepted on
// sockets of this family. Linux's AF_ALG for one accepts without listening.
func (fd *FD) KnowsListening() bool {
	switch fd.Family {
	case sys.AF_INET, sys.AF_INET6, sys.AF_UNIX, sys.AF_VSOCK:
		return true
	}
	return false
}

// Close closes the descriptor and wakes all calls that wait for it. It returns once no
// call uses the descriptor any more.
func (fd *FD) Close() error {
	if fd.file == nil {
		if fd.sysfd < 0 {
			return net.ErrClosed
		}
		errno := sys.Close(int(fd.sysfd))
		fd.sysfd = -1
		if errno != 0 {
			return errno
		}
		return nil
	}
	err := fd.file.Close()
	if pe, ok := err.(*fs.PathError); ok {
		err = pe.Err
	}
	if err == os.ErrClosed {
		// The call that closed it may still be waiting for calls that use it.
		return net.ErrClosed
	}
	fd.dropUnread()
	return err
}

// SetDeadline, SetReadDeadline and SetWriteDeadline wake calls that wait beyond t.
func (fd *FD) SetDeadline(t time.Time) error { return pollError(fd.file.SetDeadline(t)) }

// SetReadDeadline is described at SetDeadline.
func (fd *FD) SetReadDeadline(t time.Time) error { return pollError(fd.file.SetReadDeadline(t)) }

// SetWriteDeadline is described at SetDeadline.
func (fd *FD) SetWriteDeadline(t time.Time) error { return pollError(fd.file.SetWriteDeadline(t)) }

// errBare is what package net says, too.
var errBare = errors.New("waiting for unsupported file type")

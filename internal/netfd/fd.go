// Package netfd owns a socket's descriptor: who closes it, how it waits, and what
// its errors are called.
//
// An FD starts bare: one goroutine owns it and prepares it (options, bind, listen,
// connect). Init hands the descriptor to an os.File, which registers it with the
// runtime's poller; from then on every method is safe for concurrent use, and
// Close wakes whoever waits.
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

// ErrPoller says that the runtime's poller refused a descriptor, as it does when
// the system has no room for another registration, see epoll_ctl(2).
var ErrPoller = errors.New("sockets: the runtime poller refused the descriptor")

// FD is a socket's descriptor.
type FD struct {
	file  *os.File // nil while bare
	sysfd int      // while bare, otherwise -1
	addrs atomic.Pointer[Addrs]
	more  atomic.Pointer[more] // nil until needed: most connections never do
	*Kind
}

// Kind is what all sockets of a kind have in common. They share one.
type Kind struct {
	// Family, Type and Proto are the arguments of socket(2).
	Family, Type, Proto int

	// Network is what errors and addresses call the socket.
	Network string
}

// kinds has those of which there were sockets: few, for the kernel knows no more.
var kinds struct {
	sync.RWMutex
	m map[Kind]*Kind
}

func (k Kind) shared() *Kind {
	kinds.RLock()
	one := kinds.m[k]
	kinds.RUnlock()
	if one != nil {
		return one
	}
	kinds.Lock()
	defer kinds.Unlock()
	if one = kinds.m[k]; one != nil {
		return one
	}
	if kinds.m == nil {
		kinds.m = make(map[Kind]*Kind)
	}
	one = new(Kind)
	*one = k
	kinds.m[k] = one
	return one
}

// SetKind changes what is known of the kind. Nobody else may use fd yet.
func (fd *FD) SetKind(k Kind) { fd.Kind = k.shared() }

// more is what an FD has besides reading and writing.
type more struct {
	// unread is what was taken from the socket and could not be delivered.
	unread  atomic.Pointer[kept]
	keeping sync.Mutex    // guards changes of unread, and next of what is in it
	turns   atomic.Uint64 // see nextTurn

	offload             atomic.Pointer[offload] // nil unless turned on
	heldRead, heldWrite atomic.Uintptr          // see hold

	peer sync.Mutex // see LockPeer
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

// Addrs are the addresses of the two ends, nil where there is none.
type Addrs struct {
	Local, Remote net.Addr

	// Connected says that connect chose the peer.
	Connected bool
}

// noAddrs serves sockets before anything is known about them.
var noAddrs Addrs

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
	fd := &FD{sysfd: sysfd, Kind: k.shared()}
	fd.addrs.Store(&noAddrs)
	return fd, nil
}

// Socket makes a socket and returns its bare FD.
func Socket(k Kind) (*FD, error) {
	sysfd, errno := sys.Socket(k.Family, k.Type, k.Proto)
	if errno != 0 {
		return nil, os.NewSyscallError("socket", errno)
	}
	return New(sysfd, k)
}

// Init registers the descriptor with the runtime's poller. It does nothing the
// second time.
func (fd *FD) Init() error {
	if fd.file != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd.sysfd), "socket")
	if f == nil {
		return ErrPoller
	}
	// NewFile says nothing if epoll_ctl fails; deadlines do.
	if f.SetDeadline(time.Time{}) != nil {
		// f owns the descriptor, and would close its number once more when it is
		// collected.
		f.Close()
		fd.sysfd = -1
		return ErrPoller
	}
	fd.file, fd.sysfd = f, -1
	return nil
}

// SetAddrs records the addresses of the two ends, nil where there is none, and
// whether a peer was chosen by connect.
func (fd *FD) SetAddrs(local, remote net.Addr, connected bool) {
	fd.StoreAddrs(&Addrs{local, remote, connected})
}

// StoreAddrs is SetAddrs for addresses that are part of a larger allocation. a
// must not change any more.
func (fd *FD) StoreAddrs(a *Addrs) { fd.addrs.Store(a) }

// Local returns the local address, also after Close.
func (fd *FD) Local() net.Addr { return fd.addrs.Load().Local }

// Remote returns the peer's address, also after Close.
func (fd *FD) Remote() net.Addr { return fd.addrs.Load().Remote }

// Connected reports whether connect chose the peer, so that no other destination
// may be given. Accepted and adopted sockets are not connected in this sense.
func (fd *FD) Connected() bool { return fd.addrs.Load().Connected }

// LockPeer keeps others from changing the peer while the kernel is told of one and
// the addresses are recorded. The caller calls unlock afterwards.
func (fd *FD) LockPeer() (unlock func()) {
	m := &fd.need().peer
	m.Lock()
	return m.Unlock
}

// SetLocal changes the local address alone.
func (fd *FD) SetLocal(local net.Addr) {
	for {
		old := fd.addrs.Load()
		if fd.addrs.CompareAndSwap(old, &Addrs{local, old.Remote, old.Connected}) {
			return
		}
	}
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

// Close closes the descriptor and wakes whoever waits for it. It returns once no
// call uses the descriptor any more.
func (fd *FD) Close() error {
	if fd.file == nil {
		if fd.sysfd < 0 {
			return net.ErrClosed
		}
		errno := sys.Close(fd.sysfd)
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
		// Whoever closed it may still be waiting for calls that use it.
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

// Control calls f with the descriptor, which stays open until f returns. f must
// not close it.
func (fd *FD) Control(f func(sysfd uintptr)) error {
	if fd.file != nil {
		raw, _ := fd.file.SyscallConn()
		return pollError(raw.Control(f))
	}
	if fd.sysfd < 0 {
		return net.ErrClosed
	}
	f(uintptr(fd.sysfd))
	return nil
}

// control is Control for one system call, whose name an error carries.
func (fd *FD) control(call string, f func(sysfd uintptr) syscall.Errno) error {
	var errno syscall.Errno
	if err := fd.Control(func(s uintptr) { errno = f(s) }); err != nil {
		return err
	}
	if errno != 0 {
		return os.NewSyscallError(call, errno)
	}
	return nil
}

// RawRead calls f until it returns true, waiting for input in between. f may
// return false only after the system call said EAGAIN.
//
// f and what it refers to may stay on the caller's stack, for the compiler sees
// through SyscallConn that nobody keeps it: a field with the RawConn would cost
// every call its closure and its variables on the heap.
func (fd *FD) RawRead(f func(sysfd uintptr) bool) error {
	if fd.file == nil {
		return fd.rawBare(f)
	}
	raw, _ := fd.file.SyscallConn() // fails for a nil file alone
	return fd.rawError(raw.Read(f))
}

// RawWrite is RawRead for output.
func (fd *FD) RawWrite(f func(sysfd uintptr) bool) error {
	if fd.file == nil {
		return fd.rawBare(f)
	}
	raw, _ := fd.file.SyscallConn()
	return fd.rawError(raw.Write(f))
}

// rawConn is an FD in the poller as a syscall.RawConn, without an allocation. Its
// errors are package os's.
type rawConn FD

func (c *rawConn) Control(f func(uintptr)) error {
	raw, _ := c.file.SyscallConn()
	return raw.Control(f)
}

func (c *rawConn) Read(f func(uintptr) bool) error {
	raw, _ := c.file.SyscallConn()
	return raw.Read(f)
}

func (c *rawConn) Write(f func(uintptr) bool) error {
	raw, _ := c.file.SyscallConn()
	return raw.Write(f)
}

// rawError is pollError for calls that wait, which the poller may refuse to do for
// an open descriptor as well.
func (fd *FD) rawError(err error) error {
	if err == nil || err == os.ErrDeadlineExceeded {
		return err
	}
	if closed := fd.Control(func(uintptr) {}); closed != nil {
		return closed
	}
	return err
}

// errBare is what package net says, too.
var errBare = errors.New("waiting for unsupported file type")

// rawBare calls f once: a bare descriptor cannot wait.
func (fd *FD) rawBare(f func(sysfd uintptr) bool) error {
	done := false
	if err := fd.Control(func(s uintptr) { done = f(s) }); err != nil {
		return err
	}
	if !done {
		return errBare
	}
	return nil
}

// Shutdown ends one or both directions.
func (fd *FD) Shutdown(how int) error {
	return fd.control("shutdown", func(s uintptr) syscall.Errno { return sys.Shutdown(s, how) })
}

// SetsockoptInt sets an option whose value is an int.
func (fd *FD) SetsockoptInt(level, name, value int) error {
	return fd.control("setsockopt", func(s uintptr) syscall.Errno { return sys.SetsockoptInt(s, level, name, value) })
}

// GetsockoptInt gets an option whose value is an int.
func (fd *FD) GetsockoptInt(level, name int) (v int, err error) {
	err = fd.control("getsockopt", func(s uintptr) (errno syscall.Errno) {
		v, errno = sys.GetsockoptInt(s, level, name)
		return errno
	})
	return v, err
}

// Setsockopt calls f, which sets an option.
func (fd *FD) Setsockopt(f func(sysfd uintptr) syscall.Errno) error {
	return fd.control("setsockopt", f)
}

// Bind gives the socket a local address.
func (fd *FD) Bind(sa *sys.Sockaddr) error {
	return fd.control("bind", func(s uintptr) syscall.Errno { return sys.Bind(s, sa) })
}

// Listen makes the socket accept connections.
func (fd *FD) Listen(backlog int) error {
	return fd.control("listen", func(s uintptr) syscall.Errno { return sys.Listen(s, backlog) })
}

// Sockname stores the local address in sa.
func (fd *FD) Sockname(sa *sys.Sockaddr) error {
	return fd.control("getsockname", func(s uintptr) syscall.Errno { return sys.Getsockname(s, sa) })
}

// Peername stores the peer's address in sa.
func (fd *FD) Peername(sa *sys.Sockaddr) error {
	return fd.control("getpeername", func(s uintptr) syscall.Errno { return sys.Getpeername(s, sa) })
}

// Dup returns a new descriptor for the same socket, close-on-exec. The caller
// owns it.
func (fd *FD) Dup() (int, error) {
	nfd := -1
	err := fd.control("fcntl", func(s uintptr) (errno syscall.Errno) {
		nfd, errno = sys.Dup(s)
		return errno
	})
	return nfd, err
}

// CallError names the system call that an errno comes from, and leaves every
// other error alone.
func CallError(call string, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, err)
	}
	return err
}

// SendError is CallError for a destination that the named system call would have
// refused: a closed descriptor and a deadline in the past come before it.
func (fd *FD) SendError(call string, err error) error {
	if _, ok := err.(syscall.Errno); ok {
		if err := fd.RawWrite(func(uintptr) bool { return true }); err != nil {
			return err
		}
	}
	return CallError(call, err)
}

// pollError takes the error of a call apart that a descriptor in the poller refuses
// only once it is closed. A closed os.File answers with an error there that matches
// neither os.ErrClosed nor net.ErrClosed.
func pollError(err error) error {
	if err == nil {
		return nil
	}
	return net.ErrClosed
}

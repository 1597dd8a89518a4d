package sockets

import (
	"bytes"
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// listener is what all listeners have in common. Methods of a nil one, which is that
// of a nil or zero TCPListener, UnixListener or StreamListener, return
// syscall.EINVAL.
type listener struct {
	fd   *netfd.FD
	role TCPListener   // or a StreamListener, see newListener
	unix *UnixListener // of a unix socket, otherwise nil

	heirs  inheritance
	format *wireFormat // nil: none

	// askLocal says that an accepted connection's own address may differ from the
	// listener's. Besides wildcards it does so for sockets that others had a
	// hand on: transparent proxies and BPF programs bring connections from
	// everywhere, see IP_TRANSPARENT in ip(7) and BPF_PROG_TYPE_SK_LOOKUP. And
	// Linux tells no zone of a Multipath TCP listener's link-local address.
	askLocal  atomic.Bool
	lastLocal atomic.Pointer[localName] // the last answer

	mu     sync.Mutex
	limits *limits // nil until needed: most listeners are never given a deadline

	turns atomic.Pointer[chan struct{}] // see turn
}

// limits are the times at which waiting calls fail.
type limits struct {
	deadline time.Time // of SetDeadline
	limit    time.Time // of the AcceptWith call whose turn it is
}

// turn returns a channel that holds one token while a call waits in the kernel. Waiting
// for the token instead of the descriptor's lock lets AcceptWith give up.
func (l *listener) turn() chan struct{} {
	if c := l.turns.Load(); c != nil {
		return *c
	}
	c := make(chan struct{}, 1)
	l.turns.CompareAndSwap(nil, &c)
	return *l.turns.Load()
}

// newCore returns the core of a listener on fd. touched says that other
// code had access to the descriptor.
func newCore(fd *netfd.FD, touched bool) *listener {
	var l *listener
	if fd.Family == sys.AF_UNIX {
		both := new(struct { // allocated as one
			core listener
			unix UnixListener
		})
		l = &both.core
		l.unix = &both.unix
		l.unix.l = l
	} else {
		l = new(listener)
	}
	l.fd, l.role.l = fd, l
	local := fd.Local()
	l.askLocal.Store(touched || local == nil || isWildcard(local) || lacksZone(local))
	return l
}

// newListener returns l as a listener of the type that fits its kind, whichever way it
// came about. file is the one that was made for a unix socket.
func newListener(l *listener, file socketFile) net.Listener {
	switch l.fd.Family {
	case sys.AF_UNIX:
		l.unix.made = file
		l.unix.file = &l.unix.made
		return l.unix
	case sys.AF_INET, sys.AF_INET6:
		if l.fd.Type == sys.SOCK_STREAM && isTCPProto(l.fd.Proto) {
			return &l.role
		}
	}
	return (*StreamListener)(&l.role)
}

// adopted returns the listener of a socket that others made, with the options of lc.
func (lc *ListenConfig) adopted(fd *netfd.FD) net.Listener {
	l := newCore(fd, true)
	l.heirs.options = slices.Clone(lc.Options)
	l.heirs.defaults = lc.tcpDefaults()
	l.format = lc.heldFormat()
	return newListener(l, socketFile{})
}

// accept waits for a connection and returns its descriptor, in the poller and with
// both addresses. At best it costs three system calls: accept4, and the two that
// os.NewFile makes.
func (l *listener) accept() (*netfd.FD, error) {
	if l == nil {
		return nil, syscall.EINVAL
	}
	var peer sys.Sockaddr
	turn := l.turn()
	turn <- struct{}{}
	fd, err := l.fd.Accept(&peer)
	<-turn
	return l.accepted(&peer, fd, err)
}

// accepted finishes fd, whose accept ended with err.
func (l *listener) accepted(peer *sys.Sockaddr, fd *netfd.FD, err error) (*netfd.FD, error) {
	if err != nil {
		return nil, opErrorLocal(l.fd, "accept", err)
	}
	l.heirs.handDown(l.fd, fd)
	local := l.fd.Local()
	if l.askLocal.Load() {
		local = l.askedLocal(fd)
	}
	if err := fd.Init(); err != nil {
		fd.Close()
		return nil, opErrorLocal(l.fd, "accept", err)
	}
	fd.SetAddrs(orNameless(fd, local), orNameless(fd, decodeAddr(fd, peer)), false)
	return fd, nil
}

// localName is an address as the kernel and as package net have it.
type localName struct {
	sa   sys.Sockaddr
	addr net.Addr
}

// askedLocal asks the kernel for fd's own address. Most connections have the same
// one as the last, so they share it: it must not be modified.
func (l *listener) askedLocal(fd *netfd.FD) net.Addr {
	var sa sys.Sockaddr
	if fd.Sockname(&sa) != nil {
		return nil
	}
	if last := l.lastLocal.Load(); last != nil && bytes.Equal(last.sa.Bytes(), sa.Bytes()) {
		return last.addr
	}
	addr := decodeAddr(fd, &sa)
	l.lastLocal.Store(&localName{sa, addr})
	return addr
}

// AcceptConfig holds the options of AcceptWith. The zero value makes AcceptWith behave
// like Accept.
type AcceptConfig struct {
	// Context, if not nil, limits the wait: AcceptWith fails when it ends, with an error
	// that matches ctx.Err, like that of a dial. It has no effect on the accepted
	// connection.
	Context context.Context

	// Timeout limits the wait in addition to the listener's deadline. Zero means no limit.
	// A negative Timeout makes the call fail at once with os.ErrDeadlineExceeded.
	Timeout time.Duration

	// NoWait makes AcceptWith fail with ErrWouldBlock if no connection is pending,
	// regardless of Timeout and deadlines.
	NoWait bool

	// Format, InputBufferSize and OutputBufferSize are as in ListenConfig, but for this
	// connection alone. If all three are zero, the listener's values apply.
	Format                            ExternalFormat
	InputBufferSize, OutputBufferSize int
}

// acceptConn is Accept.
func (l *listener) acceptConn() (net.Conn, error) {
	fd, err := l.accept()
	if err != nil {
		return nil, err
	}
	if l.format == nil {
		return newConn(fd), nil
	}
	return l.format.wrap(newConn(fd)), nil
}

// acceptConnWith is AcceptWith.
func (l *listener) acceptConnWith(config AcceptConfig) (net.Conn, error) {
	if l == nil {
		return nil, syscall.EINVAL
	}
	format := wireFormat{config.Format, config.InputBufferSize, config.OutputBufferSize}
	if format == (wireFormat{}) && l.format != nil {
		format = *l.format
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

// acceptWith is accept for as long as config says.
func (l *listener) acceptWith(config AcceptConfig) (*netfd.FD, error) {
	var peer sys.Sockaddr
	giveUp := func(why error) (*netfd.FD, error) {
		err := l.fd.Control(func(uintptr) {}) // whether the listener is closed
		if err == nil {
			err = why
		}
		return l.accepted(&peer, nil, err)
	}
	ctx := config.Context
	if ctx == nil {
		ctx = context.Background()
	}
	if err := ctx.Err(); err != nil {
		return giveUp(mapErr(err))
	}
	if config.NoWait {
		fd, err := l.fd.AcceptNow(&peer)
		return l.accepted(&peer, fd, err)
	}
	if config.Timeout == 0 && ctx.Done() == nil {
		return l.accept()
	}
	var limit time.Time
	if config.Timeout != 0 {
		limit = time.Now().Add(config.Timeout)
	}
	turn := l.turn()
	select {
	case turn <- struct{}{}:
	default:
		if err := waitTurn(ctx, turn, limit); err != nil {
			return giveUp(err)
		}
	}
	l.setLimit(limit)
	stop := func() {}
	if ctx.Done() != nil {
		stop = l.limitBy(ctx)
	}
	fd, err := l.fd.Accept(&peer)
	stop()
	l.setLimit(time.Time{})
	<-turn
	if err == os.ErrDeadlineExceeded && ctx.Err() != nil {
		err = mapErr(ctx.Err())
	}
	return l.accepted(&peer, fd, err)
}

// waitTurn waits until it is the caller's turn, until limit, unless that is zero, and
// the end of ctx.
func waitTurn(ctx context.Context, turn chan<- struct{}, limit time.Time) error {
	var expired <-chan time.Time
	if !limit.IsZero() {
		timer := time.NewTimer(time.Until(limit))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case turn <- struct{}{}:
		return nil
	case <-expired:
		return os.ErrDeadlineExceeded
	case <-ctx.Done():
		return mapErr(ctx.Err())
	}
}

// limitBy has the end of ctx end the wait, until stop returns.
func (l *listener) limitBy(ctx context.Context) (stop func()) {
	ended := make(chan struct{})
	stopped := context.AfterFunc(ctx, func() {
		l.setLimit(time.Unix(1, 0))
		close(ended)
	})
	return func() {
		if !stopped() {
			<-ended // or it would strike the next call
		}
	}
}

func (l *listener) setDeadline(t time.Time) error {
	if l == nil {
		return syscall.EINVAL
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.needLimits()
	at.deadline = t
	return l.fd.SetDeadline(earlier(at.deadline, at.limit))
}

// setLimit restricts the call whose turn it is. A failure means that the listener
// is closed, as that call finds out.
func (l *listener) setLimit(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.needLimits()
	at.limit = t
	l.fd.SetDeadline(earlier(at.deadline, at.limit))
}

// needLimits returns l.limits, and makes it the first time. The caller holds l.mu.
func (l *listener) needLimits() *limits {
	if l.limits == nil {
		l.limits = new(limits)
	}
	return l.limits
}

func (l *listener) close() error {
	if l == nil {
		return syscall.EINVAL
	}
	return opErrorLocal(l.fd, "close", l.fd.Close())
}

func (l *listener) file() (*os.File, error) {
	if l == nil {
		return nil, syscall.EINVAL
	}
	f, err := dupFile(l.fd)
	if err != nil {
		return nil, opErrorLocal(l.fd, "file", err)
	}
	l.askLocal.Store(true)
	return f, nil
}

func (l *listener) syscallConn() (syscall.RawConn, error) {
	if l == nil {
		return nil, syscall.EINVAL
	}
	l.askLocal.Store(true)
	return (*rawListener)(l.fd), nil
}

// rawListener gives access to a listener's descriptor, on which only Accept waits.
type rawListener netfd.FD

// Control calls f with the descriptor.
func (l *rawListener) Control(f func(fd uintptr)) error { return (*rawConn)(l).Control(f) }

// Read returns syscall.EINVAL.
func (*rawListener) Read(func(uintptr) bool) error { return syscall.EINVAL }

// Write returns syscall.EINVAL.
func (*rawListener) Write(func(uintptr) bool) error { return syscall.EINVAL }

// TCPListener accepts TCP connections. It has the methods of [net.TCPListener] and more.
type TCPListener struct {
	l *listener
}

var _ net.Listener = (*TCPListener)(nil)

func (l *TCPListener) core() *listener {
	if l == nil {
		return nil
	}
	return l.l
}

// AcceptTCP waits for a connection and returns it without an external format.
func (l *TCPListener) AcceptTCP() (*TCPConn, error) {
	fd, err := l.core().accept()
	if err != nil {
		return nil, err
	}
	return newConn(fd).(*TCPConn), nil
}

// Accept waits for a connection and returns it: a [*TCPConn], or a [*TextConn] over one if
// the listener has a format.
func (l *TCPListener) Accept() (net.Conn, error) { return l.core().acceptConn() }

// AcceptWith is like Accept, with the options in config.
func (l *TCPListener) AcceptWith(config AcceptConfig) (net.Conn, error) {
	return l.core().acceptConnWith(config)
}

// Close stops listening. Connections that have been accepted stay open. Those that
// still wait to be accepted are reset, unless a copy of the descriptor is open.
func (l *TCPListener) Close() error { return l.core().close() }

// Addr returns the listener's address. It also works after Close. All calls return the
// same value; do not modify it.
func (l *TCPListener) Addr() net.Addr { return l.l.fd.Local() }

// SetDeadline sets the time after which Accept fails with [os.ErrDeadlineExceeded]. A
// zero t means no deadline.
func (l *TCPListener) SetDeadline(t time.Time) error { return l.core().setDeadline(t) }

// File returns a file that uses a copy of the descriptor. The caller must close both;
// the port is in use until both are closed.
func (l *TCPListener) File() (*os.File, error) { return l.core().file() }

// SyscallConn returns access to the descriptor. Its Read and Write methods return
// [syscall.EINVAL].
func (l *TCPListener) SyscallConn() (syscall.RawConn, error) { return l.core().syscallConn() }

// StreamListener accepts connections of address families that package net does not
// support, such as vsock, or of an internet protocol other than TCP.
type StreamListener struct {
	l *listener
}

var _ net.Listener = (*StreamListener)(nil)

func (l *StreamListener) core() *listener {
	if l == nil {
		return nil
	}
	return l.l
}

// Accept waits for a connection and returns it: a [*StreamConn], or a [*TextConn] over one
// if the listener has a format.
func (l *StreamListener) Accept() (net.Conn, error) { return l.core().acceptConn() }

// AcceptWith is like Accept, with the options in config.
func (l *StreamListener) AcceptWith(config AcceptConfig) (net.Conn, error) {
	return l.core().acceptConnWith(config)
}

// Close stops listening. Connections that have been accepted stay open.
func (l *StreamListener) Close() error { return l.core().close() }

// Addr returns the listener's address. It also works after Close.
func (l *StreamListener) Addr() net.Addr { return l.l.fd.Local() }

// SetDeadline sets the time after which Accept fails with [os.ErrDeadlineExceeded]. A
// zero t means no deadline.
func (l *StreamListener) SetDeadline(t time.Time) error { return l.core().setDeadline(t) }

// File returns a file that uses a copy of the descriptor. The caller must close both.
func (l *StreamListener) File() (*os.File, error) { return l.core().file() }

// SyscallConn returns access to the descriptor. Its Read and Write methods return
// [syscall.EINVAL].
func (l *StreamListener) SyscallConn() (syscall.RawConn, error) { return l.core().syscallConn() }

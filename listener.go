package sockets

import (
	"bytes"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// listener is what all listeners have in common.
type listener struct {
	fd *netfd.FD

	// The options of accepted TCP connections are those of the listening socket,
	// where they were set before listen(2). See handDown.
	heirs       atomic.Uint32
	options     []Setting // that were set besides the defaults
	setDefaults bool      // on each accepted connection: the socket is somebody else's
	format      wireFormat

	// askLocal says that an accepted connection's own address may differ from the
	// listener's. Besides wildcards it does so for sockets that others had a
	// hand on: transparent proxies and BPF programs bring connections from
	// everywhere, see IP_TRANSPARENT in ip(7) and BPF_PROG_TYPE_SK_LOOKUP. And
	// Linux tells no zone of a Multipath TCP listener's link-local address.
	askLocal  atomic.Bool
	lastLocal atomic.Pointer[localName] // the last answer

	// turn holds one token while a call waits in the kernel. Waiting for the
	// token instead of the descriptor's lock lets AcceptWith give up.
	turn chan struct{}

	mu       sync.Mutex
	deadline time.Time // of SetDeadline
	limit    time.Time // of the AcceptWith call whose turn it is
}

// newListener returns the core of a listener on fd. touched says that somebody
// else had access to the descriptor.
func newListener(fd *netfd.FD, touched bool) *listener {
	l := &listener{fd: fd, turn: make(chan struct{}, 1)}
	local := fd.Local()
	l.askLocal.Store(touched || local == nil || isWildcard(local) || lacksZone(local))
	return l
}

// accept waits for a connection and returns its descriptor, in the poller and with
// both addresses. At best it costs three system calls: accept4, and the two that
// os.NewFile makes.
func (l *listener) accept() (*netfd.FD, error) {
	var peer sys.Sockaddr
	l.turn <- struct{}{}
	s, err := l.fd.Accept(&peer)
	<-l.turn
	return l.accepted(&peer, s, err)
}

func (l *listener) accepted(peer *sys.Sockaddr, s int, err error) (*netfd.FD, error) {
	if err != nil {
		return nil, opErrorLocal(l.fd, "accept", err)
	}
	fd, err := netfd.New(s, *l.fd.Kind)
	if err != nil {
		return nil, opErrorLocal(l.fd, "accept", err)
	}
	if isTCP(fd) {
		if l.setDefaults {
			setTCPDefaults(fd, 0, net.KeepAliveConfig{})
		} else if l.heirs.Load() != heirsByKernel {
			l.handDown(fd)
		}
	}
	local := l.fd.Local()
	if l.askLocal.Load() {
		local = l.askedLocal(fd)
	}
	if err := fd.Init(); err != nil {
		fd.Close()
		return nil, opErrorLocal(l.fd, "accept", err)
	}
	local = orNameless(fd, local)
	if !storeAccepted(fd, local, peer) {
		fd.SetAddrs(local, orNameless(fd, decodeAddr(fd, peer)), false)
	}
	return fd, nil
}

// localName is an address as the kernel and as package net have it.
type localName struct {
	sa   sys.Sockaddr
	addr net.Addr
}

// askedLocal asks the kernel for fd's own address. Most connections have the same
// one as the last, so they share it: nobody may modify it.
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

// storeAccepted records fd's addresses in one allocation, if it is a TCP
// connection.
func storeAccepted(fd *netfd.FD, local net.Addr, peer *sys.Sockaddr) bool {
	if fd.Type != sys.SOCK_STREAM {
		return false
	}
	switch peer.Family() {
	case sys.AF_INET:
		a := new(struct {
			netfd.Addrs
			remote tcpAddr4
		})
		a.remote.set(peer)
		a.Local, a.Remote = local, &a.remote.TCPAddr
		fd.StoreAddrs(&a.Addrs)
	case sys.AF_INET6:
		a := new(struct {
			netfd.Addrs
			remote tcpAddr6
		})
		a.remote.set(peer)
		a.Local, a.Remote = local, &a.remote.TCPAddr
		fd.StoreAddrs(&a.Addrs)
	default:
		return false
	}
	return true
}

func (l *listener) close() error { return opErrorLocal(l.fd, "close", l.fd.Close()) }

func (l *listener) file() (*os.File, error) {
	f, err := dupFile(l.fd)
	if err != nil {
		return nil, opErrorLocal(l.fd, "file", err)
	}
	l.askLocal.Store(true)
	return f, nil
}

func (l *listener) syscallConn() syscall.RawConn {
	l.askLocal.Store(true)
	return &rawListener{rawConn{l.fd}}
}

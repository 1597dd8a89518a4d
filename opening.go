package sockets

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// opening says how to open a socket. Dialer and ListenConfig fill one in, so that
// there is one path from a kind to a descriptor.
type opening struct {
	*kind
	local     net.Addr // nil: the kernel chooses
	remote    net.Addr // nil: listen
	listen    bool
	backlog   int // of a listening stream
	offload   bool
	info      bool     // control data with received datagrams
	groupOnly bool     // of the multicast group that is the local address
	netns     *os.File // where the socket is made; nil: here

	// About the file of a unix socket that listens, or receives; see ListenConfig.
	replaceStale bool
	unixMode     fs.FileMode
	unixOwner    *UnixOwner
	file         socketFile // that open has made

	refused bool // the system refused defaults that a Multipath TCP listener is to hand down

	control         func(ctx context.Context, network, address string, c syscall.RawConn) error
	options         []sockopt.Setting
	keepAlive       time.Duration
	keepAliveConfig net.KeepAliveConfig
}

// open makes the socket and gives it its addresses. The socket is in the poller.
// Errors come without *net.OpError.
func (o *opening) open(ctx context.Context) (*netfd.FD, error) {
	if o.internet() && o.remote != nil && !sys.ConnectsWildcard && isWildcard(o.remote) {
		o.remote = loopback(o.family, o.remote)
	}
	fd, err := o.socket(o.netns, o.local, o.remote, o.listen)
	if err != nil {
		return nil, err
	}
	err = o.offloads(fd)
	switch {
	case err != nil:
	case o.listen:
		err = o.passive(ctx, fd)
	default:
		err = o.active(ctx, fd)
	}
	if err != nil {
		fd.Close()
		return nil, err
	}
	return fd, nil
}

// socket makes a bare socket in the network namespace netns, nil for the caller's, for
// the addresses, of which either may be nil, with the options that package net gives to every one of its kind.
func (k *kind) socket(netns *os.File, local, remote net.Addr, listen bool) (*netfd.FD, error) {
	family, v6only := k.chooseFamily(local, remote, listen)
	if family < 0 || k.proto < 0 {
		return nil, errors.ErrUnsupported // by this system, see package sys
	}
	fd, err := netfd.Socket(netfd.Kind{Family: family, Type: k.typ, Proto: k.proto, Network: k.network}, netns)
	if err != nil {
		return nil, err
	}
	if family == sys.AF_INET6 && k.typ != sys.SOCK_RAW && sys.MapsIPv4 {
		// Whatever the system's default; some systems refuse to change it.
		fd.SetsockoptInt(sys.IPPROTO_IPV6, sys.IPV6_V6ONLY, boolint(v6only))
	}
	if (k.typ == sys.SOCK_DGRAM || k.typ == sys.SOCK_RAW) && family != sys.AF_UNIX {
		if err := fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_BROADCAST, 1); err != nil {
			fd.Close()
			return nil, err
		}
	}
	return fd, nil
}

// prepare runs the caller's callback and sets options, in the order of effect:
// package net's defaults, what Control does, keep-alive and no-delay, Options.
func (o *opening) prepare(ctx context.Context, fd *netfd.FD, addr net.Addr) error {
	if o.control != nil {
		address := ""
		if addr != nil {
			address = addr.String()
		}
		if err := o.control(ctx, controlNetwork(fd), address, (*rawConn)(fd)); err != nil {
			return err
		}
	}
	if isTCP(fd) {
		err := setTCPDefaults(fd, o.keepAlive, o.keepAliveConfig)
		o.refused = err != nil && fd.Proto == sys.IPPROTO_MPTCP // as Linux did before 5.16
	}
	if o.info && (fd.Type == sys.SOCK_DGRAM || fd.Type == sys.SOCK_RAW) && (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6) {
		if err := setPacketInfo(fd); err != nil {
			return err
		}
	}
	for _, s := range o.options {
		if err := s.Apply((*rawConn)(fd)); err != nil {
			return err
		}
	}
	if o.listen {
		return checkEffect(fd, o.options)
	}
	return nil
}

func (o *opening) active(ctx context.Context, fd *netfd.FD) error {
	addr := o.remote
	if addr == nil {
		addr = o.local
	}
	if err := o.prepare(ctx, fd, addr); err != nil {
		return err
	}
	var sa sys.Sockaddr
	if o.local != nil {
		if err := bind(fd, &sa, o.local); err != nil {
			return err
		}
	}
	if o.remote == nil {
		if err := fd.Init(); err != nil {
			return err
		}
		fd.SetAddrs(localAddr(fd), nil, false)
		return nil
	}
	if err := encodeAddr(&sa, fd.Family, o.remote); err != nil {
		return netfd.CallError("connect", err)
	}
	peer, err := fd.Connect(ctx, &sa)
	if o.control != nil && (isErrno(err, sys.EALREADY) || isErrno(err, sys.EISCONN)) {
		// The callback has begun it, which package net puts up with.
		peer, err = fd.WaitConnect(ctx)
	}
	if err != nil {
		return mapErr(err)
	}
	remote := decodeAddr(fd, &peer)
	if remote == nil {
		remote = o.remote
	}
	fd.SetAddrs(localAddr(fd), remote, true)
	return nil
}

func (o *opening) passive(ctx context.Context, fd *netfd.FD) error {
	local := o.local
	if o.stream() {
		if err := fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_REUSEADDR, 1); err != nil {
			return err
		}
	} else if isGroup(local) {
		var err error
		if local, err = groupAddr(fd, local.(*net.UDPAddr), o.groupOnly); err != nil {
			return err
		}
	}
	var sa sys.Sockaddr
	if err := encodeAddr(&sa, fd.Family, local); err != nil {
		if _, ok := err.(syscall.Errno); !ok {
			return err
		}
		// An address that bind refuses: the callback still comes first.
	}
	if err := o.prepare(ctx, fd, local); err != nil {
		return err
	}
	if path := socketPath(local); path != "" && o.replaceStale {
		unlock, err := removeStale(ctx, path)
		if err != nil {
			return err
		}
		defer unlock()
	}
	err := o.bindPassive(fd, &sa, local)
	if o.groupOnly && lacksLink(local) && isErrno(err, sys.EINVAL) {
		err = &ArgumentError{Arg: "group", Value: local, Why: "a link-local group needs its zone"}
	}
	if err == nil && o.stream() {
		err = fd.Listen(backlog(o.backlog))
	}
	if err == nil {
		err = fd.Init()
	}
	if err != nil {
		o.file.remove()
		return err
	}
	fd.SetAddrs(withZone(boundAddr(fd, &sa, local), local), nil, false)
	return nil
}

// boundAddr is localAddr of a socket that was bound to local, which is sa. It shares the
// path.
func boundAddr(fd *netfd.FD, sa *sys.Sockaddr, local net.Addr) net.Addr {
	var now sys.Sockaddr
	if fd.Sockname(&now) != nil {
		return nil
	}
	if path := socketPath(local); path != "" && bytes.Equal(now.Bytes(), sa.Bytes()) {
		return &net.UnixAddr{Name: path, Net: unixNet(fd.Type)}
	}
	return decodeAddr(fd, &now)
}

func bind(fd *netfd.FD, sa *sys.Sockaddr, local net.Addr) error {
	if err := encodeAddr(sa, fd.Family, local); err != nil {
		return netfd.CallError("bind", err)
	}
	return fd.Bind(sa)
}

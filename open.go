package sockets

import (
	"context"
	"errors"
	"math"
	"net"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// opening says how to open a socket. Dialer, ListenConfig and the functions for
// one kind of socket all fill one in, so that there is one path from a network's
// name to a descriptor.
type opening struct {
	kind
	local   net.Addr // nil: the kernel chooses
	remote  net.Addr // nil: listen
	listen  bool
	backlog int // of a listening stream
	offload bool

	control         func(ctx context.Context, network, address string, c syscall.RawConn) error
	options         []Setting
	keepAlive       time.Duration
	keepAliveConfig net.KeepAliveConfig
}

// open makes the socket and gives it its addresses. The socket is in the poller.
// Errors come without *net.OpError.
func (o *opening) open(ctx context.Context) (*netfd.FD, error) {
	if o.family == sys.AF_UNSPEC && o.remote != nil && !sys.ConnectsWildcard && isWildcard(o.remote) {
		o.remote = loopback(o.network, o.remote)
	}
	fd, err := o.socket(o.local, o.remote, o.listen)
	if err != nil {
		return nil, err
	}
	err = o.offloads(fd)
	switch {
	case err != nil:
	case o.listen:
		err = o.openPassive(ctx, fd)
	default:
		err = o.openActive(ctx, fd)
	}
	if err != nil {
		fd.Close()
		return nil, err
	}
	return fd, nil
}

// socket makes a bare socket for the addresses, of which either may be nil, with
// the options that package net gives to every one of its kind.
func (k kind) socket(local, remote net.Addr, listen bool) (*netfd.FD, error) {
	family, v6only := k.family, false
	if family == sys.AF_UNSPEC {
		family, v6only = favoriteFamily(k.network, local, remote, listen)
	}
	if family < 0 || k.proto < 0 {
		return nil, errors.ErrUnsupported // by this system, see package sys
	}
	fd, err := netfd.Socket(netfd.Kind{Family: family, Type: k.typ, Proto: k.proto, Network: k.network})
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

func boolint(on bool) int {
	if on {
		return 1
	}
	return 0
}

// loopback is where a connection to the wildcard address goes.
func loopback(network string, addr net.Addr) net.Addr {
	ip := net.IP{127, 0, 0, 1}
	if network[len(network)-1] == '6' {
		ip = net.IPv6loopback
	}
	_, port, zone, _ := ipParts(addr)
	return newInternetAddr(network, net.IPAddr{IP: ip, Zone: zone}, port)
}

// prepare runs the caller's callback and sets options, in the order of effect:
// package net's defaults, what Control does, keep-alive and no-delay, Options.
func (o *opening) prepare(ctx context.Context, fd *netfd.FD, addr net.Addr) error {
	if o.control != nil {
		address := ""
		if addr != nil {
			address = addr.String()
		}
		if err := o.control(ctx, controlNetwork(fd), address, &rawConn{fd}); err != nil {
			return err
		}
	}
	if isTCP(fd) {
		setTCPDefaults(fd, o.keepAlive, o.keepAliveConfig)
	}
	for _, s := range o.options {
		var err error
		if cerr := fd.Control(func(sysfd uintptr) { err = s.apply(sysfd) }); cerr != nil {
			return cerr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *opening) openActive(ctx context.Context, fd *netfd.FD) error {
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
	if !storeDialed(fd, &peer) {
		remote := decodeAddr(fd, &peer)
		if remote == nil {
			remote = o.remote
		}
		fd.SetAddrs(localAddr(fd), remote, true)
	}
	return nil
}

// storeDialed records fd's addresses in one allocation, if it is a TCP connection.
func storeDialed(fd *netfd.FD, peer *sys.Sockaddr) bool {
	var own sys.Sockaddr
	if fd.Type != sys.SOCK_STREAM || fd.Sockname(&own) != nil || own.Family() != peer.Family() {
		return false
	}
	switch peer.Family() {
	case sys.AF_INET:
		a := new(struct {
			netfd.Addrs
			local, remote net.TCPAddr
			ips           [2][4]byte
		})
		setTCPAddr4(&a.local, &a.ips[0], &own)
		setTCPAddr4(&a.remote, &a.ips[1], peer)
		a.Addrs = netfd.Addrs{Local: &a.local, Remote: &a.remote, Connected: true}
		fd.StoreAddrs(&a.Addrs)
	case sys.AF_INET6:
		a := new(struct {
			netfd.Addrs
			local, remote net.TCPAddr
			ips           [2][16]byte
		})
		setTCPAddr6(&a.local, &a.ips[0], &own)
		setTCPAddr6(&a.remote, &a.ips[1], peer)
		a.Addrs = netfd.Addrs{Local: &a.local, Remote: &a.remote, Connected: true}
		fd.StoreAddrs(&a.Addrs)
	default:
		return false
	}
	return true
}

func (o *opening) openPassive(ctx context.Context, fd *netfd.FD) error {
	local := o.local
	if o.stream() {
		if err := fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_REUSEADDR, 1); err != nil {
			return err
		}
	} else if group, ok := local.(*net.UDPAddr); ok && group.IP.IsMulticast() {
		// Several sockets on one port may join groups, so the wildcard is bound.
		if err := setMulticastReuse(fd); err != nil {
			return err
		}
		wild := *group
		wild.IP = net.IPv4zero
		if fd.Family == sys.AF_INET6 {
			wild.IP = net.IPv6unspecified
		}
		local = &wild
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
	if err := bind(fd, &sa, local); err != nil {
		return err
	}
	if o.stream() {
		if err := fd.Listen(backlog(o.backlog)); err != nil {
			return err
		}
	}
	if err := fd.Init(); err != nil {
		return err
	}
	fd.SetAddrs(localAddr(fd), nil, false)
	return nil
}

func backlog(n int) int {
	if n == 0 {
		return sys.MaxBacklog()
	}
	return n
}

// checkBacklog refuses what listen(2) would silently take for another number.
func checkBacklog(n int) error {
	if n < 0 {
		return &ArgumentError{Arg: "backlog", Value: n, Why: "must not be negative"}
	}
	if n > math.MaxInt32 {
		return &ArgumentError{Arg: "backlog", Value: n, Why: "does not fit in 32 bits"}
	}
	return nil
}

func bind(fd *netfd.FD, sa *sys.Sockaddr, local net.Addr) error {
	if err := encodeAddr(sa, fd.Family, local); err != nil {
		return netfd.CallError("bind", err)
	}
	return fd.Bind(sa)
}

// localAddr asks the kernel for the socket's own address, nil if it has none.
func localAddr(fd *netfd.FD) net.Addr {
	var sa sys.Sockaddr
	if fd.Sockname(&sa) != nil {
		return nil
	}
	return decodeAddr(fd, &sa)
}

// orNameless returns addr, or if that is nil what stands for the address of a
// socket in a family whose sockets have none: users of net.Conn rely on one.
func orNameless(fd *netfd.FD, addr net.Addr) net.Addr {
	if addr == nil {
		return &RawAddr{Family: fd.Family}
	}
	return addr
}

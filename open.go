package sockets

import (
	"context"
	"errors"
	"math"
	"net"
	"strings"
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

// kind is what a network's name says about a socket.
type kind struct {
	network    string // as errors and Network() tell it, without a protocol
	family     int    // AF_UNSPEC: IPv4 or IPv6, as the addresses need it
	typ, proto int
}

// kindOf tells the kind of a network by its name, of which it knows package net's
// and ours.
func kindOf(network string) (kind, error) {
	k := kind{network: network}
	switch network {
	case "tcp", "tcp4", "tcp6":
		k.typ = sys.SOCK_STREAM
	case "mptcp", "mptcp4", "mptcp6":
		k.network, k.typ, k.proto = network[len("mp"):], sys.SOCK_STREAM, sys.IPPROTO_MPTCP
	case "udp", "udp4", "udp6":
		k.typ = sys.SOCK_DGRAM
	case "unix":
		k.family, k.typ = sys.AF_UNIX, sys.SOCK_STREAM
	case "unixgram":
		k.family, k.typ = sys.AF_UNIX, sys.SOCK_DGRAM
	case "unixpacket":
		k.family, k.typ = sys.AF_UNIX, sys.SOCK_SEQPACKET
	case "vsock":
		k.family, k.typ = sys.AF_VSOCK, sys.SOCK_STREAM
	default:
		// "ip4:icmp"
		i := strings.LastIndexByte(network, ':')
		if i < 0 || network[:i] != "ip" && network[:i] != "ip4" && network[:i] != "ip6" {
			return k, net.UnknownNetworkError(network)
		}
		var err error
		if k.proto, err = protocol(network[i+1:]); err != nil {
			return k, err
		}
		k.network, k.typ = network[:i], sys.SOCK_RAW
	}
	return k, nil
}

// stream reports whether connections are accepted on sockets of this kind.
func (k kind) stream() bool { return k.typ == sys.SOCK_STREAM || k.typ == sys.SOCK_SEQPACKET }

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

func isTCP(fd *netfd.FD) bool {
	return fd.Type == sys.SOCK_STREAM && isTCPProto(fd.Proto) && (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6)
}

// controlNetwork tells a callback the family, too.
func controlNetwork(fd *netfd.FD) string {
	if fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 {
		return fd.Network
	}
	switch fd.Network[len(fd.Network)-1] {
	case '4', '6':
		return fd.Network
	}
	if fd.Family == sys.AF_INET {
		return fd.Network + "4"
	}
	return fd.Network + "6"
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

func setMulticastReuse(fd *netfd.FD) error {
	if err := fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if sys.ReusePortForMulticast {
		return fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_REUSEPORT, 1)
	}
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

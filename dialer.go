package sockets

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// Dialer holds the options for connecting. The zero value is ready to use. No method
// other than SetMultipathTCP modifies a Dialer, so one value may serve many goroutines.
// It has the fields and methods of [net.Dialer] and more.
type Dialer struct {
	// Timeout is the longest time that a dial may take. If the host has several addresses,
	// the time is divided among them. Zero means no limit other than the system's. A dial
	// with a negative Timeout fails.
	Timeout time.Duration

	// Deadline is the time at which dials fail. Zero means no deadline. If Timeout is set
	// as well, the earlier of the two applies.
	Deadline time.Time

	// LocalAddr is the address to connect from, of the network's own type. Nil lets the
	// kernel choose.
	LocalAddr net.Addr

	// DualStack is ignored.
	//
	// Deprecated: Fast fallback is on by default. Set FallbackDelay to a negative
	// value to turn it off.
	DualStack bool

	// FallbackDelay is how long to wait for a connection over the address family of the
	// first address before also trying the other family, as in RFC 6555. Zero means 300
	// milliseconds; a negative value disables the race. It applies to networks "tcp" and
	// "mptcp".
	FallbackDelay time.Duration

	// KeepAlive is the idle time before the first keep-alive probe, and the time between
	// probes. Zero means 15 seconds; a negative value disables probes. It is ignored if
	// KeepAliveConfig.Enable is true.
	KeepAlive time.Duration

	// KeepAliveConfig configures keep-alive probes if its Enable is true.
	KeepAliveConfig net.KeepAliveConfig

	// Resolver looks up host names. Nil means net.DefaultResolver.
	Resolver *net.Resolver

	// Cancel cancels dials when it is closed.
	//
	// Deprecated: Use DialContext.
	Cancel <-chan struct{}

	// Control is called after the socket is made and before it is bound and connected,
	// once for each address that is tried. Its network argument includes the family, as in
	// "tcp4". If ControlContext is set, Control is ignored.
	Control func(network, address string, c syscall.RawConn) error

	// ControlContext is like Control, but also gets the context of the dial.
	ControlContext func(ctx context.Context, network, address string, c syscall.RawConn) error

	// Options are set on every socket in order, after Control is called and before the
	// socket is bound.
	Options []sockopt.Setting

	// Format is the external format of the streams that Dial, DialContext and DialAddrs
	// return; see TextConn. The zero value converts nothing.
	Format ExternalFormat

	// InputBufferSize and OutputBufferSize are the sizes of the user-space buffers of a
	// TextConn, in bytes on the wire; see TextConn.SetBufferSizes. Zero means no buffer:
	// data is on the wire when Write returns.
	InputBufferSize, OutputBufferSize int

	// Offload turns on segmentation offload for UDP where the system supports it; see
	// UDPConn.SetOffload. Other networks ignore it.
	Offload bool

	// NetNS is the network namespace to connect from: an open file such as /run/netns/NAME
	// or /proc/PID/ns/net, which the caller keeps. Nil means the namespace of the process.
	//
	// Sockets are made in that namespace, and abstract names of unix sockets refer to it;
	// the process itself stays where it is. Host names, services and the interface names
	// in IPv6 zones are looked up outside of it: let Resolver ask a server in the
	// namespace, and give a zone as the index of its interface there.
	//
	// It requires CAP_SYS_ADMIN, see setns(2). Systems without network namespaces return
	// errors.ErrUnsupported. See network_namespaces(7).
	NetNS *os.File

	mptcp mptcpUse
}

// mptcpUse says whether Multipath TCP was asked for or declined.
type mptcpUse uint8

const (
	mptcpDefault mptcpUse = iota
	mptcpOn
	mptcpOff
)

func (m *mptcpUse) set(use bool) {
	if *m = mptcpOff; use {
		*m = mptcpOn
	}
}

// MultipathTCP reports whether dials of "tcp" try Multipath TCP (RFC 8684) first. The
// default is that of package net, which GODEBUG=multipathtcp changes. Whether a
// connection then uses it is reported by [TCPConn.MultipathTCP].
func (d *Dialer) MultipathTCP() bool {
	if d.mptcp == mptcpDefault {
		return new(net.Dialer).MultipathTCP()
	}
	return d.mptcp == mptcpOn
}

// SetMultipathTCP sets whether dials of "tcp" try Multipath TCP first, falling back to
// TCP.
func (d *Dialer) SetMultipathTCP(use bool) { d.mptcp.set(use) }

// noDialer is that of the functions, which have no options. It is never changed.
var noDialer Dialer

// Dial connects to address on network. See [Dialer.DialContext].
func Dial(network, address string) (net.Conn, error) {
	return noDialer.Dial(network, address)
}

// DialTimeout is like [Dial], but fails once timeout has passed. The timeout includes
// name resolution.
func DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx := context.Background()
	if timeout != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return noDialer.DialContext(ctx, network, address)
}

// Dial connects to address on network. See [Dialer.DialContext].
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address on network, unless ctx ends first. Once the
// connection is established, the end of ctx does not affect it.
//
// The networks are "tcp", "udp", and "ip" followed by a colon and a protocol number or
// name, each optionally with 4 or 6 for one family, as in "tcp4" and "ip6:icmp"; and
// "unix", "unixgram" and "unixpacket". In addition to those of package net there are
// "vsock" and "mptcp", the latter also with 4 or 6. Dialing "mptcp" fails if this
// system lacks Multipath TCP, whereas [Dialer.SetMultipathTCP] falls back to TCP; in
// both cases the kernel falls back if the peer lacks it.
//
// The address is host:port for "tcp", "udp" and "mptcp", where the host may be a name
// and the port a service name. It is a host for "ip", a path for unix networks, where a
// leading "@" means an abstract name, and the form of [VsockAddr.String] for "vsock".
// An empty or unspecified host means this host.
//
// The result is a [*TCPConn], [*UDPConn], [*IPConn], [*UnixConn] or [*StreamConn], or a [*TextConn]
// over a stream if d.Format converts anything. Errors are of type [*net.OpError] and
// the same as package net's.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()

	r := d.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	return d.dialAny(ctx, network, func(k *kind) ([]net.Addr, error) {
		return k.resolve(dnsOnly(ctx), r, true, address, d.LocalAddr)
	})
}

// DialAddrs connects to one of addrs on network, as [Dialer.DialContext] does for the
// addresses of a host name. It tries the addresses of the first one's family in order,
// and those of the other family as well once FallbackDelay has passed. The time is
// divided among them. If all fail, the error is that of the first.
//
// The network must be "tcp", "udp" or "mptcp", optionally followed by 4 or 6 for one
// family. IPv4-mapped IPv6 addresses count as IPv4. If addrs is empty, or if one of
// them is invalid or not of the network's family, DialAddrs tries nothing and returns
// an [*ArgumentError] in a [*net.OpError]. It does not modify addrs.
func (d *Dialer) DialAddrs(ctx context.Context, network string, addrs []netip.AddrPort) (net.Conn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()
	return d.dialAny(ctx, network, func(k *kind) ([]net.Addr, error) {
		return k.given(addrs, d.LocalAddr)
	})
}

// dialAny connects to one of the addresses that find returns.
func (d *Dialer) dialAny(ctx context.Context, network string, find func(*kind) ([]net.Addr, error)) (net.Conn, error) {
	format := wireFormat{d.Format, d.InputBufferSize, d.OutputBufferSize}
	k, err := kindOf(network, nil)
	if err == nil {
		err = checkNetNS(d.NetNS)
	}
	if err == nil {
		err = format.check(k.typ)
	}
	var addrs []net.Addr
	if err == nil {
		addrs, err = find(k)
	}
	if err != nil {
		return nil, openError("dial", network, nil, nil, err)
	}
	j := dialing{Dialer: d, kind: k, trace: traceIn(ctx)}
	c, err := j.dial(ctx, addrs)
	if err != nil {
		return nil, err
	}
	return format.wrap(c), nil
}

// dialContext returns a context that ends when a dial with ctx is to end.
func (d *Dialer) dialContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx == nil {
		panic("nil context")
	}
	deadline := d.Deadline
	if d.Timeout != 0 {
		deadline = earlier(deadline, time.Now().Add(d.Timeout))
	}
	if t, ok := ctx.Deadline(); ok {
		deadline = earlier(deadline, t)
	}

	cancels := [2]context.CancelFunc{func() {}, func() {}}
	if t, ok := ctx.Deadline(); !deadline.IsZero() && (!ok || deadline.Before(t)) {
		ctx, cancels[0] = context.WithDeadline(ctx, deadline)
	}
	if d.Cancel != nil {
		ctx, cancels[1] = context.WithCancel(ctx)
		go func(done <-chan struct{}) {
			select {
			case <-d.Cancel:
				cancels[1]()
			case <-done:
			}
		}(ctx.Done())
	}
	return ctx, func() {
		cancels[1]()
		cancels[0]()
	}
}

// opening is the part of an opening that all kinds of dial share.
func (d *Dialer) opening(k *kind, local, remote net.Addr) *opening {
	o := &opening{
		kind: k, local: local, remote: remote,
		control: d.ControlContext, options: d.Options, offload: d.Offload, netns: d.NetNS,
		keepAlive: d.KeepAlive, keepAliveConfig: d.KeepAliveConfig,
	}
	if o.control == nil && d.Control != nil {
		o.control = func(_ context.Context, network, address string, c syscall.RawConn) error {
			return d.Control(network, address, c)
		}
	}
	return o
}

// open makes a socket of kind k from local, nil for any address, to remote. Errors
// come without *net.OpError.
func (d *Dialer) open(ctx context.Context, k *kind, local, remote net.Addr) (*netfd.FD, error) {
	local, remote = plain(local), plain(remote)
	switch {
	case k.family == sys.AF_UNIX:
		if local != nil && isWildcard(local) {
			local = nil
		}
		if remote != nil && isWildcard(remote) {
			remote = nil
		}
		if remote == nil && (k.stream() || local == nil) {
			return nil, errMissingAddress()
		}
	case remote == nil:
		return nil, errMissingAddress()
	case k.internet() && k.stream():
		if k.triesMultipath(d.MultipathTCP()) {
			fd, err := d.openTCP(ctx, k.multipath(), local, remote)
			if err == nil {
				return fd, nil
			}
			// Whatever the reason was, TCP may do.
		}
		return d.openTCP(ctx, k, local, remote)
	}
	return d.opening(k, local, remote).open(ctx)
}

func (d *Dialer) openTCP(ctx context.Context, k *kind, local, remote net.Addr) (*netfd.FD, error) {
	chosen := true
	if a, ok := local.(*net.TCPAddr); ok && a.Port != 0 {
		chosen = false
	}
	for try := 0; ; try++ {
		fd, err := d.opening(k, local, remote).open(ctx)
		if try == 2 || !chosen {
			return fd, err
		}
		// A kernel that chooses the port may choose the one that is dialed, which
		// connects the socket to itself, go.dev/issue/2690, or one in use.
		switch {
		case err == nil && selfConnected(fd):
			fd.Close()
		case isErrno(err, syscall.EADDRNOTAVAIL):
		default:
			return fd, err
		}
	}
}

func selfConnected(fd *netfd.FD) bool {
	local, ok1 := fd.Local().(*net.TCPAddr)
	remote, ok2 := fd.Remote().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return true
	}
	return local.Port == remote.Port && local.IP.Equal(remote.IP)
}

// dialOne dials from local to remote for a function that takes the networks among.
func (d *Dialer) dialOne(ctx context.Context, network string, among []string, local, remote net.Addr) (net.Conn, error) {
	k, err := kindOf(network, among)
	if err == nil {
		err = checkNetNS(d.NetNS)
	}
	var fd *netfd.FD
	if err == nil {
		fd, err = d.open(ctx, k, local, remote)
	}
	if err != nil {
		return nil, openError("dial", network, plain(local), plain(remote), err)
	}
	return newConn(fd), nil
}

// DialTCP connects from laddr to raddr. A nil laddr lets the kernel choose; raddr must
// not be nil. The network must be "tcp", "tcp4" or "tcp6".
func DialTCP(network string, laddr, raddr *net.TCPAddr) (*TCPConn, error) {
	return noDialer.startTCP(context.Background(), network, laddr, raddr)
}

// DialTCP connects from laddr to raddr. The zero laddr lets the kernel choose.
func (d *Dialer) DialTCP(ctx context.Context, network string, laddr netip.AddrPort, raddr netip.AddrPort) (*TCPConn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()
	return d.startTCP(ctx, network, net.TCPAddrFromAddrPort(laddr), net.TCPAddrFromAddrPort(raddr))
}

func (d *Dialer) startTCP(ctx context.Context, network string, laddr, raddr *net.TCPAddr) (*TCPConn, error) {
	c, err := d.dialOne(ctx, network, tcpNetworks, laddr, raddr)
	if err != nil {
		return nil, err
	}
	return c.(*TCPConn), nil
}

// DialUDP makes a UDP socket that sends from laddr and whose peer is raddr. A nil laddr
// lets the kernel choose; raddr must not be nil. The network must be "udp", "udp4" or
// "udp6".
func DialUDP(network string, laddr, raddr *net.UDPAddr) (*UDPConn, error) {
	return noDialer.startUDP(context.Background(), network, laddr, raddr)
}

// DialUDP makes a UDP socket that sends from laddr and whose peer is raddr. The zero
// laddr lets the kernel choose.
func (d *Dialer) DialUDP(ctx context.Context, network string, laddr netip.AddrPort, raddr netip.AddrPort) (*UDPConn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()
	return d.startUDP(ctx, network, net.UDPAddrFromAddrPort(laddr), net.UDPAddrFromAddrPort(raddr))
}

func (d *Dialer) startUDP(ctx context.Context, network string, laddr, raddr *net.UDPAddr) (*UDPConn, error) {
	c, err := d.dialOne(ctx, network, udpNetworks, laddr, raddr)
	if err != nil {
		return nil, err
	}
	return c.(*UDPConn), nil
}

// DialIP makes a raw IP socket that sends from laddr and whose peer is raddr. A nil
// laddr lets the kernel choose; raddr must not be nil. The network must be "ip", "ip4"
// or "ip6" followed by a colon and a protocol number or name.
func DialIP(network string, laddr, raddr *net.IPAddr) (*IPConn, error) {
	return noDialer.startIP(context.Background(), network, laddr, raddr)
}

// DialIP makes a raw IP socket that sends from laddr and whose peer is raddr. The zero
// laddr lets the kernel choose.
func (d *Dialer) DialIP(ctx context.Context, network string, laddr netip.Addr, raddr netip.Addr) (*IPConn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()
	return d.startIP(ctx, network, ipAddrFromAddr(laddr), ipAddrFromAddr(raddr))
}

func ipAddrFromAddr(addr netip.Addr) *net.IPAddr {
	return &net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}
}

func (d *Dialer) startIP(ctx context.Context, network string, laddr, raddr *net.IPAddr) (*IPConn, error) {
	if raddr == nil {
		return nil, openError("dial", network, plain(laddr), nil, errMissingAddress())
	}
	c, err := d.dialOne(ctx, network, ipNetworks, laddr, raddr)
	if err != nil {
		return nil, err
	}
	return c.(*IPConn), nil
}

// DialUnix connects to raddr. If laddr is not nil, it becomes the socket's own address.
// raddr may be nil only if the network is "unixgram" and laddr is not nil. The network
// must be "unix", "unixgram" or "unixpacket".
func DialUnix(network string, laddr, raddr *net.UnixAddr) (*UnixConn, error) {
	return noDialer.startUnix(context.Background(), network, laddr, raddr)
}

// DialUnix is like the function [DialUnix], with the options of d.
func (d *Dialer) DialUnix(ctx context.Context, network string, laddr *net.UnixAddr, raddr *net.UnixAddr) (*UnixConn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()
	return d.startUnix(ctx, network, laddr, raddr)
}

func (d *Dialer) startUnix(ctx context.Context, network string, laddr, raddr *net.UnixAddr) (*UnixConn, error) {
	c, err := d.dialOne(ctx, network, unixNetworks, laddr, raddr)
	if err != nil {
		return nil, err
	}
	return c.(*UnixConn), nil
}

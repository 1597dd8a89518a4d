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

// Dialer holds the options of connecting. The zero value is ready to use, and no
// method modifies it but SetMultipathTCP, so one value may serve many goroutines.
// Its fields and methods are those of net.Dialer, and Options.
type Dialer struct {
	// Timeout is how long a dial may take; with several addresses, or host names
	// that have several, it is shared out among them. Zero means as long as the
	// system takes; a dial with a negative Timeout fails.
	Timeout time.Duration

	// Deadline is when dials fail. Zero means never. If Timeout is set as well, the
	// earlier of the two counts.
	Deadline time.Time

	// LocalAddr is the address to connect from, of the network's own type. Nil
	// leaves the choice to the kernel.
	LocalAddr net.Addr

	// DualStack is ignored.
	//
	// Deprecated: Fast fallback is on by default. Set FallbackDelay to a negative
	// value to turn it off.
	DualStack bool

	// FallbackDelay is how long to wait for a connection over the family of the
	// first address before one over the other family is tried as well, RFC 6555.
	// Zero means 300 milliseconds; negative turns the race off. It applies to
	// networks "tcp" and "mptcp".
	FallbackDelay time.Duration

	// KeepAlive is the time before the first keep-alive probe and between probes.
	// Zero means 15 seconds; negative turns probes off. It is ignored if
	// KeepAliveConfig.Enable is true.
	KeepAlive time.Duration

	// KeepAliveConfig sets up keep-alive probes if its Enable is true.
	KeepAliveConfig net.KeepAliveConfig

	// Resolver looks up host names. Nil means net.DefaultResolver.
	Resolver *net.Resolver

	// Cancel is a channel whose closing cancels dials.
	//
	// Deprecated: Use DialContext.
	Cancel <-chan struct{}

	// Control is called after the socket is made and before it is bound and
	// connected, once for each address tried. network tells the family: "tcp4",
	// not "tcp". ControlContext has precedence.
	Control func(network, address string, c syscall.RawConn) error

	// ControlContext is Control with the context of the dial.
	ControlContext func(ctx context.Context, network, address string, c syscall.RawConn) error

	// Options are set on every socket after Control and before bind, in order.
	Options []sockopt.Setting

	// Format is the external format of the streams that Dial and DialContext return, see
	// TextConn. The zero value is bytes as they are.
	Format ExternalFormat

	// InputBufferSize and OutputBufferSize are the sizes of user-space buffers, in
	// bytes on the wire, as TextConn.SetBufferSizes takes them. Zero is none: each
	// Write is on the wire when it returns.
	InputBufferSize, OutputBufferSize int

	// Offload turns segmentation offload on for UDP, where the system has it; see
	// UDPConn.SetOffload. It changes nothing for other networks.
	Offload bool

	// NetNS is the network namespace from which to connect: an open file such as
	// /run/netns/NAME or /proc/PID/ns/net, which the caller keeps. Sockets are made in
	// it, abstract names of unix sockets are those in it, and the process stays where
	// it is. Host names, services and the names of interfaces in zones are looked up
	// outside: let Resolver ask a server in the namespace, and give a zone as the
	// index of its interface there. Nil is the namespace of the process.
	//
	// It takes CAP_SYS_ADMIN, see setns(2). Systems without network namespaces return
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

// MultipathTCP reports whether dials try Multipath TCP, RFC 8684, first. The
// default is package net's, which GODEBUG=multipathtcp changes. What came of it
// the MultipathTCP method of the connection tells.
func (d *Dialer) MultipathTCP() bool {
	if d.mptcp == mptcpDefault {
		return new(net.Dialer).MultipathTCP()
	}
	return d.mptcp == mptcpOn
}

// SetMultipathTCP says whether dials try Multipath TCP first. They fall back to TCP.
func (d *Dialer) SetMultipathTCP(use bool) { d.mptcp.set(use) }

// noDialer is that of the functions, which have no options. It is never changed.
var noDialer Dialer

// Dial connects to address on network; see DialContext.
func Dial(network, address string) (net.Conn, error) {
	return noDialer.Dial(network, address)
}

// DialTimeout is Dial that fails once timeout has passed, name resolution
// included.
func DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx := context.Background()
	if timeout != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return noDialer.DialContext(ctx, network, address)
}

// Dial connects to address on network; see DialContext.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address on network, unless ctx ends first. Once the
// connection is established, the end of ctx does not affect it.
//
// The networks are "tcp", "udp" and "ip:" with a protocol's number or name, each also
// with 4 or 6 for one family ("tcp4", "ip6:icmp"), and "unix", "unixgram" and
// "unixpacket". Beyond package net there are "mptcp", also with 4 or 6, which does not
// fall back to TCP before the peer is asked, and "vsock".
//
// The address is host:port, where the host may be a name and the port a service name; a
// host for "ip"; a path for unix networks, where a leading "@" means an abstract name;
// and for "vsock" what VsockAddr.String returns. An empty or unspecified host means
// this host.
//
// The result is a *TCPConn, *UDPConn, *IPConn, *UnixConn or *StreamConn, or a *TextConn
// over one if d.Format converts anything. Errors are *net.OpError, and the same as
// package net's.
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

// DialAddrs connects to one of addrs on network, as DialContext does to the addresses of
// a host name: addresses of the first one's family are tried in order, those of the other
// family after FallbackDelay as well, the time is shared out among them, and if all fail
// the error is that of the first.
//
// The networks are "tcp", "udp" and "mptcp", each also with 4 or 6 for one family. IPv4
// addresses in IPv6 form count as IPv4. No addresses, one that is not valid and one that
// is not of the network's family are an *ArgumentError in the *net.OpError, before
// anything is tried. DialAddrs does not modify addrs.
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
		if k.triesMultipath() && d.MultipathTCP() {
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

// DialTCP connects from laddr, nil for any address, to raddr, which must not be
// nil. The network must be "tcp", "tcp4" or "tcp6".
func DialTCP(network string, laddr, raddr *net.TCPAddr) (*TCPConn, error) {
	return noDialer.startTCP(context.Background(), network, laddr, raddr)
}

// DialTCP connects from laddr, the zero AddrPort for any address, to raddr.
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

// DialUDP makes a socket whose peer is raddr, which must not be nil, and which
// sends from laddr, nil for any address. The network must be "udp", "udp4" or
// "udp6".
func DialUDP(network string, laddr, raddr *net.UDPAddr) (*UDPConn, error) {
	return noDialer.startUDP(context.Background(), network, laddr, raddr)
}

// DialUDP makes a socket whose peer is raddr, and which sends from laddr, the zero
// AddrPort for any address.
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

// DialIP makes a raw socket whose peer is raddr, which must not be nil, and which
// sends from laddr, nil for any address. The network must be "ip", "ip4" or "ip6",
// a colon and a protocol's number or name.
func DialIP(network string, laddr, raddr *net.IPAddr) (*IPConn, error) {
	return noDialer.startIP(context.Background(), network, laddr, raddr)
}

// DialIP makes a raw socket whose peer is raddr, and which sends from laddr, the
// zero Addr for any address.
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

// DialUnix connects to raddr. The socket gets the name laddr, if that is not nil,
// and with network "unixgram" raddr may be nil then. The network must be "unix",
// "unixgram" or "unixpacket".
func DialUnix(network string, laddr, raddr *net.UnixAddr) (*UnixConn, error) {
	return noDialer.startUnix(context.Background(), network, laddr, raddr)
}

// DialUnix is the function DialUnix with the options of d.
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

package sockets

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// opening is the part of an opening that all kinds of dial share.
func (d *Dialer) opening(k kind, local, remote net.Addr) *opening {
	o := &opening{
		kind: k, local: plain(local), remote: plain(remote),
		control: d.ControlContext, options: d.Options, offload: d.Offload,
		keepAlive: d.KeepAlive, keepAliveConfig: d.KeepAliveConfig,
	}
	if o.control == nil && d.Control != nil {
		o.control = func(_ context.Context, network, address string, c syscall.RawConn) error {
			return d.Control(network, address, c)
		}
	}
	return o
}

func (d *Dialer) open(ctx context.Context, network string, local, remote net.Addr) (*netfd.FD, error) {
	k, err := kindOf(network)
	if err != nil {
		return nil, err
	}
	return d.opening(k, local, remote).open(ctx)
}

func (d *Dialer) dialTCP(ctx context.Context, network string, local, remote *net.TCPAddr) (*TCPConn, error) {
	k, err := kindOf(network)
	if err != nil {
		return nil, err
	}
	if d.MultipathTCP() && sys.IPPROTO_MPTCP > 0 && k.proto == 0 {
		multi := k
		multi.proto = sys.IPPROTO_MPTCP
		fd, err := d.openTCP(ctx, multi, local, remote)
		if err == nil {
			return &TCPConn{conn{fd}}, nil
		}
		// Whatever the reason was, TCP may do.
	}
	fd, err := d.openTCP(ctx, k, local, remote)
	if err != nil {
		return nil, err
	}
	return &TCPConn{conn{fd}}, nil
}

func (d *Dialer) openTCP(ctx context.Context, k kind, local, remote *net.TCPAddr) (*netfd.FD, error) {
	for try := 0; ; try++ {
		fd, err := d.opening(k, local, remote).open(ctx)
		if try == 2 || local != nil && local.Port != 0 {
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

func (d *Dialer) dialUDP(ctx context.Context, network string, local, remote *net.UDPAddr) (*UDPConn, error) {
	fd, err := d.open(ctx, network, local, remote)
	if err != nil {
		return nil, err
	}
	return &UDPConn{conn{fd}}, nil
}

func (d *Dialer) dialIP(ctx context.Context, network string, local, remote *net.IPAddr) (*IPConn, error) {
	k, err := kindOfIP(network)
	if err != nil {
		return nil, err
	}
	fd, err := d.opening(k, local, remote).open(ctx)
	if err != nil {
		return nil, err
	}
	return &IPConn{conn{fd}}, nil
}

// kindOfIP is kindOf for raw IP sockets only.
func kindOfIP(network string) (kind, error) {
	k, err := kindOf(network)
	if err == nil && k.typ != sys.SOCK_RAW {
		err = net.UnknownNetworkError(network)
	}
	return k, err
}

func (d *Dialer) dialUnix(ctx context.Context, network string, local, remote *net.UnixAddr) (*UnixConn, error) {
	k, err := kindOf(network)
	if err != nil {
		return nil, err
	}
	if local != nil && local.Name == "" {
		local = nil
	}
	if remote != nil && remote.Name == "" {
		remote = nil
	}
	if remote == nil && (k.stream() || local == nil) {
		return nil, errMissingAddress()
	}
	fd, err := d.opening(k, local, remote).open(ctx)
	if err != nil {
		return nil, err
	}
	return &UnixConn{conn{fd}}, nil
}

func (d *Dialer) dialVsock(ctx context.Context, network string, remote *VsockAddr) (*StreamConn, error) {
	local, ok := d.LocalAddr.(*VsockAddr)
	if !ok && d.LocalAddr != nil {
		return nil, &net.AddrError{Err: "mismatched local address type", Addr: d.LocalAddr.String()}
	}
	fd, err := d.open(ctx, network, local, remote)
	if err != nil {
		return nil, err
	}
	return &StreamConn{conn{fd}}, nil
}

// dialed is the end of every function that dials one kind of socket.
func dialed[C any](network string, local, remote net.Addr, c *C, err error) (*C, error) {
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: plain(local), Addr: plain(remote), Err: err}
	}
	return c, nil
}

func checkNetwork(network string, known ...string) error {
	for _, k := range known {
		if network == k {
			return nil
		}
	}
	return net.UnknownNetworkError(network)
}

// DialTCP connects from laddr, nil for any address, to raddr, which must not be
// nil. The network must be "tcp", "tcp4" or "tcp6".
func DialTCP(network string, laddr, raddr *net.TCPAddr) (*TCPConn, error) {
	return new(Dialer).startTCP(context.Background(), network, laddr, raddr)
}

// DialTCP connects from laddr, the zero AddrPort for any address, to raddr.
func (d *Dialer) DialTCP(ctx context.Context, network string, laddr netip.AddrPort, raddr netip.AddrPort) (*TCPConn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()
	return d.startTCP(ctx, network, net.TCPAddrFromAddrPort(laddr), net.TCPAddrFromAddrPort(raddr))
}

func (d *Dialer) startTCP(ctx context.Context, network string, laddr, raddr *net.TCPAddr) (*TCPConn, error) {
	err := checkNetwork(network, "tcp", "tcp4", "tcp6")
	if err == nil && raddr == nil {
		err = errMissingAddress()
	}
	var c *TCPConn
	if err == nil {
		c, err = d.dialTCP(ctx, network, laddr, raddr)
	}
	return dialed(network, laddr, raddr, c, err)
}

// DialUDP makes a socket whose peer is raddr, which must not be nil, and which
// sends from laddr, nil for any address. The network must be "udp", "udp4" or
// "udp6".
func DialUDP(network string, laddr, raddr *net.UDPAddr) (*UDPConn, error) {
	return new(Dialer).startUDP(context.Background(), network, laddr, raddr)
}

// DialUDP makes a socket whose peer is raddr, and which sends from laddr, the zero
// AddrPort for any address.
func (d *Dialer) DialUDP(ctx context.Context, network string, laddr netip.AddrPort, raddr netip.AddrPort) (*UDPConn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()
	return d.startUDP(ctx, network, net.UDPAddrFromAddrPort(laddr), net.UDPAddrFromAddrPort(raddr))
}

func (d *Dialer) startUDP(ctx context.Context, network string, laddr, raddr *net.UDPAddr) (*UDPConn, error) {
	err := checkNetwork(network, "udp", "udp4", "udp6")
	if err == nil && raddr == nil {
		err = errMissingAddress()
	}
	var c *UDPConn
	if err == nil {
		c, err = d.dialUDP(ctx, network, laddr, raddr)
	}
	return dialed(network, laddr, raddr, c, err)
}

// DialIP makes a raw socket whose peer is raddr, which must not be nil, and which
// sends from laddr, nil for any address. The network must be "ip", "ip4" or "ip6",
// a colon and a protocol's number or name.
func DialIP(network string, laddr, raddr *net.IPAddr) (*IPConn, error) {
	return new(Dialer).startIP(context.Background(), network, laddr, raddr)
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
	var err error
	if raddr == nil {
		err = errMissingAddress()
	}
	var c *IPConn
	if err == nil {
		c, err = d.dialIP(ctx, network, laddr, raddr)
	}
	return dialed(network, laddr, raddr, c, err)
}

// DialUnix connects to raddr. The socket gets the name laddr, if that is not nil,
// and with network "unixgram" raddr may be nil then. The network must be "unix",
// "unixgram" or "unixpacket".
func DialUnix(network string, laddr, raddr *net.UnixAddr) (*UnixConn, error) {
	return new(Dialer).startUnix(context.Background(), network, laddr, raddr)
}

// DialUnix is the function DialUnix with the options of d.
func (d *Dialer) DialUnix(ctx context.Context, network string, laddr *net.UnixAddr, raddr *net.UnixAddr) (*UnixConn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()
	return d.startUnix(ctx, network, laddr, raddr)
}

func (d *Dialer) startUnix(ctx context.Context, network string, laddr, raddr *net.UnixAddr) (*UnixConn, error) {
	err := checkNetwork(network, "unix", "unixgram", "unixpacket")
	var c *UnixConn
	if err == nil {
		c, err = d.dialUnix(ctx, network, laddr, raddr)
	}
	return dialed(network, laddr, raddr, c, err)
}

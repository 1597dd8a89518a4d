package sockets

import (
	"context"
	"net"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// ListenConfig holds the options of listening. The zero value is ready to use, and
// no method modifies it but SetMultipathTCP, so one value may serve many
// goroutines. Its fields and methods are those of net.ListenConfig, Backlog and
// Options.
type ListenConfig struct {
	// Control is called after the socket is made and before it is bound. network
	// tells the family: "tcp4", not "tcp".
	Control func(network, address string, c syscall.RawConn) error

	// KeepAlive is the time before the first keep-alive probe on accepted
	// connections. Zero means 15 seconds; negative turns probes off. It is
	// ignored if KeepAliveConfig.Enable is true.
	KeepAlive time.Duration

	// KeepAliveConfig sets up keep-alive probes on accepted connections if its
	// Enable is true.
	KeepAliveConfig net.KeepAliveConfig

	// Backlog is how many connections may wait to be accepted. Zero means as many
	// as the system allows; negative is an error. See listen(2).
	Backlog int

	// Options are set on the socket after Control and before bind, in order.
	// Accepted connections inherit most of them from a listener, see tcp(7).
	Options []Setting

	// Format is the external format of the streams that a listener's Accept returns, see
	// TextConn. The zero value is bytes as they are.
	Format ExternalFormat

	// InputBufferSize and OutputBufferSize are the sizes of user-space buffers, in
	// bytes on the wire, as TextConn.SetBufferSizes takes them. Zero is none: each
	// Write is on the wire when it returns.
	InputBufferSize, OutputBufferSize int

	// Offload turns segmentation offload on for UDP, where the system has it; see
	// UDPConn.SetOffload. It changes nothing for other networks.
	Offload bool

	mptcp mptcpUse
}

// MultipathTCP reports whether listeners try Multipath TCP, RFC 8684, first, which
// serves clients without it as well. The default is package net's, which
// GODEBUG=multipathtcp changes.
func (lc *ListenConfig) MultipathTCP() bool {
	if lc.mptcp == mptcpDefault {
		return new(net.ListenConfig).MultipathTCP()
	}
	return lc.mptcp == mptcpOn
}

// SetMultipathTCP says whether listeners try Multipath TCP first. They fall back to
// TCP.
func (lc *ListenConfig) SetMultipathTCP(use bool) { lc.mptcp.set(use) }

// Listen listens for connections to address on network; see ListenConfig.Listen.
func Listen(network, address string) (net.Listener, error) {
	return new(ListenConfig).Listen(context.Background(), network, address)
}

// ListenPacket makes a socket that receives messages sent to address on network;
// see ListenConfig.ListenPacket.
func ListenPacket(network, address string) (net.PacketConn, error) {
	return new(ListenConfig).ListenPacket(context.Background(), network, address)
}

// Listen listens for connections to address on network: "tcp", "tcp4", "tcp6",
// "unix" or "unixpacket"; beyond package net, "mptcp", also with 4 or 6, which does
// not make do with TCP, and "vsock". Of a host name's addresses one is used. No
// host, or an unspecified one, is every address of this host, IPv4 and IPv6 unless
// network says which; port 0, or none, is one that the kernel chooses. A unix
// listener without a name gets an abstract one.
//
// The result is a *TCPListener, *UnixListener or *StreamListener. Errors are
// *net.OpError, and the same as package net's. The end of ctx gives up the look-up of a host name, and
// does not affect the listener.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	addr, err := lc.resolve(ctx, network, address)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	switch a := addr.(type) {
	case *net.TCPAddr:
		var t *TCPListener
		t, err = lc.listenTCP(ctx, network, a)
		l = t
	case *net.UnixAddr:
		var u *UnixListener
		u, err = lc.listenUnix(ctx, network, a)
		l = u
	case *VsockAddr:
		var v *StreamListener
		v, err = lc.listenVsock(ctx, network, a)
		l = v
	default:
		err = &net.AddrError{Err: "unexpected address type", Addr: address}
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
	}
	return l, nil
}

// ListenPacket makes a socket that receives messages sent to address on network:
// "udp", "udp4", "udp6", "ip:" and a protocol, also with 4 or 6, or "unixgram".
// Addresses are those of Listen; the path of a unix socket stays when it is closed.
//
// The result is a *UDPConn, *IPConn or *UnixConn.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	addr, err := lc.resolve(ctx, network, address)
	if err != nil {
		return nil, err
	}
	var c net.PacketConn
	switch a := addr.(type) {
	case *net.UDPAddr:
		var u *UDPConn
		u, err = lc.listenUDP(ctx, network, a)
		c = u
	case *net.IPAddr:
		var i *IPConn
		i, err = lc.listenIP(ctx, network, a)
		c = i
	case *net.UnixAddr:
		var u *UnixConn
		u, err = lc.listenUnixgram(ctx, network, a)
		c = u
	default:
		err = &net.AddrError{Err: "unexpected address type", Addr: address}
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
	}
	return c, nil
}

func (lc *ListenConfig) resolve(ctx context.Context, network, address string) (net.Addr, error) {
	err := checkBacklog(lc.Backlog)
	if err == nil {
		err = lc.format().checkNetwork(network)
	}
	var addrs []net.Addr
	if err == nil {
		addrs, err = resolve(ctx, net.DefaultResolver, "listen", network, address, nil)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	return preferIPv4(addrs), nil
}

func (lc *ListenConfig) open(ctx context.Context, network string, local net.Addr) (*netfd.FD, error) {
	k, err := kindOf(network)
	if err != nil {
		return nil, err
	}
	return lc.openKind(ctx, k, local)
}

// openKind is the part that all kinds of listening share.
func (lc *ListenConfig) openKind(ctx context.Context, k kind, local net.Addr) (*netfd.FD, error) {
	o := &opening{
		kind: k, local: local, listen: true, backlog: lc.Backlog,
		options:   lc.Options,
		offload:   lc.Offload,
		keepAlive: lc.KeepAlive, keepAliveConfig: lc.KeepAliveConfig,
	}
	if lc.Control != nil {
		o.control = func(_ context.Context, network, address string, c syscall.RawConn) error {
			return lc.Control(network, address, c)
		}
	}
	return o.open(ctx)
}

// newListener makes the core of a listener with the options of lc.
func (lc *ListenConfig) newListener(fd *netfd.FD) *listener {
	l := newListener(fd, lc.Control != nil || len(lc.Options) > 0)
	l.options = lc.Options
	l.format = lc.format()
	return l
}

func (lc *ListenConfig) format() wireFormat {
	return wireFormat{lc.Format, lc.InputBufferSize, lc.OutputBufferSize}
}

func (lc *ListenConfig) listenTCP(ctx context.Context, network string, addr *net.TCPAddr) (*TCPListener, error) {
	k, err := kindOf(network)
	if err != nil {
		return nil, err
	}
	if lc.MultipathTCP() && sys.IPPROTO_MPTCP > 0 && k.proto == 0 {
		multi := k
		multi.proto = sys.IPPROTO_MPTCP
		fd, err := lc.openKind(ctx, multi, addr)
		if err == nil {
			return &TCPListener{lc.newListener(fd)}, nil
		}
		// Whatever the reason was, TCP may do.
	}
	fd, err := lc.openKind(ctx, k, addr)
	if err != nil {
		return nil, err
	}
	return &TCPListener{lc.newListener(fd)}, nil
}

func (lc *ListenConfig) listenUDP(ctx context.Context, network string, addr *net.UDPAddr) (*UDPConn, error) {
	fd, err := lc.open(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &UDPConn{conn{fd}}, nil
}

func (lc *ListenConfig) listenIP(ctx context.Context, network string, addr *net.IPAddr) (*IPConn, error) {
	k, err := kindOfIP(network)
	if err != nil {
		return nil, err
	}
	fd, err := lc.openKind(ctx, k, addr)
	if err != nil {
		return nil, err
	}
	return &IPConn{conn{fd}}, nil
}

// listenUnix takes network "unixgram" as well, as package net does for Listen.
func (lc *ListenConfig) listenUnix(ctx context.Context, network string, addr *net.UnixAddr) (*UnixListener, error) {
	fd, err := lc.open(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return newUnixListener(lc.newListener(fd), true), nil
}

func (lc *ListenConfig) listenVsock(ctx context.Context, network string, addr *VsockAddr) (*StreamListener, error) {
	fd, err := lc.open(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &StreamListener{lc.newListener(fd)}, nil
}

// listenUnixgram takes networks "unix" and "unixpacket" as well, as package net
// does for ListenPacket.
func (lc *ListenConfig) listenUnixgram(ctx context.Context, network string, addr *net.UnixAddr) (*UnixConn, error) {
	fd, err := lc.open(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &UnixConn{conn{fd}}, nil
}

// listened is the end of every function that listens on one kind of socket.
func listened[C any](network string, local net.Addr, c *C, err error) (*C, error) {
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: plain(local), Err: err}
	}
	return c, nil
}

// ListenTCP listens for TCP connections to laddr; nil, or no IP, is every address
// of this host. The network must be "tcp", "tcp4" or "tcp6".
func ListenTCP(network string, laddr *net.TCPAddr) (*TCPListener, error) {
	err := checkNetwork(network, "tcp", "tcp4", "tcp6")
	var l *TCPListener
	if err == nil {
		if laddr == nil {
			laddr = &net.TCPAddr{}
		}
		l, err = new(ListenConfig).listenTCP(context.Background(), network, laddr)
	}
	return listened(network, laddr, l, err)
}

// ListenUDP makes a socket that receives datagrams sent to laddr; nil, or no IP,
// is every address of this host. The network must be "udp", "udp4" or "udp6".
func ListenUDP(network string, laddr *net.UDPAddr) (*UDPConn, error) {
	err := checkNetwork(network, "udp", "udp4", "udp6")
	var c *UDPConn
	if err == nil {
		if laddr == nil {
			laddr = &net.UDPAddr{}
		}
		c, err = new(ListenConfig).listenUDP(context.Background(), network, laddr)
	}
	return listened(network, laddr, c, err)
}

// ListenIP makes a raw socket that receives packets sent to laddr; nil, or no IP,
// is every address of this host. The network must be "ip", "ip4" or "ip6", a colon
// and a protocol's number or name.
func ListenIP(network string, laddr *net.IPAddr) (*IPConn, error) {
	if laddr == nil {
		laddr = &net.IPAddr{}
	}
	c, err := new(ListenConfig).listenIP(context.Background(), network, laddr)
	return listened(network, laddr, c, err)
}

// ListenUnix listens for connections to laddr, which must not be nil. The network
// must be "unix" or "unixpacket".
func ListenUnix(network string, laddr *net.UnixAddr) (*UnixListener, error) {
	err := checkNetwork(network, "unix", "unixpacket")
	if err == nil && laddr == nil {
		err = errMissingAddress()
	}
	var l *UnixListener
	if err == nil {
		l, err = new(ListenConfig).listenUnix(context.Background(), network, laddr)
	}
	return listened(network, laddr, l, err)
}

// ListenUnixgram makes a socket that receives datagrams sent to laddr, which must
// not be nil. The network must be "unixgram".
func ListenUnixgram(network string, laddr *net.UnixAddr) (*UnixConn, error) {
	err := checkNetwork(network, "unixgram")
	if err == nil && laddr == nil {
		err = errMissingAddress()
	}
	var c *UnixConn
	if err == nil {
		c, err = new(ListenConfig).listenUnixgram(context.Background(), network, laddr)
	}
	return listened(network, laddr, c, err)
}

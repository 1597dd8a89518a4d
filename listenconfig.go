package sockets

import (
	"context"
	"io/fs"
	"math"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// ListenConfig holds the options of listening. The zero value is ready to use, and
// no method modifies it but SetMultipathTCP, so one value may serve many
// goroutines. It has all fields and methods of net.ListenConfig.
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

	// Options are set on the socket after Control and before bind, in order. Those of
	// a listener hold on the connections that it accepts: what the kernel does not
	// hand down is set on each, which costs a system call; on Linux SO_PRIORITY, and
	// with Multipath TCP a few more. Options that Multipath TCP lacks make a listener
	// one for TCP.
	Options []sockopt.Setting

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

	// PacketInfo makes received datagrams come with the control data that
	// ParsePacketInfo reads: at which address and interface they arrived, their TOS
	// and TTL. It is for UDP and raw IP sockets and changes nothing for other networks.
	PacketInfo bool

	// GroupOnly makes ListenPacket bind a UDP socket to the multicast group that is its
	// address, instead of to the wildcard, and not deliver what only other sockets
	// have joined. Nothing is received then but what is sent to the group and comes
	// in where this socket joined it: call UDPConn.JoinGroup, once for each interface,
	// or JoinSourceSpecificGroup. An address that is no group is an error.
	//
	// An IPv6 group of one link needs its zone, and is received on that link alone. What
	// is sent to another IPv6 group comes in by every interface where any socket joined
	// it, once this one joined it anywhere; sockopt.BindToDevice in Options keeps to one.
	// See IP_MULTICAST_ALL in ip(7).
	GroupOnly bool

	// NetNS is the network namespace in which to listen: an open file such as
	// /run/netns/NAME or /proc/PID/ns/net, which the caller keeps. It is as
	// Dialer.NetNS, so that the host of an address is looked up outside. Nil is the
	// namespace of the process.
	NetNS *os.File

	// UnixMode has the permissions of a unix socket's file, 0o660 for one, whatever the
	// umask is: write permission is what connecting and sending take, see unix(7).
	// They are in force before any process can connect. Zero means 0o777 without the
	// bits of the umask.
	//
	// It is an *ArgumentError to give other bits than those of fs.ModePerm, or to
	// listen without a file: on other networks than "unix", "unixpacket" and
	// "unixgram", or with an abstract name. Only on Linux can a file be made for
	// "unixgram"; other systems return errors.ErrUnsupported.
	UnixMode fs.FileMode

	// UnixOwner is who owns the file, from before any process can connect. Nil means
	// the user and the group of this process. It needs UnixMode; without privileges
	// only the group can be changed, to one that the process belongs to.
	UnixOwner *UnixOwner

	// ReplaceStale removes the file of a unix socket that no process has open, as
	// one that was killed leaves it, and listens in its place. It removes sockets only,
	// and only those to which connecting fails with ECONNREFUSED: where a server
	// listens, which sees a connection that ends at once, the error is EADDRINUSE as
	// ever; and any other file at the path is an *ArgumentError. It has no effect on
	// other networks and abstract names.
	//
	// Of several processes that start with ReplaceStale at once, one listens. For
	// that there is, until it does, a locked file beside the socket, whose name is the
	// path and ".starting"; the end of ctx gives up waiting for it, and another file of
	// that name stays and is an error, fs.ErrExist. Other programs that bind to the path
	// do not know the lock. On the BSDs and Darwin, a server whose accept queue is full
	// cannot be told from a stale socket.
	ReplaceStale bool

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

// noListenConfig is that of the functions, which have no options. It is never changed.
var noListenConfig ListenConfig

// Listen listens for connections to address on network; see ListenConfig.Listen.
func Listen(network, address string) (net.Listener, error) {
	return noListenConfig.Listen(context.Background(), network, address)
}

// ListenPacket makes a socket that receives messages sent to address on network;
// see ListenConfig.ListenPacket.
func ListenPacket(network, address string) (net.PacketConn, error) {
	return noListenConfig.ListenPacket(context.Background(), network, address)
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
	fd, o, err := lc.listen(ctx, network, address, (*kind).stream)
	if err != nil {
		return nil, err
	}
	return newListener(lc.core(fd, o), o.file), nil
}

// ListenPacket makes a socket that receives messages sent to address on network:
// "udp", "udp4", "udp6", "ip:" and a protocol, also with 4 or 6, or "unixgram".
// Addresses are those of Listen; the path of a unix socket stays when it is closed.
//
// The result is a *UDPConn, *IPConn or *UnixConn.
func (lc *ListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	fd, _, err := lc.listen(ctx, network, address, func(k *kind) bool { return !k.stream() })
	if err != nil {
		return nil, err
	}
	return newConn(fd).(net.PacketConn), nil
}

// listen makes a socket for one of the addresses that address means, if its kind fits.
// Unix sockets of all kinds do, as in package net.
func (lc *ListenConfig) listen(ctx context.Context, network, address string, fits func(*kind) bool) (fd *netfd.FD, o opening, err error) {
	err = checkBacklog(lc.Backlog)
	var k *kind
	if err == nil {
		k, err = kindOf(network, nil)
	}
	if err == nil {
		err = checkNetNS(lc.NetNS)
	}
	if err == nil {
		err = lc.format().check(k.typ)
	}
	var addrs []net.Addr
	if err == nil {
		addrs, err = k.resolve(ctx, net.DefaultResolver, false, address, nil)
	}
	if err != nil {
		return nil, o, openError("listen", network, nil, nil, err)
	}
	addr := preferIPv4(addrs)
	if k.family != sys.AF_UNIX && !fits(k) {
		err = &net.AddrError{Err: "unexpected address type", Addr: address}
	} else {
		err = lc.checkFile(k, addr)
	}
	if err == nil && lc.GroupOnly && !isGroup(addr) {
		err = &ArgumentError{Arg: "address", Value: addr, Why: "must be a multicast group of UDP for GroupOnly"}
	}
	if err == nil {
		fd, o, err = lc.open(ctx, k, addr)
	}
	if err != nil {
		return nil, o, openError("listen", network, nil, addr, err)
	}
	return fd, o, nil
}

// open makes a socket of kind k that listens to, or receives at, local, and returns how
// it was made. Errors come without *net.OpError.
func (lc *ListenConfig) open(ctx context.Context, k *kind, local net.Addr) (fd *netfd.FD, o opening, err error) {
	if k.triesMultipath() && lc.MultipathTCP() {
		o = lc.opening(k.multipath(), local)
		fd, err = o.open(ctx)
		if err == nil {
			return fd, o, nil
		}
		// Whatever the reason was, TCP may do.
	}
	o = lc.opening(k, local)
	fd, err = o.open(ctx)
	return fd, o, err
}

// opening is the part of an opening that all kinds of listening share.
func (lc *ListenConfig) opening(k *kind, local net.Addr) opening {
	o := opening{
		kind: k, local: local, listen: true, backlog: lc.Backlog,
		options:   lc.Options,
		offload:   lc.Offload,
		info:      lc.PacketInfo,
		groupOnly: lc.GroupOnly,
		netns:     lc.NetNS,
		keepAlive: lc.KeepAlive, keepAliveConfig: lc.KeepAliveConfig,
		replaceStale: lc.ReplaceStale, unixMode: lc.UnixMode, unixOwner: lc.UnixOwner,
	}
	if lc.Control != nil {
		o.control = func(_ context.Context, network, address string, c syscall.RawConn) error {
			return lc.Control(network, address, c)
		}
	}
	return o
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

// core makes the core of a listener with the options of lc, for which o opened fd.
func (lc *ListenConfig) core(fd *netfd.FD, o opening) *listener {
	l := newCore(fd, lc.Control != nil || slices.ContainsFunc(lc.Options, changesAddress))
	l.heirs.options = slices.Clone(lc.Options)
	if o.refused {
		l.heirs.defaults = lc.tcpDefaults()
	}
	l.format = lc.heldFormat()
	return l
}

func (lc *ListenConfig) tcpDefaults() *tcpDefaults {
	if lc.KeepAlive == 0 && lc.KeepAliveConfig == (net.KeepAliveConfig{}) {
		return &netDefaults
	}
	return &tcpDefaults{lc.KeepAlive, lc.KeepAliveConfig}
}

// heldFormat returns what a listener keeps of the format, nil if there is none.
func (lc *ListenConfig) heldFormat() *wireFormat {
	if lc.format() == (wireFormat{}) {
		return nil
	}
	format := lc.format()
	return &format
}

func (lc *ListenConfig) format() wireFormat {
	return wireFormat{lc.Format, lc.InputBufferSize, lc.OutputBufferSize}
}

// listenOne makes a socket that listens to, or receives at, local for a function that
// takes the networks among and has no options. wildcard is for a nil local, which is
// missing if that is nil, too.
func listenOne(network string, among []string, local, wildcard net.Addr) (fd *netfd.FD, o opening, err error) {
	k, err := kindOf(network, among)
	local = plain(local)
	if err == nil && local == nil {
		if local = wildcard; local == nil {
			err = errMissingAddress()
		}
	}
	if err == nil {
		fd, o, err = noListenConfig.open(context.Background(), k, local)
	}
	if err != nil {
		return nil, o, openError("listen", network, nil, local, err)
	}
	return fd, o, nil
}

// ListenTCP listens for TCP connections to laddr; nil, or no IP, is every address
// of this host. The network must be "tcp", "tcp4" or "tcp6".
func ListenTCP(network string, laddr *net.TCPAddr) (*TCPListener, error) {
	fd, o, err := listenOne(network, tcpNetworks, laddr, &net.TCPAddr{})
	if err != nil {
		return nil, err
	}
	return newListener(noListenConfig.core(fd, o), o.file).(*TCPListener), nil
}

// ListenUDP makes a socket that receives datagrams sent to laddr; nil, or no IP,
// is every address of this host. The network must be "udp", "udp4" or "udp6".
func ListenUDP(network string, laddr *net.UDPAddr) (*UDPConn, error) {
	fd, _, err := listenOne(network, udpNetworks, laddr, &net.UDPAddr{})
	if err != nil {
		return nil, err
	}
	return newConn(fd).(*UDPConn), nil
}

// ListenIP makes a raw socket that receives packets sent to laddr; nil, or no IP,
// is every address of this host. The network must be "ip", "ip4" or "ip6", a colon
// and a protocol's number or name.
func ListenIP(network string, laddr *net.IPAddr) (*IPConn, error) {
	if laddr == nil {
		laddr = &net.IPAddr{}
	}
	fd, _, err := listenOne(network, ipNetworks, laddr, nil)
	if err != nil {
		return nil, err
	}
	return newConn(fd).(*IPConn), nil
}

// ListenUnix listens for connections to laddr, which must not be nil. The network
// must be "unix" or "unixpacket".
func ListenUnix(network string, laddr *net.UnixAddr) (*UnixListener, error) {
	fd, o, err := listenOne(network, unixConnNetworks, laddr, nil)
	if err != nil {
		return nil, err
	}
	return newListener(noListenConfig.core(fd, o), o.file).(*UnixListener), nil
}

// ListenUnixgram makes a socket that receives datagrams sent to laddr, which must
// not be nil. The network must be "unixgram".
func ListenUnixgram(network string, laddr *net.UnixAddr) (*UnixConn, error) {
	fd, _, err := listenOne(network, []string{"unixgram"}, laddr, nil)
	if err != nil {
		return nil, err
	}
	return newConn(fd).(*UnixConn), nil
}

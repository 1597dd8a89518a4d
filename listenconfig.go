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

// ListenConfig holds the options for listening. The zero value is ready to use. No
// method other than SetMultipathTCP modifies a ListenConfig, so one value may serve
// many goroutines. It has the fields and methods of [net.ListenConfig] and more.
type ListenConfig struct {
	// Control is called after the socket is made and before it is bound. Its network
	// argument includes the family, as in "tcp4".
	Control func(network, address string, c syscall.RawConn) error

	// KeepAlive is the idle time before the first keep-alive probe on an accepted
	// connection, and the time between probes. Zero means 15 seconds; a negative value
	// disables probes. It is ignored if KeepAliveConfig.Enable is true.
	KeepAlive time.Duration

	// KeepAliveConfig configures keep-alive probes on accepted connections if its Enable
	// is true.
	KeepAliveConfig net.KeepAliveConfig

	// Backlog is how many connections may wait to be accepted. Zero means the most that
	// the system allows; a negative value is an error. See listen(2).
	Backlog int

	// Options are set on the socket in order, after Control is called and before the
	// socket is bound. Options of a listener also apply to the connections that it
	// accepts. Those that the kernel does not pass on are set on each connection, which
	// costs a system call; on Linux that is SO_PRIORITY, and with Multipath TCP a few
	// more. If Multipath TCP does not support one of the options, a listener uses plain
	// TCP.
	Options []sockopt.Setting

	// Format is the external format of the streams that the listener's Accept returns; see
	// TextConn. The zero value converts nothing.
	Format ExternalFormat

	// InputBufferSize and OutputBufferSize are the sizes of the user-space buffers of a
	// TextConn, in bytes on the wire; see TextConn.SetBufferSizes. Zero means no buffer:
	// data is on the wire when Write returns.
	InputBufferSize, OutputBufferSize int

	// Offload turns on segmentation offload for UDP where the system supports it; see
	// UDPConn.SetOffload. Other networks ignore it.
	Offload bool

	// PacketInfo adds to each received datagram the control data that ParsePacketInfo
	// understands: the address and interface at which it arrived, its TOS and its TTL. It
	// applies to UDP and raw IP sockets; other networks ignore it.
	PacketInfo bool

	// GroupOnly makes ListenPacket bind a UDP socket to the multicast group given as its
	// address, instead of to the wildcard address, and turns off the delivery of groups
	// that only other sockets have joined. The socket then receives only what is sent to
	// the group and arrives where the socket has joined it: call UDPConn.JoinGroup once
	// for each interface, or UDPConn.JoinSourceSpecificGroup. An address that is not a
	// group is an error.
	//
	// A link-local IPv6 group needs its zone, and is received on that link only. Datagrams
	// to any other IPv6 group are received on every interface where any socket has joined
	// it, once this socket has joined it anywhere; sockopt.BindToDevice in Options
	// restricts the socket to one. See IP_MULTICAST_ALL in ip(7).
	GroupOnly bool

	// NetNS is the network namespace to listen in: an open file such as /run/netns/NAME or
	// /proc/PID/ns/net, which the caller keeps. Nil means the namespace of the process.
	// The same rules apply as to Dialer.NetNS; in particular, the host of an address is
	// looked up outside of the namespace.
	NetNS *os.File

	// UnixMode is the permissions of a unix socket's file, such as 0o660, regardless of
	// the umask. Connecting and sending to a socket require write permission, see unix(7).
	// The permissions are in force before any process can connect. Zero means 0o777 minus
	// the bits of the umask.
	//
	// Bits outside of fs.ModePerm are an *ArgumentError, and so is a socket without a
	// file: networks other than "unix", "unixpacket" and "unixgram", and abstract names.
	// Only on Linux does UnixMode support "unixgram"; other systems return
	// errors.ErrUnsupported.
	UnixMode fs.FileMode

	// UnixOwner is the owner of the file, in force before any process can connect. Nil
	// means the user and the group of this process. It requires UnixMode. An unprivileged
	// process can only change the group, to one that it is a member of.
	UnixOwner *UnixOwner

	// ReplaceStale removes the file of a unix socket that no process has open, such as one
	// left by a process that was killed, and listens in its place. It removes only
	// sockets, and only those to which connecting fails with ECONNREFUSED. If a server is
	// listening, the error is EADDRINUSE as usual, and the server sees a connection that
	// ends at once. Any other kind of file at the path is an *ArgumentError. ReplaceStale
	// has no effect on other networks and on abstract names.
	//
	// If several processes start with ReplaceStale at once, one of them listens. To ensure
	// this, each holds a lock on a file beside the socket, named after the path with
	// ".starting" appended, until it listens. The end of ctx ends the wait for the lock.
	// Any other file of that name is left alone, and the error matches fs.ErrExist.
	// Programs that bind to the path by other means do not know of the lock. On macOS and
	// the BSDs, a server whose accept queue is full cannot be distinguished from a stale
	// socket.
	ReplaceStale bool

	mptcp mptcpUse
}

// MultipathTCP reports whether listeners on "tcp" use Multipath TCP (RFC 8684), which
// also serves clients that lack it. The default is that of package net, which
// GODEBUG=multipathtcp changes.
func (lc *ListenConfig) MultipathTCP() bool {
	if lc.mptcp == mptcpDefault {
		return new(net.ListenConfig).MultipathTCP()
	}
	return lc.mptcp == mptcpOn
}

// SetMultipathTCP sets whether listeners on "tcp" use Multipath TCP, falling back to
// TCP if this system lacks it.
func (lc *ListenConfig) SetMultipathTCP(use bool) { lc.mptcp.set(use) }

// noListenConfig is that of the functions, which have no options. It is never changed.
var noListenConfig ListenConfig

// Listen listens for connections to address on network. See [ListenConfig.Listen].
func Listen(network, address string) (net.Listener, error) {
	return noListenConfig.Listen(context.Background(), network, address)
}

// ListenPacket makes a socket that receives messages sent to address on network. See
// [ListenConfig.ListenPacket].
func ListenPacket(network, address string) (net.PacketConn, error) {
	return noListenConfig.ListenPacket(context.Background(), network, address)
}

// Listen listens for connections to address on network. The network must be "tcp",
// "tcp4", "tcp6", "unix" or "unixpacket", or one that package net lacks: "vsock", or
// "mptcp", "mptcp4" or "mptcp6", which fail if this system lacks Multipath TCP.
//
// If a host name has several addresses, one of them is used. An empty or unspecified
// host means all addresses of this host, IPv4 and IPv6 unless the network names one of
// them. Port 0, or an empty port, lets the kernel choose. A unix listener without a
// name gets an abstract one.
//
// The result is a [*TCPListener], [*UnixListener] or [*StreamListener]. Errors are of type
// [*net.OpError] and the same as package net's. The end of ctx ends the lookup of a
// host name; it does not affect the listener.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	fd, o, err := lc.listen(ctx, network, address, (*kind).stream)
	if err != nil {
		return nil, err
	}
	return newListener(lc.core(fd, o), o.file), nil
}

// ListenPacket makes a socket that receives messages sent to address on network. The
// network must be "udp", "udp4", "udp6", "unixgram", or "ip", "ip4" or "ip6" followed
// by a colon and a protocol number or name. Addresses are as for Listen. The file of a
// unix socket remains when the socket is closed.
//
// The result is a [*UDPConn], [*IPConn] or [*UnixConn].
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
		err = &ArgumentError{Arg: "address", Value: addr, Why: "must be a UDP multicast group for GroupOnly"}
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
	if k.triesMultipath(lc.MultipathTCP()) {
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

// ListenTCP listens for TCP connections to laddr. If laddr is nil or has no IP, it
// listens on all addresses of this host. The network must be "tcp", "tcp4" or "tcp6".
func ListenTCP(network string, laddr *net.TCPAddr) (*TCPListener, error) {
	fd, o, err := listenOne(network, tcpNetworks, laddr, &net.TCPAddr{})
	if err != nil {
		return nil, err
	}
	return newListener(noListenConfig.core(fd, o), o.file).(*TCPListener), nil
}

// ListenUDP makes a UDP socket that receives datagrams sent to laddr. If laddr is nil
// or has no IP, it receives on all addresses of this host. The network must be "udp",
// "udp4" or "udp6".
func ListenUDP(network string, laddr *net.UDPAddr) (*UDPConn, error) {
	fd, _, err := listenOne(network, udpNetworks, laddr, &net.UDPAddr{})
	if err != nil {
		return nil, err
	}
	return newConn(fd).(*UDPConn), nil
}

// ListenIP makes a raw IP socket that receives packets sent to laddr. If laddr is nil
// or has no IP, it receives on all addresses of this host. The network must be "ip",
// "ip4" or "ip6" followed by a colon and a protocol number or name.
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

// ListenUnix listens for connections to laddr, which must not be nil. The network must
// be "unix" or "unixpacket".
func ListenUnix(network string, laddr *net.UnixAddr) (*UnixListener, error) {
	fd, o, err := listenOne(network, unixConnNetworks, laddr, nil)
	if err != nil {
		return nil, err
	}
	return newListener(noListenConfig.core(fd, o), o.file).(*UnixListener), nil
}

// ListenUnixgram makes a unix socket that receives datagrams sent to laddr, which must
// not be nil. The network must be "unixgram".
func ListenUnixgram(network string, laddr *net.UnixAddr) (*UnixConn, error) {
	fd, _, err := listenOne(network, []string{"unixgram"}, laddr, nil)
	if err != nil {
		return nil, err
	}
	return newConn(fd).(*UnixConn), nil
}

package sockets

import (
	"context"
	"net"
	"net/http/httptrace"
	"syscall"
	"time"

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

	// Deadline is when dials fail. Zero means never; with Timeout, too, the
	// earlier counts.
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

	// Cancel is closed to give dials up.
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

// Dial connects to address on network; see DialContext.
func Dial(network, address string) (net.Conn, error) {
	return new(Dialer).Dial(network, address)
}

// DialTimeout is Dial that fails once timeout has passed, name resolution
// included.
func DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return (&Dialer{Timeout: timeout}).Dial(network, address)
}

// Dial connects to address on network; see DialContext.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address on network, unless ctx ends first; once the
// connection stands, the end of ctx does not affect it.
//
// The networks are "tcp", "udp" and "ip:" with a protocol's number or name, each
// also with 4 or 6 for one family ("tcp4", "ip6:icmp"), and "unix", "unixgram" and
// "unixpacket"; beyond package net, "mptcp", which does not fall back to TCP before
// the peer is asked, also with 4 or 6, and "vsock".
//
// Address is host:port, where the host may be a name, and the port a service; a
// host for "ip"; a path for unix networks, where a leading "@" is for abstract
// names; and as VsockAddr prints it for "vsock". An empty or unspecified host is
// this one.
//
// The result is a *TCPConn, *UDPConn, *IPConn, *UnixConn or *StreamConn, or a
// *TextConn over one if Format says so. Errors are *net.OpError, and the same as
// package net's.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := d.dialContext(ctx)
	defer cancel()

	r := d.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	trace := httptrace.ContextClientTrace(ctx)
	format := wireFormat{d.Format, d.InputBufferSize, d.OutputBufferSize}
	if err := format.checkNetwork(network); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	addrs, err := resolve(dnsOnly(ctx, trace), r, "dial", network, address, d.LocalAddr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	j := &dialing{Dialer: d, network: network, trace: trace}
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

package parity

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
)

// The interfaces are the method sets that net's types and ours have in common.
type (
	anyConn interface {
		net.Conn
		syscall.Conn
		File() (*os.File, error)
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	}
	tcpConn interface {
		anyConn
		io.ReaderFrom
		io.WriterTo
		CloseRead() error
		CloseWrite() error
		MultipathTCP() (bool, error)
		SetKeepAlive(keepalive bool) error
		SetKeepAliveConfig(config net.KeepAliveConfig) error
		SetKeepAlivePeriod(d time.Duration) error
		SetLinger(sec int) error
		SetNoDelay(noDelay bool) error
	}
	udpConn interface {
		anyConn
		net.PacketConn
		ReadFromUDP(b []byte) (n int, addr *net.UDPAddr, err error)
		ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)
		ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
		ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error)
		WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
		WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
		WriteToUDP(b []byte, addr *net.UDPAddr) (int, error)
		WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
	}
	ipConn interface {
		anyConn
		net.PacketConn
		ReadFromIP(b []byte) (int, *net.IPAddr, error)
		ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error)
		WriteMsgIP(b, oob []byte, addr *net.IPAddr) (n, oobn int, err error)
		WriteToIP(b []byte, addr *net.IPAddr) (int, error)
	}
	unixConn interface {
		anyConn
		net.PacketConn
		CloseRead() error
		CloseWrite() error
		ReadFromUnix(b []byte) (int, *net.UnixAddr, error)
		ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
		WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error)
		WriteToUnix(b []byte, addr *net.UnixAddr) (int, error)
	}
	anyListener interface {
		net.Listener
		syscall.Conn
		File() (*os.File, error)
		SetDeadline(t time.Time) error
	}
	unixListener interface {
		anyListener
		SetUnlinkOnClose(unlink bool)
	}
)

// An impl is package net, or a package with the same functions.
// Options travel as net's own structs.
type impl struct {
	name string

	dial               func(network, address string) (net.Conn, error)
	dialTimeout        func(network, address string, timeout time.Duration) (net.Conn, error)
	dialTCP            func(network string, laddr, raddr *net.TCPAddr) (tcpConn, error)
	dialUDP            func(network string, laddr, raddr *net.UDPAddr) (udpConn, error)
	dialIP             func(network string, laddr, raddr *net.IPAddr) (ipConn, error)
	dialUnix           func(network string, laddr, raddr *net.UnixAddr) (unixConn, error)
	listen             func(network, address string) (net.Listener, error)
	listenPacket       func(network, address string) (net.PacketConn, error)
	listenTCP          func(network string, laddr *net.TCPAddr) (anyListener, error)
	listenUDP          func(network string, laddr *net.UDPAddr) (udpConn, error)
	listenIP           func(network string, laddr *net.IPAddr) (ipConn, error)
	listenUnix         func(network string, laddr *net.UnixAddr) (unixListener, error)
	listenUnixgram     func(network string, laddr *net.UnixAddr) (unixConn, error)
	listenMulticastUDP func(network string, ifi *net.Interface, gaddr *net.UDPAddr) (udpConn, error)
	fileConn           func(f *os.File) (net.Conn, error)
	fileListener       func(f *os.File) (net.Listener, error)
	filePacketConn     func(f *os.File) (net.PacketConn, error)

	// acceptOwn is AcceptTCP or AcceptUnix.
	acceptOwn func(l net.Listener) (anyConn, error)

	dialer       func(d net.Dialer) dialer
	listenConfig func(lc net.ListenConfig) listenConfig

	zero, null values
}

type dialer struct {
	dial        func(network, address string) (net.Conn, error)
	dialContext func(ctx context.Context, network, address string) (net.Conn, error)
	dialTCP     func(ctx context.Context, network string, laddr, raddr netip.AddrPort) (tcpConn, error)
	dialUDP     func(ctx context.Context, network string, laddr, raddr netip.AddrPort) (udpConn, error)
	dialIP      func(ctx context.Context, network string, laddr, raddr netip.Addr) (ipConn, error)
	dialUnix    func(ctx context.Context, network string, laddr, raddr *net.UnixAddr) (unixConn, error)
}

type listenConfig interface {
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
	MultipathTCP() bool
	SetMultipathTCP(use bool)
}

// values are one value of each type.
type values struct {
	tcp   tcpConn
	udp   udpConn
	ip    ipConn
	unix  unixConn
	tcpL  anyListener
	unixL unixListener
}

// as returns the pointer as an I, a nil one as a nil I.
func as[I, T any](p *T, err error) (I, error) {
	if p == nil {
		var none I
		return none, err
	}
	return any(p).(I), err
}

// dialAs, dialContextAs and listenAs return f with an I for its result.
func dialAs[I, T, A any](f func(string, A, A) (*T, error)) func(network string, laddr, raddr A) (I, error) {
	return func(network string, laddr, raddr A) (I, error) { return as[I](f(network, laddr, raddr)) }
}

func dialContextAs[I, T, A any](f func(context.Context, string, A, A) (*T, error)) func(ctx context.Context, network string, laddr, raddr A) (I, error) {
	return func(ctx context.Context, network string, laddr, raddr A) (I, error) {
		return as[I](f(ctx, network, laddr, raddr))
	}
}

func listenAs[I, T, A any](f func(string, A) (*T, error)) func(network string, laddr A) (I, error) {
	return func(network string, laddr A) (I, error) { return as[I](f(network, laddr)) }
}

var netImpl = &impl{
	name:           "net",
	dial:           net.Dial,
	dialTimeout:    net.DialTimeout,
	dialTCP:        dialAs[tcpConn](net.DialTCP),
	dialUDP:        dialAs[udpConn](net.DialUDP),
	dialIP:         dialAs[ipConn](net.DialIP),
	dialUnix:       dialAs[unixConn](net.DialUnix),
	listen:         net.Listen,
	listenPacket:   net.ListenPacket,
	listenTCP:      listenAs[anyListener](net.ListenTCP),
	listenUDP:      listenAs[udpConn](net.ListenUDP),
	listenIP:       listenAs[ipConn](net.ListenIP),
	listenUnix:     listenAs[unixListener](net.ListenUnix),
	listenUnixgram: listenAs[unixConn](net.ListenUnixgram),
	listenMulticastUDP: func(network string, ifi *net.Interface, gaddr *net.UDPAddr) (udpConn, error) {
		return as[udpConn](net.ListenMulticastUDP(network, ifi, gaddr))
	},
	fileConn:       net.FileConn,
	fileListener:   net.FileListener,
	filePacketConn: net.FilePacketConn,
	acceptOwn: func(l net.Listener) (anyConn, error) {
		if l, ok := l.(*net.UnixListener); ok {
			return as[anyConn](l.AcceptUnix())
		}
		return as[anyConn](l.(*net.TCPListener).AcceptTCP())
	},
	dialer: func(d net.Dialer) dialer {
		return dialer{
			dial:        d.Dial,
			dialContext: d.DialContext,
			dialTCP:     dialContextAs[tcpConn](d.DialTCP),
			dialUDP:     dialContextAs[udpConn](d.DialUDP),
			dialIP:      dialContextAs[ipConn](d.DialIP),
			dialUnix:    dialContextAs[unixConn](d.DialUnix),
		}
	},
	listenConfig: func(lc net.ListenConfig) listenConfig { return &lc },
	zero: values{
		new(net.TCPConn), new(net.UDPConn), new(net.IPConn), new(net.UnixConn),
		new(net.TCPListener), new(net.UnixListener),
	},
	null: values{
		(*net.TCPConn)(nil), (*net.UDPConn)(nil), (*net.IPConn)(nil), (*net.UnixConn)(nil),
		(*net.TCPListener)(nil), (*net.UnixListener)(nil),
	},
}

var sockImpl = &impl{
	name:           "sockets",
	dial:           sockets.Dial,
	dialTimeout:    sockets.DialTimeout,
	dialTCP:        dialAs[tcpConn](sockets.DialTCP),
	dialUDP:        dialAs[udpConn](sockets.DialUDP),
	dialIP:         dialAs[ipConn](sockets.DialIP),
	dialUnix:       dialAs[unixConn](sockets.DialUnix),
	listen:         sockets.Listen,
	listenPacket:   sockets.ListenPacket,
	listenTCP:      listenAs[anyListener](sockets.ListenTCP),
	listenUDP:      listenAs[udpConn](sockets.ListenUDP),
	listenIP:       listenAs[ipConn](sockets.ListenIP),
	listenUnix:     listenAs[unixListener](sockets.ListenUnix),
	listenUnixgram: listenAs[unixConn](sockets.ListenUnixgram),
	listenMulticastUDP: func(network string, ifi *net.Interface, gaddr *net.UDPAddr) (udpConn, error) {
		return as[udpConn](sockets.ListenMulticastUDP(network, ifi, gaddr))
	},
	fileConn:       sockets.FileConn,
	fileListener:   sockets.FileListener,
	filePacketConn: sockets.FilePacketConn,
	acceptOwn: func(l net.Listener) (anyConn, error) {
		if l, ok := l.(*sockets.UnixListener); ok {
			return as[anyConn](l.AcceptUnix())
		}
		return as[anyConn](l.(*sockets.TCPListener).AcceptTCP())
	},
	dialer: func(nd net.Dialer) dialer {
		var d sockets.Dialer
		copyFields(&d, &nd)
		if nd.MultipathTCP() != d.MultipathTCP() {
			d.SetMultipathTCP(nd.MultipathTCP())
		}
		return dialer{
			dial:        d.Dial,
			dialContext: d.DialContext,
			dialTCP:     dialContextAs[tcpConn](d.DialTCP),
			dialUDP:     dialContextAs[udpConn](d.DialUDP),
			dialIP:      dialContextAs[ipConn](d.DialIP),
			dialUnix:    dialContextAs[unixConn](d.DialUnix),
		}
	},
	listenConfig: func(nlc net.ListenConfig) listenConfig {
		var lc sockets.ListenConfig
		copyFields(&lc, &nlc)
		return &lc
	},
	zero: values{
		new(sockets.TCPConn), new(sockets.UDPConn), new(sockets.IPConn), new(sockets.UnixConn),
		new(sockets.TCPListener), new(sockets.UnixListener),
	},
	null: values{
		(*sockets.TCPConn)(nil), (*sockets.UDPConn)(nil), (*sockets.IPConn)(nil), (*sockets.UnixConn)(nil),
		(*sockets.TCPListener)(nil), (*sockets.UnixListener)(nil),
	},
}

// copyFields sets the exported fields of the struct that from points to in the
// struct that to points to.
func copyFields(to, from any) {
	src, dst := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for i := range src.NumField() {
		if f := src.Type().Field(i); f.IsExported() {
			dst.FieldByName(f.Name).Set(src.Field(i))
		}
	}
}

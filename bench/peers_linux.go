package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/cloudwego/netpoll"
	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// mdlayher is package socket, with what its users add to have connections and
// listeners. It sets no options; TCP_NODELAY is for the work to be the same.
var mdlayher = []network{{
	name:   "mdlayher/socket",
	listen: listenMdlayher,
	dial:   dialMdlayher,
	copy:   io.Copy,
	writev: writevMdlayher,
}}

// mdlayherConn is a stream of package socket as a net.Conn.
type mdlayherConn struct {
	*socket.Conn
	local, remote net.Addr
}

func (c mdlayherConn) LocalAddr() net.Addr  { return c.local }
func (c mdlayherConn) RemoteAddr() net.Addr { return c.remote }

type mdlayherListener struct {
	*socket.Conn
	local net.Addr
}

func (l mdlayherListener) Addr() net.Addr { return l.local }

func (l mdlayherListener) Accept() (net.Conn, error) {
	c, sa, err := l.Conn.Accept(context.Background(), 0)
	if err != nil {
		return nil, err
	}
	return newMdlayher(c, l.local, sa)
}

// writevMdlayher sends all, which SendmsgBuffers does not if the socket's buffer
// gets full.
func writevMdlayher(c net.Conn, bufs *net.Buffers) (int64, error) {
	sent, left := int64(0), *bufs
	for len(left) > 0 {
		n, err := c.(mdlayherConn).SendmsgBuffers(context.Background(), left, nil, nil, 0)
		if err != nil {
			return sent, err
		}
		sent += int64(n)
		for len(left) > 0 && n >= len(left[0]) {
			n -= len(left[0])
			left = left[1:]
		}
		if n > 0 {
			left[0] = left[0][n:]
		}
	}
	return sent, nil
}

func newMdlayher(c *socket.Conn, local net.Addr, peer unix.Sockaddr) (net.Conn, error) {
	conn := mdlayherConn{c, local, local}
	if sa, ok := peer.(*unix.SockaddrInet4); ok {
		conn.remote = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)))
		if err := c.SetsockoptInt(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return conn, nil
}

func socketMdlayher(network, address string) (*socket.Conn, unix.Sockaddr, error) {
	if network == "unix" {
		c, err := socket.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, network, nil)
		return c, &unix.SockaddrUnix{Name: address}, err
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, nil, err
	}
	c, err := socket.Socket(unix.AF_INET, unix.SOCK_STREAM, 0, network, nil)
	return c, &unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}, err
}

func listenMdlayher(network, address string) (net.Listener, error) {
	c, sa, err := socketMdlayher(network, address)
	if err != nil {
		return nil, err
	}
	if err := c.Bind(sa); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.Listen(unix.SOMAXCONN); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if network == "unix" {
		return mdlayherListener{c, &net.UnixAddr{Name: address, Net: network}}, nil
	}
	if sa, err = c.Getsockname(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	in := sa.(*unix.SockaddrInet4)
	return mdlayherListener{c, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port)))}, nil
}

func dialMdlayher(network, address string) (net.Conn, error) {
	c, sa, err := socketMdlayher(network, address)
	if err != nil {
		return nil, err
	}
	peer, err := c.Connect(context.Background(), sa)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return newMdlayher(c, nil, peer)
}

// acceptingPeers, echoingPeers and idlePeers are servers made with package netpoll.
var (
	acceptingPeers = []eventServer{{"netpoll", func() (string, func(), error) {
		return startNetpoll(ignoreNetpoll, netpoll.WithOnConnect(func(ctx context.Context, c netpoll.Connection) context.Context {
			c.Close()
			return ctx
		}))
	}}}
	echoingPeers = []eventServer{{"netpoll", func() (string, func(), error) { return startNetpoll(echoNetpoll) }}}
	idlePeers    = []idlePeer{{"netpoll", func(opened func()) (string, error) {
		addr, _, err := startNetpoll(ignoreNetpoll, netpoll.WithOnConnect(func(ctx context.Context, _ netpoll.Connection) context.Context {
			opened()
			return ctx
		}))
		return addr, err
	}}}
)

func ignoreNetpoll(_ context.Context, c netpoll.Connection) error {
	return c.Reader().Skip(c.Reader().Len())
}

func echoNetpoll(_ context.Context, c netpoll.Connection) error {
	in, out := c.Reader(), c.Writer()
	b, err := in.Next(in.Len())
	if err != nil {
		return err
	}
	if _, err := out.WriteBinary(b); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return in.Release()
}

func startNetpoll(serve netpoll.OnRequest, options ...netpoll.Option) (string, func(), error) {
	l, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	loop, err := netpoll.NewEventLoop(serve, options...)
	if err != nil {
		return "", nil, errors.Join(err, l.Close())
	}
	go loop.Serve(l)
	return l.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		loop.Shutdown(ctx)
	}, nil
}

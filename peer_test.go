//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestPeer gives UDP sockets one peer after the other.
func TestPeer(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			a, b, third := conntest.Packets(t, network), conntest.Packets(t, network), conntest.Packets(t, network)
			local := a.LocalAddr()
			type connector interface {
				Connect(net.Addr) error
				Disconnect() error
			}
			c := a.(connector)
			wantAddrs := func(remote net.Addr) {
				t.Helper()
				if diff := cmp.Diff([]net.Addr{local, remote}, []net.Addr{a.LocalAddr(), a.RemoteAddr()}); diff != "" {
					t.Errorf("local and remote address (-want +got):\n%s", diff)
				}
			}
			for _, peer := range []conntest.Messenger{b, third} {
				socktest.Check(t, c.Connect(peer.LocalAddr()))
				wantAddrs(peer.LocalAddr())
				_, err := a.Write([]byte("hello"))
				socktest.Check(t, err)
				conntest.WantReceive(t, peer, 9, 0, "hello")
				_, err = a.(net.PacketConn).WriteTo([]byte("x"), b.LocalAddr())
				socktest.WantError(t, err, "write", net.ErrWriteToConnected)
			}
			if network == "unixgram" {
				needUnixDisconnect(t)
			}
			if err := c.Disconnect(); network == "udp6" && errors.Is(err, errors.ErrUnsupported) {
				wantAddrs(third.LocalAddr())
				return
			} else {
				socktest.Check(t, err)
			}
			wantAddrs(nil)
			socktest.Check(t, c.Disconnect())
			_, err := a.Write([]byte("x"))
			var op *net.OpError
			if !errors.As(err, &op) {
				t.Errorf("Write without a peer: %v", err)
			}
			for _, peer := range []conntest.Messenger{b, third} {
				_, err := peer.SendTo([]byte("still here"), local, 0)
				socktest.Check(t, err)
				conntest.WantReceive(t, a, 10, 0, "still here")
			}
			socktest.Check(t, a.Close())
			socktest.WantError(t, c.Connect(b.LocalAddr()), "connect", net.ErrClosed)
			socktest.WantError(t, c.Disconnect(), "disconnect", net.ErrClosed)
			wantAddrs(nil)
		})
	}
}

// TestDisconnectKeepsPort disconnects sockets whose port the kernel chose, one at
// the connect and one at a bind.
func TestDisconnectKeepsPort(t *testing.T) {
	b := conntest.Packets(t, "udp4")
	for name, d := range map[string]sockets.Dialer{
		"automatic": {},
		"bound":     {LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := d.Dial("udp4", b.LocalAddr().String())
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			local := c.LocalAddr().(*net.UDPAddr)
			u := c.(*sockets.UDPConn)
			socktest.Check(t, u.Disconnect())
			if got := u.LocalAddr().(*net.UDPAddr).Port; got != local.Port {
				t.Errorf("port %d after Disconnect, want %d", got, local.Port)
			}
			_, err = b.SendTo([]byte("x"), local, 0)
			socktest.Check(t, err)
			conntest.WantReceive(t, u, 1, 0, "x")
			if u.RemoteAddr() != nil {
				t.Errorf("peer %v after Disconnect", u.RemoteAddr())
			}
		})
	}
}

// TestConnectRefused leaves the peer there was.
func TestConnectRefused(t *testing.T) {
	a, b := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	u := a.(*sockets.UDPConn)
	socktest.Check(t, u.Connect(b.LocalAddr()))
	for _, tt := range []struct {
		to   net.Addr
		want string
	}{
		{nil, "missing address"},
		{(*net.UDPAddr)(nil), "missing address"},
		{&net.TCPAddr{Port: 1}, "sockets: invalid address :1: one of network tcp does not fit the ipv4 datagram socket"},
		{&net.UDPAddr{IP: net.IPv6loopback, Port: 1}, "address ::1: non-IPv4 address"},
	} {
		err := u.Connect(tt.to)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "connect" || socktest.IsNil(tt.to) != (op.Addr == nil) || op.Err.Error() != tt.want {
			t.Errorf("Connect(%v): %v, want %s", tt.to, err, tt.want)
		}
	}
	if diff := cmp.Diff(b.LocalAddr(), u.RemoteAddr()); diff != "" {
		t.Errorf("peer (-want +got):\n%s", diff)
	}

	stream, _ := conntest.Dialed(t, "unix")
	for name, err := range map[string]error{
		"connect":    stream.(*sockets.UnixConn).Connect(&net.UnixAddr{Name: "@x", Net: "unix"}),
		"disconnect": stream.(*sockets.UnixConn).Disconnect(),
	} {
		socktest.WantError(t, err, name, errors.ErrUnsupported)
		var role *sockets.RoleError
		if !errors.As(err, &role) || role.Socket != "unix stream socket" {
			t.Errorf("%s of a stream: %v, want a RoleError", name, err)
		}
	}
}

// needUnixDisconnect skips the test if a unix datagram socket keeps its peer, as in gVisor.
func needUnixDisconnect(t *testing.T) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	addr := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fds[0]), uintptr(unsafe.Pointer(&addr)), unsafe.Sizeof(addr))
	if errno != 0 {
		t.Skip("a unix socket keeps its peer: ", errno)
	}
}

// TestDisconnectedName keeps the name of a unix datagram socket.
func TestDisconnectedName(t *testing.T) {
	path := filepath.Join(socktest.ShortDir(t), "a")
	a, err := sockets.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	socktest.Check(t, err)
	socktest.CloseLater(t, a)
	b := conntest.Packets(t, "unixgram")
	socktest.Check(t, a.Connect(b.LocalAddr()))
	needUnixDisconnect(t)
	socktest.Check(t, a.Disconnect())
	if got := a.LocalAddr().String(); got != path {
		t.Errorf("name %q after Disconnect, want %q", got, path)
	}
	_, err = b.SendTo([]byte("x"), a.LocalAddr(), 0)
	socktest.Check(t, err)
	conntest.WantReceive(t, a, 1, 0, "x")
}

// TestConnectFromElsewhere gives a socket without an address of its own a peer that
// is not to be reached from where it sent to the one before.
func TestConnectFromElsewhere(t *testing.T) {
	socktest.EnterNetNS(t)
	v0, v1 := socktest.VethPair(t)
	socktest.AddAddr(t, v0, net.IPv4(192, 0, 2, 1))
	socktest.AddNeighbor(t, v0, net.IPv4(192, 0, 2, 2), v1.HardwareAddr)
	here := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}
	here6 := &net.UDPAddr{IP: net.IPv6loopback, Port: 9}
	there := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}
	nowhere := &net.UDPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 9}
	for _, tt := range []struct {
		network string
		peers   []net.Addr
		local   []string
	}{
		{"udp4", []net.Addr{here, there}, []string{"127.0.0.1", "192.0.2.1"}},
		{"udp", []net.Addr{here, there, here6, here}, []string{"127.0.0.1", "192.0.2.1", "::1", "127.0.0.1"}},
	} {
		if tt.network == "udp" && !socktest.HasIPv6() {
			continue
		}
		c, err := sockets.ListenPacket(tt.network, ":0")
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		u := c.(*sockets.UDPConn)
		port := u.LocalAddr().(*net.UDPAddr).Port
		for i, peer := range tt.peers {
			socktest.Check(t, u.Connect(peer))
			want := fmt.Sprint(&net.UDPAddr{IP: net.ParseIP(tt.local[i]), Port: port}, peer)
			if diff := cmp.Diff(want, fmt.Sprint(u.LocalAddr(), u.RemoteAddr())); diff != "" {
				t.Errorf("%s: addresses after Connect(%v) (-want +got):\n%s", tt.network, peer, diff)
			}
		}
		before := fmt.Sprint(u.LocalAddr(), u.RemoteAddr())
		socktest.WantError(t, u.Connect(nowhere), "connect", unix.ENETUNREACH)
		if diff := cmp.Diff(before, fmt.Sprint(u.LocalAddr(), u.RemoteAddr())); diff != "" {
			t.Errorf("%s: addresses after a Connect that failed (-want +got):\n%s", tt.network, diff)
		}
		_, err = u.Write([]byte("x"))
		socktest.Check(t, err)
	}
}

// TestPeerConcurrently changes the peer from several goroutines: the last is the one
// that RemoteAddr tells.
func TestPeerConcurrently(t *testing.T) {
	a, b, c := conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4"), conntest.Packets(t, "udp4")
	u := a.(*sockets.UDPConn)
	local := u.LocalAddr().String()
	for range 200 {
		var wg sync.WaitGroup
		for _, f := range []func() error{
			func() error { return u.Connect(b.LocalAddr()) },
			func() error { return u.Connect(c.LocalAddr()) },
			u.Disconnect,
		} {
			wg.Go(func() { socktest.Check(t, f()) })
		}
		for range 20 {
			wg.Go(func() { u.WriteTo([]byte("x"), b.LocalAddr()) })
		}
		wg.Go(func() { u.ReceiveFrom(make([]byte, 1), sockets.MsgDontWait) })
		wg.Wait()
		want := "<nil>"
		socktest.WithFD(t, u, func(fd int) error {
			if sa, err := syscall.Getpeername(fd); err == nil {
				want = fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port)
			}
			return nil
		})
		if got := fmt.Sprint(u.RemoteAddr()); got != want {
			t.Fatalf("RemoteAddr tells %v, the kernel %v", got, want)
		}
		if got := u.LocalAddr().String(); got != local {
			t.Fatalf("local address %v, want %v", got, local)
		}
	}
}

// TestDisconnectKeepsDevice disconnects sockets that are bound to an interface, by an
// option and by the zone of their address, of which the kernel lets go.
func TestDisconnectKeepsDevice(t *testing.T) {
	t.Run("option", func(t *testing.T) {
		socktest.NeedOption(t, "SO_BINDTODEVICE")
		socktest.NeedOption(t, "SO_BINDTOIFINDEX")
		b := conntest.Packets(t, "udp4")
		d := sockets.Dialer{Options: []sockopt.Setting{sockopt.BindToDevice.With("lo")}}
		c, err := d.Dial("udp4", b.LocalAddr().String())
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		socktest.Check(t, c.(*sockets.UDPConn).Disconnect())
		if got, err := sockopt.BindToDevice.Get(c.(syscall.Conn)); got != "lo" || err != nil {
			t.Errorf("bound to device %q, %v; want lo", got, err)
		}
	})
	t.Run("zone", func(t *testing.T) {
		socktest.NeedOption(t, "SO_BINDTOIFINDEX")
		socktest.NeedIPv6(t)
		socktest.EnterNetNS(t)
		v0, _ := socktest.VethPair(t)
		ip := net.ParseIP("fe80::2")
		socktest.AddAddr6(t, v0, ip)
		c, err := sockets.ListenUDP("udp6", &net.UDPAddr{IP: ip, Zone: "v0"})
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		want := c.LocalAddr()
		socktest.Check(t, c.Connect(&net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: "v0", Port: 9}))
		if err := c.Disconnect(); !errors.Is(err, errors.ErrUnsupported) {
			socktest.Check(t, err)
		}
		if diff := cmp.Diff(want, c.LocalAddr()); diff != "" {
			t.Errorf("local address (-want +got):\n%s", diff)
		}

		// A peer's zone is the peer's alone.
		c, err = sockets.ListenUDP("udp6", &net.UDPAddr{})
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		socktest.Check(t, c.Connect(&net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: "v0", Port: 9}))
		socktest.Check(t, c.Connect(&net.UDPAddr{IP: net.IPv6loopback, Port: 9}))

		// What the user asked for comes back.
		socktest.AddPrefix(t, "v0", "192.0.2.1/24")
		lc := sockets.ListenConfig{Options: []sockopt.Setting{sockopt.BindToDevice.With("v0")}}
		pc, err := lc.ListenPacket(t.Context(), "udp", ":0")
		socktest.Check(t, err)
		socktest.CloseLater(t, pc)
		c = pc.(*sockets.UDPConn)
		socktest.Check(t, c.Connect(&net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: "v0", Port: 9}))
		socktest.Check(t, c.Connect(&net.UDPAddr{IP: net.ParseIP("fe80::2"), Zone: "v0", Port: 9}))
		socktest.Check(t, c.Connect(&net.UDPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 9}))
		if got, err := sockopt.BindToDevice.Get(c); got != "v0" || err != nil {
			t.Errorf("bound to device %q, %v; want v0", got, err)
		}
	})
}

// needBindingZones skips the test where the kernel does not bind a socket to the interface
// in the zone of its peer, as gVisor does not.
func needBindingZones(t *testing.T, zone string) {
	t.Helper()
	c, err := sockets.ListenUDP("udp6", &net.UDPAddr{})
	socktest.Check(t, err)
	defer c.Close()
	socktest.Check(t, c.Connect(&net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: zone, Port: 9}))
	if got, err := sockopt.BindToDevice.Get(c); got != zone {
		t.Skipf("a peer in zone %s has bound the socket to device %q, %v", zone, got, err)
	}
}

// TestPeerWithoutZone gives sockets whose peer had a zone one that has none: the interface
// of the old peer is not that of the new one.
func TestPeerWithoutZone(t *testing.T) {
	socktest.NeedIPv6(t)
	socktest.EnterNetNS(t)
	v0, _ := socktest.VethPair(t)
	socktest.AddAddr6(t, v0, net.ParseIP("fe80::2"))
	needBindingZones(t, "v0")
	socktest.AddPrefix(t, "lo", "fd00::1/128")
	socktest.AddPrefix(t, "v0", "fd00::2/8") // there is a way to fd00::1 by v0 as well
	for _, old := range []string{"fe80::1", "ff01::1", "ff02::1"} {
		for _, peer := range []string{"::1", "fd00::1", "127.0.0.1"} {
			c, err := sockets.ListenUDP("udp", &net.UDPAddr{})
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			socktest.Check(t, c.Connect(&net.UDPAddr{IP: net.ParseIP(old), Zone: "v0", Port: 9}))
			if err := c.Connect(&net.UDPAddr{IP: net.ParseIP(peer), Port: 9}); err != nil {
				t.Errorf("%s and then %s: %v", old, peer, err)
			} else if got, err := sockopt.BindToDevice.Get(c); got != "" || err != nil {
				t.Errorf("%s and then %s: bound to device %q, %v; want none", old, peer, got, err)
			}
		}
	}
}

// TestRefusedZone fails to connect to a peer with a zone, to whose interface the kernel has
// bound the socket by then.
func TestRefusedZone(t *testing.T) {
	socktest.NeedIPv6(t)
	socktest.EnterNetNS(t)
	v0, _ := socktest.VethPair(t)
	socktest.AddAddr6(t, v0, net.ParseIP("fe80::2"))
	needBindingZones(t, "v0")
	unbound := func(name string, c syscall.Conn) {
		t.Helper()
		if got, err := sockopt.BindToDevice.Get(c); got != "" || err != nil {
			t.Errorf("%s: bound to device %q, %v; want none", name, got, err)
		}
	}
	gone := &net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: "lo", Port: 9} // there is no way
	there := &net.UDPAddr{IP: net.IPv6loopback, Port: 9}
	for _, peer := range []*net.UDPAddr{nil, there, {IP: net.ParseIP("fe80::1"), Zone: "v0", Port: 9}} {
		c, err := sockets.ListenUDP("udp6", &net.UDPAddr{})
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		if peer != nil {
			socktest.Check(t, c.Connect(peer))
		}
		local := c.LocalAddr()
		if err := c.Connect(gone); err == nil {
			t.Fatalf("connected to %v", gone)
		}
		if peer == nil || peer.Zone == "" {
			unbound(fmt.Sprint("UDPConn with peer ", peer), c)
			if diff := cmp.Diff(local, c.LocalAddr()); diff != "" {
				t.Errorf("local address (-want +got):\n%s", diff)
			}
		} else if got, err := sockopt.BindToDevice.Get(c); got != peer.Zone || err != nil {
			t.Errorf("UDPConn with peer %v: bound to device %q, %v", peer, got, err)
		}
		if peer != nil {
			if diff := cmp.Diff(peer.String(), c.RemoteAddr().String()); diff != "" {
				t.Errorf("peer (-want +got):\n%s", diff)
			}
		}
		socktest.Check(t, c.Connect(there))
		unbound("UDPConn", c)
	}

	s, err := sockets.New("udp6")
	socktest.Check(t, err)
	defer s.Close()
	if _, err := s.Connect(t.Context(), gone); err == nil {
		t.Fatalf("connected to %v", gone)
	}
	unbound("Socket of datagrams", s)

	c, err := sockets.ListenUDP("udp6", &net.UDPAddr{})
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	socktest.Check(t, c.Connect(there))
	f, err := c.File()
	socktest.Check(t, err)
	s, err = sockets.FromFile(f)
	socktest.Check(t, errors.Join(err, f.Close()))
	defer s.Close()
	if _, err := s.Connect(t.Context(), gone); err == nil {
		t.Fatalf("connected to %v", gone)
	}
	unbound("Socket with a peer", s)
	socktest.WithFD(t, s, func(fd int) error {
		sa, err := unix.Getpeername(fd)
		if err == nil && sa.(*unix.SockaddrInet6).Addr != [16]byte(there.IP) {
			t.Errorf("the peer of the Socket is %v, want %v", sa, there)
		}
		return err
	})

	// A stream lets go of the interface only with a privilege.
	l, err := net.Listen("tcp6", "[::1]:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	s, err = sockets.New("tcp6")
	socktest.Check(t, err)
	defer s.Close()
	if _, err := s.Connect(t.Context(), &net.TCPAddr{IP: net.ParseIP("fe80::2"), Zone: "v0", Port: 9}); err == nil {
		t.Fatal("connected to a port where nothing listens")
	}
	unbound("Socket of a stream", s)
	sc, err := s.Connect(t.Context(), l.Addr())
	socktest.Check(t, err)
	socktest.CloseLater(t, sc)
}

// TestDisconnectHears has a socket that Disconnect leaves without a peer receive from
// others, over every family that it speaks, and one that it does not keep its peer.
func TestDisconnectHears(t *testing.T) {
	socktest.NeedInterfaces(t)
	all := []string{"192.0.2.1", "192.0.2.2", "fd00::1", "fd00::2"}
	for _, tt := range []struct {
		network, local string
		others         []string
	}{
		{"udp4", "0.0.0.0", all[:2]},
		{"udp4", "192.0.2.1", all[:2]},
		{"udp6", "::", all[2:]},
		{"udp6", "fd00::1", all[2:]},
		{"udp", "::", all},
		{"udp", "::ffff:192.0.2.1", all[:2]},
	} {
		for _, peer := range tt.others {
			t.Run(fmt.Sprintf("%s %s, peer %s", tt.network, tt.local, peer), func(t *testing.T) {
				socktest.EnterNetNS(t)
				for _, addr := range all {
					addr := netip.MustParseAddr(addr)
					socktest.AddPrefix(t, "lo", netip.PrefixFrom(addr, addr.BitLen()).String())
				}
				c := listenRaw(t, tt.network, netip.MustParseAddr(tt.local))
				port := c.LocalAddr().(*net.UDPAddr).Port
				open := func(host string) *sockets.UDPConn {
					o, err := sockets.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
					socktest.Check(t, err)
					socktest.CloseLater(t, o)
					socktest.Check(t, o.SetDeadline(time.Now().Add(10*time.Second)))
					return o
				}
				p := open(peer)
				// The kernel notes the way there, which has to be the final one.
				wantArrival(t, p, "self", func(b []byte) error { _, err := p.WriteTo(b, p.LocalAddr()); return err })
				socktest.Check(t, c.Connect(p.LocalAddr()))
				err := c.Disconnect()
				if errors.Is(err, errors.ErrUnsupported) {
					if got := c.RemoteAddr(); got == nil || got.String() != p.LocalAddr().String() {
						t.Errorf("peer %v after %v, want %v", got, err, p.LocalAddr())
					}
					socktest.WithFD(t, c, func(fd int) error {
						_, err := unix.Getpeername(fd)
						return err
					})
					// And both go on talking to each other.
					wantArrival(t, c, peer, func(b []byte) error { _, err := p.WriteTo(b, c.LocalAddr()); return err })
					wantArrival(t, p, "an answer", func(b []byte) error { _, err := c.Write(b); return err })
					return
				}
				socktest.Check(t, err)
				for _, host := range tt.others {
					to := &net.UDPAddr{IP: net.ParseIP(tt.local), Port: port}
					if to.IP.IsUnspecified() {
						to.IP = net.ParseIP(host)
					}
					o := open(host)
					wantArrival(t, c, host, func(b []byte) error { _, err := o.WriteTo(b, to); return err })
				}
			})
		}
	}
}

// wantArrival sends want until it arrives: a new address may not be of use at once.
func wantArrival(t *testing.T, c *sockets.UDPConn, want string, send func([]byte) error) {
	t.Helper()
	got := make([]byte, 100)
	for range 100 {
		socktest.Check(t, send([]byte(want)))
		socktest.Check(t, c.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		n, err := c.Read(got)
		if err == nil && string(got[:n]) == want {
			return
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	t.Errorf("%q does not arrive", want)
}

// listenRaw binds a socket of the network's family to addr, which may be an IPv4
// address in an IPv6 socket.
func listenRaw(t *testing.T, network string, addr netip.Addr) *sockets.UDPConn {
	t.Helper()
	family := unix.AF_INET6
	var sa unix.Sockaddr = &unix.SockaddrInet6{Addr: addr.As16()}
	if network == "udp4" {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: addr.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	if network != "udp4" {
		socktest.Check(t, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, map[bool]int{true: 1}[network == "udp6"]))
	}
	socktest.Check(t, unix.Bind(fd, sa))
	s, err := sockets.FromFD(fd)
	socktest.Check(t, err)
	pc, err := s.PacketConn()
	socktest.Check(t, err)
	socktest.CloseLater(t, pc)
	socktest.Check(t, pc.SetDeadline(time.Now().Add(10*time.Second)))
	return pc.(*sockets.UDPConn)
}

//go:build linux

package sockets_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/net/nettest"
	"golang.org/x/sys/unix"
)

// vsockLoopback skips the test if this machine cannot talk to itself over vsock,
// for which the kernel needs the module vsock_loopback.
func vsockLoopback(t *testing.T) {
	t.Helper()
	s, err := sockets.New("vsock")
	if err != nil {
		t.Skip("no vsock:", err)
	}
	defer s.Close()
	if err := s.Bind(&sockets.VsockAddr{CID: sockets.VsockLocal, Port: sockets.VsockAny}); err != nil {
		t.Skip("no loopback for vsock:", err)
	}
}

func TestVsock(t *testing.T) {
	vsockLoopback(t)
	l, err := sockets.Listen("vsock", ":*")
	check(t, err)
	closeLater(t, l)
	port := l.Addr().(*sockets.VsockAddr).Port
	c, err := sockets.Dial("vsock", fmt.Sprintf("%d:%d", sockets.VsockLocal, port))
	check(t, err)
	closeLater(t, c)
	a, err := l.Accept()
	check(t, err)
	closeLater(t, a)
	_, err = c.Write([]byte("x"))
	check(t, err)
	wantMessage(t, a, "x")
	t.Run("conformance", func(t *testing.T) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) { return pipeThrough(l) })
	})
	t.Run("http", func(t *testing.T) { serveOver(t, l) })
}

// TestVsockAddresses does what needs no peer.
func TestVsockAddresses(t *testing.T) {
	s, err := sockets.New("vsock")
	if err != nil {
		t.Skip("no vsock:", err)
	}
	closeLater(t, s)
	check(t, s.Bind(&sockets.VsockAddr{CID: sockets.VsockAny, Port: sockets.VsockAny}))
	addr := s.LocalAddr().(*sockets.VsockAddr)
	if addr.CID != sockets.VsockAny || addr.Port == sockets.VsockAny || addr.Port < 1024 {
		t.Errorf("bound to %v, want a port of the kernel's choice", addr)
	}
	if got, want := s.String(), "vsock stream socket bound to "+addr.String(); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	l, err := s.Listen(1)
	check(t, err)
	closeLater(t, l)
	if diff := cmp.Diff(addr, l.Addr()); diff != "" {
		t.Errorf("address of the listener (-want +got):\n%s", diff)
	}
	_, err = l.(acceptor).AcceptWith(sockets.AcceptConfig{Timeout: time.Millisecond})
	wantError(t, err, "accept", os.ErrDeadlineExceeded)

	_, err = sockets.Listen("vsock", l.Addr().String())
	wantError(t, err, "listen", syscall.EADDRINUSE)
	// The number of another machine.
	_, err = sockets.Listen("vsock", "2147483646:*")
	wantError(t, err, "listen", syscall.EADDRNOTAVAIL)
	d := sockets.Dialer{LocalAddr: &net.TCPAddr{}}
	_, err = d.Dial("vsock", "2:1")
	var mismatch *net.AddrError
	if !errors.As(err, &mismatch) {
		t.Errorf("dial from a TCP address: %v, want *net.AddrError", err)
	}
	for _, address := range []string{"", "2", "2:", "x:1", "2:4294967296"} {
		if _, err := sockets.Dial("vsock", address); err == nil {
			t.Errorf("Dial(%q) succeeded", address)
		}
	}
	wild, err := sockets.Listen("vsock", ":*")
	check(t, err)
	closeLater(t, wild)
	if cid := wild.Addr().(*sockets.VsockAddr).CID; cid != sockets.VsockAny {
		t.Errorf("listening without a context at %d, want any", cid)
	}
	// Without a context it is this machine. Nothing is to be sent there.
	errStop := errors.New("stop")
	d = sockets.Dialer{Control: func(network, address string, _ syscall.RawConn) error {
		if network != "vsock" || address != "1:1024" {
			t.Errorf("Dial of port 1024 goes to %s %s", network, address)
		}
		return errStop
	}}
	_, err = d.Dial("vsock", ":1024")
	wantError(t, err, "dial", errStop)
	_, err = sockets.ListenPacket("vsock", ":1")
	if !errors.As(err, &mismatch) {
		t.Errorf("ListenPacket: %v, want *net.AddrError", err)
	}
}

// streamListener is a StreamListener for which every kernel has a loopback.
func streamListener(tb testing.TB) *sockets.StreamListener {
	tb.Helper()
	l, err := sockets.Listen("unix", "")
	check(tb, err)
	closeLater(tb, l)
	return sockets.StreamListenerOf(l.(*sockets.UnixListener))
}

// pipeThrough makes a connection to l.
func pipeThrough(l net.Listener) (c1, c2 net.Conn, stop func(), err error) {
	c1, err = sockets.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		return nil, nil, nil, err
	}
	if u, ok := c1.(*sockets.UnixConn); ok {
		c1 = sockets.StreamConnOf(u)
	}
	c2, err = l.Accept()
	if err != nil {
		c1.Close()
		return nil, nil, nil, err
	}
	return c1, c2, func() { c1.Close(); c2.Close() }, nil
}

func TestStreamConn(t *testing.T) {
	l := streamListener(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) { return pipeThrough(l) })
	c1, c2, stop, err := pipeThrough(l)
	check(t, err)
	defer stop()
	s1, s2 := c1.(*sockets.StreamConn), c2.(*sockets.StreamConn)
	send(t, s1, "last", 0)
	check(t, s1.CloseWrite())
	got, err := io.ReadAll(s2)
	if string(got) != "last" || err != nil {
		t.Errorf("read %q, %v after CloseWrite", got, err)
	}
	check(t, s1.CloseRead())
	if _, err := s1.Read(got); err != io.EOF {
		t.Errorf("Read after CloseRead: %v, want EOF", err)
	}
	f, err := s2.File()
	check(t, err)
	check(t, f.Close())
}

func TestStreamListener(t *testing.T) {
	serveOver(t, streamListener(t))
	l := streamListener(t)
	f, err := l.File()
	check(t, err)
	check(t, f.Close())
	onFD(t, l, func(int) error { return nil })
	dialTo(t, l)
	c, err := l.AcceptWith(sockets.AcceptConfig{NoWait: true})
	check(t, err)
	closeLater(t, c)
	check(t, l.SetDeadline(time.Unix(1, 0)))
	_, err = l.Accept()
	wantError(t, err, "accept", os.ErrDeadlineExceeded)
	check(t, l.Close())
	_, err = l.Accept()
	wantError(t, err, "accept", net.ErrClosed)
	wantError(t, l.Close(), "close", net.ErrClosed)
}

// serveOver has an http.Server on l answer one request.
func serveOver(t *testing.T, l net.Listener) {
	t.Helper()
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "from "+r.URL.Path)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	transport := &http.Transport{Dial: func(string, string) (net.Conn, error) {
		return sockets.Dial(l.Addr().Network(), l.Addr().String())
	}}
	resp, err := (&http.Client{Transport: transport}).Get("http://host/here")
	check(t, err)
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(got) != "from /here" || err != nil {
		t.Errorf("the server answered %q, %v", got, err)
	}
	transport.CloseIdleConnections()
	check(t, server.Close())
	if err := <-served; err != http.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
}

// TestPing sends ICMP echo requests to this host: on raw sockets, for which one
// needs a privilege, and on those of the unprivileged, icmp(7).
func TestPing(t *testing.T) {
	ping4 := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 7, Seq: 1, Data: []byte("ping")}}
	ping6 := icmp.Message{Type: ipv6.ICMPTypeEchoRequest, Body: &icmp.Echo{ID: 7, Seq: 1, Data: []byte("ping")}}
	wantReply := func(t *testing.T, c net.PacketConn, m icmp.Message, proto int, to net.Addr) {
		t.Helper()
		closeLater(t, c)
		check(t, c.SetDeadline(time.Now().Add(30*time.Second)))
		b, err := m.Marshal(nil)
		check(t, err)
		_, err = c.WriteTo(b, to)
		check(t, err)
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buf)
			check(t, err)
			got, err := icmp.ParseMessage(proto, buf[:n])
			check(t, err)
			echo, ok := got.Body.(*icmp.Echo)
			if !ok || got.Type != ipv4.ICMPTypeEchoReply && got.Type != ipv6.ICMPTypeEchoReply {
				continue // raw sockets see all that arrives, the request too
			}
			if string(echo.Data) != "ping" || !strings.HasPrefix(from.String(), strings.TrimSuffix(to.String(), ":0")) {
				t.Errorf("reply %+v from %v", echo, from)
			}
			return
		}
	}
	t.Run("raw", func(t *testing.T) {
		needPrivilege(t)
		c, err := sockets.ListenPacket("ip4:icmp", "127.0.0.1")
		check(t, err)
		wantReply(t, c, ping4, 1, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)})
		s := newRoleless(t, "ip6:ipv6-icmp")
		c, err = s.PacketConn()
		check(t, err)
		wantReply(t, c, ping6, 58, &net.IPAddr{IP: net.IPv6loopback})
	})
	t.Run("connected", func(t *testing.T) {
		needPrivilege(t)
		c, err := sockets.Dial("ip4:icmp", "127.0.0.1")
		check(t, err)
		closeLater(t, c)
		check(t, c.SetDeadline(time.Now().Add(30*time.Second)))
		b, err := ping4.Marshal(nil)
		check(t, err)
		send(t, c.(messenger), string(b), 0)
		buf := make([]byte, 1500)
		n, from, err := c.(messenger).ReceiveFrom(buf, sockets.MsgPeek)
		// What the kernel gives, with the IP header.
		if err != nil || n != 20+len(b) || buf[0] != 0x45 || from.String() != "127.0.0.1" {
			t.Errorf("received %d bytes from %v, %v; want a header and %d", n, from, err, len(b))
		}
		if n, err := c.Read(buf); n != 20+len(b) || err != nil {
			t.Errorf("read %d bytes, %v after peeking", n, err)
		}
	})
	t.Run("unprivileged", func(t *testing.T) {
		enterNetNS(t)
		if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 2147483647"), 0); err != nil {
			t.Skip("not allowed to ping:", err)
		}
		for _, tt := range []struct {
			family, proto int
			ping          icmp.Message
			to            *net.UDPAddr
		}{
			{unix.AF_INET, unix.IPPROTO_ICMP, ping4, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}},
			{unix.AF_INET6, unix.IPPROTO_ICMPV6, ping6, &net.UDPAddr{IP: net.IPv6loopback}},
		} {
			s, err := sockets.NewRaw(tt.family, unix.SOCK_DGRAM, tt.proto)
			check(t, err)
			c, err := s.PacketConn()
			check(t, err)
			wantReply(t, c, tt.ping, tt.proto, tt.to)
		}
	})
}

// needPrivilege skips a test that needs raw sockets.
func needPrivilege(t *testing.T) {
	t.Helper()
	s, err := sockets.NewRaw(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	if errors.Is(err, os.ErrPermission) {
		t.Skip("raw sockets need CAP_NET_RAW:", err)
	}
	check(t, err)
	check(t, s.Close())
}

// TestMultipath negotiates MPTCP in every way there is to ask for it.
func TestMultipath(t *testing.T) {
	s, err := sockets.New("mptcp4")
	if err != nil {
		t.Skip("no MPTCP:", err)
	}
	closeLater(t, s)
	check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	l, err := s.Listen(0)
	check(t, err)
	closeLater(t, l)
	var multi sockets.Dialer
	multi.SetMultipathTCP(true)
	var single sockets.Dialer
	single.SetMultipathTCP(false)
	tests := []struct {
		name string
		dial func() (net.Conn, error)
		want bool
	}{
		{"Socket", func() (net.Conn, error) { return newRoleless(t, "mptcp").Connect(t.Context(), l.Addr()) }, true},
		{"network", func() (net.Conn, error) { return sockets.Dial("mptcp4", l.Addr().String()) }, true},
		{"Dialer", func() (net.Conn, error) { return multi.Dial("tcp", l.Addr().String()) }, true},
		{"TCP", func() (net.Conn, error) { return single.Dial("tcp", l.Addr().String()) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tt.dial()
			check(t, err)
			closeLater(t, c)
			a, err := l.Accept()
			check(t, err)
			closeLater(t, a)
			_, err = c.Write([]byte("x"))
			check(t, err)
			wantMessage(t, a, "x")
			for side, conn := range map[string]net.Conn{"dialed": c, "accepted": a} {
				if got, err := conn.(*sockets.TCPConn).MultipathTCP(); got != tt.want || err != nil {
					t.Errorf("%s side uses MPTCP: %v, %v; want %v", side, got, err, tt.want)
				}
				if got := conn.LocalAddr().Network(); got != "tcp" {
					t.Errorf("%s side has a %s address", side, got)
				}
			}
		})
	}
	listening, err := sockets.Listen("mptcp", "127.0.0.1:0")
	check(t, err)
	closeLater(t, listening)
	if got, err := sockopt.SocketProtocol.Get(listening.(syscall.Conn)); got != unix.IPPROTO_MPTCP || err != nil {
		t.Errorf("Listen made a socket of protocol %d, %v", got, err)
	}
}

// TestUDPLite sends with a checksum over the start of the datagram only, udplite(7).
func TestUDPLite(t *testing.T) {
	open := func() *sockets.UDPConn {
		s, err := sockets.NewRaw(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE)
		if errors.Is(err, syscall.EPROTONOSUPPORT) {
			t.Skip("no UDP-Lite:", err)
		}
		check(t, err)
		defer s.Close()
		check(t, s.Bind(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
		c, err := s.PacketConn()
		check(t, err)
		closeLater(t, c)
		return c.(*sockets.UDPConn)
	}
	a, b := open(), open()
	const sendCoverage = 10 // UDPLITE_SEND_CSCOV
	onFD(t, a, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_UDPLITE, sendCoverage, 8) })
	_, err := a.WriteToUDP([]byte("lite"), b.LocalAddr().(*net.UDPAddr))
	check(t, err)
	wantReceive(t, b, 9, 0, "lite")
}

func TestSCTP(t *testing.T) {
	s, err := sockets.NewRaw(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
	if errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.ESOCKTNOSUPPORT) {
		t.Skip("no SCTP:", err)
	}
	check(t, err)
	closeLater(t, s)
	check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	l, err := s.Listen(1)
	check(t, err)
	closeLater(t, l)
	c, err := sockets.NewRaw(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
	check(t, err)
	closeLater(t, c)
	conn, err := c.Connect(t.Context(), l.Addr())
	check(t, err)
	closeLater(t, conn)
	a, err := l.Accept()
	check(t, err)
	closeLater(t, a)
	send(t, conn.(*sockets.StreamConn), "x", 0)
	wantReceive(t, a.(*sockets.StreamConn), 1, 0, "x")
}

// TestUnknownFamilyXDP binds a socket of a family that the package knows nothing
// of, AF_XDP, by the bytes of its address, linux/if_xdp.h.
func TestUnknownFamilyXDP(t *testing.T) {
	enterNetNS(t)
	s, err := sockets.NewRaw(unix.AF_XDP, unix.SOCK_RAW, 0)
	if err != nil {
		t.Skip("no AF_XDP:", err)
	}
	closeLater(t, s)
	if got, want := s.String(), "af44 raw socket, unbound"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	lo, err := net.InterfaceByName("lo")
	check(t, err)
	address := func(ifindex int) *sockets.RawAddr {
		// flags, interface, queue, descriptor of shared memory
		b := make([]byte, 14)
		binary.NativeEndian.PutUint16(b, unix.XDP_COPY)
		binary.NativeEndian.PutUint32(b[2:], uint32(ifindex))
		return &sockets.RawAddr{Family: unix.AF_XDP, Data: b}
	}
	wantError(t, s.Bind(address(1<<20)), "bind", syscall.ENODEV)
	wantError(t, s.Bind(address(lo.Index)), "bind", syscall.EINVAL) // no ring of frames yet
	wantError(t, s.Bind(&sockets.RawAddr{Family: unix.AF_XDP, Data: make([]byte, 127)}), "bind", syscall.EINVAL)
	var wrong *net.AddrError
	if err := s.Bind(&sockets.RawAddr{Family: unix.AF_INET}); !errors.As(err, &wrong) {
		t.Errorf("Bind to an address of another family: %v, want *net.AddrError", err)
	}
	const frame, frames = 4096, 4
	memory, err := unix.Mmap(-1, 0, frame*frames, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	check(t, err)
	defer unix.Munmap(memory)
	onFD(t, s, func(fd int) error {
		reg := make([]byte, unsafe.Sizeof(unix.XDPUmemReg{}))
		binary.NativeEndian.PutUint64(reg, uint64(uintptr(unsafe.Pointer(&memory[0]))))
		binary.NativeEndian.PutUint64(reg[8:], uint64(len(memory)))
		binary.NativeEndian.PutUint32(reg[16:], frame)
		if err := unix.SetsockoptString(fd, unix.SOL_XDP, unix.XDP_UMEM_REG, string(reg)); err != nil {
			return err
		}
		for _, ring := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_RX_RING} {
			if err := unix.SetsockoptInt(fd, unix.SOL_XDP, ring, frames); err != nil {
				return err
			}
		}
		return nil
	})
	check(t, s.Bind(address(lo.Index)))
	c, err := s.PacketConn()
	check(t, err)
	closeLater(t, c)
	if got := c.LocalAddr().Network(); got != "af44" {
		t.Errorf("local address of network %q", got)
	}
	onFD(t, c.(syscall.Conn), func(fd int) error { // bound, as a second bind tells
		if err := unix.Bind(fd, &unix.SockaddrXDP{Flags: unix.XDP_COPY, Ifindex: uint32(lo.Index)}); err != unix.EBUSY {
			return fmt.Errorf("second bind: %v, want EBUSY", err)
		}
		return nil
	})
}

// TestUnknownFamilyALG computes a hash by the kernel's crypto interface, AF_ALG:
// bind chooses it, and a connection that is accepted is one computation.
func TestUnknownFamilyALG(t *testing.T) {
	s, err := sockets.NewRaw(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Skip("no AF_ALG:", err)
	}
	closeLater(t, s)
	// struct sockaddr_alg: type[14], feat, mask, name[64]
	data := make([]byte, 14+4+4+64)
	copy(data, "hash")
	copy(data[22:], "sha256")
	if err := s.Bind(&sockets.RawAddr{Family: unix.AF_ALG, Data: data}); err != nil {
		t.Skip("no SHA-256:", err)
	}
	l, err := s.Listener()
	check(t, err)
	closeLater(t, l)
	c, err := l.Accept()
	check(t, err)
	closeLater(t, c)
	if c.RemoteAddr() == nil || c.LocalAddr() == nil {
		t.Errorf("addresses %v and %v", c.LocalAddr(), c.RemoteAddr())
	}
	stream := c.(*sockets.StreamConn)
	send(t, stream, "hello ", sockets.MsgMore)
	send(t, stream, "world", 0)
	got := make([]byte, sha256.Size)
	_, err = io.ReadFull(stream, got)
	check(t, err)
	if want := sha256.Sum256([]byte("hello world")); !bytes.Equal(want[:], got) {
		t.Errorf("hash %x, want %x", got, want)
	}
}

// TestRawAddr reaches a family that the package knows by the bytes of an address.
func TestRawAddr(t *testing.T) {
	l := listen4(t)
	data := make([]byte, 14)
	binary.BigEndian.PutUint16(data, uint16(l.Addr().(*net.TCPAddr).Port))
	copy(data[2:], []byte{127, 0, 0, 1})
	c, err := newRoleless(t, "tcp4").Connect(t.Context(), &sockets.RawAddr{Family: unix.AF_INET, Data: data})
	check(t, err)
	closeLater(t, c)
	if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
}

// TestPacketConnWriteTo gives wrong destinations in every state: which error comes
// first is as for the types of package net.
func TestPacketConnWriteTo(t *testing.T) {
	open := func() *sockets.PacketConn {
		s, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
		check(t, err)
		c, err := s.PacketConn()
		check(t, err)
		closeLater(t, c)
		return c.(*sockets.PacketConn)
	}
	long := &sockets.RawAddr{Family: unix.AF_NETLINK, Data: make([]byte, 127)}
	c := open()
	_, err := c.WriteTo([]byte("x"), nil)
	wantError(t, err, "write", errMissingAddress)
	_, err = c.WriteTo([]byte("x"), (*sockets.NetlinkAddr)(nil))
	wantError(t, err, "write", errMissingAddress)
	_, err = c.WriteTo([]byte("x"), long)
	wantError(t, err, "write", syscall.EINVAL)
	check(t, c.SetWriteDeadline(time.Unix(1, 0)))
	_, err = c.WriteTo([]byte("x"), long)
	wantError(t, err, "write", os.ErrDeadlineExceeded)
	check(t, c.Close())
	_, err = c.WriteTo([]byte("x"), long)
	wantError(t, err, "write", net.ErrClosed)

	s, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	check(t, err)
	p, err := s.Connect(t.Context(), &sockets.NetlinkAddr{})
	check(t, err)
	closeLater(t, p)
	for _, addr := range []net.Addr{nil, long, &sockets.NetlinkAddr{}} {
		_, err = p.(net.PacketConn).WriteTo([]byte("x"), addr)
		wantError(t, err, "write", net.ErrWriteToConnected)
	}
}

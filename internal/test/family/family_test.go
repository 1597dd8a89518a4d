//go:build linux

package family

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/nettest"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// TestNetlink asks the kernel for its routes and looks for the one that Linux gives
// every namespace with a loopback interface.
func TestNetlink(t *testing.T) {
	socktest.EnterNetNS(t)
	c := conntest.RouteSocket(t)
	if got := c.LocalAddr(); got.Network() != "netlink" || got.String() != "0/0x0" {
		t.Errorf("address before the first message is %s %v", got.Network(), got)
	}
	conntest.NetlinkRequest(t, c, unix.RTM_GETROUTE, unix.NLM_F_DUMP, make([]byte, unix.SizeofRtMsg))
	toLoopback := func(m syscall.NetlinkMessage) bool {
		if m.Header.Type != unix.RTM_NEWROUTE {
			return false
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&m)
		socktest.Check(t, err)
		return slices.ContainsFunc(attributes, func(a syscall.NetlinkRouteAttr) bool {
			return a.Attr.Type == unix.RTA_DST && net.IP(a.Value).Equal(net.IPv4(127, 0, 0, 1))
		})
	}
	loopback := false
	socktest.Check(t, conntest.Replies(t, c, func(m syscall.NetlinkMessage) { loopback = loopback || toLoopback(m) }))
	plain, err := syscall.NetlinkRIB(unix.RTM_GETROUTE, unix.AF_UNSPEC)
	socktest.Check(t, err)
	messages, err := syscall.ParseNetlinkMessage(plain)
	socktest.Check(t, err)
	if !loopback && slices.ContainsFunc(messages, toLoopback) {
		t.Error("no route to 127.0.0.1")
	}
	local, ok := c.LocalAddr().(*sockets.NetlinkAddr)
	if !ok || local.PortID == 0 {
		t.Errorf("address after the first message is %v", c.LocalAddr())
	}

	s, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	socktest.Check(t, err)
	defer s.Close()
	socktest.Check(t, s.Bind(&sockets.NetlinkAddr{PortID: 77, Groups: unix.RTMGRP_LINK}))
	groups := 0
	socktest.WithFD(t, s, func(fd int) error {
		sa, err := unix.Getsockname(fd)
		groups = int(sa.(*unix.SockaddrNetlink).Groups) // gVisor has none
		return err
	})
	if got, want := s.String(), fmt.Sprintf("netlink raw socket bound to 77/%#x", groups); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	// A peer of the kernel's: Write sends there.
	p, err := s.Connect(t.Context(), &sockets.NetlinkAddr{})
	socktest.Check(t, err)
	socktest.CloseLater(t, p)
	_, err = p.(net.PacketConn).WriteTo([]byte("x"), &sockets.NetlinkAddr{})
	socktest.WantError(t, err, "write", net.ErrWriteToConnected)
}

// TestPacketSocket sends a frame over a cable, and compares what packet(7) tells
// about it.
func TestPacketSocket(t *testing.T) {
	socktest.EnterNetNS(t)
	v0, v1 := socktest.VethPair(t)
	const experiment = 0x88b5 // EtherType for local experiments, IEEE 802
	bind := func(typ int, ifi *net.Interface) *sockets.PacketConn {
		s, err := sockets.NewRaw(unix.AF_PACKET, typ, 0)
		if errors.Is(err, os.ErrPermission) {
			t.Skip("packet sockets need CAP_NET_RAW:", err)
		}
		socktest.Check(t, err)
		defer s.Close()
		socktest.Check(t, s.Bind(&sockets.LinkAddr{Interface: ifi.Index, Protocol: experiment}))
		c, err := s.PacketConn()
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		socktest.Check(t, c.SetDeadline(time.Now().Add(2*time.Minute)))
		return c.(*sockets.PacketConn)
	}
	a, b := bind(unix.SOCK_DGRAM, v0), bind(unix.SOCK_DGRAM, v1)
	local := a.LocalAddr().(*sockets.LinkAddr)
	want := &sockets.LinkAddr{Interface: v0.Index, Protocol: experiment, HardwareType: unix.ARPHRD_ETHER, HardwareAddr: v0.HardwareAddr}
	if local.String() != want.String() {
		t.Errorf("local address %v, want %v", local, want)
	}
	buf := make([]byte, 1500)
	// The kernel drops what is sent before it has noticed that both ends are up, so
	// frames are sent until one arrives.
	exchange := func(send func() error, c *sockets.PacketConn) (n int, from net.Addr, err error) {
		for range 100 {
			socktest.Check(t, send())
			socktest.Check(t, c.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
			if n, from, err = c.ReceiveFrom(buf, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
		}
		return n, from, err
	}
	n, from, err := exchange(func() error {
		_, err := a.WriteTo([]byte("payload"), &sockets.LinkAddr{Interface: v0.Index, Protocol: experiment, HardwareAddr: v1.HardwareAddr})
		return err
	}, b)
	socktest.Check(t, err)
	if string(buf[:n]) != "payload" {
		t.Errorf("received %q", buf[:n])
	}
	want.Interface = v1.Index
	if from.String() != want.String() {
		t.Errorf("sender %v, want %v", from, want)
	}
	parsed, err := sockets.ParseAddr(from.Network(), from.String())
	if err != nil || parsed.String() != from.String() {
		t.Errorf("parsed back as %v, %v", parsed, err)
	}

	raw := bind(unix.SOCK_RAW, v1)
	frame := append(append(append([]byte(nil), v0.HardwareAddr...), v1.HardwareAddr...), 0x88, 0xb5, 'x')
	n, from, err = exchange(func() error {
		_, err := raw.SendTo(frame, &sockets.LinkAddr{Interface: v1.Index}, 0)
		return err
	}, a)
	if string(buf[:n]) != "x" || err != nil || from.(*sockets.LinkAddr).Interface != v0.Index {
		t.Errorf("received %q from %v, %v", buf[:n], from, err)
	}
	_, err = a.WriteTo([]byte("x"), &net.UDPAddr{Port: 1})
	var wrong *sockets.ArgumentError
	if !errors.As(err, &wrong) {
		t.Errorf("WriteTo a UDP address: %v, want *ArgumentError", err)
	}
	_, err = a.WriteTo([]byte("x"), nil)
	socktest.WantError(t, err, "write", socktest.ErrMissingAddress)
}

// TestAcceptLinkLocal has accepted connections know their zone. The kernel does not
// tell that of a listener with Multipath TCP.
func TestAcceptLinkLocal(t *testing.T) {
	socktest.NeedIPv6(t)
	socktest.EnterNetNS(t)
	lo := socktest.LoopbackInterface(t)
	socktest.AddAddr6(t, lo, net.ParseIP("fe80::1"))
	for _, multipath := range []bool{false, true} {
		var lc sockets.ListenConfig
		lc.SetMultipathTCP(multipath)
		l, err := lc.Listen(t.Context(), "tcp", "[fe80::1%lo]:0")
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		c, err := sockets.DialTCP("tcp", nil, &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "lo", Port: l.Addr().(*net.TCPAddr).Port})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		a, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer a.Close()
		if diff := cmp.Diff(c.RemoteAddr(), a.LocalAddr()); diff != "" {
			t.Errorf("multipath %v: the two ends differ about the server's address (-client +server):\n%s", multipath, diff)
		}
	}
}

func TestVsock(t *testing.T) {
	conntest.NeedVsock(t)
	l, err := sockets.Listen("vsock", ":*")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	port := l.Addr().(*sockets.VsockAddr).Port
	c, err := sockets.Dial("vsock", fmt.Sprintf("%d:%d", sockets.VsockLocal, port))
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	a, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, a)
	_, err = c.Write([]byte("x"))
	socktest.Check(t, err)
	conntest.WantMessage(t, a, "x")
	t.Run("conformance", func(t *testing.T) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) { return conntest.PipeThrough(l) })
	})
	t.Run("http", func(t *testing.T) { conntest.ServeHTTPOver(t, l) })
}

// TestVsockAddresses does what needs no peer.
func TestVsockAddresses(t *testing.T) {
	s, err := sockets.New("vsock")
	if err != nil {
		t.Skip("no vsock:", err)
	}
	socktest.CloseLater(t, s)
	socktest.Check(t, s.Bind(&sockets.VsockAddr{CID: sockets.VsockAny, Port: sockets.VsockAny}))
	addr := s.LocalAddr().(*sockets.VsockAddr)
	if addr.CID != sockets.VsockAny || addr.Port == sockets.VsockAny || addr.Port < 1024 {
		t.Errorf("bound to %v, want a port of the kernel's choice", addr)
	}
	if got, want := s.String(), "vsock stream socket bound to "+addr.String(); got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	l, err := s.Listen(1)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	if diff := cmp.Diff(addr, l.Addr()); diff != "" {
		t.Errorf("address of the listener (-want +got):\n%s", diff)
	}
	_, err = l.(conntest.Acceptor).AcceptWith(sockets.AcceptConfig{Timeout: time.Millisecond})
	socktest.WantError(t, err, "accept", os.ErrDeadlineExceeded)

	_, err = sockets.Listen("vsock", l.Addr().String())
	socktest.WantError(t, err, "listen", syscall.EADDRINUSE)
	// The number of another machine.
	_, err = sockets.Listen("vsock", "2147483646:*")
	socktest.WantError(t, err, "listen", syscall.EADDRNOTAVAIL)
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
	socktest.Check(t, err)
	socktest.CloseLater(t, wild)
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
	socktest.WantError(t, err, "dial", errStop)
	_, err = sockets.ListenPacket("vsock", ":1")
	if !errors.As(err, &mismatch) {
		t.Errorf("ListenPacket: %v, want *net.AddrError", err)
	}
}

// TestUnknownFamilyXDP binds a socket of a family that the package knows nothing
// of, AF_XDP, by the bytes of its address, linux/if_xdp.h.
func TestUnknownFamilyXDP(t *testing.T) {
	socktest.EnterNetNS(t)
	s, err := sockets.NewRaw(unix.AF_XDP, unix.SOCK_RAW, 0)
	if err != nil {
		t.Skip("no AF_XDP:", err)
	}
	socktest.CloseLater(t, s)
	if got, want := s.String(), "af44 raw socket, unbound"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	lo := socktest.LoopbackInterface(t)
	address := func(ifindex int) *sockets.RawAddr {
		// flags, interface, queue, descriptor of shared memory
		b := make([]byte, 14)
		binary.NativeEndian.PutUint16(b, unix.XDP_COPY)
		binary.NativeEndian.PutUint32(b[2:], uint32(ifindex))
		return &sockets.RawAddr{Family: unix.AF_XDP, Data: b}
	}
	socktest.WantError(t, s.Bind(address(1<<20)), "bind", syscall.ENODEV)
	socktest.WantError(t, s.Bind(address(lo.Index)), "bind", syscall.EINVAL) // no ring of frames yet
	socktest.WantError(t, s.Bind(&sockets.RawAddr{Family: unix.AF_XDP, Data: make([]byte, 127)}), "bind", syscall.EINVAL)
	var wrong *sockets.ArgumentError
	if err := s.Bind(&sockets.RawAddr{Family: unix.AF_INET}); !errors.As(err, &wrong) {
		t.Errorf("Bind to an address of another family: %v, want *ArgumentError", err)
	}
	const frame, frames = 4096, 4
	memory, err := unix.Mmap(-1, 0, frame*frames, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	socktest.Check(t, err)
	defer unix.Munmap(memory)
	socktest.WithFD(t, s, func(fd int) error {
		reg := make([]byte, unsafe.Sizeof(unix.XDPUmemReg{}))
		binary.NativeEndian.PutUint64(reg, uint64(uintptr(unsafe.Pointer(&memory[0]))))
		binary.NativeEndian.PutUint64(reg[8:], uint64(len(memory)))
		binary.NativeEndian.PutUint32(reg[16:], frame)
		if err := unix.SetsockoptString(fd, unix.SOL_XDP, unix.XDP_UMEM_REG, string(reg)); err == unix.ENOPROTOOPT {
			t.Skip("no memory for AF_XDP, which an emulator may lack: ", err)
		} else if err != nil {
			return err
		}
		for _, ring := range []int{unix.XDP_UMEM_FILL_RING, unix.XDP_UMEM_COMPLETION_RING, unix.XDP_RX_RING} {
			if err := unix.SetsockoptInt(fd, unix.SOL_XDP, ring, frames); err != nil {
				return err
			}
		}
		return nil
	})
	socktest.Check(t, s.Bind(address(lo.Index)))
	c, err := s.PacketConn()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if got := c.LocalAddr().Network(); got != "af44" {
		t.Errorf("local address of network %q", got)
	}
	socktest.WithFD(t, c.(syscall.Conn), func(fd int) error { // bound, as a second bind tells
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
	socktest.CloseLater(t, s)
	// struct sockaddr_alg: type[14], feat, mask, name[64]
	data := make([]byte, 14+4+4+64)
	copy(data, "hash")
	copy(data[22:], "sha256")
	if err := s.Bind(&sockets.RawAddr{Family: unix.AF_ALG, Data: data}); err != nil {
		t.Skip("no SHA-256:", err)
	}
	l, err := s.Listener()
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	c, err := l.Accept()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if c.RemoteAddr() == nil || c.LocalAddr() == nil {
		t.Errorf("addresses %v and %v", c.LocalAddr(), c.RemoteAddr())
	}
	stream := c.(*sockets.StreamConn)
	conntest.Send(t, stream, "hello ", sockets.MsgMore)
	conntest.Send(t, stream, "world", 0)
	got := make([]byte, sha256.Size)
	_, err = io.ReadFull(stream, got)
	socktest.Check(t, err)
	if want := sha256.Sum256([]byte("hello world")); !bytes.Equal(want[:], got) {
		t.Errorf("hash %x, want %x", got, want)
	}
}

// TestRawAddr reaches a family that the package knows by the bytes of an address.
func TestRawAddr(t *testing.T) {
	l := conntest.Listen4(t)
	data := make([]byte, 14)
	binary.BigEndian.PutUint16(data, uint16(l.Addr().(*net.TCPAddr).Port))
	copy(data[2:], []byte{127, 0, 0, 1})
	c, err := conntest.NewSocket(t, "tcp4").Connect(t.Context(), &sockets.RawAddr{Family: unix.AF_INET, Data: data})
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
}

// Port 0 of a vsock listener is one that the kernel chooses.
func TestVsockPortZero(t *testing.T) {
	s, err := sockets.New("vsock")
	if err != nil {
		t.Skip("no vsock: ", err)
	}
	s.Close()
	for _, address := range []string{":0", "*:0", "1:0"} {
		l, err := sockets.Listen("vsock", address)
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Skip("no vsock: ", err)
		}
		socktest.Check(t, err)
		if port := l.Addr().(*sockets.VsockAddr).Port; port == 0 || port == sockets.VsockAny {
			t.Errorf("%s: port %d", address, port)
		}
		l.Close()
	}
}

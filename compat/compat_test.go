//go:build linux || darwin || freebsd || netbsd || openbsd

package compat_test

import (
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	net "github.com/iolib-go/sockets/compat"
)

// made returns what a function has made, and fails the test if it has not.
func made[T io.Closer](t *testing.T) func(v T, err error) any {
	return func(v T, err error) any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.Close() })
		return v
	}
}

// TestTypes calls everything that makes a socket and looks at its type.
func TestTypes(t *testing.T) {
	ctx := t.Context()
	dir, err := os.MkdirTemp("", "compat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	paths := 0
	unixAddr := func(network string) *net.UnixAddr {
		paths++
		return &net.UnixAddr{Net: network, Name: filepath.Join(dir, string(rune('a'+paths)))}
	}
	loopback := net.IPv4(127, 0, 0, 1)

	conn, listener, packetConn := made[net.Conn](t), made[net.Listener](t), made[net.PacketConn](t)
	tcpListener := listener(net.Listen("tcp", "127.0.0.1:0")).(*sockets.TCPListener)
	unixListener := made[*net.UnixListener](t)(net.ListenUnix("unix", unixAddr("unix"))).(*sockets.UnixListener)
	udpConn := packetConn(net.ListenPacket("udp", "127.0.0.1:0")).(*sockets.UDPConn)
	tcpAddr := tcpListener.Addr().(*net.TCPAddr)
	udpAddr := udpConn.LocalAddr().(*net.UDPAddr)

	file := func(f *os.File, err error) *os.File { return made[*os.File](t)(f, err).(*os.File) }
	var d net.Dialer
	var lc net.ListenConfig
	tests := []struct {
		name string
		got  any
		want any
	}{
		{"Dial", conn(net.Dial("tcp", tcpAddr.String())), (*sockets.TCPConn)(nil)},
		{"DialTimeout", conn(net.DialTimeout("udp", udpAddr.String(), time.Minute)), (*sockets.UDPConn)(nil)},
		{"DialTCP", made[*net.TCPConn](t)(net.DialTCP("tcp", nil, tcpAddr)), (*sockets.TCPConn)(nil)},
		{"DialUDP", made[*net.UDPConn](t)(net.DialUDP("udp", nil, udpAddr)), (*sockets.UDPConn)(nil)},
		{"DialUnix", made[*net.UnixConn](t)(net.DialUnix("unix", nil, unixListener.Addr().(*net.UnixAddr))), (*sockets.UnixConn)(nil)},
		{"Dialer.Dial", conn(d.Dial("tcp", tcpAddr.String())), (*sockets.TCPConn)(nil)},
		{"Dialer.DialContext", conn(d.DialContext(ctx, "tcp", tcpAddr.String())), (*sockets.TCPConn)(nil)},
		{"Dialer.DialTCP", made[*net.TCPConn](t)(d.DialTCP(ctx, "tcp", netip.AddrPort{}, tcpAddr.AddrPort())), (*sockets.TCPConn)(nil)},
		{"Dialer.DialUDP", made[*net.UDPConn](t)(d.DialUDP(ctx, "udp", netip.AddrPort{}, udpAddr.AddrPort())), (*sockets.UDPConn)(nil)},
		{"Dialer.DialUnix", made[*net.UnixConn](t)(d.DialUnix(ctx, "unix", nil, unixListener.Addr().(*net.UnixAddr))), (*sockets.UnixConn)(nil)},
		{"Listen", tcpListener, (*sockets.TCPListener)(nil)},
		{"Listen unix", listener(net.Listen("unix", unixAddr("unix").Name)), (*sockets.UnixListener)(nil)},
		{"ListenConfig.Listen", listener(lc.Listen(ctx, "tcp", "127.0.0.1:0")), (*sockets.TCPListener)(nil)},
		{"ListenTCP", made[*net.TCPListener](t)(net.ListenTCP("tcp", &net.TCPAddr{IP: loopback})), (*sockets.TCPListener)(nil)},
		{"ListenUnix", unixListener, (*sockets.UnixListener)(nil)},
		{"ListenPacket", udpConn, (*sockets.UDPConn)(nil)},
		{"ListenPacket unixgram", packetConn(net.ListenPacket("unixgram", unixAddr("unixgram").Name)), (*sockets.UnixConn)(nil)},
		{"ListenConfig.ListenPacket", packetConn(lc.ListenPacket(ctx, "udp", "127.0.0.1:0")), (*sockets.UDPConn)(nil)},
		{"ListenUDP", made[*net.UDPConn](t)(net.ListenUDP("udp", &net.UDPAddr{IP: loopback})), (*sockets.UDPConn)(nil)},
		{"ListenMulticastUDP", made[*net.UDPConn](t)(net.ListenMulticastUDP("udp4", loopbackInterface(t), &net.UDPAddr{IP: net.IPv4(239, 255, 0, 1)})), (*sockets.UDPConn)(nil)},
		{"ListenUnixgram", made[*net.UnixConn](t)(net.ListenUnixgram("unixgram", unixAddr("unixgram"))), (*sockets.UnixConn)(nil)},
		{"FileConn", conn(net.FileConn(file(udpConn.File()))), (*sockets.UDPConn)(nil)},
		{"FileListener", listener(net.FileListener(file(tcpListener.File()))), (*sockets.TCPListener)(nil)},
		{"FilePacketConn", packetConn(net.FilePacketConn(file(udpConn.File()))), (*sockets.UDPConn)(nil)},
		{"Accept", conn(tcpListener.Accept()), (*sockets.TCPConn)(nil)},
		{"AcceptTCP", made[*net.TCPConn](t)(tcpListener.AcceptTCP()), (*sockets.TCPConn)(nil)},
		{"Accept unix", conn(unixListener.Accept()), (*sockets.UnixConn)(nil)},
		{"AcceptUnix", made[*net.UnixConn](t)(unixListener.AcceptUnix()), (*sockets.UnixConn)(nil)},
	}
	for _, tt := range tests {
		if got, want := reflect.TypeOf(tt.got), reflect.TypeOf(tt.want); got != want {
			t.Errorf("%s makes a %v, want a %v", tt.name, got, want)
		}
	}
}

// loopbackInterface returns the interface that is there without a network.
func loopbackInterface(t *testing.T) *net.Interface {
	t.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for i := range interfaces {
		if interfaces[i].Flags&net.FlagLoopback != 0 {
			return &interfaces[i]
		}
	}
	t.Skip("no loopback interface")
	return nil
}

// TestIPTypes is TestTypes for raw sockets.
func TestIPTypes(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("raw sockets need privileges")
	}
	addr := &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}
	var _ *sockets.IPConn = made[*net.IPConn](t)(net.ListenIP("ip4:253", addr)).(*sockets.IPConn)
	var _ *sockets.IPConn = made[*net.IPConn](t)(net.DialIP("ip4:253", nil, addr)).(*sockets.IPConn)
	var d net.Dialer
	literal := netip.MustParseAddr("127.0.0.1")
	var _ *sockets.IPConn = made[*net.IPConn](t)(d.DialIP(context.Background(), "ip4:253", netip.Addr{}, literal)).(*sockets.IPConn)
}

// TestNilInterfaces sees that what fails returns nil, not a typed one.
func TestNilInterfaces(t *testing.T) {
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if c, err := net.Dial("nosuch", ""); c != nil || err == nil {
		t.Errorf("Dial: %v, %v", c, err)
	}
	if l, err := net.Listen("nosuch", ""); l != nil || err == nil {
		t.Errorf("Listen: %v, %v", l, err)
	}
	if c, err := net.ListenPacket("nosuch", ""); c != nil || err == nil {
		t.Errorf("ListenPacket: %v, %v", c, err)
	}
	if c, err := net.FileConn(closed); c != nil || err == nil {
		t.Errorf("FileConn: %v, %v", c, err)
	}
	if l, err := net.FileListener(closed); l != nil || err == nil {
		t.Errorf("FileListener: %v, %v", l, err)
	}
	if c, err := net.FilePacketConn(closed); c != nil || err == nil {
		t.Errorf("FilePacketConn: %v, %v", c, err)
	}
}

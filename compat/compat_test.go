//go:build linux || darwin || freebsd || netbsd || openbsd

package compat_test

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	net "github.com/iolib-go/sockets/compat"
)

// open returns what a function has opened, and closes it with the test.
func open[T io.Closer](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.Close() })
		return v
	}
}

// TestTypes looks into the interfaces that functions and methods return: no
// type of net's must be in them.
func TestTypes(t *testing.T) {
	dir, err := os.MkdirTemp("", "compat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conn, listener, packetConn, file := open[net.Conn](t), open[net.Listener](t), open[net.PacketConn](t), open[*os.File](t)

	tcp := listener(net.Listen("tcp", "127.0.0.1:0"))
	unix := listener(net.Listen("unix", filepath.Join(dir, "stream")))
	udp := packetConn(net.ListenPacket("udp", "127.0.0.1:0"))
	unixgram := packetConn(net.ListenPacket("unixgram", filepath.Join(dir, "datagram")))
	tcpAddr, unixAddr, udpAddr := tcp.Addr().String(), unix.Addr().String(), udp.LocalAddr().String()
	tcpFile := file(tcp.(*net.TCPListener).File())
	udpFile := file(udp.(*net.UDPConn).File())

	var (
		d            net.Dialer
		lc           net.ListenConfig
		tcpConn      *sockets.TCPConn
		udpConn      *sockets.UDPConn
		unixConn     *sockets.UnixConn
		tcpListener  *sockets.TCPListener
		unixListener *sockets.UnixListener
	)
	tests := []struct {
		name      string
		got, want any
	}{
		{"Dial", conn(net.Dial("tcp", tcpAddr)), tcpConn},
		{"DialTimeout", conn(net.DialTimeout("unix", unixAddr, time.Minute)), unixConn},
		{"Dialer.Dial", conn(d.Dial("tcp", tcpAddr)), tcpConn},
		{"Dialer.DialContext", conn(d.DialContext(t.Context(), "udp", udpAddr)), udpConn},
		{"Listen tcp", tcp, tcpListener},
		{"Listen unix", unix, unixListener},
		{"ListenConfig.Listen", listener(lc.Listen(t.Context(), "tcp", "127.0.0.1:0")), tcpListener},
		{"ListenPacket udp", udp, udpConn},
		{"ListenPacket unixgram", unixgram, unixConn},
		{"ListenConfig.ListenPacket", packetConn(lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")), udpConn},
		{"FileConn", conn(net.FileConn(udpFile)), udpConn},
		{"FileListener", listener(net.FileListener(tcpFile)), tcpListener},
		{"FilePacketConn", packetConn(net.FilePacketConn(udpFile)), udpConn},
		{"Accept tcp", conn(tcp.Accept()), tcpConn},
		{"Accept unix", conn(unix.Accept()), unixConn},
	}
	for _, tt := range tests {
		if got, want := reflect.TypeOf(tt.got), reflect.TypeOf(tt.want); got != want {
			t.Errorf("%s makes a %v, want a %v", tt.name, got, want)
		}
	}
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

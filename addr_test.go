//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// TestParseAddr prints addresses and parses them back.
func TestParseAddr(t *testing.T) {
	tests := []struct {
		addr          net.Addr
		network, text string
	}{
		{&sockets.VsockAddr{CID: 2, Port: 1024}, "vsock", "2:1024"},
		{&sockets.VsockAddr{CID: sockets.VsockAny, Port: sockets.VsockAny}, "vsock", "*:*"},
		{&sockets.NetlinkAddr{PortID: 77, Groups: 0x11}, "netlink", "77/0x11"},
		{&sockets.NetlinkAddr{}, "netlink", "0/0x0"},
		{&sockets.LinkAddr{Interface: 2, Protocol: 0x800, HardwareType: 1, PacketType: 4,
			HardwareAddr: net.HardwareAddr{2, 0, 0x5e, 0x10, 0, 1}}, "packet", "2/0x0800/1/4/02:00:5e:10:00:01"},
		{&sockets.LinkAddr{}, "packet", "0/0x0000/0/0/"},
		{&sockets.LinkAddr{HardwareAddr: make(net.HardwareAddr, 20)}, "packet",
			"0/0x0000/0/0/00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00"},
		{&sockets.RawAddr{Family: 38, Data: []byte{0, 0xff}}, "af38", "00ff"},
		{&sockets.RawAddr{Family: 2, Data: []byte{}}, "af2", ""},
		{&net.TCPAddr{IP: net.IP{127, 0, 0, 1}, Port: 80}, "tcp", "127.0.0.1:80"},
		{&net.TCPAddr{Port: 80}, "tcp", ":80"},
		{&net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 53}, "udp", "[fe80::1%eth0]:53"},
		{&net.IPAddr{IP: net.ParseIP("2001:db8::1")}, "ip", "2001:db8::1"},
		{&net.IPAddr{}, "ip", ""},
		{&net.UnixAddr{Name: "/tmp/s", Net: "unix"}, "unix", "/tmp/s"},
		{&net.UnixAddr{Name: "@abstract", Net: "unixgram"}, "unixgram", "@abstract"},
		{&net.UnixAddr{Name: "", Net: "unixpacket"}, "unixpacket", ""},
	}
	for _, tt := range tests {
		t.Run(tt.network+" "+tt.text, func(t *testing.T) {
			if tt.addr.Network() != tt.network || tt.addr.String() != tt.text {
				t.Errorf("prints as %s %s", tt.addr.Network(), tt.addr)
			}
			got, err := sockets.ParseAddr(tt.network, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.addr, got); diff != "" {
				t.Errorf("parsed back (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseAddrMalformed(t *testing.T) {
	for _, tt := range []struct{ network, text string }{
		{"vsock", ""}, {"vsock", "1"}, {"vsock", "1:"}, {"vsock", "-1:1"}, {"vsock", "1:4294967296"}, {"vsock", "1:2:3"},
		{"netlink", ""}, {"netlink", "1"}, {"netlink", "1/x"}, {"netlink", "4294967296/0"},
		{"packet", ""}, {"packet", "1/2/3/4"}, {"packet", "-1/0/0/0/"}, {"packet", "2147483648/0/0/0/"}, {"packet", "1/65536/0/0/"},
		{"packet", "1/0/65536/0/"}, {"packet", "1/0/0/256/"}, {"packet", "1/0/0/0/0"}, {"packet", "1/0/0/0/00:"},
		{"packet", "1/0/0/0/00-01"},
		{"af", ""}, {"af38", "0"}, {"af38", "xx"}, {"af65536", ""}, {"af-1", ""},
		{"tcp", ""}, {"tcp", "127.0.0.1"}, {"tcp", "localhost:80"}, {"tcp", "1.2.3.4:65536"}, {"tcp", ":x"}, {"udp", "[::1]"},
		{"ip", "localhost"}, {"tcp4", "127.0.0.1:80"}, {"", ""},
	} {
		addr, err := sockets.ParseAddr(tt.network, tt.text)
		var wrong *net.AddrError
		if addr != nil || !errors.As(err, &wrong) {
			t.Errorf("ParseAddr(%q, %q) = %v, %v; want *net.AddrError", tt.network, tt.text, addr, err)
		}
	}
}

// TestAddrsOfNil prints nil addresses as package net does.
func TestAddrsOfNil(t *testing.T) {
	for _, addr := range []net.Addr{
		(*sockets.VsockAddr)(nil), (*sockets.NetlinkAddr)(nil), (*sockets.LinkAddr)(nil), (*sockets.RawAddr)(nil),
	} {
		if got := addr.String(); got != "<nil>" {
			t.Errorf("nil %T prints as %q", addr, got)
		}
		// Neither does a dial from one panic.
		if c, err := (&sockets.Dialer{LocalAddr: addr}).Dial("tcp", "127.0.0.1:1"); err == nil {
			t.Errorf("a connection from a nil %T", addr)
			c.Close()
		}
	}
}

// FuzzParseAddr checks that what was parsed is stable: it prints as something that
// parses as the same again.
func FuzzParseAddr(f *testing.F) {
	for _, seed := range [][2]string{
		{"vsock", "2:1024"}, {"vsock", "*:*"}, {"netlink", "77/0x11"}, {"packet", "2/0x0800/1/4/02:00:5e:10:00:01"},
		{"af38", "00ff"}, {"tcp", ":80"}, {"tcp", "[::ffff:1.2.3.4%z]:1"}, {"udp", "[fe80::1%eth0]:53"}, {"ip", "::1"}, {"unix", "@x"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, network, text string) {
		addr, err := sockets.ParseAddr(network, text)
		if err != nil {
			if addr != nil {
				t.Fatalf("an address with the error: %v", addr)
			}
			return
		}
		again, err := sockets.ParseAddr(addr.Network(), addr.String())
		if err != nil {
			t.Fatalf("%q of %q parsed as %v, which does not parse: %v", text, network, addr, err)
		}
		if addr.String() != again.String() || addr.Network() != again.Network() {
			t.Errorf("%q of %q parsed as %v and then as %v", text, network, addr, again)
		}
	})
}

// badAddr is an address of a type that nothing knows.
type badAddr struct{}

func (badAddr) Network() string { return "tcp" }

func (badAddr) String() string { return "bad" }

// TestAddrRefused uses addresses that a socket cannot have. The error names the argument,
// and what is wrong with it.
func TestAddrRefused(t *testing.T) {
	socktest.NeedNetlink(t)
	netlink, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, 0)
	socktest.Check(t, err)
	socktest.CloseLater(t, netlink)
	tcp, udp, unixgram := conntest.NewSocket(t, "tcp4"), conntest.NewSocket(t, "udp4"), conntest.NewSocket(t, "unixgram")
	type fault struct{ Arg, Value, Why string }
	for _, tt := range []struct {
		name string
		s    *sockets.Socket
		addr net.Addr
		want fault
	}{
		{"UDP for TCP", tcp, &net.UDPAddr{Port: 1}, fault{"address", ":1", "one of network udp does not fit the ipv4 stream socket"}},
		{"IP for UDP", udp, &net.IPAddr{}, fault{"address", "", "one of network ip does not fit the ipv4 datagram socket"}},
		{"TCP for unix", unixgram, &net.TCPAddr{}, fault{"address", ":0", "one of network tcp does not fit the unix datagram socket"}},
		{"unix for UDP", udp, &net.UnixAddr{Name: "x", Net: "unixgram"}, fault{"address", "x", "one of network unixgram does not fit the ipv4 datagram socket"}},
		{"unix of no network for UDP", udp, &net.UnixAddr{Name: "x"}, fault{"address", "x", `one of network "" does not fit the ipv4 datagram socket`}},
		{"vsock for netlink", netlink, &sockets.VsockAddr{CID: 2}, fault{"address", "2:0", "one of network vsock does not fit the netlink raw socket"}},
		{"a type of its own", tcp, badAddr{}, fault{"address", "bad", "one of network tcp does not fit the ipv4 stream socket"}},
		{"NUL in a path", unixgram, &net.UnixAddr{Name: "a\x00b"}, fault{"address", `"a\x00b"`, "the path of a unix socket has no NUL"}},
		{"family of a raw address", netlink, &sockets.RawAddr{Family: 38}, fault{"address", "", "one of network af38 does not fit the netlink raw socket"}},
		{"length of a raw address", netlink, &sockets.RawAddr{Family: unix.AF_NETLINK, Data: make([]byte, 127)},
			fault{"address", strings.Repeat("00", 127), "has more than 126 bytes of data"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := &sockets.ArgumentError{Arg: tt.want.Arg, Value: tt.want.Value, Why: tt.want.Why}
			for call, err := range map[string]error{
				"Bind":          tt.s.Bind(tt.addr),
				"Connect":       socktest.ErrOf(tt.s.Connect(t.Context(), tt.addr)),
				"ConnectNoWait": socktest.ErrOf(tt.s.ConnectNoWait(tt.addr)),
			} {
				got, ok := errors.AsType[*sockets.ArgumentError](err)
				if !ok || got.Error() != want.Error() || got.Arg != want.Arg || !errors.Is(err, syscall.EINVAL) {
					t.Errorf("%s: %v, want %v", call, err, want)
				}
			}
		})
	}

	const want = `sockets: invalid address "": one of network ip does not fit the ipv4 datagram socket`
	if err := udp.Bind(&net.IPAddr{}); !strings.HasSuffix(fmt.Sprint(err), want) {
		t.Errorf("%v, want %s", err, want)
	}

	packets := conntest.RouteSocket(t)
	for _, tt := range []struct {
		c  net.PacketConn
		to net.Addr
	}{
		{conntest.Packets(t, "udp4").(net.PacketConn), &net.TCPAddr{Port: 1}},
		{conntest.Packets(t, "unixgram").(net.PacketConn), &net.UDPAddr{Port: 1}},
		{packets, &net.UDPAddr{Port: 1}},
	} {
		_, err := tt.c.(conntest.BatchWriter).WriteBatch([]sockets.Message{conntest.MessageTo([]byte("x"), tt.to)}, 0)
		if _, ok := errors.AsType[*sockets.ArgumentError](err); !ok {
			t.Errorf("WriteBatch of a %T to a %T: %v, want an *ArgumentError", tt.c, tt.to, err)
		}
	}
	_, err = packets.WriteTo([]byte("x"), &net.UDPAddr{Port: 1})
	if _, ok := errors.AsType[*sockets.ArgumentError](err); !ok {
		t.Errorf("WriteTo: %v, want an *ArgumentError", err)
	}
}

// TestLinkAddrRefused is TestAddrRefused for packet(7), which takes a privilege.
func TestLinkAddrRefused(t *testing.T) {
	socktest.EnterNetNS(t)
	socktest.NeedPacket(t)
	s, err := sockets.NewRaw(unix.AF_PACKET, unix.SOCK_DGRAM, 0)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	tooBig := int64(math.MaxInt32) + 1 // as an int of 32 bits it is negative
	for addr, want := range map[net.Addr]string{
		&sockets.LinkAddr{HardwareAddr: make(net.HardwareAddr, 33)}: "hardware address",
		&sockets.LinkAddr{Interface: -1}:                            "interface index",
		&sockets.LinkAddr{Interface: int(tooBig)}:                   "interface index",
	} {
		got, ok := errors.AsType[*sockets.ArgumentError](s.Bind(addr))
		if !ok || got.Arg != want {
			t.Errorf("Bind(%v): %v, want a bad %s", addr, got, want)
		}
	}
}

// A peer whose path fills sun_path is answered at the address that it was received from.
func TestAnswerLongPath(t *testing.T) {
	dir := socktest.ShortDir(t)
	path := dir + "/" + strings.Repeat("p", 108-len(dir)-1)
	peer, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	socktest.Check(t, err)
	defer unix.Close(peer)
	// unix.Bind refuses it.
	raw, err := sockets.FromFD(mustDup(t, peer))
	socktest.Check(t, err)
	defer raw.Close()
	socktest.Check(t, raw.Bind(&sockets.RawAddr{Family: unix.AF_UNIX, Data: []byte(path)}))
	c, err := sockets.ListenPacket("unixgram", dir+"/s")
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	socktest.Check(t, unix.Sendto(peer, []byte("question"), 0, &unix.SockaddrUnix{Name: dir + "/s"}))
	u := c.(*sockets.UnixConn)
	b := make([]byte, 20)
	n, from, err := u.ReadFrom(b)
	if string(b[:n]) != "question" || err != nil || from.String() != path {
		t.Fatalf("received %q from %v, %v", b[:n], from, err)
	}
	for name, answer := range map[string]func() error{
		"WriteTo":      func() error { return socktest.ErrOf(u.WriteTo([]byte("answer"), from)) },
		"WriteToUnix":  func() error { return socktest.ErrOf(u.WriteToUnix([]byte("answer"), from.(*net.UnixAddr))) },
		"SendTo":       func() error { return socktest.ErrOf(u.SendTo([]byte("answer"), from, 0)) },
		"WriteMsgUnix": func() error { _, _, err := u.WriteMsgUnix([]byte("answer"), nil, from.(*net.UnixAddr)); return err },
		"WriteBatch": func() error {
			return socktest.ErrOf(u.WriteBatch([]sockets.Message{{Buffers: [][]byte{[]byte("answer")}, Addr: from}}, 0))
		},
	} {
		if err := answer(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n, err := unix.Read(peer, b); string(b[:n]) != "answer" || err != nil {
			t.Errorf("%s: the peer received %q, %v", name, b[:n], err)
		}
	}
	if _, err := u.WriteTo([]byte("x"), &net.UnixAddr{Name: path + "p", Net: "unixgram"}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("path of 109 bytes: %v, want EINVAL", err)
	}
}

func mustDup(t *testing.T, fd int) int {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	socktest.Check(t, err)
	return fd
}

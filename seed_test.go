//go:build linux

package sockets_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
)

// A seedRow is a keyword of an operator of IOLib, the library this one comes from.
type seedRow struct {
	operator, keyword string // the keyword is empty for the operator as such
	do                func(t *testing.T)
}

// TestSeed does once what each operator and keyword of IOLib is for. README.md has
// the same table.
func TestSeed(t *testing.T) {
	for _, row := range seedRows {
		name := row.operator
		if row.keyword != "" {
			name += "/" + row.keyword
		}
		t.Run(name, row.do)
	}
}

var seedRows = []seedRow{
	{"make-socket", ":address-family", seedAddressFamily},
	{"make-socket", ":type", seedType},
	{"make-socket", ":protocol", seedProtocol},
	{"make-socket", ":connect", seedActivePassive},
	{"make-socket", ":ipv6", seedIPv6},
	{"make-socket", ":local-host", seedLocalHostPort},
	{"make-socket", ":local-port", seedLocalHostPort},
	{"make-socket", ":remote-host", seedRemoteHostPort},
	{"make-socket", ":remote-port", seedRemoteHostPort},
	{"make-socket", ":local-filename", seedFilenames},
	{"make-socket", ":remote-filename", seedFilenames},
	{"make-socket", ":backlog", seedBacklog},
	{"make-socket", ":reuse-address", func(t *testing.T) { seedOption(t, sockets.ReuseAddr, true) }},
	{"make-socket", ":keepalive", func(t *testing.T) { seedOption(t, sockets.KeepAlive, false) }},
	{"make-socket", ":nodelay", func(t *testing.T) { seedOption(t, sockets.NoDelay, false) }},
	{"make-socket", ":interface", func(t *testing.T) { seedOption(t, sockets.BindToDevice, "lo") }},
	{"make-socket", ":broadcast", func(t *testing.T) { seedOption(t, sockets.Broadcast, true) }},
	{"make-socket", ":external-format", seedSocketFormat},
	{"make-socket", ":input-buffer-size", seedInputBuffer["make-socket"]},
	{"make-socket", ":output-buffer-size", seedOutputBuffer["make-socket"]},
	{"with-open-socket", "", seedWithOpenSocket},
	{"with-accept-connection", "", seedWithAcceptConnection},
	{"make-socket-from-fd", ":dup", seedFDDup},
	{"make-socket-from-fd", ":connect", seedFDConnect},
	{"make-socket-from-fd", ":external-format", seedFDFormat},
	{"make-socket-from-fd", ":input-buffer-size", seedInputBuffer["make-socket-from-fd"]},
	{"make-socket-from-fd", ":output-buffer-size", seedOutputBuffer["make-socket-from-fd"]},
	{"make-socket-pair", ":type", seedPairType},
	{"make-socket-pair", ":protocol", seedPairProtocol},
	{"make-socket-pair", ":external-format", seedPairFormat},
	{"make-socket-pair", ":input-buffer-size", seedInputBuffer["make-socket-pair"]},
	{"make-socket-pair", ":output-buffer-size", seedOutputBuffer["make-socket-pair"]},
	{"send-to", ":start", seedSendToPart},
	{"send-to", ":end", seedSendToPart},
	{"send-to", ":remote-host", seedSendToHostPort},
	{"send-to", ":remote-port", seedSendToHostPort},
	{"send-to", ":remote-filename", seedSendToFilename},
	{"send-to", ":ipv6", seedSendToIPv6},
	{"send-to", ":flags", seedSendToFlags},
	{"send-to", ":dont-route", func(t *testing.T) { seedSendFlag(t, sockets.DontRoute) }},
	{"send-to", ":dont-wait", seedSendDontWait},
	{"send-to", ":out-of-band", seedOutOfBand},
	{"send-to", ":more", seedMore},
	{"send-to", ":confirm", func(t *testing.T) { seedSendFlag(t, sockets.Confirm) }},
	{"receive-from", ":buffer", seedReceiveBuffer},
	{"receive-from", ":size", seedReceiveBuffer},
	{"receive-from", ":start", seedReceivePart},
	{"receive-from", ":end", seedReceivePart},
	{"receive-from", ":flags", seedReceiveFlags},
	{"receive-from", ":out-of-band", seedOutOfBand},
	{"receive-from", ":peek", seedPeek},
	{"receive-from", ":wait-all", seedWaitAll},
	{"receive-from", ":dont-wait", seedReceiveDontWait},
	{"bind-address", ":port", seedBindPort},
	{"bind-address", ":reuse-address", seedBindReuseAddress},
	{"listen-on", ":backlog", seedListenBacklog},
	{"accept-connection", ":wait", seedAcceptWait},
	{"accept-connection", ":timeout", seedAcceptTimeout},
	{"accept-connection", ":external-format", seedAcceptFormat},
	{"accept-connection", ":input-buffer-size", seedInputBuffer["accept-connection"]},
	{"accept-connection", ":output-buffer-size", seedOutputBuffer["accept-connection"]},
	{"connect", ":port", seedConnectPort},
	{"connect", ":wait", seedConnectWait},
	{"connect", ":timeout", seedConnectTimeout},
	{"disconnect", "", seedDisconnect},
	{"shutdown", ":read", seedShutdownRead},
	{"shutdown", ":write", seedShutdownWrite},
	{"send-file-descriptor", "", seedDescriptor},
	{"receive-file-descriptor", "", seedDescriptor},
}

// A messenger is a connection of any kind that sends and receives with flags.
type messenger interface {
	net.Conn
	syscall.Conn
	SendTo(b []byte, addr net.Addr, flags sockets.MsgFlags) (int, error)
	ReceiveFrom(b []byte, flags sockets.MsgFlags) (n int, addr net.Addr, err error)
}

var (
	_ messenger = (*sockets.TCPConn)(nil)
	_ messenger = (*sockets.UDPConn)(nil)
	_ messenger = (*sockets.IPConn)(nil)
	_ messenger = (*sockets.UnixConn)(nil)
	_ messenger = (*sockets.StreamConn)(nil)
	_ messenger = (*sockets.PacketConn)(nil)
)

// check stops the test if a step on its way failed.
func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// closeLater closes c when the test is over, if the test does not.
func closeLater(tb testing.TB, c io.Closer) {
	tb.Helper()
	tb.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Errorf("Close: %v", err)
		}
	})
}

// loopbackOf is an address on this host for the network.
func loopbackOf(network string) string {
	switch network {
	case "tcp6", "udp6":
		return "[::1]:0"
	case "unix", "unixpacket", "unixgram":
		return "" // an abstract name of the kernel's choice
	}
	return "127.0.0.1:0"
}

// dialed returns the two ends of a connection.
func dialed(tb testing.TB, network string) (client, server messenger) {
	tb.Helper()
	l, err := sockets.Listen(network, loopbackOf(network))
	check(tb, err)
	defer l.Close()
	c, err := sockets.Dial(network, l.Addr().String())
	check(tb, err)
	closeLater(tb, c)
	s, err := l.Accept()
	check(tb, err)
	closeLater(tb, s)
	// A test that waits for what never comes is to fail.
	end := time.Now().Add(30 * time.Second)
	check(tb, c.SetDeadline(end))
	check(tb, s.SetDeadline(end))
	return c.(messenger), s.(messenger)
}

// packets returns a socket for messages on this host.
func packets(tb testing.TB, network string) messenger {
	tb.Helper()
	c, err := sockets.ListenPacket(network, loopbackOf(network))
	check(tb, err)
	closeLater(tb, c)
	check(tb, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c.(messenger)
}

// newRoleless makes a socket that is closed with the test.
func newRoleless(tb testing.TB, network string) *sockets.Socket {
	tb.Helper()
	s, err := sockets.New(network)
	check(tb, err)
	closeLater(tb, s)
	return s
}

// wantRead reads exactly what is expected, as one message or from a stream.
func wantMessage(tb testing.TB, c io.Reader, want string) {
	tb.Helper()
	b := make([]byte, len(want)+1)
	n, err := c.Read(b)
	check(tb, err)
	if got := string(b[:n]); got != want {
		tb.Errorf("read %q, want %q", got, want)
	}
}

// wantError wants a *net.OpError of op around target.
func wantError(tb testing.TB, err error, op string, target error) {
	tb.Helper()
	var o *net.OpError
	if !errors.As(err, &o) || o.Op != op || !errors.Is(err, target) {
		tb.Errorf("error %v (%T), want a *net.OpError of %s around %v", err, err, op, target)
	}
}

func seedAddressFamily(t *testing.T) {
	tests := []struct {
		network string
		family  int
	}{
		{"tcp4", syscall.AF_INET}, {"tcp6", syscall.AF_INET6}, {"udp4", syscall.AF_INET},
		{"unix", syscall.AF_UNIX}, {"unixgram", syscall.AF_UNIX}, {"unixpacket", syscall.AF_UNIX},
	}
	for _, tt := range tests {
		if got := newRoleless(t, tt.network).Family(); got != tt.family {
			t.Errorf("family of %s is %d, want %d", tt.network, got, tt.family)
		}
	}
	s, err := sockets.NewRaw(syscall.AF_NETLINK, syscall.SOCK_RAW, 0)
	check(t, err)
	closeLater(t, s)
	if s.Family() != syscall.AF_NETLINK {
		t.Errorf("family %d, want AF_NETLINK", s.Family())
	}
}

func seedType(t *testing.T) {
	for network, typ := range map[string]int{
		"tcp": syscall.SOCK_STREAM, "udp": syscall.SOCK_DGRAM, "mptcp": syscall.SOCK_STREAM,
		"unix": syscall.SOCK_STREAM, "unixgram": syscall.SOCK_DGRAM, "unixpacket": syscall.SOCK_SEQPACKET,
	} {
		if got := newRoleless(t, network).Type(); got != typ {
			t.Errorf("type of %s is %d, want %d", network, got, typ)
		}
	}
}

func seedProtocol(t *testing.T) {
	s, err := sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, syscall.IPPROTO_TCP)
	check(t, err)
	closeLater(t, s)
	if s.Protocol() != syscall.IPPROTO_TCP {
		t.Errorf("protocol %d, want TCP", s.Protocol())
	}
	_, err = sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, syscall.IPPROTO_UDP)
	wantError(t, err, "socket", syscall.EPROTONOSUPPORT)
}

// :connect :active is Dialer and Socket.Connect, :passive ListenConfig and
// Socket.Listen.
func seedActivePassive(t *testing.T) {
	passive := newRoleless(t, "tcp")
	check(t, passive.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	l, err := passive.Listen(0)
	check(t, err)
	closeLater(t, l)
	c, err := newRoleless(t, "tcp").Connect(t.Context(), l.Addr())
	check(t, err)
	closeLater(t, c)
	if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
}

// :ipv6 nil, t and :default are networks with 4, with 6 and with neither.
func seedIPv6(t *testing.T) {
	for network, want := range map[string]string{"tcp4": "0.0.0.0", "tcp6": "::", "tcp": "::"} {
		l, err := sockets.Listen(network, ":0")
		check(t, err)
		closeLater(t, l)
		if got := l.Addr().(*net.TCPAddr).IP.String(); got != want {
			t.Errorf("%s listens on %s, want %s", network, got, want)
		}
		only, err := sockets.V6Only.Get(l.(syscall.Conn))
		if network != "tcp4" && (err != nil || only != (network == "tcp6")) {
			t.Errorf("%s speaks IPv6 only: %v, %v", network, only, err)
		}
	}
}

func seedLocalHostPort(t *testing.T) {
	l := listen4(t)
	free := listen4(t) // a port that nobody else has, freed
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7), Port: free.Addr().(*net.TCPAddr).Port}
	check(t, free.Close())
	d := sockets.Dialer{LocalAddr: local}
	c, err := d.Dial("tcp", l.Addr().String())
	check(t, err)
	closeLater(t, c)
	if got, want := c.LocalAddr().String(), local.String(); got != want {
		t.Errorf("local address %s, want %s", got, want)
	}
}

func listen4(tb testing.TB) *sockets.TCPListener {
	tb.Helper()
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	check(tb, err)
	closeLater(tb, l)
	return l.(*sockets.TCPListener)
}

// Hosts and ports may be names.
func seedRemoteHostPort(t *testing.T) {
	l := listen4(t)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := sockets.Dial("tcp", "localhost:"+port)
	check(t, err)
	closeLater(t, c)
	u, err := sockets.Dial("udp4", "localhost:domain")
	check(t, err)
	closeLater(t, u)
	if got, want := u.RemoteAddr().String(), "127.0.0.1:53"; got != want {
		t.Errorf("remote address %s, want %s", got, want)
	}
}

func seedFilenames(t *testing.T) {
	dir := shortDir(t)
	l, err := sockets.Listen("unix", filepath.Join(dir, "remote"))
	check(t, err)
	closeLater(t, l)
	d := sockets.Dialer{LocalAddr: &net.UnixAddr{Name: filepath.Join(dir, "local"), Net: "unix"}}
	c, err := d.Dial("unix", l.Addr().String())
	check(t, err)
	closeLater(t, c)
	s, err := l.Accept()
	check(t, err)
	closeLater(t, s)
	if diff := cmp.Diff(c.LocalAddr(), s.RemoteAddr()); diff != "" {
		t.Errorf("the peer sees another name (-local +seen):\n%s", diff)
	}
}

// Linux takes one connection more than the backlog.
func seedBacklog(t *testing.T) {
	lc := sockets.ListenConfig{Backlog: 2}
	l, err := lc.Listen(t.Context(), "unix", "")
	check(t, err)
	closeLater(t, l)
	wantBacklog(t, l, 2)
	_, err = (&sockets.ListenConfig{Backlog: -1}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	wantError(t, err, "listen", syscall.EINVAL)
}

func wantBacklog(t *testing.T, l net.Listener, backlog int) {
	t.Helper()
	for i := range backlog + 1 {
		c, err := sockets.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatalf("connection %d of %d: %v", i+1, backlog+1, err)
		}
		closeLater(t, c)
	}
	_, err := sockets.Dial("unix", l.Addr().String())
	wantError(t, err, "dial", sockets.ErrWouldBlock)
}

// seedOption sets an option in every way there is.
func seedOption[T comparable](t *testing.T, o sockets.Option[T], v T) {
	settings := []sockets.Setting{o.With(v)}
	wantOption := func(c any) {
		t.Helper()
		if got, err := o.Get(c.(syscall.Conn)); err != nil || got != v {
			t.Errorf("%T has %v %v, %v; want %v", c, o, got, err, v)
		}
	}
	network := "tcp4"
	if o.String() == sockets.Broadcast.String() {
		network = "udp4"
		lc := sockets.ListenConfig{Options: settings}
		c, err := lc.ListenPacket(t.Context(), network, "127.0.0.1:0")
		check(t, err)
		closeLater(t, c)
		wantOption(c)
		d := sockets.Dialer{Options: settings}
		u, err := d.Dial(network, c.LocalAddr().String())
		check(t, err)
		closeLater(t, u)
		wantOption(u)
	} else {
		lc := sockets.ListenConfig{Options: settings}
		l, err := lc.Listen(t.Context(), network, "127.0.0.1:0")
		check(t, err)
		closeLater(t, l)
		wantOption(l)
		d := sockets.Dialer{Options: settings}
		c, err := d.Dial(network, l.Addr().String())
		check(t, err)
		closeLater(t, c)
		wantOption(c)
	}
	s := newRoleless(t, network)
	check(t, o.Set(s, v))
	wantOption(s)
}

func seedWithOpenSocket(t *testing.T) {
	l := listen4(t)
	c, err := sockets.Dial("tcp", l.Addr().String())
	err = sockets.With(c, err, func(c net.Conn) error {
		_, err := c.Write([]byte("x"))
		return err
	})
	check(t, err)
	if _, err := c.Write(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write afterwards: %v, want ErrClosed", err)
	}
}

func seedWithAcceptConnection(t *testing.T) {
	l := listen4(t)
	peer, err := sockets.Dial("tcp", l.Addr().String())
	check(t, err)
	closeLater(t, peer)
	c, err := l.AcceptTCP()
	check(t, sockets.With(c, err, func(c *sockets.TCPConn) error {
		_, err := c.Write([]byte("hello"))
		return err
	}))
	got, err := io.ReadAll(peer)
	if string(got) != "hello" || err != nil {
		t.Errorf("the peer read %q, %v; want hello and the end", got, err)
	}
}

func seedPairType(t *testing.T) {
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		a, b, err := sockets.Pair(network)
		check(t, err)
		closeLater(t, a)
		closeLater(t, b)
		_, err = a.Write([]byte("to b"))
		check(t, err)
		wantMessage(t, b, "to b")
		_, err = b.Write([]byte("to a"))
		check(t, err)
		wantMessage(t, a, "to a")
	}
}

// Unix sockets have one protocol; other networks have no pairs.
func seedPairProtocol(t *testing.T) {
	_, _, err := sockets.Pair("tcp")
	var unknown net.UnknownNetworkError
	if !errors.As(err, &unknown) {
		t.Errorf("Pair of tcp: %v, want UnknownNetworkError", err)
	}
}

// :start and :end are a slice.
func seedSendToPart(t *testing.T) {
	a, b := packets(t, "udp4"), packets(t, "udp4")
	message := []byte("<part>")
	n, err := a.SendTo(message[1:5], b.LocalAddr(), 0)
	if n != 4 || err != nil {
		t.Errorf("sent %d, %v; want 4", n, err)
	}
	wantMessage(t, b, "part")
}

func seedSendToHostPort(t *testing.T) {
	a, b := packets(t, "udp4"), packets(t, "udp4")
	// A name is looked up once, not with each message.
	_, port, _ := net.SplitHostPort(b.LocalAddr().String())
	to, err := net.ResolveUDPAddr("udp4", "localhost:"+port)
	check(t, err)
	_, err = a.SendTo([]byte("x"), to, 0)
	check(t, err)
	got := make([]byte, 8)
	n, from, err := b.ReceiveFrom(got, 0)
	if string(got[:n]) != "x" || err != nil {
		t.Errorf("received %q, %v", got[:n], err)
	}
	if diff := cmp.Diff(a.LocalAddr(), from); diff != "" {
		t.Errorf("sender (-want +got):\n%s", diff)
	}
}

func seedSendToFilename(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	c, err := sockets.ListenPacket("unixgram", path)
	check(t, err)
	closeLater(t, c)
	a := packets(t, "unixgram")
	_, err = a.SendTo([]byte("x"), &net.UnixAddr{Name: path, Net: "unixgram"}, 0)
	check(t, err)
	wantMessage(t, c.(messenger), "x")
}

// An IPv6 socket takes IPv4 destinations, an IPv4 one no IPv6 ones.
func seedSendToIPv6(t *testing.T) {
	u, err := sockets.ListenPacket("udp", ":0")
	check(t, err)
	closeLater(t, u)
	b := packets(t, "udp4")
	_, err = u.(messenger).SendTo([]byte("x"), b.LocalAddr(), 0)
	check(t, err)
	wantMessage(t, b, "x")
	_, err = b.SendTo([]byte("x"), &net.UDPAddr{IP: net.IPv6loopback, Port: 1}, 0)
	var wrong *net.AddrError
	if !errors.As(err, &wrong) {
		t.Errorf("IPv6 destination: %v, want *net.AddrError", err)
	}
}

func seedSendToFlags(t *testing.T) {
	a, b := dialed(t, "tcp4")
	_, err := a.SendTo([]byte("xy"), nil, sockets.DontWait|sockets.NoSignal|sockets.Confirm)
	check(t, err)
	wantMessage(t, b, "xy")
	_, err = a.SendTo([]byte("x"), nil, sockets.Peek)
	wantError(t, err, "write", syscall.EINVAL)
}

// seedSendFlag sends with a flag that changes nothing between two ends of one host.
func seedSendFlag(t *testing.T, flag sockets.MsgFlags) {
	a, b := packets(t, "udp4"), packets(t, "udp4")
	_, err := a.SendTo([]byte("x"), b.LocalAddr(), flag)
	check(t, err)
	wantMessage(t, b, "x")
}

func seedSendDontWait(t *testing.T) {
	a, b := dialed(t, "tcp4")
	block := make([]byte, 1<<20)
	sent := 0
	for {
		n, err := a.SendTo(block, nil, sockets.DontWait)
		if sent += n; err != nil {
			wantError(t, err, "write", sockets.ErrWouldBlock)
			break
		}
	}
	check(t, a.Close())
	if n, err := io.Copy(io.Discard, b); n != int64(sent) || err != nil {
		t.Errorf("received %d bytes, %v; %d were sent", n, err, sent)
	}
}

func seedOutOfBand(t *testing.T) {
	a, b := dialed(t, "tcp4")
	_, err := a.SendTo([]byte("ab!"), nil, sockets.OutOfBand)
	check(t, err)
	got := make([]byte, 8)
	n, _, err := b.ReceiveFrom(got[:2], sockets.WaitAll)
	if string(got[:n]) != "ab" || err != nil {
		t.Errorf("before the urgent byte %q, %v; want ab", got[:n], err)
	}
	n, _, err = b.ReceiveFrom(got, sockets.OutOfBand)
	if string(got[:n]) != "!" || err != nil {
		t.Errorf("urgent data %q, %v; want !", got[:n], err)
	}
}

func seedMore(t *testing.T) {
	a, b := packets(t, "udp4"), packets(t, "udp4")
	for _, part := range []struct {
		text  string
		flags sockets.MsgFlags
	}{{"one ", sockets.More}, {"datagram", 0}} {
		_, err := a.SendTo([]byte(part.text), b.LocalAddr(), part.flags)
		check(t, err)
	}
	wantMessage(t, b, "one datagram")
}

// :buffer and :size are the slice; a message that does not fit is an error, and not
// cut in silence.
func seedReceiveBuffer(t *testing.T) {
	a, b := packets(t, "udp4"), packets(t, "udp4")
	for range 2 {
		_, err := a.SendTo([]byte("longer"), b.LocalAddr(), 0)
		check(t, err)
	}
	got := make([]byte, 4)
	n, from, err := b.ReceiveFrom(got, 0)
	wantError(t, err, "read", io.ErrShortBuffer)
	if string(got[:n]) != "long" || from == nil {
		t.Errorf("got %q from %v, want the start of the message and its sender", got[:n], from)
	}
	wantMessage(t, b, "longer")
}

func seedReceivePart(t *testing.T) {
	a, b := packets(t, "udp4"), packets(t, "udp4")
	_, err := a.SendTo([]byte("part"), b.LocalAddr(), 0)
	check(t, err)
	got := []byte("<....>")
	_, _, err = b.ReceiveFrom(got[1:5], 0)
	check(t, err)
	if string(got) != "<part>" {
		t.Errorf("buffer is %q", got)
	}
}

func seedReceiveFlags(t *testing.T) {
	a, b := dialed(t, "tcp4")
	_, err := a.Write([]byte("abc"))
	check(t, err)
	got := make([]byte, 3)
	n, _, err := b.ReceiveFrom(got, sockets.Peek|sockets.WaitAll)
	if string(got[:n]) != "abc" || err != nil {
		t.Errorf("peeked %q, %v; want abc", got[:n], err)
	}
	wantMessage(t, b, "abc")
	_, _, err = b.ReceiveFrom(got, sockets.More)
	wantError(t, err, "read", syscall.EINVAL)
}

func seedPeek(t *testing.T) {
	for _, network := range []string{"udp4", "unixgram"} {
		a, b := packets(t, network), packets(t, network)
		_, err := a.SendTo([]byte("still here"), b.LocalAddr(), 0)
		check(t, err)
		for range 2 {
			got := make([]byte, 16)
			n, from, err := b.ReceiveFrom(got, sockets.Peek)
			if string(got[:n]) != "still here" || err != nil || from.String() != a.LocalAddr().String() {
				t.Errorf("%s: peeked %q from %v, %v", network, got[:n], from, err)
			}
		}
		wantMessage(t, b, "still here")
	}
}

func seedWaitAll(t *testing.T) {
	a, b := dialed(t, "tcp4")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sent := make(chan error, 1)
	go func() {
		for _, part := range [][]byte{want[:1], want[1:100], want[100:]} {
			if _, err := a.Write(part); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	got := make([]byte, len(want))
	n, _, err := b.ReceiveFrom(got, sockets.WaitAll)
	if n != len(want) || err != nil || !bytes.Equal(got, want) {
		t.Errorf("received %d bytes of %d, %v", n, len(want), err)
	}
	check(t, <-sent)
}

func seedReceiveDontWait(t *testing.T) {
	_, b := dialed(t, "tcp4")
	for _, c := range []messenger{b, packets(t, "udp4"), packets(t, "unixgram")} {
		_, _, err := c.ReceiveFrom(make([]byte, 1), sockets.DontWait)
		wantError(t, err, "read", syscall.EAGAIN)
		if !errors.Is(err, sockets.ErrWouldBlock) {
			t.Errorf("%v is not ErrWouldBlock", err)
		}
	}
}

func seedBindPort(t *testing.T) {
	s := newRoleless(t, "tcp4")
	check(t, s.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	local := s.LocalAddr().(*net.TCPAddr)
	if local.Port == 0 {
		t.Error("port 0 after Bind")
	}
	other := newRoleless(t, "tcp4")
	check(t, other.Bind(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: local.Port}))
	if got := other.LocalAddr().(*net.TCPAddr).Port; got != local.Port {
		t.Errorf("port %d, want %d", got, local.Port)
	}
}

// Only TCP sockets of New reuse addresses by default, and ReuseAddr has the last word.
func seedBindReuseAddress(t *testing.T) {
	for network, want := range map[string]bool{"tcp4": true, "udp4": false} {
		s := newRoleless(t, network)
		check(t, s.Bind(bindAddr(network)))
		if got, err := sockets.ReuseAddr.Get(s); got != want || err != nil {
			t.Errorf("%s: reuse %v, %v; want %v", network, got, err, want)
		}
		s = newRoleless(t, network)
		check(t, sockets.ReuseAddr.Set(s, !want))
		check(t, s.Bind(bindAddr(network)))
		if got, err := sockets.ReuseAddr.Get(s); got == want || err != nil {
			t.Errorf("%s: Bind changed ReuseAddr to %v, %v", network, got, err)
		}
	}
	s, err := sockets.NewRaw(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(t, err)
	closeLater(t, s)
	check(t, s.Bind(bindAddr("tcp4")))
	if got, err := sockets.ReuseAddr.Get(s); got || err != nil {
		t.Errorf("NewRaw: reuse %v, %v; want what the kernel starts with", got, err)
	}
}

func bindAddr(network string) net.Addr {
	ap := netip.MustParseAddrPort("127.0.0.1:0")
	if strings.HasPrefix(network, "tcp") {
		return net.TCPAddrFromAddrPort(ap)
	}
	return net.UDPAddrFromAddrPort(ap)
}

func seedListenBacklog(t *testing.T) {
	s := newRoleless(t, "unix")
	check(t, s.Bind(&net.UnixAddr{}))
	if _, err := s.Listen(-1); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("backlog -1: %v, want EINVAL", err)
	}
	l, err := s.Listen(3)
	check(t, err)
	closeLater(t, l)
	wantBacklog(t, l, 3)
}

func seedAcceptWait(t *testing.T) {
	l := listen4(t)
	_, err := l.AcceptWith(sockets.AcceptConfig{NoWait: true})
	wantError(t, err, "accept", sockets.ErrWouldBlock)
	c, err := sockets.Dial("tcp", l.Addr().String())
	check(t, err)
	closeLater(t, c)
	a, err := l.AcceptWith(sockets.AcceptConfig{})
	check(t, err)
	closeLater(t, a)
}

func seedAcceptTimeout(t *testing.T) {
	l := listen4(t)
	_, err := l.AcceptWith(sockets.AcceptConfig{Timeout: time.Millisecond})
	wantError(t, err, "accept", os.ErrDeadlineExceeded)
}

func seedConnectPort(t *testing.T) {
	l := listen4(t)
	port := l.Addr().(*net.TCPAddr).Port
	c, err := newRoleless(t, "tcp4").Connect(t.Context(), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	check(t, err)
	closeLater(t, c)
	if got := c.RemoteAddr().(*net.TCPAddr).Port; got != port {
		t.Errorf("port %d, want %d", got, port)
	}
}

func seedConnectWait(t *testing.T) {
	l := listen4(t)
	c, err := newRoleless(t, "tcp4").ConnectNoWait(l.Addr())
	check(t, err)
	closeLater(t, c)
	_, err = c.Write([]byte("x")) // waits
	check(t, err)
	a, err := l.Accept()
	check(t, err)
	closeLater(t, a)
	wantMessage(t, a, "x")
}

func seedConnectTimeout(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := newRoleless(t, "tcp4").Connect(ctx, busyListener(t))
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error %v, want a timeout", err)
	}
}

// busyListener returns the address of a TCP listener whose queue is full, so that
// a connect waits.
func busyListener(t *testing.T) net.Addr {
	t.Helper()
	e := &env{TB: t, impl: netImpl}
	t.Cleanup(e.cleanup)
	addr, err := net.ResolveTCPAddr("tcp4", blackhole(e))
	check(t, err)
	return addr
}

func seedDisconnect(t *testing.T) {
	a, b := packets(t, "udp4"), packets(t, "udp4")
	c, err := sockets.Dial("udp4", a.LocalAddr().String())
	check(t, err)
	closeLater(t, c)
	local := c.LocalAddr().String()
	u := c.(*sockets.UDPConn)
	check(t, u.Disconnect())
	if got := u.LocalAddr().String(); u.RemoteAddr() != nil || !strings.HasSuffix(local, got[strings.LastIndex(got, ":"):]) {
		t.Errorf("%v to %v after Disconnect, want no peer and the port of %s", got, u.RemoteAddr(), local)
	}
	check(t, u.Connect(b.LocalAddr()))
	_, err = u.Write([]byte("to b"))
	check(t, err)
	wantMessage(t, b, "to b")
}

func seedShutdownRead(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		_, b := dialed(t, network)
		check(t, b.(interface{ CloseRead() error }).CloseRead())
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: Read after CloseRead: %v, want EOF", network, err)
		}
	}
}

func seedShutdownWrite(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		a, b := dialed(t, network)
		_, err := a.Write([]byte("last"))
		check(t, err)
		check(t, a.(interface{ CloseWrite() error }).CloseWrite())
		got, err := io.ReadAll(b)
		if string(got) != "last" || err != nil {
			t.Errorf("%s: the peer read %q, %v; want last and the end", network, got, err)
		}
		_, err = b.Write([]byte("answer"))
		check(t, err)
		wantMessage(t, a, "answer")
	}
}

// errOf drops what a call returned besides its error.
func errOf[T any](_ T, err error) error { return err }

//go:build linux

package datagram

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

type batchConn interface {
	conntest.BatchReader
	conntest.BatchWriter
	io.Closer
}

// An empty batch does nothing, on a closed connection as well, and is no end.
func TestBatchOfNothing(t *testing.T) {
	conns := map[string]batchConn{"udp": conntest.OpenUDP(t, "udp4")}
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		conns[network], _ = conntest.NamedPair(t, network)
	}
	for network, c := range conns {
		for _, state := range []string{"open", "closed"} {
			if n, err := c.ReadBatch(nil, 0); n != 0 || err != nil {
				t.Errorf("%s, %s: ReadBatch = %d, %v, want 0, nil", network, state, n, err)
			}
			if n, err := c.WriteBatch(nil, 0); n != 0 || err != nil {
				t.Errorf("%s, %s: WriteBatch = %d, %v, want 0, nil", network, state, n, err)
			}
			c.Close()
		}
	}
	c, ms := refusedBatch(t)
	if n, err := c.WriteBatch(nil, 0); n != 0 || err != nil {
		t.Errorf("with an error to report: WriteBatch = %d, %v, want 0, nil", n, err)
	}
	if n, err := c.WriteBatch(ms, 0); n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("WriteBatch = %d, %v, want 0, ECONNREFUSED", n, err)
	}
}

// Records of a "unixpacket" connection come one at a time, as the one behind them may
// be the end; datagrams come together, empty ones included.
func TestReadBatchRecords(t *testing.T) {
	a, b := conntest.NamedPair(t, "unixpacket")
	conntest.LimitTime(t, a, b)
	conntest.SendBatch(t, a, []Message{conntest.MessageTo([]byte("1"), nil), conntest.MessageTo([]byte("2"), nil)})
	a.Close()
	in := conntest.RoomFor(3, 10)
	for _, want := range []string{"1", "2"} {
		if n, err := b.ReadBatch(in, 0); n != 1 || err != nil || conntest.TextOf(in[0]) != want {
			t.Errorf("ReadBatch = %d, %v, %q, want 1, nil, %q", n, err, conntest.TextOf(in[0]), want)
		}
	}
	if n, err := b.ReadBatch(in, 0); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadBatch at the end = %d, %v", n, err)
	}

	socktest.NeedEmptyDatagram(t)
	a, b = conntest.NamedPair(t, "unixgram")
	conntest.LimitTime(t, a, b)
	conntest.SendBatch(t, a, []Message{conntest.MessageTo(nil, b.LocalAddr()), conntest.MessageTo([]byte("2"), b.LocalAddr())})
	if n, err := b.ReadBatch(in, 0); n != 2 || err != nil {
		t.Fatalf("ReadBatch = %d, %v, want 2, nil", n, err)
	}
	if diff := cmp.Diff([]string{"", "2"}, conntest.TextsOf(in[:2])); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// No address is none, in whatever type it comes.
func TestWriteBatchNilAddresses(t *testing.T) {
	udp := conntest.OpenUDP(t, "udp4")
	ip, err := ListenPacket("ip4:253", "127.0.0.1")
	if err != nil {
		t.Skip(err)
	}
	defer ip.Close()
	toIP, err := Dial("ip4:253", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer toIP.Close()
	gram, gramPeer, err := Pair("unixgram")
	if err != nil {
		t.Fatal(err)
	}
	defer gram.Close()
	defer gramPeer.Close()
	tests := []struct {
		name  string
		c     net.Conn
		typed net.Addr
		peer  net.PacketConn
	}{
		{"udp", conntest.ConnectUDP(t, &Dialer{}, "udp4", udp.LocalAddr()), (*net.UDPAddr)(nil), udp},
		{"ip", toIP, (*net.IPAddr)(nil), ip},
		{"unixgram", gram, (*net.UnixAddr)(nil), gramPeer},
	}
	for _, tt := range tests {
		conntest.LimitTime(t, tt.c, tt.peer)
		conntest.SendBatch(t, tt.c.(conntest.BatchWriter), []Message{conntest.MessageTo([]byte("1"), nil), conntest.MessageTo([]byte("2"), tt.typed)})
		b := make([]byte, 100)
		for _, want := range []string{"1", "2"} {
			n, _, err := tt.peer.ReadFrom(b)
			if err != nil || string(b[n-1:n]) != want {
				t.Errorf("%s: received %q, %v, want %q", tt.name, b[:n], err, want)
			}
		}
		// An address of another type is one, and is not taken for the nil before it.
		n, err := tt.c.(conntest.BatchWriter).WriteBatch([]Message{conntest.MessageTo([]byte("x"), tt.typed), conntest.MessageTo([]byte("x"), &net.TCPAddr{Port: 1})}, 0)
		if n != 1 || err != nil {
			t.Errorf("%s: WriteBatch with a TCP address behind = %d, %v, want 1, nil", tt.name, n, err)
		}
	}

	route, err := NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer route.Close()
	c, err := route.Connect(t.Context(), &NetlinkAddr{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ms := []Message{conntest.MessageTo([]byte("x"), nil), conntest.MessageTo([]byte("x"), (*NetlinkAddr)(nil))}
	if n, err := c.(conntest.BatchWriter).WriteBatch(ms, 0); n != 2 || err != nil {
		t.Errorf("netlink: WriteBatch = %d, %v, want 2, nil", n, err)
	}
}

// Headers lie one behind the other in memory, and so do the rests: that does not make the
// datagrams one piece of memory.
func TestWriteBatchPartsInRows(t *testing.T) {
	const n, part = 8, 10
	for _, split := range []int{1, 2} { // the length of the header, in parts
		a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
		headers, rests := make([]byte, n*split*part), make([]byte, n*part)
		ms := make([]Message, n)
		var want []string
		for i := range ms {
			header, rest := headers[i*split*part:][:split*part], rests[i*part:][:part]
			for k := range header {
				header[k] = byte('A' + i)
			}
			for k := range rest {
				rest[k] = byte('a' + i)
			}
			ms[i] = Message{Buffers: [][]byte{header, rest}, Addr: b.LocalAddr()}
			want = append(want, string(header)+string(rest))
		}
		conntest.SendBatch(t, a, ms)
		var got []string
		conntest.LimitTime(t, b)
		for range ms {
			buf := make([]byte, 100)
			k, err := b.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(buf[:k]))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("datagrams (-want +got):\n%s", diff)
		}
	}
}

// What goes to two hosts, or to an address of another type, is not joined.
func TestWriteBatchJoinsOneHost(t *testing.T) {
	a := conntest.Offloading(t, "udp4")
	pc, err := new(ListenConfig).ListenPacket(t.Context(), "udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	b := pc.(*UDPConn)
	conntest.LimitTime(t, b)
	if err := b.SetOffload(true); err != nil {
		t.Fatal(err)
	}
	port := b.LocalAddr().(*net.UDPAddr).Port
	for range 2 {
		conntest.SendBatch(t, a, []Message{
			conntest.MessageTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}),
			conntest.MessageTo([]byte("y"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: port}),
		})
		for range 2 {
			if n, size := conntest.RawReceive(t, b); n != 1 || size != 0 {
				t.Errorf("sent %d bytes in parts of %d, want 1 alone", n, size)
			}
		}
	}

	c := conntest.ConnectUDP(t, &Dialer{Offload: true}, "udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	ms := []Message{conntest.MessageTo([]byte("x"), (*net.UDPAddr)(nil)), conntest.MessageTo([]byte("y"), &net.TCPAddr{Port: 1})}
	if n, err := c.WriteBatch(ms, 0); n != 1 || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want 1, nil", n, err)
	}
	if n, err := c.WriteBatch(ms[1:], 0); n != 0 || !errors.Is(err, syscall.EINVAL) {
		t.Errorf("WriteBatch = %d, %v, want 0, EINVAL", n, err)
	}
}

// The Offload of a ListenConfig is for UDP of both families, and leaves others alone.
func TestListenConfigOffload(t *testing.T) {
	conntest.Offloading(t, "udp4") // or skip
	socktest.NeedMerging(t)
	lc := &ListenConfig{Offload: true}
	for _, network := range []string{"udp4", "udp6", "udp"} {
		t.Run(network, func(t *testing.T) {
			a, b := conntest.OpenUDPWith(t, lc, network), conntest.OpenUDPWith(t, lc, network)
			conntest.LimitTime(t, a, b)
			conntest.SendBatch(t, a, conntest.Numbered(conntest.ToLoopback(b.LocalAddr()), 10, 10))
			if n, size := conntest.RawReceive(t, b); n != 20 || size != 10 {
				t.Errorf("received %d bytes in parts of %d, want 20 in parts of 10", n, size)
			}
		})
	}

	// These may be longer than any of UDP.
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c, err := lc.ListenPacket(t.Context(), "unixgram", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conntest.LimitTime(t, c)
	want := bytes.Repeat([]byte("long"), 25000)
	if _, err := c.WriteTo(want, c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 200000)
	n, _, err := c.ReadFrom(got)
	if err != nil || !bytes.Equal(got[:n], want) {
		t.Errorf("received %d bytes, %v, want %d", n, err, len(want))
	}
}

// The zero values, and closed connections, answer with errors.
func TestBatchZeroValues(t *testing.T) {
	b := make([]byte, 1)
	ms := conntest.RoomFor(1, 1)
	bufs := net.Buffers{b}
	udp, tcp := new(UDPConn), new(TCPConn)
	closed := conntest.OpenUDP(t, "udp4")
	closed.Close()
	for name, tt := range map[string]struct {
		f    func() error
		want error
	}{
		"SetOffload":           {func() error { return udp.SetOffload(true) }, syscall.EINVAL},
		"Read":                 {func() error { _, err := udp.Read(b); return err }, syscall.EINVAL},
		"Read of nothing":      {func() error { _, err := udp.Read(nil); return err }, syscall.EINVAL},
		"Write":                {func() error { _, err := udp.Write(b); return err }, syscall.EINVAL},
		"ReadBatch":            {func() error { _, err := udp.ReadBatch(ms, 0); return err }, syscall.EINVAL},
		"WriteBatch":           {func() error { _, err := udp.WriteBatch(ms, 0); return err }, syscall.EINVAL},
		"ReadBatch, unix":      {func() error { _, err := new(UnixConn).ReadBatch(ms, 0); return err }, syscall.EINVAL},
		"WriteBatch, unix":     {func() error { _, err := new(UnixConn).WriteBatch(ms, 0); return err }, syscall.EINVAL},
		"WriteBuffers":         {func() error { _, err := tcp.WriteBuffers(&bufs); return err }, syscall.EINVAL},
		"ReadBuffers":          {func() error { _, err := tcp.ReadBuffers(bufs); return err }, syscall.EINVAL},
		"SetOffload, closed":   {func() error { return closed.SetOffload(true) }, net.ErrClosed},
		"ReadErrorQueue, zero": {func() error { _, _, err := udp.ReadErrorQueue(b); return err }, syscall.EINVAL},
		"ReadBatch, closed":    {func() error { _, err := closed.ReadBatch(ms, 0); return err }, net.ErrClosed},
		"WriteBatch, closed":   {func() error { _, err := closed.WriteBatch(ms, 0); return err }, net.ErrClosed},
		"Write, closed":        {func() error { _, err := closed.Write(b); return err }, net.ErrClosed},
		"Read, closed":         {func() error { _, err := closed.Read(b); return err }, net.ErrClosed},
		"SteerByCPU of nobody": {func() error { return SteerByCPU(udp, 1) }, syscall.EINVAL},
	} {
		if err := tt.f(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// More messages than the queue of a unix socket holds: WriteBatch waits for room.
func TestBatchUnixgram(t *testing.T) {
	a, b := conntest.NamedPair(t, "unixgram")
	conntest.LimitTime(t, a, b)
	const n = 100
	var want []string
	out := make([]Message, n)
	for i := range out {
		s := fmt.Sprint("message ", i)
		want = append(want, s)
		out[i] = conntest.MessageTo([]byte(s), b.LocalAddr())
	}
	sent := make(chan error, 1)
	go func() {
		n, err := a.WriteBatch(out, 0)
		if err == nil && n < len(out) {
			err = fmt.Errorf("sent %d", n)
		}
		sent <- err
	}()
	in := conntest.RoomFor(n, 20)
	conntest.ReceiveBatch(t, b, in)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, conntest.TextsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(a.LocalAddr(), in[n-1].Addr); diff != "" {
		t.Errorf("sender (-want +got):\n%s", diff)
	}
	// Full, and nobody reads.
	socktest.NeedFullQueue(t, n)
	n2, err := a.WriteBatch(out, syscall.MSG_DONTWAIT)
	if n2 == 0 || n2 >= n || err != nil {
		t.Errorf("WriteBatch to a full queue = %d, %v", n2, err)
	}
	if _, err := a.WriteBatch(out, syscall.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("WriteBatch to a full queue: %v, want EAGAIN", err)
	}
	a.SetWriteDeadline(time.Now().Add(time.Millisecond))
	if _, err := a.WriteBatch(out, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WriteBatch to a full queue: %v, want a timeout", err)
	}
	other := []Message{conntest.MessageTo([]byte("x"), &net.UnixAddr{Name: "x", Net: "unix"})}
	a.SetWriteDeadline(time.Time{})
	if _, err := a.WriteBatch(other, 0); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("WriteBatch to an address of another network: %v", err)
	}
}

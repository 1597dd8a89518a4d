//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestBatchSeveralBuffers(t *testing.T) {
	socktest.NeedNoBuffers(t)
	a, b := conntest.OpenUDP(t, "udp4"), conntest.OpenUDP(t, "udp4")
	conntest.LimitTime(t, a, b)
	out := []Message{
		{Buffers: [][]byte{[]byte("head "), nil, []byte("and payload")}, Addr: b.LocalAddr()},
		{Buffers: nil, Addr: b.LocalAddr()},
		{Buffers: [][]byte{[]byte("longer than the buffers")}, Addr: b.LocalAddr()},
	}
	conntest.SendBatch(t, a, out)
	for i, want := range []int{16, 0, 23} {
		if out[i].N != want || out[i].NN != 0 {
			t.Errorf("message %d sent: N = %d, NN = %d, want %d, 0", i, out[i].N, out[i].NN, want)
		}
	}
	in := make([]Message, 3)
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, 3), make([]byte, 0), make([]byte, 15)}
	}
	conntest.ReceiveBatch(t, b, in)
	if diff := cmp.Diff([]string{"head and payload", "", "longer than the bu"}, conntest.TextsOf(in)); diff != "" {
		t.Errorf("data mismatch (-want +got):\n%s", diff)
	}
	for i, want := range []int{0, 0, syscall.MSG_TRUNC} {
		if in[i].Flags != want {
			t.Errorf("message %d: flags %#x, want %#x", i, in[i].Flags, want)
		}
		if in[i].Addr.String() != a.LocalAddr().String() {
			t.Errorf("message %d is from %v, want %v", i, in[i].Addr, a.LocalAddr())
		}
	}
}

// Flags that the kernel would take a part of are refused before anything is sent.
func TestBatchFlagsBeyondKernel(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("an int has 32 bits here")
	}
	c := conntest.OpenUDP(t, "udp4")
	ms := conntest.Numbered(c.LocalAddr(), 10)
	beyond := int(MsgPeek)
	beyond |= beyond << (strconv.IntSize / 2)
	for name, batch := range map[string]func([]Message, int) (int, error){"WriteBatch": c.WriteBatch, "ReadBatch": c.ReadBatch} {
		n, err := batch(ms, beyond)
		if _, argument := errors.AsType[*ArgumentError](err); n != 0 || !argument {
			t.Errorf("%s: %d, %v, want an ArgumentError", name, n, err)
		}
	}
	if n, err := c.ReadBatch(conntest.RoomFor(1, 10), int(MsgDontWait)); !errors.Is(err, ErrWouldBlock) {
		t.Errorf("received %d, %v, although nothing was sent", n, err)
	}
}

func TestReadBatchTakesWhatIsThere(t *testing.T) {
	a, b := conntest.OpenUDP(t, "udp4"), conntest.OpenUDP(t, "udp4")
	conntest.LimitTime(t, a, b)
	conntest.SendBatch(t, a, []Message{conntest.MessageTo([]byte("1"), b.LocalAddr()), conntest.MessageTo([]byte("2"), b.LocalAddr())})
	in := conntest.RoomFor(5, 10)
	n, err := b.ReadBatch(in, 0)
	if n != 2 || err != nil {
		t.Fatalf("ReadBatch = %d, %v, want 2, nil", n, err)
	}
	if n, err := b.ReadBatch(in, syscall.MSG_DONTWAIT); n != 0 || !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("ReadBatch with MSG_DONTWAIT = %d, %v, want 0, EAGAIN", n, err)
	}
	if n, err := b.ReadBatch(nil, 0); n != 0 || err != nil {
		t.Errorf("ReadBatch(nil) = %d, %v, want 0, nil", n, err)
	}
	if n, err := a.WriteBatch(nil, 0); n != 0 || err != nil {
		t.Errorf("WriteBatch(nil) = %d, %v, want 0, nil", n, err)
	}
}

// Addresses that ReadBatch made are used again; others are the caller's.
func TestReadBatchAddresses(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "udp"} {
		t.Run(network, func(t *testing.T) {
			senders := []*UDPConn{conntest.OpenUDP(t, network), conntest.OpenUDP(t, network), conntest.OpenUDP(t, network)}
			b := conntest.OpenUDP(t, network)
			conntest.LimitTime(t, b)
			to := conntest.ToLoopback(b.LocalAddr())
			send := func() (want []string) {
				for _, s := range senders {
					if _, err := s.WriteTo([]byte("x"), to); err != nil {
						t.Fatal(err)
					}
					want = append(want, conntest.ToLoopback(s.LocalAddr()).String())
				}
				return want
			}
			read := func(ms []Message) (got []string) {
				conntest.ReceiveBatch(t, b, ms)
				for _, m := range ms {
					got = append(got, m.Addr.String())
				}
				return got
			}
			own := &net.UDPAddr{IP: append(make(net.IP, 0, 32), 1, 2, 3, 4), Port: 5} // as roomy as ours
			ms := conntest.RoomFor(3, 10)
			for i := range ms {
				ms[i].Addr = own
			}
			if diff := cmp.Diff(send(), read(ms)); diff != "" {
				t.Errorf("senders mismatch (-want +got):\n%s", diff)
			}
			if own.String() != "1.2.3.4:5" {
				t.Errorf("the caller's address became %v", own)
			}

			// One address for all must not make one sender of all.
			for i := range ms {
				ms[i].Addr = ms[2].Addr
			}
			if diff := cmp.Diff(send(), read(ms)); diff != "" {
				t.Errorf("senders mismatch with a shared address (-want +got):\n%s", diff)
			}
			shallow := *ms[0].Addr.(*net.UDPAddr)
			ms[1].Addr = &shallow
			if diff := cmp.Diff(send(), read(ms)); diff != "" {
				t.Errorf("senders mismatch with a shared IP (-want +got):\n%s", diff)
			}

			kept := ms[0].Addr
			first := kept.String()
			ms[0].Addr = nil
			slices.Reverse(senders)
			if diff := cmp.Diff(send(), read(ms)); diff != "" {
				t.Errorf("senders mismatch (-want +got):\n%s", diff)
			}
			if kept.String() != first {
				t.Errorf("the address kept became %v, want %v", kept, first)
			}
			wantLen := net.IPv6len
			if network == "udp4" {
				wantLen = net.IPv4len
			}
			if ip := ms[0].Addr.(*net.UDPAddr).IP; len(ip) != wantLen {
				t.Errorf("IP of %d bytes, want %d", len(ip), wantLen)
			}
		})
	}
}

func TestBatchAllocations(t *testing.T) {
	for _, offload := range []bool{false, true} {
		for _, network := range []string{"udp4", "udp6"} {
			t.Run(fmt.Sprintf("%s/offload=%v", network, offload), func(t *testing.T) {
				lc := &ListenConfig{Offload: offload}
				a, b := conntest.OpenUDPWith(t, lc, network), conntest.OpenUDPWith(t, lc, network)
				conntest.LimitTime(t, a, b)
				const n = 16
				out, in := conntest.RoomFor(n, 100), conntest.RoomFor(n, 200)
				for i := range out {
					out[i].Addr = b.LocalAddr()
				}
				allocs := testing.AllocsPerRun(100, func() {
					conntest.SendBatch(t, a, out)
					conntest.ReceiveBatch(t, b, in)
				})
				if allocs >= n/4 && !socktest.Race {
					t.Errorf("%v allocations for %d messages", allocs, n)
				}
			})
		}
	}
}

func TestBatchIP(t *testing.T) {
	socktest.NeedRaw(t)
	c, err := ListenPacket("ip4:253", "127.0.0.1")
	socktest.Check(t, err)
	defer c.Close()
	ip := c.(*IPConn)
	conntest.LimitTime(t, ip)
	conntest.SendBatch(t, ip, []Message{conntest.MessageTo([]byte("one"), c.LocalAddr()), conntest.MessageTo([]byte("two"), c.LocalAddr())})
	in := conntest.RoomFor(2, 100)
	conntest.ReceiveBatch(t, ip, in)
	const header = 20
	for i, want := range []string{"one", "two"} {
		if got := conntest.TextOf(in[i]); len(got) != header+3 || got[header:] != want {
			t.Errorf("packet %d: %q, want a header and %q", i, got, want)
		}
		if got := in[i].Addr; got.String() != "127.0.0.1" || got.Network() != "ip" {
			t.Errorf("packet %d from %v", i, got)
		}
	}
}

// Every datagram goes to exactly one of many readers, by whatever method.
func TestManyReaders(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a, b := conntest.OpenUDPWith(t, lc, "udp4"), conntest.OpenUDPWith(t, lc, "udp4")
			conntest.LimitTime(t, a, b)
			const rounds, size, total = 20, 40, 20 * 40
			got := make(chan string, total)
			var wg sync.WaitGroup
			from := a.LocalAddr().String()
			see := func(b []byte, addr string) {
				if addr != from {
					t.Errorf("datagram from %v, want %v", addr, from)
				}
				got <- string(b)
			}
			for i := range 6 {
				wg.Go(func() {
					buf, ms := make([]byte, 100), conntest.RoomFor(7, 100)
					for {
						var err error
						switch i % 3 {
						case 0:
							var n int
							n, err = b.ReadBatch(ms, 0)
							for _, m := range ms[:n] {
								see([]byte(conntest.TextOf(m)), m.Addr.String())
							}
						case 1:
							var n int
							var addr netip.AddrPort
							if n, addr, err = b.ReadFromUDPAddrPort(buf); err == nil {
								see(buf[:n], addr.String())
							}
						case 2:
							var n int
							var addr *net.UDPAddr
							if n, _, _, addr, err = b.ReadMsgUDP(buf, nil); err == nil {
								see(buf[:n], addr.String())
							}
						}
						if err != nil {
							if !errors.Is(err, net.ErrClosed) {
								t.Error(err)
							}
							return
						}
					}
				})
			}
			want := make(map[string]int)
			seen := make(map[string]int)
			for r := range rounds {
				out := make([]Message, size)
				for i := range out {
					s := fmt.Sprintf("%04d/%04d", r, i)
					want[s]++
					out[i] = conntest.MessageTo([]byte(s), b.LocalAddr())
				}
				conntest.SendBatch(t, a, out)
				for range out {
					select {
					case s := <-got:
						seen[s]++
					case <-time.After(20 * time.Second):
						t.Fatal("a datagram is missing")
					}
				}
			}
			b.Close()
			wg.Wait()
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

// slotConn is a socket that sends to itself.
type slotConn interface {
	net.PacketConn
	conntest.BatchReader
}

// slotIPs returns addresses that are not ip, though they look much like it.
func slotIPs(ip net.IP) []net.IP {
	other := slices.Clone(ip)
	other[len(other)-1]++
	ips := []net.IP{nil, other, ip[:len(ip)-1], append(slices.Clone(ip), 0)}
	if len(ip) == net.IPv4len {
		ips = append(ips, ip.To16())
	}
	return ips
}

// A message of an earlier batch has its address still. It stays if it is the
// sender's, byte by byte, and another one takes its place if not.
func TestReadBatchSlots(t *testing.T) {
	tests := []struct {
		network, address string
		resemble         func(sender net.Addr) []net.Addr
	}{
		{"udp4", "127.0.0.1:0", slotUDPAddrs},
		{"udp6", "[::1]:0", slotUDPAddrs},
		{"ip4:253", "127.0.0.1", slotIPAddrs},
		{"ip6:253", "::1", slotIPAddrs},
		{"unixgram", "", slotUnixAddrs},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			address := tt.address
			if address == "" {
				address = t.TempDir() + "/s"
			}
			socktest.NeedNetwork(t, tt.network)
			pc, err := ListenPacket(tt.network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			c := pc.(slotConn)
			conntest.LimitTime(t, c)
			receive := func(kept net.Addr) net.Addr {
				t.Helper()
				if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				in := conntest.RoomFor(1, 100)
				in[0].Addr = kept
				conntest.ReceiveBatch(t, c, in)
				return in[0].Addr
			}
			sender := receive(nil)
			if sender.String() != c.LocalAddr().String() {
				t.Fatalf("sender %v, want %v", sender, c.LocalAddr())
			}
			if got := receive(sender); got != sender {
				t.Errorf("%#v was replaced by %#v", sender, got)
			}
			for _, kept := range append(tt.resemble(sender), &net.TCPAddr{}) {
				got := receive(kept)
				if got == kept || !reflect.DeepEqual(got, sender) {
					t.Errorf("%#v was kept as %#v, want %#v", kept, got, sender)
				}
			}
		})
	}
}

func slotUDPAddrs(sender net.Addr) []net.Addr {
	a := *sender.(*net.UDPAddr)
	zoned, port := a, a
	zoned.Zone = "lo"
	port.Port++
	addrs := []net.Addr{(*net.UDPAddr)(nil), &zoned, &port}
	for _, ip := range slotIPs(a.IP) {
		addrs = append(addrs, &net.UDPAddr{IP: ip, Port: a.Port})
	}
	return addrs
}

func slotIPAddrs(sender net.Addr) []net.Addr {
	a := *sender.(*net.IPAddr)
	addrs := []net.Addr{(*net.IPAddr)(nil), &net.IPAddr{IP: a.IP, Zone: "lo"}}
	for _, ip := range slotIPs(a.IP) {
		addrs = append(addrs, &net.IPAddr{IP: ip})
	}
	return addrs
}

func slotUnixAddrs(sender net.Addr) []net.Addr {
	a := *sender.(*net.UnixAddr)
	return []net.Addr{
		(*net.UnixAddr)(nil),
		&net.UnixAddr{Net: "unixgram"},
		&net.UnixAddr{Net: "unix", Name: a.Name},
		&net.UnixAddr{Net: "unixgram", Name: a.Name[:len(a.Name)-1]},
		&net.UnixAddr{Net: "unixgram", Name: a.Name + "x"},
	}
}

// A sender without a name has no address, whatever the message had.
func TestReadBatchSenderWithoutName(t *testing.T) {
	a, b := conntest.NamedPair(t, "unixgram")
	conntest.LimitTime(t, b)
	c, err := DialUnix("unixgram", nil, b.LocalAddr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, kept := range []net.Addr{
		nil,
		a.LocalAddr(),
		&net.UnixAddr{Net: "unixgram"},
		&net.UnixAddr{Net: "unixgram", Name: strings.Repeat("x", 200)}, // too long for a name
	} {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		in := conntest.RoomFor(1, 10)
		in[0].Addr = kept
		conntest.ReceiveBatch(t, b, in)
		if in[0].Addr != nil {
			t.Errorf("with %#v the sender is %#v, want none", kept, in[0].Addr)
		}
	}
}

func TestBatchUnixConnections(t *testing.T) {
	a, b := conntest.NamedPair(t, "unixpacket")
	conntest.LimitTime(t, a, b)
	conntest.SendBatch(t, a, []Message{conntest.MessageTo([]byte("1"), nil), conntest.MessageTo([]byte("22"), nil)})
	in := conntest.RoomFor(2, 10)
	conntest.ReceiveBatch(t, b, in)
	if diff := cmp.Diff([]string{"1", "22"}, conntest.TextsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	a.Close()
	var op *net.OpError
	if n, err := b.ReadBatch(in, 0); n != 0 || !errors.Is(err, io.EOF) || errors.As(err, &op) != netfd.WrapsEOF {
		t.Errorf("ReadBatch at the end = %d, %#v, want EOF, with addresses: %v", n, err, netfd.WrapsEOF)
	}

	a, b = conntest.NamedPair(t, "unix")
	for n := 1; n <= len(in); n++ {
		if _, err := a.WriteBatch(in[:n], 0); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("WriteBatch of %d on a stream: %v", n, err)
		}
		if _, err := b.ReadBatch(in[:n], 0); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("ReadBatch of %d on a stream: %v", n, err)
		}
	}
}

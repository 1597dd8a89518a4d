//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"

	"github.com/google/go-cmp/cmp"
	. "github.com/iolib-go/sockets"
)

// openUDP returns a UDP socket on loopback that the test closes.
func openUDP(t testing.TB, network string) *UDPConn {
	t.Helper()
	return openUDPWith(t, &ListenConfig{}, network)
}

// batchAddress returns a free loopback address of a network: "udp" is a dual-stack
// socket.
func batchAddress(network string) string {
	switch network {
	case "udp4":
		return "127.0.0.1:0"
	case "udp6":
		return "[::1]:0"
	}
	return "[::]:0"
}

func openUDPWith(t testing.TB, lc *ListenConfig, network string) *UDPConn {
	t.Helper()
	socktest.NeedNetwork(t, network)
	c, err := lc.ListenPacket(t.Context(), network, batchAddress(network))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*UDPConn)
}

func connectUDP(t testing.TB, d *Dialer, network string, to net.Addr) *UDPConn {
	t.Helper()
	if a := to.(*net.UDPAddr); a.IP.To4() == nil {
		socktest.NeedIPv6(t)
	}
	c, err := d.DialContext(t.Context(), network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*UDPConn)
}

// limitTime keeps a broken test from hanging.
func limitTime(t testing.TB, conns ...interface{ SetDeadline(time.Time) error }) {
	t.Helper()
	for _, c := range conns {
		if err := c.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
}

// message is a Message with one buffer.
func message(b []byte, addr net.Addr) Message {
	return Message{Buffers: [][]byte{b}, Addr: addr}
}

// roomFor returns n messages with room for size bytes.
func roomFor(n, size int) []Message {
	ms := make([]Message, n)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, size)}
	}
	return ms
}

type batchWriter interface {
	WriteBatch([]Message, int) (int, error)
}

type batchReader interface {
	ReadBatch([]Message, int) (int, error)
}

// sendBatch sends ms to the last.
func sendBatch(t testing.TB, c batchWriter, ms []Message) {
	t.Helper()
	for len(ms) > 0 {
		n, err := c.WriteBatch(ms, 0)
		if err != nil {
			t.Fatal(err)
		}
		ms = ms[n:]
	}
}

// receiveBatch receives until ms is full.
func receiveBatch(t testing.TB, c batchReader, ms []Message) {
	t.Helper()
	for len(ms) > 0 {
		n, err := c.ReadBatch(ms, 0)
		if err != nil {
			t.Fatal(err)
		}
		ms = ms[n:]
	}
}

// textOf returns the data of a received message.
func textOf(m Message) string {
	var b []byte
	for _, p := range m.Buffers {
		b = append(b, p...)
	}
	return string(b[:m.N])
}

func textsOf(ms []Message) (s []string) {
	for _, m := range ms {
		s = append(s, textOf(m))
	}
	return s
}

func TestBatchSeveralBuffers(t *testing.T) {
	a, b := openUDP(t, "udp4"), openUDP(t, "udp4")
	limitTime(t, a, b)
	out := []Message{
		{Buffers: [][]byte{[]byte("head "), nil, []byte("and payload")}, Addr: b.LocalAddr()},
		{Buffers: nil, Addr: b.LocalAddr()},
		{Buffers: [][]byte{[]byte("longer than the buffers")}, Addr: b.LocalAddr()},
	}
	sendBatch(t, a, out)
	for i, want := range []int{16, 0, 23} {
		if out[i].N != want || out[i].NN != 0 {
			t.Errorf("message %d sent: N = %d, NN = %d, want %d, 0", i, out[i].N, out[i].NN, want)
		}
	}
	in := make([]Message, 3)
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, 3), make([]byte, 0), make([]byte, 15)}
	}
	receiveBatch(t, b, in)
	if diff := cmp.Diff([]string{"head and payload", "", "longer than the bu"}, textsOf(in)); diff != "" {
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

func TestReadBatchTakesWhatIsThere(t *testing.T) {
	a, b := openUDP(t, "udp4"), openUDP(t, "udp4")
	limitTime(t, a, b)
	sendBatch(t, a, []Message{message([]byte("1"), b.LocalAddr()), message([]byte("2"), b.LocalAddr())})
	in := roomFor(5, 10)
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
			senders := []*UDPConn{openUDP(t, network), openUDP(t, network), openUDP(t, network)}
			b := openUDP(t, network)
			limitTime(t, b)
			to := toLoopback(b.LocalAddr())
			send := func() (want []string) {
				for _, s := range senders {
					if _, err := s.WriteTo([]byte("x"), to); err != nil {
						t.Fatal(err)
					}
					want = append(want, toLoopback(s.LocalAddr()).String())
				}
				return want
			}
			read := func(ms []Message) (got []string) {
				receiveBatch(t, b, ms)
				for _, m := range ms {
					got = append(got, m.Addr.String())
				}
				return got
			}
			own := &net.UDPAddr{IP: append(make(net.IP, 0, 32), 1, 2, 3, 4), Port: 5} // as roomy as ours
			ms := roomFor(3, 10)
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

// toLoopback replaces the wildcard of a dual-stack socket by IPv4's loopback.
func toLoopback(addr net.Addr) *net.UDPAddr {
	a := *addr.(*net.UDPAddr)
	if a.IP.IsUnspecified() {
		a.IP = net.IPv4(127, 0, 0, 1)
	}
	return &a
}

func TestBatchAllocations(t *testing.T) {
	for _, offload := range []bool{false, true} {
		for _, network := range []string{"udp4", "udp6"} {
			t.Run(fmt.Sprintf("%s/offload=%v", network, offload), func(t *testing.T) {
				lc := &ListenConfig{Offload: offload}
				a, b := openUDPWith(t, lc, network), openUDPWith(t, lc, network)
				limitTime(t, a, b)
				const n = 16
				out, in := roomFor(n, 100), roomFor(n, 200)
				for i := range out {
					out[i].Addr = b.LocalAddr()
				}
				allocs := testing.AllocsPerRun(100, func() {
					sendBatch(t, a, out)
					receiveBatch(t, b, in)
				})
				if allocs >= n/4 && !socktest.Race {
					t.Errorf("%v allocations for %d messages", allocs, n)
				}
			})
		}
	}
}

func TestBatchIP(t *testing.T) {
	c, err := ListenPacket("ip4:253", "127.0.0.1")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("raw sockets need privileges: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ip := c.(*IPConn)
	limitTime(t, ip)
	sendBatch(t, ip, []Message{message([]byte("one"), c.LocalAddr()), message([]byte("two"), c.LocalAddr())})
	in := roomFor(2, 100)
	receiveBatch(t, ip, in)
	const header = 20
	for i, want := range []string{"one", "two"} {
		if got := textOf(in[i]); len(got) != header+3 || got[header:] != want {
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
			a, b := openUDPWith(t, lc, "udp4"), openUDPWith(t, lc, "udp4")
			limitTime(t, a, b)
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
					buf, ms := make([]byte, 100), roomFor(7, 100)
					for {
						var err error
						switch i % 3 {
						case 0:
							var n int
							n, err = b.ReadBatch(ms, 0)
							for _, m := range ms[:n] {
								see([]byte(textOf(m)), m.Addr.String())
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
					out[i] = message([]byte(s), b.LocalAddr())
				}
				sendBatch(t, a, out)
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
	batchReader
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
			limitTime(t, c)
			receive := func(kept net.Addr) net.Addr {
				t.Helper()
				if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				in := roomFor(1, 100)
				in[0].Addr = kept
				receiveBatch(t, c, in)
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
	a, b := unixPair(t, "unixgram")
	limitTime(t, b)
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
		in := roomFor(1, 10)
		in[0].Addr = kept
		receiveBatch(t, b, in)
		if in[0].Addr != nil {
			t.Errorf("with %#v the sender is %#v, want none", kept, in[0].Addr)
		}
	}
}

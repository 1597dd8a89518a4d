//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
)

// openUDP returns a UDP socket on loopback that the test closes.
func openUDP(t testing.TB, network string) *UDPConn {
	t.Helper()
	return openUDPWith(t, &ListenConfig{}, network)
}

// loopbackOf returns a free loopback address of a network: "udp" is a dual-stack
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
	c, err := lc.ListenPacket(t.Context(), network, batchAddress(network))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*UDPConn)
}

func connectUDP(t testing.TB, d *Dialer, network string, to net.Addr) *UDPConn {
	t.Helper()
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
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
}

// message is a Message with one buffer.
func message(b []byte, addr net.Addr) Message {
	return Message{Buffers: [][]byte{b}, Addr: addr}
}

// roomFor returns n messages with room for size octets.
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
				t.Errorf("IP of %d octets, want %d", len(ip), wantLen)
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
				if allocs >= n/4 && !raceEnabled {
					t.Errorf("%v allocations for %d messages", allocs, n)
				}
			})
		}
	}
}

// A datagram that fails is reported by the next call, which does not send those
// before it again.
func TestWriteBatchPartial(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			a, b := openUDPWith(t, &ListenConfig{Offload: offload}, "udp4"), openUDP(t, "udp4")
			limitTime(t, a, b)
			big := make([]byte, 65508)
			tests := []struct {
				name string
				bad  Message
				want error
			}{
				{"too long", message(big, b.LocalAddr()), syscall.EMSGSIZE},
				{"address of another type", message([]byte("x"), &net.IPAddr{}), syscall.EINVAL},
				{"port 0", message([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}), syscall.EINVAL},
				{"no address", message([]byte("x"), nil), syscall.EDESTADDRREQ},
				{"nil pointer", message([]byte("x"), (*net.UDPAddr)(nil)), syscall.EDESTADDRREQ},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					ms := []Message{
						message([]byte("1"), b.LocalAddr()), message([]byte("2"), b.LocalAddr()), tt.bad,
						message([]byte("3"), b.LocalAddr()), message([]byte("4"), b.LocalAddr()),
					}
					n, err := a.WriteBatch(ms, 0)
					if n != 2 || err != nil {
						t.Fatalf("WriteBatch = %d, %v, want 2, nil", n, err)
					}
					n, err = a.WriteBatch(ms[2:], 0)
					var op *net.OpError
					if n != 0 || !errors.Is(err, tt.want) || !errors.As(err, &op) {
						t.Fatalf("WriteBatch from the failed one = %d, %v, want 0, %v", n, err, tt.want)
					}
					var to net.Addr = tt.bad.Addr
					if to == (*net.UDPAddr)(nil) {
						to = nil
					}
					if op.Op != "write" || op.Net != "udp4" || op.Source != a.LocalAddr() || op.Addr != to {
						t.Errorf("error %#v, want write udp4 from %v to %v", op, a.LocalAddr(), to)
					}
					sendBatch(t, a, ms[3:])
					in := roomFor(4, 10)
					receiveBatch(t, b, in)
					if diff := cmp.Diff([]string{"1", "2", "3", "4"}, textsOf(in)); diff != "" {
						t.Errorf("received (-want +got):\n%s", diff)
					}
				})
			}
		})
	}
}

// The peer's refusal takes the place of one attempt to send, and every other
// datagram goes out.
func TestWriteBatchRefused(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			gone := openUDP(t, "udp4")
			a := connectUDP(t, &Dialer{Offload: offload}, "udp4", gone.LocalAddr())
			limitTime(t, a)
			to := gone.LocalAddr().String()
			gone.Close()

			// Of different length, so that they are not joined.
			ms := []Message{message([]byte("1"), nil), message([]byte("22"), nil), message([]byte("333"), nil)}
			n, err := a.WriteBatch(ms, 0)
			if n != 1 || err != nil {
				t.Fatalf("WriteBatch = %d, %v, want 1, nil", n, err)
			}
			n, err = a.WriteBatch(ms[1:], 0)
			if n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("WriteBatch behind the refused one = %d, %v, want 0, ECONNREFUSED", n, err)
			}

			again, err := ListenPacket("udp4", to)
			if err != nil {
				t.Skip("the port was taken by somebody else: ", err)
			}
			defer again.Close()
			limitTime(t, again)
			sendBatch(t, a, ms[1:])
			in := roomFor(2, 10)
			receiveBatch(t, again.(*UDPConn), in)
			if diff := cmp.Diff([]string{"22", "333"}, textsOf(in)); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBatchDeadlineAndClose(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			c := openUDPWith(t, &ListenConfig{Offload: offload}, "udp4")
			ms := []Message{message([]byte("x"), c.LocalAddr()), message([]byte("y"), c.LocalAddr())}
			sendBatch(t, c, ms)
			c.SetDeadline(time.Unix(1, 0))
			in := roomFor(2, 10)
			if n, err := c.ReadBatch(in, 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ReadBatch past the deadline = %d, %v", n, err)
			}
			if n, err := c.WriteBatch(ms, 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("WriteBatch past the deadline = %d, %v", n, err)
			}
			c.SetDeadline(time.Time{})
			receiveBatch(t, c, in)
			done := make(chan error)
			go func() {
				_, err := c.ReadBatch(in, 0)
				done <- err
			}()
			runtime.Gosched()
			c.Close()
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadBatch of a closed conn: %v", err)
			}
			if _, err := c.WriteBatch(ms, 0); !errors.Is(err, net.ErrClosed) {
				t.Errorf("WriteBatch of a closed conn: %v", err)
			}
		})
	}
	for _, c := range []interface {
		batchReader
		batchWriter
	}{new(UDPConn), new(IPConn), new(UnixConn), new(PacketConn)} {
		if _, err := c.ReadBatch(roomFor(1, 1), 0); err != syscall.EINVAL {
			t.Errorf("%T: ReadBatch of the zero value: %v", c, err)
		}
		if _, err := c.WriteBatch(roomFor(1, 1), 0); err != syscall.EINVAL {
			t.Errorf("%T: WriteBatch of the zero value: %v", c, err)
		}
	}
}

func unixPair(t testing.TB, network string) (a, b *UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := filepath.Join(dir, "b")
	if network == "unixgram" {
		if b, err = ListenUnixgram(network, &net.UnixAddr{Name: name, Net: network}); err != nil {
			t.Fatal(err)
		}
		if a, err = ListenUnixgram(network, &net.UnixAddr{Name: filepath.Join(dir, "a"), Net: network}); err != nil {
			t.Fatal(err)
		}
	} else {
		l, err := ListenUnix(network, &net.UnixAddr{Name: name, Net: network})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if a, err = DialUnix(network, nil, &net.UnixAddr{Name: name, Net: network}); err != nil {
			t.Fatal(err)
		}
		if b, err = l.AcceptUnix(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// More messages than the queue of a unix socket holds: WriteBatch waits for room.
func TestBatchUnixgram(t *testing.T) {
	a, b := unixPair(t, "unixgram")
	limitTime(t, a, b)
	const n = 100
	var want []string
	out := make([]Message, n)
	for i := range out {
		s := fmt.Sprint("message ", i)
		want = append(want, s)
		out[i] = message([]byte(s), b.LocalAddr())
	}
	sent := make(chan error, 1)
	go func() {
		n, err := a.WriteBatch(out, 0)
		if err == nil && n < len(out) {
			err = fmt.Errorf("sent %d", n)
		}
		sent <- err
	}()
	in := roomFor(n, 20)
	receiveBatch(t, b, in)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, textsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(a.LocalAddr(), in[n-1].Addr); diff != "" {
		t.Errorf("sender (-want +got):\n%s", diff)
	}
	// Full, and nobody reads.
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
	other := []Message{message([]byte("x"), &net.UnixAddr{Name: "x", Net: "unix"})}
	a.SetWriteDeadline(time.Time{})
	if _, err := a.WriteBatch(other, 0); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("WriteBatch to an address of another network: %v", err)
	}
}

func TestBatchUnixConnections(t *testing.T) {
	a, b := unixPair(t, "unixpacket")
	limitTime(t, a, b)
	sendBatch(t, a, []Message{message([]byte("1"), nil), message([]byte("22"), nil)})
	in := roomFor(2, 10)
	receiveBatch(t, b, in)
	if diff := cmp.Diff([]string{"1", "22"}, textsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	a.Close()
	var op *net.OpError
	if n, err := b.ReadBatch(in, 0); n != 0 || !errors.Is(err, io.EOF) || !errors.As(err, &op) {
		t.Errorf("ReadBatch at the end = %d, %v, want EOF with addresses", n, err)
	}

	a, b = unixPair(t, "unix")
	if _, err := a.WriteBatch(in, 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("WriteBatch on a stream: %v", err)
	}
	if _, err := b.ReadBatch(in, 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("ReadBatch on a stream: %v", err)
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

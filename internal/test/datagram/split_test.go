//go:build linux

package datagram

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// A datagramReader reads one datagram by one of the methods that there are.
type datagramReader struct {
	name string
	read func(c *UDPConn, b []byte) (n, flags int, from string, err error)
}

func datagramReaders() []datagramReader {
	return []datagramReader{
		{"Read", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, err := c.Read(b)
			return n, -1, "", err
		}},
		{"ReadFrom", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, addr, err := c.ReadFrom(b)
			return n, -1, fmt.Sprint(addr), err
		}},
		{"ReadFromUDP", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, addr, err := c.ReadFromUDP(b)
			return n, -1, fmt.Sprint(addr), err
		}},
		{"ReadFromUDPAddrPort", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, addr, err := c.ReadFromUDPAddrPort(b)
			return n, -1, (*net.UDPAddr)(net.UDPAddrFromAddrPort(addr)).String(), err
		}},
		{"ReadMsgUDP", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, _, flags, addr, err := c.ReadMsgUDP(b, nil)
			return n, flags, fmt.Sprint(addr), err
		}},
		{"ReadMsgUDPAddrPort", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, _, flags, addr, err := c.ReadMsgUDPAddrPort(b, nil)
			return n, flags, net.UDPAddrFromAddrPort(addr).String(), err
		}},
		{"ReceiveFrom", func(c *UDPConn, b []byte) (int, int, string, error) {
			n, addr, err := c.ReceiveFrom(b, 0)
			flags := 0
			if errors.Is(err, io.ErrShortBuffer) {
				flags, err = syscall.MSG_TRUNC, nil
			}
			return n, flags, fmt.Sprint(addr), err
		}},
		{"ReadBatch", func(c *UDPConn, b []byte) (int, int, string, error) {
			ms := []Message{{Buffers: [][]byte{b[:len(b)/3], b[len(b)/3:]}}}
			if _, err := c.ReadBatch(ms, 0); err != nil {
				return 0, 0, "", err
			}
			return ms[0].N, ms[0].Flags, ms[0].Addr.String(), nil
		}},
	}
}

func TestEveryReaderSplits(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "udp"} {
		for _, r := range datagramReaders() {
			t.Run(network+"/"+r.name, func(t *testing.T) {
				a, b := conntest.Offloading(t, network), conntest.Offloading(t, network)
				to := conntest.ToLoopback(b.LocalAddr())
				from := conntest.ToLoopback(a.LocalAddr()).String()
				out := conntest.Numbered(to, 100, 100, 100, 100, 70)
				// The second time the size is known beforehand.
				for range 2 {
					conntest.SendBatch(t, a, out)
					for i, size := range []int{100, 100, 40, 100, 100} {
						buf := make([]byte, size)
						n, flags, addr, err := r.read(b, buf)
						want := out[i].Buffers[0]
						wantFlags := 0
						if len(want) > size {
							want, wantFlags = want[:size], syscall.MSG_TRUNC
						}
						if err != nil || !bytes.Equal(buf[:n], want) {
							t.Fatalf("datagram %d: %q, %v, want %q", i, buf[:n], err, want)
						}
						if addr != "" && addr != from {
							t.Errorf("datagram %d is from %v, want %v", i, addr, from)
						}
						if flags >= 0 && flags != wantFlags {
							t.Errorf("datagram %d: flags %#x, want %#x", i, flags, wantFlags)
						}
					}
				}
			})
		}
	}
}

// Datagrams of unequal length come after merged ones, whose size was expected.
func TestOffloadSizesVary(t *testing.T) {
	a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
	// Of some kernels a large datagram takes twice its size.
	if err := b.SetReadBuffer(1 << 20); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		sizes [][]int // of each batch
		room  []int   // of the messages that they are read into
	}{
		{"growing", [][]int{conntest.EqualSizes(5, 100), conntest.EqualSizes(5, 200), {300}, conntest.EqualSizes(3, 300)}, conntest.EqualSizes(14, 400)},
		{"shrinking", [][]int{conntest.EqualSizes(5, 300), conntest.EqualSizes(5, 200), {10}, conntest.EqualSizes(3, 10)}, conntest.EqualSizes(14, 400)},
		{"little room", [][]int{conntest.EqualSizes(5, 300), conntest.EqualSizes(5, 300)}, []int{300, 299, 301, 0, 300, 300, 1000, 5, 300, 300}},
		{"large single", [][]int{conntest.EqualSizes(5, 100), {65507}, {65507}, conntest.EqualSizes(2, 32000)}, conntest.EqualSizes(9, 1<<16)},
		{"empty", [][]int{{0, 0, 5, 5, 0}, conntest.EqualSizes(5, 5), {0}}, conntest.EqualSizes(11, 5)},
		{"huge buffers", [][]int{conntest.EqualSizes(10, 100), {1}, {60000}}, conntest.EqualSizes(12, 1<<18)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want, got []string
			for _, sizes := range tt.sizes {
				out := conntest.Numbered(b.LocalAddr(), sizes...)
				conntest.SendBatch(t, a, out)
				want = append(want, conntest.DataOf(out)...)
			}
			in := make([]Message, len(tt.room))
			for i, room := range tt.room {
				in[i].Buffers = [][]byte{make([]byte, room)}
				if len(want[i]) > room {
					want[i] = want[i][:room]
				}
			}
			conntest.ReceiveBatch(t, b, in)
			for i, m := range in {
				got = append(got, conntest.TextOf(m))
				if cut := m.Flags&syscall.MSG_TRUNC != 0; cut != (len(want[i]) == tt.room[i] && tt.room[i] < 300 && tt.name == "little room") {
					t.Errorf("message %d: truncated %v", i, cut)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOffloadControlData(t *testing.T) {
	socktest.NeedOption(t, "SO_TIMESTAMPNS")
	a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
	for _, o := range []sockopt.Option[bool]{sockopt.ReceivePacketInfo, sockopt.ReceiveTOS, sockopt.TimestampNS} {
		if err := o.Set(b, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := sockopt.TOS.Set(a, 2); err != nil { // ECT(0)
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Second)
	conntest.SendBatch(t, a, conntest.Numbered(b.LocalAddr(), 50, 50, 50, 50))

	check := func(i, flags int, oob []byte) {
		t.Helper()
		p, err := ParsePacketInfo(oob)
		if err != nil {
			t.Fatal(err)
		}
		if p.Time.Before(before) || p.Time.After(time.Now().Add(time.Second)) {
			t.Errorf("datagram %d came at %v", i, p.Time)
		}
		p.Time = time.Time{}
		local := netip.MustParseAddr("127.0.0.1")
		want := PacketInfo{Local: local, Destination: local, Interface: p.Interface, TOS: 2, HasTOS: true}
		if p != want || p.Interface <= 0 || flags != 0 {
			t.Errorf("datagram %d: %+v, flags %#x, want %+v", i, p, flags, want)
		}
	}
	buf, oob := make([]byte, 100), make([]byte, PacketInfoLen)
	_, oobn, flags, _, err := b.ReadMsgUDP(buf, oob)
	if err != nil {
		t.Fatal(err)
	}
	check(0, flags, oob[:oobn])
	in := conntest.RoomFor(3, 100)
	in[0].OOB, in[1].OOB = make([]byte, PacketInfoLen), make([]byte, PacketInfoLen)
	in[2].OOB = make([]byte, 30)
	conntest.ReceiveBatch(t, b, in)
	check(1, in[0].Flags, in[0].OOB[:in[0].NN])
	check(2, in[1].Flags, in[1].OOB[:in[1].NN])
	if in[2].Flags&syscall.MSG_CTRUNC == 0 || in[2].NN > 30 {
		t.Errorf("with little room: flags %#x, NN %d, want MSG_CTRUNC", in[2].Flags, in[2].NN)
	}
}

// What is split and not read yet obeys deadlines and Close, and can be peeked at.
func TestOffloadPending(t *testing.T) {
	socktest.NeedMerging(t)
	a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
	out := conntest.Numbered(b.LocalAddr(), 10, 10, 10, 10, 10)
	conntest.SendBatch(t, a, out)
	want := conntest.DataOf(out)
	buf := make([]byte, 20)

	peek := conntest.RoomFor(3, 20)
	if n, err := b.ReadBatch(peek, syscall.MSG_PEEK); n != 3 || err != nil {
		t.Fatalf("ReadBatch with MSG_PEEK = %d, %v, want 3, nil", n, err)
	}
	if diff := cmp.Diff(want[:3], conntest.TextsOf(peek)); diff != "" {
		t.Errorf("peeked at (-want +got):\n%s", diff)
	}
	if n, _, err := b.ReceiveFrom(buf, MsgPeek); err != nil || string(buf[:n]) != want[0] {
		t.Errorf("ReceiveFrom with MsgPeek: %q, %v, want %q", buf[:n], err, want[0])
	}
	if n, err := b.Read(buf); err != nil || string(buf[:n]) != want[0] {
		t.Errorf("Read: %q, %v, want %q", buf[:n], err, want[0])
	}

	b.SetReadDeadline(time.Unix(1, 0))
	for _, r := range datagramReaders() {
		if _, _, _, err := r.read(b, buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s past the deadline: %v", r.name, err)
		}
	}
	b.SetReadDeadline(time.Time{})
	if n, err := b.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v", n, err)
	}
	conntest.LimitTime(t, b)
	if n, _, err := b.ReadFrom(nil); n != 0 || err != nil {
		t.Errorf("ReadFrom(nil) = %d, %v", n, err) // and the datagram is lost
	}
	if n, err := b.Read(buf); err != nil || string(buf[:n]) != want[2] {
		t.Errorf("Read: %q, %v, want %q", buf[:n], err, want[2])
	}
	b.Close()
	for _, r := range datagramReaders() {
		if _, _, _, err := r.read(b, buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: %v", r.name, err)
		}
	}
}

// A reader that waits already gets single datagrams, too.
func TestOffloadWhileReading(t *testing.T) {
	for _, r := range datagramReaders() {
		t.Run(r.name, func(t *testing.T) {
			a, b := conntest.Offloading(t, "udp4"), conntest.OpenUDP(t, "udp4")
			conntest.LimitTime(t, b)
			buf := make([]byte, 100)
			done := make(chan string)
			go func() {
				n, _, _, err := r.read(b, buf)
				done <- fmt.Sprintf("%q %v", buf[:n], err)
			}()
			conntest.WaitBlocked(t, b)
			if err := b.SetOffload(true); err != nil {
				t.Fatal(err)
			}
			out := conntest.Numbered(b.LocalAddr(), 10, 10, 10)
			conntest.SendBatch(t, a, out)
			if diff := cmp.Diff(fmt.Sprintf("%q <nil>", out[0].Buffers[0]), <-done); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
			in := conntest.RoomFor(2, 10)
			conntest.ReceiveBatch(t, b, in)
			if diff := cmp.Diff(conntest.DataOf(out)[1:], conntest.TextsOf(in)); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

// Random batches arrive unchanged and in order, whoever offloads.
func TestOffloadProperty(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "mapped"} {
		for _, offload := range []struct{ send, receive bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
			for _, connected := range []bool{false, true} {
				name := fmt.Sprintf("%s/send=%v,receive=%v,connected=%v", network, offload.send, offload.receive, connected)
				t.Run(name, func(t *testing.T) {
					p := newProperty(t, 65507)
					n := network
					if network == "mapped" {
						n = "udp"
					}
					for range 3 {
						p.receivers = append(p.receivers, conntest.OpenUDPWith(t, &ListenConfig{Offload: offload.receive}, n))
					}
					if connected {
						p.receivers = p.receivers[:1]
						p.sender = conntest.ConnectUDP(t, &Dialer{Offload: offload.send}, "udp", p.receivers[0].LocalAddr())
						p.connected = true
					} else {
						p.sender = conntest.OpenUDPWith(t, &ListenConfig{Offload: offload.send}, n)
					}
					for _, r := range p.receivers {
						p.to = append(p.to, conntest.ToLoopback(r.LocalAddr()))
					}
					for range 8 {
						p.round(t)
					}
				})
			}
		}
	}
}

// property sends random batches from one socket to some.
type property struct {
	rand      *rand.Rand
	sender    *UDPConn
	connected bool
	receivers []*UDPConn
	to        []*net.UDPAddr
	maxSize   int // of a datagram
	noise     []byte
	buffers   [][]byte
}

func newProperty(t testing.TB, maxSize int) *property {
	t.Helper()
	seed := rand.Uint64()
	t.Log("seed ", seed)
	p := &property{rand: rand.New(rand.NewPCG(seed, 0)), maxSize: maxSize, noise: make([]byte, 1<<17)}
	for i := range p.noise {
		p.noise[i] = byte(p.rand.Uint32())
	}
	return p
}

// buffer returns one of several for a datagram.
func (p *property) buffer(i int) []byte {
	for len(p.buffers) <= i {
		p.buffers = append(p.buffers, make([]byte, 1<<16))
	}
	return p.buffers[i]
}

// inRow returns messages whose buffers, of the given size, lie one behind the other in b.
func inRow(b []byte, size int) (ms []Message) {
	for part := range slices.Chunk(b, size) {
		ms = append(ms, Message{Buffers: [][]byte{part}})
	}
	return ms
}

// round sends a batch and reads it.
func (p *property) round(t *testing.T) {
	t.Helper()
	conntest.LimitTime(t, p.sender)
	// Runs of one size to one peer, with all in the receive buffer.
	var out []Message
	want := make([][]string, len(p.receivers))
	for budget := 60000; len(out) < 150 && budget > 0; {
		size := []int{0, 1, 20, 100, 1200, p.maxSize}[p.rand.IntN(6)]
		if p.rand.IntN(3) == 0 {
			size = p.rand.IntN(min(p.maxSize, 2000) + 1)
		}
		k := p.rand.IntN(len(p.receivers))
		for range 1 + p.rand.IntN(40) {
			n := size
			if p.rand.IntN(10) == 0 {
				n = p.rand.IntN(size + 1)
			}
			at := p.rand.IntN(len(p.noise) - n)
			b := bytes.Clone(p.noise[at : at+n])
			m := conntest.MessageTo(b, p.to[k])
			if cut := p.rand.IntN(n + 1); p.rand.IntN(4) == 0 {
				m.Buffers = [][]byte{b[:cut], b[cut:]}
			}
			if p.connected {
				m.Addr = nil
			}
			out = append(out, m)
			want[k] = append(want[k], string(b))
			if budget -= n + 700; budget < 0 { // 700 is what the kernel adds
				break
			}
		}
	}
	conntest.SendBatch(t, p.sender, out)
	from := conntest.ToLoopback(p.sender.LocalAddr()).String()
	for k, r := range p.receivers {
		conntest.LimitTime(t, r)
		var got []string
		for len(got) < len(want[k]) {
			if p.rand.IntN(2) == 0 {
				all := datagramReaders()
				rd := all[p.rand.IntN(len(all))]
				b := p.buffer(0)
				n, _, addr, err := rd.read(r, b)
				if err != nil {
					t.Fatalf("%s after %d of %d: %v", rd.name, len(got), len(want[k]), err)
				}
				if rd.name == "Read" && n == 0 {
					got = append(got, "")
					continue
				}
				if addr != "" && addr != from {
					t.Fatalf("%s: sender %v, want %v", rd.name, addr, from)
				}
				got = append(got, string(b[:n]))
				continue
			}
			ms := make([]Message, 1+p.rand.IntN(70))
			room := len(p.buffer(0))
			if next := len(want[k][len(got)]); next > 0 && p.rand.IntN(2) == 0 {
				room = next
				ms = inRow(p.buffer(0), room)[:min(len(ms), len(p.buffer(0))/room)]
			} else {
				for i := range ms {
					b := p.buffer(i)
					cut := p.rand.IntN(2000)
					ms[i].Buffers = [][]byte{b[:cut], b[cut:]}
				}
			}
			n, err := r.ReadBatch(ms, 0)
			if err != nil || len(got)+n > len(want[k]) {
				t.Fatalf("ReadBatch after %d of %d: %d, %v", len(got), len(want[k]), n, err)
			}
			for _, m := range ms[:n] {
				text, flags := want[k][len(got)], 0
				if len(text) > room {
					text, flags = text[:room], syscall.MSG_TRUNC
				}
				if m.Addr.String() != from || m.Flags != flags || conntest.TextOf(m) != text {
					t.Fatalf("ReadBatch, datagram %d: sender %v, flags %#x, %d bytes, want %v, %#x, %d, or others", len(got), m.Addr, m.Flags, m.N, from, flags, len(text))
				}
				got = append(got, want[k][len(got)])
			}
		}
		for i := range want[k] {
			if got[i] != want[k][i] {
				t.Fatalf("receiver %d, datagram %d of %d: %d bytes, want %d, or others", k, i, len(want[k]), len(got[i]), len(want[k][i]))
			}
		}
	}
}

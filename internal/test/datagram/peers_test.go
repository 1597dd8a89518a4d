//go:build linux

package datagram

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// Datagrams of many senders, of which some join theirs, arrive unchanged, each sender's
// in order, however they are read.
func TestOffloadManySenders(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		for _, senders := range []int{2, 40} {
			for _, receive := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/senders=%d/receive=%v", network, senders, receive), func(t *testing.T) {
					seed := rand.Uint64()
					t.Log("seed ", seed)
					p := &manySenders{
						rand: rand.New(rand.NewPCG(seed, 0)),
						to:   conntest.OpenUDPWith(t, &ListenConfig{Offload: receive}, network),
						last: map[string]uint32{},
					}
					conntest.LimitTime(t, p.to)
					for i := range senders {
						c := conntest.OpenUDPWith(t, &ListenConfig{Offload: i%3 > 0}, network)
						conntest.LimitTime(t, c)
						p.from = append(p.from, c)
					}
					for range 30 {
						for left := p.send(t); left > 0; {
							left -= p.receive(t)
						}
					}
				})
			}
		}
	}
}

// What comes behind a merged datagram that is longer than the last was comes after all
// of it.
func TestOffloadGrowingRows(t *testing.T) {
	for _, size := range []int{100, 1200, 4000} {
		for _, room := range []int{size, 8000} {
			t.Run(fmt.Sprintf("size=%d/room=%d", size, room), func(t *testing.T) {
				a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
				in := conntest.RoomFor(40, room)
				next := 0
				for _, counts := range [][]int{{1, 1}, {2}, {2, 3, 2}, {5, 1, 5}, {1, 1, 7, 1}, {3, 3, 3}, {1, 1, 1}} {
					var want []string
					for _, count := range counts {
						out := conntest.RoomFor(count, size)
						for i := range out {
							next++
							fillNumbered(out[i].Buffers[0], uint32(next))
							out[i].Addr = b.LocalAddr()
						}
						conntest.SendBatch(t, a, out)
						want = append(want, conntest.DataOf(out)...)
					}
					conntest.ReceiveBatch(t, b, in[:len(want)])
					for i, text := range conntest.TextsOf(in[:len(want)]) {
						if text != want[i] {
							t.Fatalf("%v: datagram %d of %d is another", counts, i, len(want))
						}
					}
				}
			})
		}
	}
}

// manySenders sends to one socket. A datagram starts with its number and its length, and
// goes on with bytes that the number determines.
type manySenders struct {
	rand *rand.Rand
	from []*UDPConn
	to   *UDPConn
	next uint32
	last map[string]uint32 // by sender
	bufs [][]byte
}

func fillNumbered(b []byte, number uint32) {
	binary.BigEndian.PutUint32(b, number)
	binary.BigEndian.PutUint32(b[4:], uint32(len(b)))
	for i := range b[8:] {
		b[8+i] = byte(number) + byte(i)*3
	}
}

// send sends some batches, as much as surely fits in the receive buffer.
func (p *manySenders) send(t *testing.T) (count int) {
	t.Helper()
	sizes := []int{8, 64, 64, 1200, 1200, 1200, 4000, 20000}
	for budget := 80000; budget > 0; {
		from, size := p.from[p.rand.IntN(len(p.from))], sizes[p.rand.IntN(len(sizes))]
		var ms []Message
		for range 1 + p.rand.IntN(20)*p.rand.IntN(2) {
			n := size
			if p.rand.IntN(10) == 0 {
				n = 8 + p.rand.IntN(size-7)
			}
			if budget -= n + 900; budget < 0 {
				break
			}
			p.next++
			b := make([]byte, n)
			fillNumbered(b, p.next)
			ms = append(ms, conntest.MessageTo(b, conntest.ToLoopback(p.to.LocalAddr())))
		}
		if len(ms) > 0 {
			conntest.SendBatch(t, from, ms)
		}
		count += len(ms)
	}
	return count
}

func (p *manySenders) receive(t *testing.T) int {
	t.Helper()
	if p.rand.IntN(5) == 0 {
		buf := make([]byte, []int{65535, 20000, 30000}[p.rand.IntN(3)])
		n, size, addr, err := p.to.ReadSegments(buf)
		if err != nil {
			t.Fatal(err)
		}
		parts := conntest.CutUp(buf[:n], size)
		for _, part := range parts {
			p.check(t, []byte(part), addr.String())
		}
		return len(parts)
	}
	ms := make([]Message, []int{1, 3, 16, 64}[p.rand.IntN(4)])
	for i := range ms {
		if i == len(p.bufs) {
			p.bufs = append(p.bufs, make([]byte, 1<<16))
		}
		b := p.bufs[i][:20000+p.rand.IntN(40000)]
		ms[i].Buffers = [][]byte{b}
		if cut := p.rand.IntN(len(b)); p.rand.IntN(3) == 0 {
			ms[i].Buffers = [][]byte{b[:cut], b[cut:]}
		}
	}
	if p.rand.IntN(4) == 0 {
		// A look at it changes nothing.
		if n, err := p.to.ReadBatch(ms[:1], syscall.MSG_PEEK); n != 1 || err != nil {
			t.Fatalf("ReadBatch = %d, %v", n, err)
		}
		want := conntest.TextOf(ms[0])
		clear(ms[0].Buffers[0])
		n, err := p.to.ReadBatch(ms, 0)
		if err != nil || !bytes.Equal([]byte(conntest.TextOf(ms[0])), []byte(want)) {
			t.Fatalf("ReadBatch = %d, %v: another datagram than was seen", n, err)
		}
		p.checkAll(t, ms[:n])
		return n
	}
	n, err := p.to.ReadBatch(ms, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.checkAll(t, ms[:n])
	return n
}

func (p *manySenders) checkAll(t *testing.T, ms []Message) {
	t.Helper()
	for _, m := range ms {
		if m.Flags != 0 || m.NN != 0 {
			t.Fatalf("flags %#x, %d bytes of control data", m.Flags, m.NN)
		}
		p.check(t, []byte(conntest.TextOf(m)), m.Addr.String())
	}
}

// check looks at one datagram.
func (p *manySenders) check(t *testing.T, b []byte, from string) {
	t.Helper()
	if len(b) < 8 {
		t.Fatalf("%d bytes", len(b))
	}
	number := binary.BigEndian.Uint32(b)
	want := make([]byte, len(b))
	fillNumbered(want, number)
	if !bytes.Equal(b, want) {
		t.Fatalf("datagram %d is damaged", number)
	}
	if number <= p.last[from] {
		t.Fatalf("datagram %d of %s behind %d", number, from, p.last[from])
	}
	p.last[from] = number
}

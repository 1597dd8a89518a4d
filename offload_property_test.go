//go:build linux

package sockets_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	. "github.com/iolib-go/sockets"
)

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
						p.receivers = append(p.receivers, openUDPWith(t, &ListenConfig{Offload: offload.receive}, n))
					}
					if connected {
						p.receivers = p.receivers[:1]
						p.sender = connectUDP(t, &Dialer{Offload: offload.send}, "udp", p.receivers[0].LocalAddr())
						p.connected = true
					} else {
						p.sender = openUDPWith(t, &ListenConfig{Offload: offload.send}, n)
					}
					for _, r := range p.receivers {
						p.to = append(p.to, toLoopback(r.LocalAddr()))
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

// round sends a batch and reads it.
func (p *property) round(t *testing.T) {
	t.Helper()
	limitTime(t, p.sender)
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
			m := message(b, p.to[k])
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
	sendBatch(t, p.sender, out)
	from := toLoopback(p.sender.LocalAddr()).String()
	for k, r := range p.receivers {
		limitTime(t, r)
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
			for i := range ms {
				b := p.buffer(i)
				cut := p.rand.IntN(2000)
				ms[i].Buffers = [][]byte{b[:cut], b[cut:]}
			}
			n, err := r.ReadBatch(ms, 0)
			if err != nil {
				t.Fatalf("ReadBatch after %d of %d: %v", len(got), len(want[k]), err)
			}
			for _, m := range ms[:n] {
				if m.Addr.String() != from || m.Flags != 0 {
					t.Fatalf("ReadBatch: sender %v, flags %#x, want %v, 0", m.Addr, m.Flags, from)
				}
				got = append(got, textOf(m))
			}
		}
		for i := range want[k] {
			if got[i] != want[k][i] {
				t.Fatalf("receiver %d, datagram %d of %d: %d octets, want %d, or others", k, i, len(want[k]), len(got[i]), len(want[k][i]))
			}
		}
	}
}

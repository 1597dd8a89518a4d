//go:build linux

package datagram

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// What is sent does not depend on how the data of messages lie in memory, nor what is
// received on the buffers that it is received into.
func TestBatchLayouts(t *testing.T) {
	const size = 100
	text := make([]byte, 12*size)
	for i := range text {
		text[i] = byte('a' + i/size)
	}
	apart := func(b []byte) []byte { return append(make([]byte, 0, 2*size), b...) }
	at := func(i int) []byte { return text[i*size:][:size] }
	var row, sameTwice, oneApart, lastApart, lastShort, shortApart, halves []Message
	for i := range 8 {
		row = append(row, Message{Buffers: [][]byte{at(i)}})
		halves = append(halves, Message{Buffers: [][]byte{at(i)[:size/2], at(i)[size/2:]}})
	}
	sameTwice = append(append(sameTwice, row[:3]...), row[2:]...)
	oneApart = append(append(oneApart, row...), Message{})
	oneApart[4] = Message{Buffers: [][]byte{apart(at(9))}}
	oneApart[8] = Message{Buffers: [][]byte{at(8)}}
	lastApart = append(append(lastApart, row...), Message{Buffers: [][]byte{apart(at(9))}})
	lastShort = append(append(lastShort, row...), Message{Buffers: [][]byte{at(8)[:30]}})
	shortApart = append(append(shortApart, row...), Message{Buffers: [][]byte{apart(at(9)[:30])}})

	tests := []struct {
		name string
		ms   []Message
	}{
		{"in a row", row}, {"one twice", sameTwice}, {"one apart", oneApart}, {"last apart", lastApart},
		{"last short", lastShort}, {"last short and apart", shortApart},
		{"two buffers each", halves}, {"backwards", []Message{row[3], row[2], row[1], row[0]}},
	}
	each := func(n int, lengths ...int) (ms []Message) {
		ms = make([]Message, n)
		for i := range ms {
			for _, length := range lengths {
				ms[i].Buffers = append(ms[i].Buffers, make([]byte, length))
			}
		}
		return ms
	}
	rooms := map[string]func(n int) []Message{
		"one":             func(n int) []Message { return each(n, 2*size) },
		"exact":           func(n int) []Message { return each(n, size) },
		"two":             func(n int) []Message { return each(n, 10, 2*size) },
		"too short":       func(n int) []Message { return each(n, size/2) },
		"row":             func(n int) []Message { return inRow(make([]byte, n*size), size) },
		"row, longer":     func(n int) []Message { return inRow(make([]byte, n*(size+1)), size+1) },
		"row, too short":  func(n int) []Message { return inRow(make([]byte, n*size/2), size/2) },
		"row, last short": func(n int) []Message { return inRow(make([]byte, n*size-80), size) },
		"row, one apart": func(n int) []Message {
			ms := inRow(make([]byte, n*size), size)
			ms[2].Buffers[0] = make([]byte, size)
			return ms
		},
		"row, backwards": func(n int) []Message {
			ms := inRow(make([]byte, n*size), size)
			slices.Reverse(ms)
			return ms
		},
		"row, two buffers": func(n int) []Message {
			ms := inRow(make([]byte, n*size), size)
			ms[1].Buffers = append(ms[1].Buffers, make([]byte, size))
			return ms
		},
		"row, one without": func(n int) []Message {
			ms := inRow(make([]byte, n*size), size)
			ms[1].Buffers = nil
			return ms
		},
	}
	for _, offload := range []bool{false, true} {
		for room, messages := range rooms {
			for _, tt := range tests {
				t.Run(fmt.Sprintf("offload=%v/room=%s/%s", offload, room, tt.name), func(t *testing.T) {
					if slices.ContainsFunc(messages(len(tt.ms)), func(m Message) bool { return len(m.Buffers) == 0 }) {
						socktest.NeedNoBuffers(t)
					}
					lc := &ListenConfig{Offload: offload}
					a, b := conntest.OpenUDPWith(t, lc, "udp4"), conntest.OpenUDPWith(t, lc, "udp4")
					conntest.LimitTime(t, a, b)
					type datagram struct {
						Text, From string
						Cut        bool
					}
					var want, got []datagram
					for range 3 { // later ones land where they are expected
						in := messages(len(tt.ms))
						for i := range tt.ms {
							tt.ms[i].Addr = b.LocalAddr()
							all := slices.Concat(tt.ms[i].Buffers...)
							most := len(slices.Concat(in[i].Buffers...))
							want = append(want, datagram{string(all[:min(len(all), most)]), a.LocalAddr().String(), len(all) > most})
						}
						conntest.SendBatch(t, a, tt.ms)
						conntest.ReceiveBatch(t, b, in)
						for i, m := range in {
							got = append(got, datagram{conntest.TextOf(m), m.Addr.String(), m.Flags != 0})
							if n := len(slices.Concat(tt.ms[i].Buffers...)); tt.ms[i].N != n {
								t.Errorf("message %d sent: N = %d, want %d", i, tt.ms[i].N, n)
							}
						}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("received (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// Datagrams that were merged land in messages in a row as they are, whatever came with
// them, how many they are, and whatever came before; what does not fit comes next.
func TestReadBatchInRow(t *testing.T) {
	const size = 100
	for _, control := range []bool{false, true} {
		for _, sent := range [][]int{{10}, {5, 5}, {10, 3}, {3, 10, 4, 1, 10}} {
			for _, rows := range []int{1, 4, 10, 25} { // messages of a batch
				t.Run(fmt.Sprintf("control=%v/sent=%v/rows=%d", control, sent, rows), func(t *testing.T) {
					a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
					var info PacketInfo
					if control {
						conntest.SetOptions(t, b, sockopt.ReceiveTOS)
						if err := sockopt.TOS.Set(a, 2); err != nil {
							t.Fatal(err)
						}
						info = PacketInfo{TOS: 2, HasTOS: true}
					}
					for range 2 {
						var want, got []string
						for i, n := range sent {
							last := size - 7*i // the shorter one that may end a merged datagram
							out := conntest.Numbered(b.LocalAddr(), append(conntest.EqualSizes(n, size), last)...)
							conntest.SendBatch(t, a, out)
							want = append(want, conntest.DataOf(out)...)
						}
						for len(got) < len(want) {
							in := inRow(make([]byte, rows*size), size)
							for i := range in {
								in[i].OOB = make([]byte, 100)
							}
							n, err := b.ReadBatch(in, 0)
							if err != nil {
								t.Fatal(err)
							}
							for _, m := range in[:n] {
								p, err := ParsePacketInfo(m.OOB[:m.NN])
								if err != nil || p != info || m.Flags != 0 || m.Addr.String() != a.LocalAddr().String() {
									t.Errorf("datagram %d: %+v, %v, flags %#x, from %v", len(got), p, err, m.Flags, m.Addr)
								}
								got = append(got, conntest.TextOf(m))
							}
						}
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("received (-want +got):\n%s", diff)
						}
					}
				})
			}
		}
	}
}

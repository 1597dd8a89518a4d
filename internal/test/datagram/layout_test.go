//go:build linux

package datagram

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
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
	var row, sameTwice, oneApart, lastApart, lastShort, halves []Message
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

	tests := []struct {
		name string
		ms   []Message
	}{
		{"in a row", row}, {"one twice", sameTwice}, {"one apart", oneApart}, {"last apart", lastApart},
		{"last short", lastShort}, {"two buffers each", halves}, {"backwards", []Message{row[3], row[2], row[1], row[0]}},
	}
	rooms := map[string]func() [][]byte{
		"one":       func() [][]byte { return [][]byte{make([]byte, 2*size)} },
		"exact":     func() [][]byte { return [][]byte{make([]byte, size)} },
		"two":       func() [][]byte { return [][]byte{make([]byte, 10), make([]byte, 2*size)} },
		"too short": func() [][]byte { return [][]byte{make([]byte, size/2)} },
	}
	for _, offload := range []bool{false, true} {
		for room, buffers := range rooms {
			for _, tt := range tests {
				t.Run(fmt.Sprintf("offload=%v/room=%s/%s", offload, room, tt.name), func(t *testing.T) {
					lc := &ListenConfig{Offload: offload}
					a, b := conntest.OpenUDPWith(t, lc, "udp4"), conntest.OpenUDPWith(t, lc, "udp4")
					conntest.LimitTime(t, a, b)
					type datagram struct {
						Text, From string
						Cut        bool
					}
					var want, got []datagram
					for range 3 { // later ones land where they are expected
						for i := range tt.ms {
							tt.ms[i].Addr = b.LocalAddr()
							var all []byte
							for _, p := range tt.ms[i].Buffers {
								all = append(all, p...)
							}
							most := 0
							for _, p := range buffers() {
								most += len(p)
							}
							want = append(want, datagram{string(all[:min(len(all), most)]), a.LocalAddr().String(), len(all) > most})
						}
						conntest.SendBatch(t, a, tt.ms)
						in := make([]Message, len(tt.ms))
						for i := range in {
							in[i].Buffers = buffers()
						}
						conntest.ReceiveBatch(t, b, in)
						for _, m := range in {
							got = append(got, datagram{conntest.TextOf(m), m.Addr.String(), m.Flags != 0})
						}
						for i, m := range tt.ms {
							if n := len(want[len(want)-len(tt.ms)+i].Text); room == "one" && m.N != n {
								t.Errorf("message %d: N = %d, want %d", i, m.N, n)
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

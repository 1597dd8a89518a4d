//go:build linux

package datagram

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// FuzzSplit sends datagrams that the kernel merges, and receives them again in buffers of
// every size and place, by methods that change. script decides; its end is zeros.
func FuzzSplit(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		script := make([]byte, 40)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
		to := b.LocalAddr().(*net.UDPAddr).AddrPort()
		pick := func(n int) int {
			if len(script) == 0 {
				return 0
			}
			v := int(script[0])
			script = script[1:]
			return v % n
		}
		// Sizes are those where something ends.
		size := func() int { return []int{1, 2, 64, 511, 1200, 1472, 2048, 9000}[pick(8)] + pick(3) }

		var want [][]byte
		for range 1 + pick(3) {
			each := size()
			all := make([]byte, min(each*(1+pick(64)), 1+pick(256)*128))
			for i := range all {
				all[i] = byte(i*7 + i>>8 + len(want))
			}
			if _, err := a.WriteSegments(all, each, to); err != nil {
				t.Fatal(err)
			}
			for len(all) > 0 {
				n := min(each, len(all))
				want = append(want, all[:n])
				all = all[n:]
			}
		}
		// check compares the next datagram with what came of it in a buffer.
		check := func(got []byte, room int, truncated bool) {
			t.Helper()
			if len(want) == 0 {
				t.Fatalf("one more datagram, of %d bytes", len(got))
			}
			w := want[0]
			want = want[1:]
			if truncated != (len(w) > room) || !bytes.Equal(got, w[:min(len(w), room)]) {
				t.Fatalf("%d bytes in %d, truncated %v; want %d bytes, or others (%d follow)", len(got), room, truncated, len(w), len(want))
			}
		}
		for len(want) > 0 {
			switch room := size(); pick(4) {
			case 0:
				p := make([]byte, room)
				n, _, flags, _, err := b.ReadMsgUDPAddrPort(p, nil)
				if err != nil {
					t.Fatal(err)
				}
				check(p[:n], room, flags&syscall.MSG_TRUNC != 0)
			case 1:
				p := make([]byte, room*(1+pick(64)))
				n, each, _, err := b.ReadSegments(p)
				if err != nil && !errors.Is(err, io.ErrShortBuffer) {
					t.Fatal(err)
				}
				if err != nil {
					check(p[:n], len(p), true)
					continue
				}
				for rest := p[:n]; len(rest) > 0; {
					k := min(each, len(rest))
					check(rest[:k], k, false)
					rest = rest[k:]
				}
			default:
				ms := make([]Message, 1+pick(70))
				row := make([]byte, len(ms)*room)
				apart, parts, oob := pick(3), 1+pick(2), pick(2)
				for i := range ms {
					p := row[i*room:][:room:room]
					if apart == 0 || apart == 1 && i%7 == 3 {
						p = make([]byte, room)
					}
					ms[i].Buffers = [][]byte{p}
					if parts == 2 {
						ms[i].Buffers = [][]byte{p[:room/3], p[room/3:]}
					}
					ms[i].OOB = make([]byte, oob*100)
				}
				n, err := b.ReadBatch(ms, 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range ms[:n] {
					check(bytes.Join(m.Buffers, nil)[:m.N], room, m.Flags&syscall.MSG_TRUNC != 0)
				}
			}
		}
	})
}

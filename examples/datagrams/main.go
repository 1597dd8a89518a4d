// Datagrams is a UDP echo server that works in batches. It answers from the address to
// which each datagram was sent, and with the congestion mark that it carried.
//
//	datagrams -listen :7007
//
// The kernel merges datagrams from one sender (UDP_GRO) and splits merged answers to one
// receiver (UDP_SEGMENT); this program sees single messages.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/examples/internal/cli"
)

func main() {
	address := flag.String("listen", ":7007", "`address` to listen on")
	cli.Parse("[flags]\n\nA UDP echo server that works in batches, with segmentation offload. Each answer\ncomes from the address to which the datagram was sent.")
	lc := sockets.ListenConfig{Offload: true, PacketInfo: true}
	c, err := lc.ListenPacket(context.Background(), "udp", *address)
	cli.Check(err)
	fmt.Println("listening on", c.LocalAddr())
	cli.Check(serve(c.(*sockets.UDPConn), new(stats)))
}

// stats counts what was answered.
type stats struct{ batches, datagrams, congested atomic.Int64 }

const (
	batchSize = 64
	maxSize   = 2048 // longer datagrams are dropped
	ecnMask   = 3    // of TOS, RFC 3168
	ecnCE     = 3    // congestion experienced
)

// serve answers until c is closed.
func serve(c *sockets.UDPConn, s *stats) error {
	in := make([]sockets.Message, batchSize)
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, maxSize)}
		in[i].OOB = make([]byte, sockets.PacketInfoLen)
	}
	out := make([]sockets.Message, batchSize)
	for i := range out {
		out[i].Buffers = make([][]byte, 1)
	}
	for {
		n, err := c.ReadBatch(in, 0)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		replies := out[:0]
		for i := range in[:n] {
			m := &in[i]
			info, err := sockets.ParsePacketInfo(m.OOB[:m.NN])
			if err != nil || m.N > maxSize {
				continue
			}
			if info.TOS&ecnMask == ecnCE {
				s.congested.Add(1)
			}
			reply := sockets.PacketInfo{Local: info.Local, TOS: info.TOS & ecnMask, HasTOS: info.HasTOS}
			r := &out[len(replies)]
			r.Buffers[0] = m.Buffers[0][:m.N]
			r.OOB = reply.Append(r.OOB[:0])
			r.Addr = m.Addr
			replies = out[:len(replies)+1]
		}
		s.batches.Add(1)
		s.datagrams.Add(int64(len(replies)))
		for len(replies) > 0 {
			sent, err := c.WriteBatch(replies, 0)
			if err != nil {
				sent = 1 // this one cannot be sent; the others can
			}
			replies = replies[sent:]
		}
	}
}

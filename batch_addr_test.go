package sockets_test

import (
	"net"
	"testing"

	"github.com/iolib-go/sockets"
)

// TestReadBatchLeavesAddresses keeps the address of a batch, as quic-go does, while
// the next batch comes from somebody else.
func TestReadBatchLeavesAddresses(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		pc, err := sockets.ListenPacket("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		c := pc.(*sockets.UDPConn)
		ms := []sockets.Message{{Buffers: [][]byte{make([]byte, 8)}}}
		var kept []net.Addr
		var want []string
		for i := range 4 {
			from, err := net.Dial("udp", c.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			for range 2 {
				if _, err := from.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if n, err := c.ReadBatch(ms, 0); n != 1 || err != nil {
					t.Fatalf("ReadBatch = %d, %v", n, err)
				}
				kept, want = append(kept, ms[0].Addr), append(want, from.LocalAddr().String())
			}
			if kept[2*i] != kept[2*i+1] {
				t.Error("the same sender's address was made anew")
			}
		}
		for i, addr := range kept {
			if addr.String() != want[i] {
				t.Errorf("address %d is %v now, want %v", i, addr, want[i])
			}
		}
	}
}

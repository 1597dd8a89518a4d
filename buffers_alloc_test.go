//go:build !race

package sockets_test

import (
	"net"
	"testing"
)

// Under the race detector pools drop some of what they are given.

func TestBuffersAllocate(t *testing.T) {
	a, b := bufferPair(t, "tcp")
	data := [][]byte{make([]byte, 100), make([]byte, 200), make([]byte, 300)}
	out, in := make(net.Buffers, 3), make(net.Buffers, 3)
	for i := range in {
		in[i] = make([]byte, 300)
	}
	allocs := testing.AllocsPerRun(100, func() {
		copy(out, data)
		bufs := out
		if _, err := a.WriteBuffers(&bufs); err != nil {
			t.Fatal(err)
		}
		for n := int64(0); n < 600; {
			m, err := b.ReadBuffers(in)
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
	})
	// One is the header of bufs, which is the test's own.
	if allocs > 1 {
		t.Errorf("%v allocations, want none of ours", allocs)
	}
}

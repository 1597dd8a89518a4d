package sockets

import (
	"sync"

	"github.com/iolib-go/sockets/internal/codec"
)

// A block is memory for the wire. Blocks come from a pool when there is
// something to hold, and go back when it is gone.
type block struct{ mem []byte }

var blocks = [...]struct {
	size int
	pool sync.Pool
}{
	{size: blockSize}, {size: 2 * blockSize}, {size: maxBlockSize},
}

// getBlock returns a block with room for size bytes, one of blockSize times 1,
// 2 or 4, and for one character more.
func getBlock(size int) *block {
	for i := range blocks {
		if c := &blocks[i]; c.size == size {
			if b, ok := c.pool.Get().(*block); ok {
				return b
			}
		}
	}
	return &block{make([]byte, size+codec.FinishLen)}
}

func putBlock(b *block) {
	for i := range blocks {
		if c := &blocks[i]; c.size+codec.FinishLen == len(b.mem) {
			c.pool.Put(b)
		}
	}
}

// blockSize is how many bytes one system call moves, or the text of one: that
// may be longer on the wire.
const (
	blockSize    = 64 << 10
	maxBlockSize = 4 * blockSize
)

package sockets

import (
	"sync"
	"sync/atomic"

	"github.com/iolib-go/sockets/internal/codec"
)

// textBuffer holds the bytes of one direction of a TextConn that were received and not
// decoded yet, or encoded and not sent yet.
type textBuffer struct {
	wire  []byte       // the bytes: in block, in own or in small
	block *block       // from the pool, nil if wire is elsewhere
	own   []byte       // the buffer that the user asked for
	size  atomic.Int64 // and its size, 0 for none
	off   atomic.Int64 // how many bytes of the wire are done with
	small [smallWire]byte
}

// smallWire bounds what an idle connection keeps outside of a block.
const smallWire = codec.FinishLen

// keepSmall makes p, which has no more than smallWire bytes, what the buffer holds, and
// needs no block for it.
func (b *textBuffer) keepSmall(p []byte) {
	b.wire = b.small[:copy(b.small[:], p)]
	b.freeBlock()
}

// freeBlock gives the block back. wire must be elsewhere.
func (b *textBuffer) freeBlock() {
	if b.block != nil {
		putBlock(b.block)
		b.block = nil
	}
}

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

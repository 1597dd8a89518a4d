package netfd

import (
	"runtime"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// pipeSize is the room that a pipe is made with, the most that a system grants to
// everybody, see /proc/sys/fs/pipe-max-size in proc(5).
const pipeSize = 1 << 20

// A pipe is where bytes are between two sockets, see splice(2).
type pipe struct {
	pipeEnds
	n       int // bytes in it
	cleanup runtime.Cleanup
}

type pipeEnds struct{ r, w int }

func (e pipeEnds) close() {
	sys.Close(e.r)
	sys.Close(e.w)
}

// pipes are empty ones. Those that the pool lets go close themselves.
var pipes sync.Pool

// getPipe returns an empty pipe, or nil if none can be made.
func getPipe() *pipe {
	if p, ok := pipes.Get().(*pipe); ok {
		return p
	}
	r, w, errno := sys.Pipe(pipeSize)
	if errno != 0 {
		return nil
	}
	p := &pipe{pipeEnds: pipeEnds{r, w}}
	p.cleanup = runtime.AddCleanup(p, pipeEnds.close, p.pipeEnds)
	return p
}

// put gives the pipe back. One with something in it is closed: bytes must never
// show up in another transfer.
func (p *pipe) put() {
	if p.n == 0 {
		pipes.Put(p)
		return
	}
	p.cleanup.Stop()
	p.close()
}

// read takes bytes out of the pipe; none if it is empty. What it cannot read now, a
// sandbox may refuse that, stays in it.
func (p *pipe) read(b []byte) (int, syscall.Errno) {
	if p.n == 0 || len(b) == 0 {
		return 0, 0
	}
	n, errno := sys.Read(uintptr(p.r), b)
	if errno == 0 && n == 0 {
		errno = syscall.EIO // cannot be: bytes are missing
	}
	if errno != 0 {
		return 0, errno
	}
	p.n -= n
	return n, 0
}

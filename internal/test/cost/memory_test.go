//go:build linux

package cost

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

const idleConns = 400

func init() { socktest.Children["idle memory"] = idleMemory }

// idleMemory prints what memory a waiting Read of a connection costs, in bytes: the
// stack of its goroutine, and the connection. If its argument is not empty, that is
// the format of a TextConn.
func idleMemory() error {
	wrap := func(c net.Conn) io.Reader { return c }
	if text := os.Args[len(os.Args)-1]; text != "--" {
		f, err := sockets.ParseFormat(text)
		if err != nil {
			return err
		}
		sockets.NewTextConn(nil, f) // has its tables made
		wrap = func(c net.Conn) io.Reader { return sockets.NewTextConn(c, f) }
	}
	buffers := make([]byte, idleConns<<10)
	stacks := make([]byte, 4<<20)
	near, far := make([]net.Conn, idleConns), make([]net.Conn, idleConns)
	l, err := new(sockets.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	for i := range near {
		if near[i], err = new(sockets.Dialer).Dial("tcp", l.Addr().String()); err != nil {
			return err
		}
		if far[i], err = l.Accept(); err != nil {
			return err
		}
	}
	wrap(near[0]).Read(nil) // who waits until the tables of an encoding are made needs more stack
	before := memoryInUse()
	var reads, started sync.WaitGroup
	var ended atomic.Int32
	for i, c := range near {
		started.Add(1)
		reads.Add(1)
		go func() {
			r, p := wrap(c), buffers[i<<10:][:1<<10]
			started.Done()
			r.Read(p)
			reads.Done()
			r.Read(p)
			ended.Add(1)
			runtime.KeepAlive(r)
		}()
	}
	started.Wait()
	for _, c := range far {
		if _, err := c.Write([]byte("t\x00e\x00x\x00t\x00\r\x00\n\x00")); err != nil {
			return err
		}
	}
	reads.Wait()
	if !socktest.WaitUntil(func() bool {
		waiting := 0
		for stack := range bytes.SplitSeq(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
			if bytes.Contains(stack, []byte(" [IO wait")) && bytes.Contains(stack, []byte(".idleMemory.")) {
				waiting++
			}
		}
		return waiting == idleConns
	}) {
		return fmt.Errorf("not all of %d wait, and %d have ended", idleConns, ended.Load())
	}
	fmt.Println((memoryInUse() - before) / idleConns)
	runtime.KeepAlive([]any{buffers, stacks, near, far})
	return nil
}

func memoryInUse() int {
	for range 3 { // what a pool has survives one
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

func TestMemoryOfAnIdleTextConn(t *testing.T) {
	if testing.Short() || socktest.Race {
		t.Skip("many connections; the race detector needs memory of its own")
	}
	socktest.NeedFiles(t, 2*idleConns+50)
	measure := func(args ...string) (best int) {
		t.Helper()
		for range 3 { // a goroutine that allocates a block may well need more stack
			cmd := socktest.ChildCommand(t, "idle memory", args...)
			// All goroutines begin with the least stack, not with what others needed.
			cmd.Env = append(cmd.Env, "GODEBUG=adaptivestackstart=0")
			out, err := cmd.CombinedOutput()
			n, err2 := strconv.Atoi(string(bytes.TrimSpace(out)))
			if err != nil || err2 != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if best == 0 || n < best {
				best = n
			}
		}
		return best
	}
	// Neither making a TextConn nor reading needs more than the least stack.
	const limit = 1200
	plain := measure()
	for _, format := range []string{"utf-8,strict,crlf", "windows-1252,crlf", "utf-16le,crlf", "iso-8859-1,nvt", "shift_jis,any"} {
		more := measure(format) - plain
		t.Logf("%s: %d bytes more than %d", format, more, plain)
		if more > limit {
			t.Errorf("%s: an idle TextConn costs %d bytes more than its connection, want at most %d", format, more, limit)
		}
	}
}

//go:build linux

package sockets_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
)

// Octets that a failed transfer leaves in a pipe must not show up in another.
func TestCopyPipesCarryNothingOver(t *testing.T) {
	for range 20 {
		func() {
			src := endless(t, "unix")
			defer src.Close()
			dst, _ := streamPair(t, "", "tcp")
			dst.SetWriteDeadline(time.Now().Add(time.Millisecond))
			if _, err := sockets.Copy(dst, src); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Copy: %v, want a deadline", err)
			}
		}()
		var wg sync.WaitGroup
		data := []byte("nothing but this")
		src := connSource("", "tcp")(t, data, &wg)
		dst, peer := streamPair(t, "", "unix")
		all := collect(t, dst, peer)
		if n, err := sockets.Copy(dst, src); n != int64(len(data)) || err != nil {
			t.Fatalf("Copy = %d, %v", n, err)
		}
		wg.Wait()
		if diff := cmp.Diff(string(data), string(all())); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

func openDescriptors(t testing.TB) int {
	t.Helper()
	es, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(es)
}

func TestCopyIdleHoldsNoPipe(t *testing.T) {
	const n = 20
	var srcs, dsts []net.Conn
	for range n {
		src, feeder := streamPair(t, "", "tcp")
		dst, peer := streamPair(t, "", "tcp")
		srcs = append(srcs, src, feeder)
		dsts = append(dsts, dst, peer)
	}
	before := openDescriptors(t)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { sockets.Copy(dsts[2*i], srcs[2*i]) })
		// Something comes through: the transfer has begun.
		srcs[2*i+1].Write([]byte("x"))
		io.ReadFull(dsts[2*i+1], make([]byte, 1))
	}
	waitDescriptors(t, before, "idle transfers")
	for i := range n {
		srcs[2*i+1].Close()
	}
	wg.Wait()
}

func TestCopyLeaksNoDescriptors(t *testing.T) {
	before := openDescriptors(t)
	for range 10 {
		src := endless(t, "unix")
		dst, peer := streamPair(t, "", "tcp")
		dst.SetWriteDeadline(time.Now().Add(time.Millisecond))
		sockets.Copy(dst, src)
		src.Close()
		dst.Close()
		peer.Close()
	}
	waitDescriptors(t, before, "ended transfers")
}

// waitDescriptors fails t if what was opened since before is not closed again.
// Pooled pipes go with the garbage.
func waitDescriptors(t testing.TB, before int, what string) {
	t.Helper()
	for range 100 {
		if openDescriptors(t) <= before {
			return
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%s hold %d descriptors", what, openDescriptors(t)-before)
}

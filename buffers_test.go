//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// collect reads r to its end while others write. What it returns closes w and gives
// all that came.
func collect(t testing.TB, w io.Closer, r io.Reader) func() []byte {
	var buf bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 50_000)
		for {
			n, err := r.Read(b[:1000+rand.IntN(len(b)-1000)])
			buf.Write(b[:n])
			if err != nil {
				if err != io.EOF {
					t.Errorf("collecting: %v", err)
				}
				return
			}
		}
	})
	return func() []byte {
		w.Close()
		wg.Wait()
		return buf.Bytes()
	}
}

type bufferConn interface {
	net.Conn
	WriteBuffers(*net.Buffers) (int64, error)
	ReadBuffers(net.Buffers) (int64, error)
}

var (
	_ bufferConn = (*sockets.TCPConn)(nil)
	_ bufferConn = (*sockets.UnixConn)(nil)
	_ bufferConn = (*sockets.StreamConn)(nil)
)

func bufferPair(t testing.TB, network string) (a, b bufferConn) {
	t.Helper()
	c, d := conntest.StreamPair(t, "", network)
	return c.(bufferConn), d.(bufferConn)
}

// The count, what is left of the buffers and what arrives are the same as with
// package net.
func TestWriteBuffersIsNet(t *testing.T) {
	many := func(n, size int) net.Buffers {
		var bufs net.Buffers
		for i := range n {
			bufs = append(bufs, bytes.Repeat([]byte{byte(i)}, size))
		}
		return bufs
	}
	tests := []struct {
		name string
		bufs net.Buffers
	}{
		{"none", nil},
		{"one", net.Buffers{[]byte("one")}},
		{"empty", net.Buffers{{}}},
		{"empty between", net.Buffers{{}, []byte("a"), nil, []byte("b"), {}}},
		{"1024", many(1024, 3)},
		{"1025", many(1025, 3)},
		{"3000 large", many(3000, 1000)},
		{"1 huge", many(1, 9<<20)},
	}
	for _, network := range []string{"tcp", "unix"} {
		for _, tt := range tests {
			t.Run(network+" "+tt.name, func(t *testing.T) {
				type result struct {
					N    int64
					Err  string
					Left int
					Nil  int // buffers that may be collected
					Same bool
				}
				all := bytes.Join(tt.bufs, nil)
				run := func(impl string, write func(c net.Conn, bufs *net.Buffers) (int64, error)) result {
					a, b := conntest.StreamPair(t, impl, network)
					got := collect(t, a, b)
					bufs := append(net.Buffers(nil), tt.bufs...)
					given := bufs
					n, err := write(a, &bufs)
					r := result{N: n, Left: len(bytes.Join(bufs, nil)), Same: bytes.Equal(all, got())}
					for _, b := range given {
						if b == nil && n > 0 { // net leaves a single empty one
							r.Nil++
						}
					}
					if err != nil {
						r.Err = err.Error()
					}
					return r
				}
				want := run("net", func(c net.Conn, bufs *net.Buffers) (int64, error) { return bufs.WriteTo(c) })
				got := run("", func(c net.Conn, bufs *net.Buffers) (int64, error) {
					n, err := c.(bufferConn).WriteBuffers(bufs)
					if len(*bufs) > 0 {
						t.Errorf("%d buffers stay", len(*bufs))
					}
					return n, err
				})
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-net +ours):\n%s", diff)
				}
			})
		}
	}
}

func TestWriteBuffersDeadline(t *testing.T) {
	a, b := bufferPair(t, "tcp")
	var bufs net.Buffers
	for i := range 2000 {
		bufs = append(bufs, bytes.Repeat([]byte{byte(i)}, 10_000))
	}
	want := bytes.Join(bufs, nil)
	socktest.StopWhenFull(t, a)
	n, err := a.WriteBuffers(&bufs)
	op, ok := err.(*net.OpError)
	if !ok || op.Op != "writev" || op.Err != os.ErrDeadlineExceeded || op.Source != a.LocalAddr() || op.Addr != a.RemoteAddr() {
		t.Fatalf("WriteBuffers = %d, %#v, want a deadline in an OpError of writev", n, err)
	}
	if rest := bytes.Join(bufs, nil); !bytes.Equal(want[n:], rest) {
		t.Fatalf("%d written and %d left of %d", n, len(rest), len(want))
	}
	a.SetWriteDeadline(time.Time{})
	got := collect(t, a, b)
	m, err := a.WriteBuffers(&bufs)
	if err != nil || n+m != int64(len(want)) {
		t.Errorf("%d and then %d, %v, want %d in all", n, m, err, len(want))
	}
	if !bytes.Equal(want, got()) {
		t.Error("bytes arrived changed")
	}
}

func TestConnReadBuffers(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			a, b := bufferPair(t, network)
			if n, err := b.ReadBuffers(net.Buffers{nil, {}}); n != 0 || err != nil {
				t.Errorf("into nothing: %d, %v", n, err)
			}
			if _, err := a.Write([]byte("headerbody")); err != nil {
				t.Fatal(err)
			}
			bufs := net.Buffers{nil, make([]byte, 6), {}, make([]byte, 100)}
			n, err := b.ReadBuffers(bufs)
			if n != 10 || err != nil {
				t.Fatalf("ReadBuffers = %d, %v, want 10", n, err)
			}
			got := []string{string(bufs[1]), string(bufs[3][:4])}
			if diff := cmp.Diff([]string{"header", "body"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			b.SetReadDeadline(time.Unix(1, 0))
			_, err = b.ReadBuffers(bufs)
			if op, ok := err.(*net.OpError); !ok || op.Op != "read" || op.Err != os.ErrDeadlineExceeded {
				t.Errorf("past the deadline: %#v", err)
			}
			b.SetReadDeadline(time.Time{})
			a.Close()
			if n, err := b.ReadBuffers(bufs); n != 0 || err != io.EOF {
				t.Errorf("at the end: %d, %v, want 0 and a bare EOF", n, err)
			}
			b.Close()
			if _, err := b.ReadBuffers(bufs); !errors.Is(err, net.ErrClosed) {
				t.Errorf("when closed: %v", err)
			}
			if _, err := b.WriteBuffers(&bufs); !errors.Is(err, net.ErrClosed) {
				t.Errorf("when closed: %v", err)
			}
		})
	}
}

func TestWriteBuffersBroken(t *testing.T) {
	a, _ := bufferPair(t, "tcp")
	a.(*sockets.TCPConn).CloseWrite()
	_, err := a.WriteBuffers(&net.Buffers{[]byte("x")})
	var se *os.SyscallError
	if !errors.As(err, &se) || se.Syscall != "writev" || se.Err != syscall.EPIPE {
		t.Errorf("WriteBuffers: %v, want EPIPE of writev", err)
	}
}

// To ask for nothing does not wait, nor receive a datagram.
func TestReadBuffersOfNothing(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "unixgram", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			var c, peer bufferConn
			if network == "tcp" {
				c, peer = bufferPair(t, network)
			} else {
				a, b, err := sockets.Pair(network)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				c, peer = a, b
			}
			c.SetReadDeadline(time.Now().Add(time.Second))
			for _, bufs := range []net.Buffers{nil, {}, {nil, {}}} {
				if n, err := c.ReadBuffers(bufs); n != 0 || err != nil {
					t.Errorf("ReadBuffers of %v = %d, %v, want 0", bufs, n, err)
				}
			}
			if _, err := peer.Write([]byte("message")); err != nil {
				t.Fatal(err)
			}
			if n, err := c.ReadBuffers(net.Buffers{{}}); n != 0 || err != nil {
				t.Errorf("ReadBuffers of nothing = %d, %v, want 0", n, err)
			}
			b := make([]byte, 10)
			if n, err := c.Read(b); err != nil || string(b[:n]) != "message" {
				t.Errorf("Read = %q, %v", b[:n], err)
			}
			c.Close()
			if n, err := c.ReadBuffers(nil); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadBuffers of nothing after Close = %d, %v, want net.ErrClosed", n, err)
			}
		})
	}
}

func TestBuffersAllocate(t *testing.T) {
	if socktest.Race {
		t.Skip("under the race detector pools drop some of what they are given")
	}
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

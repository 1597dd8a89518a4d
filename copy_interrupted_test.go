//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"fmt"
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

// A write deadline strikes with data in a pipe between the two sockets. What the
// destination did not take has to come out of the source afterwards.
func TestCopyResumesAfterDeadline(t *testing.T) {
	resume := []struct {
		name string
		rest func(t *testing.T, dst, src net.Conn) (int64, error)
	}{
		{"by Copy", func(_ *testing.T, dst, src net.Conn) (int64, error) { return sockets.Copy(dst, src) }},
		{"by Copy of less", func(t *testing.T, dst, src net.Conn) (n int64, err error) {
			for {
				m, err := sockets.Copy(dst, io.LimitReader(src, 10_000))
				if m > 10_000 {
					t.Errorf("Copy = %d, the limit was 10000", m)
				}
				if n += m; m == 0 || err != nil {
					return n, err
				}
			}
		}},
		{"by Read", func(_ *testing.T, dst, src net.Conn) (int64, error) {
			return io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
		}},
		{"by ReceiveFrom", func(t *testing.T, dst, src net.Conn) (n int64, err error) {
			r := src.(interface {
				ReceiveFrom([]byte, sockets.MsgFlags) (int, net.Addr, error)
			})
			b, again := make([]byte, 10_000), make([]byte, 10_000)
			for {
				peeked, _, err := r.ReceiveFrom(b, sockets.MsgPeek)
				if err == io.EOF {
					return n, nil
				}
				m, _, _ := r.ReceiveFrom(again, sockets.MsgWaitAll)
				if err != nil || m < peeked || !bytes.Equal(b[:peeked], again[:peeked]) {
					t.Fatalf("peeked at %d bytes, %v, and then got %d others", peeked, err, m)
				}
				if _, err = dst.Write(again[:m]); err != nil {
					return n, err
				}
				n += int64(m)
			}
		}},
		{"by ReadBuffers", func(_ *testing.T, dst, src net.Conn) (n int64, err error) {
			r := src.(interface {
				ReadBuffers(net.Buffers) (int64, error)
			})
			b := make([]byte, 1000)
			for {
				m, err := r.ReadBuffers(net.Buffers{nil, b[:10], b[10:]})
				if err == io.EOF {
					return n, nil
				}
				if err == nil {
					_, err = dst.Write(b[:m])
				}
				if n += m; err != nil {
					return n, err
				}
			}
		}},
	}
	for _, srcNet := range []string{"tcp", "unix"} {
		for _, tt := range resume {
			t.Run(srcNet+" "+tt.name, func(t *testing.T) {
				data := socktest.RandomBytes(3 << 20)
				var wg sync.WaitGroup
				src := connSource("", srcNet)(t, data, &wg).(net.Conn)
				dst, peer := conntest.StreamPair(t, "", "tcp")
				dst.(*sockets.TCPConn).SetWriteBuffer(100_000)
				peer.(*sockets.TCPConn).SetReadBuffer(100_000)
				lr := &io.LimitedReader{R: src, N: 1 << 40}
				socktest.StopWhenFull(t, dst)
				n, err := sockets.Copy(dst, lr)
				if !errors.Is(err, os.ErrDeadlineExceeded) || n >= int64(len(data)) {
					t.Fatalf("Copy = %d, %v, want a deadline", n, err)
				}
				if lr.N != 1<<40-n {
					t.Errorf("N went down by %d, count is %d", 1<<40-lr.N, n)
				}
				dst.SetWriteDeadline(time.Time{})
				all := collect(t, dst, peer)
				m, err := tt.rest(t, dst, src)
				if err != nil || n+m != int64(len(data)) {
					t.Errorf("%d and then %d, %v, want %d in all", n, m, err, len(data))
				}
				wg.Wait()
				if !bytes.Equal(data, all()) {
					t.Error("bytes were lost or changed")
				}
			})
		}
	}
}

func TestCopyReadDeadline(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			src, feeder := conntest.StreamPair(t, "", network)
			dst, peer := conntest.StreamPair(t, "", "tcp")
			all := collect(t, dst, peer)
			if _, err := feeder.Write([]byte("before ")); err != nil {
				t.Fatal(err)
			}
			var n int64
			var err error
			socktest.WhileBlocked(t, func() { n, err = sockets.Copy(dst, src) }, func() {
				// What there is has been taken, and it waits for more.
				socktest.WaitEmpty(t, src.(syscall.Conn))
				src.SetReadDeadline(time.Now())
			})
			if n != 7 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Copy = %d, %v, want 7 and a deadline", n, err)
			}
			src.SetReadDeadline(time.Time{})
			feeder.Write([]byte("after"))
			feeder.Close()
			if n, err := sockets.Copy(dst, src); n != 5 || err != nil {
				t.Errorf("Copy = %d, %v, want 5", n, err)
			}
			if diff := cmp.Diff("before after", string(all())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// endless is a source that never ends and never waits. Closing it ends all of it.
func endless(t testing.TB, network string) net.Conn {
	a, b := conntest.StreamPair(t, "", network)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 100_000)
		for {
			if _, err := b.Write(buf); err != nil {
				b.Close()
				return
			}
		}
	})
	t.Cleanup(func() { a.Close(); b.Close(); wg.Wait() })
	return a
}

func TestCopyClosedMidway(t *testing.T) {
	pairs := []struct{ src, dst string }{{"tcp", "tcp"}, {"unix", "unix"}, {"tcp", "pipe"}, {"pipe", "tcp"}, {"file", "tcp"}}
	for _, tt := range pairs {
		for _, end := range []string{"source", "destination", "peer"} {
			t.Run(tt.src+" to "+tt.dst+" "+end, func(t *testing.T) {
				var src io.ReadCloser
				var dst io.WriteCloser
				var peer io.ReadCloser
				switch tt.src {
				case "pipe":
					r, w := osPipe(t)
					src = r
					var wg sync.WaitGroup
					wg.Go(func() { io.Copy(w, struct{ io.Reader }{endless(t, "unix")}) })
					defer wg.Wait()
					defer r.Close()
				case "file":
					f, err := os.Open("/dev/zero")
					if err != nil {
						t.Skip(err)
					}
					defer f.Close()
					src = f
				default:
					src = endless(t, tt.src)
				}
				if tt.dst == "pipe" {
					peer, dst = osPipe(t)
				} else {
					dst, peer = conntest.StreamPair(t, "", tt.dst)
				}
				var n int64
				done := make(chan error)
				go func() {
					var err error
					n, err = sockets.Copy(dst, src)
					done <- err
				}()
				// Once this much is through, the transfer is under way.
				if _, err := io.CopyN(io.Discard, peer, 10<<20); err != nil {
					t.Fatal(err)
				}
				want := []error{net.ErrClosed, os.ErrClosed}
				switch end {
				case "source":
					src.Close()
					go io.Copy(io.Discard, peer)
					if tt.src == "file" {
						// One system call is a long way with such a file.
						dst.Close()
					}
				case "destination":
					dst.Close()
				case "peer":
					want = []error{syscall.EPIPE, syscall.ECONNRESET}
					peer.Close()
				}
				err := <-done
				if !errors.Is(err, want[0]) && !errors.Is(err, want[1]) {
					t.Errorf("Copy = %d, %v, want %v or %v", n, err, want[0], want[1])
				}
				if n < 10<<20 {
					t.Errorf("Copy = %d, but the peer got %d", n, 10<<20)
				}
			})
		}
	}
}

// A file that takes nothing from pipes, and fails when it is written to, does so
// when a piece has left the source. All of it has to come out of the source
// afterwards, in order.
func TestCopyResumesAfterFailedFallback(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip(err)
			}
			defer full.Close()
			data := socktest.RandomBytes(300_000)
			var wg sync.WaitGroup
			src := connSource("", network)(t, data, &wg).(net.Conn)
			n, err := sockets.Copy(full, src)
			op, ok := err.(*net.OpError)
			if n != 0 || !ok || op.Op != "writeto" || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("Copy = %d, %#v, want ENOSPC in an OpError of writeto", n, err)
			}
			peeked := make([]byte, 100)
			m, _, err := src.(interface {
				ReceiveFrom([]byte, sockets.MsgFlags) (int, net.Addr, error)
			}).ReceiveFrom(peeked, sockets.MsgPeek)
			if err != nil || !bytes.Equal(data[:m], peeked[:m]) {
				t.Errorf("peeked at %d bytes, %v, which are others", m, err)
			}
			rest, err := io.ReadAll(src)
			if err != nil || !bytes.Equal(data, rest) {
				t.Errorf("%d bytes of %d are left, %v", len(rest), len(data), err)
			}
			wg.Wait()
		})
	}
}

// Others take from the source what comes behind a piece that a Copy has taken. When
// that Copy is interrupted, its piece is read first, and nothing of theirs is lost.
func TestCopyInterruptedBesideReaders(t *testing.T) {
	const size = 3 << 20
	data := socktest.RandomBytes(size)
	for _, tt := range []struct {
		name string

		// take takes from src behind the piece, and leaves it to src's reader
		// afterwards.
		take func(t *testing.T, src *sockets.UnixConn)
	}{
		{"ReceiveFD", func(t *testing.T, src *sockets.UnixConn) {
			if _, err := src.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
				t.Fatalf("ReceiveFD: %v, want ErrNoDescriptor", err)
			}
		}},
		{"Copy", func(t *testing.T, src *sockets.UnixConn) {
			dst, _ := conntest.StreamPair(t, "", "tcp")
			dst.Close()
			if n, err := sockets.Copy(dst, src); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Fatalf("Copy to a closed connection = %d, %v", n, err)
			}
		}},
		{"both", func(t *testing.T, src *sockets.UnixConn) {
			dst, _ := conntest.StreamPair(t, "", "unix")
			dst.Close()
			if n, err := sockets.Copy(dst, io.LimitReader(src, 100)); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Fatalf("Copy to a closed connection = %d, %v", n, err)
			}
			if _, err := src.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
				t.Fatalf("ReceiveFD: %v, want ErrNoDescriptor", err)
			}
		}},
	} {
		for _, dstNet := range []string{"tcp", "unix"} {
			t.Run(tt.name+" to "+dstNet, func(t *testing.T) {
				var wg sync.WaitGroup
				src := connSource("", "unix")(t, data, &wg).(*sockets.UnixConn)
				dst, peer := conntest.StreamPair(t, "", dstNet)
				dst.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(100_000)
				peer.(interface{ SetReadBuffer(int) error }).SetReadBuffer(100_000)
				moved := make(chan int64)
				go func() {
					n, err := sockets.Copy(dst, src)
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("Copy: %v, want a deadline", err)
					}
					moved <- n
				}()
				socktest.WaitFull(t, dst)
				tt.take(t, src)
				dst.SetWriteDeadline(time.Now())
				n := <-moved
				got := make([]byte, n, size)
				if _, err := io.ReadFull(peer, got); err != nil {
					t.Fatal(err)
				}
				rest, err := io.ReadAll(src)
				if err != nil {
					t.Fatal(err)
				}
				wg.Wait()
				if got = append(got, rest...); !bytes.Equal(data, got) {
					t.Errorf("%d bytes and then %d others, of %d", n, len(rest), size)
				}
			})
		}
	}
}

// A reader that waits while a Copy has all that came, and gives it back, receives
// that as soon as it is woken.
func TestCopyInterruptedBesideWaitingReader(t *testing.T) {
	for name, read := range map[string]func(c *sockets.UnixConn, b []byte) (int, error){
		"Read":        func(c *sockets.UnixConn, b []byte) (int, error) { return c.Read(b) },
		"ReadFrom":    func(c *sockets.UnixConn, b []byte) (int, error) { n, _, err := c.ReadFrom(b); return n, err },
		"ReceiveFrom": func(c *sockets.UnixConn, b []byte) (int, error) { n, _, err := c.ReceiveFrom(b, 0); return n, err },
		"ReceiveFDs":  func(c *sockets.UnixConn, b []byte) (int, error) { n, _, err := c.ReceiveFDs(b, 0); return n, err },
		"ReadMsgUnix": func(c *sockets.UnixConn, b []byte) (int, error) {
			n, _, _, _, err := c.ReadMsgUnix(b, make([]byte, 100))
			return n, err
		},
		"ReadBuffers": func(c *sockets.UnixConn, b []byte) (int, error) {
			n, err := c.ReadBuffers(net.Buffers{b})
			return int(n), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, feeder := conntest.StreamPair(t, "", "unix")
			src := a.(*sockets.UnixConn)
			dst, peer := conntest.StreamPair(t, "", "unix")
			socktest.Fill(t, dst) // nothing more goes in
			data := socktest.RandomBytes(1000)
			if _, err := feeder.Write(data); err != nil {
				t.Fatal(err)
			}
			copied := make(chan error)
			go func() {
				_, err := sockets.Copy(dst, src)
				copied <- err
			}()
			socktest.WaitEmpty(t, src)
			type result struct {
				n   int
				err error
			}
			got := make([]byte, 2000)
			done := make(chan result)
			go func() {
				n, err := read(src, got)
				done <- result{n, err}
			}()
			time.Sleep(10 * time.Millisecond) // so that it waits, most of the time
			dst.SetWriteDeadline(time.Now())
			if err := <-copied; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Copy: %v, want a deadline", err)
			}
			if _, err := feeder.Write([]byte("more")); err != nil {
				t.Fatal(err)
			}
			if r := <-done; r.err != nil || r.n == 0 || !bytes.HasPrefix(data, got[:r.n]) {
				t.Errorf("%d bytes, %v, want the beginning of what was given back", r.n, r.err)
			}
			peer.Close()
		})
	}
}

// Pieces of all sizes, of which some are copied and some spliced, arrive in order,
// with limits, deadlines and reads in between, and none of a limit's rest is taken.
func TestCopyPieces(t *testing.T) {
	sizes := []int{1, 2, 100, 4095, 4096, 4097, 8192, 50_000, 300_000}
	pick := func() int { return sizes[rand.IntN(len(sizes))] }
	for _, from := range []string{"tcp", "unix"} {
		for _, to := range []string{"tcp", "unix"} {
			for _, impl := range []string{"", "net"} {
				t.Run(fmt.Sprintf("%s to %s %s", from, impl, to), func(t *testing.T) {
					t.Parallel()
					data := socktest.RandomBytes(2 << 20)
					src, feeder := conntest.StreamPair(t, "", from)
					dst, peer := conntest.StreamPair(t, impl, to)
					all := collect(t, dst, peer)
					fed := make(chan error, 1)
					go func() {
						for rest := data; len(rest) > 0; {
							n := min(pick(), len(rest))
							if _, err := feeder.Write(rest[:n]); err != nil {
								fed <- err
								return
							}
							if rest = rest[n:]; rand.IntN(4) == 0 {
								time.Sleep(time.Millisecond) // so that some find nothing
							}
						}
						fed <- feeder.Close()
					}()
					sent := 0
					for step := 0; sent < len(data); step++ {
						switch step % 3 {
						case 0:
							limit := int64(pick())
							n, err := sockets.Copy(dst, io.LimitReader(src, limit))
							if sent += int(n); err != nil || n != limit && sent != len(data) {
								t.Fatalf("Copy = %d, %v, the limit was %d", n, err, limit)
							}
						case 1:
							src.SetReadDeadline(time.Now().Add(time.Millisecond))
							n, err := sockets.Copy(dst, src)
							if sent += int(n); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
								t.Fatalf("Copy = %d, %v", n, err)
							}
							src.SetReadDeadline(time.Time{})
						case 2:
							b := make([]byte, pick())
							n, err := src.Read(b)
							if err == nil {
								_, err = dst.Write(b[:n])
							}
							if sent += n; err != nil && err != io.EOF {
								t.Fatal(err)
							}
						}
					}
					if err := <-fed; err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(data, all()) {
						t.Error("bytes were lost or changed")
					}
				})
			}
		}
	}
}

// A destination that takes little at a time, and is given up again and again, gets
// everything in the end, however large the pieces are that it left.
func TestCopyGivenUp(t *testing.T) {
	for _, tt := range []struct{ from, to string }{{"tcp", "tcp"}, {"unix", "tcp"}, {"tcp", "unix"}, {"unix", "unix"}} {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			t.Parallel() // they share pools
			data := socktest.RandomBytes(1 << 20)
			src, feeder := conntest.StreamPair(t, "", tt.from)
			go func() {
				for rest := data; len(rest) > 0; {
					n := min(1+rand.IntN(10_000), len(rest))
					if _, err := feeder.Write(rest[:n]); err != nil {
						return // seen by what is missing
					}
					rest = rest[n:]
				}
				feeder.Close()
			}()
			dst, peer := conntest.StreamPair(t, "", tt.to)
			dst.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(50_000)
			peer.(interface{ SetReadBuffer(int) error }).SetReadBuffer(50_000)
			var got bytes.Buffer
			read := make(chan error, 1)
			go func() {
				b := make([]byte, 20_000)
				for {
					n, err := peer.Read(b)
					got.Write(b[:n])
					if err != nil {
						read <- err
						return
					}
				}
			}()
			sent, givenUp := int64(0), 0
			for {
				dst.SetWriteDeadline(time.Now().Add(time.Duration(rand.IntN(3)) * time.Millisecond))
				lr := &io.LimitedReader{R: src, N: 1 + rand.Int64N(20_000)}
				n, err := sockets.Copy(dst, lr)
				if sent += n; lr.N < 0 {
					t.Fatalf("Copy passed its limit by %d", -lr.N)
				}
				if err == nil && lr.N == 0 {
					continue
				}
				if err == nil {
					break
				}
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("Copy = %d, %v", n, err)
				}
				givenUp++
			}
			dst.(interface{ CloseWrite() error }).CloseWrite()
			if err := <-read; err != io.EOF {
				t.Fatal(err)
			}
			if sent != int64(len(data)) || !bytes.Equal(data, got.Bytes()) {
				t.Errorf("%d bytes are said to be sent, %d came, given up %d times; want %d", sent, got.Len(), givenUp, len(data))
			}
			if givenUp == 0 {
				t.Error("never given up")
			}
		})
	}
}

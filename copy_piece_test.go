//go:build linux

package sockets_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
)

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
					data := randomBytes(2 << 20)
					src, feeder := streamPair(t, "", from)
					dst, peer := streamPair(t, impl, to)
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
						t.Error("octets were lost or changed")
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
			data := randomBytes(1 << 20)
			src, feeder := streamPair(t, "", tt.from)
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
			dst, peer := streamPair(t, "", tt.to)
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
				t.Errorf("%d octets are said to be sent, %d came, given up %d times; want %d", sent, got.Len(), givenUp, len(data))
			}
			if givenUp == 0 {
				t.Error("never given up")
			}
		})
	}
}

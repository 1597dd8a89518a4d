//go:build linux

package sockets_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// TestCopyUrgent copies a stream with urgent data in the middle, at which splice(2)
// says 0 as at the end, to every kind of destination.
func TestCopyUrgent(t *testing.T) {
	for _, impl := range []string{"", "net"} {
		for _, inline := range []bool{false, true} {
			for _, dst := range destinations {
				name := "from " + map[string]string{"": "tcp", "net": "net.tcp"}[impl] + map[bool]string{true: " inline"}[inline] + " to " + dst.name
				t.Run(name, func(t *testing.T) {
					a, b := copyPair(t, impl, "tcp")
					defer a.Close()
					if inline {
						socktest.WithFD(t, a.(syscall.Conn), func(fd int) error {
							return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
						})
					}
					data := socktest.RandomBytes(110_000)
					var want []byte
					go func() {
						defer b.Close()
						raw, _ := b.(syscall.Conn).SyscallConn()
						for rest, n := data, 0; len(rest) > 0; rest = rest[n:] {
							n = min(len(rest), 10_000)
							if _, err := b.Write(rest[:n]); err != nil {
								t.Error(err)
							}
							raw.Write(func(fd uintptr) bool {
								return unix.Sendto(int(fd), []byte{'!'}, unix.MSG_OOB|unix.MSG_NOSIGNAL, nil) != unix.EAGAIN
							})
						}
					}()
					for rest, n := data, 0; len(rest) > 0; rest = rest[n:] {
						n = min(len(rest), 10_000)
						want = append(want, rest[:n]...)
						if inline {
							want = append(want, '!')
						}
					}
					w, all := dst.open(t)
					n, err := sockets.Copy(w, a)
					if err != nil || inline && n != int64(len(want)) {
						t.Errorf("Copy = %d, %v, want %d", n, err, len(want))
					}
					if c, ok := w.(net.Conn); ok {
						c.Close()
					} else if c, ok := w.(io.Closer); ok {
						c.Close()
					}
					got := all()
					if !inline {
						// Urgent data that more urgent data overtake become ordinary.
						got, want = bytes.ReplaceAll(got, []byte("!"), nil), bytes.ReplaceAll(want, []byte("!"), nil)
					}
					if !bytes.Equal(got, want) {
						t.Errorf("%d bytes arrived, want %d", len(got), len(want))
					}
				})
			}
		}
	}
}

// TestCopyUrgentInOpenStream copies what is behind urgent data while the stream goes on:
// splice(2) says EAGAIN there, as if there were nothing.
func TestCopyUrgentInOpenStream(t *testing.T) {
	socktest.NeedUrgent(t)
	for _, impl := range []string{"", "net"} {
		for _, to := range []string{"tcp", "unix", "net.tcp", "net.unix", "pipe", "blocking pipe"} {
			t.Run(strings.Trim(impl+" to "+to, " "), func(t *testing.T) {
				src, feeder := copyPair(t, impl, "tcp")
				var dst io.WriteCloser
				var peer io.Reader
				switch to {
				case "pipe":
					peer, dst = osPipe(t)
				case "blocking pipe":
					peer, dst = blockingPipe(t)
				default:
					impl, network, ok := strings.Cut(to, ".")
					if !ok {
						impl, network = "", to
					}
					dst, peer = copyPair(t, impl, network)
				}
				data := socktest.RandomBytes(20_000)
				if _, err := feeder.Write(data[:10_000]); err != nil {
					t.Fatal(err)
				}
				socktest.WithFD(t, feeder.(syscall.Conn), func(fd int) error {
					return unix.Sendto(fd, []byte{'!'}, unix.MSG_OOB|unix.MSG_NOSIGNAL, nil)
				})
				if _, err := feeder.Write(data[10_000:]); err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() {
					n, err := sockets.Copy(dst, src)
					if err == nil && n != int64(len(data)) {
						err = fmt.Errorf("Copy = %d, want %d", n, len(data))
					}
					done <- err
				}()
				var hung atomic.Bool
				defer time.AfterFunc(30*time.Second, func() {
					hung.Store(true)
					feeder.Close()
				}).Stop()
				got := make([]byte, len(data))
				if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, data) {
					t.Errorf("what came is other data, %v", err)
				}
				if hung.Load() {
					t.Error("it came with the end of the stream alone")
				}
				feeder.Close()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

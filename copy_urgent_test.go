//go:build linux

package sockets_test

import (
	"bytes"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
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

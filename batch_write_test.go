//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
)

// A datagram that fails is reported by the next call, which does not send those
// before it again.
func TestWriteBatchPartial(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			a, b := openUDPWith(t, &ListenConfig{Offload: offload}, "udp4"), openUDP(t, "udp4")
			limitTime(t, a, b)
			big := make([]byte, 65508)
			tests := []struct {
				name string
				bad  Message
				want error
			}{
				{"too long", message(big, b.LocalAddr()), syscall.EMSGSIZE},
				{"address of another type", message([]byte("x"), &net.IPAddr{}), syscall.EINVAL},
				{"port 0", message([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}), syscall.EINVAL},
				{"no address", message([]byte("x"), nil), syscall.EDESTADDRREQ},
				{"nil pointer", message([]byte("x"), (*net.UDPAddr)(nil)), syscall.EDESTADDRREQ},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					ms := []Message{
						message([]byte("1"), b.LocalAddr()), message([]byte("2"), b.LocalAddr()), tt.bad,
						message([]byte("3"), b.LocalAddr()), message([]byte("4"), b.LocalAddr()),
					}
					n, err := a.WriteBatch(ms, 0)
					if n != 2 || err != nil {
						t.Fatalf("WriteBatch = %d, %v, want 2, nil", n, err)
					}
					n, err = a.WriteBatch(ms[2:], 0)
					var op *net.OpError
					if n != 0 || !errors.Is(err, tt.want) || !errors.As(err, &op) {
						t.Fatalf("WriteBatch from the failed one = %d, %v, want 0, %v", n, err, tt.want)
					}
					var to net.Addr = tt.bad.Addr
					if to == (*net.UDPAddr)(nil) {
						to = nil
					}
					if op.Op != "write" || op.Net != "udp4" || op.Source != a.LocalAddr() || op.Addr != to {
						t.Errorf("error %#v, want write udp4 from %v to %v", op, a.LocalAddr(), to)
					}
					sendBatch(t, a, ms[3:])
					in := roomFor(4, 10)
					receiveBatch(t, b, in)
					if diff := cmp.Diff([]string{"1", "2", "3", "4"}, textsOf(in)); diff != "" {
						t.Errorf("received (-want +got):\n%s", diff)
					}
				})
			}
		})
	}
}

// The peer's refusal takes the place of one attempt to send, and every other
// datagram goes out.
func TestWriteBatchRefused(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			gone := openUDP(t, "udp4")
			a := connectUDP(t, &Dialer{Offload: offload}, "udp4", gone.LocalAddr())
			limitTime(t, a)
			to := gone.LocalAddr().String()
			gone.Close()

			// Of different length, so that they are not joined.
			// The kernel does not tell what the second met with, but what the third does.
			ms := []Message{message([]byte("1"), nil), message([]byte("22"), nil), message([]byte("333"), nil), message([]byte("4444"), nil)}
			n, err := a.WriteBatch(ms, 0)
			if n != 2 || err != nil {
				t.Fatalf("WriteBatch = %d, %v, want 2, nil", n, err)
			}
			n, err = a.WriteBatch(ms[2:], 0)
			if n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("WriteBatch behind the refused one = %d, %v, want 0, ECONNREFUSED", n, err)
			}

			again, err := ListenPacket("udp4", to)
			if err != nil {
				t.Skip("the port was taken by somebody else: ", err)
			}
			defer again.Close()
			limitTime(t, again)
			sendBatch(t, a, ms[2:])
			in := roomFor(2, 10)
			receiveBatch(t, again.(*UDPConn), in)
			if diff := cmp.Diff([]string{"333", "4444"}, textsOf(in)); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBatchDeadlineAndClose(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			c := openUDPWith(t, &ListenConfig{Offload: offload}, "udp4")
			ms := []Message{message([]byte("x"), c.LocalAddr()), message([]byte("y"), c.LocalAddr())}
			sendBatch(t, c, ms)
			c.SetDeadline(time.Unix(1, 0))
			in := roomFor(2, 10)
			if n, err := c.ReadBatch(in, 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ReadBatch past the deadline = %d, %v", n, err)
			}
			if n, err := c.WriteBatch(ms, 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("WriteBatch past the deadline = %d, %v", n, err)
			}
			c.SetDeadline(time.Time{})
			receiveBatch(t, c, in)
			done := make(chan error)
			go func() {
				_, err := c.ReadBatch(in, 0)
				done <- err
			}()
			runtime.Gosched()
			c.Close()
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadBatch of a closed conn: %v", err)
			}
			if _, err := c.WriteBatch(ms, 0); !errors.Is(err, net.ErrClosed) {
				t.Errorf("WriteBatch of a closed conn: %v", err)
			}
		})
	}
	for _, c := range []interface {
		batchReader
		batchWriter
	}{new(UDPConn), new(IPConn), new(UnixConn), new(PacketConn)} {
		if _, err := c.ReadBatch(roomFor(1, 1), 0); err != syscall.EINVAL {
			t.Errorf("%T: ReadBatch of the zero value: %v", c, err)
		}
		if _, err := c.WriteBatch(roomFor(1, 1), 0); err != syscall.EINVAL {
			t.Errorf("%T: WriteBatch of the zero value: %v", c, err)
		}
	}
}

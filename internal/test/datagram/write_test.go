//go:build linux

package datagram

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// A datagram that fails is reported by the next call, which does not send those
// before it again.
func TestWriteBatchPartial(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			a, b := conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, "udp4"), conntest.OpenUDP(t, "udp4")
			conntest.LimitTime(t, a, b)
			big := make([]byte, 65508)
			tests := []struct {
				name string
				bad  Message
				want error
			}{
				{"too long", conntest.MessageTo(big, b.LocalAddr()), syscall.EMSGSIZE},
				{"address of another type", conntest.MessageTo([]byte("x"), &net.IPAddr{}), syscall.EINVAL},
				{"port 0", conntest.MessageTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}), syscall.EINVAL},
				{"no address", conntest.MessageTo([]byte("x"), nil), syscall.EDESTADDRREQ},
				{"nil pointer", conntest.MessageTo([]byte("x"), (*net.UDPAddr)(nil)), syscall.EDESTADDRREQ},
			}
			for _, tt := range tests {
				t.Run(tt.name, func(t *testing.T) {
					ms := []Message{
						conntest.MessageTo([]byte("1"), b.LocalAddr()), conntest.MessageTo([]byte("2"), b.LocalAddr()), tt.bad,
						conntest.MessageTo([]byte("3"), b.LocalAddr()), conntest.MessageTo([]byte("4"), b.LocalAddr()),
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
					conntest.SendBatch(t, a, ms[3:])
					in := conntest.RoomFor(4, 10)
					conntest.ReceiveBatch(t, b, in)
					if diff := cmp.Diff([]string{"1", "2", "3", "4"}, conntest.TextsOf(in)); diff != "" {
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
			// Of different length, so that they are not joined.
			// The kernel does not tell what the second met with, but what the third does.
			ms := []Message{conntest.MessageTo([]byte("1"), nil), conntest.MessageTo([]byte("22"), nil), conntest.MessageTo([]byte("333"), nil), conntest.MessageTo([]byte("4444"), nil)}
			a, n, err := conntest.Refused(t, &Dialer{Offload: offload}, len(ms), func(c *UDPConn) (int, error) { return c.WriteBatch(ms, 0) })
			if n < 2 || err != nil {
				t.Fatalf("WriteBatch = %d, %v, want 2, nil", n, err)
			}
			ms = ms[n:]
			to := a.RemoteAddr().String()
			n, err = a.WriteBatch(ms, 0)
			if n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("WriteBatch behind the refused one = %d, %v, want 0, ECONNREFUSED", n, err)
			}

			again, err := ListenPacket("udp4", to)
			if err != nil {
				t.Skip("the port was taken by somebody else: ", err)
			}
			defer again.Close()
			conntest.LimitTime(t, again)
			conntest.SendBatch(t, a, ms)
			in := conntest.RoomFor(len(ms), 10)
			conntest.ReceiveBatch(t, again.(*UDPConn), in)
			if diff := cmp.Diff(conntest.TextsOf(ms), conntest.TextsOf(in)); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBatchDeadlineAndClose(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			c := conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, "udp4")
			ms := []Message{conntest.MessageTo([]byte("x"), c.LocalAddr()), conntest.MessageTo([]byte("y"), c.LocalAddr())}
			conntest.SendBatch(t, c, ms)
			c.SetDeadline(time.Unix(1, 0))
			in := conntest.RoomFor(2, 10)
			if n, err := c.ReadBatch(in, 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ReadBatch past the deadline = %d, %v", n, err)
			}
			if n, err := c.WriteBatch(ms, 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("WriteBatch past the deadline = %d, %v", n, err)
			}
			c.SetDeadline(time.Time{})
			conntest.ReceiveBatch(t, c, in)
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
		conntest.BatchReader
		conntest.BatchWriter
	}{new(UDPConn), new(IPConn), new(UnixConn), new(PacketConn)} {
		if _, err := c.ReadBatch(conntest.RoomFor(1, 1), 0); err != syscall.EINVAL {
			t.Errorf("%T: ReadBatch of the zero value: %v", c, err)
		}
		if _, err := c.WriteBatch(conntest.RoomFor(1, 1), 0); err != syscall.EINVAL {
			t.Errorf("%T: WriteBatch of the zero value: %v", c, err)
		}
	}
}

// Whichever message of a batch fails, those before and behind it are sent once.
func TestWriteBatchFailsAnywhere(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(m *Message)
		want  error
	}{
		{"too long", func(m *Message) { m.Buffers = [][]byte{make([]byte, 65508)} }, syscall.EMSGSIZE},
		{"malformed control data", func(m *Message) { m.OOB = make([]byte, syscall.CmsgLen(0)); m.OOB[0] = 1 }, syscall.EINVAL},
		{"port 0", func(m *Message) { m.Addr = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)} }, syscall.EINVAL},
		{"address of another type", func(m *Message) { m.Addr = &net.IPAddr{} }, syscall.EINVAL},
	}
	for _, offload := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("offload=%v/%s", offload, tt.name), func(t *testing.T) {
				if tt.name == "malformed control data" {
					socktest.NeedBadControl(t)
				}
				lc := &ListenConfig{Offload: offload}
				a, b := conntest.OpenUDPWith(t, lc, "udp4"), conntest.OpenUDPWith(t, lc, "udp4")
				conntest.LimitTime(t, a, b)
				sizes := slices.Concat(conntest.EqualSizes(4, 10), conntest.EqualSizes(4, 20), conntest.EqualSizes(4, 10))
				for i := range sizes {
					out := conntest.Numbered(b.LocalAddr(), sizes...)
					want := slices.Delete(conntest.DataOf(out), i, i+1)
					tt.spoil(&out[i])
					if i > 0 {
						if n, err := a.WriteBatch(out, 0); n != i || err != nil {
							t.Fatalf("message %d fails: WriteBatch = %d, %v", i, n, err)
						}
					}
					if n, err := a.WriteBatch(out[i:], 0); n != 0 || !errors.Is(err, tt.want) {
						t.Fatalf("message %d fails: WriteBatch from there = %d, %v, want 0, %v", i, n, err, tt.want)
					}
					conntest.SendBatch(t, a, out[i+1:])
					in := conntest.RoomFor(len(want), 100)
					conntest.ReceiveBatch(t, b, in)
					if diff := cmp.Diff(want, conntest.TextsOf(in)); diff != "" {
						t.Errorf("message %d fails: received (-want +got):\n%s", i, diff)
					}
					if n, err := b.ReadBatch(in, syscall.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
						t.Fatalf("message %d fails: received %d more, %v", i, n, err)
					}
				}
				if !offload {
					return
				}
				socktest.NeedMerging(t)
				conntest.SendBatch(t, a, conntest.Numbered(b.LocalAddr(), 10, 10))
				if n, size := conntest.RawReceive(t, b); n != 20 || size != 10 {
					t.Errorf("afterwards sent %d bytes in parts of %d, want 20 in parts of 10", n, size)
				}
			})
		}
	}
}

// A deadline that passes in the middle is the next call's error.
func TestWriteBatchDeadlinePasses(t *testing.T) {
	socktest.NeedFullQueue(t, 30)
	a, b := conntest.NamedPair(t, "unixgram")
	conntest.LimitTime(t, b)
	var want []string
	out := make([]Message, 30) // more than the queue holds
	for i := range out {
		want = append(want, fmt.Sprint(i))
		out[i] = conntest.MessageTo([]byte(want[i]), b.LocalAddr())
	}
	var n int
	var err error
	socktest.WhileBlocked(t, func() { n, err = a.WriteBatch(out, 0) }, func() { a.SetWriteDeadline(time.Now()) })
	if n == 0 || n == len(out) || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want some, nil", n, err)
	}
	if n, err := a.WriteBatch(out[n:], 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("WriteBatch past the deadline = %d, %v", n, err)
	}
	conntest.LimitTime(t, a)
	sent := make(chan error, 1)
	go func() {
		n, err := a.WriteBatch(out[n:], 0)
		if err == nil && n == 0 {
			err = errors.New("sent nothing")
		}
		sent <- err
	}()
	in := conntest.RoomFor(len(out), 10)
	conntest.ReceiveBatch(t, b, in)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, conntest.TextsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// Buffers in any number, up to what the kernel takes.
func TestBatchBufferCounts(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a, b := conntest.OpenUDPWith(t, lc, "udp4"), conntest.OpenUDPWith(t, lc, "udp4")
			conntest.LimitTime(t, a, b)
			parts := func(n int) Message {
				m := Message{Addr: b.LocalAddr()}
				for i := range n {
					m.Buffers = append(m.Buffers, []byte{byte(i)})
				}
				return m
			}
			for _, n := range []int{0, 1, 1000, 1001, 1024} { // UIO_MAXIOV
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					if n == 0 {
						socktest.NeedNoBuffers(t)
					}
					out, in := parts(n), Message{Buffers: make([][]byte, n)}
					for i := range in.Buffers {
						in.Buffers[i] = make([]byte, 1)
					}
					for range 2 {
						conntest.SendBatch(t, a, []Message{out, out})
						ms := []Message{in, in}
						conntest.ReceiveBatch(t, b, ms[:1])
						got := conntest.TextOf(ms[0])
						conntest.ReceiveBatch(t, b, ms[1:])
						want := conntest.TextOf(Message{Buffers: out.Buffers, N: n})
						if got != want || conntest.TextOf(ms[1]) != want || ms[0].Flags != 0 {
							t.Errorf("received %d and %d bytes, flags %#x", ms[0].N, ms[1].N, ms[0].Flags)
						}
					}
				})
			}
			if n, err := a.WriteBatch([]Message{parts(1025), parts(1025)}, 0); n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
				t.Errorf("WriteBatch with 1025 buffers = %d, %v, want EMSGSIZE", n, err)
			}
			// One with too many in the middle, which come back into other numbers.
			ms := []Message{parts(1000), parts(1000), parts(1025), parts(1024), parts(1)}
			if n, err := a.WriteBatch(ms, 0); n != 2 || err != nil {
				t.Fatalf("WriteBatch = %d, %v, want 2, nil", n, err)
			}
			if n, err := a.WriteBatch(ms[2:], 0); n != 0 || !errors.Is(err, syscall.EMSGSIZE) {
				t.Fatalf("WriteBatch of 1025 buffers = %d, %v, want 0, EMSGSIZE", n, err)
			}
			conntest.SendBatch(t, a, ms[3:])
			got := []Message{parts(1000), parts(1024), parts(1), parts(900)}
			conntest.ReceiveBatch(t, b, got)
			for i, want := range []int{1000, 1000, 1, 1} {
				if got[i].N != want {
					t.Errorf("datagram %d has %d bytes, want %d", i, got[i].N, want)
				}
			}
			for k, p := range got[1].Buffers[:1000] {
				if p[0] != byte(k) {
					t.Fatalf("byte %d is %d", k, p[0])
				}
			}
		})
	}
}

// Descriptors may come without data, which is not the end, and are close-on-exec.
func TestReadBatchDescriptorsWithoutData(t *testing.T) {
	socktest.NeedEmptyDatagram(t)
	socktest.NeedNoBuffers(t)
	for _, network := range []string{"unixpacket", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			a, b := conntest.NamedPair(t, network)
			conntest.LimitTime(t, a, b)
			f, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			out := Message{OOB: syscall.UnixRights(int(f.Fd()))}
			if network == "unixgram" {
				out.Addr = b.LocalAddr()
			}
			conntest.SendBatch(t, a, []Message{out, out})
			in := []Message{{OOB: make([]byte, syscall.CmsgSpace(4))}}
			conntest.ReceiveBatch(t, b, in)
			messages, err := syscall.ParseSocketControlMessage(in[0].OOB[:in[0].NN])
			if err != nil {
				t.Fatal(err)
			}
			fds, err := syscall.ParseUnixRights(&messages[0])
			if err != nil || len(fds) != 1 {
				t.Fatalf("received descriptors %v, %v, want one", fds, err)
			}
			defer syscall.Close(fds[0])
			flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0)
			if err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("descriptor flags %#x, %v, want close-on-exec", flags, err)
			}
			// Without room for them they are lost, which is not the end either.
			in[0].OOB = nil
			conntest.ReceiveBatch(t, b, in)
			if in[0].Flags&syscall.MSG_CTRUNC == 0 {
				t.Errorf("flags %#x, want MSG_CTRUNC", in[0].Flags)
			}
		})
	}
}

// An address of another network is not the sender's, whatever its name.
func TestReadBatchUnixAddressOfAnotherNetwork(t *testing.T) {
	a, b := conntest.NamedPair(t, "unixgram")
	conntest.LimitTime(t, a, b)
	conntest.SendBatch(t, a, []Message{conntest.MessageTo([]byte("x"), b.LocalAddr())})
	in := conntest.RoomFor(1, 10)
	in[0].Addr = &net.UnixAddr{Name: a.LocalAddr().String(), Net: "unix"}
	conntest.ReceiveBatch(t, b, in)
	if diff := cmp.Diff(a.LocalAddr(), in[0].Addr); diff != "" {
		t.Errorf("sender (-want +got):\n%s", diff)
	}
}

// TestDatagramDontWaitResumes checks that a batch which ended because the queue was
// full says so once: not again when there is room.
func TestDatagramDontWaitResumes(t *testing.T) {
	socktest.NeedFullQueue(t, 1000)
	a, b, err := Pair("unixgram")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	conntest.LimitTime(t, a, b)
	out := make([]Message, 1000)
	for i := range out {
		out[i] = conntest.MessageTo([]byte("x"), nil)
	}
	sent, _ := a.WriteBatch(out, unix.MSG_DONTWAIT)
	if sent == 0 || sent == len(out) {
		t.Fatalf("%d of %d messages sent, want a part", sent, len(out))
	}
	for range sent {
		if _, err := b.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := a.WriteBatch(out[:1], unix.MSG_DONTWAIT); n != 1 || err != nil {
		t.Errorf("with room again: %d, %v", n, err)
	}
}

// TestReadBatchLeavesAddresses keeps the address of a batch, as quic-go does, while
// the next batch comes from somebody else.
func TestReadBatchLeavesAddresses(t *testing.T) {
	for network, address := range map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"} {
		t.Run(network, func(t *testing.T) {
			socktest.NeedNetwork(t, network)
			pc, err := ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			c := pc.(*UDPConn)
			ms := []Message{{Buffers: [][]byte{make([]byte, 8)}}}
			var kept []net.Addr
			var want []string
			for i := range 4 {
				from, err := net.Dial("udp", c.LocalAddr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer from.Close()
				for range 2 {
					if _, err := from.Write([]byte("x")); err != nil {
						t.Fatal(err)
					}
					if n, err := c.ReadBatch(ms, 0); n != 1 || err != nil {
						t.Fatalf("ReadBatch = %d, %v", n, err)
					}
					kept, want = append(kept, ms[0].Addr), append(want, from.LocalAddr().String())
				}
				if kept[2*i] != kept[2*i+1] {
					t.Error("the same sender's address was made anew")
				}
			}
			for i, addr := range kept {
				if addr.String() != want[i] {
					t.Errorf("address %d is %v now, want %v", i, addr, want[i])
				}
			}
		})
	}
}

// TestFullQueueRests sends to a socket that is not the peer and takes nothing, of which no
// event tells: waiting for it costs next to no time of a processor.
func TestFullQueueRests(t *testing.T) {
	a, b := conntest.NamedPair(t, "unixgram")
	to := b.LocalAddr().(*net.UnixAddr)
	for {
		if _, err := a.SendTo([]byte("x"), to, MsgDontWait); errors.Is(err, ErrWouldBlock) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for name, write := range map[string]func() error{
		"WriteTo":      func() error { _, err := a.WriteTo([]byte("x"), to); return err },
		"WriteMsgUnix": func() error { _, _, err := a.WriteMsgUnix([]byte("x"), nil, to); return err },
		"WriteBatch":   func() error { _, err := a.WriteBatch([]Message{conntest.MessageTo([]byte("x"), to)}, 0); return err },
	} {
		const wait = 400 * time.Millisecond
		if err := a.SetWriteDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		before := processorTime(t)
		if err := write(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v, want a timeout", name, err)
		}
		if used := processorTime(t) - before; used > wait/2 {
			t.Errorf("%s: waiting for %v took %v of a processor", name, wait, used)
		}
	}
}

// processorTime returns what the process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

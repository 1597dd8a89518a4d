//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "github.com/iolib-go/sockets"
)

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
				lc := &ListenConfig{Offload: offload}
				a, b := openUDPWith(t, lc, "udp4"), openUDPWith(t, lc, "udp4")
				limitTime(t, a, b)
				sizes := slices.Concat(equalSizes(4, 10), equalSizes(4, 20), equalSizes(4, 10))
				for i := range sizes {
					out := numbered(b.LocalAddr(), sizes...)
					want := slices.Delete(dataOf(out), i, i+1)
					tt.spoil(&out[i])
					if i > 0 {
						if n, err := a.WriteBatch(out, 0); n != i || err != nil {
							t.Fatalf("message %d fails: WriteBatch = %d, %v", i, n, err)
						}
					}
					if n, err := a.WriteBatch(out[i:], 0); n != 0 || !errors.Is(err, tt.want) {
						t.Fatalf("message %d fails: WriteBatch from there = %d, %v, want 0, %v", i, n, err, tt.want)
					}
					sendBatch(t, a, out[i+1:])
					in := roomFor(len(want), 100)
					receiveBatch(t, b, in)
					if diff := cmp.Diff(want, textsOf(in)); diff != "" {
						t.Errorf("message %d fails: received (-want +got):\n%s", i, diff)
					}
					if n, err := b.ReadBatch(in, syscall.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
						t.Fatalf("message %d fails: received %d more, %v", i, n, err)
					}
				}
				if !offload {
					return
				}
				sendBatch(t, a, numbered(b.LocalAddr(), 10, 10))
				if n, size := rawReceive(t, b); n != 20 || size != 10 {
					t.Errorf("afterwards sent %d octets in parts of %d, want 20 in parts of 10", n, size)
				}
			})
		}
	}
}

// A deadline that passes in the middle is the next call's error.
func TestWriteBatchDeadlinePasses(t *testing.T) {
	a, b := unixPair(t, "unixgram")
	limitTime(t, b)
	var want []string
	out := make([]Message, 30) // more than the queue holds
	for i := range out {
		want = append(want, fmt.Sprint(i))
		out[i] = message([]byte(want[i]), b.LocalAddr())
	}
	a.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := a.WriteBatch(out, 0)
	if n == 0 || n == len(out) || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want some, nil", n, err)
	}
	if n, err := a.WriteBatch(out[n:], 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("WriteBatch past the deadline = %d, %v", n, err)
	}
	limitTime(t, a)
	sent := make(chan error, 1)
	go func() {
		n, err := a.WriteBatch(out[n:], 0)
		if err == nil && n == 0 {
			err = errors.New("sent nothing")
		}
		sent <- err
	}()
	in := roomFor(len(out), 10)
	receiveBatch(t, b, in)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, textsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// Buffers in any number, up to what the kernel takes.
func TestBatchBufferCounts(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a, b := openUDPWith(t, lc, "udp4"), openUDPWith(t, lc, "udp4")
			limitTime(t, a, b)
			parts := func(n int) Message {
				m := Message{Addr: b.LocalAddr()}
				for i := range n {
					m.Buffers = append(m.Buffers, []byte{byte(i)})
				}
				return m
			}
			for _, n := range []int{0, 1, 1000, 1001, 1024} { // UIO_MAXIOV
				out, in := parts(n), Message{Buffers: make([][]byte, n)}
				for i := range in.Buffers {
					in.Buffers[i] = make([]byte, 1)
				}
				for range 2 {
					sendBatch(t, a, []Message{out, out})
					ms := []Message{in, in}
					receiveBatch(t, b, ms[:1])
					got := textOf(ms[0])
					receiveBatch(t, b, ms[1:])
					want := textOf(Message{Buffers: out.Buffers, N: n})
					if got != want || textOf(ms[1]) != want || ms[0].Flags != 0 {
						t.Errorf("%d buffers: received %d and %d octets, flags %#x", n, ms[0].N, ms[1].N, ms[0].Flags)
					}
				}
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
			sendBatch(t, a, ms[3:])
			got := []Message{parts(1000), parts(1024), parts(1), parts(900)}
			receiveBatch(t, b, got)
			for i, want := range []int{1000, 1000, 1, 1} {
				if got[i].N != want {
					t.Errorf("datagram %d has %d octets, want %d", i, got[i].N, want)
				}
			}
			for k, p := range got[1].Buffers[:1000] {
				if p[0] != byte(k) {
					t.Fatalf("octet %d is %d", k, p[0])
				}
			}
		})
	}
}

// Descriptors may come without data, which is not the end, and are close-on-exec.
func TestReadBatchDescriptorsWithoutData(t *testing.T) {
	for _, network := range []string{"unixpacket", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			a, b := unixPair(t, network)
			limitTime(t, a, b)
			f, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			out := Message{OOB: syscall.UnixRights(int(f.Fd()))}
			if network == "unixgram" {
				out.Addr = b.LocalAddr()
			}
			sendBatch(t, a, []Message{out, out})
			in := []Message{{OOB: make([]byte, syscall.CmsgSpace(4))}}
			receiveBatch(t, b, in)
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
			receiveBatch(t, b, in)
			if in[0].Flags&syscall.MSG_CTRUNC == 0 {
				t.Errorf("flags %#x, want MSG_CTRUNC", in[0].Flags)
			}
		})
	}
}

// An address of another network is not the sender's, whatever its name.
func TestReadBatchUnixAddressOfAnotherNetwork(t *testing.T) {
	a, b := unixPair(t, "unixgram")
	limitTime(t, a, b)
	sendBatch(t, a, []Message{message([]byte("x"), b.LocalAddr())})
	in := roomFor(1, 10)
	in[0].Addr = &net.UnixAddr{Name: a.LocalAddr().String(), Net: "unix"}
	receiveBatch(t, b, in)
	if diff := cmp.Diff(a.LocalAddr(), in[0].Addr); diff != "" {
		t.Errorf("sender (-want +got):\n%s", diff)
	}
}

//go:build linux

package datagram

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// refusedBatch returns a connected socket whose WriteBatch was refused, and has that
// to report, and messages to be sent.
func refusedBatch(t *testing.T) (c *UDPConn, ms []Message) {
	t.Helper()
	ms = []Message{conntest.MessageTo([]byte("1"), nil), conntest.MessageTo([]byte("22"), nil), conntest.MessageTo([]byte("333"), nil)}
	c, n, err := conntest.Refused(t, &Dialer{}, len(ms), func(c *UDPConn) (int, error) { return c.WriteBatch(ms, 0) })
	if n != 2 || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want 2, nil", n, err)
	}
	return c, ms[2:]
}

// Close and a passed deadline come before an error that WriteBatch has kept.
func TestDatagramKeptErrorWaits(t *testing.T) {
	c, ms := refusedBatch(t)
	c.SetWriteDeadline(time.Unix(1, 0))
	if n, err := c.WriteBatch(ms, 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WriteBatch past the deadline = %d, %v, want 0, a timeout", n, err)
	}
	c.SetWriteDeadline(time.Time{})
	if n, err := c.WriteBatch(ms, 0); n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("WriteBatch = %d, %v, want 0, ECONNREFUSED", n, err)
	}
	c, ms = refusedBatch(t)
	c.Close()
	if n, err := c.WriteBatch(ms, 0); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("WriteBatch after Close = %d, %v, want 0, net.ErrClosed", n, err)
	}
}

// Control data need no padding behind the last message, whether a datagram was
// merged or not.
func TestDatagramControlRoom(t *testing.T) {
	for _, sizes := range [][]int{{20}, {20, 20, 20}} {
		t.Run(fmt.Sprint(len(sizes)), func(t *testing.T) {
			a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
			conntest.SetOptions(t, b, sockopt.ReceiveTOS)
			if err := sockopt.TOS.Set(a, 2); err != nil {
				t.Fatal(err)
			}
			conntest.SendBatch(t, a, conntest.Numbered(b.LocalAddr(), sizes...))
			in := conntest.RoomFor(len(sizes), 20)
			for i := range in {
				in[i].OOB = make([]byte, syscall.CmsgLen(1))
			}
			conntest.ReceiveBatch(t, b, in)
			for i, m := range in {
				p, err := ParsePacketInfo(m.OOB[:m.NN])
				if err != nil || p != (PacketInfo{TOS: 2, HasTOS: true}) || m.Flags != 0 {
					t.Errorf("datagram %d: %+v, %v, flags %#x, want TOS 2", i, p, err, m.Flags)
				}
			}
		})
	}
}

// Control data that the kernel refuses are not completed by those of offload.
func TestDatagramMalformedControl(t *testing.T) {
	socktest.NeedBadControl(t)
	// One message of a level that the kernel passes over, that lacks its data. What is
	// appended to it would be taken for them.
	oob, _ := sys.AppendCmsg(nil, 99, 0, syscall.CmsgSpace(2))
	oob = oob[:syscall.CmsgLen(0)]
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			a, b := conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, "udp4"), conntest.OpenUDP(t, "udp4")
			conntest.LimitTime(t, a, b)
			ms := conntest.Numbered(b.LocalAddr(), 10, 10, 10)
			for i := range ms {
				ms[i].OOB = oob
			}
			if n, err := a.WriteBatch(ms, 0); n != 0 || !errors.Is(err, syscall.EINVAL) {
				t.Errorf("WriteBatch = %d, %v, want 0, EINVAL", n, err)
			}
		})
	}
}

// A dual-stack socket answers what came to a group of IPv4 by the interface that it
// came in by.
func TestDatagramReplyToGroup(t *testing.T) {
	lo := socktest.LoopbackInterface(t)
	for _, local := range []string{"224.0.0.1", "::ffff:224.0.0.1", "::ffff:255.255.255.255", "ff02::1"} {
		t.Run(local, func(t *testing.T) {
			network, to := "udp", "127.0.0.1"
			if local[0] == 'f' {
				socktest.NeedIPv6(t)
				to = "::1"
			}
			a, b := conntest.OpenUDP(t, network), conntest.OpenUDP(t, network)
			conntest.LimitTime(t, a, b)
			p := PacketInfo{Local: netip.MustParseAddr(local), Interface: lo.Index}
			addr := &net.UDPAddr{IP: net.ParseIP(to), Port: b.LocalAddr().(*net.UDPAddr).Port}
			if _, _, err := a.WriteMsgUDP([]byte("!"), p.Append(nil), addr); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 10)
			if n, err := b.Read(buf); err != nil || string(buf[:n]) != "!" {
				t.Errorf("answer %q, %v", buf[:n], err)
			}
		})
	}
}

// A record that finds no room is not the end of a "unixpacket" connection.
func TestDatagramRecordWithoutRoom(t *testing.T) {
	socktest.NeedNoBuffers(t)
	a, b := conntest.NamedPair(t, "unixpacket")
	conntest.LimitTime(t, a, b)
	for _, s := range []string{"lost", "next"} {
		if _, err := a.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	in := make([]Message, 1)
	if n, err := b.ReadBatch(in, 0); n != 1 || err != nil || in[0].N != 0 || in[0].Flags&syscall.MSG_TRUNC == 0 {
		t.Errorf("ReadBatch without room = %d, %v, N %d, flags %#x, want 1, nil, 0, MSG_TRUNC", n, err, in[0].N, in[0].Flags)
	}
	in = conntest.RoomFor(1, 10)
	if n, err := b.ReadBatch(in, 0); n != 1 || err != nil || conntest.TextOf(in[0]) != "next" {
		t.Errorf("ReadBatch = %d, %v, %q", n, err, conntest.TextOf(in[0]))
	}
	a.Close()
	if n, err := b.ReadBatch(make([]Message, 1), 0); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadBatch at the end = %d, %v, want 0, EOF", n, err)
	}
}

// An error that ended a batch behind datagrams is for the next who receives, not for
// who looks at the error queue.
func TestDatagramKeptErrorAndErrorQueue(t *testing.T) {
	socktest.NeedMerging(t)
	a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
	conntest.SetOptions(t, b, sockopt.ReceiveError)
	gone := conntest.OpenUDP(t, "udp4")
	to := gone.LocalAddr()
	gone.Close()
	out := conntest.Numbered(b.LocalAddr(), 10, 10, 10)
	conntest.SendBatch(t, a, out)
	buf := make([]byte, 10)
	if _, err := b.Read(buf); err != nil {
		t.Fatal(err)
	}
	if _, err := b.WriteTo([]byte("refused"), to); err != nil {
		t.Fatal(err)
	}
	conntest.WaitError(t, b)
	in := conntest.RoomFor(5, 10)
	if n, err := b.ReadBatch(in, 0); n != 2 || err != nil {
		t.Fatalf("ReadBatch = %d, %v, want 2, nil", n, err)
	}
	queue := conntest.RoomFor(1, 10)
	queue[0].OOB = make([]byte, 256)
	if n, err := b.ReadBatch(queue, syscall.MSG_ERRQUEUE|syscall.MSG_DONTWAIT); n != 1 || err != nil || conntest.TextOf(queue[0]) != "refused" {
		t.Errorf("ReadBatch of the error queue = %d, %v, %q", n, err, conntest.TextOf(queue[0]))
	} else if queue[0].Addr.String() != to.String() {
		t.Errorf("the refused datagram was sent to %v, want %v", queue[0].Addr, to)
	}
	if _, err := b.Read(buf); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Read: %v, want ECONNREFUSED", err)
	}
}

// More messages than one system call takes, some of which are joined.
func TestDatagramManyMessages(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a, b := conntest.OpenUDPWith(t, lc, "udp4"), conntest.OpenUDPWith(t, lc, "udp4")
			conntest.LimitTime(t, a, b)
			if sockopt.ReceiveBufferForce.Set(b, 8<<20) != nil {
				b.SetReadBuffer(8 << 20)
			}
			var out []Message
			for range 5 {
				out = append(out, conntest.Numbered(b.LocalAddr(), slices.Repeat([]int{4, 5}, 250)...)...)
			}
			in := conntest.RoomFor(500, 10)
			for rest := out; len(rest) > 0; rest = rest[500:] {
				if n, err := a.WriteBatch(rest[:500], 0); n != 500 || err != nil {
					t.Fatalf("WriteBatch = %d, %v", n, err)
				}
				conntest.ReceiveBatch(t, b, in)
				if diff := cmp.Diff(conntest.DataOf(rest[:500]), conntest.TextsOf(in)); diff != "" {
					t.Fatalf("received (-want +got):\n%s", diff)
				}
			}
			for _, size := range []int{1, 0} { // empty ones are not
				out = conntest.Numbered(b.LocalAddr(), conntest.EqualSizes(1500, size)...)
				if n, err := a.WriteBatch(out, 0); n != 1500 || err != nil {
					t.Fatalf("WriteBatch of %d bytes each = %d, %v, want 1500, nil", size, n, err)
				}
			}
		})
	}
}

// The real length is counted where it is asked for.
func TestDatagramRealLength(t *testing.T) {
	socktest.NeedNoBuffers(t)
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a, b := conntest.OpenUDPWith(t, lc, "udp4"), conntest.OpenUDPWith(t, lc, "udp4")
			conntest.LimitTime(t, a, b)
			conntest.SendBatch(t, a, conntest.Numbered(b.LocalAddr(), 100, 100, 100, 60))
			in := []Message{{}, conntest.MessageTo(make([]byte, 10), nil), conntest.MessageTo(make([]byte, 100), nil), {Buffers: [][]byte{nil, make([]byte, 3)}}}
			for rest := in; len(rest) > 0; {
				n, err := b.ReadBatch(rest, syscall.MSG_TRUNC)
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			for i, want := range []struct{ n, flags int }{{100, syscall.MSG_TRUNC}, {100, syscall.MSG_TRUNC}, {100, 0}, {60, syscall.MSG_TRUNC}} {
				if in[i].N != want.n || in[i].Flags != want.flags {
					t.Errorf("datagram %d: N %d, flags %#x, want %d, %#x", i, in[i].N, in[i].Flags, want.n, want.flags)
				}
			}
		})
	}
}

// WriteBatch waits for room at a receiver whose queue is full, sends the rest when
// there is some, and leaves nothing out when a deadline ends it.
func TestDatagramUnixFullQueue(t *testing.T) {
	socktest.NeedFullQueue(t, 2000)
	for _, connected := range []bool{false, true} {
		t.Run(fmt.Sprintf("connected=%v", connected), func(t *testing.T) {
			dir, err := os.MkdirTemp("", "")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			pc, err := ListenPacket("unixgram", filepath.Join(dir, "s"))
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			b := pc.(*UnixConn)
			var a *UnixConn
			to := b.LocalAddr()
			if connected {
				c, err := Dial("unixgram", to.String())
				if err != nil {
					t.Fatal(err)
				}
				a, to = c.(*UnixConn), nil
			} else {
				pc, err := ListenPacket("unixgram", filepath.Join(dir, "c"))
				if err != nil {
					t.Fatal(err)
				}
				a = pc.(*UnixConn)
			}
			defer a.Close()
			conntest.LimitTime(t, a, b)
			out := make([]Message, 2000)
			for i := range out {
				out[i] = conntest.MessageTo(fmt.Appendf(nil, "%d", i), to)
			}
			// A connected socket, which sends nothing, can be asked whether the queue is
			// full. The call does not wait steadily: each try that the kernel refuses
			// makes a socket without a peer look writable for a moment.
			probe, err := Dial("unixgram", b.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer probe.Close()
			var n int
			written := make(chan error, 1)
			go func() {
				var err error
				n, err = a.WriteBatch(out, 0)
				written <- err
			}()
			socktest.WaitFull(t, probe)
			a.SetWriteDeadline(time.Now())
			err = <-written
			if n == 0 || n >= len(out) || err != nil {
				t.Fatalf("WriteBatch = %d, %v", n, err)
			}
			if n, err := a.WriteBatch(out[n:], 0); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("WriteBatch past the deadline = %d, %v", n, err)
			}
			if n, err := a.WriteBatch(out[n:], syscall.MSG_DONTWAIT); n != 0 || !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("WriteBatch with MSG_DONTWAIT past the deadline = %d, %v, want 0, EAGAIN", n, err)
			}
			conntest.LimitTime(t, a)
			done := make(chan error, 1)
			go func() {
				rest := out[n:]
				for len(rest) > 0 {
					n, err := a.WriteBatch(rest, 0)
					if err != nil {
						done <- err
						return
					}
					rest = rest[n:]
				}
				done <- nil
			}()
			in := conntest.RoomFor(len(out), 10)
			conntest.ReceiveBatch(t, b, in)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(conntest.DataOf(out), conntest.TextsOf(in)); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

// What waits in a socket is read from it after offload was turned off, and while
// others have its descriptor.
func TestDatagramTurnedOffWhilePending(t *testing.T) {
	a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
	out := conntest.Numbered(b.LocalAddr(), slices.Concat(conntest.EqualSizes(5, 30), conntest.EqualSizes(5, 20))...)
	conntest.SendBatch(t, a, out)
	buf := make([]byte, 7)
	if n, err := b.Read(buf); err != nil || string(buf[:n]) != string(out[0].Buffers[0][:7]) {
		t.Fatalf("Read: %q, %v", buf[:n], err)
	}
	if err := b.SetOffload(false); err != nil {
		t.Fatal(err)
	}
	f, err := b.File()
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	in := conntest.RoomFor(9, 30)
	conntest.ReceiveBatch(t, b, in)
	if diff := cmp.Diff(conntest.DataOf(out)[1:], conntest.TextsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

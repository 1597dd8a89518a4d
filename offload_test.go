//go:build linux

package sockets_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// What goes out together: consecutive messages of one size, the last may be
// shorter, to one peer.
func TestWriteBatchJoins(t *testing.T) {
	type datagram struct{ N, Size int }
	most := socktest.NeedMerging(t)
	a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
	here := b.LocalAddr()
	same := *here.(*net.UDPAddr)
	other := conntest.OpenUDP(t, "udp4").LocalAddr()
	withOOB := func(m Message, p PacketInfo) Message {
		m.OOB = p.Append(nil)
		return m
	}
	ecn := PacketInfo{TOS: 2, HasTOS: true}
	tests := []struct {
		name string
		ms   []Message
		want []datagram
	}{
		{"equal", conntest.Numbered(here, 100, 100, 100), []datagram{{300, 100}}},
		{"shorter last", conntest.Numbered(here, 100, 100, 30), []datagram{{230, 100}}},
		{"shorter in between", conntest.Numbered(here, 100, 30, 100, 100), []datagram{{130, 100}, {200, 100}}},
		{"longer", conntest.Numbered(here, 30, 100, 100), []datagram{{30, 0}, {200, 100}}},
		{"single", conntest.Numbered(here, 100), []datagram{{100, 0}}},
		{"empty ones stay alone", conntest.Numbered(here, 0, 0, 10, 10, 0), []datagram{{0, 0}, {0, 0}, {20, 10}, {0, 0}}},
		{"equal address", []Message{conntest.Numbered(here, 10)[0], conntest.Numbered(&same, 10)[0]}, []datagram{{20, 10}}},
		{"another peer", []Message{conntest.Numbered(here, 10)[0], conntest.Numbered(other, 10)[0], conntest.Numbered(here, 10)[0]}, []datagram{{10, 0}, {10, 0}}},
		{"most", conntest.Numbered(here, conntest.EqualSizes(most, 10)...), []datagram{{most * 10, 10}}},
		{"one more", conntest.Numbered(here, conntest.EqualSizes(most+1, 10)...), []datagram{{most * 10, 10}, {10, 0}}},
		{"65473", conntest.Numbered(here, 32736, 32736, 1), []datagram{{65473, 32736}}},
		{"65474", conntest.Numbered(here, 32736, 32736, 2), []datagram{{65472, 32736}, {2, 0}}},
		{"65507", conntest.Numbered(here, 65507), []datagram{{65507, 0}}},
		{"two of 40000", conntest.Numbered(here, 40000, 40000), []datagram{{40000, 0}, {40000, 0}}},
		{"other control data", []Message{withOOB(conntest.Numbered(here, 10)[0], ecn), withOOB(conntest.Numbered(here, 10)[0], ecn), conntest.Numbered(here, 10)[0]}, []datagram{{20, 10}, {10, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := a.WriteBatch(tt.ms, 0)
			if n != len(tt.ms) || err != nil {
				t.Fatalf("WriteBatch = %d, %v, want %d, nil", n, err, len(tt.ms))
			}
			for i, m := range tt.ms {
				if m.N != len(m.Buffers[0]) || m.NN != len(m.OOB) {
					t.Errorf("message %d: N = %d, NN = %d, want %d, %d", i, m.N, m.NN, len(m.Buffers[0]), len(m.OOB))
				}
			}
			var got []datagram
			for range tt.want {
				n, size := conntest.RawReceive(t, b)
				got = append(got, datagram{n, size})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("datagrams in the kernel (-want +got):\n%s", diff)
			}
		})
	}
}

// Without the switch, and with it turned off, nothing is joined or merged.
func TestOffloadOff(t *testing.T) {
	a, b := conntest.Offloading(t, "udp4"), conntest.OpenUDP(t, "udp4")
	conntest.LimitTime(t, b)
	if err := a.SetOffload(false); err != nil {
		t.Fatal(err)
	}
	if err := b.SetOffload(false); err != nil {
		t.Fatal(err)
	}
	merging := conntest.Offloading(t, "udp4")
	conntest.SendBatch(t, a, conntest.Numbered(merging.LocalAddr(), 10, 10))
	if n, size := conntest.RawReceive(t, merging); n != 10 || size != 0 {
		t.Errorf("sent %d bytes in parts of %d, want 10 alone", n, size)
	}
	if err := a.SetOffload(true); err != nil {
		t.Fatal(err)
	}
	conntest.SendBatch(t, a, conntest.Numbered(b.LocalAddr(), 10, 10))
	if n, size := conntest.RawReceive(t, b); n != 10 || size != 0 {
		t.Errorf("received %d bytes in parts of %d, want 10 alone", n, size)
	}
}

// A peer that refuses a joined datagram says so once, and nothing is sent twice.
func TestOffloadRefusedInBatch(t *testing.T) {
	if socktest.Segments(t) < 2 {
		t.Skip("the kernel cuts nothing up")
	}
	ms := conntest.Numbered(nil, slices.Concat(conntest.EqualSizes(10, 10), conntest.EqualSizes(5, 20), conntest.EqualSizes(5, 30))...)
	a, n, err := conntest.Refused(t, &Dialer{Offload: true}, len(ms), func(c *UDPConn) (int, error) { return c.WriteBatch(ms, 0) })
	if n != 15 || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want 15, nil", n, err)
	}
	if n, err := a.WriteBatch(ms[n:], 0); n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("WriteBatch = %d, %v, want 0, ECONNREFUSED", n, err)
	}
	if n, err := a.WriteBatch(ms[n:], 0); n != 5 || err != nil {
		t.Fatalf("WriteBatch = %d, %v, want 5, nil", n, err)
	}
	if _, err := a.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Read: %v, want ECONNREFUSED", err)
	}
}

// SO_NO_CHECK makes the kernel refuse joined datagrams with EINVAL.
func TestOffloadFallsBack(t *testing.T) {
	for _, count := range []int{10, 64, 100} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
			if err := sockopt.NoCheck.Set(a, true); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				out := conntest.Numbered(b.LocalAddr(), conntest.EqualSizes(count, 20)...)
				if n, err := a.WriteBatch(out, 0); n != count || err != nil {
					t.Fatalf("WriteBatch = %d, %v, want %d, nil", n, err, count)
				}
				in := conntest.RoomFor(count, 20)
				conntest.ReceiveBatch(t, b, in)
				if diff := cmp.Diff(conntest.DataOf(out), conntest.TextsOf(in)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
			}
			// What was refused is not tried again until offload is turned on once more,
			// but shorter ones, and those to another peer, are.
			sockopt.NoCheck.Set(a, false)
			socktest.NeedMerging(t)
			if conntest.SentJoined(t, a, b, 20) {
				t.Error("the size that was refused is joined")
			}
			if !conntest.SentJoined(t, a, b, 19) {
				t.Error("a smaller size is not joined")
			}
			if !conntest.SentJoined(t, a, conntest.Offloading(t, "udp4"), 20) {
				t.Error("datagrams to another peer are not joined")
			}
			a.SetOffload(true)
			if !conntest.SentJoined(t, a, b, 20) {
				t.Error("not joined when turned on again")
			}
		})
	}
}

// An error that is not about joining changes nothing for later batches.
func TestOffloadErrorIsNotHeldAgainstIt(t *testing.T) {
	most := socktest.NeedMerging(t)
	a, b := conntest.Offloading(t, "udp4"), conntest.Offloading(t, "udp4")
	nowhere := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)} // port 0
	if n, err := a.WriteBatch(conntest.Numbered(nowhere, conntest.EqualSizes(100, 10)...), 0); n != 0 || !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("WriteBatch to port 0 = %d, %v", n, err)
	}
	conntest.SendBatch(t, a, conntest.Numbered(b.LocalAddr(), conntest.EqualSizes(100, 10)...))
	if n, size := conntest.RawReceive(t, b); n != 10*min(100, most) || size != 10 {
		t.Errorf("sent %d bytes in parts of %d, want %d in parts of 10", n, size, 10*min(100, most))
	}
}

// What is lost because the receive buffer is full is counted by the kernel.
func TestOffloadLossIsCounted(t *testing.T) {
	socktest.NeedOption(t, "SO_RXQ_OVFL")
	needKept(t, heir(sockopt.ReceiveQueueOverflow, true), unix.AF_INET, unix.SOCK_DGRAM)
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a, b := conntest.OpenUDPWith(t, lc, "udp4"), conntest.OpenUDPWith(t, lc, "udp4")
			conntest.LimitTime(t, a, b)
			if err := sockopt.ReceiveQueueOverflow.Set(b, true); err != nil {
				t.Fatal(err)
			}
			if err := b.SetReadBuffer(1 << 16); err != nil {
				t.Fatal(err)
			}
			const batches, size = 200, 20
			for i := range batches {
				ms := conntest.Numbered(b.LocalAddr(), conntest.EqualSizes(size, 1000)...)
				for k := range ms {
					binary.BigEndian.PutUint32(ms[k].Buffers[0], uint32(i*size+k))
				}
				conntest.SendBatch(t, a, ms)
			}
			got, last := 0, -1
			var dropped uint32
			in := conntest.RoomFor(16, 1000)
			for i := range in {
				in[i].OOB = make([]byte, PacketInfoLen)
			}
			receive := func() bool {
				n, err := b.ReadBatch(in, syscall.MSG_DONTWAIT)
				if errors.Is(err, syscall.EAGAIN) {
					return false
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range in[:n] {
					p, err := ParsePacketInfo(m.OOB[:m.NN])
					if err != nil {
						t.Fatal(err)
					}
					dropped = max(dropped, p.Dropped)
					number := int(binary.BigEndian.Uint32([]byte(conntest.TextOf(m))))
					if number <= last || m.N != 1000 {
						t.Fatalf("datagram %d of %d bytes after %d", number, m.N, last)
					}
					last = number
					got++
				}
				return true
			}
			for receive() {
			}
			// One more tells the final count.
			conntest.SendBatch(t, a, conntest.Numbered(b.LocalAddr(), 1000)[:1])
			last = -1 << 31
			receive()
			got--
			if got == batches*size || dropped == 0 {
				t.Fatalf("nothing was lost: received %d, the kernel dropped %d", got, dropped)
			}
			// A joined datagram is dropped, and counted, as one. Where the loopback interface
			// does not take such, they arrive one by one.
			lost := batches*size - got
			joined := offload && lost%size == 0 && lost/size <= int(dropped) && int(dropped) <= lost
			if lost != int(dropped) && !joined {
				t.Errorf("lost %d datagrams, the kernel counts %d drops", lost, dropped)
			}
		})
	}
}

// Room for control data is used as the kernel does it, whether it merges or not.
func TestOffloadLittleRoomForControlData(t *testing.T) {
	socktest.NeedCutControl(t)
	type result struct {
		NN, Flags int
		OOB       []byte
	}
	var results [2][]result
	for i, offload := range []bool{false, true} {
		a, b := conntest.OpenUDP(t, "udp4"), conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, "udp4")
		conntest.LimitTime(t, a, b)
		conntest.SetOptions(t, b, sockopt.ReceiveTOS, sockopt.ReceivePacketInfo)
		for room := range 60 {
			if _, err := a.WriteTo([]byte("x"), b.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			oob := make([]byte, room)
			_, oobn, flags, _, err := b.ReadMsgUDP(make([]byte, 10), oob)
			if err != nil {
				t.Fatal(err)
			}
			results[i] = append(results[i], result{oobn, flags, oob[:oobn]})
		}
	}
	if diff := cmp.Diff(results[0], results[1]); diff != "" {
		t.Errorf("with offload (-off +on):\n%s", diff)
	}
}

// What MSG_MORE puts together is one datagram.
func TestOffloadMore(t *testing.T) {
	socktest.NeedSendFlag(t, unix.MSG_MORE)
	tests := []struct {
		name string
		send func(t *testing.T, a *UDPConn, ms []Message)
		want []string
	}{
		{"batch", func(t *testing.T, a *UDPConn, ms []Message) {
			if n, err := a.WriteBatch(ms[:3], syscall.MSG_MORE); n != 3 || err != nil {
				t.Fatalf("WriteBatch with MSG_MORE = %d, %v", n, err)
			}
			conntest.SendBatch(t, a, ms[3:])
		}, []string{"0:1:2:3:", "4:", "5:"}},
		{"SendTo", func(t *testing.T, a *UDPConn, ms []Message) {
			if _, err := a.SendTo(ms[0].Buffers[0], ms[0].Addr, MsgMore); err != nil {
				t.Fatal(err)
			}
			conntest.SendBatch(t, a, ms[1:])
		}, []string{"0:1:", "2:", "3:", "4:", "5:"}},
	}
	for _, offload := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("offload=%v/%s", offload, tt.name), func(t *testing.T) {
				a, b := conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, "udp4"), conntest.OpenUDP(t, "udp4")
				conntest.LimitTime(t, a, b)
				tt.send(t, a, conntest.Numbered(b.LocalAddr(), conntest.EqualSizes(6, 2)...))
				in := conntest.RoomFor(len(tt.want), 20)
				conntest.ReceiveBatch(t, b, in)
				if diff := cmp.Diff(tt.want, conntest.TextsOf(in)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A socket whose datagrams the kernel merges is known when it is adopted.
func TestOffloadAdopted(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) { offloadAdopted(t, network) })
	}
}

func offloadAdopted(t *testing.T, network string) {
	a, b := conntest.Offloading(t, network), conntest.Offloading(t, network)
	f, err := b.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := FilePacketConn(f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conntest.LimitTime(t, c)
	out := conntest.Numbered(b.LocalAddr(), 10, 10, 10)
	conntest.SendBatch(t, a, out)
	buf := make([]byte, 100)
	for _, want := range conntest.DataOf(out) {
		n, _, err := c.ReadFrom(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("ReadFrom: %q, %v, want %q", buf[:n], err, want)
		}
	}
	// What it sends is not joined, because that was not asked for.
	conntest.SendBatch(t, c.(*UDPConn), conntest.Numbered(a.LocalAddr(), 10, 10))
	if n, size := conntest.RawReceive(t, a); n != 10 || size != 0 {
		t.Errorf("sent %d bytes in parts of %d, want 10 alone", n, size)
	}
}

//go:build linux

package sockets_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// offloading returns a socket on loopback with offload, and skips the test if the
// system has none.
func offloading(t testing.TB, network string) *UDPConn {
	t.Helper()
	c := openUDP(t, network)
	if err := c.SetOffload(true); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no segmentation offload here: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	limitTime(t, c)
	return c
}

// numbered returns messages to one address that are told apart by their first
// bytes, of the given sizes.
func numbered(to net.Addr, sizes ...int) []Message {
	ms := make([]Message, len(sizes))
	for i, size := range sizes {
		b := bytes.Repeat([]byte{byte('a' + i%26)}, size)
		copy(b, fmt.Sprintf("%d:", i))
		ms[i] = message(b, to)
	}
	return ms
}

func equalSizes(n, size int) []int { return slices.Repeat([]int{size}, n) }

// dataOf returns what is sent in one buffer per message.
func dataOf(ms []Message) (s []string) {
	for _, m := range ms {
		s = append(s, string(m.Buffers[0]))
	}
	return s
}

// rawReceive returns what the kernel has for c: one datagram that may stand for
// several, and their size.
func rawReceive(t testing.TB, c *UDPConn) (n, size int) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	b, oob := make([]byte, 1<<16), make([]byte, 512)
	err = rc.Read(func(fd uintptr) bool {
		var oobn int
		n, oobn, _, _, err = syscall.Recvmsg(int(fd), b, oob, 0)
		oob = oob[:max(oobn, 0)]
		return err != syscall.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
	cmsgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range cmsgs {
		if m.Header.Level == syscall.IPPROTO_UDP {
			size = int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return n, size
}

// What goes out together: consecutive messages of one size, the last may be
// shorter, to one peer.
func TestWriteBatchJoins(t *testing.T) {
	type datagram struct{ N, Size int }
	a, b := offloading(t, "udp4"), offloading(t, "udp4")
	here := b.LocalAddr()
	same := *here.(*net.UDPAddr)
	other := openUDP(t, "udp4").LocalAddr()
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
		{"equal", numbered(here, 100, 100, 100), []datagram{{300, 100}}},
		{"shorter last", numbered(here, 100, 100, 30), []datagram{{230, 100}}},
		{"shorter in between", numbered(here, 100, 30, 100, 100), []datagram{{130, 100}, {200, 100}}},
		{"longer", numbered(here, 30, 100, 100), []datagram{{30, 0}, {200, 100}}},
		{"single", numbered(here, 100), []datagram{{100, 0}}},
		{"empty ones stay alone", numbered(here, 0, 0, 10, 10, 0), []datagram{{0, 0}, {0, 0}, {20, 10}, {0, 0}}},
		{"equal address", []Message{numbered(here, 10)[0], numbered(&same, 10)[0]}, []datagram{{20, 10}}},
		{"another peer", []Message{numbered(here, 10)[0], numbered(other, 10)[0], numbered(here, 10)[0]}, []datagram{{10, 0}, {10, 0}}},
		{"128", numbered(here, equalSizes(128, 10)...), []datagram{{1280, 10}}},
		{"129", numbered(here, equalSizes(129, 10)...), []datagram{{1280, 10}, {10, 0}}},
		{"65473", numbered(here, 32736, 32736, 1), []datagram{{65473, 32736}}},
		{"65474", numbered(here, 32736, 32736, 2), []datagram{{65472, 32736}, {2, 0}}},
		{"65507", numbered(here, 65507), []datagram{{65507, 0}}},
		{"two of 40000", numbered(here, 40000, 40000), []datagram{{40000, 0}, {40000, 0}}},
		{"other control data", []Message{withOOB(numbered(here, 10)[0], ecn), withOOB(numbered(here, 10)[0], ecn), numbered(here, 10)[0]}, []datagram{{20, 10}, {10, 0}}},
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
				n, size := rawReceive(t, b)
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
	a, b := offloading(t, "udp4"), openUDP(t, "udp4")
	limitTime(t, b)
	if err := a.SetOffload(false); err != nil {
		t.Fatal(err)
	}
	if err := b.SetOffload(false); err != nil {
		t.Fatal(err)
	}
	merging := offloading(t, "udp4")
	sendBatch(t, a, numbered(merging.LocalAddr(), 10, 10))
	if n, size := rawReceive(t, merging); n != 10 || size != 0 {
		t.Errorf("sent %d bytes in parts of %d, want 10 alone", n, size)
	}
	if err := a.SetOffload(true); err != nil {
		t.Fatal(err)
	}
	sendBatch(t, a, numbered(b.LocalAddr(), 10, 10))
	if n, size := rawReceive(t, b); n != 10 || size != 0 {
		t.Errorf("received %d bytes in parts of %d, want 10 alone", n, size)
	}
}

// A peer that refuses a joined datagram says so once, and nothing is sent twice.
func TestOffloadRefusedInBatch(t *testing.T) {
	gone := openUDP(t, "udp4")
	a := connectUDP(t, &Dialer{Offload: true}, "udp4", gone.LocalAddr())
	limitTime(t, a)
	gone.Close()
	ms := numbered(nil, slices.Concat(equalSizes(10, 10), equalSizes(5, 20), equalSizes(5, 30))...)
	n, err := a.WriteBatch(ms, 0)
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
			a, b := offloading(t, "udp4"), offloading(t, "udp4")
			if err := sockopt.NoCheck.Set(a, true); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				out := numbered(b.LocalAddr(), equalSizes(count, 20)...)
				if n, err := a.WriteBatch(out, 0); n != count || err != nil {
					t.Fatalf("WriteBatch = %d, %v, want %d, nil", n, err, count)
				}
				in := roomFor(count, 20)
				receiveBatch(t, b, in)
				if diff := cmp.Diff(dataOf(out), textsOf(in)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
			}
			// What was refused is not tried again until offload is turned on once more,
			// but shorter ones, and those to another peer, are.
			sockopt.NoCheck.Set(a, false)
			if sentJoined(t, a, b, 20) {
				t.Error("the size that was refused is joined")
			}
			if !sentJoined(t, a, b, 19) {
				t.Error("a smaller size is not joined")
			}
			if !sentJoined(t, a, offloading(t, "udp4"), 20) {
				t.Error("datagrams to another peer are not joined")
			}
			a.SetOffload(true)
			if !sentJoined(t, a, b, 20) {
				t.Error("not joined when turned on again")
			}
		})
	}
}

// An error that is not about joining changes nothing for later batches.
func TestOffloadErrorIsNotHeldAgainstIt(t *testing.T) {
	a, b := offloading(t, "udp4"), offloading(t, "udp4")
	nowhere := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)} // port 0
	if n, err := a.WriteBatch(numbered(nowhere, equalSizes(100, 10)...), 0); n != 0 || !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("WriteBatch to port 0 = %d, %v", n, err)
	}
	sendBatch(t, a, numbered(b.LocalAddr(), equalSizes(100, 10)...))
	if n, size := rawReceive(t, b); n != 1000 || size != 10 {
		t.Errorf("sent %d bytes in parts of %d, want 1000 in parts of 10", n, size)
	}
}

// What is lost because the receive buffer is full is counted by the kernel.
func TestOffloadLossIsCounted(t *testing.T) {
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			lc := &ListenConfig{Offload: offload}
			a, b := openUDPWith(t, lc, "udp4"), openUDPWith(t, lc, "udp4")
			limitTime(t, a, b)
			if err := sockopt.ReceiveQueueOverflow.Set(b, true); err != nil {
				t.Fatal(err)
			}
			if err := b.SetReadBuffer(1 << 16); err != nil {
				t.Fatal(err)
			}
			const batches, size = 200, 20
			for i := range batches {
				ms := numbered(b.LocalAddr(), equalSizes(size, 1000)...)
				for k := range ms {
					binary.BigEndian.PutUint32(ms[k].Buffers[0], uint32(i*size+k))
				}
				sendBatch(t, a, ms)
			}
			got, last := 0, -1
			var dropped uint32
			in := roomFor(16, 1000)
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
					number := int(binary.BigEndian.Uint32([]byte(textOf(m))))
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
			sendBatch(t, a, numbered(b.LocalAddr(), 1000)[:1])
			last = -1 << 31
			receive()
			got--
			if got == batches*size || dropped == 0 {
				t.Fatalf("nothing was lost: received %d, the kernel dropped %d", got, dropped)
			}
			// A joined datagram is dropped, and counted, as one.
			lost := batches*size - got
			if offload {
				if lost%size != 0 || lost/size > int(dropped) || int(dropped) > lost {
					t.Errorf("lost %d datagrams, the kernel counts %d drops", lost, dropped)
				}
			} else if lost != int(dropped) {
				t.Errorf("lost %d datagrams, the kernel counts %d drops", lost, dropped)
			}
		})
	}
}

// Room for control data is used as the kernel does it, whether it merges or not.
func TestOffloadLittleRoomForControlData(t *testing.T) {
	type result struct {
		NN, Flags int
		OOB       []byte
	}
	var results [2][]result
	for i, offload := range []bool{false, true} {
		a, b := openUDP(t, "udp4"), openUDPWith(t, &ListenConfig{Offload: offload}, "udp4")
		limitTime(t, a, b)
		setOptions(t, b, sockopt.ReceiveTOS, sockopt.ReceivePacketInfo)
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
	tests := []struct {
		name string
		send func(t *testing.T, a *UDPConn, ms []Message)
		want []string
	}{
		{"batch", func(t *testing.T, a *UDPConn, ms []Message) {
			if n, err := a.WriteBatch(ms[:3], syscall.MSG_MORE); n != 3 || err != nil {
				t.Fatalf("WriteBatch with MSG_MORE = %d, %v", n, err)
			}
			sendBatch(t, a, ms[3:])
		}, []string{"0:1:2:3:", "4:", "5:"}},
		{"SendTo", func(t *testing.T, a *UDPConn, ms []Message) {
			if _, err := a.SendTo(ms[0].Buffers[0], ms[0].Addr, MsgMore); err != nil {
				t.Fatal(err)
			}
			sendBatch(t, a, ms[1:])
		}, []string{"0:1:", "2:", "3:", "4:", "5:"}},
	}
	for _, offload := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("offload=%v/%s", offload, tt.name), func(t *testing.T) {
				a, b := openUDPWith(t, &ListenConfig{Offload: offload}, "udp4"), openUDP(t, "udp4")
				limitTime(t, a, b)
				tt.send(t, a, numbered(b.LocalAddr(), equalSizes(6, 2)...))
				in := roomFor(len(tt.want), 20)
				receiveBatch(t, b, in)
				if diff := cmp.Diff(tt.want, textsOf(in)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A socket whose datagrams the kernel merges is known when it is adopted.
func TestOffloadAdopted(t *testing.T) {
	a, b := offloading(t, "udp4"), offloading(t, "udp4")
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
	limitTime(t, c)
	out := numbered(b.LocalAddr(), 10, 10, 10)
	sendBatch(t, a, out)
	buf := make([]byte, 100)
	for _, want := range dataOf(out) {
		n, _, err := c.ReadFrom(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("ReadFrom: %q, %v, want %q", buf[:n], err, want)
		}
	}
	// What it sends is not joined, as nobody asked for that.
	sendBatch(t, c.(*UDPConn), numbered(a.LocalAddr(), 10, 10))
	if n, size := rawReceive(t, a); n != 10 || size != 0 {
		t.Errorf("sent %d bytes in parts of %d, want 10 alone", n, size)
	}
}

// sentJoined sends three datagrams to b and reports whether they went out as one.
func sentJoined(t *testing.T, a, b *UDPConn, size int) bool {
	t.Helper()
	sendBatch(t, a, numbered(b.LocalAddr(), equalSizes(3, size)...))
	n, segment := rawReceive(t, b)
	switch {
	case n == size && segment == 0:
		rawReceive(t, b)
		rawReceive(t, b)
		return false
	case n == 3*size && segment == size:
		return true
	}
	t.Fatalf("sent %d bytes in parts of %d", n, segment)
	return false
}

// A size of segments that the path to a peer refused is not tried again, nor is a
// larger one, until offload is turned on once more: not even when the path has become
// wider, which tells this apart from finding out each time.
func TestOffloadRemembersRefusedSizes(t *testing.T) {
	here, there := vethNamespaces(t, 1500)
	lc := &ListenConfig{Offload: true}
	a, b := here.listen(t, lc, "udp4", "10.9.0.1:0"), there.listen(t, lc, "udp4", "10.9.0.2:0")
	other := there.listen(t, lc, "udp4", "10.9.0.2:0")
	try := func(when string, to *UDPConn, size int, want bool) {
		t.Helper()
		if got := sentJoined(t, a, to, size); got != want {
			t.Errorf("%s: %d bytes joined %v, want %v", when, size, got, want)
		}
	}
	widen := func(mtu int) {
		for _, ns := range []*netns{here, there} {
			ns.ip(t, fmt.Sprintf("link set v mtu %d", mtu))
		}
	}
	for _, size := range []int{5000, 3000, 4000} {
		try("narrow path", b, size, false)
	}
	widen(9000)
	for _, size := range []int{3000, 4000, 5000} {
		try("refused before", b, size, false)
	}
	try("below what was refused", b, 2999, true)
	try("another peer", other, 3000, true)

	if err := a.SetOffload(true); err != nil {
		t.Fatal(err)
	}
	try("turned on again", b, 3000, true)
	try("turned on again, too long", b, 9000, false)
	try("turned on again, one was too long", b, 3000, true)
}

// What is remembered of many peers does not grow for ever.
func TestOffloadForgetsRefusedSizes(t *testing.T) {
	here, there := vethNamespaces(t, 1500)
	lc := &ListenConfig{Offload: true}
	a, b := here.listen(t, lc, "udp4", "10.9.0.1:0"), there.listen(t, lc, "udp4", "10.9.0.2:0")
	if sentJoined(t, a, b, 3000) {
		t.Error("3000 bytes were joined on a path for 1500")
	}
	for port := range 1000 {
		to := &net.UDPAddr{IP: net.IPv4(10, 9, 0, 2), Port: 10000 + port}
		sendBatch(t, a, numbered(to, 3000, 3000))
	}
	for _, ns := range []*netns{here, there} {
		ns.ip(t, "link set v mtu 9000")
	}
	if !sentJoined(t, a, b, 3000) {
		t.Error("a peer is remembered behind 1000 others")
	}
}

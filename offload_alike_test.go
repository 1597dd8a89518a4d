//go:build linux

package sockets_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

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
		t.Errorf("sent %d octets in parts of %d, want 10 alone", n, size)
	}
}

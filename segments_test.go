//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// noise returns n bytes that are the same in each run.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// WriteSegments sends datagrams of the size asked for, and ReadSegments receives them,
// whether either side merges or not.
func TestSegments(t *testing.T) {
	socktest.NeedSizes(t)
	sizes := []struct{ length, size int }{
		{0, 1}, {1, 1}, {10, 100}, {100, 100}, {101, 100}, {300, 100}, {12800, 100}, {12801, 100}, {60000, 1200},
		{65500, 1200}, {90000, 9000}, {65507, 65507}, {65508, 65507}, {70000, 40000}, {200, 1}, {3000, 1 << 20},
	}
	for _, network := range []string{"udp4", "udp6", "udp"} {
		for _, offload := range []bool{false, true} {
			for _, room := range []int{1 << 16, 65535, 65534, 65507} {
				t.Run(fmt.Sprintf("%s/offload=%v/room=%d", network, offload, room), func(t *testing.T) {
					a, b := conntest.OpenUDP(t, network), conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, network)
					conntest.LimitTime(t, a, b)
					to := conntest.ToLoopback(b.LocalAddr()).AddrPort()
					from := conntest.ToLoopback(a.LocalAddr()).String()
					buf := make([]byte, room)
					for _, tt := range sizes {
						out := noise(tt.length)
						if n, err := a.WriteSegments(out, tt.size, to); n != len(out) || err != nil {
							t.Fatalf("%+v: WriteSegments = %d, %v", tt, n, err)
						}
						var got []string
						for want := conntest.CutUp(out, tt.size); len(got) < len(want); {
							n, size, addr, err := b.ReadSegments(buf)
							if err != nil || net.UDPAddrFromAddrPort(addr).String() != from {
								t.Fatalf("%+v: ReadSegments from %v, %v, want %v", tt, addr, err, from)
							}
							if !offload && size != n {
								t.Errorf("%+v: %d bytes in parts of %d without offload", tt, n, size)
							}
							got = append(got, conntest.CutUp(buf[:n], max(size, 1))...)
							if len(got) == len(want) {
								if diff := cmp.Diff(want, got); diff != "" {
									t.Errorf("%+v: received (-want +got):\n%s", tt, diff)
								}
							}
						}
					}
				})
			}
		}
	}
}

// The kernel gets as many datagrams at once as it takes.
func TestWriteSegmentsJoins(t *testing.T) {
	socktest.NeedSizes(t)
	type datagram struct{ N, Size int }
	most := socktest.NeedMerging(t)
	a, b := conntest.OpenUDP(t, "udp4"), conntest.Offloading(t, "udp4")
	conntest.LimitTime(t, a)
	for _, tt := range []struct {
		length, size int
		want         []datagram
	}{
		{300, 100, []datagram{{300, 100}}},
		{250, 100, []datagram{{250, 100}}},
		{100, 100, []datagram{{100, 0}}},
		{most*10 + 10, 10, []datagram{{most * 10, 10}, {10, 0}}},
		{65473, 32736, []datagram{{65472, 32736}, {1, 0}}},
	} {
		if n, err := a.WriteSegments(make([]byte, tt.length), tt.size, b.LocalAddr().(*net.UDPAddr).AddrPort()); n != tt.length || err != nil {
			t.Fatalf("%+v: WriteSegments = %d, %v", tt, n, err)
		}
		var got []datagram
		for range tt.want {
			n, size := conntest.RawReceive(t, b)
			got = append(got, datagram{n, size})
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v: datagrams in the kernel (-want +got):\n%s", tt, diff)
		}
	}
}

// What does not fit comes next, through whatever method; only a part of a datagram is
// lost, and that is reported.
func TestReadSegmentsLittleRoom(t *testing.T) {
	socktest.NeedSizes(t)
	for _, offload := range []bool{false, true} {
		t.Run(fmt.Sprintf("offload=%v", offload), func(t *testing.T) {
			a, b := conntest.OpenUDP(t, "udp4"), conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, "udp4")
			conntest.LimitTime(t, a, b)
			out := noise(1050)
			if _, err := a.WriteSegments(out, 100, b.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
				t.Fatal(err)
			}
			parts := conntest.CutUp(out, 100)
			got, size, addr, err := readSegments(b, 40)
			if got != parts[0][:40] || size != 40 || addr.String() != a.LocalAddr().String() || !errors.Is(err, io.ErrShortBuffer) {
				t.Errorf("ReadSegments = %d bytes in parts of %d from %v, %v, want 40, 40, %v, a short buffer", len(got), size, addr, err, a.LocalAddr())
			}
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "read" {
				t.Errorf("error %#v, want one of read", err)
			}
			var rest []string
			for _, room := range []int{100, 199, 350} {
				got, size, _, err := readSegments(b, room)
				if err != nil || size != 100 || len(got) > room/100*100 {
					t.Fatalf("ReadSegments into %d = %d bytes in parts of %d, %v", room, len(got), size, err)
				}
				rest = append(rest, conntest.CutUp([]byte(got), 100)...)
			}
			n, flags, oob := 0, 0, make([]byte, 100)
			buf := make([]byte, 30)
			if n, _, flags, size, _, err = b.ReadMsgSegments(buf, oob); n != 30 || flags&syscall.MSG_TRUNC == 0 || size != 30 || err != nil {
				t.Errorf("ReadMsgSegments = %d, flags %#x, parts of %d, %v, want 30, MSG_TRUNC, 30", n, flags, size, err)
			}
			rest = append(rest, parts[1+len(rest)])
			for len(rest) < len(parts)-1 {
				buf := make([]byte, 200)
				n, err := b.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				rest = append(rest, string(buf[:n]))
			}
			if diff := cmp.Diff(parts[1:], rest); diff != "" {
				t.Errorf("received (-want +got):\n%s", diff)
			}
		})
	}
}

func readSegments(c *UDPConn, room int) (string, int, netip.AddrPort, error) {
	b := make([]byte, room)
	n, size, addr, err := c.ReadSegments(b)
	return string(b[:n]), size, addr, err
}

// Control data go with each datagram, and come once for those merged.
func TestSegmentsControlData(t *testing.T) {
	socktest.NeedSizes(t)
	socktest.NeedTOS(t, "udp4")
	for _, room := range []int{1 << 16, 1000} {
		for _, offload := range []bool{false, true} {
			t.Run(fmt.Sprintf("offload=%v/room=%d", offload, room), func(t *testing.T) {
				a, b := conntest.OpenUDP(t, "udp4"), conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, "udp4")
				conntest.LimitTime(t, a, b)
				conntest.SetOptions(t, b, sockopt.ReceiveTOS, sockopt.ReceivePacketInfo)
				want := PacketInfo{TOS: 2, HasTOS: true}
				out := noise(500)
				if n, err := a.WriteMsgSegments(out, want.Append(nil), 100, b.LocalAddr().(*net.UDPAddr).AddrPort()); n != len(out) || err != nil {
					t.Fatalf("WriteMsgSegments = %d, %v", n, err)
				}
				buf, oob := make([]byte, room), make([]byte, PacketInfoLen)
				for left := 500; left > 0; {
					n, oobn, flags, size, _, err := b.ReadMsgSegments(buf, oob)
					if err != nil || flags != 0 || size != 100 {
						t.Fatalf("ReadMsgSegments: flags %#x, size %d, %v", flags, size, err)
					}
					p, err := ParsePacketInfo(oob[:oobn])
					if err != nil || p.TOS != 2 || p.Destination != b.LocalAddr().(*net.UDPAddr).AddrPort().Addr() {
						t.Errorf("control data %+v, %v", p, err)
					}
					left -= n
				}
				// Too little room for control data is told.
				if _, err := a.WriteSegments(out[:200], 100, b.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
					t.Fatal(err)
				}
				if _, _, flags, _, _, err := b.ReadMsgSegments(buf, nil); err != nil || flags&syscall.MSG_CTRUNC == 0 {
					t.Errorf("without room: flags %#x, %v, want MSG_CTRUNC", flags, err)
				}
			})
		}
	}
}

// Where the kernel refuses to cut up, datagrams are sent singly, once each.
func TestWriteSegmentsFallsBack(t *testing.T) {
	socktest.NeedSizes(t)
	for _, count := range []int{10, 64, 100, 200} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			a, b := conntest.OpenUDP(t, "udp4"), conntest.Offloading(t, "udp4")
			conntest.LimitTime(t, a)
			if err := sockopt.NoCheck.Set(a, true); err != nil {
				t.Fatal(err)
			}
			out := noise(20 * count)
			to := b.LocalAddr().(*net.UDPAddr).AddrPort()
			for range 2 {
				if n, err := a.WriteSegments(out, 20, to); n != len(out) || err != nil {
					t.Fatalf("WriteSegments = %d, %v", n, err)
				}
				in := conntest.RoomFor(count, 30)
				conntest.ReceiveBatch(t, b, in)
				if diff := cmp.Diff(conntest.CutUp(out, 20), conntest.TextsOf(in)); diff != "" {
					t.Errorf("received (-want +got):\n%s", diff)
				}
			}
			sockopt.NoCheck.Set(a, false)
			most := socktest.NeedMerging(t)
			other := conntest.Offloading(t, "udp4")
			a.WriteSegments(out, 20, other.LocalAddr().(*net.UDPAddr).AddrPort())
			if n, size := conntest.RawReceive(t, other); n != 20*min(count, most) || size != 20 {
				t.Errorf("to another peer %d bytes in parts of %d were sent, want %d in parts of 20", n, size, 20*min(count, most))
			}
		})
	}
}

// An error in the middle tells where: what is before it was sent.
func TestWriteSegmentsRefused(t *testing.T) {
	first := 10 * socktest.Segments(t)
	out := make([]byte, 1290) // at least two pieces
	a, n, err := conntest.Refused(t, &Dialer{}, len(out), func(c *UDPConn) (int, error) { return c.WriteSegments(out, 10, netip.AddrPort{}) })
	if n != first || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("WriteSegments = %d, %v, want %d, ECONNREFUSED", n, err, first)
	}
	if n, err := a.WriteSegments([]byte("x"), 1, netip.AddrPort{}); n != 1 || err != nil {
		t.Errorf("WriteSegments again = %d, %v, want 1, nil", n, err)
	}
}

func TestSegmentsBadInput(t *testing.T) {
	a := conntest.OpenUDP(t, "udp4")
	to := a.LocalAddr().(*net.UDPAddr).AddrPort()
	for _, tt := range []struct {
		name string
		size int
		addr netip.AddrPort
		want error
	}{
		{"size 0", 0, to, syscall.EINVAL},
		{"negative size", -1, to, syscall.EINVAL},
		{"no address", 1, netip.AddrPort{}, nil}, // package net's error has no number
		{"port 0", 1, netip.AddrPortFrom(to.Addr(), 0), syscall.EINVAL},
		{"too long", 65508, to, syscall.EMSGSIZE},
	} {
		n, err := a.WriteSegments(make([]byte, 70000), tt.size, tt.addr)
		var op *net.OpError
		if n != 0 || !errors.As(err, &op) || op.Op != "write" {
			t.Errorf("%s: WriteSegments = %d, %v, want 0, an error of write", tt.name, n, err)
		}
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	var arg *ArgumentError
	if _, err := a.WriteSegments(nil, 0, to); !errors.As(err, &arg) || arg.Arg != "size" {
		t.Errorf("size 0: %v, want an ArgumentError of it", err)
	}
	c := conntest.ConnectUDP(t, &Dialer{}, "udp4", a.LocalAddr())
	if _, err := c.WriteSegments([]byte("x"), 1, to); !errors.Is(err, net.ErrWriteToConnected) {
		t.Errorf("connected: %v, want net.ErrWriteToConnected", err)
	}
	c.SetDeadline(time.Unix(1, 0))
	if _, err := c.WriteSegments([]byte("x"), 1, netip.AddrPort{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: WriteSegments: %v", err)
	}
	if n, size, addr, err := c.ReadSegments(make([]byte, 10)); n != 0 || size != 0 || addr.IsValid() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: ReadSegments = %d, %d, %v, %v", n, size, addr, err)
	}
	c.Close()
	if _, err := c.WriteSegments([]byte("x"), 1, netip.AddrPort{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: WriteSegments: %v", err)
	}
	if _, _, _, err := c.ReadSegments(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: ReadSegments: %v", err)
	}
	zero := new(UDPConn)
	if _, err := zero.WriteSegments(nil, 1, to); err != syscall.EINVAL {
		t.Errorf("zero value: WriteSegments: %v", err)
	}
	if _, _, _, err := zero.ReadSegments(nil); err != syscall.EINVAL {
		t.Errorf("zero value: ReadSegments: %v", err)
	}
}

func TestSegmentsAllocateNothing(t *testing.T) {
	socktest.NeedSizes(t)
	if socktest.Race {
		t.Skip("the race detector allocates")
	}
	for _, offload := range []bool{false, true} {
		a, b := conntest.OpenUDP(t, "udp4"), conntest.OpenUDPWith(t, &ListenConfig{Offload: offload}, "udp4")
		conntest.LimitTime(t, a, b)
		to := b.LocalAddr().(*net.UDPAddr).AddrPort()
		for _, room := range []int{1 << 16, 2000} {
			out, in := make([]byte, 6000), make([]byte, room)
			got := testing.AllocsPerRun(50, func() {
				if _, err := a.WriteSegments(out, 1000, to); err != nil {
					t.Fatal(err)
				}
				for left := len(out); left > 0; {
					n, _, _, err := b.ReadSegments(in)
					if err != nil {
						t.Fatal(err)
					}
					left -= n
				}
			})
			if got > 0 {
				t.Errorf("offload=%v, room for %d: %v allocations, want none", offload, room, got)
			}
		}
	}
}

// A datagram begun with More is ended by the first segment.
func TestWriteSegmentsBehindMore(t *testing.T) {
	socktest.NeedSizes(t)
	a, b := conntest.OpenUDP(t, "udp4"), conntest.Offloading(t, "udp4")
	conntest.LimitTime(t, a)
	if _, err := a.SendTo([]byte("0"), b.LocalAddr(), MsgMore); err != nil {
		t.Fatal(err)
	}
	if n, err := a.WriteSegments([]byte("123456"), 2, b.LocalAddr().(*net.UDPAddr).AddrPort()); n != 6 || err != nil {
		t.Fatalf("WriteSegments = %d, %v", n, err)
	}
	in := conntest.RoomFor(3, 10)
	conntest.ReceiveBatch(t, b, in)
	if diff := cmp.Diff([]string{"012", "34", "56"}, conntest.TextsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

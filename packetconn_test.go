//go:build linux

package sockets_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// TestPacketConnWriteTo gives wrong destinations in every state: which error comes
// first is as for the types of package net.
func TestPacketConnWriteTo(t *testing.T) {
	socktest.NeedNetlink(t)
	long := &sockets.RawAddr{Family: unix.AF_NETLINK, Data: make([]byte, 127)}
	kernel := &sockets.NetlinkAddr{}
	c := conntest.RouteSocket(t)
	_, err := c.WriteTo([]byte("x"), nil)
	socktest.WantError(t, err, "write", socktest.ErrMissingAddress)
	_, err = c.WriteTo([]byte("x"), (*sockets.NetlinkAddr)(nil))
	socktest.WantError(t, err, "write", socktest.ErrMissingAddress)
	_, err = c.WriteTo([]byte("x"), long)
	socktest.WantError(t, err, "write", syscall.EINVAL)
	socktest.Check(t, c.SetWriteDeadline(time.Unix(1, 0)))
	_, err = c.WriteTo([]byte("x"), kernel)
	socktest.WantError(t, err, "write", os.ErrDeadlineExceeded)
	_, err = c.WriteTo([]byte("x"), long)
	socktest.WantError(t, err, "write", syscall.EINVAL)
	socktest.Check(t, c.Close())
	_, err = c.WriteTo([]byte("x"), kernel)
	socktest.WantError(t, err, "write", net.ErrClosed)

	s, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	socktest.Check(t, err)
	p, err := s.Connect(t.Context(), kernel)
	socktest.Check(t, err)
	socktest.CloseLater(t, p)
	for _, addr := range []net.Addr{nil, long, kernel} {
		_, err = p.(net.PacketConn).WriteTo([]byte("x"), addr)
		socktest.WantError(t, err, "write", net.ErrWriteToConnected)
	}
}

// TestPacketConnReads asks the kernel for its interfaces, one message and several at a
// time: what is read comes from the kernel, and after Close nothing does.
func TestPacketConnReads(t *testing.T) {
	c := conntest.RouteSocket(t)
	request := func() {
		t.Helper()
		conntest.NetlinkRequest(t, c, unix.RTM_GETLINK, unix.NLM_F_DUMP, make([]byte, unix.SizeofIfInfomsg))
	}
	wantLinks := func(b []byte, from net.Addr) {
		t.Helper()
		if a, ok := from.(*sockets.NetlinkAddr); !ok || *a != (sockets.NetlinkAddr{}) {
			t.Errorf("from %v, want the kernel", from)
		}
		ms, err := syscall.ParseNetlinkMessage(b)
		if err != nil || len(ms) == 0 || ms[0].Header.Type != unix.RTM_NEWLINK {
			t.Errorf("%d messages, %v, want interfaces", len(ms), err)
		}
	}
	b := make([]byte, 1<<16)
	request()
	n, from, err := c.ReadFrom(b)
	socktest.Check(t, err)
	wantLinks(b[:n], from)
	socktest.Check(t, conntest.Replies(t, c, func(syscall.NetlinkMessage) {})) // the others

	request()
	ms := conntest.RoomFor(2, 1<<16)
	k, err := c.ReadBatch(ms, 0)
	if k < 1 || err != nil {
		t.Fatalf("ReadBatch: %d, %v", k, err)
	}
	wantLinks(ms[0].Buffers[0][:ms[0].N], ms[0].Addr)

	socktest.Check(t, c.SetReadDeadline(time.Unix(1, 0)))
	_, from, err = c.ReadFrom(b)
	socktest.WantError(t, err, "read", os.ErrDeadlineExceeded)
	if from != nil {
		t.Errorf("from %v together with an error", from)
	}
	socktest.Check(t, c.Close())
	_, _, err = c.ReadFrom(b)
	socktest.WantError(t, err, "read", net.ErrClosed)
}

// TestPacketConnWriteBatch sends two requests at once, to the kernel as it is asked and
// as the peer that there may be.
func TestPacketConnWriteBatch(t *testing.T) {
	socktest.NeedInterfaces(t) // which come by the same protocol
	socktest.NeedNetlink(t)
	s, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	socktest.Check(t, err)
	connected, err := s.Connect(t.Context(), &sockets.NetlinkAddr{})
	socktest.Check(t, err)
	socktest.CloseLater(t, connected)
	socktest.Check(t, connected.SetDeadline(time.Now().Add(2*time.Minute)))
	for _, tt := range []struct {
		c  *sockets.PacketConn
		to net.Addr
	}{{conntest.RouteSocket(t), &sockets.NetlinkAddr{}}, {connected.(*sockets.PacketConn), nil}} {
		// What rtnetlink(7) tells about the loopback interface, and that it did.
		ack := make([]byte, unix.NLMSG_HDRLEN+unix.SizeofIfInfomsg)
		binary.NativeEndian.PutUint32(ack, uint32(len(ack)))
		binary.NativeEndian.PutUint16(ack[4:], unix.RTM_GETLINK)
		binary.NativeEndian.PutUint32(ack[unix.NLMSG_HDRLEN+4:], 1) // struct ifinfomsg: the index
		binary.NativeEndian.PutUint16(ack[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
		n, err := tt.c.WriteBatch([]sockets.Message{conntest.MessageTo(ack, tt.to), conntest.MessageTo(ack, tt.to)}, 0)
		if n != 2 || err != nil {
			t.Errorf("WriteBatch to %v: %d, %v, want 2", tt.to, n, err)
			continue
		}
		for range n {
			if err := conntest.Replies(t, tt.c, func(syscall.NetlinkMessage) {}); err != nil {
				t.Errorf("to %v: %v", tt.to, err)
			}
		}
	}
}

// TestPacketConnOfPackets has a connection of packets, which vsock(7) has, be none that
// sends and receives them one by one.
func TestPacketConnOfPackets(t *testing.T) {
	s, err := sockets.NewRaw(unix.AF_VSOCK, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Skip("no vsock: ", err)
	}
	socktest.CloseLater(t, s)
	_, err = s.PacketConn()
	role, ok := errors.AsType[*sockets.RoleError](err)
	const want = "sockets: vsock seqpacket socket, unbound cannot be a packet connection: it is connection-oriented"
	if !ok || role.Error() != want || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("PacketConn: %v, want %s", err, want)
	}
	if s.Type() != unix.SOCK_SEQPACKET {
		t.Error("the Socket is gone")
	}
}

// TestListenConfigPacketInfo receives from every family that a socket serves.
func TestListenConfigPacketInfo(t *testing.T) {
	socktest.NeedPacketInfo(t)
	for _, tt := range []struct{ name, network, listen, from, local string }{
		{"IPv4", "udp4", "0.0.0.0:0", "127.0.0.2", "127.0.0.2"},
		{"IPv6", "udp6", "[::]:0", "::1", "::1"},
		{"both, from IPv6", "udp", "[::]:0", "::1", "::1"},
		{"both, from IPv4", "udp", "[::]:0", "127.0.0.2", "::ffff:127.0.0.2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.network == "udp" && tt.from != "::1" {
				got, err := socktest.Datagram{Network: "udp", Prepare: sockopt.ReceivePacketInfo6.With(true).Apply}.Deliver()
				if err == nil && !socktest.Has(t, got.Control, unix.SOL_IPV6, unix.IPV6_PKTINFO, nil) {
					t.Skip("no IPV6_PKTINFO of IPv4")
				}
			}
			lc := sockets.ListenConfig{PacketInfo: true}
			pc, err := lc.ListenPacket(t.Context(), tt.network, tt.listen)
			if err != nil {
				t.Skip(err)
			}
			defer pc.Close()
			server := pc.(*sockets.UDPConn)
			ap := netip.AddrPortFrom(netip.MustParseAddr(tt.from), uint16(server.LocalAddr().(*net.UDPAddr).Port))
			client := conntest.ConnectUDP(t, &sockets.Dialer{}, "udp", net.UDPAddrFromAddrPort(ap))
			conntest.LimitTime(t, client, server)
			ttl, tos := sockopt.TTL, sockopt.TOS
			if ap.Addr().Is6() {
				ttl, tos = sockopt.UnicastHops, sockopt.TrafficClass
			}
			if err := ttl.Set(client, 7); err != nil {
				t.Fatal(err)
			}
			if err := tos.Set(client, 0x28); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Write([]byte("?")); err != nil {
				t.Fatal(err)
			}
			p, _ := conntest.ReadInfo(t, server)
			local := netip.MustParseAddr(tt.local)
			want := sockets.PacketInfo{Local: local, Destination: local, Interface: p.Interface, TOS: 0x28, HasTOS: true, TTL: 7, HasTTL: true}
			if p != want || p.Interface == 0 {
				t.Errorf("PacketInfo %+v, want %+v", p, want)
			}
		})
	}
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": ""} {
		lc := sockets.ListenConfig{PacketInfo: true}
		if network == "unix" {
			c, err := lc.ListenPacket(t.Context(), "unixgram", address)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			continue
		}
		l, err := lc.Listen(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

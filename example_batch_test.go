package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"slices"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// Many datagrams to one peer, which the kernel handles as one where it can.
func ExampleUDPConn_WriteBatch() {
	lc := sockets.ListenConfig{Offload: true}
	c, err := lc.ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conn := c.(*sockets.UDPConn)

	out := make([]sockets.Message, 100)
	for i := range out {
		out[i].Buffers = [][]byte{fmt.Appendf(nil, "message %03d", i)}
		out[i].Addr = c.LocalAddr()
	}
	for len(out) > 0 {
		n, err := conn.WriteBatch(out, 0)
		if err != nil {
			log.Fatal(err) // out[0] was not sent
		}
		out = out[n:]
	}

	in := make([]sockets.Message, 32) // used again and again
	for i := range in {
		in[i].Buffers = [][]byte{make([]byte, 1500)}
	}
	received, last := 0, ""
	for received < 100 {
		n, err := conn.ReadBatch(in, 0)
		if err != nil {
			log.Fatal(err)
		}
		received += n
		last = string(in[n-1].Buffers[0][:in[n-1].N])
	}
	fmt.Println(received, last)
	// Output: 100 message 099
}

// A server on all addresses answers from the one that it was asked at.
func ExamplePacketInfo() {
	pc, err := sockets.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		log.Fatal(err)
	}
	defer pc.Close()
	server := pc.(*sockets.UDPConn)
	err = sockopt.ReceivePacketInfo.Set(server, true)
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("asked at 127.0.0.1") // as systems without IP_PKTINFO cannot tell
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	_, port, err := net.SplitHostPort(server.LocalAddr().String())
	if err != nil {
		log.Fatal(err)
	}
	client, err := sockets.Dial("udp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("?")); err != nil {
		log.Fatal(err)
	}

	b, oob := make([]byte, 1500), make([]byte, sockets.PacketInfoLen)
	n, oobn, _, from, err := server.ReadMsgUDPAddrPort(b, oob)
	if err != nil {
		log.Fatal(err)
	}
	info, err := sockets.ParsePacketInfo(oob[:oobn])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("asked at", info.Local)
	reply := sockets.PacketInfo{Local: info.Local}.Append(nil)
	if _, _, err := server.WriteMsgUDPAddrPort(b[:n], reply, from); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Read(b); err != nil {
		log.Fatal(err)
	}
	// Output: asked at 127.0.0.1
}

// Four sockets on one port, for a goroutine each.
func ExampleListenConfig_ListenPacketGroup() {
	group, err := new(sockets.ListenConfig).ListenPacketGroup(context.Background(), "udp4", "127.0.0.1:0", 4)
	if err != nil {
		log.Fatal(err)
	}
	same := true
	for _, c := range group {
		defer c.Close()
		same = same && c.LocalAddr().String() == group[0].LocalAddr().String()
	}
	fmt.Println(len(group), same)
	// Output: 4 true
}

func ExampleUDPConn_WriteSegments() {
	lc := sockets.ListenConfig{Offload: true}
	pc, err := lc.ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer pc.Close()
	c, err := sockets.Dial("udp4", pc.LocalAddr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.(*sockets.UDPConn).WriteSegments([]byte("one.two.end"), 4, netip.AddrPort{}); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 65535)
	for left := 11; left > 0; {
		n, size, _, err := pc.(*sockets.UDPConn).ReadSegments(buf)
		if err != nil {
			log.Fatal(err)
		}
		for datagram := range slices.Chunk(buf[:n], size) {
			fmt.Printf("%s\n", datagram)
		}
		left -= n
	}
	// Output:
	// one.
	// two.
	// end
}

//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// Two parts make one datagram.
func ExampleUDPConn_SendTo() {
	a, err := sockets.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	b, err := sockets.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	if _, err := a.SendTo([]byte("one "), b.LocalAddr(), sockets.MsgMore|sockets.MsgDontRoute); err != nil {
		log.Fatal(err)
	}
	if _, err := a.SendTo([]byte("datagram"), b.LocalAddr(), sockets.MsgDontWait|sockets.MsgConfirm); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 64)
	n, from, err := b.ReceiveFrom(buf, 0)
	fmt.Printf("%s %v %v\n", buf[:n], from.String() == a.LocalAddr().String(), err)
	// Output: one datagram true <nil>
}

func ExampleUnixConn_SendTo() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "socket")
	b, err := sockets.ListenPacket("unixgram", name)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	s, err := sockets.New("unixgram")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	a, err := s.PacketConn()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	n, err := a.(*sockets.UnixConn).SendTo([]byte("message"), &net.UnixAddr{Name: name, Net: "unixgram"}, 0)
	fmt.Println(n, err)
	buf := make([]byte, 64)
	n, from, err := b.ReadFrom(buf)
	fmt.Printf("%s %v %v\n", buf[:n], from, err)
	// Output:
	// 7 <nil>
	// message <nil> <nil>
}

// A message that does not fit is an error, unless it stays in the queue.
func ExampleUnixConn_ReceiveFrom() {
	a, b, err := sockets.Pair("unixgram")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if _, err := a.Write([]byte("a message")); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 64)
	n, _, err := b.ReceiveFrom(buf[:4], sockets.MsgPeek)
	fmt.Printf("%q %v\n", buf[:n], errors.Is(err, io.ErrShortBuffer))
	n, _, err = b.ReceiveFrom(buf, 0)
	fmt.Printf("%q %v\n", buf[:n], err)
	_, _, err = b.ReceiveFrom(buf, sockets.MsgDontWait)
	fmt.Println(errors.Is(err, sockets.ErrWouldBlock))
	// Output:
	// "a me" true
	// "a message" <nil>
	// true
}

func ExampleTCPConn_ReceiveFrom() {
	l, err := sockets.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	a, err := sockets.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	b, err := l.AcceptTCP()
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	if _, err := a.SendTo([]byte("hello!"), nil, sockets.MsgOutOfBand); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 5)
	n, _, err := b.ReceiveFrom(buf, sockets.MsgWaitAll)
	fmt.Printf("%s %v\n", buf[:n], err)
	n, _, err = b.ReceiveFrom(buf, sockets.MsgOutOfBand)
	fmt.Printf("%s %v\n", buf[:n], err)
	// Output:
	// hello <nil>
	// ! <nil>
}

func ExampleUDPConn_Disconnect() {
	var peers [2]*sockets.UDPConn
	for i := range peers {
		c, err := sockets.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		peers[i] = c
	}
	c, err := sockets.DialUDP("udp4", nil, peers[0].LocalAddr().(*net.UDPAddr))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	port := c.LocalAddr().(*net.UDPAddr).Port

	if err := c.Disconnect(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.RemoteAddr(), c.LocalAddr().(*net.UDPAddr).Port == port)
	if err := c.Connect(peers[1].LocalAddr()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.RemoteAddr().String() == peers[1].LocalAddr().String())
	// Output:
	// <nil> true
	// true
}

func ExampleTCPConn_CloseWrite() {
	l, err := sockets.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	a, err := sockets.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	b, err := l.AcceptTCP()
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	if _, err := a.Write([]byte("question")); err != nil {
		log.Fatal(err)
	}
	if err := a.CloseWrite(); err != nil {
		log.Fatal(err)
	}
	question, err := io.ReadAll(b)
	fmt.Printf("%s %v\n", question, err)
	if _, err := b.Write([]byte("answer")); err != nil {
		log.Fatal(err)
	}
	if err := b.Close(); err != nil {
		log.Fatal(err)
	}
	answer, err := io.ReadAll(a)
	fmt.Printf("%s %v\n", answer, err)
	// Output:
	// question <nil>
	// answer <nil>
}

func ExampleUnixConn_CloseRead() {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	if err := b.CloseRead(); err != nil {
		log.Fatal(err)
	}
	_, err = b.Read(make([]byte, 1))
	fmt.Println(err)
	// Output: EOF
}

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

// A server on the wildcard address replies from the address to which each datagram was
// sent.
func ExamplePacketInfo() {
	pc, err := sockets.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		log.Fatal(err)
	}
	defer pc.Close()
	server := pc.(*sockets.UDPConn)
	err = sockopt.ReceivePacketInfo.Set(server, true)
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("received at 127.0.0.1") // as systems without IP_PKTINFO cannot tell
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
	fmt.Println("received at", info.Local)
	reply := sockets.PacketInfo{Local: info.Local}.Append(nil)
	if _, _, err := server.WriteMsgUDPAddrPort(b[:n], reply, from); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Read(b); err != nil {
		log.Fatal(err)
	}
	// Output: received at 127.0.0.1
}

// Four sockets share one port, and each has its own goroutine.
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

// A proxy for one connection: data from either side goes to the other, and so does the end
// of the stream, without being copied into this process.
func ExampleCopy() {
	client, front, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	back, server, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	relay := func(dst, src *sockets.UnixConn) error {
		_, err := sockets.Copy(dst, src)
		dst.CloseWrite()
		return err
	}
	go func() {
		defer front.Close()
		defer back.Close()
		answered := make(chan error)
		go func() { answered <- relay(front, back) }()
		if err := relay(back, front); err != nil {
			log.Print(err)
		}
		if err := <-answered; err != nil {
			log.Print(err)
		}
	}()
	go func() {
		question, err := io.ReadAll(server)
		if err != nil {
			log.Print(err)
		}
		fmt.Fprintf(server, "%s world", question)
		server.Close()
	}()

	if _, err := fmt.Fprint(client, "hello"); err != nil {
		log.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		log.Fatal(err)
	}
	answer, err := io.ReadAll(client)
	fmt.Printf("%s %v\n", answer, err)
	// Output: hello world <nil>
}

// Copy obeys the limit, and advances the file's offset by what it has sent.
func ExampleCopy_file() {
	f, err := os.CreateTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.WriteString("hello, world\n"); err != nil {
		log.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		log.Fatal(err)
	}
	a, b, err := sockets.Pair("unix")
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	n, err := sockets.Copy(a, io.LimitReader(f, 5))
	a.Close()
	sent, readErr := io.ReadAll(b)
	if readErr != nil {
		log.Fatal(readErr)
	}
	rest, readErr := io.ReadAll(f)
	if readErr != nil {
		log.Fatal(readErr)
	}
	fmt.Printf("%d %v, sent %q, left %q\n", n, err, sent, rest)
	// Output: 5 <nil>, sent "hello", left ", world\n"
}

// A header and a body from different buffers are sent with one system call, and received
// into different buffers with another.
func ExampleTCPConn_WriteBuffers() {
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	c, err := sockets.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	peer, err := l.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()

	bufs := net.Buffers{[]byte("length: 4\n"), []byte("body")}
	n, err := c.(*sockets.TCPConn).WriteBuffers(&bufs)
	fmt.Println(n, err, len(bufs), "left")

	header, body := make([]byte, 10), make([]byte, 100)
	n, err = peer.(*sockets.TCPConn).ReadBuffers(net.Buffers{header, body})
	fmt.Printf("%d %v %q %q\n", n, err, header, body[:n-10])
	// Output:
	// 14 <nil> 0 left
	// 14 <nil> "length: 4\n" "body"
}

// Records consist of a header of fixed size and a body. On a stream, ReadBuffers may return
// less than both.
func ExampleUnixConn_ReadBuffers() {
	a, b, err := sockets.Pair("unixpacket")
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	for _, body := range []string{"one", "three"} {
		if _, err := a.WriteBuffers(&net.Buffers{{byte(len(body))}, []byte(body)}); err != nil {
			log.Fatal(err)
		}
	}
	size, body := make([]byte, 1), make([]byte, 100)
	for range 2 {
		n, err := b.ReadBuffers(net.Buffers{size, body})
		fmt.Printf("%d %v %d %q\n", n, err, size[0], body[:n-1])
	}
	// Output:
	// 4 <nil> 3 "one"
	// 6 <nil> 5 "three"
}

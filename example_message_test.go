//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"

	"github.com/iolib-go/sockets"
)

// Two parts of one datagram.
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

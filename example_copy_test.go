//go:build linux

package sockets_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/iolib-go/sockets"
)

// A proxy for one connection: what comes from either side goes to the other one,
// and so does its end, without a copy in this process.
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

// A limit is kept, and the file's offset goes on by what was sent.
func ExampleCopy_file() {
	f, err := os.Open("testdata/copy.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
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

// A header and a body from different places go out in one system call, and come
// in into different places by another.
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

// Records of a header of fixed size and a body: ReadBuffers gives what is there,
// which on a stream may be less than both.
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

//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/netip"
	"os"

	"github.com/iolib-go/sockets"
)

// A program that has addresses, from a service registry or from its own resolver, dials
// them as Dial does those of a name: over both families if there are both.
func ExampleDialer_DialAddrs() {
	l, err := sockets.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()

	addrs := []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), port), // which refuses
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port),
	}
	var d sockets.Dialer
	c, err := d.DialAddrs(context.Background(), "tcp", addrs)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.RemoteAddr().(*net.TCPAddr).IP)
	// Output: 127.0.0.1
}

// A program serves and dials in the network namespace of a container without moving
// there itself.
func ExampleDialer_netNS() {
	netns, err := os.Open("/proc/self/ns/net") // or /run/netns/blue, /proc/1234/ns/net
	if err != nil {
		log.Fatal(err)
	}
	defer netns.Close()

	lc := sockets.ListenConfig{NetNS: netns}
	d := sockets.Dialer{NetNS: netns}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if errors.Is(err, fs.ErrPermission) {
		// Without CAP_SYS_ADMIN there is only the namespace of the process.
		lc.NetNS, d.NetNS = nil, nil
		l, err = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(c, "hello from the namespace")
		c.Close()
	}()

	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	fmt.Printf("%s %v\n", b, err)
	// Output: hello from the namespace <nil>
}

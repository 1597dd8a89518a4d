//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/iolib-go/sockets/sockopt"
)

func ExampleOption_Set() {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	udp := c.(*net.UDPConn)

	if err := sockopt.TOS.Set(udp, 0x28); err != nil {
		log.Fatal(err)
	}
	tos, err := sockopt.TOS.Get(udp)
	fmt.Printf("%#x %v\n", tos, err)
	// Output: 0x28 <nil>
}

// An option that a socket does not have is an error that says so.
func ExampleOption_Set_unsupported() {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	err = sockopt.NoDelay.Set(c.(*net.UDPConn), true)
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	if e, ok := errors.AsType[*sockopt.Error](err); ok {
		fmt.Println(e)
	}
	// Output:
	// true
	// TCP_NODELAY on udp4 socket: setsockopt: protocol not available
}

func ExampleOption_Get() {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	reuse, err := sockopt.ReuseAddr.Get(l.(*net.TCPListener))
	fmt.Println(sockopt.ReuseAddr, reuse, err)
	// Output: SO_REUSEADDR true <nil>
}

func ExampleOption_With() {
	settings := []sockopt.Setting{
		sockopt.ReuseAddr.With(true),
		sockopt.Broadcast.With(true),
		sockopt.BindToDevice.With("lo"),
		sockopt.KeepAlive.With(true),
		sockopt.KeepIdle.With(30 * time.Second),
		sockopt.Linger.With(sockopt.LingerConfig{Enable: true, Timeout: 5 * time.Second}),
	}
	for _, s := range settings {
		fmt.Println(s)
	}
	// Output:
	// SO_REUSEADDR=true
	// SO_BROADCAST=true
	// SO_BINDTODEVICE=lo
	// SO_KEEPALIVE=true
	// TCP_KEEPIDLE=30s
	// SO_LINGER=5s
}

func ExampleReadOnlyOption_Get() {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	info, err := sockopt.ConnectionInfo.Get(c.(*net.TCPConn))
	fmt.Println(info.State, info.RTT > 0, err)
	// Output: ESTAB true <nil>
}

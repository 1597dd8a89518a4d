package sockopt_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/sockopt"
)

// Options of package net's own sockets: before bind, afterwards, and an impossible value.
func Example() {
	lc := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
		return sockopt.ReusePort.With(true).Apply(c)
	}}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conn := c.(*net.TCPConn)
	if err := sockopt.UserTimeout.Set(conn, 30*time.Second); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sockopt.UserTimeout.Get(conn))
	info, err := sockopt.ConnectionInfo.Get(conn)
	fmt.Println(info.State, err)

	err = sockopt.KeepIdle.Set(conn, -time.Second)
	var bad *sockopt.ValueError
	fmt.Println(errors.As(err, &bad))
	// Output:
	// 30s <nil>
	// ESTAB <nil>
	// true
}

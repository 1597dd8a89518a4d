package main

import (
	"context"

	"github.com/iolib-go/sockets"
)

func main() {
	l, err := new(sockets.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	c, err := new(sockets.Dialer).Dial("tcp", l.Addr().String())
	if err != nil {
		panic(err)
	}
	c.Close()
	l.Close()
}

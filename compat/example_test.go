package compat_test

import (
	"errors"
	"fmt"
	"io"
	"log"

	net "github.com/iolib-go/sockets/compat"
)

// Only the import of package net changes:
//
//	import net "github.com/iolib-go/sockets/compat"
func Example() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				log.Fatal(err)
			}
			fmt.Fprintf(c, "hello from %s", c.LocalAddr().Network())
			c.Close()
		}
	}()

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	fmt.Println(string(b), err)
	fmt.Println(l.Close())
	// Output:
	// hello from tcp <nil>
	// <nil>
}

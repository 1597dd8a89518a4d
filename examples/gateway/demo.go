package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/iolib-go/sockets"
)

// demoFormat is the format of the host of -demo, as on z/OS.
const demoFormat = "cp1047,nel"

// startDemoHost starts a host that answers each line of EBCDIC with its bytes and with the
// line in upper case, until ctx ends. It knows no other encoding; only the gateway makes
// it understand its clients.
func startDemoHost(ctx context.Context) (net.Addr, error) {
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveDemo(c)
		}
	}()
	return l.Addr(), nil
}

// serveDemo handles bytes by hand, as a program on the host would.
func serveDemo(c net.Conn) {
	defer c.Close()
	ebcdic, err := sockets.ParseFormat(demoFormat)
	if err != nil {
		panic(err) // the name is a constant
	}
	const newLine = 0x15
	var pending []byte
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		pending = append(pending, b[:n]...)
		for {
			line, rest, ok := bytes.Cut(pending, []byte{newLine})
			if !ok {
				break
			}
			pending = rest
			text, _ := ebcdic.AppendDecode(nil, line)
			answer, _ := ebcdic.AppendEncode(nil, fmt.Appendf(nil, "READY. % x IS %s\n", line, strings.ToUpper(string(text))))
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

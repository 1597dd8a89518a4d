package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"

	"github.com/iolib-go/sockets"
)

// crossEncodings has a client that speaks Shift_JIS talk to a server whose code knows
// UTF-8 only.
func crossEncodings(p *progress) error {
	shiftJIS, err := sockets.ParseFormat("shift_jis,crlf,strict")
	if err != nil {
		return err
	}
	lc := sockets.ListenConfig{Format: shiftJIS}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	heard := make(chan string, 1)
	go func() {
		defer close(heard)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		line, err := bufio.NewReader(c).ReadString('\n') // ordinary UTF-8
		if err != nil {
			return
		}
		heard <- line
		fmt.Fprintf(c, "%s、こんにちは\n", line[:len(line)-1])
	}()

	c, err := net.Dial("tcp", l.Addr().String()) // net's connection: bytes as they are
	if err != nil {
		return err
	}
	defer c.Close()
	hello := []byte("\x93\xfa\x96\x7b\x8c\xea\r\n")
	if _, err := c.Write(hello); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadBytes('\n')
	if err != nil {
		return err
	}
	if got := <-heard; got != "日本語\n" {
		return fmt.Errorf("the server read %q", got)
	}
	want := append(bytes.TrimSuffix(hello, []byte("\r\n")), "\x81\x41\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd\r\n"...)
	if !bytes.Equal(answer, want) {
		return fmt.Errorf("the client got % x, want % x", answer, want)
	}
	p.result("sent % x, read 日本語", hello)
	return nil
}

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/iolib-go/sockets"
)

func TestOutputBuffer(t *testing.T) {
	c, s := play(t, "utf-16le", data("a\x00")...)
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, c, "ab")
	wantWire(t, s, "")
	wantRead(t, c, "a") // the peer may be waiting
	wantWire(t, s, "a\x00b\x00")
	mustWrite(t, c, "c")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	wantWire(t, s, "a\x00b\x00c\x00")
	mustWrite(t, c, strings.Repeat("x", 40))
	if got := s.wrote.Len(); got != 6+64 {
		t.Errorf("%d bytes on the wire, want a full buffer", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.wrote.Len(); got != 6+80 {
		t.Errorf("%d bytes on the wire", got)
	}

	c, s = play(t, "shift_jis,strict")
	if err := c.SetBufferSizes(64, 100); err != nil {
		t.Fatal(err)
	}
	n, err := c.Write([]byte("abअ"))
	if n != 2 {
		t.Error(n)
	}
	wantFormatError(t, err, "write", 2, "अ", sockets.ErrUnencodable)
	s.take = []int{1}
	if err := c.Flush(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	mustWrite(t, c, "テ")
	if err := c.CloseWrite(); err != nil {
		t.Error(err)
	}
	wantWire(t, s, "ab\x83e")
}

func TestOutputBufferGoesOutWhileAReaderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		c := sockets.NewTextConn(a, format(t, "utf-16le"))
		defer c.Close()
		if err := c.SetBufferSizes(0, 4096); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := make(chan string)
			go func() {
				p := make([]byte, 10)
				n, err := c.Read(p)
				got <- fmt.Sprintf("%q %v", p[:n], err)
			}()
			synctest.Wait() // the Read waits
			go c.Write([]byte("?"))
			p := make([]byte, 2)
			if _, err := io.ReadFull(b, p); err != nil || string(p) != "?\x00" {
				t.Fatalf("%q, %v", p, err)
			}
			if _, err := b.Write([]byte("!\x00")); err != nil {
				t.Fatal(err)
			}
			if s := <-got; s != `"!" <nil>` {
				t.Error(s)
			}
		}
	})
}

func TestBufferSizesThatCannotWork(t *testing.T) {
	c, _ := play(t, "utf-16")
	for _, sizes := range [][2]int{{-1, 0}, {0, -1}, {1, 0}, {0, 63}} {
		err := c.SetBufferSizes(sizes[0], sizes[1])
		var argument *sockets.ArgumentError
		if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &argument) || argument.Why != "must be 0 or at least 64" {
			t.Errorf("%d: %v", sizes, err)
		}
	}
}

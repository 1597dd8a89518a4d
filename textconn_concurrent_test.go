package sockets_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
)

func TestRule31CloseDoesNotWaitForABlockedWrite(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(a, format(t, "iso-2022-jp"))
	errs := make(chan error, 2)
	go func() {
		_, err := c.Write([]byte("日本"))
		errs <- err
	}()
	go func() {
		_, err := c.Read(make([]byte, 10))
		errs <- err
	}()
	// The Write holds its lock once a byte has come out of it.
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-errs; !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestRule31ReadAndWriteAtOnce(t *testing.T) {
	a, b := net.Pipe()
	f := format(t, "utf-16,crlf")
	ca, cb := sockets.NewTextConn(a, f), sockets.NewTextConn(b, f)
	line := "0123456789 日本語 é\n"
	done := make(chan error, 3)
	go func() { // the echo
		_, err := io.Copy(cb, cb)
		done <- err
	}()
	const lines = 300
	for range 2 {
		go func() {
			for range lines {
				if _, err := io.WriteString(ca, line); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	br := bufio.NewReader(ca)
	for range 2 * lines {
		if got, err := br.ReadString('\n'); got != line || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
		ca.SetReadDeadline(time.Now().Add(time.Minute))
		ca.Offsets()
	}
	ca.Close()
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// lazy takes so long for a Write that whoever waits for the lock gets it next.
type lazy struct{ *script }

func (l lazy) Write(p []byte) (int, error) {
	time.Sleep(3 * time.Millisecond)
	return l.script.Write(p)
}

func TestWriteStringIsOneWrite(t *testing.T) {
	// Strings of more than a block, by several writers, do not mix.
	for _, f := range []string{"utf-16le", "us-ascii"} {
		s := &script{}
		c := sockets.NewTextConn(lazy{s}, format(t, f))
		var wg sync.WaitGroup
		for _, letter := range "abcd" {
			wg.Go(func() { io.WriteString(c, strings.Repeat(string(letter), 200_000)) })
		}
		wg.Wait()
		runs := 1
		wire := strings.ReplaceAll(s.wrote.String(), "\x00", "")
		for i := 1; i < len(wire); i++ {
			if wire[i] != wire[i-1] {
				runs++
			}
		}
		if runs != 4 || len(wire) != 800_000 {
			t.Errorf("%s: %d bytes in %d runs, want 4", f, len(wire), runs)
		}
	}
	// The count is the index of a character that is lacking, wherever it is.
	for at := 64<<10 - 4; at < 64<<10+2; at++ {
		c, _ := play(t, "shift_jis,strict")
		n, err := c.WriteString(strings.Repeat("x", at) + "अyz")
		if n != at {
			t.Errorf("count %d, want %d", n, at)
		}
		wantFormatError(t, err, "write", int64(at), "अ", sockets.ErrUnencodable)
	}
}

func TestWriteDuringCloseIsEncodedOrFails(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	c := sockets.NewTextConn(a, format(t, "utf-16be"))
	if err := c.SetBufferSizes(0, 64); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, c, "ab")
	closed, wrote := make(chan error), make(chan error)
	go func() { closed <- c.Close() }()
	first := make([]byte, 1)
	if _, err := io.ReadFull(b, first); err != nil {
		t.Fatal(err)
	}
	go func() { // while Close is sending
		_, err := c.Write([]byte("xyz"))
		wrote <- err
	}()
	rest, err := io.ReadAll(b)
	if err != nil || len(rest)%2 != 1 || string(rest[:3]) != "a\x00b" {
		t.Errorf("% x, %v", rest, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	<-wrote
	for _, p := range []string{"x", ""} {
		if _, err := c.Write([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Write(%q) of a closed connection: %v", p, err)
		}
		if _, err := c.Raw().Write([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("raw Write(%q) of a closed connection: %v", p, err)
		}
		if _, err := c.Raw().Read([]byte(p)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("raw Read(%q) of a closed connection: %v", p, err)
		}
	}
}

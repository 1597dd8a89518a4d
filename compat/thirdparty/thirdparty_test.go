// Package thirdparty runs real libraries over the sockets of package compat,
// which it imports in the place of net as any program would.
//
// Each test fails if a connection was not of package sockets, or if none was.
package thirdparty_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	net "github.com/iolib-go/sockets/compat"
)

// ours fails the test if c, a conn or listener, is not of package sockets.
func ours(t testing.TB, c any) {
	t.Helper()
	const want = "github.com/iolib-go/sockets"
	if typ := reflect.TypeOf(c); typ == nil || typ.Kind() != reflect.Pointer || typ.Elem().PkgPath() != want {
		t.Errorf("%T is not of package sockets", c)
	}
}

// address returns one to listen at: a free port of the loopback or a path.
func address(t testing.TB, network string) string {
	t.Helper()
	switch network {
	case "unix", "unixpacket", "unixgram":
		return filepath.Join(shortDir(t), "s")
	}
	return "127.0.0.1:0"
}

// shortDir returns a new directory whose path leaves room for a socket's name,
// which t.TempDir with a long test name does not.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// listener sees the conns that it accepts.
type listener struct {
	net.Listener
	t        testing.TB
	accepted atomic.Int64
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		ours(l.t, c)
		l.accepted.Add(1)
	}
	return c, err
}

// listen returns a listener that closes with the test. It must accept something.
func listen(t testing.TB, network string) *listener {
	t.Helper()
	l, err := net.Listen(network, address(t, network))
	if err != nil {
		t.Fatal(err)
	}
	ours(t, l)
	watched := &listener{Listener: l, t: t}
	t.Cleanup(func() {
		l.Close()
		if watched.accepted.Load() == 0 {
			t.Errorf("%v accepted no connection", l.Addr())
		}
	})
	return watched
}

// listenPacket returns a conn that closes with the test.
func listenPacket(t testing.TB, network string) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket(network, address(t, network))
	if err != nil {
		t.Fatal(err)
	}
	ours(t, c)
	t.Cleanup(func() { c.Close() })
	return c
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer returns a function for a library to dial with. It must be used.
func dialer(t testing.TB) dialFunc {
	t.Helper()
	var d net.Dialer
	var dialed atomic.Int64
	t.Cleanup(func() {
		if dialed.Load() == 0 {
			t.Error("the library dialed with something else")
		}
	})
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err == nil {
			ours(t, c)
			dialed.Add(1)
		}
		return c, err
	}
}

// dial connects to addr. The conn closes with the test.
func dial(t testing.TB, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	ours(t, c)
	t.Cleanup(func() { c.Close() })
	return c
}

// within bounds what a test waits for, generously: machines are busy.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// inBackground runs serve until the test has ended. What it returns does not
// matter, as ending the test means to close what it serves.
func inBackground(t testing.TB, serve func() error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve()
	}()
	t.Cleanup(func() {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("the server does not end")
		}
	})
}

// payload returns n bytes that tell a lost or a swapped piece.
func payload(n int) []byte {
	b := make([]byte, n)
	io.ReadFull(rand.New(rand.NewSource(1)), b)
	return b
}

// roundTrip sends n bytes over c to a peer that echoes, ends them with
// closeWrite, and compares what comes back.
func roundTrip(t testing.TB, c io.ReadWriter, n int, closeWrite func() error) {
	t.Helper()
	want := payload(n)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		sent <- errors.Join(err, closeWrite())
	}()
	got, err := io.ReadAll(c)
	if err = errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("sent %d bytes, got %d others", len(want), len(got))
	}
}

//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/iolib-go/sockets"
)

func unixPair(t testing.TB, network string) (a, b *UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := filepath.Join(dir, "b")
	if network == "unixgram" {
		if b, err = ListenUnixgram(network, &net.UnixAddr{Name: name, Net: network}); err != nil {
			t.Fatal(err)
		}
		if a, err = ListenUnixgram(network, &net.UnixAddr{Name: filepath.Join(dir, "a"), Net: network}); err != nil {
			t.Fatal(err)
		}
	} else {
		l, err := ListenUnix(network, &net.UnixAddr{Name: name, Net: network})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if a, err = DialUnix(network, nil, &net.UnixAddr{Name: name, Net: network}); err != nil {
			t.Fatal(err)
		}
		if b, err = l.AcceptUnix(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// More messages than the queue of a unix socket holds: WriteBatch waits for room.
func TestBatchUnixgram(t *testing.T) {
	a, b := unixPair(t, "unixgram")
	limitTime(t, a, b)
	const n = 100
	var want []string
	out := make([]Message, n)
	for i := range out {
		s := fmt.Sprint("message ", i)
		want = append(want, s)
		out[i] = message([]byte(s), b.LocalAddr())
	}
	sent := make(chan error, 1)
	go func() {
		n, err := a.WriteBatch(out, 0)
		if err == nil && n < len(out) {
			err = fmt.Errorf("sent %d", n)
		}
		sent <- err
	}()
	in := roomFor(n, 20)
	receiveBatch(t, b, in)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, textsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(a.LocalAddr(), in[n-1].Addr); diff != "" {
		t.Errorf("sender (-want +got):\n%s", diff)
	}
	// Full, and nobody reads.
	n2, err := a.WriteBatch(out, syscall.MSG_DONTWAIT)
	if n2 == 0 || n2 >= n || err != nil {
		t.Errorf("WriteBatch to a full queue = %d, %v", n2, err)
	}
	if _, err := a.WriteBatch(out, syscall.MSG_DONTWAIT); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("WriteBatch to a full queue: %v, want EAGAIN", err)
	}
	a.SetWriteDeadline(time.Now().Add(time.Millisecond))
	if _, err := a.WriteBatch(out, 0); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("WriteBatch to a full queue: %v, want a timeout", err)
	}
	other := []Message{message([]byte("x"), &net.UnixAddr{Name: "x", Net: "unix"})}
	a.SetWriteDeadline(time.Time{})
	if _, err := a.WriteBatch(other, 0); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("WriteBatch to an address of another network: %v", err)
	}
}

func TestBatchUnixConnections(t *testing.T) {
	a, b := unixPair(t, "unixpacket")
	limitTime(t, a, b)
	sendBatch(t, a, []Message{message([]byte("1"), nil), message([]byte("22"), nil)})
	in := roomFor(2, 10)
	receiveBatch(t, b, in)
	if diff := cmp.Diff([]string{"1", "22"}, textsOf(in)); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	a.Close()
	var op *net.OpError
	if n, err := b.ReadBatch(in, 0); n != 0 || !errors.Is(err, io.EOF) || !errors.As(err, &op) {
		t.Errorf("ReadBatch at the end = %d, %v, want EOF with addresses", n, err)
	}

	a, b = unixPair(t, "unix")
	if _, err := a.WriteBatch(in, 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("WriteBatch on a stream: %v", err)
	}
	if _, err := b.ReadBatch(in, 0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("ReadBatch on a stream: %v", err)
	}
}

//go:build linux

package netfd

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// unixgram returns a socket that is bound to local, if that is an address.
func unixgram(t *testing.T, local *sys.Sockaddr) *FD {
	t.Helper()
	s, errno := sys.Socket(sys.AF_UNIX, sys.SOCK_DGRAM, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	fd, err := New(s, Kind{sys.AF_UNIX, sys.SOCK_DGRAM, 0, "unixgram"})
	if err == nil && local.Family() != sys.AF_UNSPEC {
		err = fd.Bind(local)
	}
	if err == nil {
		err = fd.Init()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fd.Close() })
	return fd
}

// TestFullQueueWithProgress sends more than the receiver's queue holds: what went out
// starts the pauses from the beginning, so that they do not grow with the batch.
func TestFullQueueWithProgress(t *testing.T) {
	var to, none sys.Sockaddr
	if errno := to.SetUnixPeer(filepath.Join(t.TempDir(), "b")); errno != 0 {
		t.Fatal(errno)
	}
	a, b := unixgram(t, &none), unixgram(t, &to)
	ms := equalMessages(5000, 1)
	received := make(chan error)
	deadline := time.Now().Add(time.Minute)
	if err := errors.Join(a.SetDeadline(deadline), b.SetDeadline(deadline)); err != nil {
		t.Fatal(err)
	}
	go func() {
		var err error
		for i := 0; i < len(ms) && err == nil; i++ {
			_, err = b.Read(make([]byte, 1))
		}
		received <- err
	}()
	batch := GetBatch(a, ms, 0)
	n, err := batch.Send(func(sa *sys.Sockaddr, _ *FD, _ net.Addr) error { *sa = to; return nil })
	if n != len(ms) || err != nil {
		t.Errorf("%d of %d messages sent: %v", n, len(ms), err)
	}
	if batch.full != 0 {
		t.Errorf("the queue was full %d times in a row, want 0 behind the last message", batch.full)
	}
	batch.Free()
	if t.Failed() {
		b.Close()
	}
	if err := <-received; err != nil {
		t.Error(err)
	}
}

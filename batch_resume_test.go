//go:build linux

package sockets_test

import (
	"testing"

	"golang.org/x/sys/unix"

	. "github.com/iolib-go/sockets"
)

// TestDatagramDontWaitResumes checks that a batch which ended because the queue was
// full says so once: not again when there is room.
func TestDatagramDontWaitResumes(t *testing.T) {
	a, b, err := Pair("unixgram")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	limitTime(t, a, b)
	out := make([]Message, 1000)
	for i := range out {
		out[i] = message([]byte("x"), nil)
	}
	sent, _ := a.WriteBatch(out, unix.MSG_DONTWAIT)
	if sent == 0 || sent == len(out) {
		t.Fatalf("%d of %d messages sent, want a part", sent, len(out))
	}
	for range sent {
		if _, err := b.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := a.WriteBatch(out[:1], unix.MSG_DONTWAIT); n != 1 || err != nil {
		t.Errorf("with room again: %d, %v", n, err)
	}
}

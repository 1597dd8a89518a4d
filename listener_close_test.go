package sockets_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
)

// TestAcceptWithClosed has a closed listener say so, however little time there is.
func TestAcceptWithClosed(t *testing.T) {
	l, err := sockets.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 100 { // which of two ready cases a select takes is random
		for _, timeout := range []time.Duration{-1, 1, time.Hour} {
			if _, err := l.AcceptWith(sockets.AcceptConfig{Timeout: timeout}); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("Timeout %d: %v, want net.ErrClosed", timeout, err)
			}
		}
	}
}

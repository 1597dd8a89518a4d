//go:build unix

package upgrade

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
)

// TestAcceptorTakesTheQueue stops with connections in the kernel's queue.
func TestAcceptorTakesTheQueue(t *testing.T) {
	const clients = 5
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = "" // a name that the kernel chooses
			}
			l, err := sockets.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			a := &acceptor{Listener: l}
			for range clients {
				c, err := sockets.Dial(network, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
			a.stop(time.Minute)
			for i := range clients {
				c, err := a.Accept()
				if err != nil {
					t.Fatalf("Accept %d: %v", i, err)
				}
				c.Close()
			}
			if _, err := a.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept of an empty queue: got %v, want net.ErrClosed", err)
			}
		})
	}
}

// TestAcceptorWakes stops while Accept waits.
func TestAcceptorWakes(t *testing.T) {
	listeners := map[string]func() (net.Listener, error){
		"sockets": func() (net.Listener, error) { return sockets.Listen("tcp", "127.0.0.1:0") },
		"net":     func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		"other": func() (net.Listener, error) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			return struct{ net.Listener }{l}, err
		},
	}
	for name, listen := range listeners {
		t.Run(name, func(t *testing.T) {
			l, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			a := &acceptor{Listener: l}
			woken := make(chan error, 1)
			go func() {
				_, err := a.Accept()
				woken <- err
			}()
			time.Sleep(10 * time.Millisecond) // so that it probably waits
			a.stop(time.Minute)
			if err := <-woken; !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: got %v, want net.ErrClosed", err)
			}
		})
	}
}

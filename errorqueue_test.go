//go:build linux

package sockets_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

func TestReadErrorQueue(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			gone, c := conntest.OpenUDP(t, network), conntest.OpenUDP(t, network)
			conntest.LimitTime(t, c)
			option := sockopt.ReceiveError
			if network == "udp6" {
				option = sockopt.ReceiveError6
			}
			conntest.SetOptions(t, c, option)
			b := make([]byte, 100)
			if _, _, err := c.ReadErrorQueue(b); !errors.Is(err, syscall.EAGAIN) {
				t.Errorf("ReadErrorQueue of an empty queue: %v, want EAGAIN", err)
			}
			to := gone.LocalAddr().(*net.UDPAddr)
			gone.Close()
			if _, err := c.WriteTo([]byte("hello"), to); err != nil {
				t.Fatal(err)
			}
			// The report wakes readers, and stays in the queue.
			if _, _, err := c.ReadFrom(b); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("ReadFrom: %v, want ECONNREFUSED", err)
			}
			n, report, err := c.ReadErrorQueue(b)
			if err != nil {
				t.Fatal(err)
			}
			want := QueuedError{Addr: to.AddrPort(), Err: syscall.ECONNREFUSED, Origin: QueuedICMP, Reporter: to.AddrPort().Addr(), Type: 3, Code: 3}
			if network == "udp6" {
				want.Origin, want.Type, want.Code = QueuedICMP6, 1, 4
			}
			want.Addr = netip.AddrPortFrom(want.Addr.Addr().Unmap(), want.Addr.Port())
			want.Reporter = want.Reporter.Unmap()
			if *report != want || string(b[:n]) != "hello" {
				t.Errorf("report %+v about %q, want %+v about hello", *report, b[:n], want)
			}
			if !errors.Is(report, syscall.ECONNREFUSED) {
				t.Errorf("%v does not match ECONNREFUSED", report)
			}
			c.Close()
			if _, _, err := c.ReadErrorQueue(b); !errors.Is(err, net.ErrClosed) {
				t.Errorf("ReadErrorQueue after Close: %v", err)
			}
		})
	}
	if _, _, err := new(UDPConn).ReadErrorQueue(nil); err != syscall.EINVAL {
		t.Errorf("ReadErrorQueue of the zero value: %v", err)
	}
}

// A reader that waits for datagrams does not keep reports from being read.
func TestReadErrorQueueBesideReader(t *testing.T) {
	gone, c := conntest.OpenUDP(t, "udp4"), conntest.OpenUDP(t, "udp4")
	conntest.SetOptions(t, c, sockopt.ReceiveError)
	to := gone.LocalAddr()
	gone.Close()
	done := make(chan error)
	go func() {
		_, _, err := c.ReadFrom(make([]byte, 10))
		done <- err
	}()
	conntest.WaitBlocked(t, c)
	if _, _, err := c.ReadErrorQueue(nil); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("ReadErrorQueue: %v, want EAGAIN", err)
	}
	if _, err := c.WriteTo([]byte("x"), to); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the reader got %v, want ECONNREFUSED", err)
	}
}

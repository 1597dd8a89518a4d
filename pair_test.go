//go:build linux

package sockets_test

import (
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

func TestPair(t *testing.T) {
	for _, network := range []string{"unix", "unixgram", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			a, b, err := sockets.Pair(network)
			socktest.Check(t, err)
			socktest.CloseLater(t, a)
			socktest.CloseLater(t, b)
			for _, addr := range []net.Addr{a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr()} {
				if diff := cmp.Diff(&net.UnixAddr{Name: "@", Net: network}, addr); diff != "" {
					t.Errorf("address (-want +got):\n%s", diff)
				}
			}
			_, err = a.WriteTo([]byte("x"), &net.UnixAddr{Name: "@x", Net: network})
			socktest.WantError(t, err, "write", net.ErrWriteToConnected)
			messages := []string{"one", "two"}
			for _, m := range messages {
				_, err := a.Write([]byte(m))
				socktest.Check(t, err)
			}
			if network == "unix" {
				messages = []string{"onetwo"}
			}
			for _, m := range messages {
				conntest.WantMessage(t, b, m)
			}
			socktest.Check(t, a.Close())
			if network == "unixgram" {
				_, err = b.Write([]byte("x"))
				socktest.WantError(t, err, "write", syscall.ECONNREFUSED)
			} else if _, err = b.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("Read after the other end closed: %v, want EOF", err)
			}
		})
	}
}

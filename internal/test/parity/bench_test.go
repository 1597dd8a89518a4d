package parity

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/iolib-go/sockets/internal/socktest"
)

// benchmark runs f over a connection of package net and one of this package.
func benchmark(b *testing.B, f func(b *testing.B, dialed, accepted net.Conn)) {
	for _, network := range []string{"tcp", "unix"} {
		for _, im := range []*impl{netImpl, sockImpl} {
			b.Run(fmt.Sprintf("impl=%s/network=%s", im.name, network), func(b *testing.B) {
				l := benchListener(b, im, network)
				dialed, err := im.dial(network, l.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				defer dialed.Close()
				accepted, err := l.Accept()
				if err != nil {
					b.Fatal(err)
				}
				defer accepted.Close()
				b.ReportAllocs()
				f(b, dialed, accepted)
			})
		}
	}
}

func benchListener(b *testing.B, im *impl, network string) net.Listener {
	b.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = socktest.ShortDir(b) + "/l"
	}
	l, err := im.listen(network, address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

// BenchmarkPingPong sends 64 bytes there and back; both ends wait in the poller.
func BenchmarkPingPong(b *testing.B) {
	benchmark(b, func(b *testing.B, dialed, accepted net.Conn) {
		done := make(chan error, 1)
		go func() {
			buf := make([]byte, 64)
			for {
				if _, err := io.ReadFull(accepted, buf); err != nil {
					done <- err
					return
				}
				if _, err := accepted.Write(buf); err != nil {
					done <- err
					return
				}
			}
		}()
		buf := make([]byte, 64)
		b.SetBytes(2 * int64(len(buf)))
		for b.Loop() {
			if _, err := dialed.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(dialed, buf); err != nil {
				b.Fatal(err)
			}
		}
		dialed.Close()
		if err := <-done; err != io.EOF && !errors.Is(err, net.ErrClosed) {
			b.Error(err)
		}
	})
}

// BenchmarkWriteRead sends 64 bytes and takes them, without waiting.
func BenchmarkWriteRead(b *testing.B) {
	benchmark(b, func(b *testing.B, dialed, accepted net.Conn) {
		buf := make([]byte, 64)
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			if _, err := dialed.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(accepted, buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBulk sends one way, 64 KiB at a time.
func BenchmarkBulk(b *testing.B) {
	benchmark(b, func(b *testing.B, dialed, accepted net.Conn) {
		done := make(chan error, 1)
		go func() {
			buf := make([]byte, 64<<10)
			for {
				if _, err := accepted.Read(buf); err != nil {
					done <- err
					return
				}
			}
		}()
		buf := make([]byte, 64<<10)
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			if _, err := dialed.Write(buf); err != nil {
				b.Fatal(err)
			}
		}
		dialed.Close()
		if err := <-done; err != io.EOF {
			b.Error(err)
		}
	})
}

// BenchmarkAccept dials, accepts and closes both ends.
func BenchmarkAccept(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		for _, im := range []*impl{netImpl, sockImpl} {
			b.Run(fmt.Sprintf("impl=%s/network=%s", im.name, network), func(b *testing.B) {
				l := benchListener(b, im, network)
				b.ReportAllocs()
				for b.Loop() {
					c, err := im.dial(network, l.Addr().String())
					if err != nil {
						b.Fatal(err)
					}
					s, err := l.Accept()
					if err != nil {
						b.Fatal(err)
					}
					// A reset, so that no port is left waiting.
					if tc, ok := c.(tcpConn); ok {
						tc.SetLinger(0)
					}
					c.Close()
					s.Close()
				}
			})
		}
	}
}

// BenchmarkUDP sends a datagram to the socket itself and takes it.
func BenchmarkUDP(b *testing.B) {
	for _, im := range []*impl{netImpl, sockImpl} {
		b.Run("impl="+im.name, func(b *testing.B) {
			c, err := im.listenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			self := c.LocalAddr().(*net.UDPAddr).AddrPort()
			buf := make([]byte, 64)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.WriteToUDPAddrPort(buf, self); err != nil {
					b.Fatal(err)
				}
				if _, _, err := c.ReadFromUDPAddrPort(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

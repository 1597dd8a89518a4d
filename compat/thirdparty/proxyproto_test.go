package thirdparty_test

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pires/go-proxyproto"

	net "github.com/iolib-go/sockets/compat"
)

func TestProxyProtocol(t *testing.T) {
	for name, version := range map[string]byte{"text": 1, "binary": 2} {
		t.Run(name, func(t *testing.T) {
			inner := listen(t, "tcp")
			l := &proxyproto.Listener{Listener: inner}
			source := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1234}
			inBackground(t, func() error {
				c, err := l.Accept()
				if err != nil {
					return err
				}
				defer c.Close()
				ours(t, c.(*proxyproto.Conn).Raw())
				if diff := cmp.Diff(source.String(), c.RemoteAddr().String()); diff != "" {
					t.Errorf("remote address mismatch (-want +got):\n%s", diff)
				}
				_, err = io.Copy(c, c)
				return err
			})

			c := dial(t, inner.Addr())
			destination := &net.TCPAddr{IP: net.IPv4(198, 51, 100, 1), Port: 443}
			if _, err := proxyproto.HeaderProxyFromAddrs(version, source, destination).WriteTo(c); err != nil {
				t.Fatal(err)
			}
			roundTrip(t, c, 1<<20, c.(*net.TCPConn).CloseWrite)
		})
	}
}

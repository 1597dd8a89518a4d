//go:build linux

package thirdparty_test

import (
	"errors"
	"io"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	net "github.com/iolib-go/sockets/compat"
)

// quicConn counts the control messages that quic-go sends along.
type quicConn struct {
	*sockets.UDPConn
	segmented, marked, sourced atomic.Int64
}

func (c *quicConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range messages {
		switch [2]int32{m.Header.Level, m.Header.Type} {
		case [2]int32{unix.IPPROTO_UDP, unix.UDP_SEGMENT}:
			c.segmented.Add(1)
		case [2]int32{unix.IPPROTO_IP, unix.IP_TOS}, [2]int32{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}:
			c.marked.Add(1)
		case [2]int32{unix.IPPROTO_IP, unix.IP_PKTINFO}, [2]int32{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO}:
			c.sourced.Add(1)
		}
	}
	return c.UDPConn.WriteMsgUDP(b, oob, addr)
}

// option returns the value of a socket option that quic-go may have set.
func (c *quicConn) option(t *testing.T, level, name int) int {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var value int
	var optErr error
	err = raw.Control(func(fd uintptr) { value, optErr = unix.GetsockoptInt(int(fd), level, name) })
	if err := errors.Join(err, optErr); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestQUIC(t *testing.T) {
	tests := []struct {
		network, server string
		level           int
		tos, pktinfo    int
	}{
		{"udp4", "127.0.0.1", unix.IPPROTO_IP, unix.IP_RECVTOS, unix.IP_PKTINFO},
		{"udp6", "::1", unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, unix.IPV6_RECVPKTINFO},
		{"udp", "127.0.0.1", unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, unix.IPV6_RECVPKTINFO},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			serverConfig, clientConfig := tlsConfigs(t)
			serverConfig.NextProtos = []string{"echo"}
			clientConfig.NextProtos = []string{"echo"}

			serverConn, serverTransport := newQUICTransport(t, tt.network)
			l, err := serverTransport.Listen(serverConfig, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			ctx := within(t)
			inBackground(t, func() error {
				conn, err := l.Accept(ctx)
				if err != nil {
					return err
				}
				stream, err := conn.AcceptStream(ctx)
				if err != nil {
					t.Error(err)
					return err
				}
				_, err = io.Copy(stream, stream)
				return errors.Join(err, stream.Close())
			})

			clientConn, clientTransport := newQUICTransport(t, tt.network)
			addr := &net.UDPAddr{IP: net.ParseIP(tt.server), Port: serverConn.LocalAddr().(*net.UDPAddr).Port}
			conn, err := clientTransport.Dial(ctx, addr, clientConfig, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.CloseWithError(0, "") })
			stream, err := conn.OpenStreamSync(ctx)
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, stream, 4<<20, stream.Close)

			for side, c := range map[string]*quicConn{"server": serverConn, "client": clientConn} {
				if c.option(t, tt.level, tt.tos) != 1 {
					t.Errorf("%s: congestion marks are not received", side)
				}
				if c.option(t, tt.level, tt.pktinfo) != 1 {
					t.Errorf("%s: destinations are not received", side)
				}
				if c.marked.Load() == 0 {
					t.Errorf("%s: no packet is marked for congestion", side)
				}
				if c.segmented.Load() == 0 {
					t.Errorf("%s: no packets are sent by segmentation offload", side)
				}
			}
			if serverConn.sourced.Load() == 0 {
				t.Error("the server does not answer from the address it was asked at")
			}
		})
	}
}

// newQUICTransport returns a transport on a wildcard socket, and the socket.
func newQUICTransport(t *testing.T, network string) (*quicConn, *quic.Transport) {
	t.Helper()
	c, err := net.ListenUDP(network, nil)
	if err != nil {
		t.Fatal(err)
	}
	ours(t, c)
	watched := &quicConn{UDPConn: c}
	transport := &quic.Transport{Conn: watched}
	t.Cleanup(func() {
		defer c.Close()
		if err := transport.Close(); err != nil {
			t.Error(err)
		}
		// quic-go falls back to basicConn on conns that it takes for simple ones.
		if kind := reflect.ValueOf(transport).Elem().FieldByName("conn").Elem().Type().String(); kind != "*quic.oobConn" {
			t.Errorf("quic-go uses the conn as %s", kind)
		}
	})
	return watched, transport
}

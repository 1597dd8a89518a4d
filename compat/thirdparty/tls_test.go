package thirdparty_test

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	net "github.com/iolib-go/sockets/compat"
)

func TestTLS(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			serverConfig, clientConfig := tlsConfigs(t)
			l := listen(t, network)
			inBackground(t, func() error { return serveTLSEcho(t, tls.NewListener(l, serverConfig)) })

			c := tls.Client(dial(t, l.Addr()), clientConfig)
			if err := c.HandshakeContext(within(t)); err != nil {
				t.Fatal(err)
			}
			ours(t, c.NetConn())

			// A timeout must leave the connection usable, which crypto/tls
			// finds out from the error.
			c.SetReadDeadline(time.Now().Add(-time.Second))
			var timeout net.Error
			if _, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read past the deadline: %v", err)
			}
			c.SetReadDeadline(time.Time{})

			roundTrip(t, c, 1<<20, c.CloseWrite)
		})
	}
}

// serveTLSEcho accepts one connection and sends back what it receives.
func serveTLSEcho(t *testing.T, l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	secure := c.(*tls.Conn)
	ours(t, secure.NetConn())
	if _, err := io.Copy(secure, secure); err != nil {
		t.Error(err)
	}
	if name := secure.ConnectionState().PeerCertificates[0].Subject.CommonName; name != "client.test" {
		t.Errorf("the client is %q", name)
	}
	return secure.CloseWrite()
}

func TestTLSWithoutClientCertificate(t *testing.T) {
	serverConfig, clientConfig := tlsConfigs(t)
	clientConfig.Certificates = nil
	l := listen(t, "tcp")
	inBackground(t, func() error {
		c, err := tls.NewListener(l, serverConfig).Accept()
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.(*tls.Conn).Handshake(); err == nil {
			t.Error("the server accepts a client without a certificate")
		}
		return nil
	})
	c := tls.Client(dial(t, l.Addr()), clientConfig)
	// With TLS 1.3 the client learns of the refusal from its first Read.
	_, err := c.Read(make([]byte, 1))
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		t.Errorf("Read: %v, want a remote error", err)
	}
}

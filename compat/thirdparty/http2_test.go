package thirdparty_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	net "github.com/iolib-go/sockets/compat"
)

// echoHandler sends the request's body back while it arrives.
func echoHandler(w http.ResponseWriter, r *http.Request) {
	io.Copy(w, r.Body)
}

func TestHTTP2(t *testing.T) {
	serverConfig, clientConfig := tlsConfigs(t)
	http1 := &http.Server{Handler: http.HandlerFunc(echoHandler), TLSConfig: serverConfig}
	if err := http2.ConfigureServer(http1, &http2.Server{}); err != nil {
		t.Fatal(err)
	}
	l := listen(t, "tcp")
	inBackground(t, func() error { return http1.ServeTLS(l, "", "") })
	t.Cleanup(func() { http1.Close() })

	dial := dialer(t)
	transport := &http2.Transport{
		TLSClientConfig: clientConfig,
		DialTLSContext: func(ctx context.Context, network, _ string, config *tls.Config) (net.Conn, error) {
			c, err := dial(ctx, network, l.Addr().String())
			if err != nil {
				return nil, err
			}
			return tls.Client(c, config), nil
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	postConcurrently(t, transport, "https://server.test/")
}

// TestHTTP2Cleartext is HTTP/2 by prior knowledge on conns served one by one.
func TestHTTP2Cleartext(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := listen(t, network)
			inBackground(t, func() error {
				c, err := l.Accept()
				if err != nil {
					return err
				}
				var server http2.Server
				server.ServeConn(c, &http2.ServeConnOpts{Handler: http.HandlerFunc(echoHandler)})
				return c.Close()
			})
			dial := dialer(t)
			transport := &http2.Transport{
				AllowHTTP: true,
				DialTLSContext: func(ctx context.Context, _, _ string, _ *tls.Config) (net.Conn, error) {
					return dial(ctx, network, l.Addr().String())
				},
			}
			t.Cleanup(transport.CloseIdleConnections)
			postConcurrently(t, transport, "http://server.test/")
		})
	}
}

// postConcurrently sends requests that share one connection.
func postConcurrently(t *testing.T, transport *http2.Transport, url string) {
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			want := payload(i * 50_000)
			req, err := http.NewRequestWithContext(within(t), "POST", url, bytes.NewReader(want))
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.ProtoMajor != 2 || !bytes.Equal(want, got) {
				t.Errorf("%s: sent %d bytes, got %d others, %v", resp.Proto, len(want), len(got), err)
			}
		})
	}
	wg.Wait()
}

package thirdparty_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	net "github.com/iolib-go/sockets/compat"
)

func TestFastHTTP(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			l := listen(t, network)
			release := make(chan struct{})
			server := &fasthttp.Server{
				MaxRequestBodySize: 1 << 21,
				Handler: func(ctx *fasthttp.RequestCtx) {
					if string(ctx.Path()) == "/slow" {
						<-release
					}
					ctx.SetBody(ctx.PostBody())
				},
			}
			inBackground(t, func() error { return server.Serve(l) })
			t.Cleanup(func() {
				if err := server.Shutdown(); err != nil {
					t.Error(err)
				}
			})

			dial := dialer(t)
			client := &fasthttp.Client{
				Dial: func(string) (net.Conn, error) { return dial(within(t), network, l.Addr().String()) },
			}
			t.Cleanup(client.CloseIdleConnections)
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			req.SetRequestURI("http://server.test/")
			req.Header.SetMethod("POST")
			for _, size := range []int{0, 1, 4096, 1 << 20} {
				want := payload(size)
				req.SetBody(want)
				if err := client.Do(req, resp); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(want, resp.Body()) {
					t.Errorf("sent %d bytes, got %d others", len(want), len(resp.Body()))
				}
			}
			if n := l.accepted.Load(); n != 1 {
				t.Errorf("%d connections, want one that is kept", n)
			}

			req.SetRequestURI("http://server.test/slow")
			if err := client.DoTimeout(req, resp, 10*time.Millisecond); !errors.Is(err, fasthttp.ErrTimeout) {
				t.Errorf("slow answer: %v, want a timeout", err)
			}
			close(release)
		})
	}
}

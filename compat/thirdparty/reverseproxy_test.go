package thirdparty_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	net "github.com/iolib-go/sockets/compat"
)

// TestReverseProxy switches protocols through a proxy, over TCP in front of it
// and a unix socket behind it. The end of one direction has to pass through
// while the other one goes on, which takes CloseWrite on all conns.
func TestReverseProxy(t *testing.T) {
	backend := serveHTTP(t, "unix", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			w.Write(b)
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		ours(t, c)
		c.SetDeadline(time.Time{})
		if _, err := io.Copy(c, rw); err != nil {
			t.Error(err)
		}
	}))

	dialBackend := dialer(t)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialBackend(ctx, "unix", backend.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "backend.test"}) },
		Transport: transport,
	}
	front := serveHTTP(t, "tcp", proxy)

	t.Run("plain", func(t *testing.T) {
		client := &http.Client{Transport: &http.Transport{DialContext: dialer(t), DisableKeepAlives: true}}
		want := payload(1 << 20)
		resp, err := client.Post("http://"+front.Addr().String(), "application/octet-stream", bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("sent %d bytes, got %d others", len(want), len(got))
		}
	})
	t.Run("upgrade", func(t *testing.T) {
		c := dial(t, front.Addr())
		req, err := http.NewRequest("GET", "http://front.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		if err := req.Write(c); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(resp.Status)
		}
		roundTrip(t, struct {
			io.Reader
			io.Writer
		}{r, c}, 1<<20, c.(interface{ CloseWrite() error }).CloseWrite)
	})
}

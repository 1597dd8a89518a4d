package http

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// httpNetworks are what the tests of package net/http run over.
var httpNetworks = []string{"tcp", "unix"}

// serveHTTP serves h on a listener of this package, and returns a client that
// dials it with this package.
func serveHTTP(t *testing.T, network string, h http.Handler, tlsConfig *tls.Config) (*http.Server, *http.Client, string) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = socktest.ShortDir(t) + "/http"
	}
	l, err := sockets.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, TLSConfig: tlsConfig}
	done := make(chan error, 1)
	go func() {
		if tlsConfig != nil {
			done <- srv.ServeTLS(l, "", "")
		} else {
			done <- srv.Serve(l)
		}
	}()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d sockets.Dialer
			return d.DialContext(ctx, network, l.Addr().String())
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return srv, &http.Client{Transport: transport}, "http://server.test"
}

func overHTTPNetworks(t *testing.T, f func(t *testing.T, network string)) {
	for _, network := range httpNetworks {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

// get fetches a URL and tells whether the connection had been used before.
func get(t *testing.T, c *http.Client, req *http.Request) (resp *http.Response, body string, reused bool) {
	t.Helper()
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }}
	resp, err := c.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(all), reused
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestHTTPKeepAlive(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		_, c, url := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/close" {
				w.Header().Set("Connection", "close")
			}
			io.WriteString(w, r.URL.Path)
		}), nil)
		var got []string
		for _, path := range []string{"/1", "/2", "/close", "/3", "/4"} {
			_, body, reused := get(t, c, request(t, "GET", url+path, nil))
			got = append(got, fmt.Sprint(body, " ", reused))
		}
		want := []string{"/1 false", "/2 true", "/close true", "/3 false", "/4 true"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requests and whether they reuse a connection (-want +got):\n%s", diff)
		}
		req := request(t, "GET", url+"/5", nil)
		req.Close = true
		if _, body, _ := get(t, c, req); body != "/5" {
			t.Errorf("a request that closes: %q", body)
		}
		if _, _, reused := get(t, c, request(t, "GET", url+"/6", nil)); reused {
			t.Error("a connection is used after Connection: close")
		}
	})
}

func TestHTTPChunkedAndTrailers(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		_, c, url := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			all, err := io.ReadAll(r.Body)
			w.Write(all)
			w.(http.Flusher).Flush()
			w.Header().Set("X-Sum", fmt.Sprint(len(all), err, r.TransferEncoding, r.Trailer.Get("X-Client")))
		}), nil)
		body := strings.Repeat("chunk ", 100000)
		// A pipe hides the length, so that the request is chunked.
		pr, pw := io.Pipe()
		go func() {
			_, err := io.WriteString(pw, body)
			pw.CloseWithError(err)
		}()
		req := request(t, "POST", url, pr)
		req.Trailer = http.Header{"X-Client": {"client's trailer"}}
		resp, got, _ := get(t, c, req)
		if got != body {
			t.Errorf("echo of %d bytes has %d", len(body), len(got))
		}
		if diff := cmp.Diff([]string{"chunked"}, resp.TransferEncoding); diff != "" {
			t.Errorf("transfer encoding (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff("600000 <nil> [chunked]client's trailer", resp.Trailer.Get("X-Sum")); diff != "" {
			t.Errorf("trailer (-want +got):\n%s", diff)
		}
	})
}

func TestHTTPContinue(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		_, c, url := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refuse" {
				http.Error(w, "no", http.StatusExpectationFailed)
				return
			}
			io.Copy(w, r.Body)
		}), nil)
		c.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
		for path, want := range map[string]string{"/take": "200 true body", "/refuse": "417 false no\n"} {
			continued := false
			req := request(t, "POST", url+path, strings.NewReader("body"))
			req.Header.Set("Expect", "100-continue")
			req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
				Got100Continue: func() { continued = true },
			}))
			resp, body, _ := get(t, c, req)
			if diff := cmp.Diff(want, fmt.Sprint(resp.StatusCode, " ", continued, " ", body)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	})
}

func TestHTTPHijack(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		types := make(chan string, 1)
		_, c, url := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack: %v", err)
				return
			}
			defer conn.Close()
			types <- socktest.TypeName(conn)
			rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			rw.Flush()
			io.Copy(conn, rw)
		}), nil)
		req := request(t, "GET", url, nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		want := map[string]string{"tcp": "*net.TCPConn", "unix": "*net.UnixConn"}[network]
		if diff := cmp.Diff(want, <-types); diff != "" {
			t.Errorf("hijacked connection (-want +got):\n%s", diff)
		}
		body := resp.Body.(io.ReadWriteCloser)
		io.WriteString(body, "over the raw connection\n")
		line, err := bufio.NewReader(body).ReadString('\n')
		if line != "over the raw connection\n" || err != nil {
			t.Errorf("echo: %q, %v", line, err)
		}
		// The client ends its side, and reads the server's end of file.
		if err := body.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		if n, err := body.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after CloseWrite: %d, %v, want io.EOF", n, err)
		}
	})
}

func TestHTTPShutdown(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		entered, leave := make(chan struct{}), make(chan struct{})
		srv, c, url := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				close(entered)
				<-leave
			}
			io.WriteString(w, "done")
		}), nil)
		get(t, c, request(t, "GET", url+"/idle", nil))
		result := make(chan string, 1)
		go func() {
			resp, err := c.Do(request(t, "GET", url+"/slow", nil))
			if err != nil {
				result <- err.Error()
				return
			}
			defer resp.Body.Close()
			all, err := io.ReadAll(resp.Body)
			result <- fmt.Sprint(string(all), err)
		}()
		<-entered
		expired, cancel := context.WithCancel(t.Context())
		cancel()
		if err := srv.Shutdown(expired); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown without time, a request under way: %v", err)
		}
		if _, err := c.Do(request(t, "GET", url+"/new", nil)); err == nil {
			t.Error("a new connection is accepted after Shutdown")
		}
		shut := make(chan error, 1)
		go func() { shut <- srv.Shutdown(context.Background()) }()
		close(leave)
		if got := <-result; got != "done<nil>" {
			t.Errorf("the request under way: %s", got)
		}
		if err := <-shut; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

func TestHTTPCancel(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		entered, noticed := make(chan struct{}), make(chan error, 1)
		_, c, url := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done() // the background read sees the end of file
			noticed <- r.Context().Err()
		}), nil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-entered; cancel() }()
		_, err := c.Do(request(t, "GET", url, nil).WithContext(ctx))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled request: %v", err)
		}
		if err := <-noticed; !errors.Is(err, context.Canceled) {
			t.Errorf("the server's context: %v", err)
		}
	})
}

func TestHTTPTimeouts(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		_, c, url := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Errorf("SetReadDeadline: %v", err)
			}
			if _, err := io.ReadAll(r.Body); err != nil {
				var timeout net.Error
				if !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("read past the deadline: %v, want a timeout", err)
				}
				return
			}
			t.Error("the body came to an end")
		}), nil)
		pr, pw := io.Pipe() // nothing comes
		defer pw.Close()
		if resp, err := c.Do(request(t, "POST", url, pr)); err == nil {
			resp.Body.Close()
		}
	})
}

func TestHTTPServeContent(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		data := make([]byte, 5<<20+12345)
		rand.Read(data)
		name := writeTemp(t, data)
		_, c, url := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, name)
		}), nil)
		for _, tt := range []struct {
			header string
			status int
			want   []byte
		}{
			{"", http.StatusOK, data},
			{"bytes=0-0", http.StatusPartialContent, data[:1]},
			{"bytes=1000000-2999999", http.StatusPartialContent, data[1000000:3000000]},
			{"bytes=-77", http.StatusPartialContent, data[len(data)-77:]},
			{"bytes=5000000-", http.StatusPartialContent, data[5000000:]},
		} {
			req := request(t, "GET", url, nil)
			if tt.header != "" {
				req.Header.Set("Range", tt.header)
			}
			resp, body, _ := get(t, c, req)
			if resp.StatusCode != tt.status || !bytes.Equal([]byte(body), tt.want) {
				t.Errorf("range %q: status %d, %d bytes, right: %v", tt.header, resp.StatusCode, len(body), body == string(tt.want))
			}
		}
	})
}

func TestHTTP2(t *testing.T) {
	overHTTPNetworks(t, func(t *testing.T, network string) {
		cert, pool := socktest.SelfSigned(t, "server.test")
		_, c, _ := serveHTTP(t, network, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/cancel" {
				w.WriteHeader(http.StatusOK)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			io.Copy(w, r.Body)
			fmt.Fprint(w, " over ", r.Proto)
		}), &tls.Config{Certificates: []tls.Certificate{cert}})
		tr := c.Transport.(*http.Transport)
		tr.TLSClientConfig = &tls.Config{RootCAs: pool, ServerName: "server.test"}
		tr.ForceAttemptHTTP2 = true
		big := strings.Repeat("x", 3<<20)
		results := make(chan string, 10)
		for i := range cap(results) {
			go func() {
				resp, err := c.Do(request(t, "POST", fmt.Sprintf("https://server.test/%d", i), strings.NewReader(big)))
				if err != nil {
					results <- err.Error()
					return
				}
				defer resp.Body.Close()
				all, err := io.ReadAll(resp.Body)
				results <- fmt.Sprint(len(all), strings.TrimLeft(string(all), "x"), err)
			}()
		}
		for range cap(results) {
			if diff := cmp.Diff(fmt.Sprint(len(big)+len(" over HTTP/2.0"), " over HTTP/2.0", nil), <-results); diff != "" {
				t.Errorf("echo (-want +got):\n%s", diff)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := c.Do(request(t, "GET", "https://server.test/cancel", nil).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled stream: %v", err)
		}
		resp.Body.Close()
	})
}

// A TLS connection outlives a read that timed out, if the error is temporary.
func TestTLSReadTimeout(t *testing.T) {
	cert, pool := socktest.SelfSigned(t, "server.test")
	for _, network := range httpNetworks {
		t.Run(network, func(t *testing.T) {
			dialed, accepted := conntest.Dialed(t, network)
			client := tls.Client(dialed, &tls.Config{RootCAs: pool, ServerName: "server.test"})
			server := tls.Server(accepted, &tls.Config{Certificates: []tls.Certificate{cert}})
			defer client.Close()
			defer server.Close()
			shook := make(chan error, 1)
			go func() { shook <- server.Handshake() }()
			if err := client.Handshake(); err != nil {
				t.Fatal(err)
			}
			if err := <-shook; err != nil {
				t.Fatal(err)
			}
			client.SetReadDeadline(time.Unix(1, 0))
			var timeout net.Error
			if _, err := client.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("Read past the deadline: %v", err)
			}
			client.SetReadDeadline(time.Time{})
			if _, err := io.WriteString(server, "later"); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 5)
			if _, err := io.ReadFull(client, got); string(got) != "later" || err != nil {
				t.Errorf("Read after the timeout: %q, %v", got, err)
			}
			if client.NetConn() != dialed {
				t.Error("NetConn is not the connection below")
			}
		})
	}
}

func writeTemp(t *testing.T, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

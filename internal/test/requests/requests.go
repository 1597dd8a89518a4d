// Package requests loads a server that is replaced while it is loaded, and counts what
// is lost.
package requests

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Targets are where a server is. What is empty is not loaded.
type Targets struct {
	HTTP, Unix string // POST /digest, with connections kept and closed; GET /poll, /websocket
	HTTPS      string // POST /digest by HTTP/2
	Roots      *x509.CertPool
	Lines, UDP string // that echo
	Plain      bool   // HTTP and Unix have /digest alone
}

// Load is what clients do to a server.
type Load struct {
	Sent, Lost atomic.Int64

	failed  func(what string, err error)
	targets Targets
	ended   chan struct{}
	end     sync.Once
	wg      sync.WaitGroup
}

// Start begins to load a server with clients of each kind, and calls failed, from several
// goroutines, for what is lost.
func Start(targets Targets, clients int, failed func(what string, err error)) *Load {
	l := &Load{targets: targets, failed: failed, ended: make(chan struct{})}
	for range clients {
		l.post("TCP, kept alive", targets.HTTP, "http://"+targets.HTTP, func(*http.Transport) {})
		l.post("TCP, closed", targets.HTTP, "http://"+targets.HTTP, func(t *http.Transport) { t.DisableKeepAlives = true })
		l.post("unix, kept alive", targets.Unix, "http://unix", OverUnix(targets.Unix))
		l.post("unix, closed", targets.Unix, "http://unix", func(t *http.Transport) {
			OverUnix(targets.Unix)(t)
			t.DisableKeepAlives = true
		})
		l.post("HTTP/2", targets.HTTPS, "https://"+targets.HTTPS, func(t *http.Transport) {
			t.ForceAttemptHTTP2 = true
			t.TLSClientConfig = &tls.Config{RootCAs: targets.Roots}
		})
	}
	if targets.HTTP != "" && !targets.Plain {
		l.run("long poll", Client(func(*http.Transport) {}), func(c *http.Client) error { return get(c, "http://"+targets.HTTP+"/poll") })
		l.run("websocket", nil, func(*http.Client) error { return l.talk(targets.HTTP, true) })
	}
	if targets.Lines != "" {
		l.run("lines", nil, func(*http.Client) error { return l.talk(targets.Lines, false) })
	}
	if targets.UDP != "" {
		l.wg.Go(l.datagrams)
	}
	return l
}

// post runs a client that posts, unless target is empty.
func (l *Load) post(what, target, url string, change func(*http.Transport)) {
	if target != "" {
		l.run(what, Client(change), func(c *http.Client) error { return Post(c, url+"/digest", what == "HTTP/2") })
	}
}

// run calls client, over and over, until the load ends.
func (l *Load) run(what string, c *http.Client, client func(*http.Client) error) {
	l.wg.Go(func() {
		if c != nil {
			defer c.CloseIdleConnections()
		}
		for {
			select {
			case <-l.ended:
				return
			default:
			}
			l.Sent.Add(1)
			if err := client(c); err != nil {
				l.Lost.Add(1)
				l.failed(what, err)
			}
		}
	})
}

// Reach waits until n requests have been sent.
func (l *Load) Reach(n int64) {
	for l.Sent.Load() < n {
		time.Sleep(time.Millisecond)
	}
}

// End stops the load and returns what was sent and what was lost.
func (l *Load) End() (sent, lost int64) {
	l.end.Do(func() { close(l.ended) })
	l.wg.Wait()
	return l.Sent.Load(), l.Lost.Load()
}

// Client returns an HTTP client with a transport of its own, which change may change.
func Client(change func(*http.Transport)) *http.Client {
	t := &http.Transport{}
	change(t)
	return &http.Client{Transport: t, Timeout: time.Minute}
}

// OverUnix makes a transport connect to a unix socket whatever the URL says.
func OverUnix(path string) func(*http.Transport) {
	return func(t *http.Transport) {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
}

// Post sends a body and checks that the digest of it comes back. The client does not
// repeat the request unless that is allowed, as it must be for HTTP/2: a server that
// ends a connection refuses requests that cross its GOAWAY, RFC 9113 section 6.8.
func Post(c *http.Client, url string, repeat bool) error {
	body := make([]byte, rand.IntN(20000))
	for i := range body {
		body[i] = byte(i * 7)
	}
	req, err := http.NewRequest("POST", url, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(body))
	if repeat {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if want := hex.EncodeToString(sum[:]); string(got) != want {
		return fmt.Errorf("digest of %d bytes: got %q (%s), want %q", len(body), got, resp.Status, want)
	}
	return nil
}

func get(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	return err
}

// talk sends lines over one connection, each after the echo of the last, until the
// server says bye or the load ends.
func (l *Load) talk(addr string, websocket bool) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(c)
	if websocket {
		fmt.Fprintf(c, "GET /websocket HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusSwitchingProtocols {
			return fmt.Errorf("status %s", resp.Status)
		}
	}
	for bye := false; !bye; {
		select {
		case <-l.ended:
			return nil
		default:
		}
		l.Sent.Add(1)
		want := fmt.Sprintf("line %d\n", rand.Int())
		if _, err := io.WriteString(c, want); err != nil {
			return err
		}
		for {
			got, err := r.ReadString('\n')
			if err != nil {
				return err
			}
			if got == want {
				break
			}
			if got != "bye\n" || bye {
				return fmt.Errorf("echo of %q: got %q", want, got)
			}
			bye = true
		}
	}
	return nil
}

// datagrams sends them one after the other and waits for each to come back.
func (l *Load) datagrams() {
	c, err := net.Dial("udp", l.targets.UDP)
	if err != nil {
		l.failed("UDP", err)
		return
	}
	defer c.Close()
	b := make([]byte, 100)
	for i := 0; ; i++ {
		select {
		case <-l.ended:
			return
		default:
		}
		l.Sent.Add(1)
		want := fmt.Sprint("datagram ", i)
		c.SetDeadline(time.Now().Add(time.Minute))
		_, err := io.WriteString(c, want)
		var n int
		if err == nil {
			n, err = c.Read(b)
		}
		if err != nil || string(b[:n]) != want {
			l.Lost.Add(1)
			l.failed("UDP", fmt.Errorf("got %q, %v, want %q", b[:n], err, want))
			return
		}
	}
}

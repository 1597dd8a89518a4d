//go:build unix

package upgrade_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is what clients do to a server while it is replaced.
type load struct {
	t     *testing.T
	m     *manager
	sent  atomic.Int64
	lost  atomic.Int64
	ended chan struct{}
	wg    sync.WaitGroup
}

// startLoad begins to load the server with clients of each kind.
func startLoad(t *testing.T, m *manager, clients int) *load {
	l := &load{t: t, m: m, ended: make(chan struct{})}
	run := func(what string, client func() error) {
		l.wg.Go(func() {
			for {
				select {
				case <-l.ended:
					return
				default:
				}
				l.sent.Add(1)
				if err := client(); err != nil {
					l.lost.Add(1)
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	for range clients {
		for name, c := range map[string]struct {
			url    string
			client *http.Client
		}{
			"TCP, kept alive":  {"http://" + m.addr(0), m.client(func(*http.Transport) {})},
			"TCP, closed":      {"http://" + m.addr(0), m.client(func(t *http.Transport) { t.DisableKeepAlives = true })},
			"unix, kept alive": {"http://unix", m.client(m.overUnix)},
			"unix, closed":     {"http://unix", m.client(func(t *http.Transport) { m.overUnix(t); t.DisableKeepAlives = true })},
			"HTTP/2": {"https://" + m.addr(1), m.client(func(t *http.Transport) {
				t.ForceAttemptHTTP2 = true
				t.TLSClientConfig = &tls.Config{RootCAs: m.roots}
			})},
		} {
			run(name, func() error { return post(c.client, c.url+"/digest", name == "HTTP/2") })
		}
	}
	run("long poll", func() error { return get(m.client(func(*http.Transport) {}), "http://"+m.addr(0)+"/poll") })
	run("websocket", func() error { return l.talk(m.addr(0), true) })
	run("lines", func() error { return l.talk(m.addr(2), false) })
	l.wg.Go(l.datagrams)
	return l
}

// end stops the load and returns what was sent and what was lost.
func (l *load) end() (sent, lost int64) {
	close(l.ended)
	l.wg.Wait()
	return l.sent.Load(), l.lost.Load()
}

func (m *manager) client(change func(*http.Transport)) *http.Client {
	t := &http.Transport{}
	change(t)
	m.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: time.Minute}
}

func (m *manager) overUnix(t *http.Transport) {
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", m.path("http"))
	}
}

// post sends a body and checks that the digest of it comes back. The client does not
// repeat the request unless that is allowed, as it must be for HTTP/2: a server that
// ends a connection refuses requests that cross its GOAWAY, RFC 9113 section 6.8.
func post(c *http.Client, url string, repeat bool) error {
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
func (l *load) talk(addr string, websocket bool) error {
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
		l.sent.Add(1)
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
func (l *load) datagrams() {
	c, err := net.Dial("udp", l.m.addr(3))
	if err != nil {
		l.t.Error(err)
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
		l.sent.Add(1)
		want := fmt.Sprint("datagram ", i)
		c.SetDeadline(time.Now().Add(time.Minute))
		_, err := io.WriteString(c, want)
		var n int
		if err == nil {
			n, err = c.Read(b)
		}
		if err != nil || string(b[:n]) != want {
			l.lost.Add(1)
			l.t.Errorf("datagram: got %q, %v, want %q", b[:n], err, want)
			return
		}
	}
}

//go:build linux

package upgrade_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/upgrade"
)

// TestDrainIdleHTTP2 drains with idle clients of HTTP/2, which send no request.
func TestDrainIdleHTTP2(t *testing.T) {
	s, heard := idleHTTP2(t, 3)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Errorf("Drain: %v", err)
	}
	for _, r := range heard {
		r.awaitGoAway(t)
	}
}

// TestDrainIdleHTTP2BesideRequest drains with an idle client of HTTP/2, while a request of
// HTTP/1 lasts for longer than Drain may take.
func TestDrainIdleHTTP2BesideRequest(t *testing.T) {
	s, heard := idleHTTP2(t, 1)
	c, err := net.Dial("tcp", heard[0].RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /forever HTTP/1.1\r\nHost: test\r\n\r\n")
	io.ReadFull(c, make([]byte, 1)) // it is answering
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var cut *upgrade.CutError
	if err := s.Drain(ctx); !errors.As(err, &cut) || cut.Active != 1 || cut.Idle != 0 {
		t.Errorf("Drain: got %v, want one active connection", err)
	}
	heard[0].awaitGoAway(t)
}

// idleHTTP2 returns a server and idle connections of HTTP/2 to it.
func idleHTTP2(t *testing.T, n int) (*upgrade.Server, []*recorder) {
	t.Helper()
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s := &upgrade.Server{HTTP: &http.Server{Protocols: &p, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
		if r.URL.Path == "/forever" {
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	})}}
	addr, _ := served(t, s)
	var h2 http.Protocols
	h2.SetUnencryptedHTTP2(true)
	heard := make([]*recorder, n)
	for i := range heard {
		tr := &http.Transport{Protocols: &h2}
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			heard[i] = &recorder{Conn: c}
			return heard[i], err
		}
		t.Cleanup(tr.CloseIdleConnections)
		resp, err := (&http.Client{Transport: tr}).Get("http://" + addr.String())
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != "HTTP/2.0" {
			t.Fatalf("got %q, %v, want HTTP/2.0", b, err)
		}
	}
	return s, heard
}

// recorder keeps what is read.
type recorder struct {
	net.Conn
	mu sync.Mutex
	b  []byte
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.b = append(r.b, b[:n]...)
	return n, err
}

// awaitGoAway waits for a GOAWAY frame.
func (r *recorder) awaitGoAway(t *testing.T) {
	t.Helper()
	if !socktest.WaitUntil(r.goAway) {
		t.Error("a client got no GOAWAY")
	}
}

// goAway reports whether there was a GOAWAY frame: RFC 9113, section 4.1, has a length of
// three bytes, a type, a byte of flags and a stream number of four.
func (r *recorder) goAway() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for b := r.b; len(b) >= 9; {
		if b[3] == 7 {
			return true
		}
		b = b[min(len(b), 9+int(b[0])<<16+int(b[1])<<8+int(b[2])):]
	}
	return false
}

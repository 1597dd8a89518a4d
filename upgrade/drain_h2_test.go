//go:build linux

package upgrade_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/iolib-go/sockets/upgrade"
)

// TestDrainIdleHTTP2 drains with idle clients of HTTP/2, which send no request.
func TestDrainIdleHTTP2(t *testing.T) {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	s := &upgrade.Server{HTTP: &http.Server{Protocols: &p, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	})}}
	addr, _ := served(t, s)
	var heard [3]recorder
	for i := range heard {
		tr := &http.Transport{Protocols: &p}
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			heard[i].Conn = c
			return &heard[i], err
		}
		defer tr.CloseIdleConnections()
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Errorf("Drain: %v", err)
	}
	for i := range heard {
		for end := time.Now().Add(time.Minute); !heard[i].goAway(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("client %d got no GOAWAY", i)
			}
		}
	}
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

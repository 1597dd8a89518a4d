//go:build linux

package upgrade_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/upgrade"
)

// served starts s on a listener for network and returns its address.
func served(t *testing.T, s *upgrade.Server) (addr net.Addr, ended <-chan error) {
	t.Helper()
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Drain(ctx)
	})
	return l.Addr(), done
}

// A client is a connection to a server of HTTP.
type client struct {
	net.Conn
	r *bufio.Reader
}

// connect returns a client of the server at addr, which fails rather than wait for ever.
func connect(t *testing.T, addr net.Addr) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return &client{c, bufio.NewReader(c)}
}

// send sends a request and leaves the answer.
func (c *client) send() error {
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	return err
}

// get sends a request and returns the status, and whether the connection ends with the
// answer.
func (c *client) get() (status int, close bool, err error) {
	if err := c.send(); err != nil {
		return 0, false, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Close, err
}

func TestDrainAnswersIdleClient(t *testing.T) {
	s := &upgrade.Server{HTTP: &http.Server{Handler: http.NotFoundHandler()}, IdleTime: time.Minute}
	addr, ended := served(t, s)
	c := connect(t, addr)
	if _, close, err := c.get(); err != nil || close {
		t.Fatalf("before Drain: close %v, %v", close, err)
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	<-s.Draining()
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", addr.String()); err == nil {
		t.Error("a client can connect while the server drains")
	}
	status, close, err := c.get()
	if err != nil || status != http.StatusNotFound || !close {
		t.Errorf("while draining: status %d, close %v, %v", status, close, err)
	}
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}

func TestDrainClosesIdleConnection(t *testing.T) {
	for _, idle := range []time.Duration{-1, 50 * time.Millisecond} {
		t.Run(idle.String(), func(t *testing.T) {
			s := &upgrade.Server{HTTP: &http.Server{Handler: http.NotFoundHandler()}, IdleTime: idle}
			addr, _ := served(t, s)
			c := connect(t, addr)
			if _, _, err := c.get(); err != nil {
				t.Fatal(err)
			}
			if err := s.Drain(context.Background()); err != nil {
				t.Errorf("Drain: %v", err)
			}
			if _, err := c.r.ReadByte(); err != io.EOF {
				t.Errorf("Read: got %v, want EOF", err)
			}
		})
	}
}

func TestDrainCuts(t *testing.T) {
	began, hold := make(chan bool), make(chan bool)
	defer close(hold)
	handlers := map[string]*upgrade.Server{
		"http": {HTTP: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			began <- true
			<-hold
		})}},
		"handler": {Handler: func(_ context.Context, c net.Conn) {
			defer c.Close()
			began <- true
			<-hold
		}},
	}
	for name, s := range handlers {
		t.Run(name, func(t *testing.T) {
			addr, _ := served(t, s)
			c := connect(t, addr)
			c.send()
			<-began
			cause := errors.New("no more time")
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
			err := s.Drain(ctx)
			var cut *upgrade.CutError
			if !errors.As(err, &cut) || !errors.Is(err, cause) {
				t.Fatalf("Drain: got %v, want a *CutError with the cause", err)
			}
			if diff := cmp.Diff([]int{1, 0}, []int{cut.Active, cut.Idle}); diff != "" {
				t.Errorf("active and idle (-want +got):\n%s", diff)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("the connection is not closed")
			}
		})
	}
}

// hijacking returns a server that gives each connection with a request to f.
func hijacking(t *testing.T, f func(c net.Conn)) *upgrade.Server {
	return &upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		f(c)
	})}}
}

// TestDrainHook has a hijacked connection end when Drain begins.
func TestDrainHook(t *testing.T) {
	hijacked := make(chan net.Conn, 1)
	s := hijacking(t, func(c net.Conn) { hijacked <- c })
	s.OnDrain = func(context.Context) {
		c := <-hijacked
		fmt.Fprint(c, "bye")
		c.Close()
	}
	addr, _ := served(t, s)
	c := connect(t, addr)
	c.send()
	got := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(c)
		got <- string(b)
	}()
	for len(hijacked) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := s.Drain(context.Background()); err != nil {
		t.Errorf("Drain: %v", err)
	}
	if got := <-got; got != "bye" {
		t.Errorf("hijacked connection: got %q, want bye", got)
	}
}

// TestDrainHijackedLate has a connection hijacked after OnDrain has returned.
func TestDrainHijackedLate(t *testing.T) {
	var hooked, ended atomic.Bool
	began := make(chan struct{})
	s := &upgrade.Server{HTTP: new(http.Server)}
	s.HTTP.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		for !hooked.Load() {
			time.Sleep(time.Millisecond)
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.ReadAll(c) // until the client has seen that Drain waits
		ended.Store(true)
	})
	s.OnDrain = func(context.Context) { hooked.Store(true) }
	addr, _ := served(t, s)
	c := connect(t, addr)
	c.send()
	<-began
	time.AfterFunc(50*time.Millisecond, func() { c.Close() })
	if err := s.Drain(context.Background()); err != nil {
		t.Errorf("Drain: %v", err)
	}
	if !ended.Load() {
		t.Error("Drain returned before the handler")
	}
}

func TestServeNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var bad *sockets.ArgumentError
	if err := new(upgrade.Server).Serve(l); !errors.As(err, &bad) {
		t.Errorf("Serve of an empty Server: got %v, want an *ArgumentError", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is not closed: %v", err)
	}
}

// TestDrainTwice drains again while the first call waits, with less time.
func TestDrainTwice(t *testing.T) {
	began, hold := make(chan bool), make(chan bool)
	s := &upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		began <- true
		<-hold
	})}}
	addr, _ := served(t, s)
	c := connect(t, addr)
	c.send()
	<-began
	first := make(chan error, 1)
	go func() { first <- s.Drain(context.Background()) }()
	<-s.Draining()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	var cut *upgrade.CutError
	if err := s.Drain(ctx); !errors.As(err, &cut) || cut.Active != 1 {
		t.Errorf("the second: got %v, want a *CutError with one active", err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is not closed")
	}
	close(hold)
	if err := <-first; err != cut {
		t.Errorf("the first: got %v, want %v", err, cut)
	}
	if err := s.Drain(context.Background()); err != cut {
		t.Errorf("the third: got %v, want %v", err, cut)
	}
}

// TestDrainCutsHijacked has a hijacked connection go on until Drain's time is over.
func TestDrainCutsHijacked(t *testing.T) {
	hijacked := make(chan bool)
	s := hijacking(t, func(c net.Conn) {
		close(hijacked)
		io.ReadAll(c)
	})
	addr, _ := served(t, s)
	c := connect(t, addr)
	c.send()
	<-hijacked
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	want := &upgrade.CutError{Hijacked: 1, Err: context.DeadlineExceeded}
	var got *upgrade.CutError
	if err := s.Drain(ctx); !errors.As(err, &got) || *got != *want {
		t.Errorf("Drain: got %v, want %v", err, want)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read: got %v, want EOF", err)
	}
}

// TestDrainingBeforeHandler asks for Draining before there is a Handler.
func TestDrainingBeforeHandler(t *testing.T) {
	s := &upgrade.Server{HTTP: new(http.Server), IdleTime: time.Minute}
	draining := s.Draining()
	began := make(chan bool)
	s.HTTP.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case began <- true:
			<-draining
		case <-draining:
		}
	})
	addr, _ := served(t, s)
	c := connect(t, addr)
	drained := make(chan error, 1)
	go func() {
		<-began
		drained <- s.Drain(context.Background())
	}()
	if _, _, err := c.get(); err != nil {
		t.Fatal(err)
	}
	if status, close, err := c.get(); err != nil || status != http.StatusOK || !close {
		t.Errorf("while draining: status %d, close %v, %v", status, close, err)
	}
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}

// TestDrainOutOfTime drains with a context that has ended.
func TestDrainOutOfTime(t *testing.T) {
	started := make(chan bool)
	s := &upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/forever" {
			started <- true
			<-r.Context().Done()
		}
	})}}
	addr, ended := served(t, s)
	for i := range 10 {
		c := connect(t, addr)
		if i%2 == 0 {
			if _, _, err := c.get(); err != nil { // and is idle then
				t.Fatal(err)
			}
			continue
		}
		if _, err := io.WriteString(c, "GET /forever HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-started
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var cut *upgrade.CutError
	if err := s.Drain(ctx); !errors.As(err, &cut) || cut.Active < 5 || cut.Active+cut.Idle != 10 {
		t.Errorf("Drain: got %v, want a *CutError with ten, of which five are active", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestDrainWithoutServe calls Serve too late.
func TestDrainWithoutServe(t *testing.T) {
	s := &upgrade.Server{HTTP: new(http.Server)}
	if err := s.Drain(context.Background()); err != nil {
		t.Errorf("Drain: %v", err)
	}
	_, ended := served(t, s)
	if err := <-ended; err != nil {
		t.Errorf("Serve after Drain: %v", err)
	}
}

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

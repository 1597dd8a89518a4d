package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// logBuffer is a log that tests can read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a gateway to a host that behaves as f says. The result of stop
// is that of serve.
func start(t *testing.T, format string, grace time.Duration, f func(c *sockets.TCPConn)) (client *sockets.TCPConn, log *logBuffer, stop func() error) {
	t.Helper()
	socktest.NeedLoopback(t)
	hf, err := sockets.ParseFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	host, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := host.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		f(c.(*sockets.TCPConn))
	}()
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = new(logBuffer)
	cf, err := sockets.ParseFormat("utf-8,strict")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{host: host.Addr().String(), hostFormat: hf, clientFormat: cf, grace: grace, log: slog.New(slog.NewTextHandler(log, nil))}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- g.serve(ctx, l) }()
	stop = sync.OnceValue(func() error { cancel(); return <-served })
	c, err := sockets.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		host.Close()
		stop()
		<-done
	})
	c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*sockets.TCPConn), log, stop
}

func TestTextBothWaysAndHalfClose(t *testing.T) {
	client, log, stop := start(t, "cp1047,nel", time.Minute, func(c *sockets.TCPConn) {
		got, _ := io.ReadAll(c) // until the client closes its half
		c.Write(append([]byte("\xc1\x15"), got...))
		c.CloseWrite()
	})
	if _, err := io.WriteString(client, "Grüße\n"); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(client)
	if string(got) != "A\nGrüße\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if want := "from_client=8 to_host=6 from_host=8 to_client=10"; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, log)
	}
}

func TestErrorsAreLoggedWithTheirOffset(t *testing.T) {
	for _, tt := range []struct{ name, send, answer, want string }{
		{"host", "", "ok\r\n\x83\x20", `op=read encoding=shift_jis offset=4 bytes=83 err="sockets: malformed input"`},
		{"client", "ok\nअ\n", "", `op=write encoding=shift_jis offset=4 bytes="e0 a4 85"`},
		{"malformed client", "ok\xff\n", "", `op=read encoding=utf-8 offset=2 bytes=ff`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, log, stop := start(t, "shift_jis,crlf,strict", time.Minute, func(c *sockets.TCPConn) {
				io.WriteString(c, tt.answer)
				io.Copy(io.Discard, c)
			})
			if _, err := io.WriteString(client, tt.send); err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, client) // the gateway ends it, perhaps by a reset
			stop()
			if !strings.Contains(log.String(), tt.want) {
				t.Errorf("the log does not say %s:\n%s", tt.want, log)
			}
		})
	}
}

func TestShutdownWaitsForConnections(t *testing.T) {
	hostGo, connected := make(chan struct{}), make(chan struct{})
	client, _, stop := start(t, "utf-16", time.Minute, func(c *sockets.TCPConn) {
		c.Read(make([]byte, 100))
		close(connected)
		<-hostGo
		c.Write([]byte("\xff\xfed\x00o\x00n\x00e\x00"))
	})
	if _, err := io.WriteString(client, "x"); err != nil {
		t.Fatal(err)
	}
	<-connected
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	select {
	case err := <-stopped:
		t.Fatal("it did not wait:", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(hostGo)
	got, err := io.ReadAll(client)
	if string(got) != "done" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	client.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestShutdownDoesNotWaitForEver(t *testing.T) {
	connected := make(chan struct{})
	client, log, stop := start(t, "utf-16", time.Millisecond, func(c *sockets.TCPConn) {
		c.Read(make([]byte, 100))
		close(connected)
		io.Copy(io.Discard, c) // never says anything
	})
	if _, err := io.WriteString(client, "x"); err != nil {
		t.Fatal(err)
	}
	<-connected
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "shutting down") {
		t.Errorf("log:\n%s", log)
	}
}

// TestDemo talks to the host of -demo through the gateway.
func TestDemo(t *testing.T) {
	socktest.NeedLoopback(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g := gateway{grace: time.Minute, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	host, err := startDemoHost(ctx)
	if err != nil {
		t.Fatal(err)
	}
	g.host = host.String()
	if g.hostFormat, err = sockets.ParseFormat(demoFormat); err != nil {
		t.Fatal(err)
	}
	l, err := sockets.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.serve(ctx, l) }()
	c, err := sockets.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, "Grüße\nHello\n"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*sockets.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	want := "READY. c7 99 dc 59 85 IS GRÜSSE\nREADY. c8 85 93 93 96 IS HELLO\n"
	if want = strings.ReplaceAll(want, "GRÜSSE", strings.ToUpper("Grüße")); string(got) != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

//go:build linux

package conntest

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
)

// NeedVsock skips the test if this machine cannot talk to itself over vsock,
// for which the kernel needs the module vsock_loopback.
func NeedVsock(t *testing.T) {
	t.Helper()
	s, err := sockets.New("vsock")
	if err != nil {
		t.Skip("no vsock:", err)
	}
	defer s.Close()
	if err := s.Bind(&sockets.VsockAddr{CID: sockets.VsockLocal, Port: sockets.VsockAny}); err != nil {
		t.Skip("no loopback for vsock:", err)
	}
}

// NamedPair returns two unix sockets with names in a new directory, of which a is
// connected unless network is "unixgram".
func NamedPair(t testing.TB, network string) (a, b *sockets.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := filepath.Join(dir, "b")
	if network == "unixgram" {
		if b, err = sockets.ListenUnixgram(network, &net.UnixAddr{Name: name, Net: network}); err != nil {
			t.Fatal(err)
		}
		if a, err = sockets.ListenUnixgram(network, &net.UnixAddr{Name: filepath.Join(dir, "a"), Net: network}); err != nil {
			t.Fatal(err)
		}
	} else {
		l, err := sockets.ListenUnix(network, &net.UnixAddr{Name: name, Net: network})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if a, err = sockets.DialUnix(network, nil, &net.UnixAddr{Name: name, Net: network}); err != nil {
			t.Fatal(err)
		}
		if b, err = l.AcceptUnix(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// StreamPair returns the two ends of a connection made by impl, "net" or "".
func StreamPair(t testing.TB, impl, network string) (a, b net.Conn) {
	t.Helper()
	listen := sockets.Listen
	dial := func(network, addr string) (net.Conn, error) {
		return new(sockets.Dialer).DialContext(context.Background(), network, addr)
	}
	if impl == "net" {
		listen, dial = net.Listen, net.Dial
	}
	addr := "127.0.0.1:0"
	if strings.HasPrefix(network, "unix") {
		dir, err := os.MkdirTemp("", "s")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		addr = filepath.Join(dir, "s")
	}
	l, err := listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err = dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	b, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return a, b
}

// PipeThrough makes a connection to l.
func PipeThrough(l net.Listener) (c1, c2 net.Conn, stop func(), err error) {
	c1, err = sockets.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		return nil, nil, nil, err
	}
	c2, err = l.Accept()
	if err != nil {
		c1.Close()
		return nil, nil, nil, err
	}
	return c1, c2, func() { c1.Close(); c2.Close() }, nil
}

// PassCred has c tell who sent what it receives.
func PassCred(tb testing.TB, c *sockets.UnixConn) {
	tb.Helper()
	if err := sockopt.PassCred.Set(c, true); err != nil {
		tb.Fatal(err)
	}
}

// ServeHTTPOver has an http.Server on l answer one request.
func ServeHTTPOver(t *testing.T, l net.Listener) {
	t.Helper()
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "from "+r.URL.Path)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	transport := &http.Transport{Dial: func(string, string) (net.Conn, error) {
		return sockets.Dial(l.Addr().Network(), l.Addr().String())
	}}
	resp, err := (&http.Client{Transport: transport}).Get("http://host/here")
	socktest.Check(t, err)
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(got) != "from /here" || err != nil {
		t.Errorf("the server answered %q, %v", got, err)
	}
	transport.CloseIdleConnections()
	socktest.Check(t, server.Close())
	if err := <-served; err != http.ErrServerClosed {
		t.Errorf("Serve: %v", err)
	}
}

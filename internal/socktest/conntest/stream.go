//go:build linux

package conntest

import (
	"errors"
	"io"
	"net"
	"net/http"
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
func NamedPair(tb testing.TB, network string) (a, b *sockets.UnixConn) {
	tb.Helper()
	dir := socktest.ShortDir(tb)
	named := func(name string) *net.UnixAddr { return &net.UnixAddr{Name: dir + "/" + name, Net: network} }
	var err1, err2 error
	if network == "unixgram" {
		a, err1 = sockets.ListenUnixgram(network, named("a"))
		b, err2 = sockets.ListenUnixgram(network, named("b"))
	} else {
		l, err := sockets.ListenUnix(network, named("b"))
		socktest.Check(tb, err)
		defer l.Close()
		a, err1 = sockets.DialUnix(network, nil, named("b"))
		b, err2 = l.AcceptUnix()
	}
	socktest.Check(tb, errors.Join(err1, err2))
	socktest.CloseLater(tb, a)
	socktest.CloseLater(tb, b)
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

package thirdparty_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/soheilhy/cmux"

	net "github.com/iolib-go/sockets/compat"
)

// TestCmux serves HTTP and a text protocol on one listener.
func TestCmux(t *testing.T) {
	l := listen(t, "tcp")
	mux := cmux.New(l)
	httpListener := mux.Match(cmux.HTTP1Fast())
	textListener := mux.Match(cmux.Any())

	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "over HTTP") }),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			ours(t, c.(*cmux.MuxConn).Conn)
			return ctx
		},
	}
	inBackground(t, func() error { return server.Serve(httpListener) })
	t.Cleanup(func() { server.Close() })
	inBackground(t, func() error {
		c, err := textListener.Accept()
		if err != nil {
			return err
		}
		defer c.Close()
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		_, err = io.WriteString(c, strings.ToUpper(line))
		return err
	})
	inBackground(t, mux.Serve)
	t.Cleanup(func() { l.Close() })

	client := &http.Client{Transport: &http.Transport{DialContext: dialer(t), DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "over HTTP" || err != nil {
		t.Errorf("HTTP: %q, %v", got, err)
	}

	c := dial(t, l.Addr())
	if _, err := io.WriteString(c, "over text\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); string(got) != "OVER TEXT\n" || err != nil {
		t.Errorf("text: %q, %v", got, err)
	}
}

package thirdparty_test

import (
	"bytes"
	"net/http"
	"net/url"
	"testing"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	xnet "golang.org/x/net/websocket"
)

// serveHTTP serves handler and returns the listener.
func serveHTTP(t *testing.T, network string, handler http.Handler) *listener {
	t.Helper()
	l := listen(t, network)
	server := &http.Server{Handler: handler}
	inBackground(t, func() error { return server.Serve(l) })
	t.Cleanup(func() { server.Close() })
	return l
}

func TestXNetWebsocket(t *testing.T) {
	l := serveHTTP(t, "tcp", xnet.Handler(func(c *xnet.Conn) {
		var b []byte
		for xnet.Message.Receive(c, &b) == nil {
			if err := xnet.Message.Send(c, b); err != nil {
				t.Error(err)
			}
		}
	}))
	config, err := xnet.NewConfig("ws://server.test/", "http://client.test/")
	if err != nil {
		t.Fatal(err)
	}
	c, err := xnet.NewClient(config, dial(t, l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, size := range []int{0, 1, 125, 126, 1 << 16, 1 << 20} {
		want := payload(size)
		if err := xnet.Message.Send(c, want); err != nil {
			t.Fatal(err)
		}
		var got []byte
		if err := xnet.Message.Receive(c, &got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("sent %d bytes, got %d others", len(want), len(got))
		}
	}
}

func TestCoderWebsocket(t *testing.T) {
	ctx := within(t)
	l := serveHTTP(t, "tcp", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coder.CompressionContextTakeover})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 21)
		for {
			kind, b, err := c.Read(ctx)
			if err != nil {
				if coder.CloseStatus(err) != coder.StatusNormalClosure {
					t.Error(err)
				}
				return
			}
			if err := c.Write(ctx, kind, b); err != nil {
				t.Error(err)
				return
			}
		}
	}))
	transport := &http.Transport{DialContext: dialer(t)}
	defer transport.CloseIdleConnections()
	c, _, err := coder.Dial(ctx, "ws://"+l.Addr().String(), &coder.DialOptions{
		HTTPClient:      &http.Client{Transport: transport},
		CompressionMode: coder.CompressionContextTakeover,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(1 << 21)
	for _, size := range []int{0, 1, 1 << 16, 1 << 20} {
		want := payload(size)
		if err := c.Write(ctx, coder.MessageBinary, want); err != nil {
			t.Fatal(err)
		}
		_, got, err := c.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("sent %d bytes, got %d others", len(want), len(got))
		}
	}
	if err := c.Close(coder.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestGorillaWebsocket(t *testing.T) {
	l := serveHTTP(t, "unix", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var upgrader gorilla.Upgrader
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		ours(t, c.NetConn())
		for {
			kind, b, err := c.ReadMessage()
			if err != nil {
				if !gorilla.IsCloseError(err, gorilla.CloseNormalClosure) {
					t.Error(err)
				}
				return
			}
			if err := c.WriteMessage(kind, b); err != nil {
				t.Error(err)
				return
			}
		}
	}))
	server := &url.URL{Scheme: "ws", Host: "server.test", Path: "/"}
	c, _, err := gorilla.NewClient(dial(t, l.Addr()), server, nil, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 1 << 16, 1 << 20} {
		want := payload(size)
		if err := c.WriteMessage(gorilla.BinaryMessage, want); err != nil {
			t.Fatal(err)
		}
		_, got, err := c.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("sent %d bytes, got %d others", len(want), len(got))
		}
	}
	if err := c.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(gorilla.CloseNormalClosure, "")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadMessage(); !gorilla.IsCloseError(err, gorilla.CloseNormalClosure) {
		t.Errorf("after closing: %v", err)
	}
}

package upgrade_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/iolib-go/sockets/upgrade"
)

// A web server that is replaced on SIGHUP and stopped on SIGTERM.
func Example() {
	ctx := context.Background()
	up, err := upgrade.New(upgrade.Config{})
	if err != nil {
		log.Fatal(err)
	}
	l, err := up.Listen(ctx, nil, "web", "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := up.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	s := upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	})}}
	go s.Serve(l)

	go func() { // a client, after which the server is stopped as SIGTERM does
		defer up.Stop()
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		fmt.Println(string(body), err)
	}()

	<-up.Done()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	fmt.Println(s.Drain(ctx))
	// Output:
	// hello <nil>
	// <nil>
}

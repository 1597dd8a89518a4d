package upgrade_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/iolib-go/sockets/upgrade"
)

// A web server that SIGHUP replaces, and SIGTERM ends.
func Example() {
	ctx := context.Background()
	up, err := upgrade.New(upgrade.Config{})
	if err != nil {
		log.Fatal(err)
	}
	l, err := up.Listen(ctx, nil, "web", "tcp", ":8080")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := up.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	s := upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "process", os.Getpid())
	})}}
	go s.Serve(l)
	<-up.Done()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		log.Fatal(err)
	}
}

// Restart is a web server that a new version of it replaces without losing a request.
//
//	go build ./examples/restart
//	./restart -tcp 127.0.0.1:8080 -unix /tmp/restart.sock &
//	curl http://127.0.0.1:8080/
//	kill -HUP %1 # start the program again, which may have been replaced on disk
//	curl http://127.0.0.1:8080/
//
// Another server, started by other means with the same -control, takes over from this one
// as well. Under systemd, restart.socket and restart.service beside this file do the same.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/upgrade"
)

func main() {
	tcp := flag.String("tcp", "127.0.0.1:8080", "TCP `address` to listen on")
	unix := flag.String("unix", "", "`path` of a unix socket to listen on as well")
	control := flag.String("control", "", "`path` of a unix socket where another server may take over")
	flag.Parse()
	if err := upgrade.Supervise(); err != nil { // in a container
		log.Fatal(err)
	}
	if err := run(*tcp, *unix, *control); err != nil {
		log.Fatal(err)
	}
}

func run(tcp, unix, control string) error {
	ctx := context.Background()
	up, err := upgrade.New(upgrade.Config{Control: control})
	if err != nil {
		return err
	}
	l, err := up.Listen(ctx, nil, "tcp", "tcp", tcp)
	if err != nil {
		return err
	}
	ls := []net.Listener{l}
	if unix != "" {
		// After kill -9 the file of the last process is still there.
		lc := &sockets.ListenConfig{ReplaceStale: true}
		if l, err = up.Listen(ctx, lc, "unix", "unix", unix); err != nil {
			return err
		}
		ls = append(ls, l)
	}
	if _, err := up.Ready(ctx); err != nil {
		return err
	}
	s := upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "process %d\n", os.Getpid())
	})}}
	for _, l := range ls {
		go s.Serve(l)
	}
	<-up.Done()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.Drain(ctx)
}

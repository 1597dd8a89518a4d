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
	"net"
	"net/http"
	"os"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/examples/internal/cli"
	"github.com/iolib-go/sockets/upgrade"
)

func main() {
	tcp := flag.String("tcp", "127.0.0.1:8080", "TCP `address` to listen on")
	unix := flag.String("unix", "", "`path` of a unix socket to listen on as well")
	control := flag.String("control", "", "`path` of a unix socket where another server may take over")
	cli.Parse("[flags]\n\nA web server that SIGHUP replaces by a new process, losing no request.")
	cli.Check(upgrade.Supervise()) // in a container
	ctx := context.Background()
	up, err := upgrade.New(upgrade.Config{Control: *control})
	cli.Check(err)
	var ls []net.Listener
	for network, address := range map[string]string{"tcp": *tcp, "unix": *unix} {
		if address != "" {
			// After kill -9 the file of the last process is still there.
			lc := &sockets.ListenConfig{ReplaceStale: network == "unix"}
			l, err := up.Listen(ctx, lc, network, network, address)
			cli.Check(err)
			ls = append(ls, l)
		}
	}
	_, err = up.Ready(ctx)
	cli.Check(err)
	s := upgrade.Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "process %d\n", os.Getpid())
	})}}
	for _, l := range ls {
		go s.Serve(l)
	}
	<-up.Done()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cli.Check(s.Drain(ctx))
}

// Restart is a web server that is replaced by a new version of itself without losing a
// request.
//
//	go build ./examples/restart
//	./restart -tcp 127.0.0.1:8080 -unix /tmp/restart.sock &
//	curl http://127.0.0.1:8080/
//	kill -HUP %1 # replaces it by the program that is now on disk
//	curl http://127.0.0.1:8080/
//
// A server that is started by hand with the same -control also takes over from the running
// one. The units restart.socket and restart.service are for systemd.
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
	control := flag.String("control", "", "`path` of a unix socket where the next server takes over")
	cli.Parse("[flags]\n\nA web server that a new process replaces on SIGHUP, without losing a request.")
	cli.Check(upgrade.Supervise()) // in a container
	ctx := context.Background()
	up, err := upgrade.New(upgrade.Config{Control: *control})
	cli.Check(err)
	var ls []net.Listener
	for network, address := range map[string]string{"tcp": *tcp, "unix": *unix} {
		if address != "" {
			// A process that was killed leaves the file of its socket behind.
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
		fmt.Printf("process %d is listening on %v\n", os.Getpid(), l.Addr())
		go s.Serve(l)
	}
	<-up.Done()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cli.Check(s.Drain(ctx))
}

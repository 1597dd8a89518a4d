// Activated is a service that systemd starts on demand, watches, and restarts with its
// state.
//
// The socket unit gives its listeners the name "web". It counts requests in a file without
// a path, which the service manager keeps for it, so that the count survives a crash. The
// units are activated.socket and activated.service. Without a service manager it listens
// by itself, and the count is lost when it ends:
//
//	go run ./examples/activated &
//	curl http://127.0.0.1:8090/
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/examples/internal/cli"
)

func main() {
	cli.Parse("\n\nA web service that counts requests. Under systemd, with the units\nactivated.socket and activated.service, the count survives a crash. Started by\nhand, it listens on 127.0.0.1:8090.")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cli.Check(run(ctx))
}

func run(ctx context.Context) error {
	inherited, err := activation.Inherited()
	if err != nil {
		return err
	}
	defer inherited.Close() // those that are not used
	listeners, err := inherited.Listeners()
	if err != nil {
		return err
	}
	if len(listeners["web"]) == 0 {
		l, err := sockets.Listen("tcp", "127.0.0.1:8090")
		if err != nil {
			return err
		}
		listeners["web"] = []net.Listener{l}
	}
	c, err := openCounter(ctx, inherited.Files()["count"])
	if err != nil {
		return err
	}
	server := http.Server{Handler: c}
	for _, l := range listeners["web"] {
		fmt.Println("listening on", l.Addr())
		go server.Serve(l)
	}
	if _, err := activation.Notify(ctx, activation.NotifyReady, activation.NotifyStatus("counting")); err != nil {
		return err
	}
	if err := activation.Watchdog(ctx, c.healthy); err != nil && ctx.Err() == nil {
		return err
	}
	<-ctx.Done()
	activation.Notify(context.Background(), activation.NotifyStopping)
	return server.Shutdown(context.Background())
}

// counter counts requests in a file.
type counter struct {
	mu   sync.Mutex
	file *os.File
}

// openCounter uses the file that the manager kept, or makes one and asks it to keep that.
func openCounter(ctx context.Context, kept []*os.File) (*counter, error) {
	if len(kept) > 0 {
		return &counter{file: kept[0]}, nil
	}
	f, err := os.CreateTemp("", "count")
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name())
	if err == nil {
		_, err = activation.NotifyStore(ctx, "count", f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &counter{file: f}, nil
}

func (c *counter) read() (int, error) {
	b, err := io.ReadAll(io.NewSectionReader(c.file, 0, 32))
	if err != nil || len(b) == 0 {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.read()
	if err == nil {
		n++
		_, err = c.file.WriteAt(fmt.Appendf(nil, "%-12d\n", n), 0)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "request", n)
}

// healthy is called by the watchdog: it needs the lock to be free and the file readable.
func (c *counter) healthy() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.read()
	return err
}

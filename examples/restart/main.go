// Restart is a web server that replaces itself without losing a request: on SIGHUP
// it starts the program again, which may be a new version of it, gives it the
// sockets that it listens on, and ends when its own requests are done.
//
//	go build ./examples/restart
//	./restart -tcp 127.0.0.1:8080 -unix /tmp/restart.sock &
//	curl http://127.0.0.1:8080/
//	kill -HUP %1
//	curl http://127.0.0.1:8080/
//
// With -control it also gives its sockets to whoever connects there: to another
// server, started by somebody else, that has the same -control.
//
// A service manager learns about all this as sd_notify(3) says, and may give the
// sockets itself, see systemd.socket(5). With systemd, Type=notify needs
// NotifyAccess=all, for it is the new process that says that it is the main one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/sockopt"
)

const (
	// drainTime is how long requests may take that are under way when the server
	// ends.
	drainTime = 30 * time.Second

	// idleTime is how long a client with an idle connection then has to learn, with
	// the answer to its next request, that it is about to be closed.
	idleTime = time.Second

	// readyTime is how long a successor may take to start.
	readyTime = 30 * time.Second
)

func main() {
	log.SetFlags(0)
	log.SetPrefix(fmt.Sprintf("restart[%d]: ", os.Getpid()))
	tcp := flag.String("tcp", "127.0.0.1:8080", "TCP `address` to listen on")
	unix := flag.String("unix", "", "`path` of a unix socket to listen on as well")
	control := flag.String("control", "", "`path` of a unix socket to hand over the sockets, or to get them")
	flag.Parse()
	if err := run(*tcp, *unix, *control); err != nil {
		log.Fatal(err)
	}
}

func run(tcp, unix, control string) error {
	// Before anything is served, so that no signal is missed.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)

	listeners, predecessor, err := open(tcp, unix, control)
	if err != nil {
		return err
	}
	// Whatever may fail comes before the first request is accepted, which would be
	// lost.
	takeover := make(chan *sockets.UnixConn)
	if control != "" {
		if err := listenControl(control, takeover); err != nil {
			return err
		}
	}
	s := newServer(listeners)
	// Whoever gave us the sockets may stop accepting now.
	if predecessor != nil {
		if _, err := predecessor.Write([]byte("ready")); err != nil {
			log.Print(err)
		}
		predecessor.Close()
	}
	notify(activation.NotifyReady, activation.NotifyMainPID(os.Getpid()))

	for {
		select {
		case err := <-s.served:
			return err
		case c := <-takeover:
			if err := s.handOver(c); err != nil {
				log.Print(err) // and go on
				continue
			}
			return s.drain(false)
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				notify(activation.NotifyStopping)
				if control != "" {
					os.Remove(control)
				}
				return s.drain(true)
			}
			notify(activation.NotifyReloading())
			if err := s.restart(); err != nil {
				log.Print(err)
				notify(activation.NotifyReady, activation.NotifyMainPID(os.Getpid())) // as before
				continue
			}
			return s.drain(false)
		}
	}
}

// notify tells the service manager.
func notify(states ...activation.NotifyState) {
	if _, err := activation.Notify(context.Background(), states...); err != nil {
		log.Print(err)
	}
}

// open returns the sockets to listen on, and a connection to whoever gave them to
// us and waits for a sign that we are ready, if there is somebody.
func open(tcp, unix, control string) (ls []net.Listener, predecessor net.Conn, err error) {
	inherited, err := activation.Inherited()
	if err != nil {
		return nil, nil, err
	}
	for _, s := range inherited {
		if s.Socket == nil {
			return nil, nil, fmt.Errorf("inherited %q, which is no socket", s.Name)
		}
		if s.Name == readyName {
			if predecessor, err = s.Socket.Conn(); err != nil {
				return nil, nil, err
			}
			continue
		}
		l, err := s.Socket.Listener()
		if err != nil {
			return nil, nil, err
		}
		ls = append(ls, l)
	}
	if ls != nil {
		return ls, predecessor, nil
	}
	if control != "" {
		if ls, predecessor, err = takeOver(control); err == nil {
			return ls, predecessor, nil
		}
		log.Printf("nobody to take over from: %v", err)
	}
	l, err := sockets.Listen("tcp", tcp)
	if err != nil {
		return nil, nil, err
	}
	ls = append(ls, l)
	if unix != "" {
		l, err := sockets.Listen("unix", unix)
		if err != nil {
			return nil, nil, err
		}
		ls = append(ls, l)
	}
	return ls, nil, nil
}

// server is one process's share of the service.
type server struct {
	http      http.Server
	listeners []net.Listener
	served    chan error // what Serve returned, of each listener
	conns     connections
	draining  atomic.Bool
}

func newServer(ls []net.Listener) *server {
	s := &server{listeners: ls, served: make(chan error, len(ls))}
	s.conns.states, s.conns.changed = make(map[net.Conn]http.ConnState), make(chan struct{}, 1)
	s.http.ConnState = s.conns.set
	s.http.Handler = http.HandlerFunc(s.serve)
	for _, l := range ls {
		go func() { s.served <- s.http.Serve(l) }()
	}
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	fmt.Fprintf(w, "process %d\n", os.Getpid())
}

// readyName is the name of the connection by which a child says that it is ready.
const readyName = "ready"

// restart starts this program again and waits until it serves.
func (s *server) restart() (err error) {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	ready, childs, err := sockets.Pair("unix")
	if err != nil {
		return err
	}
	defer ready.Close()
	named := []activation.Named{{Name: readyName, Conn: childs}}
	for _, l := range s.listeners {
		named = append(named, activation.Named{Name: l.Addr().Network(), Conn: l.(syscall.Conn)})
	}
	err = activation.PassTo(cmd, named...)
	if err == nil {
		err = cmd.Start()
	}
	activation.ClosePassed(cmd)
	childs.Close()
	if err != nil {
		return err
	}
	go cmd.Wait()
	if err := awaitReady(ready); err != nil {
		cmd.Process.Kill()
		return fmt.Errorf("the new process is not ready: %w", err)
	}
	return nil
}

func awaitReady(c net.Conn) error {
	if err := c.SetReadDeadline(time.Now().Add(readyTime)); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, len("ready")))
	return err
}

// listenControl sends whoever connects to path to takeover. A successor that listens
// there later has the name from then on: it takes the name from its predecessor once
// it listens, and never leaves nobody there.
func listenControl(path string, takeover chan<- *sockets.UnixConn) error {
	own := fmt.Sprintf("%s.%d", path, os.Getpid())
	os.Remove(own) // of a process that had this number and was killed
	l, err := sockets.ListenUnix("unix", &net.UnixAddr{Name: own, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	if err := os.Rename(own, path); err != nil {
		os.Remove(own)
		l.Close()
		return err
	}
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			// Only for programs of the same user.
			if cred, err := sockopt.PeerCred.Get(c); err != nil || cred.UID != uint32(os.Geteuid()) {
				c.Close()
				continue
			}
			takeover <- c
		}
	}()
	return nil
}

// handOver gives the sockets to the process behind c and waits until it serves.
func (s *server) handOver(c *sockets.UnixConn) error {
	defer c.Close()
	fds := make([]syscall.Conn, len(s.listeners))
	for i, l := range s.listeners {
		fds[i] = l.(syscall.Conn)
	}
	if _, err := c.SendFDs([]byte{byte(len(fds))}, fds...); err != nil {
		return err
	}
	if err := awaitReady(c); err != nil {
		return fmt.Errorf("the other process is not ready: %w", err)
	}
	return nil
}

// takeOver gets the sockets from the process that listens at path.
func takeOver(path string) (ls []net.Listener, predecessor net.Conn, err error) {
	c, err := sockets.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	n := make([]byte, 1)
	_, files, err := c.ReceiveFDs(n, sockets.MaxDescriptors)
	if err == nil && (len(files) == 0 || len(files) != int(n[0])) {
		err = errors.New("no sockets came")
	}
	for _, f := range files {
		if err == nil {
			var l net.Listener
			if l, err = sockets.FileListener(f); err == nil {
				ls = append(ls, l)
			}
		}
		f.Close()
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return ls, c, nil
}

// drain stops accepting and waits for the requests that are under way. What waits
// to be accepted is the successor's, unless this is the last process.
//
// http.Server.Shutdown alone would drop the requests of connections that it has
// just accepted, and of clients that send one while it closes theirs.
func (s *server) drain(last bool) error {
	s.draining.Store(true)
	for _, l := range s.listeners {
		if u, ok := l.(*sockets.UnixListener); ok {
			u.SetUnlinkOnClose(last)
		}
		l.Close()
	}
	for range s.listeners {
		<-s.served
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	idle, cancelIdle := context.WithTimeout(ctx, idleTime)
	defer cancelIdle()
	s.conns.wait(idle, func(http.ConnState) bool { return true })
	s.conns.wait(ctx, func(st http.ConnState) bool { return st != http.StateIdle })
	return s.http.Shutdown(ctx)
}

// connections are those of a server.
type connections struct {
	mu      sync.Mutex
	states  map[net.Conn]http.ConnState
	changed chan struct{}
}

func (cs *connections) set(c net.Conn, st http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.states[c] = st; st == http.StateClosed || st == http.StateHijacked {
		delete(cs.states, c)
	}
	select {
	case cs.changed <- struct{}{}:
	default:
	}
}

// wait returns when ctx ends or no connection is in a state that matters.
func (cs *connections) wait(ctx context.Context, matters func(http.ConnState) bool) {
	for {
		found := false
		cs.mu.Lock()
		for _, st := range cs.states {
			found = found || matters(st)
		}
		cs.mu.Unlock()
		if !found {
			return
		}
		select {
		case <-cs.changed:
		case <-ctx.Done():
			return
		}
	}
}

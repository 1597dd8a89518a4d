// Unixweb is a web application on a unix socket, for a proxy on the same machine to
// forward to.
//
//	unixweb -socket /run/app/http -mode 0660 -gid 33
//
// The socket's file has its mode and group before any process can connect. A file that a
// killed process left behind is replaced, and the program removes its own at the end. The
// handler knows the user that the proxy runs as. For nginx:
//
//	location / { proxy_pass http://unix:/run/app/http; }
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/examples/internal/cli"
	"github.com/iolib-go/sockets/sockopt"
)

func main() {
	path := flag.String("socket", "http.sock", "`path` of the unix socket")
	mode := flag.String("mode", "0660", "octal `permissions` of its file")
	gid := flag.Int("gid", -1, "`number` of the group that owns its file; -1 is this process's")
	cli.Parse("[flags]\n\nA web application on a unix socket, for a proxy to forward to.")
	perm, err := strconv.ParseUint(*mode, 8, 32)
	if err != nil || perm == 0 || perm > 0o777 {
		cli.Misused(fmt.Errorf("-mode %s: must be octal, from 1 to 777", *mode))
	}
	lc := sockets.ListenConfig{
		UnixMode:     fs.FileMode(perm),
		UnixOwner:    &sockets.UnixOwner{UID: -1, GID: *gid},
		ReplaceStale: true,
	}
	l, err := lc.Listen(context.Background(), "unix", *path)
	cli.Check(err)
	fmt.Println("listening on", l.Addr())

	server := http.Server{Handler: http.HandlerFunc(hello), ConnContext: withPeer}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() { ended <- server.Shutdown(context.Background()) })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		cli.Check(err)
	}
	cli.Check(<-ended)
}

type peerKey struct{}

// withPeer records the peer's credentials, which come from the kernel, not from a header.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	cred, err := sockopt.PeerCred.Get(c.(*sockets.UnixConn))
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, cred)
}

func hello(w http.ResponseWriter, r *http.Request) {
	cred, ok := r.Context().Value(peerKey{}).(sockopt.Ucred)
	if !ok {
		http.Error(w, "no credentials", http.StatusForbidden)
		return
	}
	fmt.Fprintf(w, "%s for user %d\n", r.URL.Path, cred.UID)
}

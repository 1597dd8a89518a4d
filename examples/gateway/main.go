// Gateway connects clients that speak UTF-8 with a host that does not. It accepts
// connections, dials the host for each, and carries text in both directions.
//
//	gateway -listen localhost:7000 -host mainframe:3270 -format cp1047,nel
//	gateway -demo
//
// If the format is strict, malformed bytes from the host, and characters that the host's
// encoding lacks, are logged with their offset. Either end may close its half of a
// connection and keep reading. On SIGINT or SIGTERM the gateway stops accepting and waits
// for its connections to end, but no longer than -grace.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/examples/internal/cli"
)

const about = `-host address -format format [flags] | -demo [flags]

Carries text between clients that speak UTF-8 and a host that does not. With
-demo it starts a small host of its own, which speaks EBCDIC.`

func main() {
	g := gateway{log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	address := flag.String("listen", "localhost:7000", "`address` to accept UTF-8 clients at")
	flag.StringVar(&g.host, "host", "", "`address` of the host")
	hostFormat := flag.String("format", "", "the host's external `format`, such as cp1047,nel or shift_jis,crlf,strict")
	clientFormat := flag.String("client", "utf-8", "the clients' external `format`")
	flag.DurationVar(&g.grace, "grace", 10*time.Second, "how long to wait for connections at the end")
	demo := flag.Bool("demo", false, "start a host for demonstration")
	cli.Parse(about)
	if *demo {
		if g.host != "" || *hostFormat != "" {
			cli.Misused(errors.New("-demo cannot be combined with -host and -format"))
		}
		*hostFormat = demoFormat
	} else if g.host == "" || *hostFormat == "" {
		cli.Misused(errors.New("-host and -format are required, or -demo"))
	}
	var err error
	if g.hostFormat, err = sockets.ParseFormat(*hostFormat); err != nil {
		cli.Misused(fmt.Errorf("-format: %w", err))
	}
	if g.clientFormat, err = sockets.ParseFormat(*clientFormat); err != nil {
		cli.Misused(fmt.Errorf("-client: %w", err))
	}
	cli.Check(run(&g, *address, *demo))
}

// run serves until the process is interrupted.
func run(g *gateway, address string, demo bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if demo {
		host, err := startDemoHost(ctx)
		if err != nil {
			return err
		}
		g.host = host.String()
	}
	l, err := sockets.Listen("tcp", address)
	if err != nil {
		return err
	}
	g.log.Info("listening", "address", l.Addr(), "host", g.host, "format", g.hostFormat)
	if demo {
		host, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return err
		}
		fmt.Printf("type some text into: nc %s %s\n", host, port)
	}
	return g.serve(ctx, l)
}

// gateway carries connections. Its fields are not changed while it serves.
type gateway struct {
	host         string
	hostFormat   sockets.ExternalFormat
	clientFormat sockets.ExternalFormat
	grace        time.Duration
	log          *slog.Logger
}

// serve accepts from l until ctx is done, and closes it. It returns when all
// connections are gone.
func (g *gateway) serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()

	// The connections get a context of their own, which outlives ctx by the
	// grace period.
	conns, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	var failed error
	for failed == nil {
		c, err := l.Accept()
		switch {
		case err == nil:
			wg.Go(func() { g.carry(conns, c) })
		case ctx.Err() != nil:
			failed = ctx.Err()
		case isTemporary(err):
			g.log.Warn("accept", "err", err)
			time.Sleep(100 * time.Millisecond) // out of descriptors: others have to close first
		default:
			failed = err
		}
	}
	timer := time.AfterFunc(g.grace, func() { cut(errShutdown) })
	wg.Wait()
	timer.Stop()
	cut(nil)
	if ctx.Err() != nil {
		return nil
	}
	return failed
}

var errShutdown = errors.New("shutting down")

func isTemporary(err error) bool {
	var ne interface{ Temporary() bool }
	return errors.As(err, &ne) && ne.Temporary()
}

// carry connects client with the host until both directions have ended.
func (g *gateway) carry(ctx context.Context, client net.Conn) {
	log := g.log.With("client", client.RemoteAddr())
	defer client.Close()
	var d sockets.Dialer
	host, err := d.DialContext(ctx, "tcp", g.host)
	if err != nil {
		log.Error("dial", "err", err)
		return
	}
	defer host.Close()

	// A TextConn even where the format converts nothing, for the offsets.
	c := sockets.NewTextConn(client, g.clientFormat)
	h := sockets.NewTextConn(host, g.hostFormat)
	defer context.AfterFunc(ctx, func() {
		c.Close()
		h.Close()
	})()

	var wg sync.WaitGroup
	wg.Go(func() { g.pass(ctx, log, "client to host", h, c) })
	wg.Go(func() { g.pass(ctx, log, "host to client", c, h) })
	wg.Wait()
	fromClient, toClient := c.Offsets()
	fromHost, toHost := h.Offsets()
	log.Info("done", "from_client", fromClient, "to_host", toHost, "from_host", fromHost, "to_client", toClient)
}

// pass carries text from src to dst until src ends, and passes the end on. A
// failure ends both connections, since a conversation with a hole in it is
// worse than none.
func (g *gateway) pass(ctx context.Context, log *slog.Logger, direction string, dst, src *sockets.TextConn) {
	_, err := io.Copy(dst, src)
	if err == nil {
		err = dst.CloseWrite()
	}
	if err == nil {
		return
	}
	var fe *sockets.FormatError
	switch {
	case ctx.Err() != nil:
		log.Warn(direction, "err", context.Cause(ctx))
	case errors.As(err, &fe):
		log.Error(direction, "op", fe.Op, "encoding", fe.Encoding, "offset", fe.Offset,
			"bytes", fmt.Sprintf("% x", fe.Bytes), "err", fe.Err)
	case errors.Is(err, net.ErrClosed):
		// The other direction failed, and has said so.
	default:
		log.Error(direction, "err", err)
	}
	dst.Close()
	src.Close()
}

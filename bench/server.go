package main

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// serving is a kind of server. Its load comes from a second process, so that what
// this one uses of the processors is the server's own.
type serving struct {
	contest string
	load    string // key of loads
	clients int    // of the load, at a time
	serve   func(net.Listener)
	peers   []eventServer
}

// An eventServer is a kind of server made with a package that has no net.Listener.
type eventServer struct {
	name  string
	start func() (addr string, stop func(), err error)
}

func init() {
	const noise = "noise/"
	for _, s := range []serving{
		{"tcp/accept and close", "connect", 4, acceptAndClose, acceptingPeers},
		{"tcp/echo server/clients=32", "echo", 32, echoStreams, echoingPeers},
		{noise + "tcp/echo server/clients=32", "echo", 32, echoStreams, nil},
		{"http/Connection: close", "http-close", 4, serveHTTP, nil},
		{"http/keep-alive/clients=32", "http", 32, serveHTTP, nil},
	} {
		c := contest{name: s.contest, metrics: []metric{{unit: "ns", clock: true}, {suffix: ", CPU of server", unit: "ns"}}}
		sides := networks
		if strings.HasPrefix(s.contest, noise) {
			sides = []network{networks[0], networks[0]}
			sides[1].name = again
		}
		for _, nw := range sides {
			c.sides = append(c.sides, s.side(nw.name, func() (string, func(), error) {
				l, err := nw.listen("tcp", "127.0.0.1:0")
				if err != nil {
					return "", nil, err
				}
				go s.serve(l)
				return l.Addr().String(), func() { l.Close() }, nil
			}))
		}
		for _, p := range s.peers {
			c.sides = append(c.sides, s.side(p.name, p.start))
		}
		others = append(others, c)
	}
}

// side is a server under load.
func (s serving) side(name string, start func() (addr string, stop func(), err error)) side {
	return side{name, func(length time.Duration) (func() ([]float64, float64, error), func(), error) {
		addr, stopServer, err := start()
		if err != nil {
			return nil, nil, err
		}
		p, err := startProcess("load", s.load, addr, strconv.Itoa(s.clients))
		if err != nil {
			stopServer()
			return nil, nil, err
		}
		stop := func() { p.stop(); stopServer() }
		run := func(n int) (time.Duration, error) {
			answer, err := p.ask("%d", n)
			if err != nil {
				return 0, err
			}
			ns, err := strconv.ParseInt(answer, 10, 64)
			return time.Duration(ns), err
		}
		n, err := calibrate(length, run)
		if err != nil {
			stop()
			return nil, nil, err
		}
		return func() ([]float64, float64, error) {
			before := processorTime()
			took, err := run(n)
			used := processorTime() - before
			return []float64{float64(took) / float64(n), float64(used) / float64(n)}, -1, err
		}, stop, nil
	}}
}

func acceptAndClose(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

func echoStreams(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go echoStream(c)
	}
}

// echoStream sends back what comes until the peer ends it.
func echoStream(c net.Conn) {
	defer c.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

func serveHTTP(l net.Listener) {
	http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, greeting)
	}))
}

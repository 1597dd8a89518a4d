// Tproxy is a transparent proxy. It accepts connections that are meant for other hosts,
// inside a network namespace, finds out which hosts, and connects to them from outside.
//
//	ip netns add inside
//	ip netns exec inside ip link set lo up
//	ip netns exec inside ip route add local default dev lo
//	tproxy -netns /run/netns/inside -listen 0.0.0.0:80
//	ip netns exec inside curl http://198.51.100.7/
//
// Only the listening socket is made in the namespace; the process stays outside. If a
// firewall has TPROXY rules instead of the route, IP_TRANSPARENT lets the socket accept.
// If it has REDIRECT rules, use -redirect: SO_ORIGINAL_DST then gives the address.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/examples/internal/cli"
	"github.com/iolib-go/sockets/sockopt"
)

func main() {
	address := flag.String("listen", "0.0.0.0:80", "`address` to accept connections at")
	netns := flag.String("netns", "", "`path` of the network namespace to listen in, such as /run/netns/NAME")
	redirect := flag.Bool("redirect", false, "the firewall rewrites destinations (REDIRECT)")
	cli.Parse("[flags]\n\nA transparent proxy from inside a network namespace to the outside. It requires\nCAP_NET_ADMIN, and CAP_SYS_ADMIN for -netns.")
	lc := sockets.ListenConfig{Options: []sockopt.Setting{sockopt.Transparent.With(true)}}
	if *netns != "" {
		var err error
		lc.NetNS, err = os.Open(*netns)
		cli.Check(err)
	}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp4", *address)
	cli.Check(err)
	fmt.Println("listening on", l.Addr())
	for {
		c, err := l.Accept()
		cli.Check(err)
		go func() {
			if err := carry(c.(*sockets.TCPConn), *redirect); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

// destination returns the address for which the peer of c meant the connection.
func destination(c *sockets.TCPConn, redirect bool) (string, error) {
	if redirect {
		to, err := sockopt.OriginalDst.Get(c)
		return to.String(), err
	}
	return c.LocalAddr().String(), nil
}

// carry connects client with the host that it meant, until both sides have ended.
func carry(client *sockets.TCPConn, redirect bool) error {
	defer client.Close()
	to, err := destination(client, redirect)
	if err != nil {
		return err
	}
	d := sockets.Dialer{Timeout: 10 * time.Second}
	conn, err := d.Dial("tcp", to)
	if err != nil {
		return err
	}
	host := conn.(*sockets.TCPConn)
	defer host.Close()
	fmt.Println(client.RemoteAddr(), "to", to)
	var wg sync.WaitGroup
	pass := func(dst, src *sockets.TCPConn) {
		if _, err := io.Copy(dst, src); err != nil { // splice(2)
			dst.Close()
			src.Close()
			return
		}
		dst.CloseWrite()
	}
	wg.Go(func() { pass(host, client) })
	wg.Go(func() { pass(client, host) })
	wg.Wait()
	return nil
}

package sockets_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/sockopt"
)

// An ordinary web server and an ordinary client, on sockets with options that package net
// does not offer.
func Example() {
	lc := sockets.ListenConfig{Options: []sockopt.Setting{sockopt.ReusePort.With(true)}}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintln(w, "hello", host, err)
	}))

	d := sockets.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)},
		Options:   []sockopt.Setting{sockopt.UserTimeout.With(10 * time.Second)},
	}
	client := http.Client{Transport: &http.Transport{DialContext: d.DialContext}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("%s%v\n", body, err)
	// Output:
	// hello 127.0.0.2 <nil>
	// <nil>
}

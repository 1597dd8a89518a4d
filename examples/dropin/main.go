// Dropin is a program for package net. The import of net is the only line that
// makes it a program for package sockets: built with "net" in its place, it
// prints the same.
//
// It runs once through what programs do with net, over loopback, and ends.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"time"

	net "github.com/iolib-go/sockets/compat"
	"github.com/iolib-go/sockets/examples/internal/cli"
)

const about = `

Runs once through what programs do with package net, over loopback, prints
what they see, and ends. Built with package net it prints the same.`

func main() {
	cli.Parse(about)
	cli.Check(run())
}

// run runs the parts in a new folder, where the unix sockets get short names.
func run() error {
	dir, err := os.MkdirTemp("", "dropin")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chdir(dir); err != nil {
		return err
	}
	parts := []struct {
		name string
		run  func() error
	}{
		{"resolving", resolving},
		{"echo over tcp", func() error { return echo("tcp", "localhost:0") }},
		{"echo over unix", func() error { return echo("unix", "echo.sock") }},
		{"datagrams", datagrams},
		{"web", web},
		{"options", options},
		{"failures", failures},
	}
	for _, part := range parts {
		fmt.Printf("\n%s\n", part.name)
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// resolving prints what names and addresses mean.
func resolving() error {
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort("::1", "http"))
	if err != nil {
		return err
	}
	port, err := net.LookupPort("udp", "domain")
	if err != nil {
		return err
	}
	_, network, err := net.ParseCIDR("192.0.2.7/24")
	if err != nil {
		return err
	}
	show(addr, port, network, network.Contains(net.IPv4(192, 0, 2, 200)))
	_, err = net.ResolveUDPAddr("udp", "127.0.0.1:nosuch")
	show(err)
	_, _, err = net.SplitHostPort("::1:80")
	show(err)
	return nil
}

// echo sends lines to a server and reads them back in capitals. It ends them by
// closing one direction only.
func echo(network, address string) error {
	l, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer c.Close()
		lines := bufio.NewScanner(c)
		for lines.Scan() {
			if _, err := fmt.Fprintln(c, string(bytes.ToUpper(lines.Bytes()))); err != nil {
				served <- err
				return
			}
		}
		served <- lines.Err()
	}()

	address = l.Addr().String()
	if _, port, err := net.SplitHostPort(address); err == nil {
		address = net.JoinHostPort("localhost", port)
	}
	c, err := net.DialTimeout(network, address, 10*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	show(c.RemoteAddr().Network(), c.RemoteAddr())
	if _, err := io.WriteString(c, "one\ntwo\nthree\n"); err != nil {
		return err
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	show(string(answer))
	return <-served
}

// datagrams sends over UDP and a unix socket, to a buffer that is too short for
// one of them.
func datagrams() error {
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer server.Close()
	client, err := net.DialUDP("udp", nil, server.LocalAddr().(*net.UDPAddr))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, text := range []string{"", "short", "longer than the buffer"} {
		if _, err := client.Write([]byte(text)); err != nil {
			return err
		}
		b := make([]byte, 10)
		n, _, flags, from, err := server.ReadMsgUDPAddrPort(b, nil)
		if err != nil {
			return err
		}
		show(string(b[:n]), flags != 0, from == client.LocalAddr().(*net.UDPAddr).AddrPort())
		if _, err := server.WriteToUDPAddrPort(b[:n], from); err != nil {
			return err
		}
		if n, err = client.Read(b); err != nil {
			return err
		}
		show(string(b[:n]))
	}
	_, err = client.WriteTo([]byte("elsewhere"), server.LocalAddr())
	show(err, errors.Is(err, net.ErrWriteToConnected))

	local, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "gram.sock", Net: "unixgram"})
	if err != nil {
		return err
	}
	defer local.Close()
	unnamed, err := net.Dial("unixgram", "gram.sock")
	if err != nil {
		return err
	}
	defer unnamed.Close()
	if _, err := unnamed.Write([]byte("from nobody")); err != nil {
		return err
	}
	b := make([]byte, 100)
	n, from, err := local.ReadFrom(b)
	if err != nil {
		return err
	}
	show(string(b[:n]), from, local.LocalAddr())
	return nil
}

// web serves HTTP on a unix socket, to a client that dials it itself.
func web() error {
	l, err := net.Listen("unix", "web.sock")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s from %s", r.Method, r.URL.Path, r.RemoteAddr)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	var d net.Dialer
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", "web.sock")
		},
	}}
	resp, err := client.Get("http://server.test/path")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	show(resp.Status, string(body))
	if err := server.Shutdown(context.Background()); err != nil {
		return err
	}
	show(<-served)
	_, err = os.Stat("web.sock")
	show(errors.Is(err, os.ErrNotExist))
	return nil
}

// options sets what a conn can be told, before and after it is open.
func options() error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Minute},
		LocalAddr:       &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)},
	}
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	c, err := d.DialTCP(context.Background(), "tcp4", netip.AddrPort{}, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	show(errors.Join(
		c.SetNoDelay(false),
		c.SetKeepAlivePeriod(30*time.Second),
		c.SetLinger(0),
		c.SetReadBuffer(1<<16),
		c.SetWriteBuffer(1<<16),
		c.SetDeadline(time.Now().Add(time.Hour)),
	))
	f, err := c.File()
	if err != nil {
		return err
	}
	defer f.Close()
	copied, err := net.FileConn(f)
	if err != nil {
		return err
	}
	defer copied.Close()
	show(copied.LocalAddr().String() == c.LocalAddr().String(), copied.RemoteAddr().String() == c.RemoteAddr().String())
	return nil
}

// failures prints what goes wrong, which is what programs test for.
func failures() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	var timeout net.Error
	show(err, errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout())

	_, err = net.Listen("tcp", l.Addr().String())
	show(err)
	if err := l.Close(); err != nil {
		return err
	}
	_, err = l.Accept()
	show(err, errors.Is(err, net.ErrClosed))
	_, err = net.Dial("tcp", l.Addr().String())
	show(err)
	if err := c.Close(); err != nil {
		return err
	}
	_, err = c.Write([]byte("late"))
	show(err)
	show(c.Close())
	_, err = net.Dial("tcp9", "127.0.0.1:80")
	show(err)
	_, err = net.Dial("unix", "nosuch.sock")
	show(err)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = new(net.Dialer).DialContext(canceled, "tcp", "127.0.0.1:80")
	show(err, errors.Is(err, context.Canceled))
	return nil
}

// port matches the port numbers that the system chooses anew in every run.
var port = regexp.MustCompile(`:[0-9]{4,5}\b`)

// show prints values in a line: errors with their types, strings in quotes.
func show(values ...any) {
	for _, v := range values {
		format := "%v"
		switch v.(type) {
		case error:
			format = "%[1]T: %[1]v"
		case string:
			format = "%q"
		}
		fmt.Print(" ", port.ReplaceAllString(fmt.Sprintf(format, v), ":PORT"))
	}
	fmt.Println()
}

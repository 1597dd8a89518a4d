package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/iolib-go/sockets"
)

// network is what the stream workloads need of a library.
type network struct {
	name   string
	listen func(network, address string) (net.Listener, error)
	dial   func(network, address string) (net.Conn, error)
	copy   func(dst io.Writer, src io.Reader) (int64, error)
	writev func(c net.Conn, bufs *net.Buffers) (int64, error)
}

var networks = []network{
	{"net", net.Listen, net.Dial, io.Copy, func(c net.Conn, bufs *net.Buffers) (int64, error) {
		return bufs.WriteTo(c)
	}},
	{"sockets", sockets.Listen, sockets.Dial, sockets.Copy, func(c net.Conn, bufs *net.Buffers) (int64, error) {
		return c.(interface {
			WriteBuffers(*net.Buffers) (int64, error)
		}).WriteBuffers(bufs)
	}},
}

func init() {
	for _, size := range []int{64, 16 << 10} {
		addStream(fmt.Sprintf("tcp/pingpong/size=%d", size), 2*size, func(nw network) (func(int) (int, error), func(), error) {
			return pingpong(nw, "tcp", size)
		})
		addStream(fmt.Sprintf("unix/pingpong/size=%d", size), 2*size, func(nw network) (func(int) (int, error), func(), error) {
			return pingpong(nw, "unix", size)
		})
	}
	for _, size := range []int{4 << 10, 64 << 10} {
		addStream(fmt.Sprintf("tcp/bulk/size=%d", size), size, func(nw network) (func(int) (int, error), func(), error) {
			return tcpBulk(nw, size)
		})
	}
	addStream("tcp/writev/bufs=16,size=512", 16*512, vectored)
	for _, size := range []int{64 << 10, 4 << 20} {
		addStream(fmt.Sprintf("tcp/sendfile/size=%d", size), size, func(nw network) (func(int) (int, error), func(), error) {
			return sendfile(nw, size)
		})
	}
	for _, way := range []struct{ from, to string }{{"tcp", "tcp"}, {"unix", "tcp"}, {"tcp", "unix"}, {"unix", "unix"}} {
		addStream(fmt.Sprintf("proxy/%s to %s/size=%d", way.from, way.to, 1<<20), 1<<20, func(nw network) (func(int) (int, error), func(), error) {
			return proxy(nw, way.from, way.to, 1<<20)
		})
	}
	addStream("tcp/accept and close", 0, acceptClose)
	addStream("http/connection=close", 0, httpClose)
}

func addStream(name string, size int, start func(network) (func(int) (int, error), func(), error)) {
	wl := workload{name: name, bytes: size}
	for _, nw := range networks {
		wl.impls = append(wl.impls, impl{nw.name, func() (func(int) (int, error), func(), error) { return start(nw) }})
	}
	workloads = append(workloads, wl)
}

// listenStream listens on an address of its own.
func (nw network) listenStream(family string) (net.Listener, error) {
	if family != "unix" {
		return nw.listen(family, "127.0.0.1:0")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	l, err := nw.listen(family, filepath.Join(dir, "s"))
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return removeListener{l, dir}, nil
}

type removeListener struct {
	net.Listener
	dir string
}

func (l removeListener) Close() error {
	err := l.Listener.Close()
	os.RemoveAll(l.dir)
	return err
}

// connected returns the two ends of a connection: dialed by nw and accepted by nw.
func (nw network) connected(family string) (dialed, accepted net.Conn, err error) {
	l, err := nw.listenStream(family)
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if dialed, err = nw.dial(family, l.Addr().String()); err != nil {
		return nil, nil, err
	}
	if accepted, err = l.Accept(); err != nil {
		dialed.Close()
		return nil, nil, err
	}
	return dialed, accepted, nil
}

func pingpong(nw network, family string, size int) (func(int) (int, error), func(), error) {
	c, s, err := nw.connected(family)
	if err != nil {
		return nil, nil, err
	}
	go func() {
		b := make([]byte, size)
		for {
			if _, err := io.ReadFull(s, b); err != nil {
				return
			}
			if _, err := s.Write(b); err != nil {
				return
			}
		}
	}()
	b := make([]byte, size)
	return func(n int) (int, error) {
		for range n {
			if _, err := c.Write(b); err != nil {
				return 0, err
			}
			if _, err := io.ReadFull(c, b); err != nil {
				return 0, err
			}
		}
		return n, nil
	}, func() { c.Close(); s.Close() }, nil
}

// drainer reads what comes from c, in pieces of size, and says when so much has.
type drainer struct {
	want chan int64
	done chan error
}

func drain(c io.Reader, size int) drainer {
	d := drainer{make(chan int64), make(chan error)}
	go func() {
		b := make([]byte, size)
		for want := range d.want {
			var err error
			for want > 0 && err == nil {
				var n int
				n, err = c.Read(b[:min(want, int64(len(b)))])
				want -= int64(n)
			}
			d.done <- err
		}
	}()
	return d
}

// during drains n octets while f runs.
func (d drainer) during(n int64, f func() error) error {
	d.want <- n
	if err := f(); err != nil {
		return err
	}
	return <-d.done
}

func tcpBulk(nw network, size int) (func(int) (int, error), func(), error) {
	c, s, err := nw.connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	d, b := drain(s, size), make([]byte, size)
	return func(n int) (int, error) {
		return n, d.during(int64(n)*int64(size), func() error {
			for range n {
				if _, err := c.Write(b); err != nil {
					return err
				}
			}
			return nil
		})
	}, func() { close(d.want); c.Close(); s.Close() }, nil
}

func vectored(nw network) (func(int) (int, error), func(), error) {
	c, s, err := nw.connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	d := drain(s, 64<<10)
	piece, all := make([]byte, 512), make(net.Buffers, 16)
	return func(n int) (int, error) {
		return n, d.during(int64(n*16*512), func() error {
			bufs := new(net.Buffers)
			for range n {
				for i := range all {
					all[i] = piece
				}
				*bufs = all
				if _, err := nw.writev(c, bufs); err != nil {
					return err
				}
			}
			return nil
		})
	}, func() { close(d.want); c.Close(); s.Close() }, nil
}

func sendfile(nw network, size int) (func(int) (int, error), func(), error) {
	f, err := os.CreateTemp("", "bench")
	if err != nil {
		return nil, nil, err
	}
	os.Remove(f.Name())
	if _, err := f.Write(make([]byte, size)); err != nil {
		return nil, nil, err
	}
	c, s, err := nw.connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	d := drain(s, 256<<10)
	return func(n int) (int, error) {
		return n, d.during(int64(n)*int64(size), func() error {
			for range n {
				if _, err := f.Seek(0, io.SeekStart); err != nil {
					return err
				}
				if _, err := io.CopyN(c, f, int64(size)); err != nil {
					return err
				}
			}
			return nil
		})
	}, func() { close(d.want); c.Close(); s.Close(); f.Close() }, nil
}

// proxy copies from a connection to another one, both nw's; who writes the one and
// reads the other is package net.
func proxy(nw network, from, to string, size int) (func(int) (int, error), func(), error) {
	mixed := nw
	mixed.dial = net.Dial
	in, src, err := mixed.connected(from)
	if err != nil {
		return nil, nil, err
	}
	mixed = nw
	mixed.listen = net.Listen
	dst, out, err := mixed.connected(to)
	if err != nil {
		return nil, nil, err
	}
	copied := make(chan error, 1)
	go func() {
		_, err := nw.copy(dst, src)
		copied <- err
	}()
	d, b := drain(out, 256<<10), make([]byte, 256<<10)
	return func(n int) (int, error) {
			return n, d.during(int64(n)*int64(size), func() error {
				for left := n * size; left > 0; {
					m, err := in.Write(b[:min(left, len(b))])
					if err != nil {
						return err
					}
					left -= m
				}
				return nil
			})
		}, func() {
			close(d.want)
			in.Close()
			<-copied
			src.Close()
			dst.Close()
			out.Close()
		}, nil
}

func acceptClose(nw network) (func(int) (int, error), func(), error) {
	l, err := nw.listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	addr := l.Addr().String()
	return func(n int) (int, error) {
		for range n {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return 0, err
			}
			var b [1]byte
			if _, err := c.Read(b[:]); err != io.EOF {
				return 0, fmt.Errorf("the server sent something: %w", err)
			}
			c.Close()
		}
		return n, nil
	}, func() { l.Close() }, nil
}

func httpClose(nw network) (func(int) (int, error), func(), error) {
	l, err := nw.listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hello, world")
	})}
	go srv.Serve(l)
	addr := l.Addr().String()
	req := []byte("GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
	buf := new(bytes.Buffer)
	return func(n int) (int, error) {
		for range n {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return 0, err
			}
			if _, err := c.Write(req); err != nil {
				return 0, err
			}
			buf.Reset()
			if _, err := buf.ReadFrom(c); err != nil {
				return 0, err
			}
			c.Close()
			if !strings.HasSuffix(buf.String(), "hello, world") {
				return 0, errors.New("not the answer: " + buf.String())
			}
		}
		return n, nil
	}, func() { srv.Close() }, nil
}

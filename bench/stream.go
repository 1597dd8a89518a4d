package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

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

var networks = slices.Concat([]network{
	{"net", net.Listen, net.Dial, io.Copy, func(c net.Conn, bufs *net.Buffers) (int64, error) {
		return bufs.WriteTo(c)
	}},
	{"sockets", sockets.Listen, sockets.Dial, sockets.Copy, func(c net.Conn, bufs *net.Buffers) (int64, error) {
		return c.(interface {
			WriteBuffers(*net.Buffers) (int64, error)
		}).WriteBuffers(bufs)
	}},
}, mdlayher)

func init() {
	for _, family := range []string{"tcp", "unix"} {
		addStream(family+"/ping-pong/size=64", 2*64, networks, func(nw network) (func(int) (int, error), func(), error) {
			return pingpong(nw, family, 64)
		})
	}
	// What differs here is chance.
	same := []network{networks[0], networks[0]}
	same[1].name = again
	addStream("noise/tcp/ping-pong/size=64", 2*64, same, func(nw network) (func(int) (int, error), func(), error) {
		return pingpong(nw, "tcp", 64)
	})
	addStream("noise/tcp/bulk/size=64K", 64<<10, same, func(nw network) (func(int) (int, error), func(), error) {
		return bulkStream(nw, 64<<10)
	})
	addStream("tcp/turnabout/size=64", 2*64, networks, turnabout)
	addStream("tcp/bulk/size=64K", 64<<10, networks, func(nw network) (func(int) (int, error), func(), error) {
		return bulkStream(nw, 64<<10)
	})
	addStream("tcp/writev/bufs=16,size=1K", 16<<10, networks, vectored)

	// Package socket has nothing for these.
	fast := networks[:2]
	for _, size := range []struct {
		name  string
		bytes int
	}{{"64K", 64 << 10}, {"4M", 4 << 20}} {
		addStream("tcp/sendfile/size="+size.name, size.bytes, fast, func(nw network) (func(int) (int, error), func(), error) {
			return sendfile(nw, size.bytes)
		})
	}
	for _, way := range []struct{ from, to string }{{"tcp", "tcp"}, {"unix", "tcp"}, {"tcp", "unix"}, {"unix", "unix"}} {
		addStream("proxy/"+way.from+" to "+way.to+"/bulk", 1<<20, fast, func(nw network) (func(int) (int, error), func(), error) {
			return proxyBulk(nw, way.from, way.to, 1<<20)
		})
	}
	for _, family := range []string{"tcp", "unix"} {
		addStream("proxy/"+family+" to "+family+"/ping-pong/size=64", 2*64, fast, func(nw network) (func(int) (int, error), func(), error) {
			return proxyPingpong(nw, family, 64)
		})
	}
}

func addStream(name string, bytes int, networks []network, start func(network) (func(int) (int, error), func(), error)) {
	wl := workload{name: name, bytes: bytes}
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
	go echoStream(s)
	return asking(c, size), func() { c.Close() }, nil
}

// asking sends size bytes through c and waits until they are back.
func asking(c net.Conn, size int) func(int) (int, error) {
	b := make([]byte, size)
	return repeat(func() error {
		if _, err := c.Write(b); err != nil {
			return err
		}
		_, err := io.ReadFull(c, b)
		return err
	})
}

// turnabout writes to one end and reads from the other in one goroutine, which
// thus never waits.
func turnabout(nw network) (func(int) (int, error), func(), error) {
	c, s, err := nw.connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	b := make([]byte, 64)
	return repeat(func() error {
		if _, err := c.Write(b); err != nil {
			return err
		}
		_, err := io.ReadFull(s, b)
		return err
	}), func() { c.Close(); s.Close() }, nil
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

// during drains n bytes while f runs.
func (d drainer) during(n int64, f func() error) error {
	d.want <- n
	if err := f(); err != nil {
		return err
	}
	return <-d.done
}

// draining makes a run of an operation that sends size bytes to d.
func draining(d drainer, size int, op func() error) func(int) (int, error) {
	run := repeat(op)
	return func(n int) (int, error) {
		return n, d.during(int64(n)*int64(size), func() error {
			_, err := run(n)
			return err
		})
	}
}

func bulkStream(nw network, size int) (func(int) (int, error), func(), error) {
	c, s, err := nw.connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	d, b := drain(s, size), make([]byte, size)
	return draining(d, size, func() error {
		_, err := c.Write(b)
		return err
	}), func() { close(d.want); c.Close(); s.Close() }, nil
}

func vectored(nw network) (func(int) (int, error), func(), error) {
	c, s, err := nw.connected("tcp")
	if err != nil {
		return nil, nil, err
	}
	d := drain(s, 64<<10)
	piece, all := make([]byte, 1<<10), make(net.Buffers, 16)
	bufs := new(net.Buffers)
	return draining(d, 16<<10, func() error {
		for i := range all {
			all[i] = piece
		}
		*bufs = all
		_, err := nw.writev(c, bufs)
		return err
	}), func() { close(d.want); c.Close(); s.Close() }, nil
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
		f.Close()
		return nil, nil, err
	}
	d := drain(s, 256<<10)
	return draining(d, size, func() error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.CopyN(c, f, int64(size))
		return err
	}), func() { close(d.want); c.Close(); s.Close(); f.Close() }, nil
}

// A proxied connection goes through a proxy, whose two connections are nw's: what
// is written to in comes out of out, and the other way round.
func proxied(nw network, from, to string) (in, out net.Conn, stop func(), err error) {
	mixed := nw
	mixed.dial = net.Dial
	in, front, err := mixed.connected(from)
	if err != nil {
		return nil, nil, nil, err
	}
	mixed = nw
	mixed.listen = net.Listen
	back, out, err := mixed.connected(to)
	if err != nil {
		in.Close()
		front.Close()
		return nil, nil, nil, err
	}
	var wg sync.WaitGroup
	relay := func(dst, src net.Conn) {
		nw.copy(dst, src)
		dst.(interface{ CloseWrite() error }).CloseWrite()
	}
	wg.Go(func() { relay(back, front) })
	wg.Go(func() { relay(front, back) })
	return in, out, func() {
		in.Close()
		out.Close()
		wg.Wait()
		front.Close()
		back.Close()
	}, nil
}

func proxyBulk(nw network, from, to string, size int) (func(int) (int, error), func(), error) {
	in, out, stop, err := proxied(nw, from, to)
	if err != nil {
		return nil, nil, err
	}
	d, b := drain(out, 256<<10), make([]byte, 256<<10)
	return draining(d, size, func() error {
		for left := size; left > 0; {
			m, err := in.Write(b[:min(left, len(b))])
			if err != nil {
				return err
			}
			left -= m
		}
		return nil
	}), func() { close(d.want); stop() }, nil
}

func proxyPingpong(nw network, family string, size int) (func(int) (int, error), func(), error) {
	in, out, stop, err := proxied(nw, family, family)
	if err != nil {
		return nil, nil, err
	}
	go echoStream(out)
	return asking(in, size), stop, nil
}

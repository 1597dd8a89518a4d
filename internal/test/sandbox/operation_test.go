//go:build linux

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/activation"
	"github.com/iolib-go/sockets/internal/socktest"
)

func refusedAdopt() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	lf, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	cf, err := c.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	if _, err := net.FileListener(lf); err != nil {
		return fmt.Errorf("package net refuses as well: %w", err)
	}
	ours, err := sockets.FileListener(lf)
	if err != nil {
		return err
	}
	conn, err := sockets.FileConn(cf)
	if err != nil {
		return err
	}
	if _, ok := conn.(*sockets.TCPConn); !ok {
		return fmt.Errorf("adopted a %T", conn)
	}
	a, err := ours.Accept()
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	if _, err := io.ReadFull(a, make([]byte, 1)); err != nil {
		return err
	}
	s, err := sockets.FromFile(lf)
	if err != nil {
		return err
	}
	ours, err = s.Listener()
	if err != nil {
		return err
	}
	if c, err = net.Dial("tcp", ours.Addr().String()); err != nil {
		return err
	}
	if _, err = ours.Accept(); err != nil {
		return err
	}
	if cf, err = c.(*net.TCPConn).File(); err != nil {
		return err
	}
	if s, err = sockets.FromFile(cf); err != nil {
		return err
	}
	_, err = s.Conn()
	return err
}

func refusedDial() error {
	for _, address := range []string{"127.0.0.1:0", ":0"} {
		l, err := sockets.Listen("tcp", address)
		if err != nil {
			return err
		}
		c, err := sockets.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		a, err := l.Accept()
		if err != nil {
			return err
		}
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		if _, err := io.ReadFull(a, make([]byte, 1)); err != nil {
			return err
		}
		if _, err := a.(*sockets.TCPConn).MultipathTCP(); err != nil {
			return err
		}
	}
	d := sockets.Dialer{}
	d.SetMultipathTCP(true)
	lc := sockets.ListenConfig{}
	lc.SetMultipathTCP(true)
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, err = d.Dial("tcp", l.Addr().String())
	return err
}

// refusedPath cannot listen, and leaves nothing where it would have.
func refusedPath() error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "l")
	for _, network := range []string{"unix", "unixpacket"} {
		if l, err := sockets.Listen(network, path); err == nil {
			l.Close()
			return fmt.Errorf("%s: it listens", network)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			return fmt.Errorf("%s: the path is left: %v", network, err)
		}
	}
	return nil
}

// refusedStream reads and writes in the ways that package net has.
func refusedStream() error {
	for _, network := range []string{"tcp", "unix"} {
		a, b, err := refusedPair(network)
		if err != nil {
			return err
		}
		data := socktest.RandomBytes(300_000)
		written := make(chan error, 1)
		go func() {
			_, err := a.Write(data[:100_000])
			if err == nil {
				bufs := net.Buffers{data[100_000:100_001], data[100_001:]}
				_, err = a.(interface {
					WriteBuffers(*net.Buffers) (int64, error)
				}).WriteBuffers(&bufs)
			}
			written <- errors.Join(err, a.Close())
		}()
		got := make([]byte, 1000)
		if _, err := io.ReadFull(b, got); err != nil {
			return fmt.Errorf("%s: Read: %w", network, err)
		}
		bufs := net.Buffers{make([]byte, 10), make([]byte, 10)}
		n, err := b.(interface {
			ReadBuffers(net.Buffers) (int64, error)
		}).ReadBuffers(bufs)
		if err != nil {
			return fmt.Errorf("%s: ReadBuffers: %w", network, err)
		}
		got = append(got, bytes.Join(bufs, nil)[:n]...)
		rest, err := io.ReadAll(b)
		if err != nil {
			return fmt.Errorf("%s: ReadAll: %w", network, err)
		}
		if got = append(got, rest...); !bytes.Equal(got, data) {
			return fmt.Errorf("%s: %d bytes arrived", network, len(got))
		}
		if err := <-written; err != nil {
			return fmt.Errorf("%s: writing: %w", network, err)
		}
	}
	return nil
}

// like returns an error if ours fails where package net does not, or in another way.
func like(what string, net, ours error) error {
	var want syscall.Errno
	if ours == nil || errors.As(net, &want) && errors.Is(ours, want) {
		return nil
	}
	return fmt.Errorf("%s: %w, and package net says: %w", what, ours, net)
}

// refusedFile copies descriptors wherever package net does.
func refusedFile() error {
	files := func(listen func(network, address string) (net.Listener, error), dial func(network, address string) (net.Conn, error),
		fileConn func(*os.File) (net.Conn, error), fileListener func(*os.File) (net.Listener, error)) error {
		l, err := listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		c, err := dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		type filer interface{ File() (*os.File, error) }
		lf, err := l.(filer).File()
		if err != nil {
			return err
		}
		cf, err := c.(filer).File()
		if err != nil {
			return err
		}
		l2, err := fileListener(lf)
		if err != nil {
			return err
		}
		defer l2.Close()
		c2, err := fileConn(cf)
		if err != nil {
			return err
		}
		return c2.Close()
	}
	return like("File and back", files(net.Listen, net.Dial, net.FileConn, net.FileListener),
		files(sockets.Listen, sockets.Dial, sockets.FileConn, sockets.FileListener))
}

// refusedNames has connections that work, if they are nameless. Package net panics
// where a unix listener does not learn its name.
func refusedNames() error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "l")
	l, err := sockets.Listen("unix", name)
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := sockets.Dial("unix", name)
	if err != nil {
		return err
	}
	defer c.Close()
	a, err := l.Accept()
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err = io.ReadFull(a, make([]byte, 1))
	return err
}

// refusedAccept fails at once and as package net does, or accepts.
func refusedAccept() error {
	accept := func(network, address string, listen func(network, address string) (net.Listener, error)) error {
		l, err := listen(network, address)
		if err != nil {
			return err
		}
		defer l.Close()
		c, err := net.Dial(network, l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		if err := l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		a, err := l.Accept()
		if err != nil {
			return err
		}
		return a.Close()
	}
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": ""} {
		if err := like(network, accept(network, address, net.Listen), accept(network, address, sockets.Listen)); err != nil {
			return err
		}
	}
	return nil
}

// refusedDisconnect gives a socket one peer, none, and another one.
func refusedDisconnect() error {
	peers := [2]net.PacketConn{}
	for i := range peers {
		pc, err := sockets.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		peers[i] = pc
	}
	pc, err := sockets.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c := pc.(*sockets.UDPConn)
	for _, p := range peers {
		if err := c.Connect(p.LocalAddr()); err != nil {
			return err
		}
		if _, err := c.Write([]byte("x")); err != nil {
			return err
		}
		if _, _, err := p.ReadFrom(make([]byte, 1)); err != nil {
			return err
		}
		if err := c.Disconnect(); err != nil {
			return err
		}
	}
	_, err = c.WriteTo([]byte("x"), peers[0].LocalAddr())
	return err
}

// refusedMode gives the file of a socket its permissions.
func refusedMode() error {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lc := sockets.ListenConfig{UnixMode: 0o640}
	l, err := lc.Listen(context.Background(), "unix", filepath.Join(dir, "l"))
	if err != nil {
		return err
	}
	defer l.Close()
	info, err := os.Lstat(l.Addr().String())
	if err == nil && info.Mode().Perm() != 0o640 {
		err = fmt.Errorf("permissions %v", info.Mode())
	}
	return err
}

// refusedInherit takes what a service manager gave to the process, whose number among
// all processes it cannot find out.
func refusedInherit() error {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	os.Setenv("LISTEN_PIDFDID", "1")
	os.Setenv("LISTEN_FDS", "1")
	got, err := activation.Inherited()
	if err == nil && len(got) != 1 {
		err = fmt.Errorf("%d descriptors", len(got))
	}
	return err
}

// refusedDescriptors passes a file along with data.
func refusedDescriptors() error {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		return err
	}
	for range 2 {
		if err := a.SendFD(os.Stderr); err != nil {
			return err
		}
	}
	if _, err := a.Write([]byte("x")); err != nil {
		return err
	}
	for range 2 {
		f, err := b.ReceiveFD()
		if err != nil {
			return err
		}
		f.Close()
	}
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		return err
	}
	// What comes without a descriptor is left, and read with what follows it.
	if _, err := a.Write([]byte("left")); err != nil {
		return err
	}
	if _, err := b.ReceiveFD(); !errors.Is(err, sockets.ErrNoDescriptor) {
		return fmt.Errorf("ReceiveFD without a descriptor: %w", err)
	}
	var got []byte
	for len(got) < len("left") {
		p := make([]byte, 10)
		n, _, err := b.ReceiveFDs(p, 1)
		if err != nil {
			return err
		}
		got = append(got, p[:n]...)
	}
	if string(got) != "left" {
		return fmt.Errorf("%q is left", got)
	}
	return nil
}

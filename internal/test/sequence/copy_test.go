//go:build linux

package sequence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// copyFrom copies from c until there is nothing, or the other way round.
func copyFrom(w *world, c *conn, s step) {
	if _, ok := c.any.(net.Conn); !ok {
		return
	}
	if s[2]&1 == 1 {
		copyTo(w, c, s)
		return
	}
	var src io.Reader = c.net()
	if s[2]&2 != 0 {
		src = &io.LimitedReader{R: src, N: int64(s[3] % 12)}
	}
	var out bytes.Buffer
	var dst io.Writer = &out
	var f *os.File
	var d *conn
	switch s[2] >> 2 % 4 {
	case 1:
		var err error
		if f, err = os.Create(w.path()); err != nil {
			panic(err)
		}
		defer f.Close()
		dst = f
	case 2, 3:
		d = w.conns[int(s[3])%len(w.conns)]
		if _, ok := d.any.(net.Conn); !ok {
			return
		}
		dst = d.net()
		if d.pair == c.pair || d.pair == 0 {
			return // what is written may come round again
		}
	}
	if !c.readPast {
		// All that there is has arrived, mostly; what comes later does not repeat.
		ready(c.any.(syscall.Conn), unix.POLLIN)
		c.net().SetReadDeadline(time.Now().Add(2 * short))
		defer c.net().SetReadDeadline(time.Time{})
	}
	n, err, whole := int64(0), error(nil), f == nil
	if t, ok := src.(io.WriterTo); ok {
		n, err = t.WriteTo(dst)
		whole = true
	} else {
		n, err = io.Copy(dst, src)
	}
	w.record("%d %s %s", n, copyError(err, whole), sum(out.Bytes()))
	if f != nil {
		b, _ := os.ReadFile(f.Name())
		w.record("%s", sum(b))
	}
	if d != nil && err != nil {
		// What the destination did not take, package net loses and this one keeps.
		c.net().Close()
	}
}

// copyError describes the error of a copy, or what caused it. When io.Copy finds no
// method of the connection, it calls one of the file: package os then does the work with
// sockets of package net, which it knows, and the two agree on the cause.
func copyError(err error, whole bool) string {
	if !whole {
		for errors.Unwrap(err) != nil {
			err = errors.Unwrap(err)
		}
	}
	return describe(err)
}

func copyTo(w *world, c *conn, s step) {
	b := payload(s)
	var src io.Reader = struct{ io.Reader }{bytes.NewReader(b)}
	switch s[2] >> 2 % 4 {
	case 1:
		f, err := os.Create(w.path())
		if err != nil {
			panic(err)
		}
		defer f.Close()
		f.Write(b)
		f.Seek(int64(len(b)/2), io.SeekStart)
		src = f
	case 2:
		r, pw, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		defer r.Close()
		pw.Write(b)
		pw.Close()
		src = r
	case 3:
		src = strings.NewReader(string(b))
	}
	file, _ := src.(*os.File)
	if s[2]&2 != 0 {
		src = &io.LimitedReader{R: src, N: int64(s[2] >> 4)}
	}
	c.writing(func() {
		n, err, whole := int64(0), error(nil), file == nil
		if f, ok := c.any.(io.ReaderFrom); ok {
			n, err = f.ReadFrom(src)
			whole = true
		} else {
			n, err = io.Copy(c.net(), src)
		}
		w.record("%d %s", n, copyError(err, whole))
		left, err := io.ReadAll(src)
		if n > 0 || err != nil || len(b) == 0 { // of a failure net may have read before, or not
			w.record("left %d %v", len(left), err)
		}
	})
}

func closeWhileReading(w *world, c *conn, s step) {
	cc, ok := c.any.(net.Conn)
	b := room(s)
	if !ok || len(b) == 0 || c.readPast || ready(c.any.(syscall.Conn), unix.POLLIN) {
		return // it would not wait, and either may be first
	}
	done := make(chan string, 1)
	go func() {
		n, err := cc.Read(b)
		done <- fmt.Sprint(n, " ", describe(err))
	}()
	time.Sleep(time.Millisecond)
	w.record("%v", cc.Close())
	w.record("%s", <-done)
}

func closeWhileAccepting(w *world, l *listener, s step) {
	if ready(l.Listener.(syscall.Conn), unix.POLLIN) {
		return
	}
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
		done <- err
	}()
	time.Sleep(time.Millisecond)
	w.record("%v", l.Close())
	w.record("%v", <-done)
}

func addresses(w *world, c *conn, s step) {
	a := c.any.(interface{ LocalAddr() net.Addr })
	w.record("%v", a.LocalAddr())
	if r, ok := a.(interface{ RemoteAddr() net.Addr }); ok {
		w.record("%v", r.RemoteAddr())
	}
}

func raw(w *world, c *conn, s step) {
	r, err := c.any.(syscall.Conn).SyscallConn()
	w.record("%v", err)
	if err != nil {
		return
	}
	called := false
	switch s[2] % 4 {
	case 0:
		err = r.Control(func(uintptr) { called = true })
	case 1:
		err = r.Read(func(uintptr) bool { called = true; return true })
	case 2:
		err = r.Write(func(uintptr) bool { called = true; return true })
	case 3:
		c.reading(func() {
			err = r.Read(func(fd uintptr) bool {
				called = true
				_, _, err := unix.Recvfrom(int(fd), make([]byte, 4), unix.MSG_PEEK|unix.MSG_DONTWAIT)
				return err != unix.EAGAIN
			})
		})
	}
	w.record("%v %v", called, err)
}

// abandonedPeer writes to a port or a path that is closed, and reads what comes of it.
func abandonedPeer(w *world, c *conn, s step) {
	p, ok := c.any.(net.PacketConn)
	if !ok || p.LocalAddr() == nil {
		return
	}
	n := len(w.conns)
	dialConn(w, c, s)
	if len(w.conns) == n {
		return
	}
	d := w.conns[n]
	closeConn(w, c, s)
	for range 2 {
		write(w, d, s)
		read(w, d, s)
	}
}

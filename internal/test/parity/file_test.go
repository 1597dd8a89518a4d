//go:build linux

package parity

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

func TestParityAdoption(t *testing.T) {
	// A descriptor of each kind that there is.
	sources := []struct {
		name string
		open func(e *env) int
	}{
		{"tcp4 unconnected", rawSocket(unix.AF_INET, unix.SOCK_STREAM, 0)},
		{"tcp6 unconnected", rawSocket(unix.AF_INET6, unix.SOCK_STREAM, 0)},
		{"mptcp", rawSocket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)},
		{"udp4", rawSocket(unix.AF_INET, unix.SOCK_DGRAM, 0)},
		{"udp6", rawSocket(unix.AF_INET6, unix.SOCK_DGRAM, 0)},
		{"raw4", rawSocket(unix.AF_INET, unix.SOCK_RAW, 253)},
		{"raw6", rawSocket(unix.AF_INET6, unix.SOCK_RAW, 253)},
		{"unix stream", rawSocket(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
		{"unix dgram", rawSocket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)},
		{"unix seqpacket", rawSocket(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)},
		{"netlink", rawSocket(unix.AF_NETLINK, unix.SOCK_RAW, 0)},
		{"packet", rawSocket(unix.AF_PACKET, unix.SOCK_RAW, 0)},
		{"vsock", rawSocket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)},
		{"unix pair", socketPair(unix.SOCK_STREAM)},
		{"unixgram pair", socketPair(unix.SOCK_DGRAM)},
		{"unixpacket pair", socketPair(unix.SOCK_SEQPACKET)},
		{"file", func(e *env) int { return dupOf(e, textFile(e, "no socket")) }},
		{"pipe", func(e *env) int {
			r, w, err := os.Pipe()
			e.ok(err)
			defer w.Close()
			defer r.Close()
			return dupOf(e, r)
		}},
		{"directory", func(e *env) int {
			d, err := os.Open(e.dir())
			e.ok(err)
			defer d.Close()
			return dupOf(e, d)
		}},
	}
	var rows []parityRow
	for _, s := range sources {
		rows = append(rows, parityRow{s.name, func(e *env) {
			f := os.NewFile(uintptr(s.open(e)), "name of "+s.name)
			defer f.Close()
			c, err := e.fileConn(f)
			e.see("FileConn")(c, err)
			if err == nil {
				e.seeOptions("conn", c)
				e.see("Close")(c.Close())
			}
			l, err := e.fileListener(f)
			e.see("FileListener")(l, err)
			if err == nil {
				e.ok(l.(anyListener).SetDeadline(time.Unix(1, 0)))
				e.see("Accept")(l.Accept())
				e.ok(l.(anyListener).SetDeadline(time.Time{}))
				if s.name != "udp4" {
					e.see("Accept")(l.Accept())
				}
			}
			pc, err := e.filePacketConn(f)
			e.see("FilePacketConn")(pc, err)
			_, err = unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
			e.see("the file is still open")(err)
		}})
	}
	rows = append(rows,
		parityRow{"closed file", func(e *env) {
			f := textFile(e, "x")
			f.Close()
			e.see("FileConn")(e.fileConn(f))
			e.see("FileListener")(e.fileListener(f))
			e.see("FilePacketConn")(e.filePacketConn(f))
		}},
		parityRow{"nil file", func(e *env) {
			e.try("FileConn", func() { e.see("FileConn")(e.fileConn(nil)) })
			e.try("FileListener", func() { e.see("FileListener")(e.fileListener(nil)) })
			e.try("FilePacketConn", func() { e.see("FilePacketConn")(e.filePacketConn(nil)) })
		}},
		parityRow{"there and back", func(e *env) {
			for _, network := range []string{"tcp", "tcp6"} {
				c, s := e.tcpPair(network)
				e.ok(c.SetNoDelay(false))
				e.ok(c.SetKeepAlive(false))
				adopt(e, c, s)
			}
			for _, network := range []string{"unix", "unixpacket"} {
				c, s := e.unixPair(network)
				adopt(e, c, s)
				c, s = e.unixPair(network)
				adopt(e, s, c)
			}
			u, _ := e.udpPair("udp")
			adopt(e, u, nil)
			g, _ := e.unixgramPair()
			adopt(e, g, nil)
		}},
		parityRow{"a connected udp descriptor", func(e *env) {
			u, b := e.udpPair("udp")
			f, err := u.File()
			e.ok(err)
			defer f.Close()
			pc, err := e.filePacketConn(f)
			e.see("FilePacketConn")(pc, err)
			c := pc.(udpConn)
			e.see("WriteTo")(c.WriteTo([]byte("x"), b.LocalAddr()))
			e.see("WriteMsgUDP nil")(c.WriteMsgUDP([]byte("x"), nil, nil))
			e.see("Write")(c.Write([]byte("x")))
		}},
		parityRow{"a listener", func(e *env) {
			for _, network := range []string{"tcp", "tcp4", "unix", "unixpacket"} {
				address := "127.0.0.1:0"
				if network[0] == 'u' {
					address = e.path(network)
				}
				l, err := e.listen(network, address)
				e.ok(err)
				f, err := l.(anyListener).File()
				e.see("File")(f, err)
				m, err := e.fileListener(f)
				e.see("FileListener")(m, err)
				e.ok(f.Close())
				e.ok(l.Close())
				if network[0] != 'u' {
					c, err := e.dial(network, m.Addr().String())
					e.see("Dial")(c, err)
					s, err := m.Accept()
					e.see("Accept")(s, err)
					e.seeOptions("accepted", s)
				}
				e.see("Close")(m.Close())
				e.see("Accept")(m.Accept())
				e.see("FileConn of a listener")(func() (net.Conn, error) {
					l, err := e.listen(network, strings.Replace(address, network, network+"2", 1))
					e.ok(err)
					defer l.Close()
					f, err := l.(anyListener).File()
					e.ok(err)
					defer f.Close()
					return e.fileConn(f)
				}())
			}
		}},
	)
	runParity(t, rows)
}

// adopt passes c through File and FileConn, and tries whether it still talks.
func adopt(e *env, c, peer anyConn) {
	e.Helper()
	f, err := c.File()
	e.see("File")(f, err)
	d, err := e.fileConn(f)
	e.see("FileConn")(d, err)
	e.see("LocalAddr equal")(fmt.Sprint(c.LocalAddr()) == fmt.Sprint(d.LocalAddr()))
	e.seeOptions("adopted", d)
	e.ok(f.Close())
	e.ok(c.Close())
	if peer != nil {
		e.send(peer, "hello")
		e.see("Read")(d.Read(make([]byte, 8)))
	}
	e.see("Write")(d.Write([]byte("x")))
	e.ok(d.SetReadDeadline(time.Now().Add(time.Millisecond)))
	e.see("Read")(d.Read(make([]byte, 8)))
	e.see("Close")(d.Close())
	e.see("Write")(d.Write([]byte("x")))
}

func rawSocket(domain, typ, proto int) func(e *env) int {
	return func(e *env) int {
		fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, proto)
		if err == unix.EINVAL {
			e.Skip("no such protocol: ", err)
		}
		e.ok(err)
		return fd
	}
}

func socketPair(typ int) func(e *env) int {
	return func(e *env) int {
		fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
		e.ok(err)
		e.onExit(func() { unix.Close(fds[1]) })
		return fds[0]
	}
}

func dupOf(e *env, f *os.File) int {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	e.ok(err)
	return fd
}

// File's copy is non-blocking until Fd is called, then both are blocking.
func TestParityFile(t *testing.T) {
	nonblock := func(e *env, what string, c syscall.Conn) {
		rc, err := c.SyscallConn()
		e.ok(err)
		e.ok(rc.Control(func(fd uintptr) {
			flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
			cloexec, err2 := unix.FcntlInt(fd, unix.F_GETFD, 0)
			e.see(what)(flags&unix.O_NONBLOCK != 0, cloexec, err, err2)
		}))
	}
	kinds := []struct {
		name string
		make func(e *env) any
	}{
		{"tcp", func(e *env) any { c, _ := e.tcpPair("tcp"); return c }},
		{"udp", func(e *env) any { c, _ := e.udpPair("udp"); return c }},
		{"udp bound", func(e *env) any { _, c := e.udpPair("udp"); return c }},
		{"unix", func(e *env) any { c, _ := e.unixPair("unix"); return c }},
		{"unixgram", func(e *env) any { c, _ := e.unixgramPair(); return c }},
		{"unixpacket", func(e *env) any { c, _ := e.unixPair("unixpacket"); return c }},
		{"ip", func(e *env) any { c, _ := e.ipPair(); return c }},
		{"tcp listener", func(e *env) any {
			l, err := e.listen("tcp", "127.0.0.1:0")
			e.ok(err)
			e.onExit(func() { l.Close() })
			return l
		}},
		{"unix listener", func(e *env) any {
			l, err := e.listen("unix", e.path("l"))
			e.ok(err)
			e.onExit(func() { l.Close() })
			return l
		}},
	}
	var rows []parityRow
	for _, k := range kinds {
		rows = append(rows, parityRow{k.name, func(e *env) {
			c := k.make(e).(interface {
				syscall.Conn
				io.Closer
				File() (*os.File, error)
			})
			f, err := c.File()
			e.see("File")(f, err)
			nonblock(e, "file", f)
			nonblock(e, "original", c)
			e.see("SetDeadline")(f.SetDeadline(time.Now().Add(time.Hour)))
			e.seeFD("file", int(f.Fd()))
			nonblock(e, "file after Fd", f)
			nonblock(e, "original after Fd", c)
			e.see("Close")(c.Close())
			_, err = unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
			e.see("file outlives it")(err)
			again := &env{TB: e.TB, impl: e.impl} // with paths of its own
			defer again.cleanup()
			g, err := k.make(again).(interface {
				File() (*os.File, error)
			}).File()
			e.ok(err)
			e.see("Close of the file")(g.Close())
		}})
	}
	runParity(t, rows)
}

func init() {
	// In a child process, because the limit is the process's.
	for _, im := range []*impl{netImpl, sockImpl} {
		socktest.Children["no descriptors, "+im.name] = func() error {
			for _, s := range exhausted(im) {
				fmt.Println(s)
			}
			return nil
		}
	}
}

const lost = "accept(2) fails with EMFILE and takes the connection away"

// exhausted is what happens when there are no descriptors left.
func exhausted(im *impl) []sight {
	e := &env{TB: failer{}, impl: im}
	defer e.cleanup()
	l, err := e.listen("tcp", "127.0.0.1:0")
	e.ok(err)
	ul, err := e.listen("unix", e.path("l"))
	e.ok(err)
	c, err := e.dial("tcp", l.Addr().String())
	e.ok(err)
	queued, err := e.dial("tcp", l.Addr().String())
	e.ok(err)
	queuedUnix, err := e.dial("unix", e.path("l"))
	e.ok(err)
	s, err := l.Accept()
	e.ok(err)
	f, err := c.(anyConn).File()
	e.ok(err)

	var old unix.Rlimit
	e.ok(unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	probe, err := unix.Dup(0)
	e.ok(err)
	e.ok(unix.Close(probe))
	// The runtime may have left gaps below: fill them.
	e.ok(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(probe) + 16, Max: old.Max}))
	var fill []int
	for {
		fd, err := unix.Dup(0)
		if err != nil {
			break
		}
		fill = append(fill, fd)
	}
	e.see("Accept")(l.Accept())
	waiting := 0
	socktest.WithFD(e, l.(syscall.Conn), func(fd int) (err error) {
		waiting, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err
	})
	if waiting == 0 {
		fmt.Println(lost)
		return nil
	}
	e.see("Accept unix")(ul.Accept())
	e.see("accept own type")(e.acceptOwn(l))
	e.see("Dial tcp")(e.dial("tcp", l.Addr().String()))
	e.see("Dial udp")(e.dial("udp", l.Addr().String()))
	e.see("Dial unix")(e.dial("unix", e.path("l")))
	e.see("Listen tcp")(e.listen("tcp", "127.0.0.1:0"))
	e.see("Listen unix")(e.listen("unix", e.path("m")))
	e.see("ListenPacket udp")(e.listenPacket("udp", "127.0.0.1:0"))
	e.see("ListenUnixgram")(e.listenUnixgram("unixgram", &net.UnixAddr{Name: e.path("g"), Net: "unixgram"}))
	e.see("File")(c.(anyConn).File())
	e.see("File of a listener")(l.(anyListener).File())
	e.see("FileConn")(e.fileConn(f))
	e.see("FileListener")(e.fileListener(f))
	e.see("FilePacketConn")(e.filePacketConn(f))
	e.see("Write")(c.Write([]byte("still works")))
	e.see("Read")(s.Read(make([]byte, 64)))
	for range 2 {
		e.ok(unix.Close(fill[0]))
		fill = fill[1:]
	}
	if f, err := c.(anyConn).File(); err != nil {
		e.see("File, room for two")(err)
	} else {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		e.see("File, room for two")(flags&unix.O_NONBLOCK, err)
		e.ok(f.Close())
	}
	for _, fd := range fill {
		e.ok(unix.Close(fd))
	}
	e.see("Accept, later")(l.Accept())
	e.see("Accept unix, later")(ul.Accept())
	for _, c := range []io.Closer{l, ul, c, queued, queuedUnix, s, f} {
		c.Close()
	}
	os.RemoveAll(e.tmp)
	return e.sights
}

// A failer is the testing.TB of a child process.
type failer struct{ testing.TB }

func (failer) Helper()                     {}
func (failer) Cleanup(func())              {}
func (failer) Fatal(args ...any)           { panic(fmt.Sprint(args...)) }
func (failer) Fatalf(f string, arg ...any) { panic(fmt.Sprintf(f, arg...)) }

func TestParityNoDescriptors(t *testing.T) {
	run := func(im *impl) []string {
		cmd := socktest.ChildCommand(t, "no descriptors, "+im.name)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", im.name, err, out)
		}
		return strings.Split(string(out), "\n")
	}
	ofNet, ofSockets := run(netImpl), run(sockImpl)
	if ofNet[0] == lost {
		t.Skip(lost) // as in gVisor
	}
	compareLines(t, ofNet, ofSockets)
}

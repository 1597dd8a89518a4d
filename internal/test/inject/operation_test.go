//go:build linux && amd64

package inject

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// An operation is done once in each round. It calls mark around what may fail, and
// returns what was wrong with it.
type operation struct {
	name string
	do   func(dir string) error

	// noShort says that the kernel does all that it is asked for, as of a packet.
	noShort bool
}

var operations = []operation{
	{"tcp", func(string) error { return stream("tcp") }, false},
	{"unix", func(string) error { return stream("unix") }, false},
	{"buffers", func(string) error { return vectors() }, false},
	{"unixpacket", func(string) error { return packets() }, true},
	{"copy tcp to tcp", func(string) error { return transfer("tcp", "tcp") }, false},
	{"copy unix to tcp", func(string) error { return transfer("unix", "tcp") }, false},
	{"copy tcp to unix", func(string) error { return transfer("tcp", "unix") }, false},
	{"copy to a file", toFile, false},
	{"copy from a file", fromFile, false},
	{"copy to a pipe", toPipe, false},
	{"batch", func(string) error { return batch(false) }, false},
	{"batch with offload", func(string) error { return batch(true) }, false},
	{"descriptor", descriptors, false},
	{"socket", passSocket, false},
	{"accept", func(dir string) error { return accept("tcp", dir) }, false},
	{"accept unix", func(dir string) error { return accept("unix", dir) }, false},
	{"open", open, false},
	{"file", dups, false},
}

func init() {
	socktest.Children["inject"] = func() error {
		name := os.Args[2]
		rounds, err := strconv.Atoi(os.Args[3])
		if err != nil {
			return err
		}
		for _, op := range operations {
			if op.name == name {
				return repeat(op, rounds)
			}
		}
		return fmt.Errorf("no operation %q", name)
	}
}

// repeat does rounds of op, and looks for leaks after each.
func repeat(op operation, rounds int) error {
	dir, err := os.MkdirTemp("", "inject")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The runtime's poller begins, while its calls do not fail, which would end the process.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	closeAll(r, w)
	if err := op.do(dir); err != nil { // so that all is open that stays open
		return fmt.Errorf("the first time: %w", err)
	}
	before := count()
	for i := range rounds {
		hung := time.AfterFunc(20*time.Second, func() { panic("round " + fmt.Sprint(i) + " hangs") })
		err := op.do(dir)
		hung.Stop()
		mark(false)
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if !socktest.WaitUntil(func() bool {
			if count() <= before {
				return true
			}
			runtime.GC() // of pooled pipes
			return count() <= before
		}) {
			return fmt.Errorf("round %d: %d descriptors are left open: %v", i, count()-before, socktest.OpenFiles())
		}
	}
	return nil
}

// count returns how many sockets, and files of the test, are open.
func count() (n int) {
	for _, what := range socktest.OpenFiles() {
		if strings.HasPrefix(what, "socket:") || strings.HasPrefix(what, "pipe:") || strings.Contains(what, "/inject") {
			n++
		}
	}
	return n
}

// pair returns two connected ends.
func pair(network string) (a, b net.Conn, err error) {
	if network == "unix" || network == "unixpacket" {
		return socketPair(network)
	}
	l, err := sockets.Listen(network, "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if a, err = sockets.Dial(network, l.Addr().String()); err == nil {
		b, err = l.Accept()
	}
	return a, b, err
}

func socketPair(network string) (a, b net.Conn, err error) {
	x, y, err := sockets.Pair(network)
	return x, y, err
}

func closeAll(cs ...io.Closer) {
	for _, c := range cs {
		c.Close()
	}
}

// pattern returns n bytes, each of which tells where it belongs.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// proper reports an error that a caller cannot make sense of.
func proper(err error) error {
	var errno syscall.Errno
	if err == nil || err == io.EOF || errors.As(err, &errno) || errors.Is(err, errors.ErrUnsupported) ||
		errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return fmt.Errorf("an error of no system call: %w", err)
}

// readRest reads what comes until the end, without faults.
func readRest(c io.Reader) ([]byte, error) {
	var b bytes.Buffer
	_, err := b.ReadFrom(c)
	return b.Bytes(), err
}

// stream writes and reads, and counts what arrives.
func stream(network string) error {
	a, b, err := pair(network)
	if err != nil {
		return err
	}
	defer closeAll(a, b)
	data := pattern(20000)
	var got []byte
	var sent int
	mark(true)
	sent, werr := a.Write(data[:10000])
	if werr == nil {
		var n int
		n, werr = a.(interface {
			SendTo([]byte, net.Addr, sockets.MsgFlags) (int, error)
		}).SendTo(data[10000:], nil, 0)
		sent += n
	}
	var rerr error
	for len(got) < sent && rerr == nil {
		p := make([]byte, 3000)
		n := 0
		if len(got)%2 == 0 {
			n, rerr = b.Read(p)
		} else {
			n, _, rerr = b.(interface {
				ReceiveFrom([]byte, sockets.MsgFlags) (int, net.Addr, error)
			}).ReceiveFrom(p, 0)
		}
		got = append(got, p[:n]...)
	}
	mark(false)
	if err := errors.Join(proper(werr), proper(rerr)); err != nil {
		return err
	}
	a.Close()
	rest, err := readRest(b)
	if err != nil {
		return err
	}
	if got = append(got, rest...); !bytes.Equal(got, data[:sent]) || werr == nil && sent < len(data) {
		return fmt.Errorf("%d of %d bytes arrive, %d are sent: %v, %v", len(got), len(data), sent, werr, rerr)
	}
	return nil
}

// vectors is stream with several buffers.
func vectors() error {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		return err
	}
	defer closeAll(a, b)
	data := pattern(9000)
	bufs := net.Buffers{data[:1], data[1:4000], data[4000:4001], data[4001:]}
	mark(true)
	sent, werr := a.WriteBuffers(&bufs)
	p, q := make([]byte, 5000), make([]byte, 5000)
	var n int64
	var rerr error
	if sent > 0 {
		n, rerr = b.ReadBuffers(net.Buffers{p, q})
	}
	mark(false)
	if err := errors.Join(proper(werr), proper(rerr)); err != nil {
		return err
	}
	got := append(p, q...)[:n]
	a.Close()
	rest, err := readRest(b)
	if err != nil {
		return err
	}
	left := 0
	for _, b := range bufs {
		left += len(b)
	}
	if got = append(got, rest...); !bytes.Equal(got, data[:sent]) || left != len(data)-int(sent) {
		return fmt.Errorf("%d of %d bytes arrive, %d are sent, %d left: %v, %v", len(got), len(data), sent, left, werr, rerr)
	}
	return nil
}

// packets sends messages, of which each arrives as it is or not at all.
func packets() error {
	a, b, err := socketPair("unixpacket")
	if err != nil {
		return err
	}
	defer closeAll(a, b)
	var want, got []string
	mark(true)
	for i := range 5 {
		text := fmt.Sprintf("message %d", i)
		n, err := a.Write([]byte(text))
		if proper(err) != nil {
			return err
		}
		if n > 0 {
			want = append(want, text[:n])
		}
	}
	p := make([]byte, 100)
	for range want {
		if n, err := b.Read(p); err == nil {
			got = append(got, string(p[:n]))
		}
	}
	mark(false)
	a.Close()
	for {
		n, err := b.Read(p)
		if err != nil {
			break
		}
		got = append(got, string(p[:n]))
	}
	// A short count of recvfrom cuts the message off.
	if len(got) != len(want) {
		return fmt.Errorf("%q arrive of %q", got, want)
	}
	for i := range got {
		if !strings.HasPrefix(want[i], got[i]) {
			return fmt.Errorf("%q arrive of %q", got, want)
		}
	}
	return nil
}

// batch sends datagrams, of which as many arrive as it says.
func batch(offload bool) error {
	pc, err := (&sockets.ListenConfig{Offload: offload}).ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c, err := (&sockets.Dialer{Offload: offload}).Dial("udp4", pc.LocalAddr().String())
	if err != nil {
		return err
	}
	defer closeAll(pc, c)
	a, b := c.(*sockets.UDPConn), pc.(*sockets.UDPConn)
	const count = 16
	out, in := make([]sockets.Message, count), make([]sockets.Message, count)
	for i := range out {
		out[i].Buffers = [][]byte{[]byte(fmt.Sprintf("datagram %03d", i))}
		in[i].Buffers = [][]byte{make([]byte, 100)}
	}
	var want, got []string
	mark(true)
	sent, werr := a.WriteBatch(out, 0)
	for i := range sent {
		want = append(want, string(out[i].Buffers[0]))
	}
	var rerr error
	if sent > 0 {
		var n int
		n, rerr = b.ReadBatch(in, 0)
		for _, m := range in[:n] {
			got = append(got, string(m.Buffers[0][:m.N]))
		}
	}
	mark(false)
	if err := errors.Join(proper(werr), proper(rerr)); err != nil {
		return err
	}
	// What a call did in part is reported by the next.
	p := make([]byte, 100)
	for failed := 0; len(got) < len(want); {
		b.SetReadDeadline(time.Now().Add(2 * time.Second))
		n, _, err := b.ReadFrom(p)
		if err == nil {
			got = append(got, string(p[:n]))
		} else if failed++; failed > 2 {
			return fmt.Errorf("%d of %d datagrams arrive: %v, %v, %v", len(got), sent, werr, rerr, err)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%q arrive of %q", got, want)
	}
	b.SetReadDeadline(time.Unix(1, 0))
	if n, flags, err := b.ReceiveFrom(p, sockets.MsgDontWait); err == nil {
		return fmt.Errorf("%d bytes too many arrive: %v", n, flags)
	}
	return nil
}

// descriptors passes a file. It arrives, or sending says that it does not.
func descriptors(dir string) error {
	for _, network := range []string{"unix", "unixpacket", "unixgram"} {
		if err := passFile(network, dir); err != nil {
			return fmt.Errorf("%s: %w", network, err)
		}
	}
	return nil
}

func passFile(network, dir string) error {
	a, b, err := sockets.Pair(network)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "passed"))
	if err != nil {
		return err
	}
	defer closeAll(a, b, f)
	mark(true)
	werr := a.SendFD(f)
	var got *os.File
	var rerr error
	if werr == nil {
		got, rerr = b.ReceiveFD()
	}
	mark(false)
	if err := errors.Join(proper(werr), proper(rerr)); err != nil {
		return err
	}
	if werr != nil {
		return nil
	}
	if rerr != nil { // then it is there still
		if got, err = b.ReceiveFD(); err != nil {
			return fmt.Errorf("the descriptor is lost: %w; before: %w", err, rerr)
		}
	}
	defer got.Close()
	x, err := f.Stat()
	if err != nil {
		return err
	}
	y, err := got.Stat()
	if err != nil || !os.SameFile(x, y) {
		return fmt.Errorf("another file arrives: %v", err)
	}
	return nil
}

// passSocket passes a connection. Nothing is left open, whatever happens.
func passSocket(string) error {
	a, b, err := sockets.Pair("unix")
	if err != nil {
		return err
	}
	x, y, err := pair("tcp")
	if err != nil {
		return err
	}
	defer closeAll(a, b, x, y)
	mark(true)
	werr := a.SendFD(x.(syscall.Conn))
	var s *sockets.Socket
	var rerr error
	if werr == nil {
		s, rerr = b.ReceiveSocket()
	}
	mark(false)
	if s != nil {
		defer s.Close()
	}
	if (s == nil) == (rerr == nil) && werr == nil {
		return fmt.Errorf("socket %v and error %v", s, rerr)
	}
	return errors.Join(proper(werr), proper(rerr))
}

// accept accepts a connection, which waits as long as it is not accepted.
func accept(network, dir string) error {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(dir, "listener")
	}
	l, err := sockets.Listen(network, address)
	if err != nil {
		return err
	}
	c, err := sockets.Dial(network, l.Addr().String())
	if err != nil {
		return err
	}
	defer closeAll(l, c)
	mark(true)
	s, aerr := l.Accept()
	mark(false)
	if s != nil {
		defer s.Close()
	}
	if (s == nil) == (aerr == nil) {
		return fmt.Errorf("connection %v and error %v", s, aerr)
	}
	if err := proper(aerr); err != nil || aerr == nil {
		return err
	}
	// It waits to be accepted, or was closed.
	l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(20 * time.Millisecond))
	if s, err = l.Accept(); err == nil {
		return s.Close()
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("Accept: %w, and then %v; the connection stays", aerr, err)
	}
	return nil
}

// open listens and dials with all networks.
func open(dir string) error {
	for _, network := range []string{"tcp", "unix", "udp", "unixgram"} {
		address := "127.0.0.1:0"
		if strings.HasPrefix(network, "unix") {
			address = filepath.Join(dir, "open")
			os.Remove(address)
		}
		var l interface{ Close() error }
		var to string
		mark(true)
		err := func() error {
			if network == "tcp" || network == "unix" {
				nl, err := sockets.Listen(network, address)
				if err == nil {
					l, to = nl, nl.Addr().String()
				}
				return err
			}
			c, err := sockets.ListenPacket(network, address)
			if err == nil {
				l, to = c, c.LocalAddr().String()
			}
			return err
		}()
		if err == nil {
			var c net.Conn
			if c, err = sockets.Dial(network, to); err == nil {
				err = c.Close()
			}
		}
		mark(false)
		if l != nil {
			l.Close()
		}
		if err := proper(err); err != nil {
			return err
		}
		if _, err := os.Lstat(address); err == nil && network == "unix" {
			return fmt.Errorf("the path of a listener stays: %v", err)
		}
	}
	return nil
}

// dups makes connections of files of connections.
func dups(string) error {
	a, b, err := pair("tcp")
	if err != nil {
		return err
	}
	defer closeAll(a, b)
	mark(true)
	f, err := a.(*sockets.TCPConn).File()
	var c net.Conn
	if err == nil {
		if c, err = sockets.FileConn(f); err == nil {
			err = c.Close()
		}
		f.Close()
	}
	mark(false)
	return proper(err)
}

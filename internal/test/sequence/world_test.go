//go:build linux

package sequence

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// An impl is package net, or a package with the same functions.
type impl struct {
	dial           func(d *net.Dialer, network, address string) (net.Conn, error)
	listen         func(network, address string) (net.Listener, error)
	listenPacket   func(network, address string) (net.PacketConn, error)
	fileConn       func(f *os.File) (net.Conn, error)
	fileListener   func(f *os.File) (net.Listener, error)
	filePacketConn func(f *os.File) (net.PacketConn, error)
}

var impls = [2]*impl{
	{(*net.Dialer).Dial, net.Listen, net.ListenPacket, net.FileConn, net.FileListener, net.FilePacketConn},
	{func(d *net.Dialer, network, address string) (net.Conn, error) {
		return (&sockets.Dialer{LocalAddr: d.LocalAddr, Timeout: d.Timeout}).Dial(network, address)
	}, sockets.Listen, sockets.ListenPacket, sockets.FileConn, sockets.FileListener, sockets.FilePacketConn},
}

// A world is what the operations of one sequence have made, by one impl. Closed
// connections stay in it: operations on them have results, too.
type world struct {
	*impl
	dir       string
	conns     []*conn
	listeners []*listener
	files     []*os.File
	paths     int
	ports     map[string]string // and what they are called in results
	results   []string
}

type conn struct {
	any                 // net.Conn, net.PacketConn or both
	network             string
	pair                int  // both ends of a stream have the same; 0 if that is not known
	readPast, writePast bool // the deadline is over
}

func (c *conn) net() net.Conn { return c.any.(net.Conn) }

type listener struct {
	net.Listener
	network string
	past    bool
}

// Times that a call may take which is expected to wait, and one that is not.
const (
	short = 3 * time.Millisecond
	long  = 10 * time.Second
)

func newWorld(i *impl) (*world, error) {
	dir, err := os.MkdirTemp("", "q")
	return &world{impl: i, dir: dir, ports: make(map[string]string)}, err
}

func (w *world) close() {
	for _, l := range w.listeners {
		l.Close()
	}
	for _, c := range w.conns {
		c.any.(io.Closer).Close()
	}
	for _, f := range w.files {
		f.Close()
	}
	os.RemoveAll(w.dir)
}

// path returns the name of a socket that is not there yet.
func (w *world) path() string {
	w.paths++
	return filepath.Join(w.dir, fmt.Sprint("s", w.paths))
}

// record adds a result.
func (w *world) record(format string, args ...any) {
	for i, a := range args {
		switch a := a.(type) {
		case error:
			args[i] = describe(a)
		case net.Addr:
			if socktest.IsNil(a) {
				args[i] = fmt.Sprintf("nil %T", a)
			} else {
				args[i] = fmt.Sprintf("%T %s %s", a, a.Network(), a)
			}
		}
	}
	last := len(w.results) - 1
	w.results[last] += " " + w.normal(fmt.Sprintf(format, args...))
}

var (
	portPattern = regexp.MustCompile(`(127\.0\.0\.1|\[[0-9a-f:.]*\]|0\.0\.0\.0):[1-9][0-9]*`)
	autoPattern = regexp.MustCompile(`@[0-9a-f]{5}\b`)
)

// normal replaces in text what is different each time.
func (w *world) normal(text string) string {
	text = strings.ReplaceAll(text, w.dir, "DIR")
	text = autoPattern.ReplaceAllString(text, "@AUTO")
	return portPattern.ReplaceAllStringFunc(text, func(s string) string {
		at := strings.LastIndexByte(s, ':')
		name, ok := w.ports[s[at:]]
		if !ok {
			name = fmt.Sprint(":P", len(w.ports))
			w.ports[s[at:]] = name
		}
		return s[:at] + name
	})
}

// describe tells all that a caller can find out about an error.
func describe(err error) string {
	if err == nil {
		return "<nil>"
	}
	var b strings.Builder
	b.WriteString(err.Error())
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, " < %s", socktest.TypeName(e))
		if op, ok := e.(*net.OpError); ok {
			fmt.Fprintf(&b, "{%s %s %v %v}", op.Op, op.Net, op.Source, op.Addr)
		}
	}
	var ne net.Error
	if errors.As(err, &ne) {
		fmt.Fprintf(&b, " timeout=%v temporary=%v", ne.Timeout(), ne.Temporary())
	}
	for _, target := range []error{net.ErrClosed, os.ErrDeadlineExceeded, os.ErrClosed, io.EOF, net.ErrWriteToConnected, os.ErrInvalid, errors.ErrUnsupported} {
		if errors.Is(err, target) {
			fmt.Fprintf(&b, " is(%v)", target)
		}
	}
	return b.String()
}

// ready reports whether c has what the poller calls an event, and waits a moment
// for it.
func ready(c syscall.Conn, events int16) (yes bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: events}}
		n, _ := unix.Poll(p, 1)
		yes = n > 0
	})
	return yes || err != nil
}

// reading calls f, which reads from c, for no longer than there is a reason to wait.
func (c *conn) reading(f func()) {
	if c.readPast {
		f()
		return
	}
	d := c.any.(interface{ SetReadDeadline(time.Time) error })
	limit := short
	if ready(c.any.(syscall.Conn), unix.POLLIN) {
		limit = long
	}
	d.SetReadDeadline(time.Now().Add(limit))
	f()
	d.SetReadDeadline(time.Time{})
}

// writing is reading for calls that write.
func (c *conn) writing(f func()) {
	if c.writePast {
		f()
		return
	}
	d := c.any.(interface{ SetWriteDeadline(time.Time) error })
	limit := short
	if ready(c.any.(syscall.Conn), unix.POLLOUT) {
		limit = long
	}
	d.SetWriteDeadline(time.Now().Add(limit))
	f()
	d.SetWriteDeadline(time.Time{})
}

// accepting is reading for listeners.
func (l *listener) accepting(f func()) {
	if l.past {
		f()
		return
	}
	d := l.Listener.(interface{ SetDeadline(time.Time) error })
	limit := short
	if ready(l.Listener.(syscall.Conn), unix.POLLIN) {
		limit = long
	}
	d.SetDeadline(time.Now().Add(limit))
	f()
	d.SetDeadline(time.Time{})
}

func (w *world) addConn(c any, network string) *conn {
	n := &conn{any: c, network: network}
	w.conns = append(w.conns, n)
	return n
}

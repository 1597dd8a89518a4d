//go:build linux

package sequence

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A step is one operation of a sequence: which, and on what.
type step [4]byte

func (s step) String() string {
	return fmt.Sprintf("%s(%d, %d, %d)", s.operation().name, s[1], s[2], s[3])
}

func (s step) operation() operation { return operations[int(s[0])%len(operations)] }

// An operation does something in a world, and records what it returns.
type operation struct {
	name string
	do   func(w *world, s step)
}

// on is an operation on a connection, which s[1] chooses.
func on(do func(w *world, c *conn, s step)) func(w *world, s step) {
	return func(w *world, s step) {
		if len(w.conns) > 0 {
			do(w, w.conns[int(s[1])%len(w.conns)], s)
		}
	}
}

// onListener is on for listeners.
func onListener(do func(w *world, l *listener, s step)) func(w *world, s step) {
	return func(w *world, s step) {
		if len(w.listeners) > 0 {
			do(w, w.listeners[int(s[1])%len(w.listeners)], s)
		}
	}
}

var operations = []operation{
	{"pair", pair},
	{"pair", pair},
	{"listen", listen},
	{"listen packet", listenPacket},
	{"dial", dial},
	{"dial nothing", dialNothing},
	{"accept", onListener(accept)},
	{"write", on(write)},
	{"write", on(write)},
	{"write", on(write)},
	{"read", on(read)},
	{"read", on(read)},
	{"read", on(read)},
	{"write to", on(writeTo)},
	{"write to", on(writeTo)},
	{"read from", on(readFrom)},
	{"read from", on(readFrom)},
	{"deadline", on(deadline)},
	{"listener deadline", onListener(listenerDeadline)},
	{"half close", on(halfClose)},
	{"close", on(closeConn)},
	{"reset", on(reset)},
	{"close listener", onListener(closeListener)},
	{"file", on(file)},
	{"listener file", onListener(listenerFile)},
	{"option", on(option)},
	{"copy", on(copyFrom)},
	{"copy", on(copyFrom)},
	{"close while reading", on(closeWhileReading)},
	{"close while accepting", onListener(closeWhileAccepting)},
	{"addresses", on(addresses)},
	{"raw", on(raw)},
	{"buffers", on(buffers)},
	{"abandoned peer", on(abandonedPeer)},
}

var streamNetworks = []string{"tcp", "tcp4", "tcp6", "unix", "unixpacket"}
var packetNetworks = []string{"udp", "udp4", "udp6", "unixgram"}

// address returns what to listen on.
func (w *world) address(network string, variant byte) string {
	switch {
	case strings.HasPrefix(network, "unix"):
		return w.path()
	case strings.HasSuffix(network, "6"):
		return []string{"[::1]:0", "[::]:0", ":0"}[variant%3]
	}
	return []string{"127.0.0.1:0", "127.0.0.1:0", "0.0.0.0:0"}[variant%3]
}

func listen(w *world, s step) {
	network := streamNetworks[int(s[1])%len(streamNetworks)]
	l, err := w.listen(network, w.address(network, s[2]))
	w.record("%v", err)
	if err == nil {
		w.listeners = append(w.listeners, &listener{Listener: l, network: network})
		w.record("%v", l.Addr())
	}
}

func listenPacket(w *world, s step) {
	network := packetNetworks[int(s[1])%len(packetNetworks)]
	c, err := w.listenPacket(network, w.address(network, s[2]))
	w.record("%v", err)
	if err == nil {
		w.addConn(c, network)
		w.record("%v", c.LocalAddr())
	}
}

// pair makes two connections that talk to each other.
func pair(w *world, s step) {
	all := len(streamNetworks) + len(packetNetworks)
	if n := int(s[1]) % all; n >= len(streamNetworks) {
		listenPacket(w, step{0, s[1]%byte(all) - byte(len(streamNetworks)), s[2]})
		dialConn(w, w.conns[len(w.conns)-1], s)
		return
	}
	n := len(w.listeners)
	listen(w, step{0, s[1] % byte(all), s[2]})
	if len(w.listeners) > n {
		l := w.listeners[n]
		dialTo(w, l.network, l.Addr(), s[3])
		first := max(len(w.conns)-1, 0)
		accept(w, l, s)
		for _, c := range w.conns[first:] {
			c.pair = len(w.conns)
		}
		w.listeners = w.listeners[:n]
		l.Close()
	}
}

func dial(w *world, s step) {
	if n := len(w.listeners); n > 0 && (s[1]&1 == 0 || len(w.conns) == 0) {
		l := w.listeners[int(s[2])%n]
		dialTo(w, l.network, l.Addr(), s[3])
	} else if len(w.conns) > 0 {
		dialConn(w, w.conns[int(s[2])%len(w.conns)], s)
	}
}

// dialConn dials the local address of c, which only packets will reach.
func dialConn(w *world, c *conn, s step) {
	a := c.any.(interface{ LocalAddr() net.Addr }).LocalAddr()
	if a == nil || c.network == "unix" || c.network == "unixpacket" {
		return
	}
	dialTo(w, c.network, a, s[3])
}

func dialTo(w *world, network string, to net.Addr, variant byte) {
	d := &net.Dialer{Timeout: long}
	if strings.HasPrefix(network, "unix") && (variant&1 == 1 || network == "unixgram") {
		d.LocalAddr = &net.UnixAddr{Name: w.path(), Net: network}
	}
	c, err := w.dial(d, network, to.String())
	w.record("%v", err)
	if err == nil {
		w.addConn(c, network)
		w.record("%v %v", c.LocalAddr(), c.RemoteAddr())
	}
}

func dialNothing(w *world, s step) {
	d := &net.Dialer{Timeout: long}
	tests := [][2]string{
		{"tcp", "127.0.0.1:1"}, {"tcp6", "[::1]:1"}, {"tcp4", "[::1]:1"}, {"tcp6", "127.0.0.1:1"},
		{"unix", filepath.Join(w.dir, "none")}, {"unixpacket", filepath.Join(w.dir, "none")}, {"unixgram", filepath.Join(w.dir, "none")},
		{"unix", w.dir}, {"tcp", "127.0.0.1"}, {"tcp", "127.0.0.1:70000"}, {"udp", ""}, {"none", "127.0.0.1:1"}, {"unix", ""},
		{"udp", "127.0.0.1:1"}, {"udp6", "[::1]:1"},
	}
	t := tests[int(s[1])%len(tests)]
	c, err := w.dial(d, t[0], t[1])
	w.record("%v", err)
	if err == nil {
		w.addConn(c, t[0])
		w.record("%v %v", c.LocalAddr(), c.RemoteAddr())
	}
}

func accept(w *world, l *listener, s step) {
	l.accepting(func() {
		c, err := l.Accept()
		w.record("%v", err)
		if err == nil {
			w.addConn(c, l.network)
			w.record("%v %v", c.LocalAddr(), c.RemoteAddr())
		}
	})
}

// payload returns what to write, which is like nothing else.
func payload(s step) []byte {
	sizes := []int{0, 1, 2, 10, 100, 1000, 5000, 3}
	b := make([]byte, sizes[int(s[3])%len(sizes)])
	for i := range b {
		b[i] = byte(i) + s[2]
	}
	return b
}

// room returns where to read to.
func room(s step) []byte {
	sizes := []int{1, 10, 100, 5000, 70000, 3, 1000, 0}
	return make([]byte, sizes[int(s[3])%len(sizes)])
}

// sum tells pieces of data apart.
func sum(b []byte) string {
	if len(b) <= 4 {
		return fmt.Sprintf("%x", b)
	}
	h := uint32(0)
	for _, x := range b {
		h = h*31 + uint32(x)
	}
	return fmt.Sprintf("%x...%08x", b[:2], h)
}

func write(w *world, c *conn, s step) {
	cc, ok := c.any.(net.Conn)
	if !ok {
		return
	}
	c.writing(func() {
		n, err := cc.Write(payload(s))
		w.record("%d %v", n, err)
	})
}

func read(w *world, c *conn, s step) {
	cc, ok := c.any.(net.Conn)
	if !ok {
		return
	}
	c.reading(func() {
		b := room(s)
		n, err := cc.Read(b)
		w.record("%d %s %v", n, sum(b[:max(n, 0)]), err)
	})
}

// target returns the address to which a message goes.
func (w *world) target(c *conn, s step) net.Addr {
	if s[2]&3 == 0 {
		return nil
	}
	d := w.conns[int(s[2]>>2)%len(w.conns)]
	return d.any.(interface{ LocalAddr() net.Addr }).LocalAddr()
}

func writeTo(w *world, c *conn, s step) {
	b, a := payload(s), w.target(c, s)
	c.writing(func() {
		if u, ok := c.any.(interface {
			WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
			WriteToUDP(b []byte, addr *net.UDPAddr) (int, error)
			WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
		}); ok && s[3]&8 == 0 {
			ua, _ := a.(*net.UDPAddr)
			switch s[3] >> 4 % 3 {
			case 0:
				n, oobn, err := u.WriteMsgUDP(b, nil, ua)
				w.record("%d %d %v", n, oobn, err)
			case 1:
				n, err := u.WriteToUDP(b, ua)
				w.record("%d %v", n, err)
			case 2:
				var ap netip.AddrPort
				if ua != nil {
					ap = ua.AddrPort()
				}
				n, err := u.WriteToUDPAddrPort(b, ap)
				w.record("%d %v", n, err)
			}
			return
		}
		if u, ok := c.any.(interface {
			WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error)
			WriteToUnix(b []byte, addr *net.UnixAddr) (int, error)
		}); ok && s[3]&8 == 0 {
			ua, _ := a.(*net.UnixAddr)
			if s[3]&16 == 0 {
				n, oobn, err := u.WriteMsgUnix(b, nil, ua)
				w.record("%d %d %v", n, oobn, err)
			} else {
				n, err := u.WriteToUnix(b, ua)
				w.record("%d %v", n, err)
			}
			return
		}
		if p, ok := c.any.(net.PacketConn); ok {
			n, err := p.WriteTo(b, a)
			w.record("%d %v", n, err)
		}
	})
}

func readFrom(w *world, c *conn, s step) {
	b := room(s)
	c.reading(func() {
		if u, ok := c.any.(interface {
			ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
			ReadFromUDP(b []byte) (int, *net.UDPAddr, error)
			ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
		}); ok && s[2]&1 == 0 {
			switch s[2] >> 1 % 3 {
			case 0:
				n, oobn, flags, a, err := u.ReadMsgUDP(b, nil)
				n = max(n, 0) // package net has -1 with an error
				w.record("%d %s %d %#x %v %v", n, sum(b[:max(n, 0)]), oobn, flags, a, err)
			case 1:
				n, a, err := u.ReadFromUDP(b)
				w.record("%d %s %v %v", n, sum(b[:max(n, 0)]), a, err)
			case 2:
				n, a, err := u.ReadFromUDPAddrPort(b)
				w.record("%d %s %v %v", n, sum(b[:max(n, 0)]), a, err)
			}
			return
		}
		if u, ok := c.any.(interface {
			ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
			ReadFromUnix(b []byte) (int, *net.UnixAddr, error)
		}); ok && s[2]&1 == 0 {
			if s[2]&2 == 0 {
				n, oobn, flags, a, err := u.ReadMsgUnix(b, make([]byte, s[2]&64))
				n = max(n, 0)
				w.record("%d %s %d %#x %v %v", n, sum(b[:max(n, 0)]), oobn, flags, a, err)
			} else {
				n, a, err := u.ReadFromUnix(b)
				w.record("%d %s %v %v", n, sum(b[:max(n, 0)]), a, err)
			}
			return
		}
		if p, ok := c.any.(net.PacketConn); ok {
			n, a, err := p.ReadFrom(b)
			w.record("%d %s %v %v", n, sum(b[:max(n, 0)]), a, err)
		}
	})
}

func deadline(w *world, c *conn, s step) {
	d := c.any.(interface {
		SetDeadline(time.Time) error
		SetReadDeadline(time.Time) error
		SetWriteDeadline(time.Time) error
	})
	past := s[2]&1 == 1
	t := time.Time{}
	if past {
		t = time.Unix(1, 0)
	}
	var err error
	switch s[3] % 3 {
	case 0:
		err = d.SetDeadline(t)
		c.readPast, c.writePast = past, past
	case 1:
		err = d.SetReadDeadline(t)
		c.readPast = past
	case 2:
		err = d.SetWriteDeadline(t)
		c.writePast = past
	}
	w.record("%v", err)
}

func listenerDeadline(w *world, l *listener, s step) {
	t := time.Time{}
	if l.past = s[2]&1 == 1; l.past {
		t = time.Unix(1, 0)
	}
	w.record("%v", l.Listener.(interface{ SetDeadline(time.Time) error }).SetDeadline(t))
}

func halfClose(w *world, c *conn, s step) {
	h, ok := c.any.(interface {
		CloseRead() error
		CloseWrite() error
	})
	switch {
	case !ok:
	case s[2]&1 == 0:
		w.record("%v", h.CloseWrite())
	default:
		w.record("%v", h.CloseRead())
	}
}

func closeConn(w *world, c *conn, s step) {
	w.record("%v", c.any.(io.Closer).Close())
}

func reset(w *world, c *conn, s step) {
	if t, ok := c.any.(interface{ SetLinger(int) error }); ok {
		w.record("%v", t.SetLinger(0))
		closeConn(w, c, s)
	}
}

func closeListener(w *world, l *listener, s step) {
	w.record("%v", l.Close())
	if a, ok := l.Addr().(*net.UnixAddr); ok {
		_, err := os.Lstat(a.Name)
		w.record("%v", err == nil)
	}
}

// file makes one more connection of the same socket.
func file(w *world, c *conn, s step) {
	f, err := c.any.(interface{ File() (*os.File, error) }).File()
	w.record("%v", err)
	if err != nil {
		return
	}
	defer f.Close()
	w.record("%s", f.Name())
	var d any
	switch s[2] % 3 {
	case 0:
		d, err = w.fileConn(f)
	case 1:
		d, err = w.filePacketConn(f)
	case 2:
		d, err = w.fileListener(f)
	}
	w.record("%T %v", d == nil, err)
	if err != nil {
		return
	}
	if l, ok := d.(net.Listener); ok {
		w.record("%v", l.Addr())
		l.Close()
		return
	}
	n := w.addConn(d, c.network)
	a := d.(interface{ LocalAddr() net.Addr })
	w.record("%v", a.LocalAddr())
	if r, ok := a.(interface{ RemoteAddr() net.Addr }); ok {
		w.record("%v", r.RemoteAddr())
	}
	n.pair = c.pair
}

func listenerFile(w *world, l *listener, s step) {
	f, err := l.Listener.(interface{ File() (*os.File, error) }).File()
	w.record("%v", err)
	if err != nil {
		return
	}
	defer f.Close()
	w.record("%s", f.Name())
	if s[2]&1 == 0 {
		d, err := w.fileListener(f)
		w.record("%v", err)
		if err == nil {
			w.record("%v", d.Addr())
			w.listeners = append(w.listeners, &listener{Listener: d, network: l.network})
		}
		return
	}
	c, err := w.fileConn(f)
	w.record("%v", err)
	if err == nil {
		w.record("%v %v", c.LocalAddr(), c.RemoteAddr())
		c.Close()
	}
}

func option(w *world, c *conn, s step) {
	on := s[2]&1 == 1
	var err error
	switch v := c.any.(type) {
	case interface {
		SetNoDelay(bool) error
		SetKeepAlive(bool) error
		SetKeepAlivePeriod(time.Duration) error
		SetKeepAliveConfig(net.KeepAliveConfig) error
		SetLinger(int) error
		MultipathTCP() (bool, error)
	}:
		switch s[3] % 6 {
		case 0:
			err = v.SetNoDelay(on)
		case 1:
			err = v.SetKeepAlive(on)
		case 2:
			err = v.SetKeepAlivePeriod(time.Duration(s[2]) * time.Second / 2)
		case 3:
			err = v.SetKeepAliveConfig(net.KeepAliveConfig{Enable: on, Idle: time.Duration(int8(s[2])) * time.Second, Count: int(int8(s[2]))})
		case 4:
			err = v.SetLinger(int(int8(s[2])))
			w.record("%v", err)
			err = v.SetLinger(-1)
		case 5:
			mp, e := v.MultipathTCP()
			w.record("%v", mp)
			err = e
		}
	case interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}:
		if on {
			err = v.SetReadBuffer(int(s[2])<<8 + 1<<16)
		} else {
			err = v.SetWriteBuffer(int(s[2])<<8 + 1<<16)
		}
	}
	w.record("%v", err)
	for _, o := range [][2]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.SOL_TCP, unix.TCP_NODELAY}, {unix.SOL_TCP, unix.TCP_KEEPIDLE},
		{unix.SOL_TCP, unix.TCP_KEEPINTVL}, {unix.SOL_TCP, unix.TCP_KEEPCNT}, {unix.SOL_SOCKET, unix.SO_BROADCAST},
		{unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.SOL_SOCKET, unix.SO_RCVBUF}, {unix.SOL_SOCKET, unix.SO_SNDBUF},
	} {
		control(c.any.(syscall.Conn), func(fd int) {
			if v, err := unix.GetsockoptInt(fd, o[0], o[1]); err == nil && (o[1] < unix.SO_SNDBUF || v < 1<<18) {
				w.record("%d", v)
			}
		})
	}
}

func control(c syscall.Conn, f func(fd int)) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

func buffers(w *world, c *conn, s step) {
	cc, ok := c.any.(net.Conn)
	if !ok {
		return
	}
	b := payload(s)
	bufs := net.Buffers{b[:len(b)/3], nil, b[len(b)/3:]}
	if strings.HasPrefix(c.network, "udp") {
		return // package net makes one datagram of its own, by writev; others get the buffers one by one
	}
	c.writing(func() {
		var n int64
		var err error
		if own, ok := cc.(interface {
			WriteBuffers(*net.Buffers) (int64, error)
		}); ok {
			n, err = own.WriteBuffers(&bufs)
		} else {
			n, err = bufs.WriteTo(cc)
		}
		w.record("%d %v", n, err)
	})
}

package sockets_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A method is a call of one method of T, and noting what it returned.
type method[T any] struct {
	name string
	do   func(e *env, c T)
}

// connMethods are the methods of all four connection types.
func connMethods[T anyConn]() []method[T] {
	buf := func() []byte { return make([]byte, 64) }
	rawConn := func(use func(e *env, rc syscall.RawConn)) func(*env, T) {
		return func(e *env, c T) {
			rc, err := c.SyscallConn()
			if err != nil {
				e.see("SyscallConn")(err)
				return
			}
			use(e, rc)
		}
	}
	return []method[T]{
		{"Read", func(e *env, c T) { e.see("Read")(c.Read(buf())) }},
		{"Read nil", func(e *env, c T) { e.see("Read")(c.Read(nil)) }},
		{"Write", func(e *env, c T) { e.see("Write")(c.Write([]byte("datum"))) }},
		{"Write nil", func(e *env, c T) { e.see("Write")(c.Write(nil)) }},
		{"Write and Write", func(e *env, c T) {
			e.see("Write")(c.Write([]byte("datum")))
			e.see("Write")(c.Write([]byte("datum")))
			e.see("Read")(c.Read(buf()))
		}},
		{"Read and Write", func(e *env, c T) {
			e.see("Read")(c.Read(buf()))
			e.see("Write")(c.Write([]byte("datum")))
			e.see("Write")(c.Write([]byte("datum")))
		}},
		{"Close", func(e *env, c T) {
			e.see("Close")(c.Close())
			e.see("Close again")(c.Close())
		}},
		{"LocalAddr", func(e *env, c T) { e.see("LocalAddr")(c.LocalAddr()) }},
		{"RemoteAddr", func(e *env, c T) { e.see("RemoteAddr")(c.RemoteAddr()) }},
		{"same addresses", func(e *env, c T) {
			e.see("LocalAddr is")(c.LocalAddr() == c.LocalAddr())
			e.see("RemoteAddr is")(c.RemoteAddr() == c.RemoteAddr())
		}},
		{"SetDeadline", func(e *env, c T) { e.see("SetDeadline")(c.SetDeadline(time.Now().Add(time.Hour))) }},
		{"SetDeadline zero", func(e *env, c T) { e.see("SetDeadline")(c.SetDeadline(time.Time{})) }},
		{"SetReadDeadline", func(e *env, c T) { e.see("SetReadDeadline")(c.SetReadDeadline(time.Unix(1, 0))) }},
		{"SetWriteDeadline", func(e *env, c T) { e.see("SetWriteDeadline")(c.SetWriteDeadline(time.Unix(1, 0))) }},
		{"SetReadBuffer", func(e *env, c T) { e.see("SetReadBuffer")(c.SetReadBuffer(8192)) }},
		{"SetReadBuffer negative", func(e *env, c T) { e.see("SetReadBuffer")(c.SetReadBuffer(-1)) }},
		{"SetWriteBuffer", func(e *env, c T) { e.see("SetWriteBuffer")(c.SetWriteBuffer(8192)) }},
		{"SetWriteBuffer negative", func(e *env, c T) { e.see("SetWriteBuffer")(c.SetWriteBuffer(-1)) }},
		{"File", func(e *env, c T) { e.see("File")(c.File()) }},
		{"SyscallConn", func(e *env, c T) {
			rc, err := c.SyscallConn()
			e.see("SyscallConn")(rc == nil, err)
		}},
		{"RawConn.Control", rawConn(func(e *env, rc syscall.RawConn) {
			called := false
			e.see("Control")(rc.Control(func(uintptr) { called = true }))
			e.see("called")(called)
		})},
		{"RawConn.Read", rawConn(func(e *env, rc syscall.RawConn) {
			called := false
			e.see("Read")(rc.Read(func(uintptr) bool { called = true; return true }))
			e.see("called")(called)
		})},
		{"RawConn.Write", rawConn(func(e *env, rc syscall.RawConn) {
			called := false
			e.see("Write")(rc.Write(func(uintptr) bool { called = true; return true }))
			e.see("called")(called)
		})},
	}
}

// badReader and badWriter fail with an error of their own.
type (
	badReader struct{}
	badWriter struct{}
)

func (badReader) Read([]byte) (int, error)  { return 0, errOwn }
func (badWriter) Write([]byte) (int, error) { return 0, errOwn }

func tcpMethods() []method[tcpConn] {
	keepAlive := func(config net.KeepAliveConfig) method[tcpConn] {
		return method[tcpConn]{fmt.Sprintf("SetKeepAliveConfig%+v", config), func(e *env, c tcpConn) {
			e.see("SetKeepAliveConfig")(c.SetKeepAliveConfig(config))
		}}
	}
	period := func(d time.Duration) method[tcpConn] {
		return method[tcpConn]{fmt.Sprint("SetKeepAlivePeriod ", d), func(e *env, c tcpConn) {
			e.see("SetKeepAlivePeriod")(c.SetKeepAlivePeriod(d))
		}}
	}
	linger := func(sec int) method[tcpConn] {
		return method[tcpConn]{fmt.Sprint("SetLinger ", sec), func(e *env, c tcpConn) {
			e.see("SetLinger")(c.SetLinger(sec))
		}}
	}
	return append(connMethods[tcpConn](), []method[tcpConn]{
		{"CloseRead", func(e *env, c tcpConn) {
			e.see("CloseRead")(c.CloseRead())
			e.see("CloseRead again")(c.CloseRead())
		}},
		{"CloseWrite", func(e *env, c tcpConn) {
			e.see("CloseWrite")(c.CloseWrite())
			e.see("CloseWrite again")(c.CloseWrite())
			e.see("Write")(c.Write([]byte("late")))
		}},
		{"MultipathTCP", func(e *env, c tcpConn) { e.see("MultipathTCP")(c.MultipathTCP()) }},
		{"ReadFrom", func(e *env, c tcpConn) { e.see("ReadFrom")(c.ReadFrom(strings.NewReader("from a reader"))) }},
		{"ReadFrom empty", func(e *env, c tcpConn) { e.see("ReadFrom")(c.ReadFrom(strings.NewReader(""))) }},
		{"ReadFrom limited", func(e *env, c tcpConn) {
			lr := &io.LimitedReader{R: strings.NewReader("from a reader"), N: 4}
			e.see("ReadFrom")(c.ReadFrom(lr))
			e.see("N")(lr.N)
			lr.N = -1
			e.see("ReadFrom")(c.ReadFrom(lr))
		}},
		{"ReadFrom bad reader", func(e *env, c tcpConn) { e.see("ReadFrom")(c.ReadFrom(badReader{})) }},
		{"ReadFrom file", func(e *env, c tcpConn) {
			f := textFile(e, "from a file")
			e.seeCause("ReadFrom")(c.ReadFrom(f))
		}},
		{"ReadFrom file at its end", func(e *env, c tcpConn) {
			f := textFile(e, "from a file")
			_, err := f.Seek(0, io.SeekEnd)
			e.ok(err)
			e.see("ReadFrom")(c.ReadFrom(f))
		}},
		{"ReadFrom closed file", func(e *env, c tcpConn) {
			f := textFile(e, "from a file")
			f.Close()
			e.see("ReadFrom")(c.ReadFrom(f))
		}},
		{"io.CopyN from file", func(e *env, c tcpConn) {
			f := textFile(e, "from a file")
			e.see("CopyN")(io.CopyN(c, f, 4))
			e.see("CopyN")(io.CopyN(c, f, 3))
			e.see("Seek")(f.Seek(0, io.SeekCurrent))
			e.see("CopyN too much")(io.CopyN(c, f, 100))
		}},
		{"WriteTo", func(e *env, c tcpConn) {
			e.ok(orClosed(c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))))
			var b bytes.Buffer
			n, err := c.WriteTo(&b)
			e.see("WriteTo")(n, err, b.String())
		}},
		{"WriteTo bad writer", func(e *env, c tcpConn) {
			e.ok(orClosed(c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))))
			e.see("WriteTo")(c.WriteTo(badWriter{}))
		}},
		linger(-1), linger(0), linger(1),
		{"SetNoDelay", func(e *env, c tcpConn) { e.see("SetNoDelay")(c.SetNoDelay(false)) }},
		{"SetKeepAlive", func(e *env, c tcpConn) { e.see("SetKeepAlive")(c.SetKeepAlive(false)) }},
		period(time.Minute), period(time.Millisecond), period(0), period(-1), period(32768 * time.Second),
		keepAlive(net.KeepAliveConfig{}),
		keepAlive(net.KeepAliveConfig{Enable: true}),
		keepAlive(net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}),
		keepAlive(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: time.Second, Count: 3}),
		keepAlive(net.KeepAliveConfig{Enable: true, Idle: 40000 * time.Second}),
		keepAlive(net.KeepAliveConfig{Enable: true, Interval: 40000 * time.Second}),
		keepAlive(net.KeepAliveConfig{Enable: true, Count: 1000}),
	}...)
}

// orClosed drops the error of a connection that is not open: rows use it for
// preparations that only matter on an open one.
func orClosed(err error) error {
	if err == nil || err == syscall.EINVAL || strings.Contains(err.Error(), "closed") {
		return nil
	}
	return err
}

func textFile(e *env, text string) *os.File {
	e.Helper()
	f, err := os.Create(e.path("file"))
	e.ok(err)
	e.onExit(func() { f.Close() })
	_, err = f.WriteString(text)
	e.ok(err)
	_, err = f.Seek(0, io.SeekStart)
	e.ok(err)
	return f
}

// foreignAddr is an address of no family that a socket could use.
type foreignAddr struct{}

func (foreignAddr) Network() string { return "foreign" }
func (foreignAddr) String() string  { return "elsewhere" }

// packetDestinations are the addresses that WriteTo is tried with.
func packetDestinations() []net.Addr {
	return []net.Addr{
		nil,
		(*net.UDPAddr)(nil), (*net.IPAddr)(nil), (*net.UnixAddr)(nil), (*net.TCPAddr)(nil),
		&net.UDPAddr{}, &net.IPAddr{}, &net.UnixAddr{},
		&net.UDPAddr{IP: net.IPv6loopback, Port: 9}, &net.UDPAddr{IP: net.IP{127, 0, 0, 1}, Port: 9},
		&net.UDPAddr{IP: net.IP{1, 2, 3}, Port: 9}, &net.UDPAddr{IP: net.IP{127, 0, 0, 1}, Port: 1 << 16},
		&net.TCPAddr{IP: net.IP{127, 0, 0, 1}, Port: 9},
		&net.IPAddr{IP: net.IP{127, 0, 0, 1}}, &net.IPAddr{IP: net.IPv6loopback},
		&net.UnixAddr{Name: "/nowhere/at/all", Net: "unixgram"},
		&net.UnixAddr{Name: "/nowhere/at/all", Net: "unix"},
		&net.UnixAddr{Name: "/nowhere/at/all", Net: "unixpacket"},
		&net.UnixAddr{Name: "@no such abstract name", Net: "unixgram"},
		&net.UnixAddr{Name: strings.Repeat("x", 109), Net: "unixgram"},
		foreignAddr{},
	}
}

// packetMethods are ReadFrom and WriteTo.
func packetMethods[T interface {
	anyConn
	net.PacketConn
}]() []method[T] {
	ms := append(connMethods[T](), method[T]{"ReadFrom", func(e *env, c T) {
		e.see("ReadFrom")(c.ReadFrom(make([]byte, 64)))
	}}, method[T]{"ReadFrom nil", func(e *env, c T) {
		e.see("ReadFrom")(c.ReadFrom(nil))
	}})
	for _, addr := range packetDestinations() {
		ms = append(ms, method[T]{fmt.Sprintf("WriteTo %T %v", addr, addr), func(e *env, c T) {
			e.see("WriteTo")(c.WriteTo([]byte("datum"), addr))
		}})
	}
	return ms
}

func udpMethods() []method[udpConn] {
	ms := append(packetMethods[udpConn](), []method[udpConn]{
		{"ReadFromUDP", func(e *env, c udpConn) { e.see("ReadFromUDP")(c.ReadFromUDP(make([]byte, 64))) }},
		{"ReadFromUDPAddrPort", func(e *env, c udpConn) {
			e.see("ReadFromUDPAddrPort")(c.ReadFromUDPAddrPort(make([]byte, 64)))
		}},
		{"ReadMsgUDP", func(e *env, c udpConn) { e.see("ReadMsgUDP")(c.ReadMsgUDP(make([]byte, 64), nil)) }},
		{"ReadMsgUDP short", func(e *env, c udpConn) { e.see("ReadMsgUDP")(c.ReadMsgUDP(make([]byte, 2), nil)) }},
		{"ReadMsgUDP empty oob", func(e *env, c udpConn) { e.see("ReadMsgUDP")(c.ReadMsgUDP(make([]byte, 64), []byte{})) }},
		{"ReadMsgUDPAddrPort", func(e *env, c udpConn) {
			e.see("ReadMsgUDPAddrPort")(c.ReadMsgUDPAddrPort(make([]byte, 64), nil))
		}},
	}...)
	for _, addr := range packetDestinations() {
		to, ok := addr.(*net.UDPAddr)
		if !ok {
			continue
		}
		ms = append(ms,
			method[udpConn]{fmt.Sprint("WriteToUDP ", to), func(e *env, c udpConn) {
				e.see("WriteToUDP")(c.WriteToUDP([]byte("datum"), to))
			}},
			method[udpConn]{fmt.Sprint("WriteMsgUDP ", to), func(e *env, c udpConn) {
				e.see("WriteMsgUDP")(c.WriteMsgUDP([]byte("datum"), nil, to))
			}})
	}
	for _, s := range []string{"", "127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9", "[::1%lo]:9"} {
		to, err := netip.ParseAddrPort(s)
		if s != "" && err != nil {
			panic(err)
		}
		ms = append(ms,
			method[udpConn]{fmt.Sprint("WriteToUDPAddrPort ", s), func(e *env, c udpConn) {
				e.see("WriteToUDPAddrPort")(c.WriteToUDPAddrPort([]byte("datum"), to))
			}},
			method[udpConn]{fmt.Sprint("WriteMsgUDPAddrPort ", s), func(e *env, c udpConn) {
				e.see("WriteMsgUDPAddrPort")(c.WriteMsgUDPAddrPort([]byte("datum"), []byte{}, to))
			}})
	}
	return ms
}

func ipMethods() []method[ipConn] {
	ms := append(packetMethods[ipConn](), []method[ipConn]{
		{"ReadFromIP", func(e *env, c ipConn) { e.see("ReadFromIP")(c.ReadFromIP(make([]byte, 64))) }},
		{"ReadFromIP short", func(e *env, c ipConn) { e.see("ReadFromIP")(c.ReadFromIP(make([]byte, 10))) }},
		{"ReadMsgIP", func(e *env, c ipConn) { e.see("ReadMsgIP")(c.ReadMsgIP(make([]byte, 64), nil)) }},
	}...)
	for _, addr := range packetDestinations() {
		to, ok := addr.(*net.IPAddr)
		if !ok {
			continue
		}
		ms = append(ms,
			method[ipConn]{fmt.Sprint("WriteToIP ", to), func(e *env, c ipConn) {
				e.see("WriteToIP")(c.WriteToIP([]byte("datum"), to))
			}},
			method[ipConn]{fmt.Sprint("WriteMsgIP ", to), func(e *env, c ipConn) {
				e.see("WriteMsgIP")(c.WriteMsgIP([]byte("datum"), nil, to))
			}})
	}
	return ms
}

func unixMethods() []method[unixConn] {
	ms := append(packetMethods[unixConn](), []method[unixConn]{
		{"CloseRead", func(e *env, c unixConn) {
			e.see("CloseRead")(c.CloseRead())
			e.see("CloseRead again")(c.CloseRead())
		}},
		{"CloseWrite", func(e *env, c unixConn) {
			e.see("CloseWrite")(c.CloseWrite())
			e.see("CloseWrite again")(c.CloseWrite())
			e.see("Write")(c.Write([]byte("late")))
		}},
		{"ReadFromUnix", func(e *env, c unixConn) { e.see("ReadFromUnix")(c.ReadFromUnix(make([]byte, 64))) }},
		{"ReadMsgUnix", func(e *env, c unixConn) { e.see("ReadMsgUnix")(c.ReadMsgUnix(make([]byte, 64), make([]byte, 64))) }},
		{"ReadMsgUnix short", func(e *env, c unixConn) { e.see("ReadMsgUnix")(c.ReadMsgUnix(make([]byte, 2), nil)) }},
		{"WriteMsgUnix nil nil nil", func(e *env, c unixConn) { e.see("WriteMsgUnix")(c.WriteMsgUnix(nil, nil, nil)) }},
		{"WriteMsgUnix empty oob", func(e *env, c unixConn) {
			e.see("WriteMsgUnix")(c.WriteMsgUnix([]byte("datum"), []byte{}, nil))
		}},
	}...)
	for _, addr := range packetDestinations() {
		to, ok := addr.(*net.UnixAddr)
		if !ok {
			continue
		}
		ms = append(ms,
			method[unixConn]{fmt.Sprintf("WriteToUnix %v %s", to, unixNet(to)), func(e *env, c unixConn) {
				e.see("WriteToUnix")(c.WriteToUnix([]byte("datum"), to))
			}},
			method[unixConn]{fmt.Sprintf("WriteMsgUnix %v %s", to, unixNet(to)), func(e *env, c unixConn) {
				e.see("WriteMsgUnix")(c.WriteMsgUnix([]byte("datum"), nil, to))
			}})
	}
	return ms
}

func unixNet(a *net.UnixAddr) string {
	if a == nil {
		return ""
	}
	return a.Net
}

func listenerMethods[T anyListener]() []method[T] {
	return []method[T]{
		{"Accept", func(e *env, l T) { e.see("Accept")(l.Accept()) }},
		{"accept own type", func(e *env, l T) { e.see("AcceptTCP")(e.acceptOwn(l)) }},
		{"Addr", func(e *env, l T) { e.see("Addr")(l.Addr(), l.Addr() == l.Addr()) }},
		{"Close", func(e *env, l T) {
			e.see("Close")(l.Close())
			e.see("Close again")(l.Close())
		}},
		{"File", func(e *env, l T) { e.see("File")(l.File()) }},
		{"SetDeadline", func(e *env, l T) { e.see("SetDeadline")(l.SetDeadline(time.Now().Add(time.Hour))) }},
		{"SetDeadline past", func(e *env, l T) {
			e.see("SetDeadline")(l.SetDeadline(time.Unix(1, 0)))
			e.see("Accept")(l.Accept())
		}},
		{"SyscallConn", func(e *env, l T) {
			rc, err := l.SyscallConn()
			e.see("SyscallConn")(rc == nil, err)
			if err != nil {
				return
			}
			called := false
			e.see("Control")(rc.Control(func(uintptr) { called = true }))
			e.see("Read")(rc.Read(func(uintptr) bool { called = true; return true }))
			e.see("Write")(rc.Write(func(uintptr) bool { called = true; return true }))
			e.see("called")(called)
		}},
	}
}

func unixListenerMethods() []method[unixListener] {
	return append(listenerMethods[unixListener](), method[unixListener]{
		"SetUnlinkOnClose", func(e *env, l unixListener) {
			l.SetUnlinkOnClose(false)
			e.see("Close")(l.Close())
			_, err := os.Lstat(l.Addr().String())
			e.see("Lstat")(err)
		},
	})
}

// A state is how a connection comes to be as the methods are to find it.
type state[T any] struct {
	name string
	make func(e *env) T
}

// inStates has one row for each method in each state.
func inStates[T any](states []state[T], methods []method[T]) []parityRow {
	var rows []parityRow
	for _, s := range states {
		for _, m := range methods {
			rows = append(rows, parityRow{s.name + "/" + m.name, func(e *env) {
				c := s.make(e)
				e.try(m.name, func() { m.do(e, c) })
			}})
		}
	}
	return rows
}

// closed, pastDeadline and withData are states that any connection can be in.
// A connection of the state open has something to read.

func closed[T io.Closer](make func(e *env) T) state[T] {
	return state[T]{"closed", func(e *env) T {
		c := make(e)
		e.ok(c.Close())
		return c
	}}
}

func pastDeadline[T interface{ SetDeadline(time.Time) error }](make func(e *env) T) state[T] {
	return state[T]{"past deadline", func(e *env) T {
		c := make(e)
		e.ok(c.SetDeadline(time.Unix(1, 0)))
		return c
	}}
}

func firingDeadline[T interface{ SetReadDeadline(time.Time) error }](make func(e *env) T) state[T] {
	return state[T]{"deadline during the call", func(e *env) T {
		c := make(e)
		e.ok(c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))
		return c
	}}
}

// readers are the methods that wait when there is nothing to read.
func readers[T any](methods []method[T]) []method[T] {
	var some []method[T]
	for _, m := range methods {
		if strings.HasPrefix(m.name, "Read") && m.name != "Read nil" {
			some = append(some, m)
		}
	}
	return some
}

// The pair functions return two connections of a kind that talk to each other.

func (e *env) tcpPair(network string) (client, server tcpConn) {
	e.Helper()
	addr := "127.0.0.1:0"
	if network == "tcp6" {
		addr = "[::1]:0"
	}
	l, err := e.listen(network, addr)
	e.ok(err)
	defer l.Close()
	c, err := e.dial(network, l.Addr().String())
	e.ok(err)
	e.onExit(func() { c.Close() })
	s, err := l.Accept()
	e.ok(err)
	e.onExit(func() { s.Close() })
	return c.(tcpConn), s.(tcpConn)
}

func (e *env) unixPair(network string) (client, server unixConn) {
	e.Helper()
	l, err := e.listen(network, e.path("listener"))
	e.ok(err)
	defer l.Close()
	c, err := e.dial(network, l.Addr().String())
	e.ok(err)
	e.onExit(func() { c.Close() })
	s, err := l.Accept()
	e.ok(err)
	e.onExit(func() { s.Close() })
	return c.(unixConn), s.(unixConn)
}

// udpPair returns a bound socket and one that is connected to it.
func (e *env) udpPair(network string) (connected, bound udpConn) {
	e.Helper()
	addr := "127.0.0.1:0"
	if network == "udp6" {
		addr = "[::1]:0"
	}
	b, err := e.listenPacket(network, addr)
	e.ok(err)
	e.onExit(func() { b.Close() })
	c, err := e.dial(network, b.LocalAddr().String())
	e.ok(err)
	e.onExit(func() { c.Close() })
	return c.(udpConn), b.(udpConn)
}

// ipPair returns two raw sockets of a protocol number that nobody uses, the
// one connected to the other. The kernel hands a copy to every such socket, so
// only one row at a time may have them.
func (e *env) ipPair() (connected, bound ipConn) {
	e.Helper()
	b, err := e.listenPacket("ip4:253", "127.0.0.1")
	e.ok(err)
	e.onExit(func() { b.Close() })
	c, err := e.dialIP("ip4:253", &net.IPAddr{IP: net.IP{127, 0, 0, 2}}, b.LocalAddr().(*net.IPAddr))
	e.ok(err)
	e.onExit(func() { c.Close() })
	return c, b.(ipConn)
}

// unixgramPair returns a bound socket and a bound one that is connected to it.
func (e *env) unixgramPair() (connected, bound unixConn) {
	e.Helper()
	b, err := e.listenUnixgram("unixgram", &net.UnixAddr{Name: e.path("bound"), Net: "unixgram"})
	e.ok(err)
	e.onExit(func() { b.Close() })
	c, err := e.dialUnix("unixgram", &net.UnixAddr{Name: e.path("connected"), Net: "unixgram"}, b.LocalAddr().(*net.UnixAddr))
	e.ok(err)
	e.onExit(func() { c.Close() })
	return c, b
}

// send has one side say something, so that the other has it to read.
func (e *env) send(c io.Writer, text string) {
	e.Helper()
	_, err := c.Write([]byte(text))
	e.ok(err)
}

func TestParityTCPMethods(t *testing.T) {
	for _, network := range []string{"tcp", "tcp4", "tcp6"} {
		idle := func(e *env) tcpConn {
			c, _ := e.tcpPair(network)
			return c
		}
		states := []state[tcpConn]{
			{"open", func(e *env) tcpConn {
				c, s := e.tcpPair(network)
				e.send(s, "greeting")
				return c
			}},
			{"accepted", func(e *env) tcpConn {
				c, s := e.tcpPair(network)
				e.send(c, "greeting")
				return s
			}},
			{"end of file", func(e *env) tcpConn {
				c, s := e.tcpPair(network)
				e.ok(s.CloseWrite())
				return c
			}},
			closed(idle), pastDeadline(idle),
		}
		t.Run(network, func(t *testing.T) {
			runParity(t, inStates(states, tcpMethods()))
			runParity(t, inStates([]state[tcpConn]{firingDeadline(idle)}, readers(connMethods[tcpConn]())))
		})
	}
}

func TestParityUDPMethods(t *testing.T) {
	for _, network := range []string{"udp", "udp4", "udp6"} {
		bound := func(e *env) udpConn {
			_, b := e.udpPair(network)
			return b
		}
		connected := func(e *env) udpConn {
			c, _ := e.udpPair(network)
			return c
		}
		states := []state[udpConn]{
			{"bound", func(e *env) udpConn {
				c, b := e.udpPair(network)
				e.send(c, "greeting")
				e.send(c, "another")
				return b
			}},
			{"connected", func(e *env) udpConn {
				c, b := e.udpPair(network)
				for range 2 {
					_, err := b.WriteTo([]byte("greeting"), c.LocalAddr())
					e.ok(err)
				}
				return c
			}},
			{"wildcard", func(e *env) udpConn {
				pc, err := e.listenPacket(network, ":0")
				e.ok(err)
				e.onExit(func() { pc.Close() })
				self := *pc.LocalAddr().(*net.UDPAddr)
				self.IP = net.IPv6loopback
				if network != "udp6" {
					self.IP = net.IPv4(127, 0, 0, 1)
				}
				for range 2 {
					_, err = pc.WriteTo([]byte("greeting"), &self)
					e.ok(err)
				}
				return pc.(udpConn)
			}},
			closed(bound), pastDeadline(bound),
			closed(connected),
		}
		states[len(states)-1].name = "connected, closed"
		t.Run(network, func(t *testing.T) {
			runParity(t, inStates(states, udpMethods()))
			runParity(t, inStates([]state[udpConn]{firingDeadline(bound)}, readers(udpMethods())))
		})
	}
}

func TestParityIPMethods(t *testing.T) {
	needRoot(t, "raw sockets")
	bound := func(e *env) ipConn {
		_, b := e.ipPair()
		return b
	}
	states := []state[ipConn]{
		{"bound", func(e *env) ipConn {
			c, b := e.ipPair()
			e.send(c, "greeting")
			e.send(c, "another")
			return b
		}},
		{"connected", func(e *env) ipConn {
			c, b := e.ipPair()
			for range 2 {
				_, err := b.WriteTo([]byte("greeting"), c.LocalAddr())
				e.ok(err)
			}
			return c
		}},
		closed(bound), pastDeadline(bound),
	}
	runParity(t, inStates(states, ipMethods()))
	runParity(t, inStates([]state[ipConn]{firingDeadline(bound)}, readers(ipMethods())))
}

func TestParityUnixMethods(t *testing.T) {
	for _, network := range []string{"unix", "unixpacket"} {
		idle := func(e *env) unixConn {
			c, _ := e.unixPair(network)
			return c
		}
		states := []state[unixConn]{
			{"open", func(e *env) unixConn {
				c, s := e.unixPair(network)
				e.send(s, "greeting")
				return c
			}},
			{"accepted", func(e *env) unixConn {
				c, s := e.unixPair(network)
				e.send(c, "greeting")
				return s
			}},
			{"end of file", func(e *env) unixConn {
				c, s := e.unixPair(network)
				e.ok(s.CloseWrite())
				return c
			}},
			{"peer gone", func(e *env) unixConn {
				c, s := e.unixPair(network)
				e.ok(s.Close())
				return c
			}},
			{"peer gone with data unread", func(e *env) unixConn {
				c, s := e.unixPair(network)
				e.send(c, "never read")
				e.ok(s.Close())
				return c
			}},
			closed(idle), pastDeadline(idle),
		}
		t.Run(network, func(t *testing.T) {
			runParity(t, inStates(states, unixMethods()))
			runParity(t, inStates([]state[unixConn]{firingDeadline(idle)}, readers(unixMethods())))
		})
	}
}

func TestParityUnixgramMethods(t *testing.T) {
	bound := func(e *env) unixConn {
		_, b := e.unixgramPair()
		return b
	}
	states := []state[unixConn]{
		{"bound", func(e *env) unixConn {
			c, b := e.unixgramPair()
			e.send(c, "greeting")
			e.send(c, "another")
			return b
		}},
		{"connected", func(e *env) unixConn {
			c, b := e.unixgramPair()
			for range 2 {
				_, err := b.WriteTo([]byte("greeting"), c.LocalAddr())
				e.ok(err)
			}
			return c
		}},
		{"unnamed sender", func(e *env) unixConn {
			_, b := e.unixgramPair()
			c, err := e.dial("unixgram", b.LocalAddr().String())
			e.ok(err)
			e.onExit(func() { c.Close() })
			e.send(c, "greeting")
			e.send(c, "another")
			return b
		}},
		{"peer gone", func(e *env) unixConn {
			c, b := e.unixgramPair()
			e.ok(b.Close())
			e.ok(c.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))
			return c
		}},
		closed(bound), pastDeadline(bound),
	}
	runParity(t, inStates(states, unixMethods()))
	runParity(t, inStates([]state[unixConn]{firingDeadline(bound)}, readers(unixMethods())))
}

func TestParityListenerMethods(t *testing.T) {
	tcp := func(e *env) anyListener {
		l, err := e.listen("tcp", "127.0.0.1:0")
		e.ok(err)
		e.onExit(func() { l.Close() })
		return l.(anyListener)
	}
	unix := func(e *env) unixListener {
		l, err := e.listen("unix", e.path("listener"))
		e.ok(err)
		e.onExit(func() { l.Close() })
		return l.(unixListener)
	}
	runParity(t, inStates([]state[anyListener]{
		{"tcp", func(e *env) anyListener {
			l := tcp(e)
			c, err := e.dial("tcp", l.Addr().String())
			e.ok(err)
			e.onExit(func() { c.Close() })
			return l
		}},
		closed(tcp), pastDeadline(tcp),
		{"deadline during the call", func(e *env) anyListener {
			l := tcp(e)
			e.ok(l.SetDeadline(time.Now().Add(10 * time.Millisecond)))
			return l
		}},
	}, listenerMethods[anyListener]()))
	runParity(t, inStates([]state[unixListener]{
		{"unix", func(e *env) unixListener {
			l := unix(e)
			c, err := e.dial("unix", l.Addr().String())
			e.ok(err)
			e.onExit(func() { c.Close() })
			return l
		}},
		closed(unix), pastDeadline(unix),
	}, unixListenerMethods()))
}

// Zero values answer EINVAL, nil pointers panic, and some do the other.
func TestParityZeroValues(t *testing.T) {
	t.Run("zero", func(t *testing.T) { runParity(t, valueRows(func(e *env) values { return e.zero })) })
	t.Run("nil", func(t *testing.T) { runParity(t, valueRows(func(e *env) values { return e.null })) })
}

func valueRows(of func(e *env) values) []parityRow {
	rows := inStates([]state[tcpConn]{{"TCPConn", func(e *env) tcpConn { return of(e).tcp }}}, tcpMethods())
	rows = append(rows, inStates([]state[udpConn]{{"UDPConn", func(e *env) udpConn { return of(e).udp }}}, udpMethods())...)
	rows = append(rows, inStates([]state[ipConn]{{"IPConn", func(e *env) ipConn { return of(e).ip }}}, ipMethods())...)
	rows = append(rows, inStates([]state[unixConn]{{"UnixConn", func(e *env) unixConn { return of(e).unix }}}, unixMethods())...)
	rows = append(rows, inStates([]state[anyListener]{
		{"TCPListener", func(e *env) anyListener { return of(e).tcpL }},
	}, listenerMethods[anyListener]())...)
	return append(rows, inStates([]state[unixListener]{
		{"UnixListener", func(e *env) unixListener { return of(e).unixL }},
	}, unixListenerMethods())...)
}

func needRoot(t *testing.T, what string) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(what + " need root")
	}
	t.Skip(what + " need root")
}

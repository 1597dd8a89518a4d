package parity

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
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
		{"MultipathTCP", func(e *env, c tcpConn) { e.seeMultipathTCP(c) }},
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
			e.see("ReadFrom")(c.ReadFrom(f))
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
			e.ok(orClosed(c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))))
			var b bytes.Buffer
			n, err := c.WriteTo(&b)
			e.see("WriteTo")(n, err, b.String())
		}},
		{"WriteTo bad writer", func(e *env, c tcpConn) {
			e.ok(orClosed(c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))))
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

func (e *env) seeMultipathTCP(c tcpConn) {
	e.Helper()
	socktest.NeedOption(e, "MPTCP_INFO")
	e.see("MultipathTCP")(c.MultipathTCP())
}

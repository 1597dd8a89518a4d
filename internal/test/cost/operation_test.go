//go:build linux

package cost

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// namesakes are the operations of package net that ours has, too. A name begins with the
// function or method.
var namesakes = []struct {
	name string
	raw  bool // needs permission for raw sockets
	op   operation
}{
	{"Dial tcp", false, dials("tcp", func(b *bench, a net.Addr) (net.Conn, error) { return b.Dial("tcp", a.String()) })},
	{"Dial unix", false, dials("unix", func(b *bench, a net.Addr) (net.Conn, error) { return b.Dial("unix", a.String()) })},
	{"Dial udp", false, dials("udp", func(b *bench, a net.Addr) (net.Conn, error) { return b.Dial("udp", a.String()) })},
	{"Dial udp4", false, dials("udp4", func(b *bench, a net.Addr) (net.Conn, error) { return b.Dial("udp4", a.String()) })},
	{"Dial ip", true, dials("ip4:253", func(b *bench, a net.Addr) (net.Conn, error) { return b.Dial("ip4:253", a.String()) })},
	{"DialTimeout tcp", false, dials("tcp", func(b *bench, a net.Addr) (net.Conn, error) { return b.DialTimeout("tcp", a.String(), time.Hour) })},
	{"DialTimeout udp", false, dials("udp", func(b *bench, a net.Addr) (net.Conn, error) { return b.DialTimeout("udp", a.String(), time.Hour) })},
	{"DialIP", true, dials("ip4:253", func(b *bench, a net.Addr) (net.Conn, error) { return b.DialIP("ip4:253", nil, a.(*net.IPAddr)) })},
	{"DialTCP", false, dials("tcp", func(b *bench, a net.Addr) (net.Conn, error) { return b.DialTCP("tcp", nil, a.(*net.TCPAddr)) })},
	{"DialUDP", false, dials("udp", func(b *bench, a net.Addr) (net.Conn, error) { return b.DialUDP("udp", nil, a.(*net.UDPAddr)) })},
	{"DialUnix", false, dials("unix", func(b *bench, a net.Addr) (net.Conn, error) { return b.DialUnix("unix", nil, a.(*net.UnixAddr)) })},
	{"Dialer.Dial", false, dials("tcp", func(b *bench, a net.Addr) (net.Conn, error) { return b.dialer().Dial("tcp", a.String()) })},
	{"Dialer.DialContext", false, dials("tcp", func(b *bench, a net.Addr) (net.Conn, error) {
		return b.dialer().DialContext(bg, "tcp", a.String())
	})},
	{"Dialer.DialIP", true, dials("ip4:253", func(b *bench, a net.Addr) (net.Conn, error) {
		ip, _ := netip.AddrFromSlice(a.(*net.IPAddr).IP)
		return b.DialerDialIP(b.dialer(), "ip4:253", netip.Addr{}, ip)
	})},
	{"Dialer.DialTCP", false, dials("tcp", func(b *bench, a net.Addr) (net.Conn, error) {
		return b.DialerDialTCP(b.dialer(), "tcp", netip.AddrPort{}, a.(*net.TCPAddr).AddrPort())
	})},
	{"Dialer.DialUDP", false, dials("udp", func(b *bench, a net.Addr) (net.Conn, error) {
		return b.DialerDialUDP(b.dialer(), "udp", netip.AddrPort{}, a.(*net.UDPAddr).AddrPort())
	})},
	{"Dialer.DialUnix", false, dials("unix", func(b *bench, a net.Addr) (net.Conn, error) {
		return b.DialerDialUnix(b.dialer(), "unix", nil, a.(*net.UnixAddr))
	})},
	{"Dialer.MultipathTCP", false, always(func(b *bench) func() error {
		return func() error { b.dialer().MultipathTCP(); return nil }
	})},
	{"Dialer.SetMultipathTCP", false, always(func(b *bench) func() error {
		return func() error { b.dialer().SetMultipathTCP(true); return nil }
	})},

	{"Listen tcp", false, listens(func(b *bench) (net.Listener, error) { return b.Listen("tcp", "127.0.0.1:0") })},
	{"Listen tcp, wildcard", false, listens(func(b *bench) (net.Listener, error) { return b.Listen("tcp", ":0") })},
	{"Listen unix", false, func(b *bench) func(int) {
		names := b.names()
		return func(i int) { l, err := b.Listen("unix", names[i]); keep(b, l, err) }
	}},
	{"ListenTCP", false, listens(func(b *bench) (net.Listener, error) { return b.ListenTCP("tcp", loopbackTCP) })},
	{"ListenUnix", false, func(b *bench) func(int) {
		names := b.names()
		return func(i int) {
			l, err := b.ListenUnix("unix", &net.UnixAddr{Name: names[i], Net: "unix"})
			keep(b, l, err)
		}
	}},
	{"ListenUnixgram", false, func(b *bench) func(int) {
		names := b.names()
		return func(i int) {
			c, err := b.ListenUnixgram("unixgram", &net.UnixAddr{Name: names[i], Net: "unixgram"})
			keep(b, c, err)
		}
	}},
	{"ListenPacket udp", false, packets(func(b *bench) (net.PacketConn, error) { return b.ListenPacket("udp", "127.0.0.1:0") })},
	{"ListenPacket udp, wildcard", false, packets(func(b *bench) (net.PacketConn, error) { return b.ListenPacket("udp", ":0") })},
	{"ListenPacket ip", true, packets(func(b *bench) (net.PacketConn, error) { return b.ListenPacket("ip4:253", "127.0.0.1") })},
	{"ListenIP", true, opens(func(b *bench) (net.Conn, error) { return b.ListenIP("ip4:253", &net.IPAddr{IP: loopbackTCP.IP}) })},
	{"ListenUDP", false, opens(func(b *bench) (net.Conn, error) { return b.ListenUDP("udp", &net.UDPAddr{IP: loopbackTCP.IP}) })},
	{"ListenConfig.Listen", false, listens(func(b *bench) (net.Listener, error) {
		return b.listenConfig().Listen(bg, "tcp", "127.0.0.1:0")
	})},
	{"ListenConfig.ListenPacket", false, packets(func(b *bench) (net.PacketConn, error) {
		return b.listenConfig().ListenPacket(bg, "udp", "127.0.0.1:0")
	})},
	{"ListenConfig.MultipathTCP", false, always(func(b *bench) func() error {
		return func() error { b.listenConfig().MultipathTCP(); return nil }
	})},
	{"ListenConfig.SetMultipathTCP", false, always(func(b *bench) func() error {
		return func() error { b.listenConfig().SetMultipathTCP(true); return nil }
	})},

	{"FileConn tcp", false, func(b *bench) func(int) { return b.adopts(first(b.pair("tcp"))) }},
	{"FileConn unix", false, func(b *bench) func(int) { return b.adopts(first(b.pair("unix"))) }},
	{"FileConn udp", false, func(b *bench) func(int) { return b.adopts(b.packet("udp").(net.Conn)) }},
	{"FileConn ip", true, func(b *bench) func(int) { return b.adopts(b.packet("ip4:253").(net.Conn)) }},
	{"FilePacketConn", false, func(b *bench) func(int) {
		files := b.files(b.packet("udp").(conn))
		return func(i int) { c, err := b.FilePacketConn(files[i]); keep(b, c, err) }
	}},
	{"FileListener tcp", false, func(b *bench) func(int) { return b.adoptsListener("tcp") }},
	{"FileListener unix", false, func(b *bench) func(int) { return b.adoptsListener("unix") }},

	{"TCPListener.Accept", false, accepts("tcp", func(_ *bench, l net.Listener) (net.Conn, error) { return l.Accept() })},
	{"TCPListener.AcceptTCP", false, accepts("tcp", func(b *bench, l net.Listener) (net.Conn, error) { return b.AcceptTCP(l) })},
	{"AcceptWith", false, accepts("tcp", func(b *bench, l net.Listener) (net.Conn, error) { return b.AcceptWith(l, 0) })},
	{"AcceptWith timeout", false, accepts("tcp", func(b *bench, l net.Listener) (net.Conn, error) { return b.AcceptWith(l, time.Hour) })},
	{"TCPListener.Addr", false, listening("tcp", func(_ *bench, l listener) error { l.Addr(); return nil })},
	{"TCPListener.Close", false, closes(func(b *bench) io.Closer { l, err := b.Listen("tcp", "127.0.0.1:0"); return keep(b, l, err) })},
	{"TCPListener.File", false, listening("tcp", func(b *bench, l listener) error { f, err := l.File(); keep(b, f, err); return nil })},
	{"TCPListener.SetDeadline", false, listening("tcp", func(_ *bench, l listener) error { return l.SetDeadline(later) })},
	{"TCPListener.SyscallConn", false, listening("tcp", func(_ *bench, l listener) error { _, err := l.SyscallConn(); return err })},
	{"UnixListener.Accept", false, accepts("unix", func(_ *bench, l net.Listener) (net.Conn, error) { return l.Accept() })},
	{"UnixListener.AcceptUnix", false, accepts("unix", func(b *bench, l net.Listener) (net.Conn, error) { return b.AcceptUnix(l) })},
	{"UnixListener.Addr", false, listening("unix", func(_ *bench, l listener) error { l.Addr(); return nil })},
	{"UnixListener.Close", false, func(b *bench) func(int) {
		var all []io.Closer
		for _, name := range b.names() {
			l, err := b.Listen("unix", name)
			all = append(all, keep(b, l, err))
		}
		return func(i int) { b.check(all[i].Close()) }
	}},
	{"UnixListener.File", false, listening("unix", func(b *bench, l listener) error { f, err := l.File(); keep(b, f, err); return nil })},
	{"UnixListener.SetDeadline", false, listening("unix", func(_ *bench, l listener) error { return l.SetDeadline(later) })},
	{"UnixListener.SetUnlinkOnClose", false, listening("unix", func(b *bench, l listener) error { b.UnlinkOnClose(l, true); return nil })},
	{"UnixListener.SyscallConn", false, listening("unix", func(_ *bench, l listener) error { _, err := l.SyscallConn(); return err })},

	{"TCPConn.Read", false, exchanges("tcp", plainWrite, plainRead)},
	{"TCPConn.Write", false, exchanges("tcp", plainWrite, plainRead)},
	{"TCPConn.ReadFrom memory", false, exchanges("tcp", func(b *bench, c net.Conn) error {
		_, err := c.(io.ReaderFrom).ReadFrom(bytes.NewReader(b.b))
		return err
	}, plainRead)},
	{"TCPConn.ReadFrom file", false, func(b *bench) func(int) {
		f, err := os.Create(filepath.Join(b.TempDir(), "file"))
		f = keep(b, f, err)
		b.must(f.Write(b.b))
		return exchanges("tcp", func(b *bench, c net.Conn) error {
			b.must64(f.Seek(0, io.SeekStart))
			_, err := c.(io.ReaderFrom).ReadFrom(f)
			return err
		}, plainRead)(b)
	}},
	{"TCPConn.ReadFrom socket", false, func(b *bench) func(int) {
		return b.copies("tcp", func(from, to net.Conn) (int64, error) { return to.(io.ReaderFrom).ReadFrom(from) })
	}},
	{"TCPConn.WriteTo socket", false, func(b *bench) func(int) {
		return b.copies("unix", func(from, to net.Conn) (int64, error) { return from.(io.WriterTo).WriteTo(to) })
	}},
	{"TCPConn.WriteTo memory", false, func(b *bench) func(int) {
		var from []net.Conn
		for range b.n {
			c, s := b.pair("tcp")
			b.must(c.Write(b.b))
			b.check(c.Close())
			from = append(from, s)
		}
		w := new(bytes.Buffer)
		return func(i int) { b.must64(from[i].(io.WriterTo).WriteTo(w)) }
	}},
	{"TCPConn.MultipathTCP", false, tcp(func(_ *bench, c tcpConn) error { _, err := c.MultipathTCP(); return err })},
	{"TCPConn.SetKeepAlive", false, tcp(func(_ *bench, c tcpConn) error { return c.SetKeepAlive(true) })},
	{"TCPConn.SetKeepAliveConfig", false, tcp(func(_ *bench, c tcpConn) error {
		return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute})
	})},
	{"TCPConn.SetKeepAlivePeriod", false, tcp(func(_ *bench, c tcpConn) error { return c.SetKeepAlivePeriod(time.Minute) })},
	{"TCPConn.SetLinger", false, tcp(func(_ *bench, c tcpConn) error { return c.SetLinger(-1) })},
	{"TCPConn.SetNoDelay", false, tcp(func(_ *bench, c tcpConn) error { return c.SetNoDelay(true) })},
	{"TCPConn.CloseRead", false, tcp(func(_ *bench, c tcpConn) error { return c.CloseRead() })},
	{"TCPConn.CloseWrite", false, tcp(func(_ *bench, c tcpConn) error { return c.CloseWrite() })},

	{"UDPConn.Read", false, peered("udp4", plainWrite, plainRead)},
	{"UDPConn.Write", false, peered("udp4", plainWrite, plainRead)},
	{"UDPConn.ReadFrom", false, selfSent("udp4", writeTo, readFrom)},
	{"UDPConn.WriteTo", false, selfSent("udp4", writeTo, plainRead)},
	{"UDPConn.ReadFromUDP", false, selfSent("udp4", writeTo, func(b *bench, c net.Conn) error { _, _, err := c.(udpConn).ReadFromUDP(b.b); return err })},
	{"UDPConn.ReadFromUDPAddrPort", false, selfSent("udp4", writeTo, func(b *bench, c net.Conn) error {
		_, _, err := c.(udpConn).ReadFromUDPAddrPort(b.b)
		return err
	})},
	{"UDPConn.ReadMsgUDP", false, selfSent("udp4", writeTo, func(b *bench, c net.Conn) error {
		_, _, _, _, err := c.(udpConn).ReadMsgUDP(b.b, b.oob)
		return err
	})},
	{"UDPConn.ReadMsgUDPAddrPort", false, selfSent("udp6", writeTo, func(b *bench, c net.Conn) error {
		_, _, _, _, err := c.(udpConn).ReadMsgUDPAddrPort(b.b, b.oob)
		return err
	})},
	{"UDPConn.WriteMsgUDP", false, selfSent("udp4", func(b *bench, c net.Conn) error {
		_, _, err := c.(udpConn).WriteMsgUDP(b.b, nil, c.LocalAddr().(*net.UDPAddr))
		return err
	}, plainRead)},
	{"UDPConn.WriteMsgUDPAddrPort", false, selfSent("udp6", func(b *bench, c net.Conn) error {
		_, _, err := c.(udpConn).WriteMsgUDPAddrPort(b.b, nil, c.LocalAddr().(*net.UDPAddr).AddrPort())
		return err
	}, plainRead)},
	{"UDPConn.WriteToUDP", false, selfSent("udp4", func(b *bench, c net.Conn) error {
		_, err := c.(udpConn).WriteToUDP(b.b, c.LocalAddr().(*net.UDPAddr))
		return err
	}, plainRead)},
	{"UDPConn.WriteToUDPAddrPort", false, selfSent("udp4", func(b *bench, c net.Conn) error {
		_, err := c.(udpConn).WriteToUDPAddrPort(b.b, c.LocalAddr().(*net.UDPAddr).AddrPort())
		return err
	}, plainRead)},

	{"IPConn.Read", true, selfSent("ip4:253", writeTo, plainRead)},
	{"IPConn.Write", true, func(b *bench) func(int) {
		c, err := b.Dial("ip4:253", "127.0.0.1")
		c = keep(b, c, err)
		return func(int) { b.must(c.Write(b.b)); b.must(c.Read(b.oob)) }
	}},
	{"IPConn.ReadFrom", true, selfSent("ip4:253", writeTo, readFrom)},
	{"IPConn.WriteTo", true, selfSent("ip4:253", writeTo, plainRead)},
	{"IPConn.ReadFromIP", true, selfSent("ip4:253", writeTo, func(b *bench, c net.Conn) error { _, _, err := c.(ipConn).ReadFromIP(b.b); return err })},
	{"IPConn.ReadMsgIP", true, selfSent("ip4:253", writeTo, func(b *bench, c net.Conn) error {
		_, _, _, _, err := c.(ipConn).ReadMsgIP(b.b, b.oob)
		return err
	})},
	{"IPConn.WriteMsgIP", true, selfSent("ip4:253", func(b *bench, c net.Conn) error {
		_, _, err := c.(ipConn).WriteMsgIP(b.b, nil, c.LocalAddr().(*net.IPAddr))
		return err
	}, plainRead)},
	{"IPConn.WriteToIP", true, selfSent("ip4:253", func(b *bench, c net.Conn) error {
		_, err := c.(ipConn).WriteToIP(b.b, c.LocalAddr().(*net.IPAddr))
		return err
	}, plainRead)},

	{"UnixConn.Read", false, exchanges("unix", plainWrite, plainRead)},
	{"UnixConn.Write", false, exchanges("unixpacket", plainWrite, plainRead)},
	{"UnixConn.ReadFrom", false, selfSent("unixgram", writeTo, readFrom)},
	{"UnixConn.WriteTo", false, selfSent("unixgram", writeTo, plainRead)},
	{"UnixConn.ReadFromUnix", false, selfSent("unixgram", writeTo, func(b *bench, c net.Conn) error {
		_, _, err := c.(unixConn).ReadFromUnix(b.b)
		return err
	})},
	{"UnixConn.ReadMsgUnix", false, exchanges("unix", plainWrite, func(b *bench, c net.Conn) error {
		_, _, _, _, err := c.(unixConn).ReadMsgUnix(b.b, b.oob)
		return err
	})},
	{"UnixConn.ReadMsgUnix datagram", false, selfSent("unixgram", writeTo, func(b *bench, c net.Conn) error {
		_, _, _, _, err := c.(unixConn).ReadMsgUnix(b.b, b.oob)
		return err
	})},
	{"UnixConn.WriteMsgUnix", false, exchanges("unix", func(b *bench, c net.Conn) error {
		_, _, err := c.(unixConn).WriteMsgUnix(b.b, nil, nil)
		return err
	}, plainRead)},
	{"UnixConn.WriteToUnix", false, selfSent("unixgram", func(b *bench, c net.Conn) error {
		_, err := c.(unixConn).WriteToUnix(b.b, c.LocalAddr().(*net.UnixAddr))
		return err
	}, plainRead)},
	{"UnixConn.CloseRead", false, connected("unix", func(_ *bench, c net.Conn) error { return c.(unixConn).CloseRead() })},
	{"UnixConn.CloseWrite", false, connected("unix", func(_ *bench, c net.Conn) error { return c.(unixConn).CloseWrite() })},
}

// What the conns of all types have is measured with each.
func init() {
	for _, kind := range []struct {
		name, network string
		raw           bool
		open          func(b *bench) net.Conn
	}{
		{"TCPConn", "tcp", false, func(b *bench) net.Conn { return first(b.pair("tcp")) }},
		{"UDPConn", "udp4", false, func(b *bench) net.Conn { return b.packet("udp4").(net.Conn) }},
		{"IPConn", "ip4:253", true, func(b *bench) net.Conn { return b.packet("ip4:253").(net.Conn) }},
		{"UnixConn", "unix", false, func(b *bench) net.Conn { return first(b.pair("unix")) }},
	} {
		add := func(method string, op operation) {
			namesakes = append(namesakes, struct {
				name string
				raw  bool
				op   operation
			}{kind.name + "." + method, kind.raw, op})
		}
		each := func(method string, op func(b *bench, c conn) error) {
			add(method, always(func(b *bench) func() error {
				c := kind.open(b).(conn)
				return func() error { return op(b, c) }
			}))
		}
		add("Close", closes(func(b *bench) io.Closer { return kind.open(b) }))
		each("File", func(b *bench, c conn) error { f, err := c.File(); keep(b, f, err); return nil })
		each("File and Close", func(b *bench, c conn) error { f, err := c.File(); b.check(err); return f.Close() })
		each("LocalAddr", func(_ *bench, c conn) error { c.LocalAddr(); return nil })
		each("RemoteAddr", func(_ *bench, c conn) error { c.RemoteAddr(); return nil })
		each("SetDeadline", func(_ *bench, c conn) error { return c.SetDeadline(later) })
		each("SetReadDeadline", func(_ *bench, c conn) error { return c.SetReadDeadline(later) })
		each("SetWriteDeadline", func(_ *bench, c conn) error { return c.SetWriteDeadline(later) })
		each("SetReadBuffer", func(_ *bench, c conn) error { return c.SetReadBuffer(1 << 16) })
		each("SetWriteBuffer", func(_ *bench, c conn) error { return c.SetWriteBuffer(1 << 16) })
		each("SyscallConn", func(_ *bench, c conn) error { _, err := c.SyscallConn(); return err })
		each("SyscallConn Control", func(_ *bench, c conn) error {
			raw, err := c.SyscallConn()
			if err != nil {
				return err
			}
			return raw.Control(func(uintptr) {})
		})
		each("SyscallConn Write", func(_ *bench, c conn) error {
			raw, err := c.SyscallConn()
			if err != nil {
				return err
			}
			return raw.Write(func(uintptr) bool { return true })
		})
	}
}

var (
	loopbackTCP = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	later       = time.Now().Add(time.Hour)
)

func first(c, _ net.Conn) net.Conn { return c }

func (b *bench) must(_ int, err error)     { b.check(err) }
func (b *bench) must64(_ int64, err error) { b.check(err) }

func (b *bench) dialer() dialer {
	if b.d == nil {
		b.d = b.Dialer()
	}
	return b.d
}

func (b *bench) listenConfig() listenConfig {
	if b.lc == nil {
		b.lc = b.ListenConfig()
	}
	return b.lc
}

// names returns a path for each time.
func (b *bench) names() []string {
	dir := socktest.ShortDir(b)
	names := make([]string, b.n)
	for i := range names {
		names[i] = filepath.Join(dir, string(rune('a'+i/26))+string(rune('a'+i%26)))
	}
	return names
}

func plainWrite(b *bench, c net.Conn) error { _, err := c.Write(b.b); return err }

func plainRead(b *bench, c net.Conn) error { _, err := c.Read(b.b); return err }

func writeTo(b *bench, c net.Conn) error {
	_, err := c.(net.PacketConn).WriteTo(b.b, c.LocalAddr())
	return err
}

func readFrom(b *bench, c net.Conn) error {
	_, _, err := c.(net.PacketConn).ReadFrom(b.b)
	return err
}

// dials opens a socket that dial can dial.
func dials(network string, dial func(*bench, net.Addr) (net.Conn, error)) operation {
	return always(func(b *bench) func() error {
		var to net.Addr
		switch network {
		case "tcp", "unix":
			l, err := b.Listen(network, b.address(network))
			to = keep(b, l, err).Addr()
		default:
			to = b.packet(network).LocalAddr()
		}
		return func() error {
			c, err := dial(b, to)
			keep(b, c, err)
			return nil
		}
	})
}

func opens(open func(*bench) (net.Conn, error)) operation {
	return always(func(b *bench) func() error {
		return func() error { c, err := open(b); keep(b, c, err); return nil }
	})
}

func packets(open func(*bench) (net.PacketConn, error)) operation {
	return always(func(b *bench) func() error {
		return func() error { c, err := open(b); keep(b, c, err); return nil }
	})
}

func listens(listen func(*bench) (net.Listener, error)) operation {
	return always(func(b *bench) func() error {
		return func() error { l, err := listen(b); keep(b, l, err); return nil }
	})
}

// listening does op with a listener.
func listening(network string, op func(*bench, listener) error) operation {
	return always(func(b *bench) func() error {
		nl, err := b.Listen(network, b.address(network))
		l := keep(b, nl, err).(listener)
		return func() error { return op(b, l) }
	})
}

// accepts accepts connections of bare descriptors.
func accepts(network string, accept func(*bench, net.Listener) (net.Conn, error)) operation {
	return always(func(b *bench) func() error {
		nl, err := b.Listen(network, b.address(network))
		l := keep(b, nl, err)
		return func() error {
			client := enqueue(network, l)
			defer unix.Close(client)
			c, err := accept(b, l)
			keep(b, c, err)
			return nil
		}
	})
}

func closes(open func(*bench) io.Closer) operation {
	return func(b *bench) func(int) {
		all := make([]io.Closer, b.n)
		for i := range all {
			all[i] = open(b)
		}
		return func(i int) { b.check(all[i].Close()) }
	}
}

// exchanges sends at one end of a connection and receives at the other.
func exchanges(network string, send, receive func(*bench, net.Conn) error) operation {
	return always(func(b *bench) func() error {
		c, s := b.pair(network)
		return func() error {
			if err := send(b, c); err != nil {
				return err
			}
			return receive(b, s)
		}
	})
}

// peered sends from a datagram socket that has a peer.
func peered(network string, send, receive func(*bench, net.Conn) error) operation {
	return always(func(b *bench) func() error {
		s := b.packet(network)
		c, err := b.Dial(network, s.LocalAddr().String())
		c = keep(b, c, err)
		return func() error {
			if err := send(b, c); err != nil {
				return err
			}
			return receive(b, s.(net.Conn))
		}
	})
}

// selfSent sends from a datagram socket to itself.
func selfSent(network string, send, receive func(*bench, net.Conn) error) operation {
	return always(func(b *bench) func() error {
		c := b.packet(network).(net.Conn)
		return func() error {
			if err := send(b, c); err != nil {
				return err
			}
			return receive(b, c)
		}
	})
}

func connected(network string, op func(*bench, net.Conn) error) operation {
	return func(b *bench) func(int) {
		all := make([]net.Conn, b.n)
		for i := range all {
			all[i] = first(b.pair(network))
		}
		return func(i int) { b.check(op(b, all[i])) }
	}
}

func tcp(op func(*bench, tcpConn) error) operation {
	return connected("tcp", func(b *bench, c net.Conn) error { return op(b, c.(tcpConn)) })
}

// adopts makes conns of files of c.
func (b *bench) adopts(c net.Conn) func(int) {
	files := b.files(c.(conn))
	return func(i int) { c, err := b.FileConn(files[i]); keep(b, c, err) }
}

func (b *bench) adoptsListener(network string) func(int) {
	l, err := b.Listen(network, b.address(network))
	files := b.files(keep(b, l, err).(listener))
	return func(i int) { l, err := b.FileListener(files[i]); keep(b, l, err) }
}

// copies copies from one connection to another, whose network may be another one, what
// comes before the end.
func (b *bench) copies(to string, do func(from, to net.Conn) (int64, error)) func(int) {
	ends := make([][2]net.Conn, b.n)
	for i := range ends {
		c, s := b.pair("tcp")
		b.must(c.Write(b.b))
		b.check(c.Close())
		ends[i] = [2]net.Conn{s, first(b.pair(to))}
	}
	return func(i int) { b.must64(do(ends[i][0], ends[i][1])) }
}

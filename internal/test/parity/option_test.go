//go:build linux

package parity

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// sockopts are the options whose values rows compare.
var sockopts = []struct {
	name       string
	level, opt int
}{
	{"SO_PROTOCOL", unix.SOL_SOCKET, unix.SO_PROTOCOL},
	{"SO_REUSEADDR", unix.SOL_SOCKET, unix.SO_REUSEADDR},
	{"SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT},
	{"SO_BROADCAST", unix.SOL_SOCKET, unix.SO_BROADCAST},
	{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{"SO_RCVBUF", unix.SOL_SOCKET, unix.SO_RCVBUF},
	{"SO_SNDBUF", unix.SOL_SOCKET, unix.SO_SNDBUF},
	{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY},
	{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY},
	{"IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP},
	{"IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP},
}

// seeOptions notes c's options and descriptor flags.
func (e *env) seeOptions(what string, c any) {
	e.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	e.ok(err)
	e.ok(rc.Control(func(fd uintptr) { e.seeFD(what, int(fd)) }))
}

func (e *env) seeFD(what string, fd int) {
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	for _, o := range sockopts {
		if err == nil && listening != 0 && (o.level == unix.IPPROTO_TCP || o.opt == unix.SO_KEEPALIVE) {
			continue // our listeners carry what accepted connections inherit
		}
		v, err := unix.GetsockoptInt(fd, o.level, o.opt)
		e.see(what+" "+o.name)(v, err)
	}
	linger, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
	e.see(what+" SO_LINGER")(*linger, err)
	cloexec, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	e.see(what+" F_GETFD")(cloexec, err)
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	e.see(what+" O_NONBLOCK")(flags&unix.O_NONBLOCK != 0, err)
}

// keepAlives are the ways to ask for keep-alive.
var keepAlives = []struct {
	keepAlive time.Duration
	config    net.KeepAliveConfig
}{
	{0, net.KeepAliveConfig{}},
	{-1, net.KeepAliveConfig{}},
	{time.Minute, net.KeepAliveConfig{}},
	{1500 * time.Millisecond, net.KeepAliveConfig{}},
	{time.Millisecond, net.KeepAliveConfig{}},
	{40000 * time.Second, net.KeepAliveConfig{}},
	{0, net.KeepAliveConfig{Enable: true}},
	{-1, net.KeepAliveConfig{Enable: true}},
	{time.Minute, net.KeepAliveConfig{Enable: true, Idle: time.Hour}},
	{0, net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: 2 * time.Second, Count: 4}},
	{0, net.KeepAliveConfig{Enable: true, Idle: 2500 * time.Millisecond, Interval: time.Nanosecond, Count: 1}},
	{0, net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}},
	{0, net.KeepAliveConfig{Enable: true, Idle: -1, Interval: 7 * time.Second}},
	{0, net.KeepAliveConfig{Enable: true, Count: 1000}},
	{-1, net.KeepAliveConfig{Idle: time.Minute, Interval: time.Minute, Count: 2}},
	{time.Minute, net.KeepAliveConfig{Idle: time.Hour, Interval: time.Hour, Count: 2}},
}

func TestParityKeepAlive(t *testing.T) {
	var rows []parityRow
	for _, k := range keepAlives {
		for _, network := range []string{"tcp", "tcp4", "tcp6"} {
			rows = append(rows, parityRow{fmt.Sprintf("%s %v %+v", network, k.keepAlive, k.config), func(e *env) {
				address := "127.0.0.1:0"
				switch network {
				case "tcp":
					address = ":0"
				case "tcp6":
					address = "[::1]:0"
				}
				lc := e.listenConfig(net.ListenConfig{KeepAlive: k.keepAlive, KeepAliveConfig: k.config})
				l, err := lc.Listen(context.Background(), network, address)
				e.ok(err)
				defer l.Close()
				d := e.dialer(net.Dialer{KeepAlive: k.keepAlive, KeepAliveConfig: k.config})
				c, err := d.dial(network, l.Addr().String())
				e.ok(err)
				defer c.Close()
				s, err := l.Accept()
				e.ok(err)
				defer s.Close()
				e.seeOptions("dialed", c)
				e.seeOptions("accepted", s)
			}})
		}
	}
	for _, config := range []net.KeepAliveConfig{
		{}, {Enable: true}, {Enable: true, Idle: -1, Interval: -1, Count: -1},
		{Idle: time.Minute}, {Enable: true, Idle: time.Minute, Interval: 1500 * time.Millisecond, Count: 3}, {Count: 5, Idle: -1, Interval: -1},
	} {
		rows = append(rows, parityRow{fmt.Sprintf("SetKeepAliveConfig %+v", config), func(e *env) {
			c, s := e.tcpPair("tcp")
			e.ok(c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 31 * time.Second, Interval: 32 * time.Second, Count: 33}))
			e.see("SetKeepAliveConfig")(c.SetKeepAliveConfig(config), s.SetKeepAliveConfig(config))
			e.seeOptions("dialed", c)
			e.seeOptions("accepted", s)
		}})
	}
	for _, d := range []time.Duration{-1, 0, 1, time.Second, 1500 * time.Millisecond, time.Hour} {
		rows = append(rows, parityRow{fmt.Sprint("SetKeepAlivePeriod ", d), func(e *env) {
			c, _ := e.tcpPair("tcp")
			e.ok(c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 31 * time.Second, Interval: 32 * time.Second, Count: 33}))
			e.see("SetKeepAlivePeriod")(c.SetKeepAlivePeriod(d))
			e.seeOptions("dialed", c)
		}})
	}
	runParity(t, rows)
}

func TestParityOptions(t *testing.T) {
	var rows []parityRow
	add := func(name string, do func(e *env)) { rows = append(rows, parityRow{name, do}) }
	for _, c := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", ":0"}, {"tcp", "0.0.0.0:0"}, {"tcp", "[::]:0"},
		{"tcp", "[::ffff:0.0.0.0]:0"}, {"tcp", "[::ffff:127.0.0.1]:0"}, {"tcp4", ":0"}, {"tcp4", "[::]:0"}, {"tcp4", "0.0.0.0:0"},
		{"tcp6", ":0"}, {"tcp6", "[::]:0"}, {"tcp6", "[::1]:0"}, {"tcp", "localhost:0"},
		{"unix", "$"}, {"unixpacket", "$"}, {"unix", ""},
	} {
		add(fmt.Sprintf("listen %s %s", c.network, c.address), func(e *env) {
			l, err := e.listen(c.network, strings.Replace(c.address, "$", e.path("l"), 1))
			e.see("Listen")(l, err)
			if err != nil {
				return // there is no IPv6, say
			}
			e.seeOptions("listener", l)
			d, err := e.dial(l.Addr().Network(), l.Addr().String())
			e.see("Dial")(d, err)
			if err != nil {
				return // a wildcard listens without an IPv6 address, but cannot be dialed
			}
			s, err := l.Accept()
			e.see("Accept")(s, err)
			e.seeOptions("dialed", d)
			e.seeOptions("accepted", s)
			if c, ok := s.(tcpConn); ok {
				e.seeMultipathTCP(c)
			}
		})
	}
	for _, c := range []struct{ network, address string }{
		{"udp", "127.0.0.1:0"}, {"udp", "[::1]:0"}, {"udp", ":0"}, {"udp", "0.0.0.0:0"}, {"udp4", ":0"}, {"udp6", ":0"},
		{"udp", "224.0.0.251:0"}, {"udp", "[ff02::fb%lo]:0"}, {"unixgram", "$"}, {"ip4:253", "127.0.0.1"}, {"ip6:253", "::1"},
		{"ip:253", ""}, {"ip4:253", ""}, {"ip6:253", "::"}, {"unix", "$"},
	} {
		add(fmt.Sprintf("listen packets %s %s", c.network, c.address), func(e *env) {
			pc, err := e.listenPacket(c.network, strings.Replace(c.address, "$", e.path("l"), 1))
			e.see("ListenPacket")(pc, err)
			if err == nil {
				e.seeOptions("socket", pc)
			}
		})
	}
	for _, c := range []struct{ network, address string }{
		{"udp", "127.0.0.1:9"}, {"udp", "[::1]:9"}, {"udp4", ":9"}, {"udp6", ":9"}, {"ip4:253", "127.0.0.1"}, {"ip6:253", "::1"},
	} {
		add(fmt.Sprintf("dial %s %s", c.network, c.address), func(e *env) {
			d, err := e.dial(c.network, c.address)
			e.see("Dial")(d, err)
			if err != nil {
				return // there is no IPv6, or no permission for raw sockets
			}
			e.seeOptions("socket", d)
		})
	}
	add("set and see", func(e *env) {
		c, _ := e.tcpPair("tcp")
		e.see("SetNoDelay")(c.SetNoDelay(false))
		e.see("SetKeepAlive")(c.SetKeepAlive(false))
		e.see("SetLinger")(c.SetLinger(7))
		e.see("SetReadBuffer")(c.SetReadBuffer(10000))
		e.see("SetWriteBuffer")(c.SetWriteBuffer(20000))
		e.seeOptions("set", c)
		e.see("SetLinger")(c.SetLinger(-1))
		e.see("SetNoDelay")(c.SetNoDelay(true))
		e.seeOptions("set back", c)
	})
	for _, use := range []bool{false, true} {
		add(fmt.Sprint("MPTCP ", use), func(e *env) {
			lc := e.listenConfig(net.ListenConfig{})
			lc.SetMultipathTCP(use)
			l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			e.ok(err)
			defer l.Close()
			e.seeOptions("listener", l)
			var nd net.Dialer
			nd.SetMultipathTCP(use)
			c, err := e.dialer(nd).dial("tcp", l.Addr().String())
			e.see("Dial")(c, err)
			s, err := l.Accept()
			e.see("Accept")(s, err)
			e.seeOptions("dialed", c)
			e.seeOptions("accepted", s)
			e.seeMultipathTCP(c.(tcpConn))
			e.seeMultipathTCP(s.(tcpConn))
		})
	}
	for _, godebug := range []string{"multipathtcp=0", "multipathtcp=1", "multipathtcp=2", "multipathtcp=3"} {
		add("GODEBUG "+godebug, func(e *env) {
			old, had := os.LookupEnv("GODEBUG")
			e.ok(os.Setenv("GODEBUG", godebug))
			if had {
				defer os.Setenv("GODEBUG", old)
			} else {
				defer os.Unsetenv("GODEBUG")
			}
			e.see("MultipathTCP")(e.listenConfig(net.ListenConfig{}).MultipathTCP())
			l, err := e.listen("tcp", "127.0.0.1:0")
			e.ok(err)
			defer l.Close()
			e.seeOptions("listener", l)
			c, err := e.dial("tcp", l.Addr().String())
			e.ok(err)
			defer c.Close()
			e.seeOptions("dialed", c)
		})
	}
	add("tcp4 and tcp6 share a port", func(e *env) {
		l, err := e.listen("tcp4", ":0")
		e.ok(err)
		defer l.Close()
		port := fmt.Sprint(":", l.Addr().(*net.TCPAddr).Port)
		m, err := e.listen("tcp6", port)
		e.see("tcp6")(m, err)
		e.see("tcp4 again")(e.listen("tcp4", port))
		e.see("tcp")(e.listen("tcp", port))
		e.see("dial tcp4")(e.dial("tcp4", port))
		e.see("dial tcp6")(e.dial("tcp6", port))
		e.see("dial tcp")(e.dial("tcp", port))
	})
	add("used port", func(e *env) {
		l, err := e.listen("tcp", "127.0.0.1:0")
		e.ok(err)
		defer l.Close()
		e.see("Listen")(e.listen("tcp", l.Addr().String()))
		e.see("ListenTCP")(e.listenTCP("tcp", l.Addr().(*net.TCPAddr)))
		e.see("DialTCP")(e.dialTCP("tcp", l.Addr().(*net.TCPAddr), l.Addr().(*net.TCPAddr)))
		pc, err := e.listenPacket("udp", "127.0.0.1:0")
		e.ok(err)
		defer pc.Close()
		e.see("ListenPacket")(e.listenPacket("udp", pc.LocalAddr().String()))
		e.see("ListenUDP")(e.listenUDP("udp4", pc.LocalAddr().(*net.UDPAddr)))
		e.see("Listen unix")(e.listen("unix", e.path("l")))
		e.see("Listen unix")(e.listen("unix", e.path("l")))
		e.see("ListenUnixgram")(e.listenUnixgram("unixgram", &net.UnixAddr{Name: e.path("l"), Net: "unixgram"}))
		e.see("foreign address")(e.listen("tcp", "192.0.2.77:0"))
	})
	add("port in TIME_WAIT", func(e *env) {
		l, err := e.listen("tcp", "127.0.0.1:0")
		e.ok(err)
		c, err := e.dial("tcp", l.Addr().String())
		e.ok(err)
		s, err := l.Accept()
		e.ok(err)
		e.ok(s.Close())
		e.ok(c.Close())
		e.ok(l.Close())
		e.see("Listen")(e.listen("tcp", l.Addr().String()))
	})
	add("privileged", func(e *env) {
		e.see("Listen")(e.listen("tcp4", "127.0.0.1:0"))
		lc := e.listenConfig(net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			if cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); cerr != nil {
				return cerr
			}
			return err
		}})
		l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		e.see("Listen")(l, err)
		e.see("Listen on the same")(lc.Listen(context.Background(), "tcp", l.Addr().String()))
	})
	add("cancelled context", func(e *env) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		lc := e.listenConfig(net.ListenConfig{})
		e.see("Listen")(lc.Listen(ctx, "tcp", "127.0.0.1:0"))
		e.see("ListenPacket")(lc.ListenPacket(ctx, "udp", "127.0.0.1:0"))
	})
	runParity(t, rows)
}

func TestParityMulticast(t *testing.T) {
	lo := socktest.LoopbackInterface(t)
	group := net.IPv4(224, 0, 0, 254)
	runParity(t, []parityRow{
		{"udp4 twice", func(e *env) {
			for _, network := range []string{"udp", "udp4"} {
				c, err := e.listenMulticastUDP(network, lo, &net.UDPAddr{IP: group})
				e.see("ListenMulticastUDP")(c, err)
				if err != nil {
					continue
				}
				e.seeOptions("socket", c)
				e.see("again")(e.listenMulticastUDP(network, lo, &net.UDPAddr{IP: group, Port: c.LocalAddr().(*net.UDPAddr).Port}))
				e.see("plain")(e.listenUDP(network, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: c.LocalAddr().(*net.UDPAddr).Port}))
			}
		}},
		{"udp6", func(e *env) {
			for _, network := range []string{"udp", "udp6"} {
				c, err := e.listenMulticastUDP(network, lo, &net.UDPAddr{IP: net.ParseIP("ff02::114")})
				e.see("ListenMulticastUDP")(c, err)
				if err == nil {
					e.seeOptions("socket", c)
				}
			}
			e.see("udp4")(e.listenMulticastUDP("udp4", lo, &net.UDPAddr{IP: net.ParseIP("ff02::114")}))
		}},
		{"delivery", func(e *env) {
			socktest.NeedMulticast(e)
			c, err := e.listenMulticastUDP("udp4", lo, &net.UDPAddr{IP: group})
			e.ok(err)
			defer c.Close()
			s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			e.ok(err)
			defer s.Close()
			rc, err := s.SyscallConn()
			e.ok(err)
			e.ok(rc.Control(func(fd uintptr) {
				e.ok(unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(lo.Index)}))
			}))
			to := &net.UDPAddr{IP: group, Port: c.LocalAddr().(*net.UDPAddr).Port}
			_, err = s.WriteTo([]byte("to the group"), to)
			e.ok(err)
			e.see("ReadFrom")(c.ReadFrom(make([]byte, 64)))
		}},
		{"interface that is none", func(e *env) {
			e.see("udp4")(e.listenMulticastUDP("udp4", &net.Interface{Index: 1 << 20, Name: "nosuch"}, &net.UDPAddr{IP: group}))
			e.see("udp6")(e.listenMulticastUDP("udp6", &net.Interface{Index: 1 << 20, Name: "nosuch"}, &net.UDPAddr{IP: net.ParseIP("ff02::114")}))
		}},
	})
}

func TestParityUnlink(t *testing.T) {
	exists := func(e *env, what, path string) {
		_, err := os.Lstat(path)
		e.see(what)(err)
	}
	var rows []parityRow
	for _, network := range []string{"unix", "unixpacket"} {
		listen := func(e *env) unixListener {
			l, err := e.listen(network, e.path("l"))
			e.ok(err)
			e.onExit(func() { l.Close() })
			return l.(unixListener)
		}
		add := func(name string, do func(e *env)) {
			rows = append(rows, parityRow{network + "/" + name, do})
		}
		add("Close", func(e *env) {
			l := listen(e)
			exists(e, "before", e.path("l"))
			e.see("Close")(l.Close())
			exists(e, "after", e.path("l"))
		})
		add("second Close", func(e *env) {
			l := listen(e)
			e.see("Close")(l.Close())
			e.ok(os.WriteFile(e.path("l"), nil, 0o600))
			e.see("Close again")(l.Close())
			exists(e, "someone else's file", e.path("l"))
		})
		for _, unlink := range []bool{false, true} {
			add(fmt.Sprint("SetUnlinkOnClose ", unlink), func(e *env) {
				l := listen(e)
				l.SetUnlinkOnClose(unlink)
				e.see("Close")(l.Close())
				exists(e, "after", e.path("l"))
			})
			add(fmt.Sprint("FileListener, SetUnlinkOnClose ", unlink), func(e *env) {
				l := listen(e)
				f, err := l.File()
				e.ok(err)
				m, err := e.fileListener(f)
				e.see("FileListener")(m, err)
				e.ok(f.Close())
				if unlink {
					m.(unixListener).SetUnlinkOnClose(true)
				}
				e.see("Close")(m.Close())
				exists(e, "after", e.path("l"))
				e.see("Close of the first")(l.Close())
				exists(e, "after the first", e.path("l"))
			})
		}
		add("Close with a File left", func(e *env) {
			l := listen(e)
			f, err := l.File()
			e.see("File")(f, err)
			e.see("Close")(l.Close())
			exists(e, "after", e.path("l"))
		})
		add("autobound", func(e *env) {
			e.ok(os.Chdir(e.dir()))
			defer os.Chdir("/")
			l, err := e.listenUnix(network, &net.UnixAddr{Net: network})
			e.ok(err)
			name := l.Addr().String()
			e.ok(os.WriteFile(name, nil, 0o600))
			e.see("Close")(l.Close())
			exists(e, "a file of that name", name)
		})
		add("mode", func(e *env) {
			listen(e)
			fi, err := os.Lstat(e.path("l"))
			e.ok(err)
			e.see("mode")(fi.Mode().String())
		})
	}
	rows = append(rows, parityRow{"unixgram", func(e *env) {
		c, err := e.listenUnixgram("unixgram", &net.UnixAddr{Name: e.path("g"), Net: "unixgram"})
		e.see("ListenUnixgram")(c, err)
		e.see("Close")(c.Close())
		exists(e, "after", e.path("g"))
		pc, err := e.listenPacket("unixgram", e.path("h"))
		e.see("ListenPacket")(pc, err)
		e.see("Close")(pc.Close())
		exists(e, "after", e.path("h"))
		l, err := e.listen("unixgram", e.path("i"))
		e.see("Listen")(l, err)
		e.see("Close")(l.Close())
		exists(e, "after", e.path("i"))
	}})
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	defer os.Chdir(wd)
	runParity(t, rows)
}

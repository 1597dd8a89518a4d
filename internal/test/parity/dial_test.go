//go:build linux

package parity

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// unusedPort returns a TCP port that nobody listens on.
func unusedPort(e *env) int {
	e.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IP{127, 0, 0, 1}})
	e.ok(err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// malformed are networks and addresses that Dial, Listen and ListenPacket say
// no to, or that they take although one might not think so.
var malformed = []struct{ network, address string }{
	{"", "127.0.0.1:1"}, {"foo", "127.0.0.1:1"}, {"tcp9", "127.0.0.1:1"}, {"tcp ", "127.0.0.1:1"},
	{"TCP", "127.0.0.1:1"}, {"udp5", "127.0.0.1:1"}, {"ip", "127.0.0.1"}, {"ip:", "127.0.0.1"},
	{"ip::", "127.0.0.1"}, {"ip4", "127.0.0.1"}, {"ip4:nosuch", "127.0.0.1"}, {"ip4:-1", "127.0.0.1"},
	{"ip4:256", "127.0.0.1"}, {"ip4:253", ""}, {"ip4:253", "::1"}, {"ip6:253", "127.0.0.1"},
	{"ip5:253", "127.0.0.1"}, {"tcp:6", "127.0.0.1:1"}, {"unix4", "/x"}, {"unixstream", "/x"},
	{"tcp", ""}, {"udp", ""}, {"tcp", "127.0.0.1"}, {"tcp", "::1"}, {"tcp", "::1:80"}, {"tcp", "[::1]"},
	{"tcp", "[::1]80"}, {"tcp", "[::1:80"}, {"tcp", "::1]:80"}, {"tcp", "[[::1]]:80"}, {"tcp", "127.0.0.1:"},
	{"tcp", "127.0.0.1:-1"}, {"tcp", "127.0.0.1:65536"}, {"tcp", "127.0.0.1:123456789"}, {"tcp", "127.0.0.1:99999999999999999999"},
	{"tcp", "127.0.0.1: 80"}, {"tcp", "127.0.0.1:nosuch"}, {"udp", "127.0.0.1:nosuch"}, {"udp", "127.0.0.1:+1"},
	{"tcp", "127.0.0.1:+0"}, {"tcp", "127.0.0.1:0x50"}, {"tcp", "127.0.0.1:1:2"}, {"udp", "127.0.0.1:65536"},
	{"tcp4", "[::1]:1"}, {"tcp6", "127.0.0.1:1"}, {"udp4", "[::1]:1"}, {"udp6", "127.0.0.1:1"},
	{"tcp6", "[::ffff:127.0.0.1]:1"}, {"tcp4", "[::ffff:127.0.0.1]:1"}, {"tcp", "[::1%nosuch]:1"}, {"tcp", "1.2.3:http:"},
	{"unix", ""}, {"unixpacket", ""}, {"unixgram", ""}, {"unix", "/no/such/directory/x"}, {"unixgram", "/no/such/directory/x"},
	{"unix", "//"}, {"unix", "/"}, {"unix", "/dev/null/x"},
	{"unix", "/" + strings.Repeat("p", 107)}, {"unix", "/" + strings.Repeat("p", 300)},
	{"unixpacket", "/" + strings.Repeat("p", 107)}, {"unixgram", "/" + strings.Repeat("p", 107)},
	{"unix", "@" + strings.Repeat("a", 108)},
	{"unix", "@no such abstract socket"}, {"unix", "\x00no such abstract socket"}, {"unixgram", "@no such abstract socket"},
}

// namesPort reports whether the port of a host and port is one to look up.
func namesPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	return err == nil && strings.Trim(port, "+-0123456789") != ""
}

func TestParityMalformed(t *testing.T) {
	var rows []parityRow
	for _, m := range malformed {
		name := fmt.Sprintf("%s %.20q", m.network, m.address)
		add := func(what string, do func(e *env)) {
			rows = append(rows, parityRow{what + "/" + name, do})
		}
		add("Dial", func(e *env) { e.see("Dial")(e.dial(m.network, m.address)) })
		if !namesPort(m.address) { // the lookup and the timeout would race
			add("DialTimeout", func(e *env) { e.see("DialTimeout")(e.dialTimeout(m.network, m.address, -1)) })
		}
		if m.network == "unix" && (m.address == "@no such abstract socket" || m.address == "\x00no such abstract socket") || m.network == "unixgram" && m.address[0:min(1, len(m.address))] == "@" {
			continue // nothing is wrong with listening there
		}
		add("Listen", func(e *env) { e.see("Listen")(e.listen(m.network, m.address)) })
		add("ListenPacket", func(e *env) { e.see("ListenPacket")(e.listenPacket(m.network, m.address)) })
	}
	runParity(t, rows)
}

func TestParityDialTyped(t *testing.T) {
	four, six := net.IP{127, 0, 0, 1}, net.IPv6loopback
	var rows []parityRow
	add := func(name string, do func(e *env)) { rows = append(rows, parityRow{name, do}) }

	networks := map[string][]string{
		"tcp":  {"tcp", "tcp4", "tcp6", "udp", "", "tcp9"},
		"udp":  {"udp", "udp4", "udp6", "tcp", "", "udp9"},
		"ip":   {"ip4:253", "ip6:253", "ip:253", "ip", "udp", "", "ip4:nosuch"},
		"unix": {"unix", "unixgram", "unixpacket", "tcp", ""},
	}
	ips := []struct {
		name string
		ip   net.IP
	}{
		{"v4", four}, {"mapped", four.To16()}, {"v6", six}, {"3 bytes", net.IP{1, 2, 3}},
		{"8 bytes", net.IP{1, 2, 3, 4, 5, 6, 7, 8}}, {"0 bytes", net.IP{}},
	}
	for _, network := range networks["tcp"] {
		add("DialTCP "+network+" nil", func(e *env) { e.see("DialTCP")(e.dialTCP(network, nil, nil)) })
		add("ListenTCP "+network+" nil", func(e *env) { e.see("ListenTCP")(e.listenTCP(network, nil)) })
		add("DialTCP "+network+" empty", func(e *env) { e.see("DialTCP")(e.dialTCP(network, nil, &net.TCPAddr{})) })
		for _, ip := range ips {
			add(fmt.Sprintf("DialTCP %s %s", network, ip.name), func(e *env) {
				e.see("DialTCP")(e.dialTCP(network, nil, &net.TCPAddr{IP: ip.ip, Port: unusedPort(e)}))
			})
			add(fmt.Sprintf("DialTCP %s local %s", network, ip.name), func(e *env) {
				e.see("DialTCP")(e.dialTCP(network, &net.TCPAddr{IP: ip.ip}, &net.TCPAddr{IP: four, Port: unusedPort(e)}))
			})
			add(fmt.Sprintf("ListenTCP %s %s", network, ip.name), func(e *env) {
				e.see("ListenTCP")(e.listenTCP(network, &net.TCPAddr{IP: ip.ip}))
			})
		}
	}
	for _, network := range networks["udp"] {
		add("DialUDP "+network+" nil", func(e *env) { e.see("DialUDP")(e.dialUDP(network, nil, nil)) })
		add("DialUDP "+network+" empty", func(e *env) { e.see("DialUDP")(e.dialUDP(network, nil, &net.UDPAddr{Port: 9})) })
		add("ListenUDP "+network+" nil", func(e *env) { e.see("ListenUDP")(e.listenUDP(network, nil)) })
		add("ListenMulticastUDP "+network+" nil", func(e *env) {
			e.see("ListenMulticastUDP")(e.listenMulticastUDP(network, nil, nil))
		})
		for _, ip := range ips {
			add(fmt.Sprintf("DialUDP %s %s", network, ip.name), func(e *env) {
				e.see("DialUDP")(e.dialUDP(network, nil, &net.UDPAddr{IP: ip.ip, Port: 9}))
			})
			add(fmt.Sprintf("DialUDP %s local %s", network, ip.name), func(e *env) {
				e.see("DialUDP")(e.dialUDP(network, &net.UDPAddr{IP: ip.ip}, &net.UDPAddr{IP: four, Port: 9}))
			})
			add(fmt.Sprintf("ListenUDP %s %s", network, ip.name), func(e *env) {
				e.see("ListenUDP")(e.listenUDP(network, &net.UDPAddr{IP: ip.ip}))
			})
			add(fmt.Sprintf("ListenMulticastUDP %s %s", network, ip.name), func(e *env) {
				e.see("ListenMulticastUDP")(e.listenMulticastUDP(network, nil, &net.UDPAddr{IP: ip.ip}))
			})
		}
	}
	for _, network := range networks["ip"] {
		add("DialIP "+network+" nil", func(e *env) { e.see("DialIP")(e.dialIP(network, nil, nil)) })
		add("ListenIP "+network+" nil", func(e *env) { e.see("ListenIP")(e.listenIP(network, nil)) })
		for _, ip := range ips {
			add(fmt.Sprintf("DialIP %s %s", network, ip.name), func(e *env) {
				e.see("DialIP")(e.dialIP(network, nil, &net.IPAddr{IP: ip.ip}))
			})
			add(fmt.Sprintf("ListenIP %s %s", network, ip.name), func(e *env) {
				e.see("ListenIP")(e.listenIP(network, &net.IPAddr{IP: ip.ip}))
			})
		}
	}
	for _, network := range networks["unix"] {
		add("DialUnix "+network+" nil nil", func(e *env) { e.see("DialUnix")(e.dialUnix(network, nil, nil)) })
		add("ListenUnix "+network+" nil", func(e *env) { e.see("ListenUnix")(e.listenUnix(network, nil)) })
		add("ListenUnixgram "+network+" nil", func(e *env) { e.see("ListenUnixgram")(e.listenUnixgram(network, nil)) })
		for _, other := range []string{"unix", "unixgram", "unixpacket", ""} {
			add(fmt.Sprintf("DialUnix %s net=%s", network, other), func(e *env) {
				e.see("DialUnix")(e.dialUnix(network, nil, &net.UnixAddr{Name: e.path("none"), Net: other}))
			})
			add(fmt.Sprintf("DialUnix %s local net=%s", network, other), func(e *env) {
				e.see("DialUnix")(e.dialUnix(network, &net.UnixAddr{Name: e.path("local"), Net: other}, nil))
			})
			add(fmt.Sprintf("ListenUnix %s net=%s", network, other), func(e *env) {
				e.see("ListenUnix")(e.listenUnix(network, &net.UnixAddr{Name: e.path("l"), Net: other}))
			})
			add(fmt.Sprintf("ListenUnixgram %s net=%s", network, other), func(e *env) {
				e.see("ListenUnixgram")(e.listenUnixgram(network, &net.UnixAddr{Name: e.path("l"), Net: other}))
			})
		}
	}
	for _, port := range []int{-1, 1 << 16, 1<<16 + 80, math.MaxInt32} {
		add(fmt.Sprint("port ", port), func(e *env) {
			e.see("DialTCP")(e.dialTCP("tcp", nil, &net.TCPAddr{Port: port}))
			e.see("DialTCP")(e.dialTCP("tcp", nil, &net.TCPAddr{IP: four, Port: port}))
			e.see("DialTCP local")(e.dialTCP("tcp", &net.TCPAddr{IP: four, Port: port}, &net.TCPAddr{IP: four, Port: 1}))
			e.see("DialUDP")(e.dialUDP("udp", nil, &net.UDPAddr{IP: four, Port: port}))
			e.see("ListenTCP")(e.listenTCP("tcp", &net.TCPAddr{Port: port}))
			e.see("ListenUDP")(e.listenUDP("udp", &net.UDPAddr{Port: port}))
		})
	}
	runParity(t, rows)
}

// listenAndDial listens at an address and dials a host at its port. Another process may
// listen at the same port of an address that l does not have; then it tries another port.
func (e *env) listenAndDial(listenNetwork, address, dialNetwork, host string) (l net.Listener, c net.Conn, err error) {
	for {
		l, err = e.listen(listenNetwork, address)
		e.ok(err)
		local := l.Addr().(*net.TCPAddr)
		c, err = e.dial(dialNetwork, net.JoinHostPort(host, strconv.Itoa(local.Port)))
		if err != nil {
			return l, c, err
		}
		remote := c.RemoteAddr().(*net.TCPAddr)
		mine := local.IP.Equal(remote.IP)
		if local.IP.IsUnspecified() {
			four := remote.IP.To4() != nil
			mine = four && listenNetwork != "tcp6" || !four && listenNetwork != "tcp4" && local.IP.To4() == nil
		}
		if mine {
			return l, c, nil
		}
		c.Close()
		l.Close()
	}
}

func TestParityDialResult(t *testing.T) {
	var rows []parityRow
	add := func(name string, do func(e *env)) { rows = append(rows, parityRow{name, do}) }
	for _, listen := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", ":0"}, {"tcp4", ":0"}, {"tcp6", ":0"}, {"tcp", "localhost:0"},
		{"tcp", "[::ffff:127.0.0.1]:0"}, {"tcp", "0.0.0.0:0"}, {"tcp4", "[::]:0"},
	} {
		for _, network := range []string{"tcp", "tcp4", "tcp6"} {
			for _, host := range []string{"", "127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "localhost"} {
				add(fmt.Sprintf("listen %s %s, dial %s %s", listen.network, listen.address, network, host), func(e *env) {
					l, c, err := e.listenAndDial(listen.network, listen.address, network, host)
					e.see("Listen")(l, nil)
					e.see("Dial")(c, err)
					if err == nil {
						e.see("Accept")(l.Accept())
					}
				})
			}
		}
	}
	locals := []net.Addr{
		nil, &net.TCPAddr{}, &net.TCPAddr{IP: net.IP{127, 0, 0, 1}}, &net.TCPAddr{IP: net.IP{127, 0, 0, 3}},
		&net.TCPAddr{IP: net.IPv6loopback}, &net.TCPAddr{IP: net.IPv6unspecified}, &net.TCPAddr{IP: net.IPv4zero},
		&net.TCPAddr{IP: net.IPv4zero.To4()}, &net.TCPAddr{IP: net.IP{192, 0, 2, 99}}, &net.TCPAddr{Port: 1 << 16},
		&net.UDPAddr{}, &net.UnixAddr{Name: "/x", Net: "unix"}, &net.IPAddr{}, foreignAddr{}, (*net.TCPAddr)(nil),
	}
	for _, local := range locals {
		for _, network := range []string{"tcp", "tcp4", "tcp6"} {
			for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
				if local == (*net.TCPAddr)(nil) && host != "127.0.0.1" {
					continue
				}
				add(fmt.Sprintf("LocalAddr %T %v, %s %s", local, local, network, host), func(e *env) {
					l, err := net.Listen("tcp", ":0")
					e.ok(err)
					defer l.Close()
					_, port, err := net.SplitHostPort(l.Addr().String())
					e.ok(err)
					d := e.dialer(net.Dialer{LocalAddr: local})
					e.see("Dial")(d.dial(network, net.JoinHostPort(host, port)))
				})
			}
		}
	}
	for _, network := range []string{"udp", "udp4", "udp6"} {
		for _, host := range []string{"", "127.0.0.1", "::1", "::", "0.0.0.0", "::ffff:127.0.0.1", "255.255.255.255", "224.0.0.251", "ff02::1%lo", "fe80::1%lo", "fe80::1%1", "fe80::1"} {
			add(fmt.Sprintf("dial %s %s", network, host), func(e *env) {
				e.see("Dial")(e.dial(network, net.JoinHostPort(host, "9")))
			})
			add(fmt.Sprintf("listen %s %s", network, host), func(e *env) {
				e.see("ListenPacket")(e.listenPacket(network, net.JoinHostPort(host, "0")))
			})
		}
	}
	for _, c := range []struct{ network, host string }{
		{"ip4:253", "127.0.0.1"}, {"ip:253", "::1"}, {"ip6:253", "::1"}, {"ip4:icmp", "127.0.0.1"}, {"ip6:ipv6-icmp", "::1"},
		{"ip4:1", "localhost"}, {"ip:253", "127.0.0.1"}, {"ip4:253", "0.0.0.0"}, {"ip6:253", "::"},
	} {
		add(fmt.Sprintf("dial and listen %s %s", c.network, c.host), func(e *env) {
			e.see("Dial")(e.dial(c.network, c.host))
			e.see("ListenPacket")(e.listenPacket(c.network, c.host))
		})
	}
	add("DialIP keeps a 4-byte address", func(e *env) {
		e.see("DialIP")(e.dialIP("ip4:253", &net.IPAddr{IP: net.IP{127, 0, 0, 1}}, &net.IPAddr{IP: net.IP{127, 0, 0, 1}}))
		e.see("DialIP")(e.dialIP("ip4:253", nil, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	})
	runParity(t, rows)
}

func TestParityDialUnix(t *testing.T) {
	var rows []parityRow
	add := func(name string, do func(e *env)) { rows = append(rows, parityRow{name, do}) }
	long := func(e *env, n int) string {
		return e.dir() + "/" + strings.Repeat("n", n-len(e.dir())-1)
	}
	for _, network := range []string{"unix", "unixpacket"} {
		for _, n := range []int{106, 107, 108, 109} {
			add(fmt.Sprintf("%s, path of %d bytes", network, n), func(e *env) {
				path := long(e, n)
				e.see("Listen")(e.listen(network, path))
				e.see("Dial")(e.dial(network, path))
				e.see("DialUnix local")(e.dialUnix(network, &net.UnixAddr{Name: path + "x", Net: network}, &net.UnixAddr{Name: path, Net: network}))
			})
		}
		for _, lead := range []string{"@", "\x00"} {
			for _, n := range []int{1, 2, 20, 107, 108, 109} {
				add(fmt.Sprintf("%s, abstract name of %d bytes after %q", network, n, lead), func(e *env) {
					// Of the process, so that test processes do not meet.
					name := lead + fmt.Sprint(os.Getpid()) + strings.Repeat("a", 120)
					name = name[:n]
					if n < 10 {
						name = lead + strings.Repeat("#", n-1)
					}
					l, err := e.listen(network, name)
					e.see("Listen")(l == nil, err)
					c, err := e.dial(network, name)
					e.see("Dial")(c == nil, err)
					if l != nil && c != nil {
						s, err := l.Accept()
						e.ok(err)
						e.see("lengths")(len(l.Addr().String()), len(c.RemoteAddr().String()), len(s.LocalAddr().String()))
						e.see("leads")(l.Addr().String()[:1], c.RemoteAddr().String()[:1])
						e.ok(s.Close())
						e.ok(c.Close())
					}
					if l != nil {
						e.ok(l.Close())
					}
				})
			}
		}
		add(network+", local name", func(e *env) {
			l, err := e.listen(network, e.path("l"))
			e.ok(err)
			e.see("Listen")(l)
			c, err := e.dialUnix(network, &net.UnixAddr{Name: e.path("c"), Net: network}, &net.UnixAddr{Name: e.path("l"), Net: network})
			e.see("DialUnix")(c, err)
			e.see("Accept")(l.Accept())
			e.ok(c.Close())
			_, err = os.Lstat(e.path("c"))
			e.see("it stays")(err)
			e.see("DialUnix again")(e.dialUnix(network, &net.UnixAddr{Name: e.path("c"), Net: network}, &net.UnixAddr{Name: e.path("l"), Net: network}))
			e.see("Dialer")(e.dialer(net.Dialer{LocalAddr: &net.UnixAddr{Name: e.path("d"), Net: network}}).dial(network, e.path("l")))
			e.see("empty name")(e.dialUnix(network, &net.UnixAddr{Net: network}, &net.UnixAddr{Name: e.path("l"), Net: network}))
		})
		add(network+", stale file", func(e *env) {
			l, err := e.listenUnix(network, &net.UnixAddr{Name: e.path("l"), Net: network})
			e.ok(err)
			l.SetUnlinkOnClose(false)
			e.ok(l.Close())
			e.see("Dial")(e.dial(network, e.path("l")))
			e.see("Listen")(e.listen(network, e.path("l")))
		})
		add(network+", a file that is no socket", func(e *env) {
			f := textFile(e, "text")
			e.see("Dial")(e.dial(network, f.Name()))
			e.see("Listen")(e.listen(network, f.Name()))
		})
		add(network+", other types", func(e *env) {
			e.see("Listen")(e.listen("unix", e.path("stream")))
			e.see("Listen")(e.listen("unixpacket", e.path("packet")))
			e.see("ListenPacket")(e.listenPacket("unixgram", e.path("gram")))
			for _, name := range []string{"stream", "packet", "gram"} {
				e.see("Dial " + name)(e.dial(network, e.path(name)))
				e.see("Dial unixgram " + name)(e.dial("unixgram", e.path(name)))
			}
		})
		add(network+", autobind", func(e *env) {
			l, err := e.listen(network, "")
			e.see("Listen")(l, err)
			if err == nil {
				e.see("Dial")(e.dial(network, l.Addr().String()))
				e.see("Close")(l.Close())
			}
		})
	}
	add("full backlog", func(e *env) {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: e.path("l"), Net: "unix"})
		e.ok(err)
		defer l.Close()
		rc, err := l.SyscallConn()
		e.ok(err)
		e.ok(rc.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 1) }))
		e.ok(err)
		for range 100 {
			c, err := e.dialTimeout("unix", e.path("l"), time.Second)
			if err != nil {
				e.see("Dial")(c, err)
				return
			}
			e.onExit(func() { c.Close() })
		}
		e.Error("the backlog never fills")
	})
	add("the row's directory", func(e *env) {
		e.see("ListenPacket unix")(e.listenPacket("unix", e.path("lp")))
		e.see("Listen unixgram")(e.listen("unixgram", e.path("lg")))
		e.see("ListenPacket unixpacket")(e.listenPacket("unixpacket", e.path("lpp")))
	})
	runParity(t, rows)
}

// Where ours does better than net: it refuses a path that the kernel would cut
// short, and names are exact.
func TestUnixNames(t *testing.T) {
	for _, network := range []string{"unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			path := socktest.ShortDir(t) + "/cut\x00here"
			var wrong *sockets.ArgumentError
			if _, err := sockets.Listen(network, path); !errors.As(err, &wrong) {
				t.Errorf("Listen on a path with a NUL: %v, want an *ArgumentError", err)
			}
			if _, err := sockets.Dial(network, path); !errors.As(err, &wrong) {
				t.Errorf("Dial to a path with a NUL: %v, want an *ArgumentError", err)
			}
			name := fmt.Sprintf("@%d with NULs\x00\x00", os.Getpid())
			l, err := sockets.Listen(network, name)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if diff := cmp.Diff(name, l.Addr().String()); diff != "" {
				t.Errorf("listener's name (-want +got):\n%s", diff)
			}
			c, err := sockets.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if diff := cmp.Diff(name, c.RemoteAddr().String()); diff != "" {
				t.Errorf("peer's name (-want +got):\n%s", diff)
			}
			if c, err := sockets.Dial(network, strings.TrimRight(name, "\x00")); err == nil {
				c.Close()
				t.Error("Dial without the NULs at the name's end reaches it")
			}
		})
	}
}

type brokenContext struct{ context.Context }

func (brokenContext) Deadline() (time.Time, bool) { return time.Unix(1, 0), false }

type zeroContext struct{ context.Context }

func (zeroContext) Deadline() (time.Time, bool) { return time.Time{}, true }

func TestParityDialEnds(t *testing.T) {
	refused := func(e *env) string { return fmt.Sprintf("127.0.0.1:%d", unusedPort(e)) }
	cancelled := func() context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errOwn)
		return ctx
	}
	var rows []parityRow
	add := func(name string, do func(e *env)) { rows = append(rows, parityRow{name, do}) }

	add("refused", func(e *env) { e.see("Dial")(e.dial("tcp", refused(e))) })
	add("refused on v6", func(e *env) {
		e.see("Dial")(e.dial("tcp", fmt.Sprintf("[::1]:%d", unusedPort(e))))
	})
	add("refused on localhost", func(e *env) {
		e.see("Dial")(e.dial("tcp", fmt.Sprintf("localhost:%d", unusedPort(e))))
		e.see("Dial")(e.dial("tcp4", fmt.Sprintf("localhost:%d", unusedPort(e))))
	})
	add("nil context", func(e *env) {
		e.try("DialContext", func() { e.dialer(net.Dialer{}).dialContext(nil, "tcp", "127.0.0.1:1") }) //nolint:staticcheck // it is the point
	})
	for _, network := range []string{"tcp", "udp", "unix", "ip4:253"} {
		addr := func(e *env) string {
			switch network {
			case "unix":
				return e.path("none")
			case "ip4:253":
				return "127.0.0.1"
			}
			return refused(e)
		}
		add(network+", cancelled before", func(e *env) {
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(cancelled(), network, addr(e)))
		})
		add(network+", context past its deadline", func(e *env) {
			ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
			defer cancel()
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(ctx, network, addr(e)))
		})
		for _, timeout := range []time.Duration{-1, math.MinInt64, math.MaxInt64, 1} {
			add(fmt.Sprintf("%s, Timeout %d", network, timeout), func(e *env) {
				e.see("Dial")(e.dialer(net.Dialer{Timeout: timeout}).dial(network, addr(e)))
			})
		}
		add(network+", Deadline past", func(e *env) {
			e.see("Dial")(e.dialer(net.Dialer{Deadline: time.Unix(1, 0)}).dial(network, addr(e)))
		})
		add(network+", context without a deadline", func(e *env) {
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(brokenContext{context.Background()}, network, addr(e)))
		})
		add(network+", context whose deadline is zero", func(e *env) {
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(zeroContext{context.Background()}, network, addr(e)))
		})
	}
	add("typed, cancelled before", func(e *env) {
		d, to := e.dialer(net.Dialer{}), netip.MustParseAddrPort(socktest.FullListener(e, "127.0.0.1:0"))
		e.see("DialTCP")(d.dialTCP(cancelled(), "tcp", netip.AddrPort{}, to))
		e.see("DialUDP")(d.dialUDP(cancelled(), "udp", netip.AddrPort{}, to))
		e.see("DialIP")(d.dialIP(cancelled(), "ip4:253", netip.Addr{}, to.Addr()))
		e.see("DialUnix")(d.dialUnix(cancelled(), "unix", nil, &net.UnixAddr{Name: e.path("none"), Net: "unix"}))
	})
	add("typed", func(e *env) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		e.ok(err)
		defer l.Close()
		d, to := e.dialer(net.Dialer{}), l.Addr().(*net.TCPAddr).AddrPort()
		ctx := context.Background()
		e.see("DialTCP")(d.dialTCP(ctx, "tcp", netip.AddrPort{}, to))
		e.see("DialTCP from")(d.dialTCP(ctx, "tcp", netip.MustParseAddrPort("127.0.0.2:0"), to))
		e.see("DialTCP mapped")(d.dialTCP(ctx, "tcp", netip.AddrPort{}, netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())))
		e.see("DialTCP nowhere")(d.dialTCP(ctx, "tcp", netip.AddrPort{}, netip.AddrPort{}))
		e.see("DialTCP from v6")(d.dialTCP(ctx, "tcp", netip.MustParseAddrPort("[::1]:0"), to))
		e.see("DialTCP unknown")(d.dialTCP(ctx, "tcp9", netip.AddrPort{}, to))
		e.see("DialTCP refused")(d.dialTCP(ctx, "tcp", netip.AddrPort{}, netip.MustParseAddrPort(refused(e))))
		e.see("DialUDP")(d.dialUDP(ctx, "udp", netip.AddrPort{}, to))
		e.see("DialUDP nowhere")(d.dialUDP(ctx, "udp", netip.AddrPort{}, netip.AddrPort{}))
		e.see("DialUDP v6")(d.dialUDP(ctx, "udp", netip.AddrPort{}, netip.MustParseAddrPort("[::1]:9")))
		e.see("DialIP")(d.dialIP(ctx, "ip4:253", netip.Addr{}, to.Addr()))
		e.see("DialIP nowhere")(d.dialIP(ctx, "ip4:253", netip.Addr{}, netip.Addr{}))
		e.see("DialIP unknown")(d.dialIP(ctx, "ip", netip.Addr{}, to.Addr()))
		e.see("DialUnix nowhere")(d.dialUnix(ctx, "unix", nil, nil))
		e.see("DialUnix none")(d.dialUnix(ctx, "unix", nil, &net.UnixAddr{Name: e.path("none"), Net: "unix"}))
		e.see("DialUnix unknown")(d.dialUnix(ctx, "tcp", nil, &net.UnixAddr{Name: e.path("none"), Net: "unix"}))
	})
	add("typed, LocalAddr of the Dialer", func(e *env) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		e.ok(err)
		defer l.Close()
		d := e.dialer(net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IP{127, 0, 0, 5}}})
		e.see("DialTCP")(d.dialTCP(context.Background(), "tcp", netip.AddrPort{}, l.Addr().(*net.TCPAddr).AddrPort()))
		d = e.dialer(net.Dialer{LocalAddr: foreignAddr{}})
		e.see("DialTCP")(d.dialTCP(context.Background(), "tcp", netip.AddrPort{}, l.Addr().(*net.TCPAddr).AddrPort()))
	})
	add("to itself", func(e *env) {
		for range 10 { // the port may be taken before it is used
			self := &net.TCPAddr{IP: net.IP{127, 0, 0, 1}, Port: unusedPort(e)}
			if c, err := e.dialTCP("tcp", self, self); err == nil {
				e.see("DialTCP")(c, err)
				e.send(c, "echo")
				e.see("Read")(c.Read(make([]byte, 8)))
				return
			}
		}
		e.Errorf("%s: no connection to itself", e.name)
	})
	add("cancelled while connecting", func(e *env) {
		addr := socktest.FullListener(e, "127.0.0.1:0")
		ctx, cancel := context.WithCancelCause(context.Background())
		e.whileBlocked(func(see seeFunc) {
			see("DialContext")(e.dialer(net.Dialer{}).dialContext(ctx, "tcp", addr))
		}, func() { cancel(errOwn) })
	})
	add("Cancel while connecting", func(e *env) {
		addr := socktest.FullListener(e, "127.0.0.1:0")
		c := make(chan struct{})
		e.whileBlocked(func(see seeFunc) {
			see("Dial")(e.dialer(net.Dialer{Cancel: c}).dial("tcp", addr))
		}, func() { close(c) })
	})
	add("typed, cancelled while connecting", func(e *env) {
		addr := netip.MustParseAddrPort(socktest.FullListener(e, "127.0.0.1:0"))
		ctx, cancel := context.WithCancel(context.Background())
		e.whileBlocked(func(see seeFunc) {
			see("DialTCP")(e.dialer(net.Dialer{}).dialTCP(ctx, "tcp", netip.AddrPort{}, addr))
		}, cancel)
	})
	add("cancelled after", func(e *env) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		e.ok(err)
		defer l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		c, err := e.dialer(net.Dialer{}).dialContext(ctx, "tcp", l.Addr().String())
		e.see("DialContext")(c, err)
		cancel()
		e.see("Write")(c.Write([]byte("x")))
	})
	add("DialTimeout while connecting", func(e *env) {
		// Which of two timeout errors it is, net leaves to chance.
		_, err := e.dialTimeout("tcp", socktest.FullListener(e, "127.0.0.1:0"), 20*time.Millisecond)
		op, ok := err.(*net.OpError)
		e.see("DialTimeout")(ok, op.Op, op.Net, op.Addr, op.Source, op.Timeout(), op.Temporary(), err.Error())
	})
	runParity(t, rows)
}

//go:build linux

package parity

import (
	"context"
	"fmt"
	"net"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestParityControl(t *testing.T) {
	type key struct{}
	// spy notes what a Control function is told.
	spy := func(see seeFunc, fail error) func(network, address string, c syscall.RawConn) error {
		return func(network, address string, c syscall.RawConn) error {
			see("Control")(network, address)
			called := false
			see("RawConn.Control")(c.Control(func(fd uintptr) {
				_, err := syscall.Getpeername(int(fd))
				see("getpeername")(err)
				called = true
			}))
			see("called")(called)
			return fail
		}
	}
	var rows []parityRow
	add := func(name string, do func(e *env)) { rows = append(rows, parityRow{name, do}) }
	for _, fail := range []error{nil, errOwn} {
		for _, c := range []struct{ network, address string }{
			{"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", ":0"}, {"tcp", "0.0.0.0:0"}, {"tcp4", ":0"}, {"tcp6", ":0"},
			{"tcp", "localhost:0"}, {"udp", "127.0.0.1:0"}, {"udp", ":0"}, {"udp4", ":0"}, {"udp6", "[::1]:0"},
			{"unix", "$"}, {"unixpacket", "$"}, {"unixgram", "$"}, {"ip4:253", "127.0.0.1"}, {"ip6:253", "::1"},
			{"ip:253", "127.0.0.1"}, {"udp", "224.0.0.251:0"}, {"tcp", "192.0.2.77:0"},
		} {
			add(fmt.Sprintf("listen %s %s, %v", c.network, c.address, fail), func(e *env) {
				lc := e.listenConfig(net.ListenConfig{Control: spy(e.see, fail)})
				address := strings.Replace(c.address, "$", e.path("x"), 1)
				if c.network[0] == 'u' && c.network != "unix" && c.network != "unixpacket" || c.network[0] == 'i' {
					e.see("ListenPacket")(lc.ListenPacket(context.Background(), c.network, address))
				} else {
					e.see("Listen")(lc.Listen(context.Background(), c.network, address))
				}
			})
		}
		for _, network := range []string{"tcp", "tcp4", "tcp6", "udp", "udp6", "unix", "unixpacket", "unixgram", "ip4:253"} {
			add(fmt.Sprintf("dial %s, %v", network, fail), func(e *env) {
				address := e.path("none")
				switch network {
				case "tcp", "tcp4":
					l, err := net.Listen("tcp4", "127.0.0.1:0")
					e.ok(err)
					defer l.Close()
					address = l.Addr().String()
				case "tcp6":
					l, err := net.Listen("tcp6", "[::1]:0")
					e.ok(err)
					defer l.Close()
					address = l.Addr().String()
				case "udp":
					address = "127.0.0.1:9"
				case "udp6":
					address = "[::1]:9"
				case "ip4:253":
					address = "127.0.0.1"
				}
				e.see("Dial")(e.dialer(net.Dialer{Control: spy(e.see, fail)}).dial(network, address))
				ctx := context.WithValue(context.Background(), key{}, "the caller's value")
				both := net.Dialer{
					Control: func(string, string, syscall.RawConn) error {
						e.Error("Control is called although there is a ControlContext")
						return nil
					},
					ControlContext: func(ctx context.Context, network, address string, c syscall.RawConn) error {
						e.see("value")(ctx.Value(key{}))
						return spy(e.see, fail)(network, address, c)
					},
				}
				e.see("DialContext")(e.dialer(both).dialContext(ctx, network, address))
			})
		}
	}
	add("RawConn.Read and Write in Control", func(e *env) {
		lc := e.listenConfig(net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			e.see("Read")(c.Read(func(uintptr) bool { return true }))
			e.see("Write")(c.Write(func(uintptr) bool { return true }))
			e.see("Read waits")(c.Read(func(uintptr) bool { return false }))
			e.see("Write waits")(c.Write(func(uintptr) bool { return false }))
			return nil
		}})
		e.see("ListenPacket")(lc.ListenPacket(context.Background(), "udp", "127.0.0.1:0"))
	})
	add("Control of a listener with MPTCP", func(e *env) {
		for _, use := range []bool{false, true} {
			lc := e.listenConfig(net.ListenConfig{Control: spy(e.see, errOwn)})
			lc.SetMultipathTCP(use)
			e.see("MultipathTCP")(lc.MultipathTCP())
			e.see("Listen")(lc.Listen(context.Background(), "tcp", "127.0.0.1:0"))
		}
	})
	add("Control of a dialer with MPTCP", func(e *env) {
		var d net.Dialer
		d.Control = spy(e.see, errOwn)
		d.SetMultipathTCP(true)
		e.see("Dial")(e.dialer(d).dial("tcp", "127.0.0.1:9"))
		e.see("default")(new(net.Dialer).MultipathTCP(), e.listenConfig(net.ListenConfig{}).MultipathTCP())
	})
	for _, network := range []string{"tcp4", "unix", "unixpacket", "udp4"} {
		add("Control connects, "+network, func(e *env) {
			var to net.Addr
			var sa syscall.Sockaddr
			if network == "udp4" {
				c, err := net.ListenPacket(network, "127.0.0.1:0")
				e.ok(err)
				defer c.Close()
				to = c.LocalAddr()
				sa = &syscall.SockaddrInet4{Port: to.(*net.UDPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
			} else {
				address := "127.0.0.1:0"
				if network != "tcp4" {
					address = e.path("l")
				}
				l, err := net.Listen(network, address)
				e.ok(err)
				defer l.Close()
				to = l.Addr()
				sa = &syscall.SockaddrUnix{Name: to.String()}
				if network == "tcp4" {
					sa = &syscall.SockaddrInet4{Port: to.(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
				}
			}
			d := e.dialer(net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
				return c.Control(func(fd uintptr) { e.see("connect")(syscall.Connect(int(fd), sa)) })
			}})
			e.see("Dial")(d.dial(network, to.String()))
		})
	}
	runParity(t, rows)
}

func TestParityTrace(t *testing.T) {
	var mu sync.Mutex
	traced := func(see seeFunc) context.Context {
		note := func(what string) func(vals ...any) {
			return func(vals ...any) {
				mu.Lock()
				defer mu.Unlock()
				see(what)(vals...)
			}
		}
		return httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
			ConnectStart: func(network, addr string) { note("ConnectStart")(network, addr) },
			ConnectDone:  func(network, addr string, err error) { note("ConnectDone")(network, addr, err) },
			DNSStart:     func(info httptrace.DNSStartInfo) { note("DNSStart")(info.Host) },
			DNSDone:      func(info httptrace.DNSDoneInfo) { note("DNSDone")(len(info.Addrs), info.Err, info.Coalesced) },
		})
	}
	runParity(t, []parityRow{
		{"success", func(e *env) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			e.ok(err)
			defer l.Close()
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(traced(e.see), "tcp", l.Addr().String()))
		}},
		{"refused", func(e *env) {
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(traced(e.see), "tcp4", fmt.Sprintf("127.0.0.1:%d", unusedPort(e))))
		}},
		{"name", func(e *env) {
			addr := fmt.Sprintf("localhost:%d", unusedPort(e))
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(traced(e.see), "tcp4", addr))
		}},
		{"udp and unix", func(e *env) {
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(traced(e.see), "udp", "127.0.0.1:9"))
			e.see("DialContext")(e.dialer(net.Dialer{}).dialContext(traced(e.see), "unix", e.path("none")))
		}},
		{"typed", func(e *env) {
			e.see("DialUDP")(e.dialer(net.Dialer{}).dialUDP(traced(e.see), "udp", netip.AddrPort{}, netip.MustParseAddrPort("127.0.0.1:9")))
		}},
	})
}

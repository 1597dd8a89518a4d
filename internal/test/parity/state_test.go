package parity

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
)

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
	socktest.NeedRaw(t)
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

//go:build linux

package parity

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// hungUp waits until the kernel has noticed what the peer did.
func (e *env) hungUp(c syscall.Conn, events int16) {
	e.Helper()
	rc, err := c.SyscallConn()
	e.ok(err)
	e.ok(rc.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: events}}
		for range 100 {
			if n, err := unix.Poll(p, 200); n == 1 || (err != nil && err != unix.EINTR) {
				return
			}
		}
		e.Errorf("%s: the peer's action does not arrive", e.name)
	}))
}

// resetTCP returns a connection that its peer has reset.
func (e *env) resetTCP() tcpConn {
	e.Helper()
	c, s := e.tcpPair("tcp")
	e.ok(s.SetLinger(0))
	e.ok(s.Close())
	e.hungUp(c, unix.POLLRDHUP)
	return c
}

func TestParityReset(t *testing.T) {
	states := []state[tcpConn]{
		{"reset", func(e *env) tcpConn { return e.resetTCP() }},
		{"reset and told", func(e *env) tcpConn {
			c := e.resetTCP()
			_, err := c.Read(make([]byte, 1))
			if err == nil {
				e.Error("no error from a connection that was reset")
			}
			return c
		}},
		{"peer gone", func(e *env) tcpConn {
			c, s := e.tcpPair("tcp")
			e.ok(s.Close())
			e.hungUp(c, unix.POLLRDHUP)
			return c
		}},
	}
	// What a second Write finds after the peer's close is a matter of timing.
	var methods []method[tcpConn]
	for _, m := range tcpMethods() {
		switch m.name {
		case "Write and Write", "Read and Write", "CloseWrite", "io.CopyN from file":
		default:
			methods = append(methods, m)
		}
	}
	runParity(t, inStates(states, methods))
	runParity(t, []parityRow{
		{"read, write, write, read", func(e *env) {
			c := e.resetTCP()
			e.see("Read")(c.Read(make([]byte, 1)))
			e.see("Write")(c.Write([]byte("x")))
			e.see("Write")(c.Write([]byte("x")))
			e.see("Read")(c.Read(make([]byte, 1)))
		}},
		{"write, write, read", func(e *env) {
			c := e.resetTCP()
			e.see("Write")(c.Write([]byte("x")))
			e.see("Write")(c.Write([]byte("x")))
			e.see("Read")(c.Read(make([]byte, 1)))
		}},
		{"shutdown", func(e *env) {
			c := e.resetTCP()
			e.see("CloseWrite")(c.CloseWrite())
			e.see("CloseRead")(c.CloseRead())
		}},
		{"accept after the reset", func(e *env) {
			l, err := e.listen("tcp", "127.0.0.1:0")
			e.ok(err)
			e.onExit(func() { l.Close() })
			c, err := e.dial("tcp", l.Addr().String())
			e.ok(err)
			e.ok(c.(tcpConn).SetLinger(0))
			e.see("client")(c.LocalAddr())
			e.ok(c.Close())
			s, err := l.Accept()
			e.see("Accept")(s, err)
			e.see("Read")(s.Read(make([]byte, 1)))
		}},
		{"reset during Read", func(e *env) {
			c, s := e.tcpPair("tcp")
			e.whileBlocked(func(see seeFunc) { see("Read")(c.Read(make([]byte, 1))) }, func() {
				e.ok(s.SetLinger(0))
				e.ok(s.Close())
			})
		}},
	})
}

func TestParityHalfClose(t *testing.T) {
	runParity(t, []parityRow{
		{"tcp data after CloseRead", func(e *env) {
			c, s := e.tcpPair("tcp")
			e.see("CloseRead")(c.CloseRead())
			e.see("Read")(c.Read(make([]byte, 8)))
			e.see("peer's Write")(s.Write([]byte("late")))
			e.hungUp(c, unix.POLLIN)
			e.see("Read")(io.ReadFull(c, make([]byte, 4)))
			e.see("Read")(c.Read(make([]byte, 8)))
		}},
		{"tcp talk after CloseWrite", func(e *env) {
			c, s := e.tcpPair("tcp")
			e.send(c, "last words")
			e.see("CloseWrite")(c.CloseWrite())
			all, err := io.ReadAll(s)
			e.see("peer's ReadAll")(all, err)
			e.see("peer's Write")(s.Write([]byte("answer")))
			e.see("Read")(io.ReadFull(c, make([]byte, 6)))
		}},
		{"unix data after CloseRead", func(e *env) {
			c, s := e.unixPair("unix")
			e.see("CloseRead")(c.CloseRead())
			e.see("Read")(c.Read(make([]byte, 8)))
			e.see("peer's Write")(s.Write([]byte("late")))
		}},
		{"unixpacket after CloseWrite", func(e *env) {
			c, s := e.unixPair("unixpacket")
			e.send(c, "last words")
			e.see("CloseWrite")(c.CloseWrite())
			e.see("peer's Read")(s.Read(make([]byte, 64)))
			e.see("peer's Read")(s.Read(make([]byte, 64)))
			e.see("peer's ReadFrom")(s.ReadFrom(make([]byte, 64)))
			e.see("peer's ReadMsgUnix")(s.ReadMsgUnix(make([]byte, 64), nil))
		}},
		{"unixpacket empty record", func(e *env) {
			c, s := e.unixPair("unixpacket")
			e.see("Write")(c.Write(nil))
			e.send(c, "more")
			e.see("Read")(s.Read(make([]byte, 64)))
			e.see("Read")(s.Read(make([]byte, 64)))
		}},
		{"unixpacket record longer than the buffer", func(e *env) {
			c, s := e.unixPair("unixpacket")
			e.send(c, "a long record")
			e.send(c, "next")
			e.see("Read")(s.Read(make([]byte, 6)))
			e.see("Read")(s.Read(make([]byte, 6)))
		}},
		{"CloseRead during Read", func(e *env) {
			c, _ := e.tcpPair("tcp")
			e.whileBlocked(func(see seeFunc) { see("Read")(c.Read(make([]byte, 1))) }, func() { e.ok(c.CloseRead()) })
		}},
		{"shutdown of a unixgram socket", func(e *env) {
			c, b := e.unixgramPair()
			e.see("CloseRead")(c.CloseRead())
			e.see("peer's WriteTo")(b.WriteTo([]byte("x"), c.LocalAddr()))
			e.see("CloseWrite")(c.CloseWrite())
			e.see("Write")(c.Write([]byte("x")))
			e.see("unconnected CloseWrite")(b.CloseWrite())
		}},
	})
}

func TestParityDatagrams(t *testing.T) {
	runParity(t, []parityRow{
		{"empty datagrams", func(e *env) {
			socktest.NeedEmptyWrite(e)
			c, b := e.udpPair("udp")
			e.see("Write nil")(c.Write(nil))
			e.see("Write nil")(c.Write(nil))
			e.see("WriteMsgUDP nil")(c.WriteMsgUDP(nil, nil, nil))
			e.see("Read")(b.Read(make([]byte, 8)))
			e.see("ReadFrom")(b.ReadFrom(make([]byte, 8)))
			e.see("ReadMsgUDP")(b.ReadMsgUDP(make([]byte, 8), nil))
			e.see("WriteTo empty")(b.WriteTo(nil, c.LocalAddr()))
			e.see("Read")(c.Read(make([]byte, 8)))
		}},
		{"empty buffers", func(e *env) {
			c, b := e.udpPair("udp")
			e.send(c, "one")
			e.see("Read nil keeps it")(b.Read(nil))
			e.see("ReadFrom nil takes it")(b.ReadFrom(nil))
			e.send(c, "two")
			e.see("Read")(b.Read(make([]byte, 8)))
			e.send(c, "three")
			e.see("ReadMsgUDP nil")(b.ReadMsgUDP(nil, nil))
			e.send(c, "four")
			e.see("ReadFromUDPAddrPort")(b.ReadFromUDPAddrPort(make([]byte, 8)))
		}},
		{"cut datagrams", func(e *env) {
			c, b := e.udpPair("udp")
			for range 5 {
				e.send(c, "longer than the buffer")
			}
			e.send(c, "end")
			buf := make([]byte, 6)
			e.see("Read")(b.Read(buf))
			e.see("ReadFrom")(b.ReadFrom(buf))
			e.see("ReadFromUDP")(b.ReadFromUDP(buf))
			e.see("ReadFromUDPAddrPort")(b.ReadFromUDPAddrPort(buf))
			e.see("ReadMsgUDP")(b.ReadMsgUDP(buf, nil))
			e.see("Read")(b.Read(buf))
		}},
		{"too long datagram", func(e *env) {
			c, b := e.udpPair("udp")
			big := make([]byte, 65508)
			e.see("Write")(c.Write(big))
			e.see("WriteTo")(b.WriteTo(big, c.LocalAddr()))
			e.see("WriteMsgUDP")(b.WriteMsgUDP(big, nil, c.LocalAddr().(*net.UDPAddr)))
			e.see("Write largest")(c.Write(big[1:]))
		}},
		{"refused", func(e *env) {
			for _, use := range []func(c udpConn){
				func(c udpConn) { e.see("Read")(c.Read(make([]byte, 8))) },
				func(c udpConn) { e.see("Write")(c.Write([]byte("x"))) },
				func(c udpConn) { e.see("ReadFrom")(c.ReadFrom(make([]byte, 8))) },
				func(c udpConn) { e.see("ReadMsgUDP")(c.ReadMsgUDP(make([]byte, 8), nil)) },
				func(c udpConn) { e.see("WriteMsgUDP")(c.WriteMsgUDP([]byte("x"), nil, nil)) },
			} {
				c, b := e.udpPair("udp")
				e.ok(b.Close())
				e.send(c, "x")
				e.hungUp(c, 0)
				use(c)
			}
		}},
		{"bad control message", func(e *env) {
			socktest.NeedBadControl(e)
			c, b := e.udpPair("udp")
			e.see("WriteMsgUDP")(c.WriteMsgUDP([]byte("x"), []byte("no control message, I fear"), nil))
			e.see("WriteMsgUDP")(b.WriteMsgUDP([]byte("x"), make([]byte, 32), c.LocalAddr().(*net.UDPAddr)))
		}},
		{"dual stack", func(e *env) {
			pc, err := e.listenPacket("udp", ":0")
			e.ok(err)
			b := pc.(udpConn)
			e.see("ListenPacket")(b)
			port := b.LocalAddr().(*net.UDPAddr).Port
			for _, to := range []string{"127.0.0.1", "::1"} {
				c, err := e.dial("udp", net.JoinHostPort(to, fmt.Sprint(port)))
				e.ok(err)
				for range 5 {
					e.send(c, "hello")
				}
				buf := make([]byte, 8)
				e.see("ReadFromUDPAddrPort")(b.ReadFromUDPAddrPort(buf))
				e.see("ReadFromUDP")(b.ReadFromUDP(buf))
				e.see("ReadMsgUDP")(b.ReadMsgUDP(buf, nil))
				_, _, _, from, err := b.ReadMsgUDPAddrPort(buf, nil)
				e.see("ReadMsgUDPAddrPort")(from, err)
				e.see("WriteToUDPAddrPort")(b.WriteToUDPAddrPort([]byte("back"), from))
				e.see("Read")(c.Read(buf))
				_, addr, err := b.ReadFrom(buf)
				e.see("ReadFrom")(addr, err)
				e.see("WriteTo")(b.WriteTo([]byte("back"), addr))
				e.see("Read")(c.Read(buf))
				e.see("client")(c)
			}
		}},
		{"a full unixgram queue", func(e *env) {
			c, b := e.unixgramPair()
			socktest.Fill(e, c)
			e.ok(c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)))
			_, err := c.Write([]byte("x"))
			e.see("Write")(err)
			e.see("WriteTo")(c.WriteTo([]byte("x"), b.LocalAddr()))
		}},
		{"room in a unixgram queue", func(e *env) {
			socktest.NeedRoomWakes(e)
			c, b := e.unixgramPair()
			socktest.Fill(e, c)
			e.whileBlocked(func(see seeFunc) { see("Write")(c.Write([]byte("x"))) }, func() { socktest.Drain(e, b) })
		}},
		{"unixgram address forms", func(e *env) {
			b, err := e.listenUnixgram("unixgram", &net.UnixAddr{Name: "", Net: "unixgram"})
			e.ok(err)
			e.see("autobound")(b)
			c, err := e.dialUnix("unixgram", nil, b.LocalAddr().(*net.UnixAddr))
			e.ok(err)
			e.see("unnamed")(c)
			e.send(c, "x")
			e.see("ReadFrom")(b.ReadFrom(make([]byte, 8)))
			d, err := e.dialUnix("unixgram", &net.UnixAddr{Name: e.path("d"), Net: "unixgram"}, nil)
			e.ok(err)
			e.see("unconnected")(d)
			e.see("Write")(d.Write([]byte("x")))
			e.see("WriteTo")(d.WriteTo([]byte("x"), b.LocalAddr()))
			e.see("ReadFromUnix")(b.ReadFromUnix(make([]byte, 8)))
			e.see("ReadFrom")(orNoDatagram(e, b))
		}},
		{"nothing to write without a peer, unixgram", func(e *env) {
			socktest.NeedEmptyDatagram(e)
			d, err := e.dialUnix("unixgram", &net.UnixAddr{Name: e.path("d"), Net: "unixgram"}, nil)
			e.ok(err)
			defer d.Close()
			e.see("unixgram Write")(d.Write(nil))
			e.see("unixgram WriteMsgUnix")(d.WriteMsgUnix(nil, nil, nil))
			e.see("unixgram WriteTo itself")(d.WriteTo(nil, d.LocalAddr()))
			e.see("unixgram ReadFrom")(d.ReadFrom(make([]byte, 8)))
		}},
		{"nothing to write without a peer, udp", func(e *env) {
			pc, err := e.listenPacket("udp", "127.0.0.1:0")
			e.ok(err)
			defer pc.Close()
			e.see("udp Write")(pc.(udpConn).Write(nil))
			e.see("udp WriteMsgUDP")(pc.(udpConn).WriteMsgUDP(nil, nil, nil))
			e.see("udp WriteTo itself")(pc.WriteTo(nil, pc.LocalAddr()))
			e.see("udp ReadFrom")(pc.ReadFrom(make([]byte, 8)))
		}},
		{"raw ip", func(e *env) {
			c, b := e.ipPair()
			for range 4 {
				e.send(c, "payload")
			}
			buf := make([]byte, 64)
			e.see("ReadFromIP")(b.ReadFromIP(buf))
			e.see("buf")(buf[:7])
			e.see("ReadFromIP, short buffer")(b.ReadFromIP(buf[:10]))
			e.see("Read")(b.Read(buf))
			e.see("ReadMsgIP")(b.ReadMsgIP(buf, nil))
			e.see("WriteToIP")(b.WriteToIP([]byte("back"), c.LocalAddr().(*net.IPAddr)))
			e.see("ReadFrom")(c.ReadFrom(buf))
		}},
	})
}

// orNoDatagram reads one datagram, or finds that there is none.
func orNoDatagram(e *env, c unixConn) error {
	e.ok(c.SetReadDeadline(time.Unix(1, 0)))
	_, _, err := c.ReadFrom(make([]byte, 8))
	return err
}

func TestParityDuringTheCall(t *testing.T) {
	type kind struct {
		name string
		make func(e *env) (c, peer anyConn)
	}
	kinds := []kind{
		{"tcp", func(e *env) (anyConn, anyConn) { return widen(e.tcpPair("tcp")) }},
		{"unix", func(e *env) (anyConn, anyConn) { return widen(e.unixPair("unix")) }},
		{"unixpacket", func(e *env) (anyConn, anyConn) { return widen(e.unixPair("unixpacket")) }},
		{"udp", func(e *env) (anyConn, anyConn) { return widen(e.udpPair("udp")) }},
		{"unixgram", func(e *env) (anyConn, anyConn) { return widen(e.unixgramPair()) }},
	}
	var rows []parityRow
	for _, k := range kinds {
		add := func(name string, do func(e *env, c, peer anyConn)) {
			rows = append(rows, parityRow{k.name + "/" + name, func(e *env) {
				c, peer := k.make(e)
				do(e, c, peer)
			}})
		}
		read := func(e *env, c anyConn) func(seeFunc) {
			return func(see seeFunc) { see("Read")(c.Read(make([]byte, 8))) }
		}
		add("Close during Read", func(e *env, c, _ anyConn) {
			e.whileBlocked(read(e, c), func() { e.see("Close")(c.Close()) })
		})
		add("Close during two Reads", func(e *env, c, _ anyConn) {
			var both sync.WaitGroup
			both.Go(func() {
				_, err := c.Read(make([]byte, 8))
				if err == nil {
					e.Error("Read of a closed connection succeeds")
				}
			})
			e.whileBlocked(read(e, c), func() { e.see("Close")(c.Close()) })
			both.Wait()
		})
		add("data during Read", func(e *env, c, peer anyConn) {
			if pc, ok := peer.(net.PacketConn); ok && peer.RemoteAddr() == nil {
				e.whileBlocked(read(e, c), func() {
					_, err := pc.WriteTo([]byte("data"), c.LocalAddr())
					e.ok(err)
				})
				return
			}
			e.whileBlocked(read(e, c), func() { e.send(peer, "data") })
		})
		add("peer's close during Read", func(e *env, c, peer anyConn) {
			if strings.HasPrefix(k.name, "u") && strings.HasSuffix(k.name, "p") || k.name == "unixgram" {
				e.see("a datagram socket cannot tell")()
				return
			}
			e.whileBlocked(read(e, c), func() { e.ok(peer.Close()) })
		})
		add("deadline set to the past during Read", func(e *env, c, _ anyConn) {
			e.whileBlocked(read(e, c), func() { e.see("SetReadDeadline")(c.SetReadDeadline(time.Unix(1, 0))) })
			e.see("Write")(c.Write([]byte("still works")))
			e.ok(c.SetReadDeadline(time.Time{}))
		})
		add("deadline brought forward during Read", func(e *env, c, _ anyConn) {
			e.ok(c.SetReadDeadline(time.Now().Add(time.Hour)))
			e.whileBlocked(read(e, c), func() { e.ok(c.SetDeadline(time.Now().Add(5 * time.Millisecond))) })
		})
		add("deadline cleared during Read", func(e *env, c, _ anyConn) {
			e.ok(c.SetReadDeadline(time.Now().Add(time.Minute)))
			e.whileBlocked(read(e, c), func() {
				e.ok(c.SetReadDeadline(time.Time{}))
				e.ok(c.Close())
			})
		})
		add("deadline during RawConn.Read", func(e *env, c, _ anyConn) {
			rc, err := c.SyscallConn()
			e.ok(err)
			e.whileBlocked(func(see seeFunc) {
				see("RawConn.Read")(rc.Read(func(fd uintptr) bool {
					_, err := unix.Read(int(fd), make([]byte, 8))
					return err != unix.EAGAIN
				}))
			}, func() { e.ok(c.SetReadDeadline(time.Unix(1, 0))) })
		})
		add("Close during RawConn.Read", func(e *env, c, _ anyConn) {
			rc, err := c.SyscallConn()
			e.ok(err)
			e.whileBlocked(func(see seeFunc) {
				see("RawConn.Read")(rc.Read(func(fd uintptr) bool {
					_, err := unix.Read(int(fd), make([]byte, 8))
					return err != unix.EAGAIN
				}))
			}, func() { e.ok(c.Close()) })
		})
		add("Control during Read", func(e *env, c, _ anyConn) {
			rc, err := c.SyscallConn()
			e.ok(err)
			e.whileBlocked(read(e, c), func() {
				e.see("Control")(rc.Control(func(uintptr) {}))
				e.ok(c.Close())
			})
		})
		add("SetReadBuffer during Read", func(e *env, c, _ anyConn) {
			e.whileBlocked(read(e, c), func() {
				e.see("SetReadBuffer")(c.SetReadBuffer(1 << 16))
				e.ok(c.Close())
			})
		})
		if k.name == "udp" {
			continue
		}
		write := func(e *env, c anyConn) func(seeFunc) {
			return func(see seeFunc) {
				for {
					n, err := c.Write(make([]byte, 64<<10))
					if err != nil {
						see("Write")(err)
						if k.name != "unix" && k.name != "tcp" {
							see("n")(n)
						}
						return
					}
				}
			}
		}
		add("Close during Write", func(e *env, c, _ anyConn) {
			e.whileBlocked(write(e, c), func() { e.see("Close")(c.Close()) })
		})
		add("deadline during Write", func(e *env, c, _ anyConn) {
			e.whileBlocked(write(e, c), func() { e.ok(c.SetWriteDeadline(time.Unix(1, 0))) })
		})
		add("peer's close during Write", func(e *env, c, peer anyConn) {
			if k.name == "tcp" {
				// With unread data the close is a reset.
				e.whileBlocked(write(e, c), func() { e.ok(peer.(tcpConn).SetLinger(0)); e.ok(peer.Close()) })
				return
			}
			if k.name == "unixgram" {
				socktest.NeedCloseWakes(e)
			}
			e.whileBlocked(write(e, c), func() { e.ok(peer.Close()) })
		})
	}
	runParity(t, rows)
}

func widen[T anyConn](a, b T) (anyConn, anyConn) { return a, b }

func TestParityListenerDuringTheCall(t *testing.T) {
	var rows []parityRow
	for _, network := range []string{"tcp", "unix", "unixpacket"} {
		add := func(name string, do func(e *env, l anyListener)) {
			rows = append(rows, parityRow{network + "/" + name, func(e *env) {
				addr := "127.0.0.1:0"
				if network != "tcp" {
					addr = e.path("listener")
				}
				l, err := e.listen(network, addr)
				e.ok(err)
				e.onExit(func() { l.Close() })
				do(e, l.(anyListener))
			}})
		}
		accept := func(e *env, l net.Listener) func(seeFunc) {
			return func(see seeFunc) { see("Accept")(l.Accept()) }
		}
		add("Close during Accept", func(e *env, l anyListener) {
			e.whileBlocked(accept(e, l), func() { e.see("Close")(l.Close()) })
		})
		add("deadline during Accept", func(e *env, l anyListener) {
			e.whileBlocked(accept(e, l), func() { e.see("SetDeadline")(l.SetDeadline(time.Unix(1, 0))) })
			e.ok(l.SetDeadline(time.Time{}))
			c, err := e.dial(network, l.Addr().String())
			e.ok(err)
			e.onExit(func() { c.Close() })
			e.see("Accept")(l.Accept())
		})
		add("client during Accept", func(e *env, l anyListener) {
			e.whileBlocked(accept(e, l), func() {
				c, err := e.dial(network, l.Addr().String())
				e.ok(err)
				e.onExit(func() { c.Close() })
			})
		})
		add("dial after Close", func(e *env, l anyListener) {
			e.ok(l.Close())
			e.see("Dial")(e.dial(network, l.Addr().String()))
			e.see("Addr")(l.Addr())
		})
		add("dial while a File is left", func(e *env, l anyListener) {
			f, err := l.File()
			e.ok(err)
			e.onExit(func() { f.Close() })
			e.ok(l.Close())
			e.see("Dial")(e.dial(network, l.Addr().String()))
		})
	}
	runParity(t, rows)
}

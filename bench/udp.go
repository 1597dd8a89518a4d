package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/iolib-go/sockets"
)

func init() {
	for _, size := range []int{64, 1200} {
		window := windowOf(size)
		workloads = append(workloads,
			workload{fmt.Sprintf("udp/bulk/size=%d", size), size, append(append([]impl{
				{"net", bulkNet(size, window)},
				{"x/net", bulkXNet(size, window, false)},
			}, segmentsByHand("net, offload", size, window, true)...), []impl{
				{"sockets", bulk(size, window, false, false, false)},
				{"sockets, offload", bulk(size, window, true, false, false)},
			}...)},
			workload{fmt.Sprintf("udp/connected/size=%d", size), size, []impl{
				{"x/net", bulkXNet(size, window, true)},
				{"sockets", bulk(size, window, false, true, false)},
			}},
			workload{fmt.Sprintf("udp/offload/size=%d", size), size, append(segmentsByHand("net, by hand", size, window, false),
				impl{"sockets, segments", segments(size, window)},
				impl{"sockets, batches", bulk(size, window, true, false, true)},
			)},
		)
	}
	for _, size := range []int{64, 1200} {
		workloads = append(workloads,
			workload{fmt.Sprintf("noise/udp/single/AddrPort/size=%d", size), size, []impl{
				{"net", singleAddrPort(size, listenNet)},
				{again, singleAddrPort(size, listenNet)},
			}},
			workload{fmt.Sprintf("udp/single/AddrPort/size=%d", size), size, []impl{
				{"net", singleAddrPort(size, listenNet)},
				{"sockets", singleAddrPort(size, listenSockets)},
			}},
			workload{fmt.Sprintf("udp/single/Addr/size=%d", size), size, []impl{
				{"net", singleAddr(size, listenNet)},
				{"sockets", singleAddr(size, listenSockets)},
			}},
			workload{fmt.Sprintf("udp/single/Msg/size=%d", size), size, []impl{
				{"net", singleMsg(size, listenNet)},
				{"sockets", singleMsg(size, listenSockets)},
			}},
			workload{fmt.Sprintf("udp/single/connected/size=%d", size), size, []impl{
				{"net", singleConnected(size, listenNet, dialNet)},
				{"sockets", singleConnected(size, listenSockets, dialSockets)},
			}},
		)
	}
	for _, peers := range []int{1, 64} {
		workloads = append(workloads, workload{fmt.Sprintf("udp/echo/size=64/peers=%d", peers), 0, []impl{
			{"net", echo(peers, serveNet)},
			{"x/net", echo(peers, serveXNet)},
			{"sockets", echo(peers, serveSockets(false))},
			{"sockets, offload", echo(peers, serveSockets(true))},
		}})
	}
}

// udpConn is what net.UDPConn and sockets.UDPConn have in common here.
type udpConn interface {
	net.Conn
	net.PacketConn
	ReadFromUDPAddrPort([]byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error)
	ReadMsgUDPAddrPort(b, oob []byte) (int, int, int, netip.AddrPort, error)
	WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (int, int, error)
	SetReadBuffer(int) error
}

var loopback = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}

func listenNet() (udpConn, error) { return net.ListenUDP("udp4", loopback) }

func listenSockets() (udpConn, error) { return sockets.ListenUDP("udp4", loopback) }

func dialNet(to net.Addr) (net.Conn, error) { return net.Dial("udp4", to.String()) }

func dialSockets(to net.Addr) (net.Conn, error) { return sockets.Dial("udp4", to.String()) }

func addrPort(c net.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// singleAddrPort sends a datagram from one socket to another and receives it, by
// the calls that allocate nothing.
func singleAddrPort(size int, listen func() (udpConn, error)) func() (func(int) (int, error), func(), error) {
	return single(listen, func(a, b udpConn) func() error {
		buf, to := make([]byte, size), addrPort(b)
		return func() error {
			if _, err := a.WriteToUDPAddrPort(buf, to); err != nil {
				return err
			}
			_, _, err := b.ReadFromUDPAddrPort(buf)
			return err
		}
	})
}

func singleMsg(size int, listen func() (udpConn, error)) func() (func(int) (int, error), func(), error) {
	return single(listen, func(a, b udpConn) func() error {
		buf, to := make([]byte, size), addrPort(b)
		return func() error {
			if _, _, err := a.WriteMsgUDPAddrPort(buf, nil, to); err != nil {
				return err
			}
			_, _, _, _, err := b.ReadMsgUDPAddrPort(buf, nil)
			return err
		}
	})
}

func singleAddr(size int, listen func() (udpConn, error)) func() (func(int) (int, error), func(), error) {
	return single(listen, func(a, b udpConn) func() error {
		buf, to := make([]byte, size), b.LocalAddr()
		return func() error {
			if _, err := a.WriteTo(buf, to); err != nil {
				return err
			}
			_, _, err := b.ReadFrom(buf)
			return err
		}
	})
}

func single(listen func() (udpConn, error), op func(a, b udpConn) func() error) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		a, err := listen()
		if err != nil {
			return nil, nil, err
		}
		b, err := listen()
		if err != nil {
			a.Close()
			return nil, nil, err
		}
		return repeat(op(a, b)), func() { a.Close(); b.Close() }, nil
	}
}

func singleConnected(size int, listen func() (udpConn, error), dial func(net.Addr) (net.Conn, error)) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		b, err := listen()
		if err != nil {
			return nil, nil, err
		}
		a, err := dial(b.LocalAddr())
		if err != nil {
			b.Close()
			return nil, nil, err
		}
		buf := make([]byte, size)
		return repeat(func() error {
			if _, err := a.Write(buf); err != nil {
				return err
			}
			_, err := b.Read(buf)
			return err
		}), func() { a.Close(); b.Close() }, nil
	}
}

// repeat makes a run of a single operation.
func repeat(op func() error) func(int) (int, error) {
	return func(n int) (int, error) {
		for range n {
			if err := op(); err != nil {
				return 0, err
			}
		}
		return n, nil
	}
}

// windowOf returns how many datagrams of bulk are under way: they must fit in the
// receive buffer that every system grants, and in one merged datagram.
func windowOf(size int) int { return min(64, 65000/size) }

// bulkNet sends a window of datagrams one by one, and receives them.
func bulkNet(size, window int) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		a, b, err := bulkPair(listenNet)
		if err != nil {
			return nil, nil, err
		}
		buf, to := make([]byte, size), addrPort(b)
		return windows(window, func() error {
			for range window {
				if _, err := a.WriteToUDPAddrPort(buf, to); err != nil {
					return err
				}
			}
			for range window {
				if _, _, err := b.ReadFromUDPAddrPort(buf); err != nil {
					return err
				}
			}
			return nil
		}), func() { a.Close(); b.Close() }, nil
	}
}

// bulkPair opens two sockets that notice lost datagrams by a timeout.
func bulkPair(listen func() (udpConn, error)) (a, b udpConn, err error) {
	if a, err = listen(); err != nil {
		return nil, nil, err
	}
	if b, err = listen(); err != nil {
		a.Close()
		return nil, nil, err
	}
	b.SetReadBuffer(4 << 20)
	b.SetReadDeadline(time.Now().Add(time.Hour))
	return a, b, nil
}

type batchConn interface {
	ReadBatch([]ipv4.Message, int) (int, error)
	WriteBatch([]ipv4.Message, int) (int, error)
}

func bulkXNet(size, window int, connected bool) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		a, b, err := bulkPair(listenNet)
		if err != nil {
			return nil, nil, err
		}
		to := b.LocalAddr()
		var from net.PacketConn = a
		if connected {
			a.Close()
			c, err := dialNet(to)
			if err != nil {
				b.Close()
				return nil, nil, err
			}
			from, to = c.(net.PacketConn), nil
		}
		return bulkBatch(ipv4.NewPacketConn(from), ipv4.NewPacketConn(b), to, messages(window, size), messages(window, 1500), size), func() { from.Close(); b.Close() }, nil
	}
}

// bulk sends a window of messages and receives as many. Each has a buffer of its own,
// which has room for more when it receives, or they are in a row: slices of one buffer
// that are as long as the datagrams.
func bulk(size, window int, offload, connected, row bool) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		a, b, err := bulkPair(listenBulk(offload))
		if err != nil {
			return nil, nil, err
		}
		to := b.LocalAddr()
		var from net.PacketConn = a
		if connected {
			a.Close()
			c, err := (&sockets.Dialer{Offload: offload}).Dial("udp4", to.String())
			if err != nil {
				b.Close()
				return nil, nil, err
			}
			from, to = c.(net.PacketConn), nil
		}
		out, in := messages(window, size), messages(window, 1500)
		if row {
			out, in = messagesInRow(window, size), messagesInRow(window, size)
		}
		return bulkBatch(from.(batchConn), b.(batchConn), to, out, in, size), func() { from.Close(); b.Close() }, nil
	}
}

func listenBulk(offload bool) func() (udpConn, error) {
	return func() (udpConn, error) {
		lc := sockets.ListenConfig{Offload: offload}
		c, err := lc.ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		return c.(udpConn), nil
	}
}

func bulkBatch(a, b batchConn, to net.Addr, out, in []ipv4.Message, size int) func(int) (int, error) {
	window := len(out)
	for i := range out {
		out[i].Addr = to
	}
	return windows(window, func() error {
		for ms := out; len(ms) > 0; {
			n, err := a.WriteBatch(ms, 0)
			if err != nil {
				return err
			}
			ms = ms[n:]
		}
		for left := window; left > 0; {
			n, err := b.ReadBatch(in[:left], 0)
			if err != nil {
				return err
			}
			for i := range in[:n] {
				if in[i].N != size {
					return errors.New("datagram of another length")
				}
			}
			left -= n
		}
		return nil
	})
}

// segments moves windows of datagrams that lie one after the other in one buffer.
func segments(size, window int) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		a, b, err := bulkPair(listenBulk(true))
		if err != nil {
			return nil, nil, err
		}
		from, to, addr := a.(*sockets.UDPConn), b.(*sockets.UDPConn), addrPort(b)
		out, in := make([]byte, size*window), make([]byte, 1<<16)
		return windows(window, func() error {
			if _, err := from.WriteSegments(out, size, addr); err != nil {
				return err
			}
			for left := window; left > 0; {
				n, each, _, err := to.ReadSegments(in)
				if err != nil {
					return err
				}
				for data := in[:n]; len(data) > 0; left-- {
					datagram := data[:min(each, len(data))]
					if data = data[len(datagram):]; len(datagram) != size {
						return errors.New("datagram of another length")
					}
				}
			}
			return nil
		}), func() { a.Close(); b.Close() }, nil
	}
}

// messages returns so many with a buffer each. Two buffers do not lie one behind the
// other in memory.
func messages(n, size int) []ipv4.Message {
	ms := make([]ipv4.Message, n)
	for i := range ms {
		ms[i].Buffers = [][]byte{make([]byte, size, size+64)}
	}
	return ms
}

func messagesInRow(n, size int) []ipv4.Message {
	ms := make([]ipv4.Message, n)
	all := make([]byte, n*size)
	for i := range ms {
		ms[i].Buffers = [][]byte{all[i*size:][:size]}
	}
	return ms
}

func windows(window int, op func() error) func(int) (int, error) {
	return func(n int) (int, error) {
		done := 0
		for ; done < n; done += window {
			if err := op(); err != nil {
				return 0, err
			}
		}
		return done, nil
	}
}

// echo measures a server as a DNS server is one: an operation is a question from
// one of many peers and its answer. The peers are the same for all servers.
func echo(peers int, serve func() (net.Addr, func(), error)) func() (func(int) (int, error), func(), error) {
	return func() (func(int) (int, error), func(), error) {
		addr, stopServer, err := serve()
		if err != nil {
			return nil, nil, err
		}
		var conns []net.Conn
		stop := func() {
			stopServer()
			for _, c := range conns {
				c.Close()
			}
		}
		for range peers {
			c, err := net.Dial("udp4", addr.String())
			if err != nil {
				stop()
				return nil, nil, err
			}
			conns = append(conns, c)
		}
		buf := make([]byte, 64)
		const each = 8 // questions of a peer under way
		return func(n int) (int, error) {
			done := 0
			for ; done < n; done += each * len(conns) {
				for range each {
					for _, c := range conns {
						if _, err := c.Write(buf); err != nil {
							return 0, err
						}
					}
				}
				for _, c := range conns {
					for range each {
						if _, err := c.Read(buf); err != nil {
							return 0, err
						}
					}
				}
			}
			return done, nil
		}, stop, nil
	}
}

func serveNet() (net.Addr, func(), error) {
	c, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		return nil, nil, err
	}
	c.SetReadBuffer(4 << 20)
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			c.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	return c.LocalAddr(), func() { c.Close() }, nil
}

func serveXNet() (net.Addr, func(), error) {
	c, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		return nil, nil, err
	}
	c.SetReadBuffer(4 << 20)
	go serveBatch(ipv4.NewPacketConn(c))
	return c.LocalAddr(), func() { c.Close() }, nil
}

func serveSockets(offload bool) func() (net.Addr, func(), error) {
	return func() (net.Addr, func(), error) {
		lc := sockets.ListenConfig{Offload: offload}
		c, err := lc.ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		u := c.(*sockets.UDPConn)
		u.SetReadBuffer(4 << 20)
		go serveBatch(u)
		return c.LocalAddr(), func() { c.Close() }, nil
	}
}

// serveBatch sends back what it receives until the conn is closed.
func serveBatch(c batchConn) {
	const size = 1500
	ms := messages(64, size)
	for {
		n, err := c.ReadBatch(ms, 0)
		if err != nil {
			return
		}
		for i := range ms[:n] {
			ms[i].Buffers[0] = ms[i].Buffers[0][:ms[i].N]
		}
		for out := ms[:n]; len(out) > 0; {
			k, err := c.WriteBatch(out, 0)
			if err != nil {
				return
			}
			out = out[k:]
		}
		for i := range ms[:n] {
			ms[i].Buffers[0] = ms[i].Buffers[0][:size]
		}
	}
}

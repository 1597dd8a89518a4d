//go:build linux

package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// A datagram is on its way to a port.
type datagram struct {
	data []byte
	from netip.AddrPort
}

// A port receives datagrams, which the kernel may merge.
type port struct {
	c     *sockets.UDPConn
	queue []datagram
	info  bool // the control data have packet information
}

// A burst sends datagrams in rows of one system call.
type burst struct {
	c    *net.UDPConn
	from netip.AddrPort
	sent byte
}

// most is how much is in a port's queue at most: it never overflows.
const (
	mostBytes     = 64 << 10
	mostDatagrams = 100
)

// newPort returns a port and who sends to it, by turns.
func newPort(s *script) (*port, []*burst, error) {
	network := of(s, "udp4", "udp6", "udp")
	s.note("%s", network)
	address := "127.0.0.1:0"
	switch network {
	case "udp6":
		address = "[::1]:0"
	case "udp":
		address = ":0"
	}
	c, err := sockets.ListenPacket(network, address)
	if err != nil && network != "udp4" {
		c, err = sockets.ListenPacket("udp4", "127.0.0.1:0") // there is no IPv6
		network = "udp4"
	}
	if err != nil {
		return nil, nil, err
	}
	p := &port{c: c.(*sockets.UDPConn)}
	s.later(func() { p.c.Close() })
	p.c.SetReadBuffer(8 << 20)
	to := p.c.LocalAddr().(*net.UDPAddr)
	var senders []*burst
	for i := range 2 {
		ip := net.IPv4(127, 0, 0, 1)
		if network == "udp6" || network == "udp" && i == 1 {
			ip = net.IPv6loopback
		}
		c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: ip, Port: to.Port})
		if err != nil && network == "udp" {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		s.later(func() { c.Close() })
		from := c.LocalAddr().(*net.UDPAddr).AddrPort()
		senders = append(senders, &burst{c: c, from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())})
	}
	return p, senders, nil
}

// send sends as many datagrams of a size as the kernel takes at once.
func (b *burst) send(s *script, p *port) error {
	size := of(s, 1, 100, 2, 0, 1000, 1400, 9000, 40_000)
	n := size*s.pick(20) + s.pick(min(size, 200)+1)
	if size == 0 {
		n = of(s, 0, 1, 50, 60_000)
	}
	queued := 0
	for _, d := range p.queue {
		queued += len(d.data)
	}
	count := 1
	if size > 0 {
		count = n/size + 1
	}
	if queued+n > mostBytes || len(p.queue)+count > mostDatagrams {
		return nil
	}
	data := make([]byte, n)
	for i := range data {
		b.sent++
		data[i] = b.sent
	}
	var oob []byte
	if size > 0 {
		oob = sys.AppendSegmentSize(nil, size)
	}
	raw, err := b.c.SyscallConn()
	if err != nil {
		return err
	}
	err = errors.Join(raw.Write(func(fd uintptr) bool {
		err = unix.Sendmsg(int(fd), data, oob, nil, 0)
		return err != unix.EAGAIN
	}), err)
	s.note("from %v: %d bytes in parts of %d: %v", b.from, n, size, err)
	if err != nil {
		return nil // too many, or too long
	}
	if size == 0 || n <= size {
		p.queue = append(p.queue, datagram{data, b.from})
		return nil
	}
	for ; len(data) > 0; data = data[min(size, len(data)):] {
		p.queue = append(p.queue, datagram{data[:min(size, len(data))], b.from})
	}
	return nil
}

// take removes the first datagram, of which b came in a buffer of the given size. The
// address and whether it was cut are known, or not.
func (p *port) take(b []byte, room int, from netip.AddrPort, cut, cutKnown bool) error {
	if len(p.queue) == 0 {
		return fmt.Errorf("%d bytes came, and none were sent", len(b))
	}
	d := p.queue[0]
	p.queue = p.queue[1:]
	return d.check(b, room, from, cut, cutKnown)
}

func (d datagram) check(b []byte, room int, from netip.AddrPort, cut, cutKnown bool) error {
	switch {
	case len(b) != min(room, len(d.data)) || !bytes.Equal(b, d.data[:len(b)]):
		return fmt.Errorf("%d bytes came of a datagram of %d, or others: %.20x, want %.20x", len(b), len(d.data), b, d.data)
	case from.IsValid() && netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != d.from:
		return fmt.Errorf("a datagram came from %v, want %v", from, d.from)
	case cutKnown && cut != (len(d.data) > room):
		return fmt.Errorf("a datagram of %d bytes in %d: truncated %t", len(d.data), room, cut)
	}
	return nil
}

// control compares control data with what was asked for.
func (p *port) control(oob []byte, room, flags int) error {
	info, err := sockets.ParsePacketInfo(oob)
	cut := flags&unix.MSG_CTRUNC != 0
	switch {
	case err != nil && !cut:
		return err
	case !p.info && (cut || len(oob) > 0):
		return fmt.Errorf("%d bytes of control data came, flags %#x", len(oob), flags)
	case p.info && room >= sockets.PacketInfoLen && (cut || !info.Local.IsLoopback() || info.Interface <= 0):
		return fmt.Errorf("packet information is %+v, flags %#x", info, flags)
	case p.info && room == 0 && !cut:
		return errors.New("control data were cut, and no flag says so")
	}
	return nil
}

// receive calls a method, and compares what it returns with what was sent.
func (p *port) receive(s *script) error {
	how := of(s, "ReadBatch", "ReadSegments", "Read", "ReadFrom", "ReadFromUDPAddrPort", "ReadMsgUDPAddrPort", "peek", "without waiting", "ReadBatch", "ReadSegments")
	b := make([]byte, of(s, 1400, 65535, 100, 1, 99, 3000, 0, 10_000))
	empty := len(p.queue) == 0
	p.c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if empty {
		p.c.SetReadDeadline(time.Now())
	}
	s.note("%s of %d", how, len(b))
	var (
		n        int
		from     netip.AddrPort
		err      error
		cut      bool
		cutKnown bool
	)
	switch how {
	case "ReadBatch":
		return p.receiveBatch(s, b)
	case "ReadSegments":
		return p.receiveSegments(s, b)
	case "Read":
		if len(b) == 0 {
			return nil // that receives nothing
		}
		n, err = p.c.Read(b)
	case "ReadFrom":
		var addr net.Addr
		if n, addr, err = p.c.ReadFrom(b); err == nil {
			from = addr.(*net.UDPAddr).AddrPort()
		}
	case "ReadFromUDPAddrPort":
		n, from, err = p.c.ReadFromUDPAddrPort(b)
	case "ReadMsgUDPAddrPort":
		oob := make([]byte, of(s, sockets.PacketInfoLen, 0, 20))
		var oobn, flags int
		n, oobn, flags, from, err = p.c.ReadMsgUDPAddrPort(b, oob)
		cut, cutKnown = flags&unix.MSG_TRUNC != 0, true
		if err == nil {
			if err := p.control(oob[:oobn], len(oob), flags); err != nil {
				return err
			}
		}
	default:
		flags := sockets.MsgPeek
		if how == "without waiting" {
			flags = sockets.MsgDontWait
		}
		n, from, err = p.c.ReceiveFromAddrPort(b, flags)
		if cut, cutKnown = errors.Is(err, io.ErrShortBuffer), true; cut {
			err = nil
		}
		if errors.Is(err, unix.EAGAIN) && flags == sockets.MsgDontWait {
			return nil // it may be under way
		}
	}
	switch {
	case empty && errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return err
	case how == "peek" && !empty:
		return p.queue[0].check(b[:n], len(b), from, cut, cutKnown)
	}
	return p.take(b[:n], len(b), from, cut, cutKnown)
}

// receiveBatch receives several datagrams.
func (p *port) receiveBatch(s *script, b []byte) error {
	ms := make([]sockets.Message, of(s, 1, 2, 3, 7, 20, 70))
	for i := range ms {
		b := make([]byte, min(len(b), 1+s.pick(2)*len(b)))
		ms[i].Buffers = [][]byte{b}
		if s.pick(4) == 3 {
			ms[i].Buffers = [][]byte{b[:len(b)/2], nil, b[len(b)/2:]}
		}
		ms[i].OOB = make([]byte, of(s, 0, sockets.PacketInfoLen, 20))
	}
	flags := of(s, 0, 0, unix.MSG_DONTWAIT, unix.MSG_PEEK)
	empty := len(p.queue) == 0
	n, err := p.c.ReadBatch(ms, flags)
	s.note("a batch of %d, flags %#x: %d %v", len(ms), flags, n, err)
	switch {
	case empty && errors.Is(err, os.ErrDeadlineExceeded), flags == unix.MSG_DONTWAIT && errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return err
	}
	for i := range ms[:n] {
		m := &ms[i]
		room := 0
		for _, b := range m.Buffers {
			room += len(b)
		}
		got := bytes.Join(m.Buffers, nil)[:m.N]
		from, cut := m.Addr.(*net.UDPAddr).AddrPort(), m.Flags&unix.MSG_TRUNC != 0
		if flags&unix.MSG_PEEK == 0 {
			err = p.take(got, room, from, cut, true)
		} else if err = p.queue[0].check(got, room, from, cut, true); err != nil && i < len(p.queue) {
			err = p.queue[i].check(got, room, from, cut, true) // of a merged one, not the first again
		}
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if err := p.control(m.OOB[:m.NN], len(m.OOB), m.Flags); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

// receiveSegments receives datagrams that are merged.
func (p *port) receiveSegments(s *script, b []byte) error {
	oob := make([]byte, of(s, sockets.PacketInfoLen, 0, 20))
	empty := len(p.queue) == 0
	n, oobn, flags, size, from, err := p.c.ReadMsgSegments(b, oob)
	s.note("segments: %d of %d, flags %#x, %v", n, size, flags, err)
	cut := flags&unix.MSG_TRUNC != 0
	switch {
	case empty && errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil && !errors.Is(err, io.ErrShortBuffer):
		return err
	}
	if err := p.control(oob[:oobn], len(oob), flags); err != nil {
		return err
	}
	if n <= size {
		return p.take(b[:n], len(b), from, cut, true)
	}
	for got := b[:n]; len(got) > 0; got = got[min(size, len(got)):] {
		if err := p.take(got[:min(size, len(got))], len(b), from, cut, true); err != nil {
			return err
		}
	}
	return nil
}

// playDatagrams receives, by all methods, what senders send in one system call or
// several: each datagram comes once, in order, from its sender, and with its own length.
func playDatagrams(s *script) error {
	// One processor keeps them in order.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var had, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &had); err != nil {
		return err
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if had.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	defer unix.SchedSetaffinity(0, &had)

	p, senders, err := newPort(s)
	if err != nil {
		return err
	}
	if s.pick(4) > 0 {
		s.note("offload: %v", p.c.SetOffload(true))
	}
	for len(s.data) > 0 && err == nil {
		switch of(s, "send", "send", "receive", "receive", "receive", "offload", "info") {
		case "send":
			err = of(s, senders...).send(s, p)
		case "receive":
			err = p.receive(s)
		case "offload":
			on := s.pick(2) == 0
			s.note("offload %t: %v", on, p.c.SetOffload(on))
		case "info":
			on := s.pick(2) == 0
			if p.info != on && len(p.queue) == 0 {
				s.note("packet information %t", on)
				p.info = on
				err = sockopt.ReceivePacketInfo.Set(p.c, on)
				if p.c.LocalAddr().(*net.UDPAddr).IP.To4() == nil {
					err = sockopt.ReceivePacketInfo6.Set(p.c, on)
				}
			}
		}
	}
	for len(p.queue) > 0 && err == nil {
		err = p.receive(s)
	}
	if err != nil {
		return err
	}
	return p.closeWhileReceiving()
}

// closeWhileReceiving closes the socket while a batch is received.
func (p *port) closeWhileReceiving() error {
	p.c.SetReadDeadline(time.Time{})
	done := make(chan error, 1)
	go func() {
		_, err := p.c.ReadBatch([]sockets.Message{{Buffers: [][]byte{make([]byte, 1)}}}, 0)
		done <- err
	}()
	runtime.Gosched()
	p.c.Close()
	select {
	case err := <-done:
		if !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("ReadBatch of a closed connection: %w", err)
		}
	case <-time.After(30 * time.Second):
		return errors.New("ReadBatch goes on after Close")
	}
	return nil
}

func TestDatagrams(t *testing.T) {
	needDatagrams(t)
	play(playDatagrams).random(t)
}

func FuzzDatagrams(f *testing.F) {
	needDatagrams(f)
	play(playDatagrams).fuzz(f)
}

func needDatagrams(tb testing.TB) {
	tb.Helper()
	socktest.NeedSizes(tb)
	socktest.NeedPacketInfo(tb)
	socktest.NeedCutControl(tb)
}

//go:build linux

package conntest

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/sockopt"
	"golang.org/x/sys/unix"
)

// ConnectUDP returns a UDP socket connected to the address to.
func ConnectUDP(t testing.TB, d *sockets.Dialer, network string, to net.Addr) *sockets.UDPConn {
	t.Helper()
	if a := to.(*net.UDPAddr); a.IP.To4() == nil {
		socktest.NeedIPv6(t)
	}
	if d.Offload {
		socktest.NeedSizes(t)
	}
	c, err := d.DialContext(t.Context(), network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*sockets.UDPConn)
}

// ToLoopback replaces the wildcard of a dual-stack socket by IPv4's loopback.
func ToLoopback(addr net.Addr) *net.UDPAddr {
	a := *addr.(*net.UDPAddr)
	if a.IP.IsUnspecified() {
		a.IP = net.IPv4(127, 0, 0, 1)
	}
	return &a
}

// WaitBlocked waits until a goroutine that reads from c has found nothing.
func WaitBlocked(t testing.TB, c *sockets.UDPConn) {
	t.Helper()
	// It holds the lock for reading while it waits, so that another reader of the
	// descriptor cannot get in.
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		in := make(chan struct{})
		go func() {
			rc.Read(func(uintptr) bool { return true })
			close(in)
		}()
		select {
		case <-in:
		case <-time.After(5 * time.Millisecond):
			return
		}
	}
	t.Fatal("no goroutine reads")
}

// Offloading returns a socket on loopback with offload, and skips the test if the
// system has none.
func Offloading(t testing.TB, network string) *sockets.UDPConn {
	t.Helper()
	c := OpenUDP(t, network)
	if err := c.SetOffload(true); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no segmentation offload here: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	socktest.NeedSizes(t)
	LimitTime(t, c)
	return c
}

// RawReceive returns what the kernel has for c: one datagram that may stand for
// several, and their size.
func RawReceive(t testing.TB, c *sockets.UDPConn) (n, size int) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	b, oob := make([]byte, 1<<16), make([]byte, 512)
	err = rc.Read(func(fd uintptr) bool {
		var oobn int
		n, oobn, _, _, err = syscall.Recvmsg(int(fd), b, oob, 0)
		oob = oob[:max(oobn, 0)]
		return err != syscall.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
	cmsgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range cmsgs {
		if m.Header.Level == syscall.IPPROTO_UDP {
			size = int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return n, size
}

// SetOptions sets options for what control data tell, and skips the test where
// they are missing.
func SetOptions(t testing.TB, c syscall.Conn, options ...sockopt.Option[bool]) {
	t.Helper()
	for _, o := range options {
		if err := o.Set(c, true); errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// ReadInfo receives a datagram and what its control data tell.
func ReadInfo(t testing.TB, c *sockets.UDPConn) (sockets.PacketInfo, *net.UDPAddr) {
	t.Helper()
	oob := make([]byte, sockets.PacketInfoLen)
	_, oobn, _, from, err := c.ReadMsgUDP(make([]byte, 100), oob)
	if err != nil {
		t.Fatal(err)
	}
	p, err := sockets.ParsePacketInfo(oob[:oobn])
	if err != nil {
		t.Fatal(err)
	}
	return p, from
}

// SentJoined sends three datagrams to b and reports whether they went out as one.
func SentJoined(t *testing.T, a, b *sockets.UDPConn, size int) bool {
	t.Helper()
	SendBatch(t, a, Numbered(b.LocalAddr(), EqualSizes(3, size)...))
	n, segment := RawReceive(t, b)
	switch {
	case n == size && segment == 0:
		RawReceive(t, b)
		RawReceive(t, b)
		return false
	case n == 3*size && segment == size:
		return true
	}
	t.Fatalf("sent %d bytes in parts of %d", n, segment)
	return false
}

// Refused connects sockets to addresses that are gone, until send, which returns how much
// of all it has sent, is told of the refusal on the way: the kernel may put it off until
// all is sent. It returns the socket, and what send returned.
func Refused(t testing.TB, d *sockets.Dialer, all int, send func(c *sockets.UDPConn) (int, error)) (c *sockets.UDPConn, n int, err error) {
	t.Helper()
	for range 100 {
		gone := OpenUDP(t, "udp4")
		c = ConnectUDP(t, d, "udp4", gone.LocalAddr())
		LimitTime(t, c)
		gone.Close()
		if n, err = send(c); n != all || err != nil {
			return c, n, err
		}
	}
	t.Fatal("nothing is refused in time")
	return nil, 0, nil
}

// WaitError waits until the kernel has an error or a report to tell of c: it may come
// some time after the call that it is about.
func WaitError(t testing.TB, c syscall.Conn) {
	t.Helper()
	rc, err := c.SyscallConn()
	socktest.Check(t, err)
	socktest.Check(t, rc.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd)}} // POLLERR needs not be asked for
		if !socktest.WaitUntil(func() bool {
			n, err := unix.Poll(poll, 100)
			return n == 1 && err == nil
		}) {
			t.Error("the kernel has nothing to report")
		}
	}))
}

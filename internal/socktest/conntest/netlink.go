//go:build linux

package conntest

import (
	"encoding/binary"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
)

// RouteSocket returns a socket for rtnetlink(7).
func RouteSocket(t *testing.T) *sockets.PacketConn {
	t.Helper()
	socktest.NeedNetlink(t)
	s, err := sockets.NewRaw(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	socktest.Check(t, err)
	defer s.Close()
	c, err := s.PacketConn()
	socktest.Check(t, err)
	socktest.CloseLater(t, c)
	socktest.Check(t, c.SetDeadline(time.Now().Add(2*time.Minute)))
	return c.(*sockets.PacketConn)
}

// NetlinkRequest sends a message of the given type to the kernel.
func NetlinkRequest(t *testing.T, c *sockets.PacketConn, typ uint16, flags int, message []byte) {
	t.Helper()
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(message))
	binary.NativeEndian.PutUint32(b, uint32(cap(b)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], uint16(unix.NLM_F_REQUEST|flags))
	binary.NativeEndian.PutUint32(b[8:], 1) // sequence
	_, err := c.SendTo(append(b, message...), &sockets.NetlinkAddr{}, 0)
	socktest.Check(t, err)
}

// Replies calls f with the messages up to the one that ends the answer, and returns
// the error in that.
func Replies(t *testing.T, c *sockets.PacketConn, f func(syscall.NetlinkMessage)) error {
	t.Helper()
	b := make([]byte, 1<<16)
	for {
		n, from, err := c.ReceiveFrom(b, 0)
		socktest.Check(t, err)
		if a, ok := from.(*sockets.NetlinkAddr); !ok || a.PortID != 0 {
			t.Fatalf("answer from %v, want the kernel", from)
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		socktest.Check(t, err)
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
					return syscall.Errno(errno)
				}
				return nil
			}
			f(m)
		}
	}
}

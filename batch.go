package sockets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/net/ipv4"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Message is one message of ReadBatch and WriteBatch. It is the type that packages
// golang.org/x/net/ipv4 and ipv6 share.
//
// Buffers hold the data, one after the other. OOB is the control data or, when
// receiving, the buffer for it. Addr is the destination, nil on a connected socket, or
// the sender. N and NN are set to the number of bytes in Buffers and OOB, and Flags to
// the flags of recvmsg(2), which include MSG_TRUNC if the data was longer than Buffers.
type Message = ipv4.Message

// ReadBatch receives datagrams into ms and returns how many it received. It waits until
// there is one, and does not wait for more.
//
// flags are those of recvmsg(2), as numbers of the running system that are passed to
// the kernel: 0, or int(MsgPeek) for example. With int(MsgDontWait) ReadBatch does not
// wait, and the error matches [ErrWouldBlock] if there is no datagram.
//
// If Addr already holds the sender's address it is kept; otherwise a new one is stored.
// Datagrams that the kernel has merged, see [UDPConn.SetOffload], share one Addr, which
// the first of them may have held. Addresses are never modified, so callers may retain
// them, and must not modify them either. Reusing ms avoids allocations.
//
// An error after the first datagram is returned by the next call. ReadBatch obeys the
// read deadline and is safe for concurrent use; each datagram goes to one caller.
func (c *UDPConn) ReadBatch(ms []Message, flags int) (int, error) {
	return readBatch(&c.conn, ms, flags, senderUDPAddr)
}

// WriteBatch sends the datagrams ms in order and returns how many it sent. It waits
// while the send buffer is full. flags are those of sendmsg(2), as numbers of the
// running system: 0, or int(MsgConfirm) for example.
//
// If a datagram fails, WriteBatch returns how many were sent before it, with a nil
// error unless that is 0; call it again with ms[n:] to get the error. To send nothing
// twice, continue with ms[n:], and skip ms[0] only when there is an error.
//
// On a connected socket, a call may also report, once and instead of sending, that the
// peer refused an earlier datagram. If WriteBatch encounters this after the first
// message, the next call that sends reports it. If the kernel encounters it within a
// batch, it continues and reports only the next refusal, see sendmmsg(2): a single
// refusal may remain unnoticed, but not a peer that refuses every datagram.
func (c *UDPConn) WriteBatch(ms []Message, flags int) (int, error) {
	return writeBatch(&c.conn, ms, flags, encodeUDPAddr)
}

// ReadBatch is like [UDPConn.ReadBatch]. IPv4 packets include their header.
func (c *IPConn) ReadBatch(ms []Message, flags int) (int, error) {
	return readBatch(&c.conn, ms, flags, senderIPAddr)
}

// WriteBatch is like [UDPConn.WriteBatch]. The kernel adds the IP header.
func (c *IPConn) WriteBatch(ms []Message, flags int) (int, error) {
	return writeBatch(&c.conn, ms, flags, encodeIPAddr)
}

// ReadBatch is like [UDPConn.ReadBatch]. The Addr of a sender without a name is nil,
// and received descriptors are close-on-exec.
//
// On a "unixpacket" connection it receives one message. The end of the connection, and
// a message with neither data nor control data, is [io.EOF] in a [*net.OpError]. On a
// "unix" stream, which has no messages, it returns [errors.ErrUnsupported].
func (c *UnixConn) ReadBatch(ms []Message, flags int) (int, error) {
	if !c.ok() || len(ms) == 0 || c.fd.Type == sys.SOCK_DGRAM {
		return readBatch(&c.conn, ms, flags|sys.MSG_CMSG_CLOEXEC, senderUnixAddr)
	}
	if c.fd.Type == sys.SOCK_STREAM {
		return 0, opError(c.fd, "read", errors.ErrUnsupported)
	}
	// A row of messages would not tell whether one is empty or the end. One with
	// control data is not the end: descriptors in it must not get lost.
	n, err := readBatch(&c.conn, ms[:1], flags|sys.MSG_CMSG_CLOEXEC, senderUnixAddr)
	if err == nil && ms[0].N == 0 && ms[0].NN == 0 && ms[0].Flags&(sys.MSG_TRUNC|sys.MSG_CTRUNC) == 0 {
		return 0, readError(c.fd, io.EOF)
	}
	return n, err
}

// WriteBatch is like [UDPConn.WriteBatch]. On a "unix" stream, which has no messages,
// it returns [errors.ErrUnsupported].
func (c *UnixConn) WriteBatch(ms []Message, flags int) (int, error) {
	if c.ok() && len(ms) > 0 && c.fd.Type == sys.SOCK_STREAM {
		return 0, opErrorTo(c.fd, plain(ms[0].Addr), errors.ErrUnsupported)
	}
	return writeBatch(&c.conn, ms, flags, encodeUnixAddr)
}

// ReadBatch is like [UDPConn.ReadBatch].
func (c *PacketConn) ReadBatch(ms []Message, flags int) (int, error) {
	return readBatch(&c.conn, ms, flags, func(fd *netfd.FD, sa *sys.Sockaddr, _ *Message) net.Addr {
		return decodeAddr(fd, sa)
	})
}

// WriteBatch is like [UDPConn.WriteBatch].
func (c *PacketConn) WriteBatch(ms []Message, flags int) (int, error) {
	return writeBatch(&c.conn, ms, flags, func(sa *sys.Sockaddr, fd *netfd.FD, addr net.Addr) error {
		if addr = plain(addr); addr == nil {
			return nil
		}
		return netfd.CallError("sendmmsg", encodePeerFor(sa, fd, addr))
	})
}

func readBatch(c *conn, ms []Message, flags int, decode netfd.DecodeFunc) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	if len(ms) == 0 {
		return 0, nil
	}
	if err := checkBatchFlags(flags); err != nil {
		return 0, opError(c.fd, "read", err)
	}
	b := netfd.GetBatch(c.fd, ms, flags)
	n, err := b.Recv(decode)
	b.Free()
	return n, readError(c.fd, err)
}

func writeBatch(c *conn, ms []Message, flags int, encode netfd.EncodeFunc) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	if len(ms) == 0 {
		return 0, nil
	}
	if err := checkBatchFlags(flags); err != nil {
		return 0, opErrorTo(c.fd, plain(ms[0].Addr), err)
	}
	b := netfd.GetBatch(c.fd, ms, flags)
	n, err := b.Send(encode)
	b.Free()
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, opErrorTo(c.fd, plain(ms[0].Addr), err)
}

// checkBatchFlags refuses flags of which the kernel would take a part.
func checkBatchFlags(flags int) error {
	if flags != int(int32(flags)) {
		return &ArgumentError{Arg: "flags", Value: fmt.Sprintf("%#x", flags), Why: "does not fit in 32 bits"}
	}
	return nil
}

func encodeUDPAddr(sa *sys.Sockaddr, fd *netfd.FD, addr net.Addr) error {
	a, ok := addr.(*net.UDPAddr)
	switch {
	case addr == nil || ok && a == nil:
		return nil
	case !ok:
		return unexpectedAddr(fd, addr)
	}
	return netfd.CallError("sendmmsg", encodeIP(sa, fd.Family, a.IP, a.Port, a.Zone))
}

func encodeIPAddr(sa *sys.Sockaddr, fd *netfd.FD, addr net.Addr) error {
	a, ok := addr.(*net.IPAddr)
	switch {
	case addr == nil || ok && a == nil:
		return nil
	case !ok:
		return unexpectedAddr(fd, addr)
	}
	return netfd.CallError("sendmmsg", encodeIP(sa, fd.Family, a.IP, 0, a.Zone))
}

func encodeUnixAddr(sa *sys.Sockaddr, fd *netfd.FD, addr net.Addr) error {
	a, ok := addr.(*net.UnixAddr)
	switch {
	case addr == nil || ok && a == nil:
		return nil
	case !ok:
		return unexpectedAddr(fd, addr)
	case a.Net != unixNet(fd.Type):
		return errOtherUnixNet
	}
	return netfd.CallError("sendmmsg", encodePeer(sa, sys.AF_UNIX, a))
}

// isIPAddr reports whether sa holds this address and port, so that an address that
// a message has already can stay. It is never changed: libraries keep addresses of
// earlier batches without a copy.
func isIPAddr(sa *sys.Sockaddr, ip net.IP, port int, zone string) bool {
	switch sa.Family() {
	case sys.AF_INET:
		from, p := sa.Inet4()
		return len(ip) == len(from) && [4]byte(ip) == from && port == int(p) && zone == ""
	case sys.AF_INET6:
		from, p, scope := sa.Inet6()
		return len(ip) == len(from) && [16]byte(ip) == from && port == int(p) && zone == zoneName(scope)
	}
	return false
}

func senderUDPAddr(_ *netfd.FD, sa *sys.Sockaddr, m *Message) net.Addr {
	if a, ok := m.Addr.(*net.UDPAddr); ok && a != nil && isIPAddr(sa, a.IP, a.Port, a.Zone) {
		return a
	}
	if a := newUDPAddr(sa); a != nil {
		return a
	}
	return nil
}

func senderIPAddr(_ *netfd.FD, sa *sys.Sockaddr, m *Message) net.Addr {
	// The port of a raw socket's sender is its protocol, or nothing.
	if a, ok := m.Addr.(*net.IPAddr); ok && a != nil && isIPAddr(sa, a.IP, int(sa.Port()), a.Zone) {
		return a
	}
	if a := decodeIPAddr(sa); a != nil {
		return a
	}
	return nil
}

func senderUnixAddr(fd *netfd.FD, sa *sys.Sockaddr, m *Message) net.Addr {
	if a, ok := m.Addr.(*net.UnixAddr); ok && a != nil && a.Net == unixNet(fd.Type) {
		var same sys.Sockaddr
		if same.SetUnixPeer(a.Name) == 0 && a.Name != "" && bytes.Equal(same.Bytes(), sa.Bytes()) {
			return a
		}
	}
	if a := decodeUnixAddr(sa, fd.Type); a != nil {
		return a
	}
	return nil
}

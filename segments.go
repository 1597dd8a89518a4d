package sockets

import (
	"io"
	"net/netip"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// WriteSegments sends b to addr in datagrams of size bytes each, of which the last may
// be shorter. The zero AddrPort means the peer of a connected socket. An empty b
// is one empty datagram.
//
// The kernel gets many datagrams at once and cuts them up, see UDP_SEGMENT in udp(7),
// whether SetOffload was called or not. Where the system lacks that, or refuses it for
// this size or this peer, they are sent singly.
//
// It returns how much of b was sent. If an error cut that short, the datagrams before
// b[n:] were sent and the one that begins there was not. It allocates nothing, obeys the
// write deadline, and is safe for concurrent use; the datagrams of one call may come
// between those of another.
func (c *UDPConn) WriteSegments(b []byte, size int, addr netip.AddrPort) (n int, err error) {
	return c.WriteMsgSegments(b, nil, size, addr)
}

// WriteMsgSegments is WriteSegments for datagrams that have the control data oob each.
func (c *UDPConn) WriteMsgSegments(b, oob []byte, size int, addr netip.AddrPort) (n int, err error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	switch {
	case size <= 0:
		err = &ArgumentError{Arg: "size", Value: size, Why: "a datagram of a segmented write has at least 1 byte"}
	case addr.IsValid() || !c.fd.Connected():
		err = c.setNameAddrPort(&to, "sendmsg", addr)
	}
	if err == nil {
		n, err = c.fd.SendSegments(b, oob, size, &to)
	}
	if err != nil {
		return n, opErrorTo(c.fd, addrPortUDPAddr{addr}, err)
	}
	return n, nil
}

// ReadSegments receives one datagram into b, or several that came from addr in a row and
// that the kernel has merged. b[:n] holds datagrams of size bytes each, of which the last
// may be shorter.
//
// The kernel merges only after SetOffload. Without, and where the system lacks that,
// there is one datagram, and size is n.
//
// A b of 65535 bytes has room for whatever is merged. If b is shorter, what does not fit
// is received next, and if it is too short for a single datagram the call fails with an
// error that matches io.ErrShortBuffer: b is full and addr is valid, but the rest of the
// datagram is lost. It allocates nothing, obeys the read deadline, and is safe for
// concurrent use.
func (c *UDPConn) ReadSegments(b []byte) (n, size int, addr netip.AddrPort, err error) {
	n, _, flags, size, addr, err := c.ReadMsgSegments(b, nil)
	if err == nil && flags&sys.MSG_TRUNC != 0 {
		err = opError(c.fd, "read", io.ErrShortBuffer)
	}
	return n, size, addr, err
}

// ReadMsgSegments is ReadSegments with control data, which are stored in oob and which
// the merged datagrams have in common. flags are those of recvmsg(2): a datagram that is
// too long for b is no error, but has MSG_TRUNC there.
func (c *UDPConn) ReadMsgSegments(b, oob []byte) (n, oobn, flags, size int, addr netip.AddrPort, err error) {
	if !c.ok() {
		return 0, 0, 0, 0, netip.AddrPort{}, syscall.EINVAL
	}
	var from sys.Sockaddr
	n, oobn, flags, size, err = c.fd.RecvSegments(b, oob, &from)
	if err != nil {
		return 0, 0, 0, 0, netip.AddrPort{}, readError(c.fd, err)
	}
	return n, oobn, flags, size, decodeAddrPort(&from), nil
}

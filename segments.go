package sockets

import (
	"io"
	"net/netip"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// WriteSegments sends b to addr in datagrams of size bytes each; the last may be
// shorter. The zero addr means the peer of a connected socket. An empty b is sent as
// one empty datagram.
//
// The kernel gets many datagrams at once and splits them, see UDP_SEGMENT in udp(7),
// whether [UDPConn.SetOffload] is on or not. Where the system lacks this, or refuses it
// for this size or this peer, the datagrams are sent one by one.
//
// WriteSegments returns how much of b was sent. If it returns an error, the datagrams
// before b[n:] were sent, and the one that begins there was not. It does not allocate.
// It obeys the write deadline and is safe for concurrent use; the datagrams of
// concurrent calls may alternate.
func (c *UDPConn) WriteSegments(b []byte, size int, addr netip.AddrPort) (n int, err error) {
	return c.WriteMsgSegments(b, nil, size, addr)
}

// WriteMsgSegments is like [UDPConn.WriteSegments], and sends the control data oob with
// each datagram.
func (c *UDPConn) WriteMsgSegments(b, oob []byte, size int, addr netip.AddrPort) (n int, err error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	switch {
	case size <= 0:
		err = &ArgumentError{Arg: "size", Value: size, Why: "must be at least 1 byte"}
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

// ReadSegments receives into b one datagram, or several consecutive ones from addr that
// the kernel has merged. b[:n] then holds datagrams of size bytes each; the last may be
// shorter.
//
// The kernel merges datagrams only if [UDPConn.SetOffload] is on. Otherwise, and on
// systems that lack it, there is one datagram, and size is n.
//
// A b of 65535 bytes has room for anything that can be merged. If b is shorter, the
// datagrams that do not fit are returned by the next call. If b is too short for a
// single datagram, the error matches [io.ErrShortBuffer]: b is full and addr is valid,
// but the rest of that datagram is lost.
//
// ReadSegments does not allocate. It obeys the read deadline and is safe for concurrent
// use.
func (c *UDPConn) ReadSegments(b []byte) (n, size int, addr netip.AddrPort, err error) {
	n, _, flags, size, addr, err := c.ReadMsgSegments(b, nil)
	if err == nil && flags&sys.MSG_TRUNC != 0 {
		err = opError(c.fd, "read", io.ErrShortBuffer)
	}
	return n, size, addr, err
}

// ReadMsgSegments is like [UDPConn.ReadSegments], and also receives control data into
// oob, which all merged datagrams have in common. It returns the length of the control
// data and the flags of recvmsg(2). A datagram that is too long for b is not an error
// here, but sets MSG_TRUNC in flags.
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

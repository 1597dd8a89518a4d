package sockets

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// MsgFlags modify what SendTo and ReceiveFrom do. They are combined with |.
//
// Their values are those of the running system, so int(MsgDontWait) can also be passed
// to [UDPConn.ReadBatch]. See send(2) and recv(2).
type MsgFlags int

// The flags of SendTo and ReceiveFrom. A flag that the system lacks makes them return
// [errors.ErrUnsupported].
const (
	// MsgPeek receives data without removing it from the queue.
	MsgPeek MsgFlags = sys.MSG_PEEK

	// MsgOutOfBand sends the last byte as TCP urgent data, or receives that byte.
	// Receiving never waits for it: the call fails with EINVAL if there is no urgent data,
	// and with EAGAIN if it has been announced but has not arrived. See tcp(7).
	MsgOutOfBand MsgFlags = sys.MSG_OOB

	// MsgWaitAll makes a receive from a stream wait until the buffer is full, the stream
	// ends or the call fails. In all cases it returns what has been received.
	MsgWaitAll MsgFlags = sys.MSG_WAITALL

	// MsgDontWait makes a call fail with EAGAIN if it would have to wait. Such a call does
	// not wait for other calls either, so deadlines do not apply to it. While another call
	// writes to a stream, a send with MsgDontWait fails: its data would end up in the
	// middle.
	MsgDontWait MsgFlags = sys.MSG_DONTWAIT

	// MsgDontRoute sends only to hosts on directly connected networks.
	MsgDontRoute MsgFlags = sys.MSG_DONTROUTE

	// MsgConfirm tells the link layer that the peer has answered, so that it does not need
	// to probe whether the peer is reachable. Linux only.
	MsgConfirm MsgFlags = sys.MSG_CONFIRM

	// MsgMore announces that more data follows. A stream then holds back a partial
	// segment, and a UDP socket collects data for one datagram until a send without the
	// flag. Linux only.
	MsgMore MsgFlags = sys.MSG_MORE
)

var msgFlagNames = []struct {
	flag MsgFlags
	name string
}{
	{MsgPeek, "MsgPeek"},
	{MsgOutOfBand, "MsgOutOfBand"},
	{MsgWaitAll, "MsgWaitAll"},
	{MsgDontWait, "MsgDontWait"},
	{MsgDontRoute, "MsgDontRoute"},
	{MsgConfirm, "MsgConfirm"},
	{MsgMore, "MsgMore"},
}

// String returns the names of the flags, as in "MsgPeek|MsgDontWait".
func (f MsgFlags) String() string {
	var names []string
	for _, n := range msgFlagNames {
		if f&n.flag != 0 {
			names = append(names, n.name)
			f &^= n.flag
		}
	}
	if f != 0 {
		names = append(names, fmt.Sprintf("%#x", uint(f)))
	}
	return strings.Join(names, "|")
}

const (
	sendFlags    = MsgOutOfBand | MsgDontWait | MsgDontRoute | MsgConfirm | MsgMore
	receiveFlags = MsgPeek | MsgOutOfBand | MsgWaitAll | MsgDontWait
)

// check refuses flags that are not among those that the call knows, or that the system
// lacks.
func (f MsgFlags) check(allowed MsgFlags) error {
	if f&^allowed != 0 {
		return &ArgumentError{Arg: "flags", Value: f, Why: "only " + allowed.String() + " are allowed"}
	}
	if lacking := f & sys.MSG_LACKING; lacking != 0 {
		return &unsupportedFlagError{lacking}
	}
	return nil
}

// unsupportedFlagError names flags that this system lacks.
type unsupportedFlagError struct{ flag MsgFlags }

func (e *unsupportedFlagError) Error() string {
	return "sockets: flag " + e.flag.String() + " is not supported by this system"
}

func (e *unsupportedFlagError) Is(target error) bool { return target == errors.ErrUnsupported }

// SendTo sends b as flags say, to addr, or to the peer if addr is nil. On a stream it
// sends all of b unless it fails; with [MsgDontWait] it may send only a part. The count
// tells how much was sent.
//
// The kernel decides whether a socket with a peer may send to another address. A stream
// may not, and fails with [net.ErrWriteToConnected].
//
// It obeys the write deadline and is safe for concurrent use.
func (c *conn) SendTo(b []byte, addr net.Addr, flags MsgFlags) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	addr = plain(addr)
	n, err := c.sendTo(b, addr, flags)
	if err != nil {
		to := addr
		if to == nil {
			to = c.fd.Remote()
		}
		return n, opErrorTo(c.fd, to, err)
	}
	return n, nil
}

func (c *conn) sendTo(b []byte, addr net.Addr, flags MsgFlags) (int, error) {
	if err := flags.check(sendFlags); err != nil {
		return 0, err
	}
	var to sys.Sockaddr
	if addr != nil {
		if c.fd.IsStream() {
			return 0, net.ErrWriteToConnected
		}
		if err := encodePeerFor(&to, c.fd, addr); err != nil {
			return 0, c.destError("sendto", err)
		}
	}
	if c.fd.Type == sys.SOCK_STREAM {
		// Only streams raise SIGPIPE, and some families refuse the flag on others.
		return c.fd.SendAll(b, int(flags)|sys.MSG_NOSIGNAL)
	}
	return c.fd.SendTo(b, int(flags), &to)
}

// ReceiveFrom receives into b as flags say. It returns the sender's address if messages
// carry one. At the end of a stream the error is [io.EOF].
//
// If a message does not fit in b, the error matches [io.ErrShortBuffer]: b is full and
// addr is valid, but the rest of the message is lost unless flags includes [MsgPeek].
//
// It obeys the read deadline and is safe for concurrent use.
func (c *conn) ReceiveFrom(b []byte, flags MsgFlags) (n int, addr net.Addr, err error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	n, addr, err = c.receiveFrom(b, flags)
	return n, addr, opError(c.fd, "read", err)
}

func (c *conn) receiveFrom(b []byte, flags MsgFlags) (int, net.Addr, error) {
	if err := flags.check(receiveFlags); err != nil {
		return 0, nil, err
	}
	sysflags := int(flags &^ MsgWaitAll) // the waiting is done here, in the poller
	if c.fd.Type == sys.SOCK_STREAM {
		if len(b) == 0 {
			return 0, nil, c.fd.Control(func(uintptr) {}) // whether it is closed
		}
		n, err := c.fd.RecvStream(b, sysflags, flags&MsgWaitAll != 0, flags&MsgOutOfBand != 0)
		return n, nil, err
	}
	var from sys.Sockaddr
	n, _, rflags, err := c.fd.RecvMsg(b, nil, sysflags, &from)
	if rflags&sys.MSG_TRUNC != 0 {
		err = io.ErrShortBuffer // and no end, if there was no room at all
	} else if err != nil {
		return n, nil, err
	}
	return n, senderAddr(c.fd, &from), err
}

// senderAddr is decodeAddr for the sender of a message, nil for one without name.
func senderAddr(fd *netfd.FD, sa *sys.Sockaddr) net.Addr {
	if fd.Family != sys.AF_UNIX {
		return decodeAddr(fd, sa)
	}
	if addr := decodeUnixAddr(sa, fd.Type); addr != nil {
		return addr
	}
	return nil
}

// SendToAddrPort is like [UDPConn.SendTo], but does not allocate. The zero addr means
// the peer.
func (c *UDPConn) SendToAddrPort(b []byte, addr netip.AddrPort, flags MsgFlags) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	var to sys.Sockaddr
	err := flags.check(sendFlags)
	if err == nil && addr.IsValid() {
		if err = encodeAddrPort(&to, c.fd.Family, addr); err != nil {
			err = c.destError("sendto", err)
		}
	}
	n := 0
	if err == nil {
		n, err = c.fd.SendTo(b, int(flags), &to)
	}
	switch {
	case err == nil:
		return n, nil
	case addr.IsValid():
		return n, opErrorTo(c.fd, addrPortUDPAddr{addr}, err)
	}
	return n, opErrorTo(c.fd, c.fd.Remote(), err)
}

// ReceiveFromAddrPort is like [UDPConn.ReceiveFrom], but does not allocate. On an IPv6
// socket, IPv4 addresses are in IPv4-mapped form.
func (c *UDPConn) ReceiveFromAddrPort(b []byte, flags MsgFlags) (n int, addr netip.AddrPort, err error) {
	if !c.ok() {
		return 0, netip.AddrPort{}, syscall.EINVAL
	}
	if err := flags.check(receiveFlags); err != nil {
		return 0, netip.AddrPort{}, opError(c.fd, "read", err)
	}
	var from sys.Sockaddr
	n, _, rflags, err := c.fd.RecvMsg(b, nil, int(flags&^MsgWaitAll), &from)
	if rflags&sys.MSG_TRUNC != 0 {
		err = io.ErrShortBuffer
	} else if err != nil {
		return n, netip.AddrPort{}, opError(c.fd, "read", err)
	}
	return n, decodeAddrPort(&from), opError(c.fd, "read", err)
}

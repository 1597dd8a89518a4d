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

// MsgFlags change what SendTo and ReceiveFrom do; they are combined with |. They have
// the numbers of the running system, so that int(MsgDontWait) also serves as a flag of
// [UDPConn.ReadBatch]. See send(2) and recv(2).
type MsgFlags int

// The flags. SendTo and ReceiveFrom return errors.ErrUnsupported for one that the system
// lacks, whose number the system does not use.
const (
	// MsgPeek leaves what is received in the queue.
	MsgPeek MsgFlags = sys.MSG_PEEK

	// MsgOutOfBand sends the last byte as TCP's urgent data, or receives it. A
	// receive never waits for it: without any it fails with EINVAL, and with
	// EAGAIN if it is announced and not here yet. See tcp(7).
	MsgOutOfBand MsgFlags = sys.MSG_OOB

	// MsgWaitAll makes a receive from a stream wait until the buffer is full, the
	// stream ends or the call fails. What has been received is returned then.
	MsgWaitAll MsgFlags = sys.MSG_WAITALL

	// MsgDontWait makes a call that would wait fail with EAGAIN. Such a call never
	// waits, not even for other calls, so deadlines do not apply to it. While a Write
	// that has sent a part of its data to a stream waits for room, there is none.
	MsgDontWait MsgFlags = sys.MSG_DONTWAIT

	// MsgDontRoute sends to hosts on directly connected networks only.
	MsgDontRoute MsgFlags = sys.MSG_DONTROUTE

	// MsgConfirm tells the link layer that the peer has answered, so that it need
	// not ask whether it is there. Linux only.
	MsgConfirm MsgFlags = sys.MSG_CONFIRM

	// MsgMore says that more data follows: a stream holds back a partial segment,
	// and a UDP socket adds to one datagram until a send without the flag. Linux
	// only.
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

// String returns the names of the flags, "MsgPeek|MsgDontWait".
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
		return &ArgumentError{Arg: "flags", Value: f, Why: "only " + allowed.String() + " are possible"}
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

// SendTo sends b to addr, or to the peer if addr is nil, as flags say. All of a
// stream's b is sent, unless the call fails, or MsgDontWait cuts it short: the count
// then says how much was.
//
// The kernel decides whether a socket with a peer may send elsewhere; streams may
// not, and fail with net.ErrWriteToConnected. It obeys the write deadline, and is
// safe for concurrent use.
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

// ReceiveFrom receives into b as flags say, and returns the sender's address if
// messages carry one. At the end of a stream the error is io.EOF.
//
// If a message does not fit in b, the error matches io.ErrShortBuffer: b is full and
// addr is valid, but the rest is lost, unless flags has MsgPeek. It obeys the read
// deadline and is safe for concurrent use.
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

// SendToAddrPort is SendTo without allocations: it sends b to addr, or to the peer if
// addr is the zero AddrPort.
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

// ReceiveFromAddrPort is ReceiveFrom without allocations. An IPv6 socket tells IPv4
// senders in their IPv4-mapped form.
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

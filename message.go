package sockets

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// MsgFlags change what SendTo and ReceiveFrom do; they are combined with |. See
// send(2) and recv(2).
type MsgFlags int

// The flags. A system that lacks one answers errors.ErrUnsupported.
const (
	// Peek leaves what is received in the queue.
	Peek MsgFlags = 1 << iota

	// OutOfBand sends the last byte as TCP's urgent data, or receives it. A
	// receive never waits for it: without any it fails with EINVAL, and with
	// EAGAIN if it is announced and not here yet. See tcp(7).
	OutOfBand

	// WaitAll makes a receive from a stream wait until the buffer is full, the
	// stream ends or the call fails. What has been received is returned then.
	WaitAll

	// DontWait makes a call that would wait fail with EAGAIN.
	DontWait

	// DontRoute sends to hosts on directly connected networks only.
	DontRoute

	// Confirm tells the link layer that the peer has answered, so that it need
	// not ask whether it is there.
	Confirm

	// More says that more data follows: a stream holds back a partial segment,
	// and a UDP socket adds to one datagram until a send without the flag.
	More

	// NoSignal is always in effect: SendTo never raises SIGPIPE.
	NoSignal
)

var msgFlagNames = []string{"Peek", "OutOfBand", "WaitAll", "DontWait", "DontRoute", "Confirm", "More", "NoSignal"}

// String returns the names of the flags, "Peek|DontWait".
func (f MsgFlags) String() string {
	var names []string
	for i, name := range msgFlagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := f >> len(msgFlagNames); rest != 0 {
		names = append(names, fmt.Sprintf("%#x", int(rest<<len(msgFlagNames))))
	}
	return strings.Join(names, "|")
}

const (
	sendFlags    = OutOfBand | DontWait | DontRoute | Confirm | More | NoSignal
	receiveFlags = Peek | OutOfBand | WaitAll | DontWait | NoSignal
)

// system returns the flags as the system has them. allowed are those that the
// call knows.
func (f MsgFlags) system(allowed MsgFlags) (int, error) {
	if f&^allowed != 0 {
		return 0, &ArgumentError{Arg: "flags", Value: f, Why: "only " + allowed.String() + " are possible"}
	}
	sysflags := 0
	for i, bit := range [...]int{sys.MSG_PEEK, sys.MSG_OOB, 0, sys.MSG_DONTWAIT, sys.MSG_DONTROUTE, sys.MSG_CONFIRM, sys.MSG_MORE, sys.MSG_NOSIGNAL} {
		if f&(1<<i) == 0 {
			continue
		}
		if bit < 0 {
			return 0, &unsupportedFlagError{MsgFlags(1 << i)}
		}
		sysflags |= bit
	}
	return sysflags, nil
}

// unsupportedFlagError names a flag that this system lacks.
type unsupportedFlagError struct{ flag MsgFlags }

func (e *unsupportedFlagError) Error() string {
	return "sockets: flag " + e.flag.String() + " is not supported by this system"
}

func (e *unsupportedFlagError) Is(target error) bool { return target == errors.ErrUnsupported }

// SendTo sends b to addr, or to the peer if addr is nil, as flags say. All of a
// stream's b is sent, unless the call fails, or DontWait cuts it short: the count
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
	sysflags, err := flags.system(sendFlags)
	if err != nil {
		return 0, err
	}
	var to sys.Sockaddr
	if addr != nil {
		if c.fd.IsStream() {
			return 0, net.ErrWriteToConnected
		}
		if err := encodeFor(&to, c.fd, addr); err != nil {
			return 0, c.destError("sendto", err)
		}
	}
	if c.fd.Type == sys.SOCK_STREAM {
		// Only streams raise SIGPIPE, and some families refuse the flag on others.
		return c.fd.SendAll(b, sysflags|sys.MSG_NOSIGNAL)
	}
	return c.fd.SendTo(b, sysflags, &to)
}

// ReceiveFrom receives into b as flags say, and returns the sender's address where
// messages carry one. The end of a stream is io.EOF.
//
// A message that does not fit in b fails with an error that matches
// io.ErrShortBuffer: b is full and addr is valid, but the rest is lost, unless flags
// has Peek. It obeys the read deadline, and is safe for concurrent use.
func (c *conn) ReceiveFrom(b []byte, flags MsgFlags) (n int, addr net.Addr, err error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	n, addr, err = c.receiveFrom(b, flags)
	return n, addr, opError(c.fd, "read", err)
}

func (c *conn) receiveFrom(b []byte, flags MsgFlags) (int, net.Addr, error) {
	sysflags, err := flags.system(receiveFlags)
	if err != nil {
		return 0, nil, err
	}
	if c.fd.Type == sys.SOCK_STREAM {
		if len(b) == 0 {
			return 0, nil, c.fd.Control(func(uintptr) {}) // whether it is closed
		}
		n, err := c.fd.RecvStream(b, sysflags, flags&WaitAll != 0, flags&OutOfBand != 0)
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

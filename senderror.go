package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// SendError tells why a datagram did not arrive, as far as anybody knows.
type SendError struct {
	// Addr is where the datagram was sent.
	Addr netip.AddrPort

	// Err is what is the matter, for errors.Is: syscall.ECONNREFUSED if nobody
	// receives there.
	Err syscall.Errno

	// Reporter is the router or host that said so by ICMP; the zero Addr is this
	// host's own kernel. Type and Code are those of the ICMP or, if Addr is an
	// IPv6 one, ICMPv6 message.
	Reporter   netip.Addr
	Type, Code uint8

	// MTU is what the path can carry, in octets with IP header, if Err is
	// syscall.EMSGSIZE.
	MTU int
}

func (e *SendError) Error() string {
	s := fmt.Sprintf("datagram to %v: %v", e.Addr, e.Err)
	if e.Reporter.IsValid() {
		s += fmt.Sprintf(" (reported by %v)", e.Reporter)
	}
	return s
}

// Unwrap returns Err.
func (e *SendError) Unwrap() error { return e.Err }

// ReadSendError takes the next report from the socket's error queue, and the
// beginning of the datagram that it is about into b. It does not wait: if there is
// none it fails with syscall.EAGAIN. A report also makes the next call that sends
// or receives fail, once, with its errno; but WriteBatch without a peer goes on
// after it, so look here behind a batch.
//
// The kernel reports to sockets with ReceiveError or ReceiveError6 set, see ip(7).
// Systems without an error queue answer errors.ErrUnsupported.
func (c *UDPConn) ReadSendError(b []byte) (n int, report *SendError, err error) {
	if !c.ok() {
		return 0, nil, syscall.EINVAL
	}
	n, report, err = readSendError(c.fd, b)
	return n, report, opError(c.fd, "read", err)
}

func readSendError(fd *netfd.FD, b []byte) (n int, report *SendError, err error) {
	if sys.MSG_ERRQUEUE == 0 {
		return 0, nil, errors.ErrUnsupported
	}
	var (
		to    sys.Sockaddr
		oob   [512]byte
		oobn  int
		errno syscall.Errno
	)
	// Not through RawRead, which would wait for those who receive.
	err = fd.Control(func(s uintptr) {
		n, oobn, _, errno = sys.Recvmsg(s, b, oob[:], sys.MSG_ERRQUEUE|sys.MSG_DONTWAIT, &to)
	})
	if err != nil {
		return 0, nil, err
	}
	if errno != 0 {
		return 0, nil, os.NewSyscallError("recvmsg", errno)
	}
	report, ok := parseSendError(oob[:oobn])
	if !ok {
		return n, nil, fmt.Errorf("sockets: error queue without an error: %w", syscall.EINVAL)
	}
	report.Addr = decodeAddrPort(&to)
	return n, report, nil
}

// Origins of a report, linux/errqueue.h.
const (
	originLocal = 1
	originICMP  = 2
	originICMP6 = 3
)

// parseSendError finds a struct sock_extended_err in control data, which the
// address of the reporter follows.
func parseSendError(oob []byte) (*SendError, bool) {
	for c, rest, ok := sys.NextCmsg(oob); ok; c, rest, ok = sys.NextCmsg(rest) {
		if c.Is(sys.IPPROTO_IP, sys.IP_RECVERR) || c.Is(sys.IPPROTO_IPV6, sys.IPV6_RECVERR) {
			return decodeSendError(c.Data)
		}
	}
	return nil, false
}

func decodeSendError(b []byte) (*SendError, bool) {
	if len(b) < 16 {
		return nil, false
	}
	e := &SendError{Err: syscall.Errno(binary.NativeEndian.Uint32(b))}
	origin := b[4]
	if e.Err == syscall.EMSGSIZE {
		e.MTU = int(binary.NativeEndian.Uint32(b[8:]))
	}
	if origin != originICMP && origin != originICMP6 {
		return e, origin == originLocal
	}
	e.Type, e.Code = b[5], b[6]
	var reporter sys.Sockaddr
	if reporter.SetBytes(b[16:min(len(b), 16+28)]) == 0 {
		e.Reporter = decodeAddrPort(&reporter).Addr()
	}
	return e, true
}

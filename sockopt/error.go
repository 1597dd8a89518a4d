package sockopt

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// An Error reports which option failed, and on what kind of socket.
//
// It matches [errors.ErrUnsupported] if the operating system or this kind of socket
// does not have the option.
type Error struct {
	Option string // the name in the C headers of Linux, such as "TCP_NODELAY"
	Socket string // such as "udp4", "mptcp6", "unixgram"; empty if it is closed or not a socket
	Hint   string // what works instead, such as "IPv4 sockets have IP_TTL"; usually empty
	Err    error
}

func (e *Error) Error() string {
	s := e.Option
	if e.Socket != "" {
		s += " on " + e.Socket + " socket"
	}
	s += ": " + e.Err.Error()
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is [errors.ErrUnsupported] and the socket does not have the
// option. The errno for that depends on the address family, and package syscall treats
// only one of the two, EOPNOTSUPP, in this way; Is adds ENOPROTOOPT.
func (e *Error) Is(target error) bool {
	return target == errors.ErrUnsupported && errors.Is(e.Err, syscall.ENOPROTOOPT)
}

// Timeout reports whether the wrapped error is a timeout, for the [*net.OpError] around
// e.
func (e *Error) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// Temporary reports whether the wrapped error is temporary, for the [*net.OpError]
// around e.
func (e *Error) Temporary() bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](e.Err)
	return ok && t.Temporary()
}

// A ValueError reports a value that an option cannot have. It matches [syscall.EINVAL].
type ValueError struct {
	Value any
	Why   string // "not between 0 and 255"
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("value %v %s: %v", e.Value, e.Why, syscall.EINVAL)
}

// Unwrap returns syscall.EINVAL.
func (e *ValueError) Unwrap() error { return syscall.EINVAL }

func invalid(v any, why string) error { return &ValueError{v, why} }

// hint returns what would have worked instead of the call.
func (k *call) hint() string {
	if errors.Is(k.err, errors.ErrUnsupported) || errors.Is(k.err, syscall.ENOPROTOOPT) {
		return twinHint(k.name, k.socket)
	}
	if k.set && (errors.Is(k.err, syscall.ENOENT) || errors.Is(k.err, syscall.EPERM)) {
		if names := sys.OptChoices(&k.opt); names != "" {
			return "available: " + names
		}
	}
	return ""
}

// twinHint returns what the other of IPv4 and IPv6 calls an option that does not fit
// a kind of socket, "" if that is not the matter.
func twinHint(option, socket string) string {
	kind, _, _ := strings.Cut(socket, ":")
	for _, t := range twins {
		switch {
		case option == t[1] && strings.HasSuffix(kind, "4"):
			return "IPv4 sockets have " + t[0]
		case option == t[0] && strings.HasSuffix(kind, "6"):
			return "IPv6 sockets have " + t[1]
		}
	}
	return ""
}

// twins are the options that IPv4 and IPv6 have under different names.
var twins = [...][2]string{
	{"IP_FREEBIND", "IPV6_FREEBIND"},
	{"IP_HDRINCL", "IPV6_HDRINCL"},
	{"IP_MINTTL", "IPV6_MINHOPCOUNT"},
	{"IP_MTU", "IPV6_MTU"},
	{"IP_MTU_DISCOVER", "IPV6_MTU_DISCOVER"},
	{"IP_MULTICAST_ALL", "IPV6_MULTICAST_ALL"},
	{"IP_MULTICAST_IF", "IPV6_MULTICAST_IF"},
	{"IP_MULTICAST_LOOP", "IPV6_MULTICAST_LOOP"},
	{"IP_MULTICAST_TTL", "IPV6_MULTICAST_HOPS"},
	{"IP_PKTINFO", "IPV6_RECVPKTINFO"},
	{"IP_RECVERR", "IPV6_RECVERR"},
	{"IP_RECVORIGDSTADDR", "IPV6_RECVORIGDSTADDR"},
	{"IP_RECVTOS", "IPV6_RECVTCLASS"},
	{"IP_RECVTTL", "IPV6_RECVHOPLIMIT"},
	{"IP_TOS", "IPV6_TCLASS"},
	{"IP_TRANSPARENT", "IPV6_TRANSPARENT"},
	{"IP_TTL", "IPV6_UNICAST_HOPS"},
	{"SO_ORIGINAL_DST", "IP6T_SO_ORIGINAL_DST"},
}

// closedError turns the ways in which a conn says that it is closed into
// net.ErrClosed; other errors pass through.
func closedError(err error) error {
	if errors.Is(err, net.ErrClosed) || sys.IsFileClosed(err) {
		return net.ErrClosed
	}
	return err
}

// opError wraps the error of a call on c.
func opError(op string, c syscall.Conn, err error) error {
	if err == nil {
		return nil
	}
	wrapped := &net.OpError{Op: op, Addr: sys.ConnAddr(c), Err: err}
	if wrapped.Addr != nil {
		wrapped.Net = wrapped.Addr.Network()
	}
	return wrapped
}

package sockets

import (
	"errors"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// NewIn is like [New], but makes the socket in the network namespace of netns, an open
// file such as /run/netns/NAME or /proc/PID/ns/net. netns must not be nil. The caller
// keeps the file and may close it once NewIn returns. The process and all of its
// threads stay in their own namespace.
//
// It requires CAP_SYS_ADMIN, see setns(2). Systems without network namespaces return
// [errors.ErrUnsupported]. See network_namespaces(7).
func NewIn(netns *os.File, network string) (*Socket, error) {
	if err := checkGivenNetNS(netns); err != nil {
		return nil, openError("socket", network, nil, nil, err)
	}
	return newSocket(netns, network)
}

// NewRawIn is like [NewRaw], but makes the socket in a network namespace, as [NewIn]
// does.
func NewRawIn(netns *os.File, domain, typ, proto int) (*Socket, error) {
	if err := checkGivenNetNS(netns); err != nil {
		return nil, openError("socket", networkName(domain, typ, proto), nil, nil, err)
	}
	return newRawSocket(netns, domain, typ, proto)
}

// checkGivenNetNS is checkNetNS where nil does not mean the namespace of the process.
func checkGivenNetNS(netns *os.File) error {
	if netns == nil {
		return &ArgumentError{Arg: "network namespace", Value: netns, Why: "must not be nil"}
	}
	return checkNetNS(netns)
}

// checkNetNS refuses a file that is no network namespace, before anything is looked up
// or opened. Nil is none.
func checkNetNS(netns *os.File) error {
	if netns == nil {
		return nil
	}
	var errno syscall.Errno
	err := netfd.Control(netns, func(fd uintptr) { errno = sys.CheckNetNS(fd) })
	switch {
	case err != nil:
		return &ArgumentError{Arg: "network namespace", Value: netns.Name(), Why: "the file is closed"}
	case errno == syscall.ENOSYS:
		return errors.ErrUnsupported
	case errno != 0:
		return &ArgumentError{Arg: "network namespace", Value: netns.Name(), Why: "the file is not a network namespace"}
	}
	return nil
}

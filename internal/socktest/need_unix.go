//go:build linux

package socktest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// withPair calls use with a pair of unix sockets.
func withPair(typ int, use func(a, b int) error) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	return use(fds[0], fds[1])
}

var emptyDatagram = sync.OnceValue(func() error {
	return withPair(unix.SOCK_DGRAM, func(a, b int) error {
		if err := unix.Sendmsg(a, nil, unix.UnixRights(a), nil, 0); err != nil {
			return err
		}
		control := make([]byte, unix.CmsgSpace(4))
		_, n, _, _, err := unix.Recvmsg(b, make([]byte, 1), control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if err != nil {
			return err
		}
		if n < unix.CmsgLen(4) {
			return errors.New("it has no descriptor")
		}
		return unix.Close(int(binary.NativeEndian.Uint32(control[unix.CmsgLen(0):])))
	})
})

// NeedEmptyDatagram skips the test unless an empty datagram with a descriptor arrives.
func NeedEmptyDatagram(tb testing.TB) {
	tb.Helper()
	need(tb, "empty datagrams", emptyDatagram)
}

var rightsApart = sync.OnceValue(func() error {
	return withPair(unix.SOCK_STREAM, func(a, b int) error {
		for range 2 {
			if err := unix.Sendmsg(a, []byte("x"), unix.UnixRights(a), nil, 0); err != nil {
				return err
			}
		}
		n, _, err := unix.Recvfrom(b, make([]byte, 2), 0)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d bytes of two messages come at once", n)
		}
		return err
	})
})

var urgentUnix = sync.OnceValue(func() error {
	return withPair(unix.SOCK_STREAM, func(a, b int) error {
		if err := unix.Sendto(a, []byte("x!"), unix.MSG_OOB, nil); err != nil {
			return err
		}
		got := make([]byte, 2)
		n, _, err := unix.Recvfrom(b, got, unix.MSG_OOB|unix.MSG_DONTWAIT)
		if err == nil && string(got[:n]) != "!" {
			err = fmt.Errorf("MSG_OOB gives %q, want the last byte", got[:n])
		}
		return err
	})
})

// NeedUrgentUnix skips the test unless unix streams have urgent data.
func NeedUrgentUnix(tb testing.TB) {
	tb.Helper()
	need(tb, "urgent data on unix sockets", urgentUnix)
}

// HasUrgent reports whether streams of the network, tcp or unix, have urgent data.
func HasUrgent(network string) bool {
	if network == "unix" {
		return urgentUnix() == nil
	}
	return urgent() == nil
}

// NeedRightsApart skips the test unless a read from a unix stream ends behind data that
// came with a descriptor.
func NeedRightsApart(tb testing.TB) {
	tb.Helper()
	need(tb, "end of what a descriptor came with", rightsApart)
}

var peek = sync.OnceValue(func() error {
	return withPair(unix.SOCK_STREAM, func(a, b int) error {
		for range 2 {
			if _, err := unix.Write(a, []byte("x")); err != nil {
				return err
			}
		}
		n, _, err := unix.Recvfrom(b, make([]byte, 2), unix.MSG_PEEK)
		if err == nil && n < 2 {
			err = fmt.Errorf("it shows %d of 2 bytes", n)
		}
		return err
	})
})

// NeedPeek skips the test unless MSG_PEEK shows all that waits in a unix stream: in gVisor
// it shows what was written by one call.
func NeedPeek(tb testing.TB) {
	tb.Helper()
	need(tb, "MSG_PEEK of all that waits", peek)
}

// NeedFullQueue skips the test unless n datagrams, each of a byte, are too many for the
// queue of a unix socket that has no peer: net.unix.max_dgram_qlen in Linux. gVisor counts
// bytes alone.
func NeedFullQueue(tb testing.TB, n int) {
	tb.Helper()
	var fds [2]int
	for i := range fds {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		Check(tb, err)
		defer unix.Close(fd)
		fds[i] = fd
	}
	Check(tb, unix.Bind(fds[1], &unix.SockaddrUnix{})) // to a name of the kernel's choice
	to, err := unix.Getsockname(fds[1])
	Check(tb, err)
	for range n {
		err := unix.Sendto(fds[0], []byte("x"), unix.MSG_DONTWAIT, to)
		if err == unix.EAGAIN {
			return
		}
		Check(tb, err)
	}
	tb.Skipf("the queue of a unix socket has room for %d datagrams", n)
}

// NeedRoomWakes skips the test unless a unix datagram socket that waits for room in the
// queue of its peer, which has a name, hears that there is some. In gVisor none does.
func NeedRoomWakes(tb testing.TB) {
	tb.Helper()
	need(tb, "event when a full unix datagram socket has room", roomWakes)
}

var roomWakes = sync.OnceValue(func() error { return wakes(false) })

// NeedCloseWakes is NeedRoomWakes for a peer that is closed.
func NeedCloseWakes(tb testing.TB) {
	tb.Helper()
	need(tb, "event when the peer of a full unix datagram socket is closed", closeWakes)
}

var closeWakes = sync.OnceValue(func() error { return wakes(true) })

// wakes tries to hear that the peer of a socket that is full has read all, or is closed.
func wakes(closed bool) error {
	const typ = unix.SOCK_DGRAM | unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	fd, err := unix.Socket(unix.AF_UNIX, typ, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	peer, err := unix.Socket(unix.AF_UNIX, typ, 0)
	if err != nil {
		return err
	}
	defer func() {
		if peer >= 0 {
			unix.Close(peer)
		}
	}()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(epoll)
	if err := unix.Bind(peer, &unix.SockaddrUnix{}); err != nil { // to a name of the kernel's choice
		return err
	}
	to, err := unix.Getsockname(peer)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, to); err != nil {
		return err
	}
	for err == nil {
		_, err = unix.Write(fd, make([]byte, 1<<16))
	}
	if err != unix.EAGAIN {
		return err
	}
	const edge = 1 << 31 // EPOLLET
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLOUT | edge}); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 1)
	unix.EpollWait(epoll, events, 0) // what it was added with
	if closed {
		unix.Close(peer)
		peer = -1
	} else if err := drain(peer); err != nil {
		return err
	}
	for {
		n, err := unix.EpollWait(epoll, events, 2000)
		if err == nil && n == 0 {
			err = errors.New("there is none")
		}
		if err != unix.EINTR {
			return err
		}
	}
}

//go:build linux

package socktest

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// StopWhenFull has the writes to c fail with a timeout once c does not take more. It
// returns at once; a deadline that is a guess could be there before the first byte.
func StopWhenFull(tb testing.TB, c net.Conn) {
	tb.Helper()
	done := make(chan error, 1)
	go func() {
		err := waitFull(c)
		if err == nil {
			err = c.SetWriteDeadline(time.Now())
		}
		done <- err
	}()
	tb.Cleanup(func() {
		if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) {
			tb.Error(err)
		}
	})
}

// WaitFull waits until c does not take more, which the writer finds out.
func WaitFull(tb testing.TB, c net.Conn) {
	tb.Helper()
	Check(tb, waitFull(c))
}

func waitFull(c net.Conn) error {
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	// A write that goes on makes room and takes it; in between it looks full. A writer
	// that was told that there is no room may wait on although poll finds some again:
	// gVisor wakes it when half of the buffer is free.
	full, room := 0, 0
	if !WaitUntil(func() bool {
		err = raw.Control(func(fd uintptr) {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if n, err := unix.Poll(p, 0); err == nil && n == 0 {
				full++
				room = 0
			} else {
				full = 0
				room++
			}
		})
		if room > 200 && !inState([]string{"[IO wait"}, "(*pollDesc).waitWrite(") {
			room = 0
		}
		return full >= 20 || room > 400 || err != nil
	}) {
		return errors.New("there is always room")
	}
	return err
}

// Fill writes to c until nothing more goes in.
func Fill(tb testing.TB, c net.Conn) {
	tb.Helper()
	WithFD(tb, c.(syscall.Conn), func(fd int) error {
		for size := 1 << 16; size > 0; {
			// The last bytes go in one by one.
			switch _, err := unix.SendmsgN(fd, make([]byte, size), nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL); err {
			case nil, unix.EINTR:
			case unix.EAGAIN:
				size /= 2
			default:
				return err
			}
		}
		return nil
	})
}

// Drain takes all datagrams that wait to be read from c.
func Drain(tb testing.TB, c syscall.Conn) {
	tb.Helper()
	WithFD(tb, c, drain)
}

func drain(fd int) error {
	for {
		switch _, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_DONTWAIT); err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			return nil
		default:
			return err
		}
	}
}

// WaitEmpty waits until everything is taken from c that has come.
func WaitEmpty(tb testing.TB, c syscall.Conn) {
	tb.Helper()
	if !WaitUntil(func() bool {
		left := 0
		WithFD(tb, c, func(fd int) (err error) {
			left, err = unix.IoctlGetInt(fd, unix.SIOCINQ)
			return err
		})
		return left == 0
	}) {
		tb.Fatal("something is left")
	}
}

// FullListener listens on a TCP address of this host with a queue that is full, so
// that a connect waits in SYN_SENT, and returns the address; it is empty if the
// address is in use.
func FullListener(tb testing.TB, address string) string {
	tb.Helper()
	to, err := netip.ParseAddrPort(address)
	Check(tb, err)
	domain, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(to.Port()), Addr: [4]byte(to.Addr().AsSlice())})
	if to.Addr().Is6() {
		domain, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	Check(tb, err)
	tb.Cleanup(func() { unix.Close(fd) })
	err = unix.Bind(fd, sa)
	if err == unix.EADDRINUSE {
		return ""
	}
	Check(tb, err)
	Check(tb, unix.Listen(fd, 1))
	sa, err = unix.Getsockname(fd)
	Check(tb, err)
	port := 0
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		port = sa.Port
	case *unix.SockaddrInet6:
		port = sa.Port
	}
	address = netip.AddrPortFrom(to.Addr(), uint16(port)).String()
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	Check(tb, err)
	if info.Sacked == 0 { // of a listener: its backlog
		fillQueue(tb, domain, sa)
		return address
	}
	// The queue takes one more.
	for range info.Sacked + 1 {
		c, err := net.Dial("tcp", address)
		Check(tb, err)
		tb.Cleanup(func() { c.Close() })
	}
	if !WaitUntil(func() bool {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		Check(tb, err)
		return info.Unacked > info.Sacked // the length of its queue
	}) {
		tb.Fatal("there is always room for a connection")
	}
	return address
}

// fillQueue connects to a listener until a connect waits, or skips the test if none does.
// It is for kernels that do not tell how many connections wait to be accepted.
func fillQueue(tb testing.TB, domain int, to unix.Sockaddr) {
	tb.Helper()
	for range 10 {
		fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		Check(tb, err)
		tb.Cleanup(func() { unix.Close(fd) })
		if err := unix.Connect(fd, to); err != unix.EINPROGRESS {
			Check(tb, err)
			continue
		}
		n := 0
		for err = unix.EINTR; err == unix.EINTR; {
			n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 2000)
		}
		Check(tb, err)
		if n == 0 {
			return
		}
	}
	tb.Skip("the queue of a listener has room for more connections than its backlog")
}

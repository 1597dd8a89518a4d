//go:build linux

package socktest

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// WaitFull waits until nothing more goes into c: whoever writes to it hangs.
func WaitFull(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for full := 0; full < 20; time.Sleep(2 * time.Millisecond) {
		if err := raw.Control(func(fd uintptr) {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			if n, err := unix.Poll(p, 0); err == nil && n == 0 {
				full++
			} else {
				full = 0
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// Fill writes to c until nothing more goes in.
func Fill(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for {
		if _, err := c.Write(make([]byte, 1)); err != nil {
			break
		}
	}
	c.SetWriteDeadline(time.Time{})
}

// WaitEmpty waits until everything is taken from c that has come.
func WaitEmpty(t *testing.T, c syscall.Conn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n > 0; time.Sleep(time.Millisecond) {
		if err := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCINQ) }); err != nil {
			t.Fatal(err)
		}
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
	Check(tb, unix.Listen(fd, 0))
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
	// The queue takes one more than it was asked for.
	c, err := net.Dial("tcp", address)
	Check(tb, err)
	tb.Cleanup(func() { c.Close() })
	if !WaitUntil(func() bool {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		Check(tb, err)
		return info.Unacked > info.Sacked // of a listener: the length of its queue, and its backlog
	}) {
		tb.Fatal("the queue does not fill")
	}
	return address
}

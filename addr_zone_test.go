//go:build linux

package sockets_test

import (
	"net"
	"runtime"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets"
	"golang.org/x/sys/unix"
)

// inNetwork calls f on a thread with a network of its own, whose loopback interface
// has the address fe80::1.
func inNetwork(t *testing.T, f func()) {
	t.Helper()
	var unshared error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread is of no use afterwards
		if unshared = unix.Unshare(unix.CLONE_NEWNET); unshared != nil {
			return
		}
		if err := upLoopback(); err != nil {
			t.Errorf("loopback interface: %v", err)
			return
		}
		f()
	}()
	<-done
	if unshared != nil {
		t.Skipf("no network of its own: %v", unshared)
	}
}

func upLoopback() error {
	s, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr); err != nil {
		return err
	}
	// struct in6_ifreq, linux/ipv6.h; lo is always the first interface.
	addr := struct {
		ip     [16]byte
		prefix uint32
		index  int32
	}{[16]byte(net.ParseIP("fe80::1")), 64, 1}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&addr))); errno != 0 {
		return errno
	}
	// The kernel takes a moment to find out that nobody else has the address.
	waitUntil(func() bool {
		err = unix.Bind(s, &unix.SockaddrInet6{Addr: addr.ip, ZoneId: 1})
		return err != unix.EADDRNOTAVAIL
	})
	return err
}

// TestAcceptLinkLocal has accepted connections know their zone. The kernel does not
// tell that of a listener with Multipath TCP.
func TestAcceptLinkLocal(t *testing.T) {
	inNetwork(t, func() {
		for _, multipath := range []bool{false, true} {
			var lc sockets.ListenConfig
			lc.SetMultipathTCP(multipath)
			l, err := lc.Listen(t.Context(), "tcp", "[fe80::1%lo]:0")
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			c, err := sockets.DialTCP("tcp", nil, &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "lo", Port: l.Addr().(*net.TCPAddr).Port})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			a, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Close()
			if diff := cmp.Diff(c.RemoteAddr(), a.LocalAddr()); diff != "" {
				t.Errorf("multipath %v: the two ends differ about the server's address (-client +server):\n%s", multipath, diff)
			}
		}
	})
}

//go:build linux

package cost

import (
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// TestMultipathTCPAskedOnce has a kernel without Multipath TCP: it is not asked for such a
// socket by every listener and dial.
func TestMultipathTCPAskedOnce(t *testing.T) {
	asked := 0
	status, printed := socktest.TraceChild(t, func(_ int, info socktest.SyscallInfo) {
		if info.Op == socktest.SyscallEntry && info.NR == unix.SYS_SOCKET && info.Args[2] == unix.IPPROTO_MPTCP {
			asked++
		}
	}, "without Multipath TCP")
	if status.ExitStatus() != 0 {
		t.Fatalf("child: status %#x\n%s", status, printed)
	}
	if printed != "" {
		t.Skip(printed)
	}
	if asked != 2 { // the first is the child's own, the second tells
		t.Errorf("the kernel was asked %d times for a socket of Multipath TCP, want 2", asked)
	}
}

func init() { socktest.Children["without Multipath TCP"] = withoutMultipath }

func withoutMultipath() error {
	refusal := socktest.Refusal{Call: unix.SYS_SOCKET, Args: map[uint32]uint32{2: unix.IPPROTO_MPTCP}, Errno: syscall.EPROTONOSUPPORT}
	if err := refusal.OnProcess(); err != nil {
		fmt.Println("no seccomp:", err)
		return nil
	}
	if _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP); err != unix.EPROTONOSUPPORT {
		fmt.Println("seccomp cannot refuse this call, which says:", err)
		return nil
	}
	var d sockets.Dialer
	d.SetMultipathTCP(true)
	for range 3 {
		l, err := sockets.Listen("tcp4", net.JoinHostPort(socktest.Loopback(), "0"))
		if err != nil {
			return err
		}
		c, err := d.Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		c.Close()
		l.Close()
	}
	return nil
}

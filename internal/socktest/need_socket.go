//go:build linux

package socktest

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// socketOf returns a function that tries to have a socket.
func socketOf(domain, typ, proto int) func() error {
	return sync.OnceValue(func() error {
		fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, proto)
		if err == nil {
			unix.Close(fd)
		}
		return err
	})
}

var (
	multipath = socketOf(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	packet    = socketOf(unix.AF_PACKET, unix.SOCK_DGRAM, 0)
	sctp      = socketOf(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
	udpLite   = socketOf(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE)

	// Netlink tries to have a netlink socket.
	Netlink = socketOf(unix.AF_NETLINK, unix.SOCK_RAW, 0)
)

// NeedMultipath skips the test if the kernel has no Multipath TCP.
func NeedMultipath(tb testing.TB) {
	tb.Helper()
	need(tb, "Multipath TCP", multipath)
}

// NeedNetlink skips the test if it may not have netlink sockets, with which package net
// lists interfaces.
func NeedNetlink(tb testing.TB) {
	tb.Helper()
	need(tb, "netlink", Netlink)
}

// NeedPacket skips the test if it may not have packet sockets, packet(7).
func NeedPacket(tb testing.TB) {
	tb.Helper()
	need(tb, "packet sockets", packet)
}

// NeedUDPLite skips the test if the kernel has no UDP-Lite.
func NeedUDPLite(tb testing.TB) {
	tb.Helper()
	need(tb, "UDP-Lite", udpLite)
}

// NeedSCTP skips the test if the kernel has no SCTP.
func NeedSCTP(tb testing.TB) {
	tb.Helper()
	need(tb, "SCTP", sctp)
}

var pidfd = sync.OnceValue(func() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return err
	}
	if fs.Type != unix.PID_FS_MAGIC {
		return fmt.Errorf("file system %#x has no numbers of processes, as pidfs since Linux 6.9", fs.Type)
	}
	return nil
})

// NeedPIDFD skips the test if a process has no number among all since the system was
// started, pidfs in pidfd_open(2).
func NeedPIDFD(tb testing.TB) {
	tb.Helper()
	need(tb, "pidfd", pidfd)
}

// NeedUrgent skips the test unless the kernel knows that nothing urgent is there: gVisor
// sends and receives urgent data as if they were nothing special.
func NeedUrgent(tb testing.TB) {
	tb.Helper()
	need(tb, "urgent data", urgent)
}

var urgent = sync.OnceValue(func() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) {
		_, _, err = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_OOB|unix.MSG_DONTWAIT)
	}); cerr != nil {
		return cerr
	}
	if err != unix.EINVAL {
		return fmt.Errorf("MSG_OOB without any gives %v, want EINVAL", err)
	}
	return nil
})

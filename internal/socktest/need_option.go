//go:build linux

package socktest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// options are socket options that not every kernel has and not every emulator passes on,
// with a plain use of each.
var options = map[string]func() error{
	"SO_BINDTODEVICE": useOption(unix.SOCK_DGRAM, func(fd int) error {
		if err := unix.BindToDevice(fd, "lo"); err != nil {
			return err
		}
		name, err := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
		if err == nil && name != "lo" {
			err = fmt.Errorf("the name is %q, want lo", name)
		}
		return err
	}),
	"SO_BINDTOIFINDEX": useOption(unix.SOCK_DGRAM, func(fd int) error {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, 1); err != nil {
			return err
		}
		index, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX)
		if err == nil && index != 1 {
			err = fmt.Errorf("the index is %d, want 1", index)
		}
		return err
	}),
	"SO_NETNS_COOKIE": useOption(unix.SOCK_DGRAM, func(fd int) error {
		_, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		return err
	}),
	"SO_TIMESTAMPNS": useOption(unix.SOCK_DGRAM, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}),
	"SO_RXQ_OVFL": useOption(unix.SOCK_DGRAM, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	}),
	"IP_RECVERR": sync.OnceValue(func() error {
		messages, err := errorQueue()
		for _, m := range messages {
			// A struct sock_extended_err comes before the address of who reports.
			const size = 16
			if m.Header.Type == unix.IP_RECVERR && len(m.Data) > size+2 && binary.NativeEndian.Uint16(m.Data[size:]) == unix.AF_INET {
				return nil
			}
		}
		return errors.Join(err, errors.New("nothing says who reports an error"))
	}),
	"IP_RECVTTL": useOption(unix.SOCK_STREAM, func(fd int) error {
		_, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVTTL)
		return err
	}),
	"MCAST_JOIN_GROUP": sync.OnceValue(func() error {
		lo, err := net.InterfaceByName("lo")
		if err != nil {
			return err
		}
		c, err := net.ListenPacket("udp4", "0.0.0.0:0")
		if err != nil {
			return err
		}
		defer c.Close()
		p := ipv4.NewPacketConn(c)
		group := &net.UDPAddr{IP: net.IPv4(239, 92, 0, 1), Port: c.LocalAddr().(*net.UDPAddr).Port}
		if err := p.JoinGroup(lo, group); err != nil {
			return err
		}
		if err := p.SetMulticastInterface(lo); err != nil {
			return err
		}
		if _, err := c.WriteTo([]byte("x"), group); err != nil {
			return err
		}
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, _, err = c.ReadFrom(make([]byte, 1))
		return err
	}),
	"MPTCP_INFO": sync.OnceValue(mptcpInfo),
	"TCP_CONGESTION": useOption(unix.SOCK_STREAM, func(fd int) error {
		return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
	}),
	"TCP_INFO": useOption(unix.SOCK_STREAM, func(fd int) error {
		const backlog = 5
		if err := unix.Listen(fd, backlog); err != nil {
			return err
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil && info.Sacked != backlog { // of a listener: its backlog
			err = fmt.Errorf("the backlog is %d, want %d", info.Sacked, backlog)
		}
		return err
	}),
	"SO_ATTACH_FILTER": useOption(unix.SOCK_STREAM, func(fd int) error {
		filter := unix.SockFilter{Code: 6, K: 1 << 16} // return 1 << 16
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &filter}); err != nil {
			return err
		}
		var got [4]unix.SockFilter
		n := uint32(len(got))
		if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_GET_FILTER,
			uintptr(unsafe.Pointer(&got)), uintptr(unsafe.Pointer(&n)), 0); errno != 0 {
			return errno
		}
		if n != 1 || got[0] != filter {
			return fmt.Errorf("the filter is %v, %d long", got, n)
		}
		return nil
	}),
}

// useOption tries an option of a new socket of IPv4.
func useOption(typ int, use func(fd int) error) func() error {
	return sync.OnceValue(func() error {
		fd, err := unix.Socket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return use(fd)
	})
}

// MPTCPInfo asks a socket of Multipath TCP who uses it, as can be done since Linux 5.16.
var MPTCPInfo = sync.OnceValue(func() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const mptcpInfo = 1 // MPTCP_INFO in linux/mptcp.h
	_, err = unix.GetsockoptInt(fd, unix.SOL_MPTCP, mptcpInfo)
	return err
})

// mptcpInfo fails where the kernel's release, by which package net goes, says that it
// tells who uses Multipath TCP, and it does not.
func mptcpInfo() error {
	if multipath() != nil {
		return nil // which package net knows as well
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	var major, minor int
	fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	if major < 5 || major == 5 && minor < 16 {
		return nil
	}
	return MPTCPInfo()
}

// NeedOption skips the test if a socket option is missing, or has no effect where an
// emulator does not pass it on. It needs nothing for options that each kernel has.
func NeedOption(tb testing.TB, name string) {
	tb.Helper()
	if use, ok := options[name]; ok {
		need(tb, name, use)
	}
}

// Option tries what NeedOption needs.
func Option(name string) func() error { return options[name] }

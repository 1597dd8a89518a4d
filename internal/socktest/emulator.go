//go:build linux

package socktest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An emulator passes the system calls of another architecture to this machine's kernel,
// which works for those that it knows. What a test needs is tried by the same call, made
// plainly.

// ownDatagram sends a datagram to the socket that receives it, of UDP over IPv4, by call,
// and returns the control data it comes with, for which there is room, and the flags.
// option makes the kernel send some.
func ownDatagram(option, room int, call func(fd int, to unix.Sockaddr) error) (oob []byte, flags int, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, option, 1); err != nil {
		return nil, 0, err
	}
	to, err := unix.Getsockname(fd)
	if err != nil {
		return nil, 0, err
	}
	if err := call(fd, to); err != nil {
		return nil, 0, err
	}
	// Loopback delivers before sending returns.
	oob = make([]byte, room)
	_, n, flags, _, err := unix.Recvmsg(fd, make([]byte, 8), oob, unix.MSG_DONTWAIT)
	return oob[:max(n, 0)], flags, err
}

func sendByte(fd int, to unix.Sockaddr) error { return unix.Sendto(fd, []byte("x"), 0, to) }

// PacketInfo tries what NeedPacketInfo needs.
var PacketInfo = sync.OnceValue(func() error {
	oob, _, err := ownDatagram(unix.IP_PKTINFO, 128, sendByte)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 4 {
			if i := binary.NativeEndian.Uint32(m.Data); i > 1<<16 {
				return fmt.Errorf("the interface has the number %d", i)
			}
			return nil
		}
	}
	return errors.New("there is no control message")
})

// NeedPacketInfo skips the test if the addresses and the interface of a datagram do not
// come in this machine's byte order, see IP_PKTINFO in ip(7).
func NeedPacketInfo(tb testing.TB) {
	tb.Helper()
	need(tb, "packet information", PacketInfo)
}

var noBuffers = sync.OnceValue(func() error {
	_, _, err := ownDatagram(unix.IP_RECVTTL, 128, func(fd int, to unix.Sockaddr) error {
		_, err := unix.SendmsgBuffers(fd, nil, nil, to, 0)
		return err
	})
	return err
})

// NeedNoBuffers skips the test if a message cannot be sent without a single buffer, see
// sendmsg(2).
func NeedNoBuffers(tb testing.TB) {
	tb.Helper()
	need(tb, "messages without buffers", noBuffers)
}

var mptcpInfo = sync.OnceValue(func() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		return nil // which package net knows as well
	}
	defer unix.Close(fd)
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	var major, minor int
	fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	if major < 5 || major == 5 && minor < 16 {
		return nil
	}
	const mptcpInfo = 1 // MPTCP_INFO in linux/mptcp.h
	_, err = unix.GetsockoptInt(fd, unix.SOL_MPTCP, mptcpInfo)
	return err
})

// NeedMPTCPInfo skips the test if the kernel's release, by which package net goes, says
// that it tells who uses Multipath TCP, and it does not.
func NeedMPTCPInfo(tb testing.TB) {
	tb.Helper()
	need(tb, "MPTCP_INFO", mptcpInfo)
}

var cutControl = sync.OnceValue(func() error {
	room := unix.CmsgLen(4) - 1
	oob, flags, err := ownDatagram(unix.IP_RECVTTL, room, sendByte)
	if err == nil && (len(oob) != room || flags&unix.MSG_CTRUNC == 0) {
		err = fmt.Errorf("%d bytes of control data, flags %#x, where there is room for %d", len(oob), flags, room)
	}
	if err == nil {
		err = noControlRoom()
	}
	return err
})

// NeedCutControl skips the test if a control message is not cut short where its room
// ends, or MSG_CTRUNC does not tell, see recvmsg(2).
func NeedCutControl(tb testing.TB) {
	tb.Helper()
	need(tb, "control messages that are cut short", cutControl)
}

// badControlChild is the name of the child that sends malformed control data.
const badControlChild = "socktest: malformed control data"

func init() {
	Children[badControlChild] = func() error {
		for _, oob := range [][]byte{
			[]byte("no control message, I fear"),
			make([]byte, 32),
			unix.UnixRights(0)[:unix.CmsgLen(0)+2],
			append(unix.UnixRights(0), unix.UnixRights(0)[:unix.CmsgLen(0)+2]...),
		} {
			for _, domain := range []int{unix.AF_UNIX, unix.AF_INET} {
				fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					return err
				}
				to := unix.Sockaddr(&unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}})
				if domain == unix.AF_UNIX {
					if err := unix.Bind(fd, &unix.SockaddrUnix{}); err != nil {
						return err
					}
					if to, err = unix.Getsockname(fd); err != nil {
						return err
					}
				}
				if err := unix.Sendmsg(fd, []byte("x"), oob, to, 0); err != unix.EINVAL {
					return fmt.Errorf("sendmsg with %q: %v, want EINVAL", oob, err)
				}
				unix.Close(fd)
			}
		}
		return nil
	}
}

var badControl = sync.OnceValue(func() error {
	exe, err := executable()
	if err != nil {
		return err
	}
	// An emulator may abort.
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childVar+"="+badControlChild)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

// NeedBadControl skips the test if sending malformed control data is no EINVAL, see
// sendmsg(2).
func NeedBadControl(tb testing.TB) {
	tb.Helper()
	need(tb, "check of control data", badControl)
}

// options are socket options that not every emulator passes on, with a plain use of each.
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
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, 1)
	}),
	"SO_NETNS_COOKIE": useOption(unix.SOCK_DGRAM, func(fd int) error {
		_, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		return err
	}),
	"SO_RXQ_OVFL": useOption(unix.SOCK_DGRAM, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
	}),
	"IP_RECVERR": useOption(unix.SOCK_DGRAM, func(fd int) error {
		// Nothing else can have the port that this socket has.
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return err
		}
		to, err := unix.Getsockname(fd)
		if err != nil {
			return err
		}
		from, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(from)
		if err := unix.SetsockoptInt(from, unix.IPPROTO_IP, unix.IP_RECVERR, 1); err != nil {
			return err
		}
		to.(*unix.SockaddrInet4).Addr = [4]byte{127, 0, 0, 2} // where it does not listen
		if err := sendByte(from, to); err != nil {
			return err
		}
		oob := make([]byte, 128)
		_, n, _, _, err := unix.Recvmsg(from, make([]byte, 8), oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return err
		}
		messages, err := unix.ParseSocketControlMessage(oob[:n])
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

// NeedOption skips the test if a socket option has no effect where an emulator does not
// pass it on. It needs nothing for options that each does.
func NeedOption(tb testing.TB, name string) {
	tb.Helper()
	if use, ok := options[name]; ok {
		need(tb, name, use)
	}
}

// UseOption tries what NeedOption needs, for Examples.
func UseOption(name string) func() error { return options[name] }

//go:build linux

package socktest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// withUDP calls use with a socket of UDP over IPv4 and its address.
func withUDP(use func(fd int, own *unix.SockaddrInet4) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	own, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	return use(fd, own.(*unix.SockaddrInet4))
}

// with turns on an option of a receiver.
func with(level, option int) func(syscall.RawConn) error {
	return func(raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) })
		return errors.Join(cerr, err)
	}
}

// NeedControl skips the test if the kernel accepts an option of a receiver and then tells
// nothing about a datagram.
func NeedControl(tb testing.TB, network string, set func(syscall.RawConn) error) {
	tb.Helper()
	got, err := Datagram{Network: network, Prepare: set}.Deliver()
	if err == nil && len(got.Control) == 0 {
		tb.Skip("the kernel accepts the option and adds nothing to a datagram")
	}
}

// PacketInfo tries what NeedPacketInfo needs.
var PacketInfo = sync.OnceValue(func() error {
	got, err := Datagram{Network: "udp4", Prepare: with(unix.SOL_IP, unix.IP_PKTINFO)}.Deliver()
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(got.Control)
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

var source = sync.OnceValue(func() error {
	want := net.IPv4(127, 0, 0, 9)
	info := append(make([]byte, 4), want.To4()...) // a struct in_pktinfo
	got, err := Datagram{Network: "udp4", Control: Control(unix.SOL_IP, unix.IP_PKTINFO, append(info, make([]byte, 4)...))}.Deliver()
	if err == nil && !got.From.IP.Equal(want) {
		err = fmt.Errorf("a datagram comes from %v, its control message says %v", got.From.IP, want)
	}
	return err
})

// NeedSource skips the test unless a control message chooses the source of a datagram.
func NeedSource(tb testing.TB) {
	tb.Helper()
	need(tb, "choice of the source", source)
}

// NeedTOS skips the test unless a control message gives a datagram its type of service.
func NeedTOS(tb testing.TB, network string) {
	tb.Helper()
	level, typ, receive := unix.SOL_IP, unix.IP_TOS, unix.IP_RECVTOS
	if network == "udp6" {
		level, typ, receive = unix.SOL_IPV6, unix.IPV6_TCLASS, unix.IPV6_RECVTCLASS
	}
	const tos = 3
	sent := binary.NativeEndian.AppendUint32(nil, tos)
	got, err := Datagram{Network: network, Prepare: with(level, receive), Control: Control(level, typ, sent)}.Deliver()
	Check(tb, err)
	// Linux tells IPv4's as a byte, IPv6's as an int.
	if !Has(tb, got.Control, level, typ, []byte{tos}) && !Has(tb, got.Control, level, typ, sent) {
		tb.Skip("a datagram does not get the type of service of its control message")
	}
}

var cutControl = sync.OnceValue(func() error {
	for _, room := range []int{unix.CmsgLen(4) - 1, -1} {
		got, err := Datagram{Network: "udp4", Prepare: with(unix.SOL_IP, unix.IP_RECVTTL), Room: room}.Deliver()
		if err != nil {
			return err
		}
		if room = max(room, 0); len(got.Control) != room || got.Flags&unix.MSG_CTRUNC == 0 {
			return fmt.Errorf("%d bytes of control data, flags %#x, where there is room for %d", len(got.Control), got.Flags, room)
		}
	}
	return nil
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

var noBuffers = sync.OnceValue(func() error {
	return withUDP(func(fd int, own *unix.SockaddrInet4) error {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
			return err
		}
		if _, err := unix.SendmsgBuffers(fd, nil, nil, own, 0); err != nil {
			return err
		}
		if _, _, err := unix.Recvfrom(fd, make([]byte, 1), 0); err != nil {
			return err
		}
		if err := unix.Sendto(fd, []byte("x"), 0, own); err != nil {
			return err
		}
		if _, _, _, _, err := unix.RecvmsgBuffers(fd, nil, nil, 0); err != nil {
			return err
		}
		if _, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_DONTWAIT); err != unix.EAGAIN {
			return fmt.Errorf("the datagram is received again, %v", err)
		}
		return nil
	})
})

// NeedNoBuffers skips the test if a message cannot be sent and received without a single
// buffer, see sendmsg(2).
func NeedNoBuffers(tb testing.TB) {
	tb.Helper()
	need(tb, "messages without buffers", noBuffers)
}

// SendFlag tries what NeedSendFlag needs.
func SendFlag(flag int) func() error {
	return func() error {
		return withUDP(func(fd int, own *unix.SockaddrInet4) error { return unix.Sendto(fd, []byte("x"), flag, own) })
	}
}

// NeedSendFlag skips the test if sending with the flag fails for all UDP sockets.
func NeedSendFlag(tb testing.TB, flag int) {
	tb.Helper()
	need(tb, fmt.Sprintf("flag %#x", flag), SendFlag(flag))
}

// errorQueue returns the control data with which the error comes that a port is closed.
var errorQueue = sync.OnceValues(func() (messages []unix.SocketControlMessage, err error) {
	// Nothing else can have the port that this socket has.
	err = withUDP(func(_ int, closed *unix.SockaddrInet4) error {
		closed.Addr = [4]byte{127, 0, 0, 2} // where it does not listen
		return withUDP(func(fd int, _ *unix.SockaddrInet4) error {
			if err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1); err != nil {
				return err
			}
			if err := unix.Sendto(fd, []byte("x"), 0, closed); err != nil {
				return err
			}
			messages, err = queued(fd)
			return err
		})
	})
	return messages, err
})

// queued waits for something in the error queue of a socket, and returns its control data.
func queued(fd int) ([]unix.SocketControlMessage, error) {
	p := []unix.PollFd{{Fd: int32(fd)}} // POLLERR needs not be asked for
	for {
		if _, err := unix.Poll(p, 5000); err != unix.EINTR {
			break
		}
	}
	oob := make([]byte, 200)
	_, n, _, _, err := unix.Recvmsg(fd, make([]byte, 8), oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, err
	}
	return unix.ParseSocketControlMessage(oob[:n])
}

// NeedErrorQueue skips the test unless a socket that wants to know it hears of a port
// that is closed: IP_RECVERR in ip(7).
func NeedErrorQueue(tb testing.TB) {
	tb.Helper()
	need(tb, "error queue", func() error { return ErrOf(errorQueue()) })
}

var timestampSent = sync.OnceValue(func() error {
	return withUDP(func(fd int, own *unix.SockaddrInet4) error {
		const what = unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, what); err != nil {
			return err
		}
		if err := unix.Sendto(fd, []byte("x"), 0, own); err != nil {
			return err
		}
		return ErrOf(queued(fd))
	})
})

// NeedTimestampSent skips the test unless the error queue tells when a datagram left:
// SO_TIMESTAMPING in timestamping.rst of the kernel's documentation.
func NeedTimestampSent(tb testing.TB) {
	tb.Helper()
	need(tb, "timestamps of what is sent", timestampSent)
}

//go:build linux

package socktest

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Control returns a control message.
func Control(level, typ int, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = int32(level), int32(typ)
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

// A Datagram is sent over loopback by plain calls, to learn what the kernel does with its
// control data and with the options of the receiver.
type Datagram struct {
	Network string // "udp4", "udp6", or "udp" for IPv4 to a socket for both
	To      string // the receiver's IP address, if it is not the usual one of loopback
	Prepare func(receiver syscall.RawConn) error
	Control []byte // what goes with it
}

// A Delivery is what is known of a datagram that arrived.
type Delivery struct {
	Control []byte
	From    *net.UDPAddr
}

// Deliver sends and receives d.
func (d Datagram) Deliver(tb testing.TB) (Delivery, error) {
	tb.Helper()
	var none Delivery
	from, listen := "127.0.0.1:0", "0.0.0.0:0"
	switch d.Network {
	case "udp6":
		from, listen = "[::1]:0", "[::1]:0"
	case "udp":
		listen = ":0"
	}
	receiver, err := net.ListenPacket(d.Network, listen)
	Check(tb, err)
	defer receiver.Close()
	sender, err := net.ListenPacket("udp", from)
	Check(tb, err)
	defer sender.Close()
	if d.Prepare != nil {
		raw, err := receiver.(*net.UDPConn).SyscallConn()
		Check(tb, err)
		if err := d.Prepare(raw); err != nil {
			return none, err
		}
	}
	ip := netip.MustParseAddrPort(from).Addr()
	if d.To != "" {
		ip = netip.MustParseAddr(d.To)
		WithFD(tb, sender.(*net.UDPConn), func(fd int) error {
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
		})
	}
	to := netip.AddrPortFrom(ip, receiver.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	if _, _, err := sender.(*net.UDPConn).WriteMsgUDPAddrPort([]byte("x"), d.Control, to); err != nil {
		return none, err
	}
	control := make([]byte, 1000)
	Check(tb, receiver.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, n, _, addr, err := receiver.(*net.UDPConn).ReadMsgUDP(make([]byte, 1), control)
	return Delivery{control[:n], addr}, err
}

// Has reports whether control data have a message, which begins with data.
func Has(tb testing.TB, control []byte, level, typ int, data []byte) bool {
	tb.Helper()
	messages, err := syscall.ParseSocketControlMessage(control)
	Check(tb, err)
	for _, m := range messages {
		if m.Header.Level == int32(level) && m.Header.Type == int32(typ) && len(m.Data) >= len(data) && string(m.Data[:len(data)]) == string(data) {
			return true
		}
	}
	return false
}

// NeedControl skips the test if the kernel accepts an option of a receiver and then tells
// nothing about a datagram.
func NeedControl(tb testing.TB, network string, set func(syscall.RawConn) error) {
	tb.Helper()
	got, err := Datagram{Network: network, Prepare: set}.Deliver(tb)
	if err == nil && len(got.Control) == 0 {
		tb.Skip("the kernel accepts the option and adds nothing to a datagram")
	}
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
	got, err := Datagram{
		Network: network,
		Prepare: func(raw syscall.RawConn) (err error) {
			cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, receive, 1) })
			Check(tb, cerr)
			return err
		},
		Control: Control(level, typ, sent),
	}.Deliver(tb)
	Check(tb, err)
	// Linux tells IPv4's as a byte, IPv6's as an int.
	if !Has(tb, got.Control, level, typ, []byte{tos}) && !Has(tb, got.Control, level, typ, sent) {
		tb.Skip("a datagram does not get the type of service of its control message")
	}
}

// NeedSource skips the test unless a control message chooses the source of a datagram.
func NeedSource(tb testing.TB) {
	tb.Helper()
	source := net.IPv4(127, 0, 0, 9)
	info := append(make([]byte, 4), source.To4()...) // a struct in_pktinfo
	got, err := Datagram{Network: "udp4", Control: Control(unix.SOL_IP, unix.IP_PKTINFO, append(info, make([]byte, 4)...))}.Deliver(tb)
	Check(tb, err)
	if !got.From.IP.Equal(source) {
		tb.Skipf("a datagram comes from %v, its control message says %v", got.From.IP, source)
	}
}

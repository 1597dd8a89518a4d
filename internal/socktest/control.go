//go:build linux

package socktest

import (
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
	Room    int    // for control data at the receiver, in bytes; zero is enough for all, negative none
}

// A Delivery is what is known of a datagram that arrived.
type Delivery struct {
	Control []byte
	Flags   int // of recvmsg(2)
	From    *net.UDPAddr
}

// Deliver sends and receives d.
func (d Datagram) Deliver() (Delivery, error) {
	var none Delivery
	from, listen := "127.0.0.1:0", "0.0.0.0:0"
	switch d.Network {
	case "udp6":
		from, listen = "[::1]:0", "[::1]:0"
	case "udp":
		listen = ":0"
	}
	pc, err := net.ListenPacket(d.Network, listen)
	if err != nil {
		return none, err
	}
	receiver := pc.(*net.UDPConn)
	defer receiver.Close()
	if pc, err = net.ListenPacket("udp", from); err != nil {
		return none, err
	}
	sender := pc.(*net.UDPConn)
	defer sender.Close()
	if d.Prepare != nil {
		raw, err := receiver.SyscallConn()
		if err != nil {
			return none, err
		}
		if err := d.Prepare(raw); err != nil {
			return none, err
		}
	}
	ip := netip.MustParseAddrPort(from).Addr()
	if d.To != "" {
		ip = netip.MustParseAddr(d.To) // package net lets it be that of a broadcast
	}
	to := netip.AddrPortFrom(ip, receiver.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	if _, _, err := sender.WriteMsgUDPAddrPort([]byte("x"), d.Control, to); err != nil {
		return none, err
	}
	room := d.Room
	if room == 0 {
		room = 1000
	}
	control := make([]byte, max(room, 0))
	if err := receiver.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return none, err
	}
	_, n, flags, addr, err := receiver.ReadMsgUDP(make([]byte, 1), control)
	return Delivery{control[:n], flags, addr}, err
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

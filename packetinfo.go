package sockets

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// PacketInfo is the control data of a datagram: what the kernel reports about a
// datagram that was received, or is asked to do with one that is sent. A zero field
// means "not reported" on receipt and "no preference" when sending.
//
// [ParsePacketInfo] parses the oob of [UDPConn.ReadMsgUDP] and [UDPConn.ReadBatch],
// which should have room for [PacketInfoLen] bytes. [PacketInfo.Append] makes control
// data for [UDPConn.WriteMsgUDP] and [UDPConn.WriteBatch]. [ListenConfig.PacketInfo]
// turns on Local, Destination, Interface, TOS and TTL; package sockopt has the options
// for the other fields.
type PacketInfo struct {
	// Local is the address of this host at which a datagram arrived, or from which one is
	// to be sent. When sending, a multicast group or 255.255.255.255 means no preference
	// and determines only the family.
	Local netip.Addr

	// Destination is the address to which a datagram was sent. It differs from Local for
	// IPv4 multicast and broadcast. It is ignored when sending.
	Destination netip.Addr

	// OriginalDst is where a datagram was sent before it was redirected to this socket. It
	// requires sockopt.ReceiveOriginalDst or sockopt.ReceiveOriginalDst6, and is ignored
	// when sending.
	OriginalDst netip.AddrPort

	// Interface is the index of the network interface on which a datagram arrived, or
	// through which one is to be sent.
	Interface int

	// TOS is the type of service or traffic class: DSCP in the upper six bits, ECN in the
	// lower two. It is valid only if HasTOS is true.
	TOS    uint8
	HasTOS bool

	// TTL is the time to live or hop limit with which a datagram arrived. It is valid only
	// if HasTTL is true. It is ignored when sending, because a reply must not start with
	// what was left of the sender's; use sockopt.TTL for that.
	TTL    uint8
	HasTTL bool

	// Time is when the kernel received a datagram. It requires sockopt.TimestampNS,
	// sockopt.Timestamp or sockopt.Timestamping. HardwareTime is when the network device
	// received it, which requires Timestamping. Both are ignored when sending.
	Time, HardwareTime time.Time

	// Dropped is how many datagrams the socket has dropped before this one because the
	// receive buffer was full, counted since the socket was made. It requires
	// sockopt.ReceiveQueueOverflow. The kernel counts merged datagrams as one; see
	// UDPConn.SetOffload. It is ignored when sending.
	Dropped uint32

	// TxTime is when a datagram is to be sent, in nanoseconds of the clock chosen with
	// sockopt.TxTime. Zero means at once. It is not reported on receipt.
	TxTime uint64
}

// PacketInfoLen is the size in bytes of a buffer with room for all the control data
// that [ParsePacketInfo] understands.
const PacketInfoLen = 320

// ParsePacketInfo parses control data. It skips messages that have no field in
// [PacketInfo]. If oob is not control data or is truncated, the error is an
// [*ArgumentError].
func ParsePacketInfo(oob []byte) (PacketInfo, error) {
	var p PacketInfo
	for len(oob) > 0 {
		c, rest, ok := sys.NextCmsg(oob)
		if !ok || !p.read(c) {
			return PacketInfo{}, &ArgumentError{Arg: "control data", Value: fmt.Sprintf("of %d bytes", len(oob)), Why: "is malformed or truncated"}
		}
		oob = rest
	}
	return p, nil
}

// read takes one message and reports whether it is well formed.
func (p *PacketInfo) read(c sys.Cmsg) (ok bool) {
	switch {
	case c.Is(sys.IPPROTO_IP, sys.IP_PKTINFO): // ip(7)
		index, local, dst, ok := sys.ParsePktinfo4(c.Data)
		p.Interface, p.Local, p.Destination = index, netip.AddrFrom4(local), netip.AddrFrom4(dst)
		return ok
	case c.Is(sys.IPPROTO_IP, sys.IP_RECVDSTADDR): // ip(4) of the BSDs
		if len(c.Data) < 4 {
			return false
		}
		p.Local = netip.AddrFrom4([4]byte(c.Data[:4]))
		p.Destination = p.Local
	case c.Is(sys.IPPROTO_IPV6, sys.IPV6_PKTINFO): // RFC 3542 section 6
		index, local, ok := sys.ParsePktinfo6(c.Data)
		if !ok {
			return false
		}
		p.Interface, p.Local = index, netip.AddrFrom16(local)
		if index > 0 && (p.Local.IsLinkLocalUnicast() || p.Local.IsLinkLocalMulticast()) && !p.Local.Is4In6() {
			p.Local = p.Local.WithZone(zoneName(uint32(index)))
		}
		p.Destination = p.Local
	case c.Is(sys.IPPROTO_IP, sys.IP_ORIGDSTADDR), c.Is(sys.IPPROTO_IPV6, sys.IPV6_ORIGDSTADDR):
		return p.readOriginalDst(c.Data)
	case c.Is(sys.IPPROTO_IP, sys.RECEIVED_IP_TOS):
		return p.readTOS(c.Data)
	case c.Is(sys.IPPROTO_IPV6, sys.IPV6_TCLASS):
		return len(c.Data) >= 4 && p.readTOS(c.Data)
	case c.Is(sys.IPPROTO_IP, sys.IP_TTL):
		return p.readTTL(c.Data)
	case c.Is(sys.IPPROTO_IPV6, sys.IPV6_HOPLIMIT):
		return len(c.Data) >= 4 && p.readTTL(c.Data)
	case c.Is(sys.SOL_SOCKET, sys.SO_RXQ_OVFL):
		n, ok := sys.ParseIntCmsg(c.Data)
		p.Dropped = uint32(n)
		return ok && len(c.Data) >= 4
	}
	software, hardware, valid := sys.ParseTime(c)
	// A second message, of SO_TIMESTAMPING, may lack what the first has.
	if !software.IsZero() {
		p.Time = software
	}
	if !hardware.IsZero() {
		p.HardwareTime = hardware
	}
	return valid
}

func (p *PacketInfo) readTOS(b []byte) (ok bool) {
	v, ok := sys.ParseIntCmsg(b)
	p.TOS, p.HasTOS = uint8(v), ok
	return ok
}

func (p *PacketInfo) readTTL(b []byte) (ok bool) {
	v, ok := sys.ParseIntCmsg(b)
	p.TTL, p.HasTTL = uint8(v), ok
	return ok
}

func (p *PacketInfo) readOriginalDst(b []byte) (ok bool) {
	var sa sys.Sockaddr
	if len(b) < 16 || sa.SetBytes(b) != 0 || sa.Family() == sys.AF_INET6 && len(b) < 28 {
		return false
	}
	p.OriginalDst = decodeAddrPort(&sa)
	return p.OriginalDst.IsValid()
}

// Append appends p as control data to oob, which must be empty or already contain
// control data, and returns the extended slice. To reply from the address a datagram
// was sent to, parse its control data and pass the Local you find to Append.
//
// Local must be of the socket's family: an IPv6 socket that sends over IPv4 takes an
// IPv4-mapped address, which is also what it reports on receipt. If Interface is set
// and Local is not, such a socket needs ::ffff:0.0.0.0 as Local; otherwise the kernel
// rejects the data with [syscall.EINVAL].
func (p PacketInfo) Append(oob []byte) []byte {
	local, asks, index := p.Local, p.Local.IsValid() || p.Interface != 0, p.Interface
	if index != int(int32(index)) {
		index = -1 // the kernel has no such interface either, instead of one with these low 32 bits
	}
	if local.IsMulticast() || local.Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		// An IPv6 socket that sends over IPv4 refuses a source that is not of it,
		// the unspecified one included.
		local, asks = unspecified(local), p.Interface != 0
	}
	if asks && !local.Is6() {
		var addr [4]byte
		if local.Is4() {
			addr = local.As4()
		}
		oob = sys.AppendPktinfo4(oob, index, addr)
	}
	if asks && !local.Is4() {
		var addr [16]byte
		if local.Is6() {
			addr = local.As16()
		}
		oob = sys.AppendPktinfo6(oob, index, addr)
	}
	if p.HasTOS {
		// The kernel looks at the one for the family of the destination.
		oob = sys.AppendTOS(oob, p.TOS)
		oob = sys.AppendIntCmsg(oob, sys.IPPROTO_IPV6, sys.IPV6_TCLASS, int(p.TOS))
	}
	if p.TxTime != 0 && sys.SCM_TXTIME >= 0 {
		oob = sys.AppendUint64Cmsg(oob, sys.SOL_SOCKET, sys.SCM_TXTIME, p.TxTime)
	}
	return oob
}

// unspecified returns the unspecified address of addr's form.
func unspecified(addr netip.Addr) netip.Addr {
	switch any4 := netip.IPv4Unspecified(); {
	case addr.Is4():
		return any4
	case addr.Is4In6():
		return netip.AddrFrom16(any4.As16())
	}
	return netip.IPv6Unspecified()
}

// setPacketInfo has datagrams received with what ParsePacketInfo reads.
func setPacketInfo(fd *netfd.FD) error {
	var err error
	if cerr := fd.Control(func(s uintptr) { err = sys.SetPacketInfo(s, fd.Family) }); cerr != nil {
		return cerr
	}
	return netfd.CallError("setsockopt", err)
}

package sockets

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// PacketInfo is what control data tell about a received datagram, or ask for one
// to be sent. A zero field tells and asks nothing.
//
// ParsePacketInfo reads it from the oob of ReadMsgUDP and of ReadBatch, where
// MaxPacketInfo octets are room enough; Append writes it for WriteMsgUDP and
// WriteBatch. What is to be told, options say: ReceivePacketInfo, ReceiveTOS and
// those for IPv6, TimestampNS, ReceiveQueueOverflow.
type PacketInfo struct {
	// Local is the address of this host that a datagram came to, and that an
	// answer should come from. It is not asked for if it is a multicast group or
	// 255.255.255.255, which then tells the family alone.
	Local netip.Addr

	// Destination is where a datagram was sent, which is not Local for multicast
	// and broadcast over IPv4. It is not asked for.
	Destination netip.Addr

	// Interface is the index of the network interface that a datagram came in
	// by, or shall leave by.
	Interface int

	// TOS is the type of service or traffic class: DSCP in the upper six bits, ECN
	// in the lower two. It counts only with HasTOS.
	TOS    uint8
	HasTOS bool

	// Time is when the kernel received a datagram. It is not asked for.
	Time time.Time

	// Dropped is how many datagrams had been lost before this one, since the
	// socket was made, because its receive buffer was full. It is not asked for.
	Dropped uint32
}

// MaxPacketInfo is the room for the control data that a PacketInfo is read from.
const MaxPacketInfo = 256

// ParsePacketInfo reads control data. It passes over what a PacketInfo has no place
// for, and fails with syscall.EINVAL if oob is no control data, or cut off.
func ParsePacketInfo(oob []byte) (PacketInfo, error) {
	var p PacketInfo
	for len(oob) > 0 {
		c, rest, ok := sys.NextCmsg(oob)
		if !ok || !p.read(c) {
			return PacketInfo{}, fmt.Errorf("sockets: malformed control data: %w", syscall.EINVAL)
		}
		oob = rest
	}
	return p, nil
}

// read takes one message and reports whether it is well formed.
func (p *PacketInfo) read(c sys.Cmsg) bool {
	switch {
	case c.Level == sys.IPPROTO_IP && c.Type == sys.IP_PKTINFO: // ip(7)
		if len(c.Data) < 12 {
			return false
		}
		p.Interface = int(int32(binary.NativeEndian.Uint32(c.Data)))
		p.Local = netip.AddrFrom4([4]byte(c.Data[4:8]))
		p.Destination = netip.AddrFrom4([4]byte(c.Data[8:12]))
	case c.Level == sys.IPPROTO_IP && c.Type == sys.IP_RECVDSTADDR: // ip(4) of the BSDs
		if len(c.Data) < 4 {
			return false
		}
		p.Local = netip.AddrFrom4([4]byte(c.Data[:4]))
		p.Destination = p.Local
	case c.Level == sys.IPPROTO_IPV6 && c.Type == sys.IPV6_PKTINFO: // RFC 3542 section 6
		if len(c.Data) < 20 {
			return false
		}
		p.Interface = int(int32(binary.NativeEndian.Uint32(c.Data[16:])))
		p.Local = netip.AddrFrom16([16]byte(c.Data[:16]))
		if p.Interface > 0 && (p.Local.IsLinkLocalUnicast() || p.Local.IsLinkLocalMulticast()) && !p.Local.Is4In6() {
			p.Local = p.Local.WithZone(zoneName(uint32(p.Interface)))
		}
		p.Destination = p.Local
	case c.Level == sys.IPPROTO_IP && c.Type == sys.RECEIVED_IP_TOS:
		if len(c.Data) < 1 {
			return false
		}
		p.TOS, p.HasTOS = c.Data[0], true
	case c.Level == sys.IPPROTO_IPV6 && c.Type == sys.IPV6_TCLASS:
		if len(c.Data) < 4 {
			return false
		}
		p.TOS, p.HasTOS = uint8(binary.NativeEndian.Uint32(c.Data)), true
	case c.Level == sys.SOL_SOCKET && c.Type == sys.SCM_TIMESTAMPNS:
		return p.readTime(c.Data, time.Nanosecond)
	case c.Level == sys.SOL_SOCKET && c.Type == sys.SCM_TIMESTAMP:
		return p.readTime(c.Data, time.Microsecond)
	case c.Level == sys.SOL_SOCKET && c.Type == sys.SO_RXQ_OVFL:
		if len(c.Data) < 4 {
			return false
		}
		p.Dropped = binary.NativeEndian.Uint32(c.Data)
	}
	return true
}

// readTime reads a struct timespec or timeval, whose parts have a word each.
func (p *PacketInfo) readTime(b []byte, unit time.Duration) bool {
	var sec, part int64
	switch len(b) {
	case 16:
		sec, part = int64(binary.NativeEndian.Uint64(b)), int64(binary.NativeEndian.Uint64(b[8:]))
	case 8:
		sec, part = int64(int32(binary.NativeEndian.Uint32(b))), int64(int32(binary.NativeEndian.Uint32(b[4:])))
	default:
		return false
	}
	p.Time = time.Unix(sec, part*int64(unit))
	return true
}

// Append appends control data that ask for p to oob, which is empty or control data,
// and returns the extended slice. Local must be of the family that the socket
// speaks: 4-in-6 for an IPv6 socket that sends over IPv4, as it is received there.
// With an Interface and no Local such a socket needs ::ffff:0.0.0.0 there, as the
// kernel refuses the data otherwise, with syscall.EINVAL.
//
// To answer from the address that a datagram came to is to parse its control data
// and send with what Append makes of the Local in them.
func (p PacketInfo) Append(oob []byte) []byte {
	local, asks := p.Local, p.Local.IsValid() || p.Interface != 0
	if local.IsMulticast() || local.Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		// An IPv6 socket that sends over IPv4 refuses a source that is not of it,
		// the unspecified one included.
		local, asks = unspecified(local), p.Interface != 0
	}
	if asks && !local.Is6() {
		oob = p.append4(oob, local)
	}
	if asks && !local.Is4() {
		oob = p.append6(oob, local)
	}
	if p.HasTOS {
		// The kernel looks at the one for the family of the destination.
		var data []byte
		oob, data = sys.AppendCmsg(oob, sys.IPPROTO_IP, sys.IP_TOS, sys.IP_TOS_SIZE)
		if len(data) == 1 {
			data[0] = p.TOS
		} else {
			binary.NativeEndian.PutUint32(data, uint32(p.TOS))
		}
		oob, data = sys.AppendCmsg(oob, sys.IPPROTO_IPV6, sys.IPV6_TCLASS, 4)
		binary.NativeEndian.PutUint32(data, uint32(p.TOS))
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

func (p PacketInfo) append4(oob []byte, local netip.Addr) []byte {
	var data []byte
	switch {
	case sys.IP_PKTINFO >= 0:
		oob, data = sys.AppendCmsg(oob, sys.IPPROTO_IP, sys.IP_PKTINFO, 12)
		binary.NativeEndian.PutUint32(data, uint32(p.Interface))
		data = data[4:]
	case sys.IP_RECVDSTADDR >= 0 && local.IsValid() && !local.IsUnspecified():
		oob, data = sys.AppendCmsg(oob, sys.IPPROTO_IP, sys.IP_RECVDSTADDR, 4)
	}
	if local.IsValid() {
		copy(data, local.AsSlice())
	}
	return oob
}

func (p PacketInfo) append6(oob []byte, local netip.Addr) []byte {
	if sys.IPV6_PKTINFO < 0 {
		return oob
	}
	oob, data := sys.AppendCmsg(oob, sys.IPPROTO_IPV6, sys.IPV6_PKTINFO, 20)
	if local.IsValid() {
		copy(data, local.AsSlice())
	}
	binary.NativeEndian.PutUint32(data[16:], uint32(p.Interface))
	return oob
}

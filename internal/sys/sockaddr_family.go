package sys

import "encoding/binary"

// MaxHardwareAddr is the longest address of a link, MAX_ADDR_LEN of
// linux/netdevice.h. struct sockaddr_ll has room for 8 bytes only, and is longer where
// they do not do, as for InfiniBand.
const MaxHardwareAddr = 32

// SetNetlink makes sa a struct sockaddr_nl, netlink(7).
func (sa *Sockaddr) SetNetlink(port, groups uint32) error {
	return sa.SetFamily(AF_NETLINK, AppendUint32(AppendUint32(make([]byte, 4, 12), port), groups))
}

// Netlink reads a struct sockaddr_nl; ok is false if sa is too short for one.
func (sa *Sockaddr) Netlink() (port, groups uint32, ok bool) { return sa.pair() }

// SetVsock makes sa a struct sockaddr_vm, vsock(7).
func (sa *Sockaddr) SetVsock(cid, port uint32) error {
	b := AppendUint32(AppendUint32(make([]byte, 4, 16), port), cid)
	return sa.SetFamily(AF_VSOCK, b[:16])
}

// Vsock reads a struct sockaddr_vm; ok is false if sa is too short for one.
func (sa *Sockaddr) Vsock() (cid, port uint32, ok bool) {
	port, cid, ok = sa.pair()
	return cid, port, ok
}

// pair reads the two numbers behind the family and two more bytes.
func (sa *Sockaddr) pair() (a, b uint32, ok bool) {
	r := Reader(sa.Bytes())
	if len(r) < 12 {
		return 0, 0, false
	}
	r.Next(4)
	return r.Uint32(), r.Uint32(), true
}

// Link is a struct sockaddr_ll, packet(7).
type Link struct {
	Protocol     uint16
	Index        int
	HardwareType uint16
	PacketType   uint8
	Addr         []byte
}

// SetLink makes sa a struct sockaddr_ll. Addr has at most MaxHardwareAddr bytes.
func (sa *Sockaddr) SetLink(l Link) error {
	b := make([]byte, 2, 12+MaxHardwareAddr)
	b = AppendInt(binary.BigEndian.AppendUint16(b, l.Protocol), l.Index)
	b = append(AppendUint16(b, l.HardwareType), l.PacketType, byte(len(l.Addr)))
	b = append(b, l.Addr...)
	return sa.SetFamily(AF_PACKET, b[:max(len(b), 20)])
}

// Link reads a struct sockaddr_ll; ok is false if sa is too short for one. Addr is
// sa's own memory.
func (sa *Sockaddr) Link() (l Link, ok bool) {
	b := sa.Bytes()
	if len(b) < 12 {
		return l, false
	}
	r := Reader(b[4:])
	l = Link{Protocol: binary.BigEndian.Uint16(b[2:]), Index: r.Int(), HardwareType: r.Uint16(), PacketType: r.Uint8()}
	l.Addr = b[12 : 12+min(int(b[11]), len(b)-12)]
	return l, true
}

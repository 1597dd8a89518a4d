package sockopt

import (
	"fmt"
	"math"
	"net/netip"

	"golang.org/x/net/bpf"

	"github.com/iolib-go/sockets/internal/sys"
)

// The types of this file are those of value.go for structures that have more than a
// number in them.

// program is a struct sock_fprog, which points to its instructions.
type program struct{}

// room is for as many instructions as the program turns out to have.
func (program) room() int { return 0 }

func (program) get(k *call) ([]bpf.RawInstruction, error) {
	r := sys.Reader(k.b)
	var p []bpf.RawInstruction
	for len(r) > 0 {
		p = append(p, bpf.RawInstruction{Op: r.Uint16(), Jt: r.Uint8(), Jf: r.Uint8(), K: r.Uint32()})
	}
	return p, nil
}

func (program) put(k *call, v []bpf.RawInstruction) error {
	if len(v) > maxProgram {
		return invalid(fmt.Sprintf("of %d instructions", len(v)), fmt.Sprintf("longer than %d", maxProgram))
	}
	k.program, k.attach = v, true
	return nil
}

// maxProgram is BPF_MAXINSNS of linux/bpf_common.h.
const maxProgram = 4096

// txTimeValue is a struct sock_txtime.
type txTimeValue struct{}

func (txTimeValue) room() int { return 8 }

func (txTimeValue) get(k *call) (TxTimeConfig, error) {
	r := sys.Reader(k.b)
	c := TxTimeConfig{Clock: r.Int()}
	flags := r.Uint32()
	c.Deadline, c.Errors = flags&1 != 0, flags&2 != 0
	return c, nil
}

func (txTimeValue) put(k *call, v TxTimeConfig) error {
	if v.Clock < 0 || v.Clock > math.MaxInt32 {
		return invalid(v.Clock, "no clock")
	}
	var flags uint32
	if v.Deadline {
		flags |= 1
	}
	if v.Errors {
		flags |= 2
	}
	k.b = sys.AppendUint32(sys.AppendInt(k.b, v.Clock), flags)
	return nil
}

// md5Value is a struct tcp_md5sig.
type md5Value struct{}

func (md5Value) put(k *call, v MD5Signature) error {
	const maxKey, prefixed, byInterface = 80, 1, 2 // linux/tcp.h
	addr, bits := v.Peer.Addr(), v.Peer.Bits()
	switch {
	case !v.Peer.IsValid():
		return invalid(v.Peer, "no peer")
	case addr.Is4In6():
		bits -= 96
		if bits < 0 {
			return invalid(v.Peer, "IPv4 and IPv6 together")
		}
	}
	if len(v.Key) > maxKey {
		return invalid(fmt.Sprintf("with a key of %d bytes", len(v.Key)), "longer than 80 bytes")
	}
	if v.Interface < 0 || v.Interface > math.MaxInt32 {
		return invalid(v.Interface, "not an interface")
	}
	flags := uint8(prefixed)
	if v.Interface != 0 {
		flags |= byInterface
	}
	k.b = sys.AppendSockaddr(k.b, netip.AddrPortFrom(addr, 0))
	k.b = append(k.b, flags, uint8(bits))
	k.b = sys.AppendInt(sys.AppendUint16(k.b, uint16(len(v.Key))), v.Interface)
	k.b = append(append(k.b, v.Key...), make([]byte, maxKey-len(v.Key))...)
	return nil
}

// membership is a struct group_req or group_source_req.
type membership struct {
	source bool
}

func (m membership) put(k *call, v Membership) error {
	v.Group, v.Source = v.Group.Unmap(), v.Source.Unmap()
	switch {
	case v.Group.Zone() != "" || v.Source.Zone() != "":
		return invalid(v, "with a zone instead of an interface")
	case !v.Group.IsMulticast():
		return invalid(v, "not a multicast group")
	case v.Interface < 0 || v.Interface > math.MaxInt32:
		return invalid(v, "not an interface")
	case m.source && (!v.Source.IsValid() || v.Source.Is4() != v.Group.Is4()):
		return invalid(v, "without a source of the group's family")
	case !m.source && v.Source.IsValid():
		return invalid(v, "with a source, which the option does not take")
	}
	if v.Group.Is6() {
		k.opt.Level = sys.IPPROTO_IPV6
	}
	k.b = sys.AppendUword(k.b, 0) // an int of 32 bits, and padding up to a long
	copy(k.b, sys.AppendInt(nil, v.Interface))
	k.b = sys.AppendSockaddr(k.b, netip.AddrPortFrom(v.Group, 0))
	if m.source {
		k.b = sys.AppendSockaddr(k.b, netip.AddrPortFrom(v.Source, 0))
	}
	return nil
}

// packetMreq is a struct packet_mreq.
type packetMreq struct{}

func (packetMreq) put(k *call, v PacketMembership) error {
	var address [8]byte
	if len(v.Address) > len(address) {
		return invalid(fmt.Sprintf("with an address of %d bytes", len(v.Address)), "longer than 8 bytes")
	}
	if v.Interface < 0 || v.Interface > math.MaxInt32 {
		return invalid(v.Interface, "not an interface")
	}
	copy(address[:], v.Address)
	k.b = sys.AppendUint16(sys.AppendInt(k.b, v.Interface), uint16(v.Type))
	k.b = append(sys.AppendUint16(k.b, uint16(len(v.Address))), address[:]...)
	return nil
}

// fanout is an int with the group in its lower half.
type fanout struct{}

func (fanout) get(k *call) (PacketFanoutConfig, error) {
	v := uint32(k.getInt())
	return PacketFanoutConfig{Group: uint16(v), Mode: PacketFanoutMode(v >> 16), Flags: PacketFanoutFlags(v >> 24)}, nil
}

func (fanout) put(k *call, v PacketFanoutConfig) error {
	return k.putInt(int(int32(uint32(v.Flags)<<24 | uint32(v.Mode)<<16 | uint32(v.Group))))
}

// packetStats is a struct tpacket_stats.
type packetStats struct{}

func (packetStats) room() int { return 8 }

func (packetStats) get(k *call) (PacketStats, error) {
	r := sys.Reader(k.b)
	return PacketStats{Packets: r.Uint32(), Dropped: r.Uint32()}, nil
}

package sockopt

import (
	"fmt"
	"strconv"
	"strings"
)

// PacketMembership is the value of [PacketAddMembership] and [PacketDropMembership].
type PacketMembership struct {
	Interface int // index
	Type      PacketMembershipType
	Address   []byte // link-layer address, at most 8 bytes; for PacketMulticast and PacketUnicast
}

// PacketMembershipType selects what to receive. The values are those of PACKET_MR_ in
// packet(7).
type PacketMembershipType uint16

const (
	// PacketMulticast receives packets sent to one link-layer multicast address.
	PacketMulticast PacketMembershipType = iota

	// PacketPromiscuous receives all packets on the link.
	PacketPromiscuous

	// PacketAllMulticast receives all multicast packets on the link.
	PacketAllMulticast

	// PacketUnicast receives packets sent to one additional link-layer address.
	PacketUnicast
)

// String returns the end of the constant's name in C, such as "PROMISC".
func (t PacketMembershipType) String() string {
	names := [...]string{"MULTICAST", "PROMISC", "ALLMULTI", "UNICAST"}
	if int(t) >= len(names) {
		return strconv.Itoa(int(t))
	}
	return names[t]
}

// PacketFanoutConfig is the value of [PacketFanout].
type PacketFanoutConfig struct {
	Group uint16 // sockets with the same number form a group
	Mode  PacketFanoutMode
	Flags PacketFanoutFlags
}

// PacketFanoutMode selects how a fanout group distributes packets. The values are those
// of PACKET_FANOUT_ in packet(7).
type PacketFanoutMode uint8

const (
	PacketFanoutHash        PacketFanoutMode = iota // by flow
	PacketFanoutLoadBalance                         // round-robin
	PacketFanoutCPU                                 // by the CPU that received the packet
	PacketFanoutRollover                            // to one socket until its queue is full, then to the next
	PacketFanoutRandom                              // at random
	PacketFanoutQueue                               // by the device queue on which the packet arrived
	PacketFanoutCBPF                                // by a classic BPF program
	PacketFanoutEBPF                                // by an extended BPF program
)

// String returns the end of the constant's name in C, such as "HASH".
func (m PacketFanoutMode) String() string {
	names := [...]string{"HASH", "LB", "CPU", "ROLLOVER", "RND", "QM", "CBPF", "EBPF"}
	if int(m) >= len(names) {
		return strconv.Itoa(int(m))
	}
	return names[m]
}

// PacketFanoutFlags are the flags of a fanout group. The values are those of
// PACKET_FANOUT_FLAG_ in packet(7).
type PacketFanoutFlags uint8

const (
	PacketFanoutFlagRollover       PacketFanoutFlags = 0x10 // use another socket if the queue is full
	PacketFanoutFlagUniqueID       PacketFanoutFlags = 0x20 // the kernel chooses the group number; Group must be 0
	PacketFanoutFlagIgnoreOutgoing PacketFanoutFlags = 0x40 // exclude packets that this host sends
	PacketFanoutFlagDefrag         PacketFanoutFlags = 0x80 // reassemble fragments first
)

// String returns the value, as in "7:HASH|DEFRAG".
func (c PacketFanoutConfig) String() string {
	s := []string{fmt.Sprintf("%d:%v", c.Group, c.Mode)}
	for i, name := range [...]string{"ROLLOVER", "UNIQUEID", "IGNORE_OUTGOING", "DEFRAG"} {
		if c.Flags&(0x10<<i) != 0 {
			s = append(s, name)
		}
	}
	return strings.Join(s, "|")
}

// PacketStats is the value of [PacketStatistics].
type PacketStats struct {
	Packets uint32 // received, including those dropped
	Dropped uint32 // because the queue was full
}

// Options of packet sockets, level SOL_PACKET. See packet(7).
var (
	// PacketAddMembership, PACKET_ADD_MEMBERSHIP, makes the socket receive more than what
	// is sent to this host, until it is closed.
	PacketAddMembership = WriteOnlyOption[PacketMembership]{"PACKET_ADD_MEMBERSHIP", packetMreq{}}

	// PacketDropMembership, PACKET_DROP_MEMBERSHIP, undoes PacketAddMembership.
	PacketDropMembership = WriteOnlyOption[PacketMembership]{"PACKET_DROP_MEMBERSHIP", packetMreq{}}

	// PacketFanout, PACKET_FANOUT, makes a bound socket a member of a group among whose
	// members the kernel distributes packets. Initially the zero value: no group.
	PacketFanout = Option[PacketFanoutConfig]{"PACKET_FANOUT", fanout{}}

	// PacketIgnoreOutgoing, PACKET_IGNORE_OUTGOING, excludes packets that this host sends.
	// Initially false.
	PacketIgnoreOutgoing = Option[bool]{"PACKET_IGNORE_OUTGOING", boolValue{}}

	// PacketStatistics, PACKET_STATISTICS, is how many packets have arrived since the
	// option was last read.
	PacketStatistics = ReadOnlyOption[PacketStats]{"PACKET_STATISTICS", packetStats{}}
)

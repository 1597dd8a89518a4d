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
	Address   []byte // of the link, at most 8 bytes; for PacketMulticast and PacketUnicast
}

// PacketMembershipType says what is to be received. The numbers are those of
// linux/if_packet.h, PACKET_MR_.
type PacketMembershipType uint16

const (
	// PacketMulticast receives a multicast address of the link.
	PacketMulticast PacketMembershipType = iota
	// PacketPromiscuous receives all packets on the link.
	PacketPromiscuous
	// PacketAllMulticast receives all multicast packets on the link.
	PacketAllMulticast
	// PacketUnicast receives one more address of the link.
	PacketUnicast
)

// String returns the name in linux/if_packet.h, such as "PROMISC".
func (t PacketMembershipType) String() string {
	names := [...]string{"MULTICAST", "PROMISC", "ALLMULTI", "UNICAST"}
	if int(t) >= len(names) {
		return strconv.Itoa(int(t))
	}
	return names[t]
}

// PacketFanoutConfig is the value of [PacketFanout].
type PacketFanoutConfig struct {
	Group uint16 // sockets of one number form a group
	Mode  PacketFanoutMode
	Flags PacketFanoutFlags
}

// PacketFanoutMode says how a group shares out packets. The numbers are those of
// linux/if_packet.h, PACKET_FANOUT_.
type PacketFanoutMode uint8

const (
	PacketFanoutHash        PacketFanoutMode = iota // by flow
	PacketFanoutLoadBalance                         // one after the other
	PacketFanoutCPU                                 // by the CPU that received the packet
	PacketFanoutRollover                            // to the next once a queue is full
	PacketFanoutRandom                              // at random
	PacketFanoutQueue                               // by the queue of the device
	PacketFanoutCBPF                                // by a classic BPF program
	PacketFanoutEBPF                                // by an extended BPF program
)

// String returns the name in linux/if_packet.h, such as "HASH".
func (m PacketFanoutMode) String() string {
	names := [...]string{"HASH", "LB", "CPU", "ROLLOVER", "RND", "QM", "CBPF", "EBPF"}
	if int(m) >= len(names) {
		return strconv.Itoa(int(m))
	}
	return names[m]
}

// PacketFanoutFlags are flags of a group. The numbers are those of
// linux/if_packet.h, PACKET_FANOUT_FLAG_.
type PacketFanoutFlags uint8

const (
	PacketFanoutFlagRollover       PacketFanoutFlags = 0x10 // another socket if the queue is full
	PacketFanoutFlagUniqueID       PacketFanoutFlags = 0x20 // the kernel chooses the number, Group is 0
	PacketFanoutFlagIgnoreOutgoing PacketFanoutFlags = 0x40 // only what is received
	PacketFanoutFlagDefrag         PacketFanoutFlags = 0x80 // put fragments together first
)

// String returns the value as in "7:HASH|DEFRAG".
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
	Packets uint32 // received, the dropped ones included
	Dropped uint32
}

// Options of packet sockets, level SOL_PACKET. See packet(7).
var (
	// PacketAddMembership, PACKET_ADD_MEMBERSHIP, receives more than what is sent to this
	// host, until the socket is closed.
	PacketAddMembership = WriteOnlyOption[PacketMembership]{"PACKET_ADD_MEMBERSHIP", packetMreq{}}

	// PacketDropMembership, PACKET_DROP_MEMBERSHIP, undoes PacketAddMembership.
	PacketDropMembership = WriteOnlyOption[PacketMembership]{"PACKET_DROP_MEMBERSHIP", packetMreq{}}

	// PacketFanout, PACKET_FANOUT, makes a bound socket the member of a group that
	// shares out packets. Initially in none, the zero value.
	PacketFanout = Option[PacketFanoutConfig]{"PACKET_FANOUT", fanout{}}

	// PacketIgnoreOutgoing, PACKET_IGNORE_OUTGOING, receives no packets that this host
	// sends. Initially false.
	PacketIgnoreOutgoing = Option[bool]{"PACKET_IGNORE_OUTGOING", boolValue{}}

	// PacketStatistics, PACKET_STATISTICS, tells how many packets have come since the
	// last time it was asked.
	PacketStatistics = ReadOnlyOption[PacketStats]{"PACKET_STATISTICS", packetStats{}}
)

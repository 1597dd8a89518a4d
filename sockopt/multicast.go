package sockopt

import (
	"fmt"
	"net/netip"
)

// Membership is the value of the options for multicast groups.
type Membership struct {
	// Group is the multicast address. Its family decides the level of the option; an
	// IPv6 socket that receives from IPv4 peers may join groups of IPv4.
	Group netip.Addr

	// Interface is the index of the interface; 0 leaves it to routing.
	Interface int

	// Source is the only sender to be received, or not to be received, for the options
	// that have one. It is of the same family as Group.
	Source netip.Addr
}

// String returns the membership as in "232.1.1.1%2 from 192.0.2.1".
func (m Membership) String() string {
	s := m.Group.String()
	if m.Interface != 0 {
		s += fmt.Sprintf("%%%d", m.Interface)
	}
	if m.Source.IsValid() {
		s += " from " + m.Source.String()
	}
	return s
}

// Options for multicast groups, of level IPPROTO_IP or IPPROTO_IPV6. Datagram and raw
// sockets. A socket has at most net.ipv4.igmp_max_memberships groups of IPv4 and
// net.ipv4.igmp_max_msf sources in each. See RFC 3678.
var (
	// BlockSource, MCAST_BLOCK_SOURCE, drops what one source sends to a group that was
	// joined for all.
	BlockSource = WriteOnlyOption[Membership]{"MCAST_BLOCK_SOURCE", membership{source: true}}

	// JoinGroup, MCAST_JOIN_GROUP, receives what is sent to the group.
	JoinGroup = WriteOnlyOption[Membership]{"MCAST_JOIN_GROUP", membership{}}

	// JoinSourceGroup, MCAST_JOIN_SOURCE_GROUP, receives what one source sends to the
	// group. It may be set for several sources.
	JoinSourceGroup = WriteOnlyOption[Membership]{"MCAST_JOIN_SOURCE_GROUP", membership{source: true}}

	// LeaveGroup, MCAST_LEAVE_GROUP, leaves a group, for all sources. The same
	// Interface is needed as for joining, or 0.
	LeaveGroup = WriteOnlyOption[Membership]{"MCAST_LEAVE_GROUP", membership{}}

	// LeaveSourceGroup, MCAST_LEAVE_SOURCE_GROUP, leaves a group for one source.
	LeaveSourceGroup = WriteOnlyOption[Membership]{"MCAST_LEAVE_SOURCE_GROUP", membership{source: true}}

	// UnblockSource, MCAST_UNBLOCK_SOURCE, undoes BlockSource.
	UnblockSource = WriteOnlyOption[Membership]{"MCAST_UNBLOCK_SOURCE", membership{source: true}}
)

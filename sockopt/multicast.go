package sockopt

import (
	"fmt"
	"net/netip"
)

// Membership is the value of the options for multicast groups.
type Membership struct {
	// Group is the multicast address. Its family determines the level of the option. An
	// IPv6 socket that also receives from IPv4 peers can join IPv4 groups.
	Group netip.Addr

	// Interface is the index of the interface. 0 means that routing decides.
	Interface int

	// Source is the sender, for the options that are about one sender. It must be of the
	// same family as Group.
	Source netip.Addr
}

// String returns the membership, as in "232.1.1.1%2 from 192.0.2.1".
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
// sockets. A socket can join at most net.ipv4.igmp_max_memberships IPv4 groups, with
// net.ipv4.igmp_max_msf sources in each. See RFC 3678.
var (
	// BlockSource, MCAST_BLOCK_SOURCE, stops receiving what one source sends to a group
	// that was joined for all sources.
	BlockSource = WriteOnlyOption[Membership]{"MCAST_BLOCK_SOURCE", membership{source: true}}

	// JoinGroup, MCAST_JOIN_GROUP, starts receiving what is sent to a group.
	JoinGroup = WriteOnlyOption[Membership]{"MCAST_JOIN_GROUP", membership{}}

	// JoinSourceGroup, MCAST_JOIN_SOURCE_GROUP, starts receiving what one source sends to
	// a group. It may be set for several sources.
	JoinSourceGroup = WriteOnlyOption[Membership]{"MCAST_JOIN_SOURCE_GROUP", membership{source: true}}

	// LeaveGroup, MCAST_LEAVE_GROUP, leaves a group for all sources. Interface must be the
	// same as for joining, or 0.
	LeaveGroup = WriteOnlyOption[Membership]{"MCAST_LEAVE_GROUP", membership{}}

	// LeaveSourceGroup, MCAST_LEAVE_SOURCE_GROUP, leaves a group for one source.
	LeaveSourceGroup = WriteOnlyOption[Membership]{"MCAST_LEAVE_SOURCE_GROUP", membership{source: true}}

	// UnblockSource, MCAST_UNBLOCK_SOURCE, undoes BlockSource.
	UnblockSource = WriteOnlyOption[Membership]{"MCAST_UNBLOCK_SOURCE", membership{source: true}}
)

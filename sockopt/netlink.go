package sockopt

import "math"

// Options of netlink sockets, level SOL_NETLINK. See netlink(7).
var (
	// NetlinkAddMembership, NETLINK_ADD_MEMBERSHIP, joins the multicast group of that
	// number.
	NetlinkAddMembership = WriteOnlyOption[int]{"NETLINK_ADD_MEMBERSHIP", number[int]{1, math.MaxInt32}}

	// NetlinkBroadcastError, NETLINK_BROADCAST_ERROR, makes a broadcast fail that some
	// receiver's full queue did not take. Initially false.
	NetlinkBroadcastError = Option[bool]{"NETLINK_BROADCAST_ERROR", boolValue{}}

	// NetlinkCapAck, NETLINK_CAP_ACK, leaves the payload of the request out of error
	// messages. Initially false.
	NetlinkCapAck = Option[bool]{"NETLINK_CAP_ACK", boolValue{}}

	// NetlinkDropMembership, NETLINK_DROP_MEMBERSHIP, leaves the multicast group of that
	// number.
	NetlinkDropMembership = WriteOnlyOption[int]{"NETLINK_DROP_MEMBERSHIP", number[int]{1, math.MaxInt32}}

	// NetlinkExtAck, NETLINK_EXT_ACK, adds to error messages, as attributes, what the
	// matter is. Initially false.
	NetlinkExtAck = Option[bool]{"NETLINK_EXT_ACK", boolValue{}}

	// NetlinkGetStrictChk, NETLINK_GET_STRICT_CHK, makes the kernel refuse dump requests
	// with headers that do not belong there, and filter by what they say. Initially
	// false.
	NetlinkGetStrictChk = Option[bool]{"NETLINK_GET_STRICT_CHK", boolValue{}}

	// NetlinkListMemberships, NETLINK_LIST_MEMBERSHIPS, tells the multicast groups that
	// the socket is in: group n is bit (n-1)%32 of element (n-1)/32.
	NetlinkListMemberships = ReadOnlyOption[[]uint32]{"NETLINK_LIST_MEMBERSHIPS", numbers{}}

	// NetlinkNoENOBUFS, NETLINK_NO_ENOBUFS, keeps silent about messages that were lost
	// because the queue was full, instead of giving ENOBUFS. Initially false.
	NetlinkNoENOBUFS = Option[bool]{"NETLINK_NO_ENOBUFS", boolValue{}}
)

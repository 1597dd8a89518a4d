package sockopt

import "math"

// Options of netlink sockets, level SOL_NETLINK. See netlink(7).
var (
	// NetlinkAddMembership, NETLINK_ADD_MEMBERSHIP, joins the multicast group with the
	// given number.
	NetlinkAddMembership = WriteOnlyOption[int]{"NETLINK_ADD_MEMBERSHIP", number[int]{1, math.MaxInt32}}

	// NetlinkBroadcastError, NETLINK_BROADCAST_ERROR, makes sending a broadcast fail if
	// the queue of any receiver is full. Initially false.
	NetlinkBroadcastError = Option[bool]{"NETLINK_BROADCAST_ERROR", boolValue{}}

	// NetlinkCapAck, NETLINK_CAP_ACK, omits the payload of the request from error
	// messages. Initially false.
	NetlinkCapAck = Option[bool]{"NETLINK_CAP_ACK", boolValue{}}

	// NetlinkDropMembership, NETLINK_DROP_MEMBERSHIP, leaves the multicast group with the
	// given number.
	NetlinkDropMembership = WriteOnlyOption[int]{"NETLINK_DROP_MEMBERSHIP", number[int]{1, math.MaxInt32}}

	// NetlinkExtAck, NETLINK_EXT_ACK, adds attributes to error messages that explain the
	// error. Initially false.
	NetlinkExtAck = Option[bool]{"NETLINK_EXT_ACK", boolValue{}}

	// NetlinkGetStrictChk, NETLINK_GET_STRICT_CHK, makes the kernel check the headers of
	// dump requests: it refuses invalid ones, and filters by their contents. Initially
	// false.
	NetlinkGetStrictChk = Option[bool]{"NETLINK_GET_STRICT_CHK", boolValue{}}

	// NetlinkListMemberships, NETLINK_LIST_MEMBERSHIPS, is the multicast groups that the
	// socket has joined: group n is bit (n-1)%32 of element (n-1)/32.
	NetlinkListMemberships = ReadOnlyOption[[]uint32]{"NETLINK_LIST_MEMBERSHIPS", numbers{}}

	// NetlinkNoENOBUFS, NETLINK_NO_ENOBUFS, suppresses the error ENOBUFS, which reports
	// that messages were lost because the receive queue was full. Initially false.
	NetlinkNoENOBUFS = Option[bool]{"NETLINK_NO_ENOBUFS", boolValue{}}
)

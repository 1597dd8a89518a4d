//go:build linux

package sockopt

import (
	"testing"

	"golang.org/x/sys/unix"
)

// netlinkRows are the rows of TestOptions for netlink.go, in its order.
func netlinkRows() []optionRow {
	flag := func(o Option[bool], opt int) optionRow {
		return row(o, true, "netlink", rawInt(unix.SOL_NETLINK, opt, 1))
	}
	return []optionRow{
		rowTry(NetlinkAddMembership, 1, "netlink", testNetlinkMembership),
		flag(NetlinkBroadcastError, unix.NETLINK_BROADCAST_ERROR),
		flag(NetlinkCapAck, unix.NETLINK_CAP_ACK),
		rowTry(NetlinkDropMembership, 1, "netlink", testNetlinkMembership),
		flag(NetlinkExtAck, unix.NETLINK_EXT_ACK),
		flag(NetlinkGetStrictChk, unix.NETLINK_GET_STRICT_CHK),
		rowOf(NetlinkListMemberships, "netlink", testNetlinkMembership),
		flag(NetlinkNoENOBUFS, unix.NETLINK_NO_ENOBUFS),
	}
}

func testNetlinkMembership(t *testing.T, kind string) {
	c := newSocket(t, kind)
	want := func(groups uint32) {
		t.Helper()
		got, err := NetlinkListMemberships.Get(c)
		must(t, err)
		if len(got) == 0 || got[0] != groups {
			t.Errorf("memberships %b, want %b", got, groups)
		}
	}
	must(t, NetlinkAddMembership.Set(c, unix.RTNLGRP_LINK))
	want(1 << (unix.RTNLGRP_LINK - 1))
	must(t, NetlinkAddMembership.Set(c, unix.RTNLGRP_IPV4_IFADDR))
	want(1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_IFADDR-1))
	must(t, NetlinkDropMembership.Set(c, unix.RTNLGRP_LINK))
	want(1 << (unix.RTNLGRP_IPV4_IFADDR - 1))
}

package sys

import "golang.org/x/sys/unix"

// The keep-alive times are settings of the whole system here, sysctl(2).
const (
	TCP_KEEPIDLE  = -1
	TCP_KEEPINTVL = -1
	TCP_KEEPCNT   = -1
)

// What differs in the control messages of IPv4, ip(4): the type with which a type of
// service is received, and the size of what is sent. A negative one does not exist.
const (
	IP_PKTINFO      = -1
	RECEIVED_IP_TOS = -1
	IP_TOS_SIZE     = 4
)

// SO_LINGER is the option whose time is in seconds, getsockopt(2).
const SO_LINGER = unix.SO_LINGER

func maxBacklog() int { return backlogSetting("kern.somaxconn") }

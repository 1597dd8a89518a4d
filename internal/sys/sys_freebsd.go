package sys

import "golang.org/x/sys/unix"

// The keep-alive options, tcp(4).
const (
	TCP_KEEPIDLE  = unix.TCP_KEEPIDLE
	TCP_KEEPINTVL = unix.TCP_KEEPINTVL
	TCP_KEEPCNT   = unix.TCP_KEEPCNT
)

// What differs in the control messages of IPv4, ip(4): the type with which a type of
// service is received, and the size of what is sent. A negative one does not exist.
const (
	IP_PKTINFO      = -1
	RECEIVED_IP_TOS = unix.IP_RECVTOS
	IP_TOS_SIZE     = 1
)

// SO_LINGER is the option whose time is in seconds, getsockopt(2).
const SO_LINGER = unix.SO_LINGER

func maxBacklog() int { return backlogSetting("kern.ipc.soacceptqueue") }

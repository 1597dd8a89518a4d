package sys

import "golang.org/x/sys/unix"

// The keep-alive options, tcp(4).
const (
	TCP_KEEPIDLE  = unix.TCP_KEEPALIVE
	TCP_KEEPINTVL = unix.TCP_KEEPINTVL
	TCP_KEEPCNT   = unix.TCP_KEEPCNT
)

// What differs in the control messages of IPv4, ip(4): the type with which a type of
// service is received, and the size of what is sent. A negative one does not exist.
const (
	IP_PKTINFO      = unix.IP_PKTINFO
	RECEIVED_IP_TOS = unix.IP_RECVTOS
	IP_TOS_SIZE     = 4
)

// SO_LINGER is the option whose time is in seconds, getsockopt(2).
const SO_LINGER = unix.SO_LINGER_SEC // SO_LINGER counts hundredths of seconds

func maxBacklog() int { return backlogSetting("kern.ipc.somaxconn") }

package sys

import "golang.org/x/sys/unix"

// Levels and types of control messages, and options to do with them. A negative
// number is of a message that this system lacks.
const (
	SOL_UDP          = unix.SOL_UDP
	UDP_SEGMENT      = unix.UDP_SEGMENT
	UDP_GRO          = unix.UDP_GRO
	IP_PKTINFO       = unix.IP_PKTINFO
	IP_RECVDSTADDR   = -1
	IPV6_PKTINFO     = unix.IPV6_PKTINFO
	IP_TOS           = unix.IP_TOS
	RECEIVED_IP_TOS  = unix.IP_TOS // the type with which it is received
	IP_TOS_SIZE      = 4           // of what is sent
	IPV6_TCLASS      = unix.IPV6_TCLASS
	SCM_TIMESTAMP    = unix.SCM_TIMESTAMP
	SCM_TIMESTAMPNS  = unix.SCM_TIMESTAMPNS
	SO_RXQ_OVFL      = unix.SO_RXQ_OVFL
	IP_TTL           = unix.IP_TTL
	IPV6_HOPLIMIT    = unix.IPV6_HOPLIMIT
	IP_ORIGDSTADDR   = unix.IP_ORIGDSTADDR
	IPV6_ORIGDSTADDR = unix.IPV6_ORIGDSTADDR
	SCM_TIMESTAMPING = unix.SO_TIMESTAMPING
	SCM_TXTIME       = unix.SO_TXTIME
	IP_RECVERR       = unix.IP_RECVERR
	IPV6_RECVERR     = unix.IPV6_RECVERR
	MSG_ERRQUEUE     = unix.MSG_ERRQUEUE
	MSG_CTRUNC       = unix.MSG_CTRUNC
)

// TellsSpecDst says that a received struct in_pktinfo has the address of this host beside
// the destination, ip(7).
const TellsSpecDst = true

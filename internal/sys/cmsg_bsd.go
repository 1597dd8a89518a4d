//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import "golang.org/x/sys/unix"

// Levels and types of control messages, and options to do with them. A negative
// number is of a message that this system lacks, or that looks different here.
const (
	SOL_UDP          = -1
	UDP_SEGMENT      = -1
	UDP_GRO          = -1
	IP_RECVDSTADDR   = unix.IP_RECVDSTADDR // as IP_SENDSRCADDR, the source to send from, but on macOS
	IPV6_PKTINFO     = unix.IPV6_PKTINFO
	IP_TOS           = unix.IP_TOS
	IPV6_TCLASS      = unix.IPV6_TCLASS
	SCM_TIMESTAMP    = -1
	SCM_TIMESTAMPNS  = -1
	SO_RXQ_OVFL      = -1
	IP_TTL           = unix.IP_RECVTTL
	IPV6_HOPLIMIT    = unix.IPV6_HOPLIMIT
	IP_ORIGDSTADDR   = -1
	IPV6_ORIGDSTADDR = -1
	SCM_TIMESTAMPING = -1
	SCM_TXTIME       = -1
	IP_RECVERR       = -1
	IPV6_RECVERR     = -1
	MSG_ERRQUEUE     = 0
	MSG_CTRUNC       = unix.MSG_CTRUNC
)

// TellsSpecDst says that a received struct in_pktinfo has the address of this host beside
// the destination. macOS leaves it empty, see ip_savecontrol in bsd/netinet/ip_input.c.
const TellsSpecDst = false

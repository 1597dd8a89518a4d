//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package sys

const (
	SOL_UDP          = -1
	UDP_SEGMENT      = -1
	UDP_GRO          = -1
	IP_PKTINFO       = -1
	IP_RECVDSTADDR   = -1
	IPV6_PKTINFO     = -1
	IP_TOS           = -1
	RECEIVED_IP_TOS  = -1
	IP_TOS_SIZE      = 4
	IPV6_TCLASS      = -1
	SCM_TIMESTAMP    = -1
	SCM_TIMESTAMPNS  = -1
	SO_RXQ_OVFL      = -1
	IP_TTL           = -1
	IPV6_HOPLIMIT    = -1
	IP_ORIGDSTADDR   = -1
	IPV6_ORIGDSTADDR = -1
	SCM_TIMESTAMPING = -1
	SCM_TXTIME       = -1
	IP_RECVERR       = -1
	IPV6_RECVERR     = -1
	MSG_ERRQUEUE     = 0
	MSG_CTRUNC       = 0
)

func CmsgSpace(n int) int                                       { return n }
func NextCmsg(b []byte) (c Cmsg, rest []byte, ok bool)          { return Cmsg{}, nil, false }
func cmsgLen(n int) int                                         { return n }
func putCmsgLen(h []byte, n int)                                {}
func AppendCmsg(b []byte, level, typ, n int) (all, data []byte) { return b, make([]byte, n) }

// TellsSpecDst is of no account: there are no such messages.
const TellsSpecDst = false

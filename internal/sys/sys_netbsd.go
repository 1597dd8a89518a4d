package sys

import "golang.org/x/sys/unix"

// The keep-alive options, tcp(4).
const (
	TCP_KEEPIDLE  = unix.TCP_KEEPIDLE
	TCP_KEEPINTVL = unix.TCP_KEEPINTVL
	TCP_KEEPCNT   = unix.TCP_KEEPCNT
)

func maxBacklog() int { return unix.SOMAXCONN }

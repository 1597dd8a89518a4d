package sys

import "golang.org/x/sys/unix"

// The keep-alive times are settings of the whole system here, sysctl(2).
const (
	TCP_KEEPIDLE  = -1
	TCP_KEEPINTVL = -1
	TCP_KEEPCNT   = -1
)

func maxBacklog() int {
	n, _ := unix.SysctlUint32("kern.somaxconn")
	return int(n)
}

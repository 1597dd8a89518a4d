package sys

import "golang.org/x/sys/unix"

var optTables = [][]Opt{bsdOpts, {
	{Name: "IP_PKTINFO", Level: unix.IPPROTO_IP, Num: unix.IP_PKTINFO},
	{Name: "IP_RECVTOS", Level: unix.IPPROTO_IP, Num: unix.IP_RECVTOS},
	{Name: "TCP_KEEPCNT", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPCNT},
	{Name: "TCP_KEEPIDLE", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPALIVE},
	{Name: "TCP_KEEPINTVL", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPINTVL},
	{Name: "TCP_NOTSENT_LOWAT", Level: unix.IPPROTO_TCP, Num: unix.TCP_NOTSENT_LOWAT},
}}

package sys

import "golang.org/x/sys/unix"

var optTables = [][]Opt{bsdOpts, {
	{Name: "IP_PKTINFO", Level: unix.IPPROTO_IP, Num: unix.IP_RECVDSTADDR}, // the address without the interface
	{Name: "TCP_KEEPCNT", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPCNT},
	{Name: "TCP_KEEPIDLE", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPIDLE},
	{Name: "TCP_KEEPINTVL", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPINTVL},
}}

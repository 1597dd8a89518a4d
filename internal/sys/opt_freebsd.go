package sys

import "golang.org/x/sys/unix"

var optTables = [][]Opt{bsdOpts, {
	{Name: "IP_MINTTL", Level: unix.IPPROTO_IP, Num: unix.IP_MINTTL},
	{Name: "IP_PKTINFO", Level: unix.IPPROTO_IP, Num: unix.IP_RECVDSTADDR}, // the address without the interface
	{Name: "IP_RECVTOS", Level: unix.IPPROTO_IP, Num: unix.IP_RECVTOS},
	{Name: "SO_DOMAIN", Level: unix.SOL_SOCKET, Num: unix.SO_DOMAIN},
	{Name: "SO_PROTOCOL", Level: unix.SOL_SOCKET, Num: unix.SO_PROTOCOL},
	{Name: "TCP_CONGESTION", Level: unix.IPPROTO_TCP, Num: unix.TCP_CONGESTION},
	{Name: "TCP_KEEPCNT", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPCNT},
	{Name: "TCP_KEEPIDLE", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPIDLE},
	{Name: "TCP_KEEPINTVL", Level: unix.IPPROTO_TCP, Num: unix.TCP_KEEPINTVL},
}}

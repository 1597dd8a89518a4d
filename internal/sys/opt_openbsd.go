package sys

import "golang.org/x/sys/unix"

var optTables = [][]Opt{bsdOpts, {
	{Name: "IP_MINTTL", Level: unix.IPPROTO_IP, Num: unix.IP_MINTTL},
	{Name: "IP_PKTINFO", Level: unix.IPPROTO_IP, Num: unix.IP_RECVDSTADDR}, // the address without the interface
	{Name: "SO_DOMAIN", Level: unix.SOL_SOCKET, Num: unix.SO_DOMAIN},
	{Name: "SO_PROTOCOL", Level: unix.SOL_SOCKET, Num: unix.SO_PROTOCOL},
}}

package sockets

import (
	"net"

	"github.com/iolib-go/sockets/internal/sys"
)

// unixNet returns what package net calls an AF_UNIX socket of type typ.
func unixNet(typ int) string {
	switch typ {
	case sys.SOCK_STREAM:
		return "unix"
	case sys.SOCK_DGRAM:
		return "unixgram"
	}
	return "unixpacket"
}

// unixAddress returns the address with path s.
func unixAddress(k *kind, _ bool, s string) (net.Addr, error) {
	return &net.UnixAddr{Name: s, Net: k.network}, nil
}

// decodeUnixAddr returns the sender's address, nil if it has no name.
func decodeUnixAddr(sa *sys.Sockaddr, typ int) *net.UnixAddr {
	if sa.Family() != sys.AF_UNIX {
		return nil
	}
	name := sa.Unix()
	if name == "" {
		return nil
	}
	return &net.UnixAddr{Name: name, Net: unixNet(typ)}
}

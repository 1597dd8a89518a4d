package sockets

import (
	"net"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Pair makes two connected unix sockets, of network "unix", "unixgram" or
// "unixpacket". They have no names. See socketpair(2).
func Pair(network string) (a, b *UnixConn, err error) {
	k, err := kindOf(network, unixNetworks)
	var fds [2]*netfd.FD
	if err == nil {
		fds, err = netfd.Pair(netfd.Kind{Family: k.family, Type: k.typ, Proto: k.proto, Network: k.network})
	}
	if err != nil {
		return nil, nil, openError("socketpair", network, nil, nil, err)
	}
	unnamed := func() net.Addr { return &net.UnixAddr{Name: sys.UnnamedUnix, Net: k.network} }
	for _, fd := range fds {
		fd.SetAddrs(unnamed(), unnamed(), true)
	}
	return newConn(fds[0]).(*UnixConn), newConn(fds[1]).(*UnixConn), nil
}

package sockets

import (
	"net"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// Pair makes two connected unix sockets, of network "unix", "unixgram" or
// "unixpacket". They have no names. See socketpair(2).
func Pair(network string) (a, b *UnixConn, err error) {
	k, err := kindOf(network, unixNetworks)
	var fds [2]int
	if err == nil {
		var errno syscall.Errno
		fds, errno = sys.Socketpair(k.family, k.typ, k.proto)
		err = netfd.CallError("socketpair", errnoErr(errno))
	}
	if err == nil {
		a, b, err = newPair(k, fds)
	}
	if err != nil {
		return nil, nil, openError("socketpair", network, nil, nil, err)
	}
	return a, b, nil
}

func newPair(k *kind, fds [2]int) (a, b *UnixConn, err error) {
	var ends [2]*netfd.FD
	for i, s := range fds {
		fd, err := netfd.New(s, netfd.Kind{Family: k.family, Type: k.typ, Proto: k.proto, Network: k.network})
		if err == nil {
			if err = fd.Init(); err != nil {
				fd.Close()
			}
		}
		if err != nil {
			if i == 0 {
				sys.Close(fds[1])
			} else {
				ends[0].Close()
			}
			return nil, nil, err
		}
		unnamed := func() net.Addr { return &net.UnixAddr{Name: sys.UnnamedUnix, Net: k.network} }
		fd.SetAddrs(unnamed(), unnamed(), true)
		ends[i] = fd
	}
	return newConn(ends[0]).(*UnixConn), newConn(ends[1]).(*UnixConn), nil
}

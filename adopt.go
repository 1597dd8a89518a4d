package sockets

import (
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// FileConn returns a connection that uses a copy of f's descriptor. The caller must
// close both f and the connection. The socket becomes non-blocking, for f as well.
//
// The result is a [*TCPConn], [*UDPConn], [*IPConn] or [*UnixConn]. A TCP connection gets the
// defaults of a new one: NoDelay and KeepAlive are turned on.
func FileConn(f *os.File) (net.Conn, error) {
	fd, err := adoptFile(f, func(family, typ int) bool { return true })
	if err != nil {
		return nil, fileError(f.Name(), err)
	}
	if isTCP(fd) {
		setTCPDefaults(fd, 0, net.KeepAliveConfig{})
	}
	return newConn(fd), nil
}

// FileListener returns a listener that uses a copy of f's descriptor. The caller must
// close both f and the listener. The socket becomes non-blocking, for f as well. A
// [*UnixListener] does not remove the socket's file unless
// [UnixListener.SetUnlinkOnClose] tells it to.
func FileListener(f *os.File) (net.Listener, error) {
	fd, err := adoptFile(f, func(family, typ int) bool { return family == sys.AF_UNIX || typ == sys.SOCK_STREAM })
	if err != nil {
		return nil, fileError(f.Name(), err)
	}
	return noListenConfig.adopted(fd), nil
}

// FilePacketConn returns a packet socket that uses a copy of f's descriptor. The caller
// must close both f and the result. The socket becomes non-blocking, for f as well.
func FilePacketConn(f *os.File) (net.PacketConn, error) {
	fd, err := adoptFile(f, func(family, typ int) bool {
		return family == sys.AF_UNIX || typ == sys.SOCK_DGRAM || typ == sys.SOCK_RAW
	})
	if err != nil {
		return nil, fileError(f.Name(), err)
	}
	return newConn(fd).(net.PacketConn), nil
}

// adoptFile duplicates f's descriptor if package net knows such sockets, and if it
// is of a kind that fits.
func adoptFile(f *os.File, fits func(family, typ int) bool) (*netfd.FD, error) {
	fd, p, err := adoptCopy(f, func(family, typ int) error {
		switch family {
		case sys.AF_INET, sys.AF_INET6, sys.AF_UNIX:
			if !fits(family, typ) {
				return syscall.EINVAL
			}
			return nil
		case sys.AF_NETLINK, sys.AF_PACKET:
			return syscall.EPROTONOSUPPORT
		}
		return os.NewSyscallError("getsockname", syscall.EAFNOSUPPORT)
	})
	if err != nil {
		return nil, err
	}
	return described(fd, &p), nil
}

// adoptCopy returns an FD with a copy of f's descriptor, if check has nothing
// against the socket.
func adoptCopy(f *os.File, check func(family, typ int) error) (fd *netfd.FD, p netfd.Probed, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, p, os.NewSyscallError("fcntl", syscall.EBADF)
	}
	// Not f.Fd, which would make the socket blocking for a moment. A closed file does
	// not call back.
	raw.Control(func(s uintptr) { fd, p, err = netfd.AdoptCopy(int(s), check) })
	if fd == nil && err == nil {
		err = os.NewSyscallError("fcntl", syscall.EBADF)
	}
	return fd, p, err
}

// described gives an adopted FD the network and the addresses that the socket tells.
func described(fd *netfd.FD, p *netfd.Probed) *netfd.FD {
	fd.SetKind(netfd.Kind{Family: p.Family, Type: p.Type, Proto: p.Proto, Network: networkName(p.Family, p.Type, p.Proto)})
	laddr := decodeAddr(fd, &p.Local)
	if laddr != nil {
		fd.SetKind(netfd.Kind{Family: p.Family, Type: p.Type, Proto: p.Proto, Network: laddr.Network()})
	}
	raddr := decodeAddr(fd, &p.Remote)
	if n, ok := raddr.(*NetlinkAddr); ok && *n == (NetlinkAddr{}) {
		raddr = nil // what getpeername says of a socket without a peer, too
	}
	fd.SetAddrs(laddr, raddr, false)
	return fd
}

// FromFD returns a [Socket] that owns the descriptor fd: the caller must not use or
// close fd any more. If FromFD returns an error, the caller still owns fd. FromFD finds
// out the family, type, protocol and addresses, and whether the socket listens or is
// connected; it does not change options.
//
// If fd is 0, 1 or 2, FromFD moves the socket to another number and puts the null
// device in its place, so that no file opened later becomes standard input, output or
// error of this program or of one that it starts. To serve a connection that inetd(8)
// passes on all three, take 0, and also 1 and 2 unless the peer is to see what the
// program prints there.
//
// The socket becomes non-blocking for all processes and descriptors that share it. See
// [SetBlocking].
//
// The error matches [syscall.EBADF] if fd is not open, and [syscall.ENOTSOCK] if it is
// not a socket.
func FromFD(fd int) (*Socket, error) {
	taken, p, err := netfd.Take(fd)
	if err != nil {
		return nil, fileError("descriptor "+strconv.Itoa(fd), err)
	}
	return adopted(taken, &p), nil
}

// FromFile returns a [Socket] that uses a copy of f's descriptor, as [FromFD] does for
// the descriptor itself. The caller must close both f and the Socket.
//
// It also works with [os.Stdin], which stays open but becomes non-blocking. Package os
// is not prepared for that: use only the Socket from then on, or call [SetBlocking]
// when the Socket is no longer used.
func FromFile(f *os.File) (*Socket, error) {
	if f == nil {
		return nil, openError("file", "file+net", nil, nil, os.NewSyscallError("fcntl", syscall.EBADF))
	}
	fd, p, err := adoptCopy(f, func(family, typ int) error { return nil })
	if err != nil {
		return nil, fileError(f.Name(), err)
	}
	return adopted(fd, &p), nil
}

// adopted returns fd as a Socket. Others made it, so that its peer counts as chosen by
// connect if it has one.
func adopted(fd *netfd.FD, p *netfd.Probed) *Socket {
	described(fd, p)
	fd.SetAddrs(fd.Local(), fd.Remote(), fd.Remote() != nil)
	s := new(Socket)
	s.fd.Store(fd)
	return s
}

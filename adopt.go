package sockets

import (
	"math"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// FileConn returns a connection on a copy of f's descriptor; the caller closes
// both. The socket becomes non-blocking, for f as well. The result is a *TCPConn,
// *UDPConn, *IPConn or *UnixConn, and a TCP connection gets the defaults of a new
// one: no delay, keep-alive.
func FileConn(f *os.File) (net.Conn, error) {
	fd, err := adoptFile(f, func(*probed) bool { return true })
	if err != nil {
		return nil, fileError(f.Name(), err)
	}
	if isTCP(fd) {
		setTCPDefaults(fd, 0, net.KeepAliveConfig{})
	}
	return newConn(fd), nil
}

// FileListener returns a listener on a copy of f's descriptor; the caller closes
// both. The socket becomes non-blocking, for f as well. A *UnixListener does not
// remove the socket's file unless told to.
func FileListener(f *os.File) (net.Listener, error) {
	fd, err := adoptFile(f, func(p *probed) bool { return p.family == sys.AF_UNIX || p.typ == sys.SOCK_STREAM })
	if err != nil {
		return nil, fileError(f.Name(), err)
	}
	return new(ListenConfig).adopted(fd), nil
}

// FilePacketConn returns a datagram socket on a copy of f's descriptor; the caller
// closes both. The socket becomes non-blocking, for f as well.
func FilePacketConn(f *os.File) (net.PacketConn, error) {
	fd, err := adoptFile(f, func(p *probed) bool {
		return p.family == sys.AF_UNIX || p.typ == sys.SOCK_DGRAM || p.typ == sys.SOCK_RAW
	})
	if err != nil {
		return nil, fileError(f.Name(), err)
	}
	return newConn(fd).(net.PacketConn), nil
}

// adoptFile duplicates f's descriptor if package net knows such sockets, and if it
// is of a kind that fits.
func adoptFile(f *os.File, fits func(*probed) bool) (*netfd.FD, error) {
	return adoptCopy(f, func(p *probed) error {
		switch p.family {
		case sys.AF_INET, sys.AF_INET6, sys.AF_UNIX:
			if !fits(p) {
				return syscall.EINVAL
			}
			return nil
		case sys.AF_NETLINK, sys.AF_PACKET:
			return syscall.EPROTONOSUPPORT
		}
		return os.NewSyscallError("getsockname", syscall.EAFNOSUPPORT)
	})
}

// adoptCopy returns an FD with a copy of f's descriptor, if check has nothing
// against the socket.
func adoptCopy(f *os.File, check func(*probed) error) (fd *netfd.FD, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, os.NewSyscallError("fcntl", syscall.EBADF)
	}
	err = os.NewSyscallError("fcntl", syscall.EBADF)
	// Not f.Fd, which would make the socket blocking for a moment. A closed file
	// does not call back, and keeps the error.
	raw.Control(func(s uintptr) { fd, err = adopt(int(s), check) })
	return fd, err
}

// adopt returns an FD with a copy of sysfd, if check has nothing against the
// socket. sysfd stays the caller's. The socket becomes non-blocking, unless it
// fails.
func adopt(sysfd int, check func(*probed) error) (*netfd.FD, error) {
	p, err := probe(sysfd)
	if err != nil {
		// Without a copy, whose close would give up the locks of a file, fcntl(2).
		return nil, err
	}
	nfd, errno := sys.Dup(uintptr(sysfd))
	if errno != 0 {
		return nil, os.NewSyscallError("fcntl", errno)
	}
	if err := check(p); err != nil {
		sys.Close(nfd)
		return nil, err
	}
	nonblocking, err := p.setNonblock(nfd)
	if err != nil {
		return nil, err
	}
	fd, err := p.own(nfd)
	if err != nil && !nonblocking {
		sys.SetBlocking(sysfd)
	}
	return fd, err
}

// own is adopt for a descriptor that becomes the FD's, or is closed if that fails. It
// needs no other one, of which there may be none.
func own(sysfd int) (*netfd.FD, error) {
	p, err := probe(sysfd)
	if err != nil {
		sys.Close(sysfd)
		return nil, err
	}
	if _, err := p.setNonblock(sysfd); err != nil {
		return nil, err
	}
	return p.own(sysfd)
}

// setNonblock makes sysfd non-blocking, and reports whether it was so already. It
// closes sysfd if it fails. Where package net asks getsockname, it has set the mode
// before. Here it comes last, for it is the one thing that others see.
func (p *probed) setNonblock(sysfd int) (was bool, err error) {
	was, errno := sys.Nonblocking(sysfd)
	if errno == 0 && !was {
		errno = sys.SetNonblock(sysfd)
	}
	if errno != 0 {
		sys.Close(sysfd)
		return was, os.NewSyscallError("setnonblock", errno)
	}
	return was, nil
}

// probed is what a socket tells about itself.
type probed struct {
	family, typ, proto int
	local, remote      sys.Sockaddr // no address if there is none
}

// probe finds out what kind of socket sysfd is, and changes nothing.
func probe(sysfd int) (*probed, error) {
	s := uintptr(sysfd)
	p := new(probed)
	var errno syscall.Errno
	if p.typ, errno = sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_TYPE); errno != 0 {
		return nil, os.NewSyscallError("getsockopt", errno)
	}
	nameErrno := sys.Getsockname(s, &p.local)
	if p.family, errno = sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_DOMAIN); errno != 0 {
		// Only the address tells.
		if nameErrno != 0 {
			return nil, os.NewSyscallError("getsockname", nameErrno)
		}
		p.family = p.local.Family()
	}
	p.proto, _ = sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_PROTOCOL)
	sys.Getpeername(s, &p.remote) // none if it is not connected
	return p, nil
}

// own makes sysfd, which must be non-blocking, an FD in the poller. It closes sysfd
// if it fails.
func (p *probed) own(sysfd int) (*netfd.FD, error) {
	fd, err := netfd.New(sysfd, netfd.Kind{Family: p.family, Type: p.typ, Proto: p.proto, Network: networkName(p.family, p.typ, p.proto)})
	if err != nil {
		return nil, err
	}
	fd.FindOffload()
	if err := fd.Init(); err != nil {
		fd.Close()
		return nil, err
	}
	laddr := decodeAddr(fd, &p.local)
	if laddr != nil {
		fd.SetKind(netfd.Kind{Family: p.family, Type: p.typ, Proto: p.proto, Network: laddr.Network()})
	}
	raddr := decodeAddr(fd, &p.remote)
	if n, ok := raddr.(*NetlinkAddr); ok && *n == (NetlinkAddr{}) {
		raddr = nil // what getpeername says of a socket without a peer, too
	}
	fd.SetAddrs(laddr, raddr, false)
	return fd, nil
}

// anySocket has nothing against any socket.
func anySocket(*probed) error { return nil }

// FromFD makes a Socket of descriptor fd and takes ownership of it: the caller must not
// use or close the number any more. If FromFD fails, fd remains the caller's. Family,
// type, protocol, addresses and whether the socket listens or is connected are found
// out; options stay as they are.
//
// The numbers 0, 1 and 2 are replaced by the null device, so that no file that is
// opened later becomes the standard input, output or error of this program or of one
// that it starts. To serve a connection that inetd(8) hands over on all three, take 0,
// and also 1 and 2 unless the peer is to read what is printed there.
//
// The socket becomes non-blocking for all processes and descriptors that share it. See
// SetBlocking.
//
// The error matches syscall.EBADF if fd is not open, and syscall.ENOTSOCK if it is not
// a socket.
func FromFD(fd int) (*Socket, error) {
	s, err := fromFD(fd)
	if err != nil {
		return nil, fileError("descriptor "+strconv.Itoa(fd), err)
	}
	return s, nil
}

func fromFD(sysfd int) (*Socket, error) {
	if sysfd < 0 || sysfd > math.MaxInt32 {
		// The kernel would take the low 32 bits.
		return nil, os.NewSyscallError("getsockopt", syscall.EBADF)
	}
	if sysfd > 2 {
		fd, err := adopt(sysfd, anySocket)
		if err != nil {
			return nil, err
		}
		sys.Close(sysfd)
		return adopted(fd), nil
	}
	null := -1
	fd, err := adopt(sysfd, func(*probed) (err error) {
		// Not before it is known that sysfd is open, or null might be that.
		var errno syscall.Errno
		if null, errno = sys.OpenNull(); errno != 0 {
			err = os.NewSyscallError("open", errno)
		}
		return err
	})
	if null >= 0 {
		defer sys.Close(null)
	}
	if err != nil {
		return nil, err
	}
	sys.Dup2(null, sysfd)
	return adopted(fd), nil
}

// FromFile makes a Socket of a duplicate of f's descriptor, see FromFD. The caller
// closes both f and the Socket.
//
// It works with os.Stdin as well, which stays open but becomes non-blocking, for which
// package os is not prepared: use only the Socket from then on, or call SetBlocking
// when the Socket is no longer used.
func FromFile(f *os.File) (*Socket, error) {
	if f == nil {
		return nil, openError("file", "file+net", nil, nil, os.NewSyscallError("fcntl", syscall.EBADF))
	}
	fd, err := adoptCopy(f, anySocket)
	if err != nil {
		return nil, fileError(f.Name(), err)
	}
	return adopted(fd), nil
}

// adopted returns fd as a Socket. Somebody else made it, so that its peer counts
// as chosen by connect if it has one.
func adopted(fd *netfd.FD) *Socket {
	fd.SetAddrs(fd.Local(), fd.Remote(), fd.Remote() != nil)
	s := new(Socket)
	s.fd.Store(fd)
	return s
}

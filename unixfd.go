package sockets

import (
	"net"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// fileAddr is the address in errors about a file that is no socket of use.
type fileAddr string

func (fileAddr) Network() string  { return "file+net" }
func (f fileAddr) String() string { return string(f) }

func fileError(f *os.File, err error) error {
	return &net.OpError{Op: "file", Net: "file+net", Addr: fileAddr(f.Name()), Err: err}
}

// FileConn returns a connection on a copy of f's descriptor; the caller closes
// both. The socket becomes non-blocking, for f as well. The result is a *TCPConn,
// *UDPConn, *IPConn or *UnixConn, and a TCP connection gets the defaults of a new
// one: no delay, keep-alive.
func FileConn(f *os.File) (net.Conn, error) {
	fd, err := adoptFile(f)
	if err != nil {
		return nil, fileError(f, err)
	}
	switch fd.Local().(type) {
	case *net.TCPAddr:
		setTCPDefaults(fd, 0, net.KeepAliveConfig{})
		return &TCPConn{conn{fd}}, nil
	case *net.UDPAddr:
		return &UDPConn{conn{fd}}, nil
	case *net.IPAddr:
		return &IPConn{conn{fd}}, nil
	case *net.UnixAddr:
		return &UnixConn{conn{fd}}, nil
	}
	fd.Close()
	return nil, fileError(f, syscall.EINVAL)
}

// FileListener returns a listener on a copy of f's descriptor; the caller closes
// both. The socket becomes non-blocking, for f as well. A *UnixListener does not
// remove the socket's file unless told to.
func FileListener(f *os.File) (net.Listener, error) {
	fd, err := adoptFile(f)
	if err != nil {
		return nil, fileError(f, err)
	}
	l := newListener(fd, true)
	l.setDefaults = true
	switch fd.Local().(type) {
	case *net.TCPAddr:
		return &TCPListener{l}, nil
	case *net.UnixAddr:
		return newUnixListener(l, false), nil
	}
	fd.Close()
	return nil, fileError(f, syscall.EINVAL)
}

// FilePacketConn returns a datagram socket on a copy of f's descriptor; the caller
// closes both. The socket becomes non-blocking, for f as well.
func FilePacketConn(f *os.File) (net.PacketConn, error) {
	fd, err := adoptFile(f)
	if err != nil {
		return nil, fileError(f, err)
	}
	switch fd.Local().(type) {
	case *net.UDPAddr:
		return &UDPConn{conn{fd}}, nil
	case *net.IPAddr:
		return &IPConn{conn{fd}}, nil
	case *net.UnixAddr:
		return &UnixConn{conn{fd}}, nil
	}
	fd.Close()
	return nil, fileError(f, syscall.EINVAL)
}

// adoptFile duplicates f's descriptor and finds out what kind of socket it is, as
// far as package net knows them.
func adoptFile(f *os.File) (*netfd.FD, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, os.NewSyscallError("fcntl", syscall.EBADF)
	}
	nfd, errno := -1, syscall.EBADF
	// Not f.Fd, which would make the socket blocking for a moment. A closed file
	// does not call back, and keeps EBADF.
	raw.Control(func(s uintptr) { nfd, errno = sys.Dup(s) })
	if errno != 0 {
		return nil, os.NewSyscallError("fcntl", errno)
	}
	fd, err := adopt(nfd)
	if err != nil {
		sys.Close(nfd)
		return nil, err
	}
	if err := fd.Init(); err != nil {
		fd.Close()
		return nil, err
	}
	return fd, nil
}

// adopt returns a bare FD for sysfd, which stays the caller's if it fails.
func adopt(sysfd int) (*netfd.FD, error) {
	if errno := sys.SetNonblock(sysfd); errno != 0 {
		return nil, os.NewSyscallError("setnonblock", errno)
	}
	s := uintptr(sysfd)
	typ, errno := sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_TYPE)
	if errno != 0 {
		return nil, os.NewSyscallError("getsockopt", errno)
	}
	var local, remote sys.Sockaddr
	if errno := sys.Getsockname(s, &local); errno != 0 {
		return nil, os.NewSyscallError("getsockname", errno)
	}
	sys.Getpeername(s, &remote) // none if it is not connected
	switch local.Family() {
	case sys.AF_INET, sys.AF_INET6, sys.AF_UNIX:
	default:
		return nil, syscall.EPROTONOSUPPORT
	}
	proto, _ := sys.GetsockoptInt(s, sys.SOL_SOCKET, sys.SO_PROTOCOL)
	fd, err := netfd.New(sysfd, local.Family(), typ, proto, "")
	if err != nil {
		return nil, err
	}
	laddr := decodeAddr(fd, &local)
	if laddr != nil {
		fd.Network = laddr.Network()
	}
	fd.SetAddrs(laddr, decodeAddr(fd, &remote), false)
	return fd, nil
}

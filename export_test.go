package sockets

import (
	"net"
	"os"
	"syscall"

	"github.com/iolib-go/sockets/internal/codec"
	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// StreamConnOf and StreamListenerOf turn what every system has into the types of
// families that need a virtual machine or a kernel module.
func StreamConnOf(c *UnixConn) *StreamConn { return &StreamConn{c.conn} }

// StreamListenerOf is described at StreamConnOf. l becomes the StreamListener.
func StreamListenerOf(l *UnixListener) *StreamListener {
	k := *l.l.fd.Kind
	k.Family = sys.AF_VSOCK // which is what decides
	l.l.fd.SetKind(k)
	return newListener(l.l, socketFile{}).(*StreamListener)
}

// HooksIn is what traces are found with, for a release of net that has another key.
var HooksIn = hooksIn

// Functions that take what a peer or the kernel sent, for fuzzing.
var (
	ParseQueuedError = parseQueuedError
	StripIPv4Header  = stripIPv4Header
)

// FileByNet is the File method of c where package os is one that is not known yet.
func FileByNet(c net.Conn) (*os.File, error) {
	var fd *netfd.FD
	switch c := c.(type) {
	case *TCPConn:
		fd = c.fd
	case *UDPConn:
		fd = c.fd
	case *UnixConn:
		fd = c.fd
	case *PacketConn:
		fd = c.fd
	}
	f, err := fd.Dup(fileName(fd))
	if err != nil {
		return nil, err
	}
	return fileByNet(fd, f)
}

// CodecOf returns what f is to package codec.
func CodecOf(f ExternalFormat) codec.Format {
	c, err := f.codec()
	if err != nil {
		panic(err)
	}
	return c
}

// HoldsMemory reports whether c holds more than its struct.
func HoldsMemory(c *TextConn) bool {
	return c.r.block != nil || c.w.block != nil || c.r.own != nil || c.w.own != nil
}

// AcceptStripped accepts a connection, and calls strip with it before the listener has
// looked at it.
func AcceptStripped(l *TCPListener, strip func(syscall.Conn)) (*TCPConn, error) {
	var peer sys.Sockaddr
	fd, err := l.l.fd.Accept(&peer)
	if err != nil {
		return nil, err
	}
	strip(bareConn{fd})
	if fd, err = l.l.accepted(&peer, fd, nil); err != nil {
		return nil, err
	}
	return newConn(fd).(*TCPConn), nil
}

// bareConn is a descriptor without a role.
type bareConn struct{ fd *netfd.FD }

func (c bareConn) SyscallConn() (syscall.RawConn, error) { return (*rawConn)(c.fd), nil }

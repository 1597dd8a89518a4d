package sockets

import (
	"io"
	"net"
	"os"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// File returns a file with a copy of the descriptor; the caller closes both. The
// first call of its Fd method makes the socket blocking, for both.
func (c *conn) File() (*os.File, error) {
	f, err := dupFile(c.fd)
	if err != nil {
		return nil, opError(c.fd, "file", err)
	}
	return f, nil
}

// dupFile returns a file for a copy of fd whose Fd method makes it blocking, as
// files of package net do: package os gives that only to those.
func dupFile(fd *netfd.FD) (*os.File, error) {
	nfd, err := fd.Dup()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(nfd), fileName(fd))
	var source interface {
		File() (*os.File, error)
		io.Closer
	}
	switch {
	case fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 && fd.Family != sys.AF_UNIX:
		return f, nil
	case isTCP(fd):
		// Not FileConn, which would set options of the socket they share.
		l, err := net.FileListener(f)
		if err != nil {
			return f, nil
		}
		source = l.(*net.TCPListener)
	default:
		c, err := net.FilePacketConn(f)
		if err != nil {
			return f, nil
		}
		source = c.(interface {
			File() (*os.File, error)
			io.Closer
		})
	}
	f.Close() // before the third copy: descriptors may be scarce
	defer source.Close()
	g, err := source.File()
	if err != nil {
		if op, ok := err.(*net.OpError); ok {
			err = op.Err
		}
		return nil, err
	}
	sys.NameFile(g, fileName(fd)) // net has not seen the network that the user named, nor a peer that is gone
	return g, nil
}

func fileName(fd *netfd.FD) string {
	var local, remote string
	if a := fd.Local(); a != nil {
		local = a.String()
	}
	if a := fd.Remote(); a != nil {
		remote = a.String()
	}
	return fd.Network + ":" + local + "->" + remote
}

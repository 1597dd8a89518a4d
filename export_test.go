package sockets

import "github.com/iolib-go/sockets/internal/sys"

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

// WrapsEOF is how this release's package net reports the end of a stream.
const WrapsEOF = wrapsEOF

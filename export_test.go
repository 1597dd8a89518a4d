package sockets

// StreamConnOf and StreamListenerOf turn what every system has into the types of
// families that need a virtual machine or a kernel module.
func StreamConnOf(c *UnixConn) *StreamConn { return &StreamConn{c.conn} }

// StreamListenerOf is described at StreamConnOf.
func StreamListenerOf(l *UnixListener) *StreamListener { return &StreamListener{l.l} }

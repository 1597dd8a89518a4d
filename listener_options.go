package sockets

import (
	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// How accepted connections come by the options of the listening socket.
const (
	heirsUnknown  = iota // before the first connection
	heirsByKernel        // as on Linux
	heirsByUs
)

// handedDown are the options that every TCP connection has from its listener.
var handedDown = [...]struct{ level, name int }{
	{sys.IPPROTO_TCP, sys.TCP_NODELAY},
	{sys.SOL_SOCKET, sys.SO_KEEPALIVE},
	{sys.IPPROTO_TCP, sys.TCP_KEEPIDLE},
	{sys.IPPROTO_TCP, sys.TCP_KEEPINTVL},
	{sys.IPPROTO_TCP, sys.TCP_KEEPCNT},
}

// handDown gives an accepted TCP connection the options of the listening socket. Most
// kernels have done so; gVisor does not, nor did Linux at first for Multipath TCP, and
// other systems each have their own way. So the first connection is looked at, and
// what is missing there is set on all of them. A failure leaves what the kernel chose.
func (l *listener) handDown(fd *netfd.FD) {
	unequal := false
	for _, o := range handedDown {
		want, err := l.fd.GetsockoptInt(o.level, o.name)
		if err != nil {
			continue
		}
		if got, err := fd.GetsockoptInt(o.level, o.name); err == nil && got != want {
			unequal = true
			fd.SetsockoptInt(o.level, o.name, want)
		}
	}
	if l.heirs.Load() == heirsUnknown {
		if !unequal {
			l.heirs.Store(heirsByKernel)
			return
		}
		l.heirs.Store(heirsByUs)
	}
	for _, s := range l.options {
		s.Apply((*rawConn)(fd))
	}
}

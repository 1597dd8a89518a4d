package sockets

import (
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
)

// inheritance gives accepted connections what was set on the listening socket. Kernels
// hand most of it down, each in its own way: gVisor nothing, Linux all but a few
// options, which are more if the listener is for Multipath TCP and the client is not.
// So the first connections are compared with the listener, and what is missing there
// is set on all of them.
type inheritance struct {
	defaults *tcpDefaults      // to be set on each TCP connection first; nil if the listener has them
	options  []sockopt.Setting // that were set besides the defaults

	known    atomic.Bool // what is missing
	missing  atomic.Pointer[[]heirloom]
	learning sync.Mutex
}

// tcpDefaults are the arguments of setTCPDefaults.
type tcpDefaults struct {
	keepAlive       time.Duration
	keepAliveConfig net.KeepAliveConfig
}

// netDefaults are those of package net.
var netDefaults tcpDefaults

// heirloom is an option that a connection does not have from its listener: one of
// handedDown and its value, or else the setting.
type heirloom struct {
	level, name, value int
	setting            sockopt.Setting
}

// handedDown are the defaults of TCP that a listening socket has for its connections.
var handedDown = [...]struct{ level, name int }{
	{sys.IPPROTO_TCP, sys.TCP_NODELAY},
	{sys.SOL_SOCKET, sys.SO_KEEPALIVE},
	{sys.IPPROTO_TCP, sys.TCP_KEEPIDLE},
	{sys.IPPROTO_TCP, sys.TCP_KEEPINTVL},
	{sys.IPPROTO_TCP, sys.TCP_KEEPCNT},
}

// handDown gives a connection what it lacks of the listener's. A failure leaves what the
// kernel chose.
func (h *inheritance) handDown(listener, fd *netfd.FD) {
	tcp := isTCP(fd)
	if tcp && h.defaults != nil {
		setTCPDefaults(fd, h.defaults.keepAlive, h.defaults.keepAliveConfig)
	}
	if missing := h.missing.Load(); missing != nil {
		for _, m := range *missing {
			if m.level != 0 || m.name != 0 {
				fd.SetsockoptInt(m.level, m.name, m.value)
			} else {
				m.setting.Apply((*rawConn)(fd))
			}
		}
	}
	if h.known.Load() {
		return
	}
	if !tcp && len(h.options) == 0 {
		h.known.Store(true)
		return
	}
	h.learn(listener, fd, tcp)
}

// learn gives fd what is still missing, and has the connections after it get the same.
func (h *inheritance) learn(listener, fd *netfd.FD, tcp bool) {
	h.learning.Lock()
	defer h.learning.Unlock()
	var missing []heirloom
	if known := h.missing.Load(); known != nil {
		missing = slices.Clone(*known)
	}
	if tcp && h.defaults == nil {
		for _, o := range handedDown {
			want, err1 := listener.GetsockoptInt(o.level, o.name)
			got, err2 := fd.GetsockoptInt(o.level, o.name)
			if err1 == nil && err2 == nil && got != want && fd.SetsockoptInt(o.level, o.name, want) == nil {
				missing = append(missing, heirloom{level: o.level, name: o.name, value: want})
			}
		}
	}
	for _, s := range h.options {
		if inherit(s, (*rawConn)(listener), (*rawConn)(fd)) {
			missing = append(missing, heirloom{setting: s})
		}
	}
	h.missing.Store(&missing)
	// Clients without Multipath TCP lack more, so one of them has to come first.
	proto, err := fd.GetsockoptInt(sys.SOL_SOCKET, sys.SO_PROTOCOL)
	if len(h.options) == 0 || listener.Proto != sys.IPPROTO_MPTCP || err != nil || proto != sys.IPPROTO_MPTCP {
		h.known.Store(true)
	}
}

// inherit has the connection get what it lacks of an option, and reports whether it did.
func inherit(s sockopt.Setting, listener, conn *rawConn) bool {
	switch s.Option() {
	case sockopt.DeferAccept.String(), sockopt.FastOpen.String(), // of listeners only
		sockopt.IncomingCPU.String(), // of a connection it tells where its packets come in
		sockopt.QuickAck.String():    // changes by itself, tcp(7)
		return false
	}
	// Setting it may fail, or leave another value where there is a connection, as for
	// TCP_MAXSEG.
	return !s.Same(listener, conn) && s.Apply(conn) == nil && s.Same(listener, conn)
}

// checkEffect returns an error if a Multipath TCP socket has taken options and not done
// anything about them, as Linux has it do with some.
func checkEffect(fd *netfd.FD, options []sockopt.Setting) error {
	if fd.Proto != sys.IPPROTO_MPTCP || len(options) == 0 {
		return nil
	}
	plain, err := netfd.Socket(netfd.Kind{Family: fd.Family, Type: fd.Type, Network: fd.Network}, nil)
	if err != nil {
		return err
	}
	defer plain.Close()
	// TCP may refuse what is the name of an interface in the network namespace of fd.
	taken := make([]bool, len(options))
	for i, s := range options {
		taken[i] = s.Apply((*rawConn)(plain)) == nil
	}
	for i, s := range options {
		if taken[i] && s.Same((*rawConn)(plain), (*rawConn)(plain)) && !s.Same((*rawConn)(plain), (*rawConn)(fd)) {
			return &sockopt.Error{Option: s.Option(), Err: os.NewSyscallError("setsockopt", syscall.EOPNOTSUPP)}
		}
	}
	return nil
}

// changesAddress reports whether connections that are accepted on a socket with the
// option may have another local address than the socket.
func changesAddress(s sockopt.Setting) bool {
	switch name := s.Option(); name {
	case "":
		return false
	case sockopt.Transparent.String(), sockopt.Transparent6.String():
		return true
	default:
		_, listed := sys.OptFind(name)
		return !listed
	}
}

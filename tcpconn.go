package sockets

import (
	"io"
	"net"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/netfd"
	"github.com/iolib-go/sockets/internal/sys"
)

// TCPConn is a TCP connection. It has the methods of [net.TCPConn] and more.
type TCPConn struct {
	conn
}

// ReadFrom reads r until [io.EOF] and writes what it reads to the connection. It avoids
// copying the data where [Copy] does.
func (c *TCPConn) ReadFrom(r io.Reader) (int64, error) { return c.readFrom(r) }

// WriteTo reads from the connection until the peer ends the stream, and writes what it
// reads to w. It avoids copying the data where [Copy] does.
func (c *TCPConn) WriteTo(w io.Writer) (int64, error) { return c.writeTo(w) }

var (
	_ net.Conn      = (*TCPConn)(nil)
	_ io.ReaderFrom = (*TCPConn)(nil)
	_ io.WriterTo   = (*TCPConn)(nil)
)

// Keep-alive probing as package net sets it up, RFC 1122 section 4.2.3.6.
const (
	keepAliveIdle     = 15 * time.Second
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 9
)

// setTCPDefaults sets what every TCP connection starts with: no delay, and
// keep-alive unless it is turned off. A failure leaves the system's defaults.
func setTCPDefaults(fd *netfd.FD, idle time.Duration, config net.KeepAliveConfig) error {
	err := fd.SetsockoptInt(sys.IPPROTO_TCP, sys.TCP_NODELAY, 1)
	if !config.Enable && idle >= 0 {
		config = net.KeepAliveConfig{Enable: true, Idle: idle}
	}
	if config.Enable {
		if e := setKeepAliveConfig(fd, config); err == nil {
			err = e
		}
	}
	return err
}

func setKeepAliveConfig(fd *netfd.FD, config net.KeepAliveConfig) error {
	if err := fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_KEEPALIVE, boolint(config.Enable)); err != nil {
		return err
	}
	if err := setKeepAliveTime(fd, sys.TCP_KEEPIDLE, config.Idle, keepAliveIdle); err != nil {
		return err
	}
	if err := setKeepAliveTime(fd, sys.TCP_KEEPINTVL, config.Interval, keepAliveInterval); err != nil {
		return err
	}
	count := config.Count
	if count == 0 {
		count = keepAliveCount
	} else if count < 0 {
		return nil
	}
	return fd.SetsockoptInt(sys.IPPROTO_TCP, sys.TCP_KEEPCNT, count)
}

// setKeepAliveTime sets one of the times, in seconds rounded up: 0 means
// the default, a negative time leaves the system's.
func setKeepAliveTime(fd *netfd.FD, option int, d, initial time.Duration) error {
	if d == 0 {
		d = initial
	} else if d < 0 {
		return nil
	}
	return fd.SetsockoptInt(sys.IPPROTO_TCP, option, int((d+time.Second-1)/time.Second))
}

// CloseRead shuts down the reading side of the connection. Most callers should just use
// Close. Data that arrives later is still delivered; see shutdown(2).
func (c *TCPConn) CloseRead() error { return c.shutdown(sys.SHUT_RD) }

// CloseWrite shuts down the writing side of the connection: the peer reads up to the
// end and can still write. Most callers should just use Close.
func (c *TCPConn) CloseWrite() error { return c.shutdown(sys.SHUT_WR) }

// SetLinger sets what Close does with data that has not been sent or acknowledged. If
// sec is negative, the default, the system sends it in the background. If sec is 0,
// Close discards it and resets the connection. If sec is positive, Close waits up to
// sec seconds for it. See SO_LINGER in socket(7).
func (c *TCPConn) SetLinger(sec int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(c.fd.Setsockopt(func(s uintptr) syscall.Errno { return sys.SetLinger(s, sec) }))
}

// SetKeepAlive turns keep-alive probes on or off.
func (c *TCPConn) SetKeepAlive(keepalive bool) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(c.fd.SetsockoptInt(sys.SOL_SOCKET, sys.SO_KEEPALIVE, boolint(keepalive)))
}

// SetKeepAlivePeriod sets how long the connection must be idle before the first
// keep-alive probe, rounded up to seconds. 0 means 15 seconds; a negative value changes
// nothing.
func (c *TCPConn) SetKeepAlivePeriod(d time.Duration) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(setKeepAliveTime(c.fd, sys.TCP_KEEPIDLE, d, keepAliveIdle))
}

// SetKeepAliveConfig configures keep-alive probes. See [net.KeepAliveConfig].
func (c *TCPConn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(setKeepAliveConfig(c.fd, config))
}

// SetNoDelay sets whether data is sent at once, which is the default, or may be delayed
// in order to send fewer packets (Nagle's algorithm, RFC 896).
func (c *TCPConn) SetNoDelay(noDelay bool) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	return c.setError(c.fd.SetsockoptInt(sys.IPPROTO_TCP, sys.TCP_NODELAY, boolint(noDelay)))
}

// MultipathTCP reports whether the connection uses Multipath TCP (RFC 8684): whether it
// was asked for, and neither the peer nor a middlebox made it fall back to TCP. Before
// Linux 5.16 it reports only whether it was asked for.
func (c *TCPConn) MultipathTCP() (bool, error) {
	if !c.ok() {
		return false, syscall.EINVAL
	}
	uses := false
	if c.fd.Control(func(s uintptr) { uses = sys.UsesMultipathTCP(int(s)) }) != nil {
		uses = sys.UsesMultipathTCP(-1)
	}
	return uses, nil
}

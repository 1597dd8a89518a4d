package netfd

import (
	"io"

	"github.com/iolib-go/sockets/internal/sys"
)

// SendAll sends all of b on a stream, in one go as seen by other writers. With an
// error, which is EAGAIN if flags have MSG_DONTWAIT and there is no more room, it
// tells how much was sent.
func (fd *FD) SendAll(m *Msg, b []byte, flags int) (int, error) {
	_, err := m.do(fd, sendall, b, nil, flags)
	return m.done, err
}

// sendAll is one turn of SendAll.
func (m *Msg) sendAll(s uintptr) bool {
	for {
		b, flags := m.b[m.done:], m.flags
		if flags&sys.MSG_OOB != 0 && len(b) > 1 {
			// The kernel marks the last byte of what it takes in one call, which
			// need not be all.
			b, flags = b[:len(b)-1], flags&^sys.MSG_OOB
		}
		var n int
		n, m.errno = sys.Sendto(s, b, flags, &m.Name)
		if m.errno == sys.EINTR {
			continue
		}
		if m.errno != 0 {
			return m.settled()
		}
		if m.done += n; m.done == len(m.b) {
			return true
		}
	}
}

// RecvStream receives from a stream into b, which must not be empty. With all it
// fills b, unless the stream ends, and with an error tells how much it received.
// urgent data is not waited for.
func (fd *FD) RecvStream(m *Msg, b []byte, flags int, all, urgent bool) (int, error) {
	if fd.hasUnread() && !urgent {
		n, err := fd.readUnread(b, flags&sys.MSG_PEEK != 0)
		if n > 0 && n < len(b) && all && flags&sys.MSG_PEEK == 0 {
			rest, err := fd.RecvStream(m, b[n:], flags, all, urgent)
			if err == io.EOF {
				err = nil
			}
			return n + rest, err
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	m.all, m.urgent = all && !urgent, urgent
	_, err := m.do(fd, recvstream, b, nil, flags)
	switch {
	case m.errno == sys.EAGAIN && m.done > 0 && m.settled():
		return m.done, nil // MSG_DONTWAIT ends WaitAll
	case err == nil && m.done == 0:
		return 0, io.EOF
	}
	return m.done, err
}

// recvStream is one turn of RecvStream.
func (m *Msg) recvStream(s uintptr) bool {
	peek := m.flags&sys.MSG_PEEK != 0
	for {
		if peek {
			m.done = 0 // each time the queue is seen from its start
		}
		var n int
		n, m.errno = sys.Recvfrom(s, m.b[m.done:], m.flags, &m.Name)
		if m.errno == sys.EINTR {
			continue
		}
		if m.errno != 0 {
			return m.settled()
		}
		m.done += n
		if n == 0 || !m.all || m.done == len(m.b) {
			return true
		}
		if peek {
			// The same again until more arrives, or the end, of which the poller
			// will tell.
			return m.flags&sys.MSG_DONTWAIT != 0 || sys.PeerEnded(s)
		}
	}
}

// SetPeer gives a datagram socket another peer than the one it may have, which it
// keeps if that fails.
func (fd *FD) SetPeer(to *sys.Sockaddr) error {
	var old sys.Sockaddr
	hadPeer := (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6) && fd.Peername(&old) == nil
	if !hadPeer || old.IsMapped() == to.IsMapped() {
		if err := fd.StartConnect(to); err == nil || !hadPeer {
			return err
		}
	}
	// The kernel stays with the source address that it chose for the old peer, from
	// which this one may not be reachable.
	err := fd.Disconnect()
	if err == nil {
		err = fd.StartConnect(to)
	}
	if err != nil {
		fd.StartConnect(&old)
	}
	return err
}

// Disconnect leaves a datagram socket without a peer, but with its port, which the
// kernel takes away unless bind was called with it. In the moment between, another
// socket may get the port; the error is EADDRINUSE then.
func (fd *FD) Disconnect() error {
	var before, after sys.Sockaddr
	if err := fd.Sockname(&before); err != nil {
		return err
	}
	if err := fd.control("connect", sys.Disconnect); err != nil {
		return err
	}
	if fd.Family != sys.AF_INET && fd.Family != sys.AF_INET6 {
		return nil
	}
	if err := fd.Sockname(&after); err != nil {
		return err
	}
	port := before.Port()
	if port == 0 || after.Port() == port {
		return nil
	}
	after.SetPort(port)
	return fd.Bind(&after)
}

// Unconnect takes back a connect that failed or was given up, so that another may
// follow. The socket keeps the port in local, which the kernel takes away if it
// was the kernel that chose it. It is best effort: what remains, the next connect
// tells.
func (fd *FD) Unconnect(local *sys.Sockaddr) {
	fd.control("connect", sys.Disconnect)
	if (fd.Family == sys.AF_INET || fd.Family == sys.AF_INET6) && local.Port() != 0 {
		// Linux goes on naming a port that it has taken away. Where it has not,
		// this fails.
		fd.Bind(local)
	}
}

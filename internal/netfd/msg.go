package netfd

import (
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/iolib-go/sockets/internal/sys"
)

// Msg is one message or accept call under way. It is kept in a pool together with
// the function that the poller calls, because a closure per call would cost three
// allocations.
type Msg struct {
	// Name is the address to send to, no address for the peer; after a receive
	// or an accept, the address it came from.
	Name sys.Sockaddr

	// OOBN is the length of the control data received.
	OOBN int

	// Flags are the flags that came with a message, MSG_TRUNC and others.
	Flags int

	fd     *FD
	call   call
	b, oob []byte
	flags  int
	n      int
	errno  syscall.Errno
	done   int  // of b, by the calls that take several turns
	all    bool // fill b
	urgent bool // do not wait
	hdr    sys.Msghdr
	octet  [1]byte
	fn     func(uintptr) bool // m.run
	one    *single            // for splitOne
}

type call uint8

const (
	recvfrom call = iota
	read
	sendto
	write
	recvmsg
	sendmsg
	accept
	connected
	sendall
	recvstream
)

var callNames = [...]string{
	recvfrom: "recvfrom", read: "read", sendto: "sendto", write: "write", recvmsg: "recvmsg", sendmsg: "sendmsg",
	accept: "accept4", connected: "connect", sendall: "sendto", recvstream: "recvfrom",
}

var msgs = sync.Pool{New: func() any {
	m := new(Msg)
	m.fn = m.run
	return m
}}

// GetMsg returns a Msg without an address. Free gives it back.
func GetMsg() *Msg {
	m := msgs.Get().(*Msg)
	m.Name.Reset()
	return m
}

// Free gives m back; nothing in it may be used any more.
func (m *Msg) Free() {
	m.fd, m.b, m.oob = nil, nil, nil
	m.all, m.urgent = false, false
	m.hdr.Reset()
	msgs.Put(m)
}

// run makes the system call and reports whether the matter is settled; if not, it
// wants to be called again when the socket is ready.
func (m *Msg) run(s uintptr) bool {
	for {
		switch m.call {
		case recvfrom, read:
			if m.fd.offloads() != nil {
				return m.splitOne(s)
			}
			m.n, m.errno = sys.Recvfrom(s, m.b, m.flags, &m.Name)
		case sendto, write:
			m.n, m.errno = sys.Sendto(s, m.b, m.flags, &m.Name)
		case recvmsg:
			if m.fd.offloads() != nil {
				return m.splitOne(s)
			}
			m.n, m.OOBN, m.Flags, m.errno = sys.Recvmsg(s, &m.hdr, m.b, m.oob, m.flags, &m.Name)
		case sendmsg:
			m.n, m.errno = sys.Sendmsg(s, &m.hdr, m.b, m.oob, m.flags, &m.Name)
		case accept:
			m.n, m.errno = sys.Accept(s, &m.Name)
		case connected:
			return m.connected(s)
		case sendall:
			return m.sendAll(s)
		case recvstream:
			return m.recvStream(s)
		}
		switch m.errno {
		case sys.EINTR:
		case sys.ECONNABORTED:
			// A connection was gone before it was accepted; the next may not be.
			if m.call != accept {
				return true
			}
		default:
			return m.settled()
		}
	}
}

// settled reports whether the last call's outcome is the caller's: EAGAIN is only
// if there is to be no waiting.
func (m *Msg) settled() bool {
	return m.errno != sys.EAGAIN || m.urgent || m.flags&sys.MSG_DONTWAIT != 0
}

// do runs m until it is settled.
func (m *Msg) do(fd *FD, c call, b, oob []byte, flags int) (int, error) {
	m.fd, m.call, m.b, m.oob, m.flags, m.errno = fd, c, b, oob, flags, 0
	m.OOBN, m.Flags, m.done = 0, 0, 0
	var err error
	switch c {
	case sendto, write, sendmsg, sendall, connected:
		err = fd.RawWrite(m.fn)
	default:
		err = fd.RawRead(m.fn)
	}
	if err != nil {
		return 0, err
	}
	if m.errno != 0 {
		return 0, os.NewSyscallError(callNames[c], m.errno)
	}
	return m.n, nil
}

// RecvFrom receives one message into b; m.Name is the sender.
func (fd *FD) RecvFrom(m *Msg, b []byte, flags int) (int, error) {
	if fd.hasUnread() {
		if n, err := fd.readUnread(b, flags&sys.MSG_PEEK != 0); n > 0 || err != nil {
			return n, err
		}
	}
	n, err := m.do(fd, recvfrom, b, nil, flags)
	if err == nil && n == 0 && fd.IsStream() {
		err = io.EOF
	}
	return n, err
}

// ReadMessage is RecvFrom for a caller that calls it a read.
func (fd *FD) ReadMessage(m *Msg, b []byte) (int, error) {
	return m.do(fd, read, b, nil, 0)
}

// WriteMessage is SendTo for a caller that calls it a write.
func (fd *FD) WriteMessage(m *Msg, b []byte) (int, error) {
	return m.do(fd, write, b, nil, 0)
}

// SendTo sends b to m.Name.
func (fd *FD) SendTo(m *Msg, b []byte, flags int) (int, error) {
	if flags&sys.MSG_MORE != 0 {
		fd.cork()
	}
	return m.do(fd, sendto, b, nil, flags)
}

// RecvMsg receives one message into b and its control data into oob; m.Name is
// the sender. Control data travels with an octet at least, so an empty b takes
// one that is counted but not seen, except on datagram sockets.
func (fd *FD) RecvMsg(m *Msg, b, oob []byte, flags int) (int, error) {
	if len(b) == 0 && len(oob) > 0 && fd.Type != sys.SOCK_DGRAM {
		b = m.octet[:]
	}
	if fd.hasOctet() && len(oob) > 0 {
		b = b[:min(len(b), 1)] // control data come with what is behind it
	}
	if fd.hasUnread() {
		m.OOBN, m.Flags = 0, 0
		if n, err := fd.readUnread(b, flags&sys.MSG_PEEK != 0); n > 0 || err != nil {
			return n, err
		}
	}
	n, err := m.do(fd, recvmsg, b, oob, flags)
	if err == nil && n == 0 && fd.IsStream() {
		err = io.EOF
	}
	return n, err
}

// SendMsg sends b with control data to m.Name. On other than datagram sockets an
// octet of zero carries the control data if b is empty, and is not counted.
func (fd *FD) SendMsg(m *Msg, b, oob []byte, flags int) (int, error) {
	if len(b) == 0 && len(oob) > 0 && fd.Type != sys.SOCK_DGRAM {
		m.octet[0] = 0
		_, err := m.do(fd, sendmsg, m.octet[:], oob, flags)
		return 0, err
	}
	return m.do(fd, sendmsg, b, oob, flags)
}

// Accept waits for a connection and returns its descriptor, which is the caller's;
// m.Name is the peer.
func (fd *FD) Accept(m *Msg) (int, error) { return m.do(fd, accept, nil, nil, 0) }

// AcceptNow is Accept that fails with EAGAIN instead of waiting, for calls that
// wait already as well.
func (fd *FD) AcceptNow(m *Msg) (int, error) {
	m.call, m.flags, m.errno = accept, sys.MSG_DONTWAIT, 0
	if err := fd.Control(func(s uintptr) { m.run(s) }); err != nil {
		return -1, err
	}
	return m.n, CallError("accept4", errnoErr(m.errno))
}

func errnoErr(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

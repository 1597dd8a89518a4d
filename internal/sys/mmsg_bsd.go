//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// These systems have one call per message, or none that x/sys offers for several.

type mmsg struct {
	name            Sockaddr
	buffers         [][]byte
	oob             []byte
	n, oobn, rflags int
}

type mmsgs struct {
	msgs []mmsg
	bufs [][]byte
}

// Reset empties m and makes room for a number of messages.
func (m *mmsgs) Reset(messages int) {
	m.Forget()
	if cap(m.msgs) < messages {
		m.msgs = make([]mmsg, 0, messages)
	}
}

// Forget empties m and lets go of the buffers.
func (m *mmsgs) Forget() {
	clear(m.msgs)
	clear(m.bufs)
	m.msgs, m.bufs = m.msgs[:0], m.bufs[:0]
}

// Len returns how many messages there are.
func (m *mmsgs) Len() int { return len(m.msgs) }

// Add appends a message without an address, and returns where that goes.
func (m *mmsgs) Add() *Sockaddr {
	i := len(m.msgs)
	m.msgs = m.msgs[:i+1]
	m.msgs[i] = mmsg{}
	return &m.msgs[i].name
}

// Drop takes the last message away again. It must not have buffers yet.
func (m *mmsgs) Drop() { m.msgs = m.msgs[:len(m.msgs)-1] }

// Buffer appends b to the last message.
func (m *mmsgs) Buffer(b []byte) {
	i := len(m.bufs)
	m.bufs = append(m.bufs, b)
	last := &m.msgs[len(m.msgs)-1]
	last.buffers = m.bufs[i-len(last.buffers) : i+1]
}

// Lengthen is not called: no datagrams are joined here.
func (m *mmsgs) Lengthen(int) {}

// Control gives the last message control data, or room for them.
func (m *mmsgs) Control(oob []byte) { m.msgs[len(m.msgs)-1].oob = oob }

// Name returns the address of message i.
func (m *mmsgs) Name(i int) *Sockaddr { return &m.msgs[i].name }

// Result returns the length of message i and of its control data, and its flags.
func (m *mmsgs) Result(i int) (n, oobn, flags int) {
	return m.msgs[i].n, m.msgs[i].oobn, m.msgs[i].rflags
}

// Recvmmsg receives what there is into the messages, and returns how many were
// received, and the error that ended it unless that is EAGAIN behind a message. It
// never blocks. See recvmsg(2).
func Recvmmsg(fd uintptr, m *Mmsgs, flags int) (int, syscall.Errno) {
	// A message may carry descriptors, which are close-on-exec only afterwards.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for i := range m.msgs {
		h := &m.msgs[i]
		n, oobn, rflags, from, err := unix.RecvmsgBuffers(int(fd), h.buffers, h.oob, flags|MSG_DONTWAIT)
		for err == EINTR {
			n, oobn, rflags, from, err = unix.RecvmsgBuffers(int(fd), h.buffers, h.oob, flags|MSG_DONTWAIT)
		}
		if err != nil {
			e := errno(err)
			if i > 0 && e == EAGAIN {
				e = 0
			}
			return i, e
		}
		if !slices.ContainsFunc(h.buffers, hasRoom) {
			n, rflags = withoutDummy(n, h.oob, flags, rflags)
		}
		h.name.encode(from, nil)
		h.n, h.oobn, h.rflags = n, oobn, rflags
		if oobn > 0 {
			closeOnExec(h.oob[:oobn])
		}
	}
	return len(m.msgs), 0
}

func hasRoom(b []byte) bool { return len(b) > 0 }

// Sendmmsg sends the messages from the given one on, at most max of them, and
// returns how many were sent, and what went wrong with the next. It never blocks.
// See sendmsg(2).
func Sendmmsg(fd uintptr, m *Mmsgs, from, max, flags int) (int, syscall.Errno) {
	msgs := m.msgs[from:min(len(m.msgs), from+max)]
	for i := range msgs {
		h := &msgs[i]
		to := h.name.decoded()
		n, err := unix.SendmsgBuffers(int(fd), h.buffers, h.oob, to, flags|MSG_DONTWAIT)
		for err == EINTR {
			n, err = unix.SendmsgBuffers(int(fd), h.buffers, h.oob, to, flags|MSG_DONTWAIT)
		}
		if err != nil {
			return i, errno(err)
		}
		h.n, h.oobn = n, len(h.oob)
	}
	return len(msgs), 0
}

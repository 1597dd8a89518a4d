package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxMmsg is how many messages one call takes, UIO_MAXIOV.
const maxMmsg = 1024

type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

type mmsgs struct {
	hdrs  []mmsghdr
	iovs  []unix.Iovec
	names []Sockaddr
}

// Reset empties m and makes room for a number of messages.
func (m *mmsgs) Reset(messages int) {
	m.Forget()
	if cap(m.hdrs) < messages {
		m.hdrs = make([]mmsghdr, 0, messages)
		m.names = make([]Sockaddr, messages)
	}
}

// Forget empties m and lets go of the buffers.
func (m *mmsgs) Forget() {
	if len(m.hdrs) > 0 {
		clear(m.hdrs)
		clear(m.iovs)
		m.hdrs, m.iovs = m.hdrs[:0], m.iovs[:0]
	}
}

// Len returns how many messages there are.
func (m *mmsgs) Len() int { return len(m.hdrs) }

// Add appends a message without an address, and returns where that goes.
func (m *mmsgs) Add() *Sockaddr {
	i := len(m.hdrs)
	m.hdrs = m.hdrs[:i+1]
	name := &m.names[i]
	name.len = 0
	return name
}

// Drop takes the last message away again. It must not have buffers yet.
func (m *mmsgs) Drop() { m.hdrs = m.hdrs[:len(m.hdrs)-1] }

// Buffer appends b to the last message.
func (m *mmsgs) Buffer(b []byte) {
	i := len(m.iovs)
	if i == cap(m.iovs) {
		m.grow()
	}
	m.iovs = m.iovs[:i+1]
	iov := &m.iovs[i]
	iov.Base = unsafe.SliceData(b)
	iov.SetLen(len(b))
	h := &m.hdrs[len(m.hdrs)-1].hdr
	if h.Iov == nil {
		h.Iov = iov
	}
	h.Iovlen++
}

// grow makes room for more buffers.
func (m *mmsgs) grow() {
	m.iovs = append(make([]unix.Iovec, 0, max(64, 2*cap(m.iovs))), m.iovs...)
	at := 0
	for i := range m.hdrs {
		if h := &m.hdrs[i].hdr; h.Iovlen > 0 {
			h.Iov = &m.iovs[at]
			at += int(h.Iovlen)
		}
	}
}

// Lengthen says that n more bytes belong to the last buffer, which lie behind it in
// memory. The caller keeps them, for m points to the first alone.
func (m *mmsgs) Lengthen(n int) {
	last := &m.iovs[len(m.iovs)-1]
	last.SetLen(int(last.Len) + n)
}

// Control gives the last message control data, or room for them.
func (m *mmsgs) Control(oob []byte) {
	h := &m.hdrs[len(m.hdrs)-1].hdr
	h.Control = nil
	if len(oob) > 0 {
		h.Control = unsafe.SliceData(oob)
	}
	h.SetControllen(len(oob))
}

// Name returns the address of message i.
func (m *mmsgs) Name(i int) *Sockaddr { return &m.names[i] }

// Result returns the length of message i and of its control data, and its flags.
func (m *mmsgs) Result(i int) (n, oobn, flags int) {
	h := &m.hdrs[i]
	return int(h.len), int(h.hdr.Controllen), int(h.hdr.Flags)
}

// Recvmmsg receives what there is into the messages, and returns how many were
// received, and the error that ended it if the kernel tells. It never blocks. See
// recvmmsg(2).
func Recvmmsg(fd uintptr, m *Mmsgs, flags int) (int, syscall.Errno) {
	for i := range m.hdrs {
		h := &m.hdrs[i].hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&m.names[i].raw)), sockaddrSize
	}
	if len(m.hdrs) == 1 {
		return m.singly(unix.SYS_RECVMSG, fd, 0, 1, flags)
	}
	for {
		r, _, e := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m.hdrs))), uintptr(len(m.hdrs)), uintptr(flags|MSG_DONTWAIT), 0, 0)
		switch e {
		case 0:
			for i := range m.hdrs[:r] {
				m.names[i].len = m.hdrs[i].hdr.Namelen
			}
			return int(r), 0
		case EINTR:
			continue
		}
		if barred(unix.SYS_RECVMMSG, e) {
			return m.singly(unix.SYS_RECVMSG, fd, 0, len(m.hdrs), flags)
		}
		return 0, e
	}
}

// singly makes a system call for each message, which costs less if there is one. And it
// does what one for all of them was refused by a sandbox that knows the one and not the
// other, see barred.
func (m *mmsgs) singly(trap, fd uintptr, from, to, flags int) (int, syscall.Errno) {
	for i := from; i < to; i++ {
		h := &m.hdrs[i]
		n, _, e := syscall.Syscall(trap, fd, uintptr(unsafe.Pointer(&h.hdr)), uintptr(flags|MSG_DONTWAIT))
		for e == EINTR {
			n, _, e = syscall.Syscall(trap, fd, uintptr(unsafe.Pointer(&h.hdr)), uintptr(flags|MSG_DONTWAIT))
		}
		if e != 0 {
			if i > from && e == EAGAIN && trap == unix.SYS_RECVMSG {
				e = 0
			}
			return i - from, e
		}
		h.len = uint32(n)
		if trap == unix.SYS_RECVMSG {
			m.names[i].len = h.hdr.Namelen
		}
	}
	return to - from, 0
}

// Sendmmsg sends the messages from the given one on, at most max of them, and
// returns how many were sent. The kernel keeps an error to itself if it has sent
// something before. It never blocks. See sendmmsg(2).
func Sendmmsg(fd uintptr, m *Mmsgs, from, max, flags int) (int, syscall.Errno) {
	hdrs := m.hdrs[from:min(len(m.hdrs), from+min(max, maxMmsg))]
	for i := range hdrs {
		name, h := &m.names[from+i], &hdrs[i].hdr
		h.Name, h.Namelen = nil, name.len
		if name.len > 0 {
			h.Name = (*byte)(unsafe.Pointer(&name.raw))
		}
	}
	if len(hdrs) == 1 {
		return m.singly(unix.SYS_SENDMSG, fd, from, from+1, flags)
	}
	for {
		r, _, e := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(hdrs))), uintptr(len(hdrs)), uintptr(flags|MSG_DONTWAIT), 0, 0)
		switch e {
		case 0:
			return int(r), 0
		case EINTR:
			continue
		}
		if barred(unix.SYS_SENDMMSG, e) {
			return m.singly(unix.SYS_SENDMSG, fd, from, from+len(hdrs), flags)
		}
		return 0, e
	}
}

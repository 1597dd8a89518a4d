//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package sys

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// cmsgLenSize is the size of the first field of struct cmsghdr, which level and
// type follow.
const cmsgLenSize = unix.SizeofCmsghdr - 8

// CmsgSpace returns the room that a control message with n bytes of data takes.
func CmsgSpace(n int) int { return unix.CmsgSpace(n) }

// NextCmsg takes the first control message off b. It reports false at the end, or
// where b is no control data. See cmsg(3).
func NextCmsg(b []byte) (c Cmsg, rest []byte, ok bool) {
	head := unix.CmsgLen(0)
	if len(b) < head {
		return Cmsg{}, nil, false
	}
	n := uint64(binary.NativeEndian.Uint32(b))
	if cmsgLenSize == 8 {
		n = binary.NativeEndian.Uint64(b)
	}
	if n < uint64(head) || n > uint64(len(b)) {
		return Cmsg{}, nil, false
	}
	c.Level = int(int32(binary.NativeEndian.Uint32(b[cmsgLenSize:])))
	c.Type = int(int32(binary.NativeEndian.Uint32(b[cmsgLenSize+4:])))
	c.Data = b[head:n]
	c.Whole = b[:min(len(b), unix.CmsgSpace(int(n)-head))]
	return c, b[len(c.Whole):], true
}

// AppendCmsg appends a control message to b, which is empty or control data, and
// returns where its n bytes of data go.
func AppendCmsg(b []byte, level, typ, n int) (all, data []byte) {
	// What stands before may lack the padding behind the last message.
	for len(b) < alignCmsg(len(b)) {
		b = append(b, 0)
	}
	at := len(b)
	b = append(b, make([]byte, unix.CmsgSpace(n))...)
	h := b[at:]
	putCmsgLen(h, unix.CmsgLen(n))
	binary.NativeEndian.PutUint32(h[cmsgLenSize:], uint32(level))
	binary.NativeEndian.PutUint32(h[cmsgLenSize+4:], uint32(typ))
	return b, h[unix.CmsgLen(0):unix.CmsgLen(n)]
}

// cmsgLen returns the length of a control message with n bytes of data, without
// the padding behind it.
func cmsgLen(n int) int { return unix.CmsgLen(n) }

// putCmsgLen stores the length of the control message h in its header.
func putCmsgLen(h []byte, n int) {
	if cmsgLenSize == 8 {
		binary.NativeEndian.PutUint64(h, uint64(n))
	} else {
		binary.NativeEndian.PutUint32(h, uint32(n))
	}
}

// alignCmsg rounds n up to where the next control message may start.
func alignCmsg(n int) int { return unix.CmsgSpace(n) - unix.CmsgSpace(0) }

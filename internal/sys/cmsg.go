package sys

import "encoding/binary"

// Cmsg is a control message, cmsg(3). Its slices are parts of what it was found in.
type Cmsg struct {
	Level, Type int
	Data        []byte
	Whole       []byte // with header and padding
}

// Is reports whether c is the message that level and typ name. A negative number names
// none, whatever was received.
func (c *Cmsg) Is(level, typ int) bool {
	return level >= 0 && typ >= 0 && c.Level == level && c.Type == typ
}

// TakeSegmentSize removes from control data what tells that a datagram is merged,
// and returns the size of the datagrams that make it up, 0 if it is none. See udp(7),
// UDP_GRO.
func TakeSegmentSize(oob []byte) (size int, others []byte) {
	for c, rest, ok := NextCmsg(oob); ok; c, rest, ok = NextCmsg(rest) {
		if c.Is(SOL_UDP, UDP_GRO) && len(c.Data) == 4 {
			size = int(int32(binary.NativeEndian.Uint32(c.Data)))
			at := len(oob) - len(rest) - len(c.Whole)
			return size, append(oob[:at], rest...)
		}
	}
	return 0, oob
}

// CopyCmsgs copies the control messages of src to dst, and returns the length of what
// was copied. If something does not fit, all is false, and the last message is cut
// short where dst ends, as recvmsg(2) does it.
func CopyCmsgs(dst, src []byte) (n int, all bool) {
	if len(src) <= len(dst) {
		return copy(dst, src), true
	}
	for c, rest, ok := NextCmsg(src); ok; c, rest, ok = NextCmsg(rest) {
		room := dst[n:]
		if len(room) < cmsgLen(0) {
			return n, false
		}
		n += copy(room, c.Whole) // the padding may be missing
		if len(room) < cmsgLen(len(c.Data)) {
			putCmsgLen(room, len(room))
			return n, false
		}
	}
	return n, true
}

// TakesSegmentSize reports whether AppendSegmentSize may follow control data to be
// sent: not where they say already how to cut up what goes with them, nor where they
// are malformed and might swallow it. See udp(7), UDP_SEGMENT.
func TakesSegmentSize(oob []byte) bool {
	for len(oob) > 0 {
		c, rest, ok := NextCmsg(oob)
		if !ok || c.Is(SOL_UDP, UDP_SEGMENT) {
			return false
		}
		oob = rest
	}
	return true
}

// AppendSegmentSize appends the control message that has a datagram cut up into
// such of the given size.
func AppendSegmentSize(oob []byte, size int) []byte {
	oob, data := AppendCmsg(oob, SOL_UDP, UDP_SEGMENT, 2)
	binary.NativeEndian.PutUint16(data, uint16(size))
	return oob
}

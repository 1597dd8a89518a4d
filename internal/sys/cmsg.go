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

// SegmentSize returns the size of the datagrams that make up a merged one, 0 if
// the control data do not tell that it is merged. See udp(7), UDP_GRO.
func SegmentSize(oob []byte) int {
	for c, rest, ok := NextCmsg(oob); ok; c, rest, ok = NextCmsg(rest) {
		if isSegmentSize(c) {
			return int(int32(binary.NativeEndian.Uint32(c.Data)))
		}
	}
	return 0
}

func isSegmentSize(c Cmsg) bool {
	return c.Is(SOL_UDP, UDP_GRO) && len(c.Data) == 4
}

// CopyCmsgs copies the control messages of src but the segment size to dst, and
// returns the length of what was copied. If something does not fit, all is false,
// and the last message is cut short where dst ends, as recvmsg(2) does it.
func CopyCmsgs(dst, src []byte) (n int, all bool) {
	for c, rest, ok := NextCmsg(src); ok; c, rest, ok = NextCmsg(rest) {
		if isSegmentSize(c) {
			continue
		}
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

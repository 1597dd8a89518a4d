package main

import (
	"encoding/binary"
	"errors"
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// segmentsByHand moves windows of datagrams with package net and what udp(7) offers, as
// quic-go does it: the datagrams lie one after the other in one buffer, which one
// sendmsg takes with UDP_SEGMENT, and which one recvmsg fills with UDP_GRO. If they are
// apart, each is in a buffer of its own before and afterwards, as the messages of a
// batch are.
var segmentsByHand = func(name string, size, window int, apart bool) []impl {
	return []impl{{name, func() (func(int) (int, error), func(), error) {
		a, b, err := bulkPair(listenNet)
		if err != nil {
			return nil, nil, err
		}
		stop := func() { a.Close(); b.Close() }
		if err := mergeByHand(b.(*net.UDPConn)); err != nil {
			stop()
			return nil, nil, err
		}
		out, to := make([]byte, size*window), addrPort(b)
		oob := appendSegmentSize(nil, size)
		in, inOOB := make([]byte, 1<<16), make([]byte, 128)
		var sent, received []ipv4.Message
		if apart {
			sent, received = messages(window, size), messages(window, 1500)
		}
		return windows(window, func() error {
			if apart {
				out = out[:0]
				for i := range sent {
					out = append(out, sent[i].Buffers[0]...)
				}
			}
			if _, _, err := a.WriteMsgUDPAddrPort(out, oob, to); err != nil {
				return err
			}
			for left := window; left > 0; {
				n, oobn, flags, _, err := b.ReadMsgUDPAddrPort(in, inOOB)
				if err != nil {
					return err
				}
				if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
					return errors.New("no room for what was received")
				}
				each, err := segmentSize(inOOB[:oobn])
				if err != nil {
					return err
				}
				if each == 0 {
					each = n
				}
				for data := in[:n]; len(data) > 0; left-- {
					datagram := data[:min(each, len(data))]
					if data = data[len(datagram):]; len(datagram) != size {
						return errors.New("datagram of another length")
					}
					if apart {
						m := &received[window-left]
						m.N = copy(m.Buffers[0], datagram)
					}
				}
			}
			return nil
		}), stop, nil
	}}}
}

func mergeByHand(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var errno error
	if err := raw.Control(func(fd uintptr) {
		errno = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	}); err != nil {
		return err
	}
	return errno
}

func appendSegmentSize(b []byte, size int) []byte {
	at := len(b)
	b = append(b, make([]byte, unix.CmsgSpace(2))...)
	binary.NativeEndian.PutUint64(b[at:], uint64(unix.CmsgLen(2)))
	binary.NativeEndian.PutUint32(b[at+8:], unix.IPPROTO_UDP)
	binary.NativeEndian.PutUint32(b[at+12:], unix.UDP_SEGMENT)
	binary.NativeEndian.PutUint16(b[at+unix.CmsgLen(0):], uint16(size))
	return b
}

// segmentSize finds the size of merged datagrams in control data, 0 if there is none.
func segmentSize(oob []byte) (int, error) {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return 0, err
		}
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4 {
			return int(binary.NativeEndian.Uint32(data)), nil
		}
		oob = rest
	}
	return 0, nil
}

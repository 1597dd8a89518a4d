package sockets

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets/internal/sys"
)

// LinkAddr is the address of a socket that sends and receives frames, packet(7).
type LinkAddr struct {
	Interface    int    // its index
	Protocol     uint16 // EtherType, in the byte order of the host; 0 receives nothing
	HardwareType uint16 // of a frame received, ARPHRD_ETHER and so on
	PacketType   uint8  // of a frame received, PACKET_HOST and so on
	HardwareAddr net.HardwareAddr
}

// Network returns "packet".
func (a *LinkAddr) Network() string { return "packet" }

// String returns the five fields, "2/0x0800/1/0/02:00:5e:10:00:01".
func (a *LinkAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%d/%#04x/%d/%d/%s", a.Interface, a.Protocol, a.HardwareType, a.PacketType, a.HardwareAddr)
}

func (a *LinkAddr) addressFamily() int { return sys.AF_PACKET }

func (a *LinkAddr) isNil() bool { return a == nil }

// maxHardwareAddr is the kernel's MAX_ADDR_LEN. struct sockaddr_ll has room for 8
// bytes only, and is longer where they do not do, as for InfiniBand.
const maxHardwareAddr = 32

// encode makes a struct sockaddr_ll.
func (a *LinkAddr) encode() (sa sys.Sockaddr, err error) {
	var b [12 + maxHardwareAddr]byte
	if len(a.HardwareAddr) > maxHardwareAddr {
		return sa, &net.AddrError{Err: "hardware address longer than 32 bytes", Addr: a.String()}
	}
	if a.Interface < 0 || a.Interface > math.MaxInt32 {
		return sa, &net.AddrError{Err: "interface index out of range", Addr: a.String()}
	}
	binary.BigEndian.PutUint16(b[2:], a.Protocol)
	binary.NativeEndian.PutUint32(b[4:], uint32(a.Interface))
	binary.NativeEndian.PutUint16(b[8:], a.HardwareType)
	b[10] = a.PacketType
	b[11] = byte(copy(b[12:], a.HardwareAddr))
	err = sa.SetFamily(sys.AF_PACKET, b[:12+max(8, len(a.HardwareAddr))])
	return sa, err
}

// decodeLinkAddr reads a struct sockaddr_ll.
func decodeLinkAddr(sa sys.Sockaddr) net.Addr {
	b := sa.Bytes()
	if len(b) < 12 {
		return nil
	}
	n := min(int(b[11]), len(b)-12)
	return &LinkAddr{
		Protocol:     binary.BigEndian.Uint16(b[2:]),
		Interface:    int(int32(binary.NativeEndian.Uint32(b[4:]))),
		HardwareType: binary.NativeEndian.Uint16(b[8:]),
		PacketType:   b[10],
		HardwareAddr: append(net.HardwareAddr(nil), b[12:12+n]...),
	}
}

func parseLinkAddr(s string) (net.Addr, error) {
	f := strings.SplitN(s, "/", 5)
	if len(f) != 5 {
		return nil, errMalformed
	}
	index, err1 := strconv.ParseUint(f[0], 10, 31)
	protocol, err2 := strconv.ParseUint(f[1], 0, 16)
	hatype, err3 := strconv.ParseUint(f[2], 10, 16)
	pkttype, err4 := strconv.ParseUint(f[3], 10, 8)
	hw, err5 := parseHardwareAddr(f[4])
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return nil, err
		}
	}
	return &LinkAddr{
		Interface: int(index), Protocol: uint16(protocol),
		HardwareType: uint16(hatype), PacketType: uint8(pkttype), HardwareAddr: hw,
	}, nil
}

// parseHardwareAddr takes addresses of any length up to 32 bytes, unlike
// net.ParseMAC.
func parseHardwareAddr(s string) (net.HardwareAddr, error) {
	if s == "" {
		return nil, nil
	}
	var hw net.HardwareAddr
	for _, digits := range strings.Split(s, ":") {
		n, err := strconv.ParseUint(digits, 16, 8)
		if err != nil || len(digits) != 2 || len(hw) == maxHardwareAddr {
			return nil, errMalformed
		}
		hw = append(hw, byte(n))
	}
	return hw, nil
}

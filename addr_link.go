package sockets

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"

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

// maxHardwareAddr is the kernel's MAX_ADDR_LEN. struct sockaddr_ll has room for 8
// octets only, and is longer where they do not do, as for InfiniBand.
const maxHardwareAddr = 32

// encode makes a struct sockaddr_ll.
func (a *LinkAddr) encode() (sa sys.Sockaddr, err error) {
	var b [12 + maxHardwareAddr]byte
	if len(a.HardwareAddr) > maxHardwareAddr {
		return sa, &net.AddrError{Err: "hardware address longer than 32 octets", Addr: a.String()}
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

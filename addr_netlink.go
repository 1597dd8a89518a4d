package sockets

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets/internal/sys"
)

// NetlinkAddr is the address of a socket that talks to the kernel, netlink(7).
type NetlinkAddr struct {
	PortID uint32 // 0: the kernel, or a number that the kernel chooses
	Groups uint32 // bit mask of multicast groups
}

// Network returns "netlink".
func (a *NetlinkAddr) Network() string { return "netlink" }

// String returns the port and the groups, "1234/0x1".
func (a *NetlinkAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%d/%#x", a.PortID, a.Groups)
}

func (a *NetlinkAddr) addressFamily() int { return sys.AF_NETLINK }

func (a *NetlinkAddr) isNil() bool { return a == nil }

// encode makes a struct sockaddr_nl.
func (a *NetlinkAddr) encode() (sa sys.Sockaddr, err error) {
	var b [12]byte
	binary.NativeEndian.PutUint32(b[4:], a.PortID)
	binary.NativeEndian.PutUint32(b[8:], a.Groups)
	err = sa.SetFamily(sys.AF_NETLINK, b[:])
	return sa, err
}

// decodeNetlinkAddr reads a struct sockaddr_nl.
func decodeNetlinkAddr(sa sys.Sockaddr) net.Addr {
	b := sa.Bytes()
	if len(b) < 12 {
		return nil
	}
	return &NetlinkAddr{PortID: binary.NativeEndian.Uint32(b[4:]), Groups: binary.NativeEndian.Uint32(b[8:])}
}

func parseNetlinkAddr(s string) (net.Addr, error) {
	port, groups, ok := strings.Cut(s, "/")
	p, err1 := strconv.ParseUint(port, 10, 32)
	g, err2 := strconv.ParseUint(groups, 0, 32)
	if !ok || err1 != nil || err2 != nil {
		return nil, errMalformed
	}
	return &NetlinkAddr{PortID: uint32(p), Groups: uint32(g)}, nil
}

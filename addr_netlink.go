package sockets

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets/internal/sys"
)

// NetlinkAddr is the address of a netlink socket, which communicates with the kernel.
// See netlink(7).
type NetlinkAddr struct {
	PortID uint32 // 0 is the kernel, or lets the kernel choose
	Groups uint32 // bit mask of multicast groups: group n is bit n-1
}

// Network returns "netlink".
func (a *NetlinkAddr) Network() string { return "netlink" }

// String returns the port ID and the groups, as in "1234/0x1".
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
	err = sa.SetNetlink(a.PortID, a.Groups)
	return sa, err
}

// decodeNetlinkAddr reads a struct sockaddr_nl.
func decodeNetlinkAddr(sa sys.Sockaddr) net.Addr {
	port, groups, ok := sa.Netlink()
	if !ok {
		return nil
	}
	return &NetlinkAddr{PortID: port, Groups: groups}
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

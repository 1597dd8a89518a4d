package sockets

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets/internal/sys"
)

// LinkAddr is the address of a packet socket, which sends and receives link-layer
// frames. See packet(7).
type LinkAddr struct {
	Interface    int    // index
	Protocol     uint16 // EtherType in host byte order; 0 receives nothing
	HardwareType uint16 // of a received frame, such as ARPHRD_ETHER
	PacketType   uint8  // of a received frame, such as PACKET_HOST
	HardwareAddr net.HardwareAddr
}

// Network returns "packet".
func (a *LinkAddr) Network() string { return "packet" }

// String returns the five fields, as in "2/0x0800/1/0/02:00:5e:10:00:01".
func (a *LinkAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return fmt.Sprintf("%d/%#04x/%d/%d/%s", a.Interface, a.Protocol, a.HardwareType, a.PacketType, a.HardwareAddr)
}

func (a *LinkAddr) addressFamily() int { return sys.AF_PACKET }

func (a *LinkAddr) isNil() bool { return a == nil }

// encode makes a struct sockaddr_ll.
func (a *LinkAddr) encode() (sa sys.Sockaddr, err error) {
	if len(a.HardwareAddr) > sys.MaxHardwareAddr {
		return sa, &ArgumentError{Arg: "hardware address", Value: a.HardwareAddr, Why: "is longer than 32 bytes"}
	}
	if a.Interface < 0 || a.Interface > math.MaxInt32 {
		return sa, &ArgumentError{Arg: "interface index", Value: a.Interface, Why: "is not between 0 and 2147483647"}
	}
	err = sa.SetLink(sys.Link{
		Protocol: a.Protocol, Index: a.Interface, HardwareType: a.HardwareType, PacketType: a.PacketType, Addr: a.HardwareAddr,
	})
	return sa, err
}

// decodeLinkAddr reads a struct sockaddr_ll.
func decodeLinkAddr(sa sys.Sockaddr) net.Addr {
	l, ok := sa.Link()
	if !ok {
		return nil
	}
	return &LinkAddr{
		Protocol:     l.Protocol,
		Interface:    l.Index,
		HardwareType: l.HardwareType,
		PacketType:   l.PacketType,
		HardwareAddr: append(net.HardwareAddr(nil), l.Addr...),
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
		if err != nil || len(digits) != 2 || len(hw) == sys.MaxHardwareAddr {
			return nil, errMalformed
		}
		hw = append(hw, byte(n))
	}
	return hw, nil
}

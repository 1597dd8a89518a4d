package sockets

import (
	"math"
	"net"
	"strconv"
	"strings"

	"github.com/iolib-go/sockets/internal/sys"
)

// VsockAddr is the address of a socket between a virtual machine and its host. See
// vsock(7).
type VsockAddr struct {
	CID  uint32 // context ID: VsockAny, VsockLocal, VsockHost, or that of a guest
	Port uint32 // VsockAny lets the kernel choose
}

// Well-known context IDs and ports. See vsock(7).
const (
	VsockAny   = math.MaxUint32 // any context ID, any port
	VsockLocal = 1              // this machine
	VsockHost  = 2              // the host of this virtual machine
)

// Network returns "vsock".
func (a *VsockAddr) Network() string { return "vsock" }

// String returns the context ID and the port, as in "2:1024", with "*" for [VsockAny].
func (a *VsockAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return vsockNumber(a.CID) + ":" + vsockNumber(a.Port)
}

func vsockNumber(n uint32) string {
	if n == VsockAny {
		return "*"
	}
	return strconv.FormatUint(uint64(n), 10)
}

func (a *VsockAddr) addressFamily() int { return sys.AF_VSOCK }

func (a *VsockAddr) isNil() bool { return a == nil }

// encode makes a struct sockaddr_vm.
func (a *VsockAddr) encode() (sa sys.Sockaddr, err error) {
	err = sa.SetVsock(a.CID, a.Port)
	return sa, err
}

// decodeVsockAddr reads a struct sockaddr_vm.
func decodeVsockAddr(sa sys.Sockaddr) net.Addr {
	cid, port, ok := sa.Vsock()
	if !ok {
		return nil
	}
	return &VsockAddr{Port: port, CID: cid}
}

func parseVsockAddr(s string) (net.Addr, error) {
	cid, port, ok := strings.Cut(s, ":")
	c, err1 := parseVsockNumber(cid)
	p, err2 := parseVsockNumber(port)
	if !ok || err1 != nil || err2 != nil {
		return nil, errMalformed
	}
	return &VsockAddr{CID: c, Port: p}, nil
}

func parseVsockNumber(s string) (uint32, error) {
	if s == "*" {
		return VsockAny, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// vsockAddress takes "2:1024", and ":1024" for this machine. Port 0 of a listener is one
// that the kernel chooses, as it is for TCP.
func vsockAddress(_ *kind, dial bool, s string) (net.Addr, error) {
	if port, ok := strings.CutPrefix(s, ":"); ok {
		cid := "*"
		if dial {
			cid = strconv.Itoa(VsockLocal)
		}
		s = cid + ":" + port
	}
	addr, err := ParseAddr("vsock", s)
	if a, ok := addr.(*VsockAddr); ok && !dial && a.Port == 0 {
		a.Port = VsockAny
	}
	return addr, err
}

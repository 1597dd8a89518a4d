package sockets

import (
	"encoding/hex"
	"math"
	"net"
	"strconv"

	"github.com/iolib-go/sockets/internal/sys"
)

// RawAddr is an address of a family that this package does not know.
type RawAddr struct {
	Family int
	Data   []byte // of struct sockaddr, what follows the family: at most 126 bytes
}

// Network returns the family's number, "af38".
func (a *RawAddr) Network() string { return "af" + strconv.Itoa(a.Family) }

// String returns the bytes in hexadecimal.
func (a *RawAddr) String() string {
	if a == nil {
		return "<nil>"
	}
	return hex.EncodeToString(a.Data)
}

func (a *RawAddr) addressFamily() int { return a.Family }

func (a *RawAddr) isNil() bool { return a == nil }

func (a *RawAddr) encode() (sa sys.Sockaddr, err error) {
	if a.Family < 0 || a.Family > math.MaxUint16 {
		return sa, &net.AddrError{Err: "address family out of range", Addr: strconv.Itoa(a.Family)}
	}
	err = sa.SetFamily(a.Family, append(make([]byte, 2), a.Data...))
	return sa, err
}

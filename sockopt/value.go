package sockopt

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// The types of this file are how values look inside the kernel. They hold no
// functions and no pointers, so the tables of options need no code at start-up.

// invalid says why v cannot be the value of an option.
func invalid(v any, why string) error {
	return fmt.Errorf("value %v %s: %w", v, why, syscall.EINVAL)
}

// boolValue is an int that is 0 or something else.
type boolValue struct{}

func (boolValue) get(fd uintptr, o sys.Opt) (bool, error) {
	v, err := sys.OptGetInt(fd, o)
	return v != 0, err
}

func (boolValue) set(fd uintptr, o sys.Opt, v bool) error {
	if v {
		return sys.OptSetInt(fd, o, 1)
	}
	return sys.OptSetInt(fd, o, 0)
}

// number is an int of 32 bits, signed or not.
type number[T ~int | ~uint32] struct {
	min, max int64
}

func (number[T]) get(fd uintptr, o sys.Opt) (T, error) {
	v, err := sys.OptGetInt(fd, o)
	return T(v), err
}

func (n number[T]) set(fd uintptr, o sys.Opt, v T) error {
	if int64(v) < n.min || int64(v) > n.max {
		return invalid(v, fmt.Sprintf("not between %d and %d", n.min, n.max))
	}
	return sys.OptSetInt(fd, o, int(v))
}

// forced is a buffer size that is set through one option and read through
// another.
type forced struct {
	read string
}

func (f forced) get(fd uintptr, _ sys.Opt) (int, error) {
	// Every system with the one has the other.
	o, _ := sys.OptFind(f.read)
	return sys.OptGetInt(fd, o)
}

func (forced) set(fd uintptr, o sys.Opt, v int) error {
	return number[int]{0, math.MaxInt32}.set(fd, o, v)
}

// wide is a number of 64 bits.
type wide struct{}

func (wide) get(fd uintptr, o sys.Opt) (uint64, error) { return sys.OptGetUint64(fd, o) }

// rate is an unsigned long, and optionally cut down to 32 bits.
type rate struct{}

func (rate) get(fd uintptr, o sys.Opt) (uint64, error) {
	var b [8]byte
	n, err := sys.OptGetBytes(fd, o, b[:])
	if err != nil || n == len(b) {
		return binary.NativeEndian.Uint64(b[:]), err
	}
	v := binary.NativeEndian.Uint32(b[:])
	if v == math.MaxUint32 {
		return math.MaxUint64, nil
	}
	return uint64(v), nil
}

func (rate) set(fd uintptr, o sys.Opt, v uint64) error {
	switch {
	case v < math.MaxUint32:
		return sys.OptSetInt(fd, o, int(uint32(v)))
	case v == math.MaxUint64:
		return sys.OptSetInt(fd, o, -1) // any kernel's "no limit"
	case math.MaxInt == math.MaxInt32:
		return invalid(v, "more than an unsigned long holds")
	}
	return sys.OptSetUint64(fd, o, v)
}

// duration is an int that counts units. With none set, any negative value is the
// kernel's -1.
type duration struct {
	unit time.Duration
	max  time.Duration // zero means as many units as fit
	none bool
}

func (d duration) get(fd uintptr, o sys.Opt) (time.Duration, error) {
	v, err := sys.OptGetInt(fd, o)
	return time.Duration(v) * d.unit, err
}

func (d duration) set(fd uintptr, o sys.Opt, v time.Duration) error {
	if d.none && v < 0 {
		return sys.OptSetInt(fd, o, -1)
	}
	n, err := units(v, d.unit, d.max)
	if err != nil {
		return err
	}
	return sys.OptSetInt(fd, o, n)
}

// units returns how many units cover v; max zero means as many as an int32 holds.
func units(v, unit, max time.Duration) (int, error) {
	n := v / unit
	if v%unit > 0 {
		n++
	}
	switch {
	case v < 0:
		return 0, invalid(v, "negative")
	case n > math.MaxInt32, max != 0 && v > max:
		return 0, invalid(v, "too long")
	}
	return int(n), nil
}

// timeval is a struct timeval.
type timeval struct{}

func (timeval) get(fd uintptr, o sys.Opt) (time.Duration, error) { return sys.OptGetTimeval(fd, o) }

func (timeval) set(fd uintptr, o sys.Opt, v time.Duration) error {
	// The number of seconds has 32 bits on some systems.
	if _, err := units(v, time.Second, 0); err != nil {
		return err
	}
	return sys.OptSetTimeval(fd, o, v)
}

// lingerValue is a struct linger.
type lingerValue struct{}

func (lingerValue) get(fd uintptr, o sys.Opt) (LingerConfig, error) {
	on, seconds, err := sys.OptGetLinger(fd, o)
	if err != nil || !on {
		// Linux goes on reporting the time it would linger.
		return LingerConfig{}, err
	}
	return LingerConfig{Enable: true, Timeout: time.Duration(seconds) * time.Second}, nil
}

func (lingerValue) set(fd uintptr, o sys.Opt, v LingerConfig) error {
	seconds, err := units(v.Timeout, time.Second, 0)
	if err != nil {
		return err
	}
	return sys.OptSetLinger(fd, o, v.Enable, seconds)
}

// text is a string of at most max octets, or of any length if it is only read.
type text struct {
	max int
}

func (text) get(fd uintptr, o sys.Opt) (string, error) { return sys.OptGetString(fd, o) }

func (t text) set(fd uintptr, o sys.Opt, v string) error {
	// The kernel would cut off the rest and succeed in both cases.
	if len(v) > t.max {
		return invalid(fmt.Sprintf("%q", v), fmt.Sprintf("longer than %d octets", t.max))
	}
	if strings.IndexByte(v, 0) >= 0 {
		return invalid(fmt.Sprintf("%q", v), "contains NUL")
	}
	return sys.OptSetString(fd, o, v)
}

// octets is whatever the kernel answers, up to max octets of it.
type octets struct {
	max int
}

func (x octets) get(fd uintptr, o sys.Opt) ([]byte, error) {
	b := make([]byte, x.max)
	n, err := sys.OptGetBytes(fd, o, b)
	return b[:n], err
}

// inet4Addr is a struct in_addr.
type inet4Addr struct{}

func (inet4Addr) get(fd uintptr, o sys.Opt) (netip.Addr, error) {
	v, err := sys.OptGetInet4Addr(fd, o)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.AddrFrom4(v), nil
}

func (inet4Addr) set(fd uintptr, o sys.Opt, v netip.Addr) error {
	if !v.Is4() && !v.Is4In6() {
		return invalid(v, "not an IPv4 address")
	}
	return sys.OptSetInet4Addr(fd, o, v.As4())
}

// portRangeValue is a range of ports in one int, the higher in the upper half.
type portRangeValue struct{}

func (portRangeValue) get(fd uintptr, o sys.Opt) (PortRange, error) {
	v, err := sys.OptGetInt(fd, o)
	return PortRange{Low: uint16(v), High: uint16(v >> 16)}, err
}

func (portRangeValue) set(fd uintptr, o sys.Opt, v PortRange) error {
	if v.Low > v.High && v.High != 0 {
		return invalid(v, "the wrong way round")
	}
	return sys.OptSetInt(fd, o, int(int32(uint32(v.High)<<16|uint32(v.Low))))
}

// errorValue is an errno.
type errorValue struct{}

func (errorValue) get(fd uintptr, o sys.Opt) (error, error) {
	v, err := sys.OptGetInt(fd, o)
	if err != nil || v == 0 {
		return nil, err
	}
	return syscall.Errno(v), nil
}

// ucredValue is a struct ucred: three ints of 32 bits.
type ucredValue struct{}

func (ucredValue) get(fd uintptr, o sys.Opt) (Ucred, error) {
	var b [12]byte
	if _, err := sys.OptGetBytes(fd, o, b[:]); err != nil {
		return Ucred{}, err
	}
	cred := Ucred{
		PID: int(int32(binary.NativeEndian.Uint32(b[:]))),
		UID: binary.NativeEndian.Uint32(b[4:]),
		GID: binary.NativeEndian.Uint32(b[8:]),
	}
	// This is how the kernel says that there is no peer, or no notion of one.
	if cred == (Ucred{PID: 0, UID: math.MaxUint32, GID: math.MaxUint32}) {
		return Ucred{}, fmt.Errorf("no peer with credentials: %w", syscall.ENOTCONN)
	}
	return cred, nil
}

// pidfd is a descriptor that the kernel opens for the caller, close-on-exec.
type pidfd struct{}

func (pidfd) get(fd uintptr, o sys.Opt) (*os.File, error) {
	v, err := sys.OptGetInt(fd, o)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(v), "pidfd"), nil
}

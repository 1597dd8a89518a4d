package sockopt

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/iolib-go/sockets/internal/sys"
)

// A reader knows what a value looks like inside the kernel: get takes it from k.b. Its
// method room, if there is one, tells how long the value is at most.
type reader[T any] interface {
	get(k *call) (T, error)
}

// A writer knows the way back: put leaves the value in k.b, or refuses one that does
// not fit.
type writer[T any] interface {
	put(k *call, v T) error
}

// A value is both. The types of this file hold no functions and no pointers, so the
// tables of options need no code at start-up.
type value[T any] interface {
	reader[T]
	writer[T]
}

// getInt returns the value as an int. Some options give fewer bytes for one.
func (k *call) getInt() int {
	if len(k.b) == 1 {
		return int(k.b[0])
	}
	r := sys.Reader(k.b)
	return r.Int()
}

// putInt makes an int the value; the kernel sees its low 32 bits.
func (k *call) putInt(v int) error {
	k.b = sys.AppendInt(k.b, v)
	return nil
}

// boolValue is an int that is 0 or something else.
type boolValue struct{}

func (boolValue) get(k *call) (bool, error) { return k.getInt() != 0, nil }

func (boolValue) put(k *call, v bool) error {
	if v {
		return k.putInt(1)
	}
	return k.putInt(0)
}

// number is an int of 32 bits, signed or not.
type number[T ~int | ~uint32] struct {
	min, max int64
}

func (number[T]) get(k *call) (T, error) { return T(k.getInt()), nil }

func (n number[T]) put(k *call, v T) error {
	if int64(v) < n.min || int64(v) > n.max {
		return invalid(v, fmt.Sprintf("not between %d and %d", n.min, n.max))
	}
	return k.putInt(int(v))
}

// wide is a number of 64 bits.
type wide struct{}

func (wide) room() int { return 8 }

func (wide) get(k *call) (uint64, error) {
	r := sys.Reader(k.b)
	return r.Uint64(), nil
}

// rate is an unsigned long, and optionally cut down to 32 bits.
type rate struct{}

func (rate) get(k *call) (uint64, error) {
	r := sys.Reader(k.b)
	if len(r) == 8 {
		return r.Uint64(), nil
	}
	v := r.Uint32()
	if v == math.MaxUint32 {
		return math.MaxUint64, nil
	}
	return uint64(v), nil
}

func (rate) room() int { return 8 }

func (rate) put(k *call, v uint64) error {
	switch {
	case v < math.MaxUint32:
		return k.putInt(int(uint32(v)))
	case v == math.MaxUint64:
		return k.putInt(-1) // any kernel's "no limit"
	case math.MaxInt == math.MaxInt32:
		return invalid(v, "more than an unsigned long holds")
	}
	k.b = sys.AppendUword(k.b, v)
	return nil
}

// duration is an int that counts units. With none set, any negative value is the
// kernel's -1.
type duration struct {
	unit time.Duration
	max  time.Duration // zero means as many units as fit
	none bool
}

func (d duration) get(k *call) (time.Duration, error) {
	return time.Duration(k.getInt()) * d.unit, nil
}

func (d duration) put(k *call, v time.Duration) error {
	if d.none && v < 0 {
		return k.putInt(-1)
	}
	n, err := units(v, d.unit, d.max)
	if err != nil {
		return err
	}
	return k.putInt(n)
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

func (timeval) room() int { return 16 }

func (timeval) get(k *call) (time.Duration, error) { return sys.Timeval(k.b), nil }

func (timeval) put(k *call, v time.Duration) error {
	// The number of seconds has 32 bits on some systems.
	if _, err := units(v, time.Second, 0); err != nil {
		return err
	}
	k.b = sys.AppendTimeval(k.b, v)
	return nil
}

// lingerValue is a struct linger.
type lingerValue struct{}

func (lingerValue) room() int { return 8 }

func (lingerValue) get(k *call) (LingerConfig, error) {
	on, seconds := sys.Linger(k.b)
	if !on {
		// Linux goes on reporting the time it would linger.
		return LingerConfig{}, nil
	}
	return LingerConfig{Enable: true, Timeout: time.Duration(seconds) * time.Second}, nil
}

func (lingerValue) put(k *call, v LingerConfig) error {
	seconds, err := units(v.Timeout, time.Second, 0)
	if err != nil {
		return err
	}
	k.b = sys.AppendLinger(k.b, v.Enable, seconds)
	return nil
}

// text is a string of at most max bytes, or of any length if it is only read.
type text struct {
	max int
}

func (text) get(k *call) (string, error) {
	s, _, _ := strings.Cut(string(k.b), "\x00")
	return s, nil
}

func (t text) room() int { return max(t.max+1, 256) }

func (t text) put(k *call, v string) error {
	// The kernel would cut off the rest and succeed in both cases.
	if len(v) > t.max {
		return invalid(fmt.Sprintf("%q", v), fmt.Sprintf("longer than %d bytes", t.max))
	}
	if strings.IndexByte(v, 0) >= 0 {
		return invalid(fmt.Sprintf("%q", v), "contains NUL")
	}
	k.b = append(k.b, v...)
	return nil
}

// blob is whatever bytes the kernel takes and gives, up to max of them.
type blob struct {
	max int
}

func (blob) get(k *call) ([]byte, error) { return append([]byte{}, k.b...), nil }

func (x blob) room() int { return x.max }

func (x blob) put(k *call, v []byte) error {
	if len(v) > x.max {
		return invalid(fmt.Sprintf("of %d bytes", len(v)), fmt.Sprintf("longer than %d bytes", x.max))
	}
	k.b = append(k.b, v...)
	return nil
}

// inet4Addr is a struct in_addr.
type inet4Addr struct{}

func (inet4Addr) get(k *call) (netip.Addr, error) {
	r := sys.Reader(k.b)
	return netip.AddrFrom4([4]byte(r.Next(4))), nil
}

func (inet4Addr) put(k *call, v netip.Addr) error {
	if !v.Is4() && !v.Is4In6() {
		return invalid(v, "not an IPv4 address")
	}
	a := v.As4()
	k.b = append(k.b, a[:]...)
	return nil
}

// portRangeValue is a range of ports in one int, the higher in the upper half.
type portRangeValue struct{}

func (portRangeValue) get(k *call) (PortRange, error) {
	v := k.getInt()
	return PortRange{Low: uint16(v), High: uint16(v >> 16)}, nil
}

func (portRangeValue) put(k *call, v PortRange) error {
	if v.Low > v.High && v.High != 0 {
		return invalid(v, "with its ends in the wrong order")
	}
	return k.putInt(int(int32(uint32(v.High)<<16 | uint32(v.Low))))
}

// errorValue is an errno.
type errorValue struct{}

func (errorValue) get(k *call) (error, error) {
	v := k.getInt()
	if v == 0 {
		return nil, nil
	}
	return syscall.Errno(v), nil
}

// ucredValue is a struct ucred.
type ucredValue struct{}

func (ucredValue) room() int { return 12 }

func (ucredValue) get(k *call) (Ucred, error) {
	r := sys.Reader(k.b)
	cred := Ucred{PID: r.Int(), UID: r.Uint32(), GID: r.Uint32()}
	// This is how the kernel says that there is no peer, or no notion of one.
	if cred == (Ucred{PID: 0, UID: math.MaxUint32, GID: math.MaxUint32}) {
		return Ucred{}, fmt.Errorf("no peer with credentials: %w", syscall.ENOTCONN)
	}
	return cred, nil
}

// numbers is an array of numbers of 32 bits.
type numbers struct{}

func (numbers) room() int { return 64 }

func (numbers) get(k *call) ([]uint32, error) {
	r := sys.Reader(k.b)
	list := make([]uint32, 0, len(r)/4)
	for len(r) >= 4 {
		list = append(list, r.Uint32())
	}
	return list, nil
}

// pidfd is a descriptor that the kernel opens for the caller, close-on-exec.
type pidfd struct{}

func (pidfd) get(k *call) (*os.File, error) {
	return os.NewFile(uintptr(k.getInt()), "pidfd"), nil
}

// addrPortValue is a socket address of IPv4 or IPv6.
type addrPortValue struct{}

func (addrPortValue) room() int { return 28 }

func (addrPortValue) get(k *call) (netip.AddrPort, error) {
	var sa sys.Sockaddr
	if errno := sa.SetBytes(k.b); errno != 0 {
		return netip.AddrPort{}, errno
	}
	return sys.AddrPort(&sa), nil
}

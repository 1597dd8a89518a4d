//go:build linux

package sockopt

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// The kinds of sockets on which options are tested. All are fresh: neither bound
// nor connected.
const (
	inetKinds = "tcp4 tcp6 mptcp4 mptcp6 udp4 udp6 raw4 raw6"
	unixKinds = "unix unixgram unixpacket"
	allKinds  = inetKinds + " " + unixKinds
	// MPTCP sockets refuse many options, and take others without effect.
	notMPTCP = "tcp4 tcp6 udp4 udp6 raw4 raw6 " + unixKinds
)

// newSocket returns a fresh socket without a role.
func newSocket(t testing.TB, kind string) *os.File {
	t.Helper()
	args, ok := map[string][3]int{
		"tcp4":       {unix.AF_INET, unix.SOCK_STREAM, 0},
		"tcp6":       {unix.AF_INET6, unix.SOCK_STREAM, 0},
		"mptcp4":     {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP},
		"mptcp6":     {unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_MPTCP},
		"udp4":       {unix.AF_INET, unix.SOCK_DGRAM, 0},
		"udp6":       {unix.AF_INET6, unix.SOCK_DGRAM, 0},
		"raw4":       {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP},
		"raw6":       {unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6},
		"unix":       {unix.AF_UNIX, unix.SOCK_STREAM, 0},
		"unixgram":   {unix.AF_UNIX, unix.SOCK_DGRAM, 0},
		"unixpacket": {unix.AF_UNIX, unix.SOCK_SEQPACKET, 0},
		"netlink":    {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE},
		"packet":     {unix.AF_PACKET, unix.SOCK_DGRAM, 0},
	}[kind]
	if !ok {
		t.Fatalf("no kind of socket called %q", kind)
	}
	fd, err := unix.Socket(args[0], args[1]|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, args[2])
	skipUnprivileged(t, err)
	if err == unix.EPROTONOSUPPORT && strings.HasPrefix(kind, "mptcp") {
		t.Skip("this kernel has no MPTCP")
	}
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), kind)
	t.Cleanup(func() { f.Close() })
	return f
}

// skipUnprivileged skips the test if err is for want of a privilege.
func skipUnprivileged(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs a privilege: %v", err)
	}
}

// needOption skips the test if the kernel has no such option for a plain call either.
func needOption(t testing.TB, c syscall.Conn, plain func(fd int) error) {
	t.Helper()
	control(t, c, func(fd int) error {
		if err := plain(fd); errors.Is(err, syscall.ENOPROTOOPT) || errors.Is(err, syscall.EOPNOTSUPP) {
			t.Skipf("the kernel lacks the option: %v", err)
		}
		return nil
	})
}

// otherCongestion returns a congestion control algorithm that is not the default.
func otherCongestion() string {
	def, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err == nil && strings.TrimSpace(string(def)) == "reno" {
		return "cubic"
	}
	return "reno" // always compiled in, and always allowed
}

// control calls f with c's descriptor, as the second path to the kernel.
func control(t testing.TB, c syscall.Conn, f func(fd int) error) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ferr error
	if err := rc.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	if ferr != nil {
		t.Fatal(ferr)
	}
}

// apply applies s to c as a Control function does.
func apply(t testing.TB, s Setting, c syscall.Conn) error {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return s.Apply(rc)
}

// A rawValue is what x/sys/unix is to read from a socket.
type rawValue struct {
	get  func(fd int) (any, error)
	want any
}

func (r rawValue) check(t *testing.T, c syscall.Conn) {
	t.Helper()
	control(t, c, func(fd int) error {
		got, err := r.get(fd)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(r.want, got); diff != "" {
			t.Errorf("getsockopt mismatch (-want +got):\n%s", diff)
		}
		return nil
	})
}

func rawInt(level, opt, want int) rawValue {
	return rawValue{func(fd int) (any, error) { return unix.GetsockoptInt(fd, level, opt) }, want}
}

func rawUint64(level, opt int, want uint64) rawValue {
	return rawValue{func(fd int) (any, error) { return unix.GetsockoptUint64(fd, level, opt) }, want}
}

func rawString(level, opt int, want string) rawValue {
	return rawValue{func(fd int) (any, error) { return unix.GetsockoptString(fd, level, opt) }, want}
}

// An optionRow is an option and how to try it. Its names are those of the tables
// in this package.
type optionRow struct {
	name     string
	kinds    string // on which the option works
	check    func(t *testing.T, kind string)
	readOnly bool
	setting  Setting // for trying it where it does not work
}

// row tests that o reads back as v, by x/sys/unix as raw, once it was set to v.
func row[T any](o Option[T], v T, kinds string, raw rawValue) optionRow {
	return rowReading(o, v, v, kinds, raw)
}

// rowReading is row for an option that reads back as another value.
func rowReading[T any](o Option[T], v, reads T, kinds string, raw rawValue) optionRow {
	return newRow(o, v, kinds, func(t *testing.T, c syscall.Conn) {
		initial := setOption(t, c, o, v, reads, raw)
		err := o.Set(c, initial)
		skipUnprivileged(t, err)
		if err != nil {
			t.Fatalf("restoring %v: %v", initial, err)
		}
		got, err := o.Get(c)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(initial, got, cmpOption); diff != "" {
			t.Errorf("restored value mismatch (-want +got):\n%s", diff)
		}
	}, raw)
}

// rowForgetful is rowReading for an option whose initial value cannot be restored.
func rowForgetful[T any](o Option[T], v, reads T, kinds string, raw rawValue) optionRow {
	return newRow(o, v, kinds, func(t *testing.T, c syscall.Conn) {
		setOption(t, c, o, v, reads, raw)
	}, raw)
}

func newRow[T any](o Option[T], v T, kinds string, check func(*testing.T, syscall.Conn), raw rawValue) optionRow {
	return optionRow{name: o.String(), kinds: kinds, setting: o.With(v), check: func(t *testing.T, kind string) {
		c := newSocket(t, kind)
		needOption(t, c, func(fd int) error {
			_, err := raw.get(fd)
			return err
		})
		check(t, c)
		// A dialer or listener sets it on a bare descriptor.
		c = newSocket(t, kind)
		if err := apply(t, o.With(v), c); err != nil {
			t.Fatal(err)
		}
		raw.check(t, c)
	}}
}

// setOption sets o to v and checks that it reads back right. It returns the value
// that o had before.
func setOption[T any](t *testing.T, c syscall.Conn, o Option[T], v, reads T, raw rawValue) (initial T) {
	t.Helper()
	initial, err := o.Get(c)
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(reads, initial, cmpOption) {
		t.Errorf("the value to test with, %v, is the initial one", initial)
	}
	t.Logf("initially %v", initial)
	err = o.Set(c, v)
	skipUnprivileged(t, err)
	if err != nil {
		t.Fatal(err)
	}
	raw.check(t, c)
	got, err := o.Get(c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reads, got, cmpOption); diff != "" {
		t.Errorf("value mismatch (-want +got):\n%s", diff)
	}
	return initial
}

var cmpOption = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// rowRead tests that a read-only option tells the same as x/sys/unix, on fresh
// sockets.
func rowRead[T any](o ReadOnlyOption[T], kinds string, raw func(fd int) (T, error)) optionRow {
	return optionRow{name: o.String(), kinds: kinds, readOnly: true, check: func(t *testing.T, kind string) {
		checkRead(t, newSocket(t, kind), o, raw)
	}}
}

func checkRead[T any](t *testing.T, c syscall.Conn, o ReadOnlyOption[T], raw func(fd int) (T, error)) T {
	t.Helper()
	needOption(t, c, func(fd int) error {
		_, err := raw(fd)
		return err
	})
	got, err := o.Get(c)
	if err != nil {
		t.Fatal(err)
	}
	control(t, c, func(fd int) error {
		want, err := raw(fd)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("value mismatch (-want +got):\n%s", diff)
		}
		return nil
	})
	return got
}

func readInt(level, opt int) func(fd int) (int, error) {
	return func(fd int) (int, error) { return unix.GetsockoptInt(fd, level, opt) }
}

// rowOf is for a read-only option with a test of its own.
func rowOf[T any](o ReadOnlyOption[T], kinds string, check func(t *testing.T, kind string)) optionRow {
	return optionRow{name: o.String(), kinds: kinds, readOnly: true, check: check}
}

// rowTry is for an option that is set and has a test of its own.
func rowTry[T any](o interface {
	String() string
	With(T) Setting
}, v T, kinds string, check func(t *testing.T, kind string)) optionRow {
	return optionRow{name: o.String(), kinds: kinds, setting: o.With(v), check: check}
}

func optionRows() []optionRow {
	return slices.Concat(socketRows(), ipRows(), ipv6Rows(), tcpRows(), multicastRows(), netlinkRows(), packetRows())
}

func rawTimeval(opt int, want time.Duration) rawValue {
	return rawValue{func(fd int) (any, error) {
		tv, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, opt)
		if err != nil {
			return nil, err
		}
		return time.Duration(tv.Nano()), nil
	}, want}
}

func TestOptions(t *testing.T) {
	NeedKernelOptions(t)
	for _, row := range optionRows() {
		t.Run(row.name, func(t *testing.T) {
			for kind := range strings.FieldsSeq(row.kinds) {
				t.Run(kind, func(t *testing.T) { row.check(t, kind) })
			}
		})
	}
}

// dialSelf returns a conn of package net and the conn that was accepted for it,
// if the network has one. Its listener has the settings.
func dialSelf(t *testing.T, network string, settings ...Setting) (dialed, accepted net.Conn) {
	t.Helper()
	socktest.NeedNetwork(t, network)
	addr := "127.0.0.1:0"
	if strings.HasSuffix(network, "6") {
		addr = "[::1]:0"
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(strings.HasPrefix(network, "mptcp"))
	lc.Control = func(_, _ string, c syscall.RawConn) error {
		for _, s := range settings {
			if err := s.Apply(c); err != nil {
				return err
			}
		}
		return nil
	}
	network = strings.TrimPrefix(network, "mp")
	var d net.Dialer
	d.SetMultipathTCP(lc.MultipathTCP())
	if strings.HasPrefix(network, "udp") {
		l, err := lc.ListenPacket(t.Context(), network, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		addr = l.LocalAddr().String()
	} else {
		l, err := lc.Listen(t.Context(), network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addr = l.Addr().String()
		defer func() {
			if accepted, err = l.Accept(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { accepted.Close() })
		}()
	}
	dialed, err := d.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close() })
	return dialed, nil
}

// must fails the test if err is not nil, or skips it for want of a privilege or of what
// the kernel was built with.
func must(t testing.TB, err error) {
	t.Helper()
	skipUnprivileged(t, err)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// udpPair returns two sockets of package net on loopback; the first sends to the
// second with Write.
func udpPair(t *testing.T, network string) (a, b *net.UDPConn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "udp6" {
		address = "[::1]:0"
	}
	b = listenPacket(t, network, address).(*net.UDPConn)
	c, err := net.Dial(network, b.LocalAddr().String())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn), b
}

// next returns the datagram that b receives next.
func next(t testing.TB, b *net.UDPConn) string {
	t.Helper()
	must(t, b.SetReadDeadline(time.Now().Add(2*time.Minute)))
	buf := make([]byte, 100)
	n, err := b.Read(buf)
	must(t, err)
	return string(buf[:n])
}

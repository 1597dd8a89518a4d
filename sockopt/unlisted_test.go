//go:build linux

package sockopt

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// Options by number work as those of the tables do, each way to use one.
func TestUnlisted(t *testing.T) {
	NeedKernelOptions(t)
	type timeval struct{ Sec, Usec int }
	tests := []struct {
		name string
		kind string
		set  Setting
		raw  rawValue
		get  func(c syscall.Conn) (any, error)
		want any
	}{
		{
			"int", "tcp4", Int("TCP_SYNCNT", unix.IPPROTO_TCP, unix.TCP_SYNCNT).With(3),
			rawInt(unix.IPPROTO_TCP, unix.TCP_SYNCNT, 3),
			func(c syscall.Conn) (any, error) { return Int("TCP_SYNCNT", unix.IPPROTO_TCP, unix.TCP_SYNCNT).Get(c) }, 3,
		},
		{
			"negative int", "tcp4", Int("TCP_LINGER2", unix.IPPROTO_TCP, unix.TCP_LINGER2).With(-1),
			rawInt(unix.IPPROTO_TCP, unix.TCP_LINGER2, -1),
			func(c syscall.Conn) (any, error) { return Int("", unix.IPPROTO_TCP, unix.TCP_LINGER2).Get(c) }, -1,
		},
		{
			"bool", "udp6", Bool("IPV6_RECVRTHDR", unix.IPPROTO_IPV6, unix.IPV6_RECVRTHDR).With(true),
			rawInt(unix.IPPROTO_IPV6, unix.IPV6_RECVRTHDR, 1),
			func(c syscall.Conn) (any, error) { return Bool("", unix.IPPROTO_IPV6, unix.IPV6_RECVRTHDR).Get(c) }, true,
		},
		{
			"string", "tcp4", String("TCP_CONGESTION", unix.IPPROTO_TCP, unix.TCP_CONGESTION, 15).With("reno"),
			rawString(unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno"),
			func(c syscall.Conn) (any, error) { return String("", unix.IPPROTO_TCP, unix.TCP_CONGESTION, 15).Get(c) }, "reno",
		},
		{
			// Longer than what a call has room for: IP options, here no operations.
			"bytes", "udp4", Bytes("IP_OPTIONS", unix.IPPROTO_IP, unix.IP_OPTIONS, 40).With([]byte{1, 1, 1, 0}),
			rawString(unix.IPPROTO_IP, unix.IP_OPTIONS, "\x01\x01\x01"),
			func(c syscall.Conn) (any, error) { return Bytes("", unix.IPPROTO_IP, unix.IP_OPTIONS, 40).Get(c) }, []byte{1, 1, 1, 0},
		},
		{
			"struct", "udp4", Struct[[2]int32]("SO_LINGER", unix.SOL_SOCKET, unix.SO_LINGER).With([2]int32{1, 7}),
			rawValue{func(fd int) (any, error) { return unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER) }, &unix.Linger{Onoff: 1, Linger: 7}},
			func(c syscall.Conn) (any, error) { return Struct[[2]int32]("", unix.SOL_SOCKET, unix.SO_LINGER).Get(c) }, [2]int32{1, 7},
		},
		{
			"struct of words", "udp4", Struct[timeval]("SO_RCVTIMEO", unix.SOL_SOCKET, unix.SO_RCVTIMEO).With(timeval{2, 500000}),
			rawTimeval(unix.SO_RCVTIMEO, 2500*1e6),
			func(c syscall.Conn) (any, error) {
				return Struct[timeval]("", unix.SOL_SOCKET, unix.SO_RCVTIMEO).Get(c)
			}, timeval{2, 500000},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newSocket(t, tt.kind)
			if err := apply(t, tt.set, c); err != nil {
				t.Fatal(err)
			}
			tt.raw.check(t, c)
			got, err := tt.get(c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("value mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// What has pointers, or does not fit, never reaches the kernel.
func TestUnlistedRefuses(t *testing.T) {
	c := newSocket(t, "tcp4")
	for name, err := range map[string]error{
		"pointer":                  Struct[*int]("SO_X", unix.SOL_SOCKET, unix.SO_LINGER).Set(c, new(int)),
		"string inside":            Struct[struct{ s string }]("SO_X", unix.SOL_SOCKET, unix.SO_LINGER).Set(c, struct{ s string }{}),
		"slice":                    second(Struct[[1][]byte]("SO_X", unix.SOL_SOCKET, unix.SO_LINGER).Get(c)),
		"bool":                     second(Struct[struct{ on bool }]("SO_X", unix.SOL_SOCKET, unix.SO_LINGER).Get(c)),
		"interface":                apply(t, Struct[any]("SO_X", unix.SOL_SOCKET, unix.SO_LINGER).With(1), c),
		"long string":              String("SO_X", unix.IPPROTO_TCP, unix.TCP_CONGESTION, 3).Set(c, "reno"),
		"negative max":             second(Bytes("SO_X", unix.SOL_SOCKET, unix.SO_LINGER, -1).Get(c)),
		"negative max of a string": second(String("SO_X", unix.SOL_SOCKET, unix.SO_LINGER, -1).Get(c)),
		"long bytes":               Bytes("SO_X", unix.IPPROTO_TCP, unix.TCP_CONGESTION, 3).Set(c, []byte("reno")),
	} {
		if _, ok := errors.AsType[*ValueError](err); !ok || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: error %v, want a ValueError", name, err)
		}
		checkOptionError(t, err, "SO_X", "tcp4")
	}
	if big := uint64(1) << 32; strconv.IntSize > 32 {
		for name, err := range map[string]error{
			"level":   second(Int("SO_X", int(big)+unix.SOL_SOCKET, unix.SO_TYPE).Get(c)),
			"number":  second(Struct[int32]("SO_X", unix.SOL_SOCKET, int(big)+unix.SO_TYPE).Get(c)),
			"maximum": second(Bytes("SO_X", unix.SOL_SOCKET, unix.SO_TYPE, int(big<<20)).Get(c)),
		} {
			if _, ok := errors.AsType[*ValueError](err); !ok {
				t.Errorf("%s of more than 32 bits: error %v, want a ValueError", name, err)
			}
		}
	}
	const none = 9999
	socktest.WithFD(t, c, func(fd int) error {
		if unix.SetsockoptInt(fd, unix.IPPROTO_TCP, none, 1) == nil {
			t.Skip("the kernel accepts any option")
		}
		return nil
	})
	missing := Int("NO_SUCH", unix.IPPROTO_TCP, none)
	if err := missing.Set(c, 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("no such number: %v, want errors.ErrUnsupported", err)
	}
}

func TestOptionOfNil(t *testing.T) {
	var conn syscall.Conn
	for name, c := range map[string]syscall.Conn{
		"nil": conn, "nil *net.TCPConn": (*net.TCPConn)(nil), "nil *os.File": (*os.File)(nil), "no RawConn": brokenConn{},
		"zero net.TCPListener": new(net.TCPListener), "zero net.UnixListener": new(net.UnixListener),
	} {
		for op, err := range map[string]error{
			"set": NoDelay.Set(c, true), "get": second(NoDelay.Get(c)), "set only": JoinGroup.Set(c, Membership{}), "get only": second(Cookie.Get(c)),
		} {
			if _, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s of %s: %v, want EINVAL", op, name, err)
			}
			if _, ok := err.(*net.OpError); !ok {
				t.Errorf("%s of %s: a %T", op, name, err)
			}
		}
	}
	if err := NoDelay.With(true).Apply(nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Apply: %v, want EINVAL", err)
	}
}

// Errors say what would have worked.
func TestOptionHint(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"IPv6 option", UnicastHops.Set(newSocket(t, "udp4"), 3), "IPv4 sockets have IP_TTL"},
		{"IPv6 option read", second(TrafficClass.Get(newSocket(t, "tcp4"))), "IPv4 sockets have IP_TOS"},
		{"IPv6 reception", ReceivePacketInfo6.Set(newSocket(t, "udp4"), true), "IPv4 sockets have IP_PKTINFO"},
		{"another family", UnicastHops.Set(newSocket(t, "unix"), 3), ""},
		{"no twin", V6Only.Set(newSocket(t, "tcp4"), true), ""},
		{"a value", UnicastHops.Set(newSocket(t, "udp4"), 256), ""},
	}
	for _, tt := range tests {
		e, ok := errors.AsType[*Error](tt.err)
		if !ok || e.Hint != tt.want || tt.want != "" && !strings.Contains(tt.err.Error(), "("+tt.want+")") {
			t.Errorf("%s: %v, want the hint %q", tt.name, tt.err, tt.want)
		}
	}

	err := Congestion.Set(newSocket(t, "tcp4"), "nosuch")
	available, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if os.Geteuid() != 0 {
		available, _ = os.ReadFile("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
	}
	want := ""
	if len(available) > 0 { // there is /proc
		want = "available: " + strings.TrimSpace(string(available))
	}
	if e, ok := errors.AsType[*Error](err); !ok || e.Hint != want || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such congestion control: %v, want the hint %q", err, want)
	}
}

// A setting serves inside Control of package net, before bind, and its error is the
// reason that the listener gives.
func TestApplyInControl(t *testing.T) {
	NeedKernelOptions(t)
	control := func(s ...Setting) func(string, string, syscall.RawConn) error {
		return func(_, _ string, c syscall.RawConn) error {
			for _, s := range s {
				if err := s.Apply(c); err != nil {
					return err
				}
			}
			return nil
		}
	}
	lc := net.ListenConfig{Control: control(ReusePort.With(true), BindToDevice.With("lo"), TOS.With(0x28))}
	a, err := lc.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := lc.ListenPacket(t.Context(), "udp4", a.LocalAddr().String()) // with ReusePort alone
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if v, err := BindToDevice.Get(b.(*net.UDPConn)); v != "lo" || err != nil {
		t.Errorf("device %q, %v", v, err)
	}

	lc.Control = control(TTL.With(256))
	_, err = lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	checkOptionError(t, err, "IP_TTL", "tcp4")
	d := net.Dialer{Control: control(UnicastHops.With(5))}
	_, err = d.Dial("udp4", a.LocalAddr().String())
	checkOptionError(t, err, "IPV6_UNICAST_HOPS", "udp4")
	if op, ok := err.(*net.OpError); !ok || op.Op != "dial" || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("dial: %v", err)
	}
}

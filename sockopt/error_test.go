//go:build linux

package sockopt

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/sys/unix"
)

// socketName is what errors call a fresh socket of a kind.
func socketName(kind string) string {
	switch kind {
	case "raw4":
		return "raw4:1"
	case "raw6":
		return "raw6:58"
	}
	return kind
}

// TestOptionsElsewhere sets every option on the kinds of sockets that do not have
// it.
func TestOptionsElsewhere(t *testing.T) {
	NeedKernelOptions(t)
	// These the kernel takes without having them, or has turned on already.
	accepted := map[string]string{
		"SO_BROADCAST":     "mptcp4 mptcp6",
		"SO_DONTROUTE":     "mptcp4 mptcp6",
		"SO_NO_CHECK":      "mptcp4 mptcp6",
		"SO_PASSCRED":      "mptcp4 mptcp6",
		"SO_PASSPIDFD":     "mptcp4 mptcp6",
		"SO_PASSSEC":       "mptcp4 mptcp6",
		"SO_RXQ_OVFL":      "mptcp4 mptcp6",
		"SO_REUSEADDR":     "raw4 raw6",
		"IP_MULTICAST_ALL": "tcp6 udp6",

		"MCAST_BLOCK_SOURCE":       "tcp4 tcp6",
		"MCAST_JOIN_GROUP":         "tcp4 tcp6",
		"MCAST_JOIN_SOURCE_GROUP":  "tcp4 tcp6",
		"MCAST_LEAVE_GROUP":        "tcp4 tcp6",
		"MCAST_LEAVE_SOURCE_GROUP": "tcp4 tcp6",
		"MCAST_UNBLOCK_SOURCE":     "tcp4 tcp6",
	}
	// These older kernels take, too.
	taken := map[string]int{
		"SO_PASSCRED":  unix.SO_PASSCRED,
		"SO_PASSPIDFD": unix.SO_PASSPIDFD,
		"SO_PASSSEC":   unix.SO_PASSSEC,
		"SO_REUSEPORT": unix.SO_REUSEPORT,
	}
	// These the kernel has for another type of socket of the same family.
	invalid := map[string]string{
		"IP_MULTICAST_IF":  "tcp4 tcp6",
		"IP_MULTICAST_TTL": "tcp4 tcp6",
		"IPV6_V6ONLY":      "raw6",

		"SO_ATTACH_REUSEPORT_CBPF": "tcp4 tcp6 raw4 raw6 unix unixgram unixpacket",
	}
	for _, row := range optionRows() {
		if row.readOnly {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			for kind := range strings.FieldsSeq(allKinds) {
				if slices.Contains(strings.Fields(row.kinds), kind) ||
					slices.Contains(strings.Fields(accepted[row.name]), kind) {
					continue
				}
				t.Run(kind, func(t *testing.T) {
					c := newSocket(t, kind)
					if option, ok := taken[row.name]; ok {
						control(t, newSocket(t, kind), func(fd int) error {
							if unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1) == nil {
								t.Skip("the kernel takes it")
							}
							return nil
						})
					}
					err := apply(t, row.setting, c)
					skipUnprivileged(t, err)
					want := errors.ErrUnsupported
					if slices.Contains(strings.Fields(invalid[row.name]), kind) {
						want = syscall.EINVAL
					}
					if !errors.Is(err, want) {
						t.Errorf("error %v, want %v", err, want)
					}
					checkOptionError(t, err, row.name, socketName(kind))
				})
			}
		})
	}
}

func checkOptionError(t *testing.T, err error, option, socket string) {
	t.Helper()
	optErr, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v of type %T holds no *Error", err, err)
	}
	got := Error{Option: optErr.Option, Socket: optErr.Socket}
	if diff := cmp.Diff(Error{Option: option, Socket: socket}, got); diff != "" {
		t.Errorf("%v names the wrong things (-want +got):\n%s", err, diff)
	}
}

func listenPacket(t *testing.T, network, addr string) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket(network, addr)
	skipUnprivileged(t, err)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// listen returns a listener of package net, which is one of plain TCP.
func listen(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestOptionsOfNet uses options on all types of package net.
func TestOptionsOfNet(t *testing.T) {
	// Longer paths than t.TempDir's may not fit a Unix address.
	dir, err := os.MkdirTemp("", "opt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socktest.NeedIPv6(t)
	dialed, accepted := dialSelf(t, "tcp4")
	unixListener := listen(t, "unix", filepath.Join(dir, "l"))
	unixConn, err := net.Dial("unix", unixListener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unixConn.Close() })

	for _, c := range []any{
		dialed.(*net.TCPConn),
		accepted.(*net.TCPConn),
		listen(t, "tcp6", "[::1]:0").(*net.TCPListener),
		listenPacket(t, "udp4", "127.0.0.1:0").(*net.UDPConn),
		listenPacket(t, "ip4:icmp", "127.0.0.1").(*net.IPConn),
		unixConn.(*net.UnixConn),
		unixListener.(*net.UnixListener),
		listenPacket(t, "unixgram", filepath.Join(dir, "g")).(*net.UnixConn),
	} {
		c := c.(syscall.Conn)
		if err := ReceiveBuffer.Set(c, 30000); err != nil {
			t.Errorf("%T: %v", c, err)
		}
		if v, err := ReceiveBuffer.Get(c); v != 60000 || err != nil {
			t.Errorf("%T: Get = %v, %v; want 60000, nil", c, v, err)
		}
		// No kind of socket has them all.
		for _, s := range []Option[bool]{V6Only, UDPGRO, NoDelay, PassCred, HeaderInclude} {
			if err := s.Set(c, true); err != nil {
				checkOpError(t, err, "set", c)
			}
			if _, err := s.Get(c); err != nil {
				checkOpError(t, err, "get", c)
			}
		}
	}
}

func checkOpError(t *testing.T, err error, op string, c syscall.Conn) {
	t.Helper()
	var want net.OpError
	switch c := c.(type) {
	case net.Listener:
		want.Addr = c.Addr()
	case interface{ LocalAddr() net.Addr }:
		want.Addr = c.LocalAddr()
	}
	want.Op, want.Net = op, want.Addr.Network()
	opErr, ok := err.(*net.OpError)
	if !ok {
		t.Errorf("%T: error %v is a %T, want a *net.OpError", c, err, err)
		return
	}
	got := *opErr
	got.Err = nil
	if got != want {
		t.Errorf("%T: error is %+v, want %+v", c, got, want)
	}
}

func TestOptionErrorText(t *testing.T) {
	udp := listenPacket(t, "udp4", "127.0.0.1:0").(*net.UDPConn)
	where := " udp " + udp.LocalAddr().String() + ": "
	r, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	bare := newSocket(t, "unixpacket")
	var noInfo error // EOPNOTSUPP in Linux
	socktest.WithFD(t, udp, func(fd int) error {
		_, noInfo = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return nil
	})
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"set", NoDelay.Set(udp, true), "set" + where + "TCP_NODELAY on udp4 socket: setsockopt: protocol not available"},
		{"get", second(ConnectionInfo.Get(udp)), "get" + where + "TCP_INFO on udp4 socket: getsockopt: " + fmt.Sprint(noInfo)},
		{"value", KeepCount.Set(udp, 0), "set" + where +
			"TCP_KEEPCNT on udp4 socket: value 0 not between 1 and 127: invalid argument"},
		{"no address", NoDelay.Set(bare, true), "set: TCP_NODELAY on unixpacket socket: setsockopt: operation not supported"},
		{"no socket", NoDelay.Set(r, true), "set: TCP_NODELAY: setsockopt: socket operation on non-socket"},
		{"read-only here", SendLowWater.Set(udp, 2), "set" + where + "SO_SNDLOWAT on udp4 socket: unsupported operation"},
		{"no peer", second(PeerCred.Get(bare)),
			"get: SO_PEERCRED on unixpacket socket: no peer with credentials: transport endpoint is not connected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil || tt.err.Error() != tt.want {
				t.Errorf("error is\n%v, want\n%v", tt.err, tt.want)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// TestOptionMissing uses an option that no system has, as a stand-in for one that
// this system does not have.
func TestOptionMissing(t *testing.T) {
	missing := Option[bool]{"SO_MISSING", boolValue{}}
	c := newSocket(t, "tcp4")
	errs := map[string]error{
		"Set":               missing.Set(c, true),
		"Get":               second(missing.Get(c)),
		"Get of a ReadOnly": second(ReadOnlyOption[bool]{"SO_MISSING", boolValue{}}.Get(c)),
	}
	errs["Apply"] = apply(t, missing.With(true), c)
	for name, err := range errs {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: error %v, want errors.ErrUnsupported", name, err)
		}
		checkOptionError(t, err, "SO_MISSING", "tcp4")
	}
}

func TestOptionsOfClosed(t *testing.T) {
	dialed, _ := dialSelf(t, "tcp4")
	conns := []interface {
		syscall.Conn
		Close() error
	}{
		dialed.(*net.TCPConn),
		listen(t, "tcp4", "127.0.0.1:0").(*net.TCPListener),
		listenPacket(t, "udp4", "127.0.0.1:0").(*net.UDPConn),
		newSocket(t, "tcp4"),
	}
	for _, c := range conns {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		for op, err := range map[string]error{"set": ReuseAddr.Set(c, true), "get": second(ReuseAddr.Get(c))} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s on a closed %T: %v, want net.ErrClosed", op, c, err)
			}
			if netErr, ok := err.(net.Error); !ok || netErr.Timeout() || netErr.Temporary() {
				t.Errorf("%s on a closed %T: %v is no permanent net.Error", op, c, err)
			}
			checkOptionError(t, err, "SO_REUSEADDR", "")
			if want := "SO_REUSEADDR: use of closed network connection"; errors.Unwrap(err).Error() != want {
				t.Errorf("%s on a closed %T: %v, want %s", op, c, errors.Unwrap(err), want)
			}
		}
	}
}

// A wrappedConn hands out a RawConn that is not its own, as many wrappers do.
type wrappedConn struct{ syscall.Conn }

func TestOptionOfClosedInside(t *testing.T) {
	f := newSocket(t, "tcp4")
	f.Close()
	if err := ReuseAddr.Set(wrappedConn{f}, true); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want net.ErrClosed", err)
	}
}

// A brokenConn has no descriptor to hand out.
type brokenConn struct{ err error }

func (c brokenConn) SyscallConn() (syscall.RawConn, error) { return nil, c.err }

func TestOptionWithoutDescriptor(t *testing.T) {
	want := errors.New("not today")
	if _, err := ReuseAddr.Get(brokenConn{want}); !errors.Is(err, want) || errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want %v", err, want)
	}
	if _, err := ReuseAddr.Get(&net.TCPConn{}); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("on the zero TCPConn: %v, want EINVAL", err)
	}
}

// TestOptionErrorIsNetError checks that net.OpError sees through Error.
func TestOptionErrorIsNetError(t *testing.T) {
	for _, tt := range []struct {
		err                error
		timeout, temporary bool
	}{
		{os.NewSyscallError("setsockopt", syscall.EAGAIN), true, true},
		{os.NewSyscallError("setsockopt", syscall.EINTR), false, true},
		{os.NewSyscallError("setsockopt", syscall.EPERM), false, false},
		{errors.ErrUnsupported, false, false},
	} {
		var err net.Error = &net.OpError{Op: "set", Err: &Error{Option: "SO_DEBUG", Err: tt.err}}
		if err.Timeout() != tt.timeout || err.Temporary() != tt.temporary {
			t.Errorf("%v: Timeout %v, Temporary %v; want %v, %v", err, err.Timeout(), err.Temporary(), tt.timeout, tt.temporary)
		}
	}
}

// TestOptionRefusesValues sets what does not fit, and checks that the kernel was
// not asked.
func TestOptionRefusesValues(t *testing.T) {
	const second = time.Second
	tests := []struct {
		kind    string
		setting Setting
	}{
		{"tcp4", ReceiveBuffer.With(-1)},
		{"tcp4", ReceiveBuffer.With(math.MinInt)},
		{"tcp4", SendBufferForce.With(-1)},
		{"tcp4", TOS.With(256)},
		{"tcp4", TOS.With(-1)},
		{"tcp4", TTL.With(256)},
		{"tcp4", MinTTL.With(-1)},
		{"tcp6", UnicastHops.With(-2)},
		{"tcp6", TrafficClass.With(256)},
		{"udp4", UDPSegment.With(65536)},
		{"tcp4", MTUDiscover.With(6)},
		{"tcp4", KeepCount.With(128)},
		{"tcp4", KeepIdle.With(-second)},
		{"tcp4", KeepIdle.With(32767*second + 1)},
		{"tcp4", Linger2.With(120*second + 1)},
		{"tcp4", UserTimeout.With(-1)},
		{"tcp4", UserTimeout.With((math.MaxInt32 + 1) * time.Millisecond)},
		{"tcp4", DeferAccept.With(math.MaxInt64)},
		{"tcp4", DeferAccept.With(math.MinInt64)},
		{"tcp4", ReceiveTimeout.With(-1)},
		{"tcp4", SendTimeout.With(math.MaxInt64)},
		{"tcp4", Linger.With(LingerConfig{Enable: true, Timeout: -1})},
		{"tcp4", Linger.With(LingerConfig{Enable: true, Timeout: math.MaxInt64})},
		{"tcp4", Congestion.With("a-name-of-16-octs")},
		{"tcp4", Congestion.With("reno\x00")},
		{"udp4", BindToDevice.With("lo\x00rest")},
		{"udp4", BindToDevice.With("abcdefghijklmnop")},
		{"udp4", MulticastInterface.With(netip.Addr{})},
		{"udp4", MulticastInterface.With(netip.IPv6Loopback())},
		{"tcp4", LocalPortRange.With(PortRange{Low: 2, High: 1})},
		{"tcp4", MD5Sig.With(MD5Signature{Peer: netip.MustParsePrefix("192.0.2.1/32"), Interface: -1})},
	}
	if math.MaxInt > math.MaxInt32 {
		over := math.MaxInt32 // a constant would not compile where int is too small
		over++
		tests = append(tests, []struct {
			kind    string
			setting Setting
		}{
			{"tcp4", ReceiveBuffer.With(over)},
			{"tcp4", Priority.With(2*over + 1)},
			{"tcp4", FastOpen.With(over)},
			{"tcp4", MD5Sig.With(MD5Signature{Peer: netip.MustParsePrefix("192.0.2.1/32"), Interface: 2*over + 1})},
			{"udp4", TxTime.With(TxTimeConfig{Clock: 2*over + 1})},
			{"udp4", JoinGroup.With(Membership{Group: netip.MustParseAddr("232.1.1.1"), Interface: 2*over + 1})},
			{"udp4", PacketAddMembership.With(PacketMembership{Interface: 2*over + 1})},
		}...)
	}
	for _, tt := range tests {
		t.Run(tt.setting.String(), func(t *testing.T) {
			err := apply(t, tt.setting, newSocket(t, tt.kind))
			if _, ok := errors.AsType[*ValueError](err); !ok || !errors.Is(err, syscall.EINVAL) {
				t.Errorf("error %v, want a ValueError", err)
			}
			checkOptionError(t, err, tt.setting.s.option(), tt.kind)
		})
	}
}

func TestOptionRounding(t *testing.T) {
	NeedKernelOptions(t)
	const second = time.Second
	c := newSocket(t, "tcp4")
	set := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	set(KeepIdle.Set(c, 1*second+1))
	rawInt(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 2).check(t, c)
	set(KeepInterval.Set(c, 1))
	rawInt(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1).check(t, c)
	set(UserTimeout.Set(c, time.Microsecond))
	rawInt(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 1).check(t, c)
	set(UserTimeout.Set(c, math.MaxInt32*time.Millisecond))
	rawInt(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, math.MaxInt32).check(t, c)
	set(Linger2.Set(c, -1))
	rawInt(unix.IPPROTO_TCP, unix.TCP_LINGER2, -1).check(t, c)
	if v, err := Linger2.Get(c); v >= 0 || err != nil {
		t.Errorf("Linger2.Get = %v, %v; want a negative duration", v, err)
	}
	set(DeferAccept.Set(c, 4*second))
	if v, err := DeferAccept.Get(c); v != 7*second || err != nil {
		t.Errorf("DeferAccept.Get = %v, %v; want 7s, nil", v, err)
	}
	set(Linger.Set(c, LingerConfig{Enable: true, Timeout: 1}))
	if v, err := Linger.Get(c); v != (LingerConfig{Enable: true, Timeout: second}) || err != nil {
		t.Errorf("Linger.Get = %v, %v; want 1s, nil", v, err)
	}
	set(ReceiveTimeout.Set(c, 1)) // would be 0, for ever, if it were cut off
	if v, err := ReceiveTimeout.Get(c); v <= 0 || err != nil {
		t.Errorf("ReceiveTimeout.Get = %v, %v; want more than 0", v, err)
	}
	set(MaxPacingRate.Set(c, math.MaxUint32-1))
	set(MaxPacingRate.Set(c, math.MaxUint64))
	rawUint64(unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, math.MaxUint64).check(t, c)
	if math.MaxInt > math.MaxInt32 {
		for _, want := range []uint64{math.MaxUint32, 1 << 40} {
			set(MaxPacingRate.Set(c, want))
			rawUint64(unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, want).check(t, c)
		}
	}
}

func TestLingerOff(t *testing.T) {
	c := newSocket(t, "tcp4")
	for _, v := range []LingerConfig{{}, {Enable: true, Timeout: time.Second}, {Timeout: time.Second}} {
		if err := Linger.Set(c, v); err != nil {
			t.Fatal(err)
		}
		want := v
		if !v.Enable {
			want = LingerConfig{}
		}
		if got, err := Linger.Get(c); got != want || err != nil {
			t.Errorf("after setting %+v: Get = %+v, %v; want %+v, nil", v, got, err, want)
		}
	}
}

func TestSettingString(t *testing.T) {
	for want, s := range map[string]Setting{
		"":                          {},
		"SO_REUSEADDR=true":         ReuseAddr.With(true),
		"SO_BINDTODEVICE=lo":        BindToDevice.With("lo"),
		"SO_MARK=7":                 Mark.With(7),
		"TCP_KEEPIDLE=30s":          KeepIdle.With(30 * time.Second),
		"SO_LINGER=off":             Linger.With(LingerConfig{Timeout: time.Second}),
		"SO_LINGER=5s":              Linger.With(LingerConfig{Enable: true, Timeout: 5 * time.Second}),
		"IP_MTU_DISCOVER=PROBE":     MTUDiscover.With(MTUDiscoveryProbe),
		"IP_MTU_DISCOVER=-1":        MTUDiscover.With(-1),
		"IP_MULTICAST_IF=127.0.0.1": MulticastInterface.With(netip.MustParseAddr("127.0.0.1")),
		"IP_LOCAL_PORT_RANGE=1-2":   LocalPortRange.With(PortRange{1, 2}),
	} {
		if got := s.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}

func TestZeroSetting(t *testing.T) {
	if err := (Setting{}).Apply(nil); err != nil {
		t.Errorf("apply: %v", err)
	}
}

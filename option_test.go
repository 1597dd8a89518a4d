//go:build linux

package sockets

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	}[kind]
	if !ok {
		t.Fatalf("no kind of socket called %q", kind)
	}
	fd, err := unix.Socket(args[0], args[1]|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, args[2])
	skipUnprivileged(t, err)
	if err == unix.EPROTONOSUPPORT && strings.HasPrefix(kind, "mptcp") && os.Getenv("CI") != "true" {
		t.Skip("this kernel has no MPTCP")
	}
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), kind)
	t.Cleanup(func() { f.Close() })
	return f
}

// skipUnprivileged skips the test if err is for want of a privilege that the user
// running it does not have. Where CI runs it has them all.
func skipUnprivileged(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, os.ErrPermission) && os.Geteuid() != 0 && os.Getenv("CI") != "true" {
		t.Skipf("needs a privilege that only root has: %v", err)
	}
}

// optionSince has the versions of Linux in which the youngest options came.
var optionSince = map[string][2]int{
	"IP_LOCAL_PORT_RANGE": {6, 3},
	"SO_PASSPIDFD":        {6, 5},
	"SO_PASSRIGHTS":       {6, 16},
	"SO_PEEK_OFF":         {6, 9}, // of TCP
	"SO_PEERPIDFD":        {6, 5},
}

func skipOldKernel(t testing.TB, option string) {
	t.Helper()
	since, ok := optionSince[option]
	if !ok {
		return
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("release %q: %v", release, err)
	}
	if major < since[0] || major == since[0] && minor < since[1] {
		t.Skipf("Linux %s is older than the option, which came with %d.%d", release, since[0], since[1])
	}
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
// in option_*.go.
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
		check(t, newSocket(t, kind))
		// A dialer or listener sets it on a bare descriptor.
		c := newSocket(t, kind)
		control(t, c, func(fd int) error { return o.With(v).apply(uintptr(fd)) })
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

func socketRows() []optionRow {
	so := func(opt, want int) rawValue { return rawInt(unix.SOL_SOCKET, opt, want) }
	return []optionRow{
		rowOf(AcceptConn, "tcp4 tcp6 mptcp4 mptcp6 unix unixpacket", testAcceptConn),
		row(BindToDevice, "lo", allKinds, rawString(unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo")),
		row(BindToInterface, 1, allKinds, so(unix.SO_BINDTOIFINDEX, 1)),
		row(Broadcast, true, notMPTCP, so(unix.SO_BROADCAST, 1)),
		row(BusyPoll, 50*time.Microsecond, allKinds, so(unix.SO_BUSY_POLL, 50)),
		row(BypassRouting, true, notMPTCP, so(unix.SO_DONTROUTE, 1)),
		rowOf(Cookie, allKinds, testCookie),
		row(Debug, true, allKinds, so(unix.SO_DEBUG, 1)),
		row(IncomingCPU, 0, allKinds, so(unix.SO_INCOMING_CPU, 0)),
		rowRead(IncomingNAPIID, allKinds, readInt(unix.SOL_SOCKET, unix.SO_INCOMING_NAPI_ID)),
		row(KeepAlive, true, allKinds, so(unix.SO_KEEPALIVE, 1)),
		row(Linger, LingerConfig{Enable: true, Timeout: 7 * time.Second}, allKinds, rawValue{
			func(fd int) (any, error) { return unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER) },
			&unix.Linger{Onoff: 1, Linger: 7},
		}),
		rowForgetful(LockFilter, true, true, notMPTCP, so(unix.SO_LOCK_FILTER, 1)),
		row(Mark, 0x80000001, allKinds, rawValue{
			func(fd int) (any, error) {
				v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK)
				return uint32(v), err
			},
			uint32(0x80000001),
		}),
		row(MaxPacingRate, 1_000_000, notMPTCP, rawUint64(unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, 1_000_000)),
		rowOf(NetNSCookie, inetKinds+" "+unixKinds, testNetNSCookie),
		row(NoCheck, true, notMPTCP, so(unix.SO_NO_CHECK, 1)),
		row(OOBInline, true, notMPTCP, so(unix.SO_OOBINLINE, 1)),
		row(PassCred, true, unixKinds, so(unix.SO_PASSCRED, 1)),
		row(PassPIDFD, true, unixKinds, so(unix.SO_PASSPIDFD, 1)),
		row(PassRights, false, unixKinds, so(unix.SO_PASSRIGHTS, 0)),
		row(PassSecurity, true, unixKinds, so(unix.SO_PASSSEC, 1)),
		row(PeekOffset, 5, "tcp4 tcp6 udp4 udp6 "+unixKinds, so(unix.SO_PEEK_OFF, 5)),
		rowOf(PeerCred, unixKinds, testPeerCred),
		rowOf(PeerPIDFD, unixKinds, testPeerPIDFD),
		rowOf(PeerSecurity, "unix", testPeerSecurity),
		row(PreferBusyPoll, true, allKinds, so(unix.SO_PREFER_BUSY_POLL, 1)),
		row(Priority, 6, allKinds, so(unix.SO_PRIORITY, 6)),
		rowForgetful(ReceiveBuffer, 20000, 40000, allKinds, so(unix.SO_RCVBUF, 40000)),
		rowForgetful(ReceiveBufferForce, 30000, 60000, allKinds, so(unix.SO_RCVBUF, 60000)),
		row(ReceiveLowWater, 100, allKinds, so(unix.SO_RCVLOWAT, 100)),
		row(ReceiveQueueOverflow, true, notMPTCP, so(unix.SO_RXQ_OVFL, 1)),
		row(ReceiveTimeout, 2*time.Second, allKinds, rawTimeval(unix.SO_RCVTIMEO, 2*time.Second)),
		row(ReuseAddr, true, "tcp4 tcp6 mptcp4 mptcp6 udp4 udp6 "+unixKinds, so(unix.SO_REUSEADDR, 1)),
		row(ReusePort, true, inetKinds, so(unix.SO_REUSEPORT, 1)),
		rowForgetful(SendBuffer, 20000, 40000, allKinds, so(unix.SO_SNDBUF, 40000)),
		rowForgetful(SendBufferForce, 30000, 60000, allKinds, so(unix.SO_SNDBUF, 60000)),
		{name: SendLowWater.String(), kinds: allKinds, setting: SendLowWater.With(2), check: testSendLowWater},
		row(SendTimeout, 2*time.Second, allKinds, rawTimeval(unix.SO_SNDTIMEO, 2*time.Second)),
		rowRead(SocketDomain, allKinds, readInt(unix.SOL_SOCKET, unix.SO_DOMAIN)),
		rowOf(SocketError, "udp4", testSocketError),
		rowRead(SocketProtocol, allKinds, readInt(unix.SOL_SOCKET, unix.SO_PROTOCOL)),
		rowRead(SocketType, allKinds, readInt(unix.SOL_SOCKET, unix.SO_TYPE)),
		row(Timestamp, true, allKinds, so(unix.SO_TIMESTAMP, 1)),
		row(TimestampNS, true, allKinds, so(unix.SO_TIMESTAMPNS, 1)),
		row(ZeroCopy, true, "tcp4 tcp6 udp4 udp6", so(unix.SO_ZEROCOPY, 1)),
	}
}

func ipRows() []optionRow {
	const inet4 = "tcp4 tcp6 udp4 udp6 raw4"
	const mptcp = " mptcp4 mptcp6"
	const datagram = "udp4 udp6 raw4"
	ip := func(opt, want int) rawValue { return rawInt(unix.IPPROTO_IP, opt, want) }
	return []optionRow{
		row(BindAddressNoPort, true, inet4+mptcp, ip(unix.IP_BIND_ADDRESS_NO_PORT, 1)),
		row(Freebind, true, inet4+mptcp, ip(unix.IP_FREEBIND, 1)),
		row(HeaderInclude, true, "raw4", ip(unix.IP_HDRINCL, 1)),
		row(ICMPFilter, 1<<8|1, "raw4", rawInt(unix.SOL_RAW, unix.ICMP_FILTER, 1<<8|1)),
		row(LocalPortRange, PortRange{20000, 20999}, inet4+mptcp, ip(unix.IP_LOCAL_PORT_RANGE, 20999<<16|20000)),
		row(MinTTL, 200, inet4, ip(unix.IP_MINTTL, 200)),
		row(MTUDiscover, MTUDiscoveryDo, inet4, ip(unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)),
		row(MulticastAll, false, "tcp4 udp4 raw4", ip(unix.IP_MULTICAST_ALL, 0)),
		row(MulticastInterface, netip.MustParseAddr("127.0.0.1"), datagram, rawValue{
			func(fd int) (any, error) {
				return unix.GetsockoptInet4Addr(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF)
			},
			[4]byte{127, 0, 0, 1},
		}),
		row(MulticastLoop, false, inet4, ip(unix.IP_MULTICAST_LOOP, 0)),
		row(MulticastTTL, 32, datagram, ip(unix.IP_MULTICAST_TTL, 32)),
		rowOf(PathMTU, "tcp4 udp4", testPathMTU),
		row(ReceiveError, true, inet4, ip(unix.IP_RECVERR, 1)),
		row(ReceiveOriginalDst, true, inet4, ip(unix.IP_RECVORIGDSTADDR, 1)),
		row(ReceivePacketInfo, true, inet4, ip(unix.IP_PKTINFO, 1)),
		row(ReceiveTOS, true, inet4, ip(unix.IP_RECVTOS, 1)),
		row(ReceiveTTL, true, inet4, ip(unix.IP_RECVTTL, 1)),
		row(TOS, 0x28, inet4+mptcp, ip(unix.IP_TOS, 0x28)),
		row(TTL, 5, inet4, ip(unix.IP_TTL, 5)),
		row(Transparent, true, inet4+mptcp, ip(unix.IP_TRANSPARENT, 1)),
	}
}

func ipv6Rows() []optionRow {
	const inet6 = "tcp6 udp6 raw6"
	const datagram = "udp6 raw6"
	ip := func(opt, want int) rawValue { return rawInt(unix.IPPROTO_IPV6, opt, want) }
	return []optionRow{
		row(DontFragment, true, inet6, ip(unix.IPV6_DONTFRAG, 1)),
		row(Freebind6, true, inet6+" mptcp6", ip(unix.IPV6_FREEBIND, 1)),
		row(HeaderInclude6, true, "raw6", ip(unix.IPV6_HDRINCL, 1)),
		row(HopLimit, 5, inet6, ip(unix.IPV6_UNICAST_HOPS, 5)),
		row(MTUDiscover6, MTUDiscoveryProbe, inet6, ip(unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)),
		row(MulticastAll6, false, inet6, ip(unix.IPV6_MULTICAST_ALL, 0)),
		row(MulticastHopLimit, 32, datagram, ip(unix.IPV6_MULTICAST_HOPS, 32)),
		row(MulticastInterface6, 1, datagram, ip(unix.IPV6_MULTICAST_IF, 1)),
		row(MulticastLoop6, false, inet6, ip(unix.IPV6_MULTICAST_LOOP, 0)),
		rowOf(PathMTU6, "tcp6 udp6", testPathMTU),
		row(ReceiveError6, true, inet6, ip(unix.IPV6_RECVERR, 1)),
		row(ReceiveHopLimit, true, inet6, ip(unix.IPV6_RECVHOPLIMIT, 1)),
		row(ReceiveOriginalDst6, true, inet6, ip(unix.IPV6_RECVORIGDSTADDR, 1)),
		row(ReceivePacketInfo6, true, inet6, ip(unix.IPV6_RECVPKTINFO, 1)),
		row(ReceiveTrafficClass, true, inet6, ip(unix.IPV6_RECVTCLASS, 1)),
		row(TrafficClass, 0x28, inet6, ip(unix.IPV6_TCLASS, 0x28)),
		row(Transparent6, true, inet6+" mptcp6", ip(unix.IPV6_TRANSPARENT, 1)),
		row(V6Only, true, "tcp6 mptcp6 udp6", ip(unix.IPV6_V6ONLY, 1)),
	}
}

func tcpRows() []optionRow {
	const tcp = "tcp4 tcp6"
	const anyTCP = tcp + " mptcp4 mptcp6"
	raw := func(opt, want int) rawValue { return rawInt(unix.IPPROTO_TCP, opt, want) }
	return []optionRow{
		row(Congestion, otherCongestion(), anyTCP, rawString(unix.IPPROTO_TCP, unix.TCP_CONGESTION, otherCongestion())),
		rowOf(ConnectionInfo, anyTCP, testConnectionInfo),
		row(Cork, true, anyTCP, raw(unix.TCP_CORK, 1)),
		row(DeferAccept, 3*time.Second, anyTCP, raw(unix.TCP_DEFER_ACCEPT, 3)),
		row(FastOpen, 5, anyTCP, raw(unix.TCP_FASTOPEN, 5)),
		row(FastOpenConnect, true, anyTCP, raw(unix.TCP_FASTOPEN_CONNECT, 1)),
		row(InQueue, true, anyTCP, raw(unix.TCP_INQ, 1)),
		row(KeepCount, 3, anyTCP, raw(unix.TCP_KEEPCNT, 3)),
		row(KeepIdle, 30*time.Second, anyTCP, raw(unix.TCP_KEEPIDLE, 30)),
		row(KeepInterval, 20*time.Second, anyTCP, raw(unix.TCP_KEEPINTVL, 20)),
		row(Linger2, 10*time.Second, tcp, raw(unix.TCP_LINGER2, 10)),
		row(MaxSegment, 1000, anyTCP, raw(unix.TCP_MAXSEG, 1000)),
		row(NoDelay, true, anyTCP, raw(unix.TCP_NODELAY, 1)),
		row(NotSentLowWater, 4096, anyTCP, raw(unix.TCP_NOTSENT_LOWAT, 4096)),
		row(QuickAck, false, tcp, raw(unix.TCP_QUICKACK, 0)),
		row(SYNCount, 3, tcp, raw(unix.TCP_SYNCNT, 3)),
		row(SaveSYN, true, tcp, raw(unix.TCP_SAVE_SYN, 1)),
		rowOf(SavedSYN, tcp, testSavedSYN),
		row(ThinLinearTimeouts, true, tcp, raw(unix.TCP_THIN_LINEAR_TIMEOUTS, 1)),
		row(UserTimeout, 1500*time.Millisecond, tcp, raw(unix.TCP_USER_TIMEOUT, 1500)),
		row(WindowClamp, 65536, tcp, raw(unix.TCP_WINDOW_CLAMP, 65536)),

		row(UDPCork, true, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_CORK, 1)),
		row(UDPGRO, true, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_GRO, 1)),
		row(UDPSegment, 1000, "udp4 udp6", rawInt(unix.IPPROTO_UDP, unix.UDP_SEGMENT, 1000)),
	}
}

func optionRows() []optionRow {
	return slices.Concat(socketRows(), ipRows(), ipv6Rows(), tcpRows())
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
	for _, row := range optionRows() {
		t.Run(row.name, func(t *testing.T) {
			skipOldKernel(t, row.name)
			for kind := range strings.FieldsSeq(row.kinds) {
				t.Run(kind, func(t *testing.T) { row.check(t, kind) })
			}
		})
	}
}

func testAcceptConn(t *testing.T, kind string) {
	c := newSocket(t, kind)
	raw := func(fd int) (bool, error) {
		v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		return v != 0, err
	}
	if checkRead(t, c, AcceptConn, raw) {
		t.Error("a fresh socket listens")
	}
	control(t, c, func(fd int) error {
		if strings.HasPrefix(kind, "unix") {
			// Without a path: the kernel picks an abstract name.
			if err := unix.Bind(fd, &unix.SockaddrUnix{}); err != nil {
				return err
			}
		}
		return unix.Listen(fd, 1)
	})
	if !checkRead(t, c, AcceptConn, raw) {
		t.Error("a listener does not listen")
	}
}

func testCookie(t *testing.T, kind string) {
	cookie := func(fd int) (uint64, error) { return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE) }
	a := checkRead(t, newSocket(t, kind), Cookie, cookie)
	b := checkRead(t, newSocket(t, kind), Cookie, cookie)
	if a == 0 || a == b {
		t.Errorf("two sockets have the cookies %d and %d", a, b)
	}
}

func testNetNSCookie(t *testing.T, kind string) {
	v := checkRead(t, newSocket(t, kind), NetNSCookie, func(fd int) (uint64, error) {
		return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	})
	if v == 0 {
		t.Error("the network namespace has no cookie")
	}
}

// unixPair returns one end of a connected pair.
func unixPair(t *testing.T, kind string) *os.File {
	t.Helper()
	typ := map[string]int{"unix": unix.SOCK_STREAM, "unixgram": unix.SOCK_DGRAM, "unixpacket": unix.SOCK_SEQPACKET}[kind]
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	t.Cleanup(func() { a.Close(); b.Close() })
	return a
}

func testPeerCred(t *testing.T, kind string) {
	got := checkRead(t, unixPair(t, kind), PeerCred, func(fd int) (Ucred, error) {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return Ucred{}, err
		}
		return Ucred{int(cred.Pid), cred.Uid, cred.Gid}, nil
	})
	want := Ucred{os.Getpid(), uint32(os.Getuid()), uint32(os.Getgid())}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("own credentials mismatch (-want +got):\n%s", diff)
	}

	if _, err := PeerCred.Get(newSocket(t, kind)); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("on a socket without a peer: %v, want ENOTCONN", err)
	}
}

func testPeerPIDFD(t *testing.T, kind string) {
	f, err := PeerPIDFD.Get(unixPair(t, kind))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	control(t, f, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			t.Error("the pidfd is not close-on-exec")
		}
		return errors.Join(err, unix.PidfdSendSignal(fd, 0, nil, 0))
	})

	if f, err := PeerPIDFD.Get(newSocket(t, kind)); err == nil {
		f.Close()
		t.Error("a socket without a peer gave a pidfd")
	}
}

func testPeerSecurity(t *testing.T, kind string) {
	c := unixPair(t, kind)
	got, gotErr := PeerSecurity.Get(c)
	control(t, c, func(fd int) error {
		want, err := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_PEERSEC)
		if want != got || !errors.Is(gotErr, err) {
			t.Errorf("label %q, %v; want %q, %v", got, gotErr, want, err)
		}
		return nil
	})
}

func testSendLowWater(t *testing.T, kind string) {
	c := newSocket(t, kind)
	if v, err := SendLowWater.Get(c); v != 1 || err != nil {
		t.Errorf("Get = %d, %v; want 1, nil", v, err)
	}
	if err := SendLowWater.Set(c, 2); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Set = %v; want errors.ErrUnsupported", err)
	}
}

func testSocketError(t *testing.T, _ string) {
	if v, err := SocketError.Get(newSocket(t, "udp4")); v != nil || err != nil {
		t.Errorf("on a fresh socket: %v, %v; want nil, nil", v, err)
	}

	// A port that was just given up refuses datagrams, and loopback tells so
	// before Write returns.
	gone, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	c, err := net.Dial("udp4", gone.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{syscall.ECONNREFUSED, nil} {
		if v, err := SocketError.Get(c.(*net.UDPConn)); v != want || err != nil {
			t.Errorf("pending error %v, %v; want %v, nil", v, err, want)
		}
	}
}

// dialSelf returns a conn of package net and the conn that was accepted for it,
// if the network has one. Its listener has the settings.
func dialSelf(t *testing.T, network string, settings ...Setting) (dialed, accepted net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if strings.HasSuffix(network, "6") {
		addr = "[::1]:0"
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(strings.HasPrefix(network, "mptcp"))
	lc.Control = func(_, _ string, c syscall.RawConn) error {
		var errs []error
		err := c.Control(func(fd uintptr) {
			for _, s := range settings {
				errs = append(errs, s.apply(fd))
			}
		})
		return errors.Join(append(errs, err)...)
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

func testPathMTU(t *testing.T, kind string) {
	o, level, opt := PathMTU, unix.IPPROTO_IP, unix.IP_MTU
	if strings.HasSuffix(kind, "6") {
		o, level, opt = PathMTU6, unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	c, _ := dialSelf(t, kind)
	if mtu := checkRead(t, c.(syscall.Conn), o, readInt(level, opt)); mtu < 1280 {
		t.Errorf("the path MTU of loopback is %d", mtu)
	}
	if _, err := o.Get(newSocket(t, kind)); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("on an unconnected socket: %v, want ENOTCONN", err)
	}
}

func testSavedSYN(t *testing.T, kind string) {
	_, c := dialSelf(t, kind, SaveSYN.With(true))
	syn, err := SavedSYN.Get(c.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]int{"tcp4": 20, "tcp6": 40}
	if n := headers[kind] + 20; len(syn) < n || syn[n-7]&2 == 0 {
		t.Errorf("% x are no headers of a SYN", syn)
	}
	if syn, err := SavedSYN.Get(c.(*net.TCPConn)); len(syn) != 0 || err != nil {
		t.Errorf("second Get = % x, %v; want nothing", syn, err)
	}
}

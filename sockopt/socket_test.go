//go:build linux

package sockopt

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// socketRows are the rows of TestOptions for socket.go, in its order.
func socketRows() []optionRow {
	so := func(opt, want int) rawValue { return rawInt(unix.SOL_SOCKET, opt, want) }
	return []optionRow{
		rowOf(AcceptConn, "tcp4 tcp6 mptcp4 mptcp6 unix unixpacket", testAcceptConn),
		rowTry(AttachFilter, dropAll, notMPTCP, testAttachFilter),
		rowTry(AttachReusePortCBPF, dropAll, "udp4 udp6", testAttachReusePortCBPF),
		row(BindToDevice, "lo", allKinds, rawString(unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo")),
		row(BindToIfIndex, 1, allKinds, so(unix.SO_BINDTOIFINDEX, 1)),
		row(Broadcast, true, notMPTCP, so(unix.SO_BROADCAST, 1)),
		row(BusyPoll, 50*time.Microsecond, allKinds, so(unix.SO_BUSY_POLL, 50)),
		row(DontRoute, true, notMPTCP, so(unix.SO_DONTROUTE, 1)),
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
		rowOf(PeerGroups, unixKinds, testPeerGroups),
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
		row(Timestamping, TimestampRxSoftware|TimestampSoftware, allKinds,
			so(unix.SO_TIMESTAMPING, unix.SOF_TIMESTAMPING_RX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE)),
		row(TimestampNS, true, allKinds, so(unix.SO_TIMESTAMPNS, 1)),
		row(TxTime, TxTimeConfig{Clock: unix.CLOCK_MONOTONIC, Errors: true}, notMPTCP, so(unix.SO_TXTIME, unix.CLOCK_MONOTONIC)),
		row(ZeroCopy, true, "tcp4 tcp6 udp4 udp6", so(unix.SO_ZEROCOPY, 1)),
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
	c := unixPair(t, kind)
	needOption(t, c, func(fd int) error {
		pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		if err == nil {
			unix.Close(pidfd)
		}
		return err
	})
	f, err := PeerPIDFD.Get(c)
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

// dropAll is a program that keeps nothing of any packet.
var dropAll = []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K}}

func testAttachFilter(t *testing.T, kind string) {
	c := newSocket(t, kind)
	if p, err := AttachFilter.Get(c); len(p) > 0 || err != nil {
		t.Errorf("initially %v, %v", p, err)
	}
	must(t, AttachFilter.Set(c, nil)) // none to detach
	long := slices.Repeat([]bpf.RawInstruction{{Op: unix.BPF_LD | unix.BPF_IMM, K: 0x01020304}}, 500)
	for _, want := range [][]bpf.RawInstruction{dropAll, append(long, dropAll...), nil} {
		must(t, AttachFilter.Set(c, want))
		got, err := AttachFilter.Get(c)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("program mismatch (-want +got):\n%s", diff)
		}
	}
	if kind != "udp4" {
		return
	}
	a, b := udpPair(t, kind)
	must(t, AttachFilter.Set(b, dropAll))
	a.Write([]byte("dropped"))
	must(t, AttachFilter.Set(b, nil))
	a.Write([]byte("kept"))
	if got := next(t, b); got != "kept" {
		t.Errorf("received %q", got)
	}
}

func testAttachReusePortCBPF(t *testing.T, kind string) {
	socktest.NeedNetwork(t, kind)
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return ReusePort.With(true).Apply(c) }}
	address := map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[kind]
	var members []*net.UDPConn
	for range 2 {
		c, err := lc.ListenPacket(t.Context(), kind, address)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		address = c.LocalAddr().String()
		members = append(members, c.(*net.UDPConn))
	}
	for want := range members {
		must(t, AttachReusePortCBPF.Set(members[0], []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K, K: uint32(want)}}))
		for range 8 {
			c, err := net.Dial(kind, address)
			must(t, err)
			c.Write([]byte("x"))
			c.Close()
		}
		for range 8 {
			next(t, members[want])
		}
	}
	must(t, AttachReusePortCBPF.Set(members[0], nil))
}

func testPeerGroups(t *testing.T, kind string) {
	c := unixPair(t, kind)
	got, err := PeerGroups.Get(c)
	must(t, err)
	groups, err := os.Getgroups()
	must(t, err)
	want := make([]uint32, 0, len(groups))
	for _, g := range groups {
		want = append(want, uint32(g))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups mismatch (-want +got):\n%s", diff)
	}
	if _, err := PeerGroups.Get(newSocket(t, kind)); !errors.Is(err, syscall.ENODATA) {
		t.Errorf("on a socket without a peer: %v, want ENODATA", err)
	}
}

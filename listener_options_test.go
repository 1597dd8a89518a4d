//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// A heirRow is an option that is set on a listener, and what an accepted connection then
// has.
type heirRow struct {
	setting sockopt.Setting
	want    any
	get     func(c syscall.Conn) (any, error)
}

func heir[T any](o sockopt.Option[T], v T) heirRow { return heirAs(o, v, v) }

// heirAs is heir for an option that the kernel changes when it is set.
func heirAs[T any](o sockopt.Option[T], v, want T) heirRow {
	return heirRow{o.With(v), want, func(c syscall.Conn) (any, error) { return o.Get(c) }}
}

var heirRows = []heirRow{
	heir(sockopt.AttachFilter, []bpf.RawInstruction{{Op: 6, K: 1 << 16}}), // all that comes
	heir(sockopt.BindAddressNoPort, true),
	heir(sockopt.BindToDevice, "lo"),
	heir(sockopt.BindToIfIndex, 1),
	heir(sockopt.Broadcast, true),
	heir(sockopt.BusyPoll, 50*time.Microsecond),
	heir(sockopt.DontRoute, true),
	heir(sockopt.Congestion, "reno"),
	heir(sockopt.Cork, true),
	heir(sockopt.Debug, true),
	heir(sockopt.DontFragment, true),
	heir(sockopt.FastOpenConnect, true),
	heir(sockopt.Freebind, true),
	heir(sockopt.Freebind6, true),
	heir(sockopt.KeepAlive, false),
	heir(sockopt.KeepCount, 3),
	heir(sockopt.KeepIdle, 30*time.Second),
	heir(sockopt.KeepInterval, 20*time.Second),
	heir(sockopt.Linger, sockopt.LingerConfig{Enable: true, Timeout: 7 * time.Second}),
	heir(sockopt.Linger2, 10*time.Second),
	heir(sockopt.LocalPortRange, sockopt.PortRange{Low: 20000, High: 20999}),
	heir(sockopt.LockFilter, true),
	heir(sockopt.MTUDiscover, sockopt.MTUDiscoveryDo),
	heir(sockopt.MTUDiscover6, sockopt.MTUDiscoveryDo),
	heir(sockopt.Mark, 0x80000001),
	heir(sockopt.MaxPacingRate, 1_000_000),
	heirAs(sockopt.MaxSegment, 1000, 988), // without the option for timestamps
	heir(sockopt.MinHopCount, 20),
	heir(sockopt.MinTTL, 20),
	heir(sockopt.MulticastAll, false),
	heir(sockopt.MulticastAll6, false),
	heir(sockopt.MulticastLoop, false),
	heir(sockopt.MulticastLoop6, false),
	heir(sockopt.NoCheck, true),
	heir(sockopt.NoDelay, false),
	heir(sockopt.NotSentLowWater, 5000),
	heir(sockopt.OOBInline, true),
	heir(sockopt.PeekOffset, 5),
	heir(sockopt.PreferBusyPoll, true),
	heir(sockopt.Priority, 6),
	heirAs(sockopt.ReceiveBuffer, 20000, 40000),
	heirAs(sockopt.ReceiveBufferForce, 30000, 60000),
	heir(sockopt.ReceiveError, true),
	heir(sockopt.ReceiveError6, true),
	heir(sockopt.ReceiveHopLimit, true),
	heir(sockopt.ReceiveLowWater, 100),
	heir(sockopt.ReceiveOriginalDst, true),
	heir(sockopt.ReceiveOriginalDst6, true),
	heir(sockopt.ReceivePacketInfo, true),
	heir(sockopt.ReceivePacketInfo6, true),
	heir(sockopt.ReceiveQueueOverflow, true),
	heir(sockopt.ReceiveTOS, true),
	heir(sockopt.ReceiveTTL, true),
	heir(sockopt.ReceiveTimeout, 2*time.Second),
	heir(sockopt.ReceiveTrafficClass, true),
	heir(sockopt.ReuseAddr, true),
	heir(sockopt.ReusePort, true),
	heir(sockopt.SYNCount, 3),
	heir(sockopt.SaveSYN, true),
	heirAs(sockopt.SendBuffer, 20000, 40000),
	heirAs(sockopt.SendBufferForce, 30000, 60000),
	heir(sockopt.SendTimeout, 2*time.Second),
	heir(sockopt.TOS, 0x28),
	heir(sockopt.TTL, 50),
	heir(sockopt.ThinLinearTimeouts, true),
	heir(sockopt.Timestamp, true),
	heir(sockopt.TimestampNS, true),
	heir(sockopt.Timestamping, sockopt.TimestampRxSoftware|sockopt.TimestampSoftware),
	heir(sockopt.TrafficClass, 0x28),
	heir(sockopt.Transparent, true),
	heir(sockopt.Transparent6, true),
	heir(sockopt.TxTime, sockopt.TxTimeConfig{Clock: unix.CLOCK_MONOTONIC, Errors: true}),
	heir(sockopt.UnicastHops, 50),
	heir(sockopt.UserTimeout, 1500*time.Millisecond),
	heir(sockopt.V6Only, true),
	heir(sockopt.WindowClamp, 65536),
	heir(sockopt.ZeroCopy, true),
}

// notHandedDown are the options of listeners that mean nothing on their connections, and
// why.
var notHandedDown = map[string]string{
	sockopt.AttachReusePortCBPF.String(): "is of a group of listeners",
	sockopt.DeferAccept.String():         "is of listeners only",
	sockopt.FastOpen.String():            "is of listeners only",
	sockopt.JoinGroup.String():           "is for datagrams, although TCP takes it",
	sockopt.JoinSourceGroup.String():     "is for datagrams, although TCP takes it",
	sockopt.IncomingCPU.String():         "of a connection it tells where its packets come in",
	sockopt.MD5Sig.String():              "no system call reads it; a connection without it is none",
	sockopt.QuickAck.String():            "changes by itself, tcp(7)",
}

// TestHeirRows wants every option of package sockopt to be in one of the tables here.
func TestHeirRows(t *testing.T) {
	var want []string
	files, err := filepath.Glob("sockopt/*.go")
	socktest.Check(t, err)
	if len(files) == 0 {
		t.Skip("the source is not here")
	}
	declared := regexp.MustCompile(`(?m)^\t\w+ += (?:WriteOnly)?Option\[.*\]\{"(\w+)"`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		socktest.Check(t, err)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			want = append(want, m[1])
		}
	}
	var got []string
	for _, row := range slices.Concat(heirRows, unixHeirRows) {
		got = append(got, row.setting.Option())
	}
	for _, s := range refusedRows() {
		got = append(got, s.Option())
	}
	got = slices.AppendSeq(got, maps.Keys(notHandedDown))
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" || len(want) < 100 {
		t.Errorf("%d options (-) and rows (+):\n%s", len(want), diff)
	}
}

// TestOptionsHandedDown compares accepted connections with what was set on the listener,
// whatever kinds of TCP the two ends have and the clients before had.
func TestOptionsHandedDown(t *testing.T) {
	for _, row := range heirRows {
		for _, at := range []struct {
			network, address, family string
			domain                   int
		}{
			{"tcp4", "127.0.0.1:0", "4", unix.AF_INET},
			{"tcp6", "[::1]:0", "6", unix.AF_INET6},
			{"tcp", ":0", "4", unix.AF_INET6}, // IPv4 on a socket for both
		} {
			if at.network == "tcp" && row.setting.Option() == sockopt.V6Only.String() {
				continue
			}
			tcp, mptcp := "tcp"+at.family, "mptcp"+at.family
			for _, multipath := range []bool{false, true} {
				for _, clients := range [][]string{{tcp, tcp, mptcp}, {mptcp, mptcp, tcp, tcp}} {
					t.Run(fmt.Sprint(row.setting, " ", at.network, " multipath=", multipath, " ", clients), func(t *testing.T) {
						socktest.NeedOption(t, row.setting.Option())
						needKept(t, row, at.domain, unix.SOCK_STREAM)
						lc := &sockets.ListenConfig{Options: []sockopt.Setting{row.setting}}
						lc.SetMultipathTCP(multipath)
						l, err := lc.Listen(t.Context(), at.network, at.address)
						skipUnavailable(t, err)
						defer l.Close()
						testHandedDown(t, row, l, clients)
					})
				}
			}
		}
	}
}

// TestOptionsAdopted is about Multipath TCP listeners that others made, which cannot become
// TCP listeners: they have the option, or adopting them is an error.
func TestOptionsAdopted(t *testing.T) {
	socktest.NeedMultipath(t)
	for _, row := range heirRows {
		t.Run(fmt.Sprint(row.setting), func(t *testing.T) {
			socktest.NeedOption(t, row.setting.Option())
			made, err := sockets.Listen("mptcp4", "127.0.0.1:0")
			skipUnavailable(t, err)
			defer made.Close()
			f, err := made.(*sockets.TCPListener).File()
			socktest.Check(t, err)
			defer f.Close()
			s, err := sockets.FromFile(f)
			socktest.Check(t, err)
			defer s.Close()
			l, err := (&sockets.ListenConfig{Options: []sockopt.Setting{row.setting}}).Adopt(s)
			if err != nil {
				if _, ok := errors.AsType[*sockopt.Error](err); !ok {
					t.Error(err)
				}
				return
			}
			defer l.Close()
			testHandedDown(t, row, l, []string{"tcp4", "mptcp4", "tcp4"})
		})
	}
}

func testHandedDown(t *testing.T, row heirRow, l net.Listener, clients []string) {
	if row.setting.Option() == sockopt.MaxSegment.String() {
		needMaxSegment(t)
	}
	for i, network := range clients {
		if strings.HasPrefix(network, "mptcp") {
			socktest.NeedMultipath(t)
		}
		var d sockets.Dialer
		d.SetMultipathTCP(false)
		host := map[byte]string{'4': "127.0.0.1", '6': "::1"}[network[len(network)-1]]
		c, err := d.Dial(network, net.JoinHostPort(host, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)))
		skipUnavailable(t, err)
		a, err := l.Accept()
		if err == nil {
			var got any
			got, err = row.get(a.(syscall.Conn))
			if diff := cmp.Diff(row.want, got); diff != "" && err == nil {
				t.Errorf("connection %d, %s (-want +got):\n%s", i, network, diff)
			}
			c.Close() // first: gVisor has SO_LINGER wait for the other end
			a.Close()
		}
		c.Close()
		socktest.Check(t, err)
	}
}

// needMaxSegment skips the test if a connection of package net over loopback has the
// least segments of all, which is what gVisor says of every one.
func needMaxSegment(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	socktest.Check(t, err)
	defer c.Close()
	if size, err := sockopt.MaxSegment.Get(c.(syscall.Conn)); size <= 536 || err != nil {
		t.Skipf("the size of segments is %d, %v", size, err)
	}
}

// unixHeirRows are for unix sockets, which get less from their listeners.
var unixHeirRows = []heirRow{
	heir(sockopt.PassCred, true),
	heir(sockopt.PassPIDFD, true),
	heir(sockopt.PassRights, false),
	heir(sockopt.PassSecurity, true),
	heirAs(sockopt.SendBuffer, 20000, 40000),
	heirAs(sockopt.ReceiveBuffer, 20000, 40000),
	heir(sockopt.SendTimeout, 2*time.Second),
}

func TestOptionsHandedDownUnix(t *testing.T) {
	for _, row := range unixHeirRows {
		for _, network := range []string{"unix", "unixpacket"} {
			t.Run(fmt.Sprint(network, " ", row.setting), func(t *testing.T) {
				lc := &sockets.ListenConfig{Options: []sockopt.Setting{row.setting}}
				typ := map[string]int{"unix": unix.SOCK_STREAM, "unixpacket": unix.SOCK_SEQPACKET}[network]
				needKept(t, row, unix.AF_UNIX, typ)
				l, err := lc.Listen(t.Context(), network, socktest.ShortDir(t)+"/l")
				skipUnavailable(t, err)
				defer l.Close()
				for range 2 {
					c, err := sockets.Dial(network, l.Addr().String())
					socktest.Check(t, err)
					defer c.Close()
					a, err := l.Accept()
					socktest.Check(t, err)
					defer a.Close()
					got, err := row.get(a.(syscall.Conn))
					if diff := cmp.Diff(row.want, got); diff != "" || err != nil {
						t.Errorf("%v (-want +got):\n%s", err, diff)
					}
				}
			})
		}
	}
}

// TestAdoptWithOptions gives a listener that was made elsewhere the options of a
// ListenConfig, which must hold for connections that wait already as well.
func TestAdoptWithOptions(t *testing.T) {
	needKept(t, heir(sockopt.NotSentLowWater, 5000), unix.AF_INET, unix.SOCK_STREAM)
	needKept(t, heir(sockopt.UserTimeout, 3*time.Second), unix.AF_INET, unix.SOCK_STREAM)
	f, err := sockets.ParseFormat("iso-8859-1,crlf")
	socktest.Check(t, err)
	lc := sockets.ListenConfig{
		Options:   []sockopt.Setting{sockopt.NotSentLowWater.With(5000), sockopt.UserTimeout.With(3 * time.Second)},
		KeepAlive: 77 * time.Second,
		Format:    f,
	}
	s := listeningSocket(t)
	early, err := net.Dial("tcp", s.LocalAddr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, early)
	l, err := lc.Adopt(s)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	late, err := net.Dial("tcp", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, late)
	for _, when := range []string{"before", "after"} {
		c, err := l.Accept()
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		text, ok := c.(*sockets.TextConn)
		if !ok {
			t.Fatalf("%s: accepted a %T, want a *TextConn", when, c)
		}
		tcp := text.NetConn().(*sockets.TCPConn)
		low, err1 := sockopt.NotSentLowWater.Get(tcp)
		timeout, err2 := sockopt.UserTimeout.Get(tcp)
		idle, err3 := sockopt.KeepIdle.Get(tcp)
		noDelay, err4 := sockopt.NoDelay.Get(tcp)
		socktest.Check(t, errors.Join(err1, err2, err3, err4))
		want := []any{5000, 3 * time.Second, 77 * time.Second, true}
		if diff := cmp.Diff(want, []any{int(low), timeout, idle, noDelay}); diff != "" {
			t.Errorf("accepted %s: options (-want +got):\n%s", when, diff)
		}
	}
}

// listeningSocket returns a socket that listens on TCP, as it comes from a parent.
func listeningSocket(t *testing.T) *sockets.Socket {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // which does not have all options
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	socktest.Check(t, err)
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	socktest.Check(t, err)
	defer f.Close()
	s, err := sockets.FromFile(f)
	socktest.Check(t, err)
	socktest.CloseLater(t, s)
	return s
}

func TestAdoptFails(t *testing.T) {
	f, err := sockets.ParseFormat("utf-16")
	socktest.Check(t, err)
	for name, tt := range map[string]struct {
		config sockets.ListenConfig
		want   error
	}{
		"buffer size": {sockets.ListenConfig{Format: f, InputBufferSize: 1}, syscall.EINVAL},
		"backlog":     {sockets.ListenConfig{Backlog: -1}, syscall.EINVAL},
		"option":      {sockets.ListenConfig{Options: []sockopt.Setting{sockopt.UnicastHops.With(3)}}, syscall.ENOPROTOOPT},
	} {
		t.Run(name, func(t *testing.T) {
			s := listeningSocket(t)
			_, err := tt.config.Adopt(s)
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "listener" || !errors.Is(err, tt.want) {
				t.Errorf("Adopt: %v, want a *net.OpError of listener around %v", err, tt.want)
			}
			l, err := s.Listener() // as before
			socktest.Check(t, err)
			l.Close()
		})
	}
	s, err := sockets.New("tcp")
	socktest.Check(t, err)
	defer s.Close()
	var role *sockets.RoleError
	if _, err := new(sockets.ListenConfig).Adopt(s); !errors.As(err, &role) {
		t.Errorf("Adopt of a socket that does not listen: %v, want a *RoleError", err)
	}
}

// TestAdoptBacklog gives a listener that was made elsewhere another queue.
func TestAdoptBacklog(t *testing.T) {
	s := conntest.NewSocket(t, "unix")
	socktest.Check(t, s.Bind(&net.UnixAddr{}))
	socktest.WithFD(t, s, func(fd int) error { return unix.Listen(fd, 64) })
	l, err := (&sockets.ListenConfig{Backlog: 2}).Adopt(s)
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	conntest.WantBacklog(t, l, 2)
}

// TestBacklogRefused asks for queues of lengths that the kernel would take for others.
func TestBacklogRefused(t *testing.T) {
	for _, backlog := range []int{-1, wide(math.MaxInt32 + 1)} {
		lc := sockets.ListenConfig{Backlog: backlog}
		s := conntest.NewSocket(t, "tcp4")
		for call, err := range map[string]error{
			"ListenConfig.Listen": socktest.ErrOf(lc.Listen(t.Context(), "tcp4", "127.0.0.1:0")),
			"Socket.Listen":       socktest.ErrOf(s.Listen(backlog)),
		} {
			socktest.WantError(t, err, "listen", syscall.EINVAL)
			if arg, ok := errors.AsType[*sockets.ArgumentError](err); !ok || arg.Arg != "backlog" || arg.Value != backlog {
				t.Errorf("%s: %v, want a bad backlog %d", call, err, backlog)
			}
		}
		if s.Listening() {
			t.Errorf("the socket listens with a backlog of %d", backlog)
		}
	}
}

func TestAdoptNil(t *testing.T) {
	_, err := new(sockets.ListenConfig).Adopt(nil)
	var arg *sockets.ArgumentError
	if !errors.As(err, &arg) {
		t.Errorf("%v, want an ArgumentError", err)
	}
	socktest.WantError(t, err, "listener", syscall.EINVAL)
}

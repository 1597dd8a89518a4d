//go:build linux

package sockets_test

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"reflect"
	"syscall"
	"testing"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/internal/sys"
	"github.com/iolib-go/sockets/sockopt"
	"golang.org/x/sys/unix"
)

func TestListenPacketGroup(t *testing.T) {
	const n = 4
	group, err := new(ListenConfig).ListenPacketGroup(t.Context(), "udp4", "127.0.0.1:0", n)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan int, 100)
	done := make(chan struct{})
	for i, c := range group {
		if c.LocalAddr().String() != group[0].LocalAddr().String() {
			t.Errorf("member %d has %v, want %v", i, c.LocalAddr(), group[0].LocalAddr())
		}
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				if _, _, err := c.ReadFrom(make([]byte, 10)); err != nil {
					return
				}
				got <- i
			}
		}()
	}
	// Every peer has one member, and all together have more than one.
	seen := make(map[int]bool)
	for range 64 {
		a := conntest.ConnectUDP(t, &Dialer{}, "udp4", group[0].LocalAddr())
		member := -1
		for range 3 {
			if _, err := a.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			i := <-got
			if member >= 0 && i != member {
				t.Errorf("datagrams of one peer went to %d and %d", member, i)
			}
			member = i
		}
		seen[member] = true
	}
	if len(seen) < 2 {
		t.Errorf("64 peers went to the members %v", seen)
	}
	for _, c := range group {
		c.Close()
		<-done
	}
}

func TestListenGroup(t *testing.T) {
	for _, multipath := range []bool{false, true} {
		t.Run(fmt.Sprintf("multipath=%v", multipath), func(t *testing.T) {
			lc := new(ListenConfig)
			lc.SetMultipathTCP(multipath)
			group, err := lc.ListenGroup(t.Context(), "tcp", "127.0.0.1:0", 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(lc.Options) != 0 {
				t.Errorf("the ListenConfig now has %v", lc.Options)
			}
			accepted := make(chan int)
			for i, l := range group {
				go func() {
					for {
						c, err := l.Accept()
						if err != nil {
							accepted <- -1
							return
						}
						c.Close()
						accepted <- i
					}
				}()
			}
			for range 20 {
				c, err := Dial("tcp", group[0].Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				<-accepted
				c.Close()
			}
			for _, l := range group {
				l.Close()
			}
			for range group {
				<-accepted
			}
		})
	}
}

func TestListenGroupErrors(t *testing.T) {
	lc := new(ListenConfig)
	if _, err := lc.ListenGroup(t.Context(), "tcp", "127.0.0.1:0", 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("no members: %v, want EINVAL", err)
	}
	// Somebody outside the group has the port.
	c := conntest.OpenUDP(t, "udp4")
	_, err := lc.ListenPacketGroup(t.Context(), "udp4", c.LocalAddr().String(), 2)
	var op *net.OpError
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) || op.Op != "listen" {
		t.Errorf("port in use: %v, want EADDRINUSE", err)
	}
}

func TestSteerByCPU(t *testing.T) {
	group, err := new(ListenConfig).ListenPacketGroup(t.Context(), "udp4", "127.0.0.1:0", 2)
	if err != nil {
		t.Fatal(err)
	}
	var members []*UDPConn
	for _, c := range group {
		defer c.Close()
		members = append(members, c.(*UDPConn))
	}
	needSteering(t, members[1])
	// With one slot everything goes to the first.
	if err := SteerByCPU(members[1], 1); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	conntest.LimitTime(t, members[0])
	for range 20 {
		a := conntest.ConnectUDP(t, &Dialer{}, "udp4", members[0].LocalAddr())
		if _, err := a.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := members[0].ReadFrom(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if err := SteerByCPU(members[0], 2); err != nil {
		t.Error(err)
	}
	if err := SteerByCPU(members[0], 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("size 0: %v, want EINVAL", err)
	}
	members[0].Close()
	var op *net.OpError
	if err := SteerByCPU(members[0], 2); !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) {
		t.Errorf("after Close: %v", err)
	}
}

// needSteering skips the test if the kernel takes what is no program as well, and so looks
// at none, as gVisor.
func needSteering(t *testing.T, member syscall.Conn) {
	t.Helper()
	socktest.WithFD(t, member, func(fd int) error {
		code := unix.SockFilter{Code: 0xffff}
		if unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: 1, Filter: &code}) == nil {
			t.Skip("the kernel takes any program that is to choose a member")
		}
		return nil
	})
}

// TestListenGroupCloses checks that a group which cannot be completed leaves nothing.
func TestListenGroupCloses(t *testing.T) {
	opened, refuse := 0, errors.New("enough")
	lc := ListenConfig{Control: func(string, string, syscall.RawConn) error {
		if opened++; opened > 2 {
			return refuse
		}
		return nil
	}}
	before := socktest.OpenDescriptors(t)
	if ls, err := lc.ListenGroup(t.Context(), "tcp", "127.0.0.1:0", 4); ls != nil || !errors.Is(err, refuse) {
		t.Errorf("ListenGroup: %v, %v", ls, err)
	}
	opened = 0
	if cs, err := lc.ListenPacketGroup(t.Context(), "udp", "127.0.0.1:0", 4); cs != nil || !errors.Is(err, refuse) {
		t.Errorf("ListenPacketGroup: %v, %v", cs, err)
	}
	if after := socktest.OpenDescriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

// TestListenGroupOptions checks that the options of the caller stay what they are,
// memory behind them included, that each member has them, and that they have the
// last word.
func TestListenGroupOptions(t *testing.T) {
	options := append(make([]sockopt.Setting, 0, 4), sockopt.Priority.With(3))
	behind := options[1:cap(options)]
	lc := &ListenConfig{Options: options}
	group, err := lc.ListenPacketGroup(t.Context(), "udp4", "127.0.0.1:0", 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range group {
		defer c.Close()
		if got, err := sockopt.Priority.Get(c.(*UDPConn)); errors.Is(err, syscall.ENOPROTOOPT) {
			t.Skip(err)
		} else if got != 3 || err != nil {
			t.Errorf("member %d has priority %d, %v, want 3", i, got, err)
		}
		if got, err := sockopt.ReusePort.Get(c.(*UDPConn)); !got || err != nil {
			t.Errorf("member %d has ReusePort %v, %v, want true", i, got, err)
		}
	}
	if len(lc.Options) != 1 {
		t.Errorf("the ListenConfig now has %d options", len(lc.Options))
	}
	for _, s := range behind {
		if !reflect.ValueOf(s).IsZero() {
			t.Errorf("the memory behind its options has %v", s)
		}
	}

	lc = &ListenConfig{Options: []sockopt.Setting{sockopt.ReusePort.With(false)}}
	if _, err := lc.ListenPacketGroup(t.Context(), "udp4", "127.0.0.1:0", 2); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("two members without ReusePort: %v, want EADDRINUSE", err)
	}
}

// steerClosed is closed.
type steerClosed struct{}

func (steerClosed) SyscallConn() (syscall.RawConn, error) { return nil, os.ErrClosed }

// TestSteerByCPUErrors checks that the errors are net's, whatever the member is.
func TestSteerByCPUErrors(t *testing.T) {
	c := conntest.OpenUDP(t, "udp4")
	needSteering(t, c)
	foreign, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	foreign.Close()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	tests := []struct {
		name   string
		member syscall.Conn
		size   int
		err    error
		net    string
	}{
		{"no members", c, 0, syscall.EINVAL, "udp"},
		{"fewer", c, -1, syscall.EINVAL, "udp"},
		{"no group", c, 2, syscall.EINVAL, "udp"},
		{"closed, of package net", foreign, 2, net.ErrClosed, "udp"},
		{"no members, a nil conn", (*UDPConn)(nil), 0, syscall.EINVAL, ""},
		{"a nil conn", (*UDPConn)(nil), 2, syscall.EINVAL, ""},
		{"nil", nil, 2, syscall.EINVAL, ""},
		{"no members, a zero listener", new(TCPListener), 0, syscall.EINVAL, ""},
		{"more than 32 bits", c, math.MaxInt, syscall.EINVAL, "udp"},
		{"closed file", file, 2, net.ErrClosed, ""},
		{"zero value", new(UDPConn), 2, syscall.EINVAL, ""},
		{"closed, of another make", steerClosed{}, 2, net.ErrClosed, ""},
	}
	for _, tt := range tests {
		err := SteerByCPU(tt.member, tt.size)
		var op *net.OpError
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if !errors.Is(err, tt.err) || !errors.As(err, &op) || op.Op != "set" || op.Net != tt.net {
			t.Errorf("%s: %#v, want %v of %q", tt.name, err, tt.err, tt.net)
		}
		if arg := new(ArgumentError); errors.As(err, &arg) != (sys.IsNil(tt.member) || tt.size < 1 || int64(tt.size) > math.MaxUint32) {
			t.Errorf("%s: %#v", tt.name, err)
		}
	}
}

// TestSteerByCPUListeners steers connections of a group that the zero ListenConfig makes.
func TestSteerByCPUListeners(t *testing.T) {
	group, err := new(ListenConfig).ListenGroup(t.Context(), "tcp", "127.0.0.1:0", 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range group {
		defer l.Close()
	}
	needSteering(t, group[2].(syscall.Conn))
	if err := SteerByCPU(group[2].(syscall.Conn), 1); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	// With one slot everything goes to the first.
	for range 20 {
		c, err := Dial("tcp", group[0].Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a, err := group[0].(*TCPListener).AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
	}
}

// TestListenGroupZone makes groups on an address that is link-local.
func TestListenGroupZone(t *testing.T) {
	socktest.EnterNetNS(t)
	v0, _ := socktest.VethPair(t)
	socktest.AddAddr6(t, v0, net.ParseIP("fe80::15"))
	for _, network := range []string{"tcp", "tcp6", "mptcp"} {
		group, err := new(ListenConfig).ListenGroup(t.Context(), network, "[fe80::15%v0]:0", 2)
		if network == "mptcp" && (errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EPROTONOSUPPORT)) {
			continue // the kernel does not have it
		}
		if err != nil {
			t.Errorf("%s: %v", network, err)
			continue
		}
		for _, l := range group {
			addr := l.Addr().(*net.TCPAddr)
			if want := (&net.TCPAddr{IP: net.ParseIP("fe80::15"), Port: group[0].Addr().(*net.TCPAddr).Port, Zone: "v0"}); addr.String() != want.String() {
				t.Errorf("%s: address %v, want %v", network, addr, want)
			}
		}
		c, err := Dial("tcp", group[0].Addr().String())
		if err != nil {
			t.Errorf("%s: %v", network, err)
		} else {
			c.Close()
		}
		for _, l := range group {
			l.Close()
		}
	}
}

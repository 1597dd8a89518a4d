//go:build linux

package sockets_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
	"golang.org/x/sys/unix"
)

// A socket receives what is sent to a group as long as it is in it, and of a source
// only what that sends.
func TestJoinGroup(t *testing.T) {
	socktest.NeedOption(t, "MCAST_JOIN_GROUP")
	lo := socktest.LoopbackInterface(t)
	pc, err := ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	c := pc.(*UDPConn)
	defer c.Close()
	conntest.LimitTime(t, c)
	if err := sockopt.MulticastAll.Set(c, false); err != nil {
		t.Fatal(err)
	}
	group := &net.UDPAddr{IP: net.IPv4(239, 77, 1, 3), Port: c.LocalAddr().(*net.UDPAddr).Port}
	here, elsewhere := &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.IPAddr{IP: net.IPv4(127, 0, 0, 9)}
	from := conntest.OpenUDP(t, "udp4")
	if err := sockopt.MulticastInterface.Set(from, from.LocalAddr().(*net.UDPAddr).AddrPort().Addr()); err != nil {
		t.Fatal(err)
	}
	send := func(s string) {
		t.Helper()
		if _, err := from.WriteTo([]byte(s), group); err != nil {
			t.Fatal(err)
		}
	}
	receives := func(want string) {
		t.Helper()
		b := make([]byte, 20)
		if n, err := c.Read(b); string(b[:n]) != want || err != nil {
			t.Errorf("received %q, %v, want %q", b[:n], err, want)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	send("before")
	ok(c.JoinGroup(lo, group))
	send("joined")
	receives("joined")
	ok(c.LeaveGroup(lo, group))
	send("left")
	ok(c.JoinSourceSpecificGroup(lo, group, elsewhere))
	send("not from there")
	ok(c.JoinSourceSpecificGroup(lo, group, here))
	send("from there")
	receives("from there")
	ok(c.LeaveSourceSpecificGroup(lo, group, here))
	send("no more")
	ok(c.LeaveSourceSpecificGroup(lo, group, elsewhere))
	ok(c.JoinGroup(lo, group))
	send("again")
	receives("again")

	for name, err := range map[string]error{
		"no address":      c.JoinGroup(lo, nil),
		"nil address":     c.JoinGroup(lo, (*net.UDPAddr)(nil)),
		"unix address":    c.JoinGroup(lo, &net.UnixAddr{Name: "x"}),
		"no group":        c.JoinGroup(lo, here),
		"no source":       c.JoinSourceSpecificGroup(lo, group, nil),
		"another family":  c.JoinSourceSpecificGroup(lo, group, &net.IPAddr{IP: net.IPv6loopback}),
		"zone":            c.JoinGroup(nil, &net.UDPAddr{IP: net.ParseIP("ff02::1:2"), Zone: "lo"}),
		"zero":            new(UDPConn).JoinGroup(lo, group),
		"negative number": c.LeaveGroup(&net.Interface{Index: -1}, group),
	} {
		if !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v, want EINVAL", name, err)
		}
	}
	c.Close()
	if err := c.JoinGroup(lo, group); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v, want net.ErrClosed", err)
	}
}

// cables are two cables between two network namespaces.
type cables struct {
	here, there *os.File
	near, far   [2]*net.Interface
	network     string
	from        [2]*net.UDPAddr // near ends
	to          [2]*net.UDPAddr // far ends
}

func newCables(t *testing.T, network string) (c cables) {
	t.Helper()
	c.network, c.here, c.there = network, socktest.NewNetNS(t), socktest.NewNetNS(t)
	add, bases := socktest.AddAddr, [2]string{"10.92.1.", "10.92.2."}
	if network == "udp6" {
		add, bases = socktest.AddAddr6, [2]string{"fd00:1::", "fd00:2::"}
	}
	for i, names := range [][2]string{{"v0", "v1"}, {"v2", "v3"}} {
		socktest.InNetNS(t, c.here, func() {
			near, far := socktest.VethPairOf(t, names[0], names[1])
			socktest.MoveLink(t, far, c.there)
			c.near[i] = near
		})
		c.from[i], c.to[i] = &net.UDPAddr{IP: net.ParseIP(bases[i] + "1")}, &net.UDPAddr{IP: net.ParseIP(bases[i] + "2")}
		socktest.InNetNS(t, c.here, func() { add(t, c.near[i], c.from[i].IP) })
		socktest.InNetNS(t, c.there, func() {
			c.far[i] = socktest.WaitRunning(t, names[1])
			add(t, c.far[i], c.to[i].IP)
		})
		c.waitOpen(t, i)
	}
	return c
}

// waitOpen waits until a cable carries datagrams, which takes longer than until the
// kernel says that its ends run.
func (c *cables) waitOpen(t *testing.T, cable int) {
	t.Helper()
	socktest.InNetNS(t, c.here, func() { socktest.WaitRunning(t, c.near[cable].Name) })
	far, near := c.listener(t, c.to[cable], false), c.sender(t, cable)
	defer far.Close()
	defer near.Close()
	if !socktest.WaitUntil(func() bool {
		_, err := near.WriteTo([]byte("probe"), far.LocalAddr())
		socktest.Check(t, err)
		socktest.Check(t, far.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err = far.Read(make([]byte, 10))
		return err == nil
	}) {
		t.Fatal("the cable stays closed")
	}
}

// sender returns a socket at the near end of a cable, whose multicasts leave there.
func (c *cables) sender(t *testing.T, cable int) *UDPConn {
	t.Helper()
	lc := ListenConfig{NetNS: c.here}
	p, err := lc.ListenPacket(t.Context(), c.network, c.from[cable].String())
	socktest.Check(t, err)
	socktest.CloseLater(t, p)
	s := p.(*UDPConn)
	if c.network == "udp6" {
		err = sockopt.MulticastInterface6.Set(s, c.near[cable].Index)
	} else {
		ip, _ := netip.AddrFromSlice(c.from[cable].IP)
		err = sockopt.MulticastInterface.Set(s, ip.Unmap())
	}
	socktest.Check(t, err)
	return s
}

// listener returns a socket at the far ends.
func (c *cables) listener(t *testing.T, addr *net.UDPAddr, groupOnly bool) *UDPConn {
	t.Helper()
	lc := ListenConfig{NetNS: c.there, GroupOnly: groupOnly}
	p, err := lc.ListenPacket(t.Context(), c.network, addr.String())
	socktest.Check(t, err)
	socktest.CloseLater(t, p)
	conntest.LimitTime(t, p)
	return p.(*UDPConn)
}

// A socket for one group receives nothing that is for another one on the same port, for
// an interface where it is not in it, or from a source that it excluded.
func TestGroupOnly(t *testing.T) {
	socktest.NeedOption(t, "MCAST_JOIN_GROUP")
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			if network == "udp6" {
				socktest.NeedIPv6(t)
			}
			cables := newCables(t, network)
			one, two := &net.UDPAddr{IP: net.IPv4(239, 92, 0, 1)}, &net.UDPAddr{IP: net.IPv4(239, 92, 0, 2)}
			if network == "udp6" {
				one.IP, two.IP = net.ParseIP("ff05::92:1"), net.ParseIP("ff05::92:2")
			}
			// The witness receives all that comes to the port, as net's sockets do.
			witness := cables.listener(t, one, false)
			port := witness.LocalAddr().(*net.UDPAddr).Port
			one.Port, two.Port = port, port
			cables.to[0].Port = port
			if network == "udp6" {
				// Not even joined elsewhere, it gets what others joined.
				socktest.Check(t, sockopt.MulticastAll6.Set(witness, true))
			}
			c1, c2 := cables.listener(t, one, true), cables.listener(t, two, true)
			if got := c1.LocalAddr().String(); got != one.String() {
				t.Errorf("local address %s, want %v", got, one)
			}
			send0, send1 := cables.sender(t, 0), cables.sender(t, 1)
			receives := func(c *UDPConn, want string) {
				t.Helper()
				b := make([]byte, 40)
				n, err := c.Read(b)
				if string(b[:n]) != want || err != nil {
					t.Errorf("%v received %q, %v, want %q", c.LocalAddr(), b[:n], err, want)
				}
			}
			// What is sent has come to every socket that is to have it once the witness
			// has it.
			send := func(from *UDPConn, to *net.UDPAddr, text string) {
				t.Helper()
				_, err := from.WriteTo([]byte(text), to)
				socktest.Check(t, err)
				receives(witness, text)
			}
			ok := func(err error) {
				t.Helper()
				socktest.Check(t, err)
			}
			ok(witness.JoinGroup(cables.far[1], one)) // so that it comes in there
			send(send1, one, "not joined")
			ok(c1.JoinGroup(cables.far[0], one))
			ok(c2.JoinGroup(cables.far[0], two))
			send(send0, two, "group two")
			send(send0, cables.to[0], "no group")
			if network == "udp4" { // IPv6 does not tell interfaces apart there
				send(send1, one, "another interface")
			}
			send(send0, one, "group one")
			receives(c1, "group one")
			receives(c2, "group two")

			ok(c1.JoinGroup(cables.far[1], one))
			send(send1, one, "second interface")
			receives(c1, "second interface")
			send(send0, one, "first interface")
			receives(c1, "first interface")
			ok(c1.LeaveGroup(cables.far[0], one))
			ok(witness.JoinGroup(cables.far[0], one))
			if network == "udp4" {
				send(send0, one, "left")
			}
			send(send1, one, "still there")
			receives(c1, "still there")

			ok(c2.ExcludeSourceSpecificGroup(cables.far[0], two, cables.from[0]))
			ok(witness.JoinGroup(cables.far[0], two))
			send(send0, two, "excluded")
			ok(c2.IncludeSourceSpecificGroup(cables.far[0], two, cables.from[0]))
			send(send0, two, "included")
			receives(c2, "included")
			ok(c2.LeaveGroup(cables.far[0], two))
			ok(c2.JoinSourceSpecificGroup(cables.far[0], two, cables.to[0]))
			send(send0, two, "not the source")
			ok(c2.JoinSourceSpecificGroup(cables.far[0], two, cables.from[0]))
			send(send0, two, "the source")
			receives(c2, "the source")

			// It can answer, with an address of its own.
			_, err := c1.WriteTo([]byte("answer"), send1.LocalAddr())
			ok(err)
			conntest.LimitTime(t, send1)
			b := make([]byte, 40)
			n, from, err := send1.ReadFrom(b)
			if string(b[:n]) != "answer" || err != nil || !from.(*net.UDPAddr).IP.Equal(cables.to[1].IP) {
				t.Errorf("answer %q from %v, %v, want one from %v", b[:n], from, err, cables.to[1].IP)
			}
		})
	}
}

// linkLocalNeedsZone reports whether the kernel binds no socket to a group of one link
// without knowing which.
func linkLocalNeedsZone() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet6{Addr: netip.MustParseAddr("ff02::92").As16()}) != nil
}

// A group of one link is for its interface; without one, and where there is no group,
// the error says so.
func TestGroupOnlyAddress(t *testing.T) {
	socktest.NeedMulticast(t)
	lo := socktest.LoopbackInterface(t)
	lc := ListenConfig{GroupOnly: true}
	for _, tt := range []struct {
		network, address string
		ok               bool
	}{
		{"udp", "239.92.0.3:0", true},
		{"udp4", "224.0.0.251:0", true},
		{"udp6", "[ff05::92]:0", true},
		{"udp6", "[ff02::92%lo]:0", true},
		{"udp6", "[ff02::92]:0", false},
		{"udp6", "[ff01::92]:0", false},
		{"udp", "127.0.0.1:0", false},
		{"udp", ":0", false},
		{"udp6", "[::1]:0", false},
		{"ip4:253", "239.92.0.3", false},
		{"unixgram", "@group", false},
	} {
		if tt.network == "udp6" && !socktest.HasIPv6() {
			continue
		}
		c, err := lc.ListenPacket(t.Context(), tt.network, tt.address)
		if err == nil {
			c.Close()
		}
		if !tt.ok && err == nil && !linkLocalNeedsZone() {
			continue
		}
		var arg *ArgumentError
		if tt.ok && err != nil || !tt.ok && (!errors.As(err, &arg) || !errors.Is(err, syscall.EINVAL)) {
			t.Errorf("%s %s: %v", tt.network, tt.address, err)
		}
	}
	if _, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0"); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("tcp: %v, want EINVAL", err)
	}
	if err := new(UDPConn).ExcludeSourceSpecificGroup(lo, nil, nil); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("zero: %v, want EINVAL", err)
	}
}

func TestJoinNoGroup(t *testing.T) {
	c := conntest.OpenUDP(t, "udp4")
	group := &net.UDPAddr{IP: net.IPv4(232, 1, 1, 1)}
	for name, err := range map[string]error{
		"nil":            c.JoinGroup(nil, nil),
		"nil address":    c.LeaveGroup(nil, (*net.UDPAddr)(nil)),
		"unicast":        c.JoinGroup(nil, &net.IPAddr{IP: net.IPv4(192, 0, 2, 1)}),
		"no source":      c.JoinSourceSpecificGroup(nil, group, nil),
		"another family": c.ExcludeSourceSpecificGroup(nil, group, &net.UDPAddr{IP: net.IPv6loopback}),
		"of TCP":         c.JoinGroup(nil, &net.TCPAddr{IP: group.IP}),
		"source of TCP":  c.JoinSourceSpecificGroup(nil, group, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}),
		"no IP":          c.JoinGroup(nil, &net.UnixAddr{Name: "/x", Net: "unixgram"}),
	} {
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		var arg *ArgumentError
		if !errors.As(err, &arg) {
			t.Errorf("%s: %v, want an ArgumentError", name, err)
		}
		socktest.WantError(t, err, "set", syscall.EINVAL)
	}
}

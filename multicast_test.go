//go:build linux

package sockets_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	. "github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

// A socket receives what is sent to a group as long as it is in it, and of a source
// only what that sends.
func TestJoinGroup(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
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

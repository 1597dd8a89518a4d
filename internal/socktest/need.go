package socktest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// What not every user or system has is tried, once. A test that needs it says why it
// is skipped; .ci/skips.txt lists the skips that the reference machine may have.

func need(tb testing.TB, what string, try func() error) {
	tb.Helper()
	if err := try(); err != nil {
		tb.Skipf("no %s: %v", what, err)
	}
}

// bindTo returns a function that tries to have a socket with an address of this host.
func bindTo(network, address string) func() error {
	return sync.OnceValue(func() error {
		c, err := net.ListenPacket(network, address)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// sendTo tries to send a datagram to a socket of this host: its interface may be down
// though a socket can have its address.
func sendTo(network, address string) error {
	c, err := net.ListenPacket(network, address)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
		return err
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, _, err = c.ReadFrom(make([]byte, 1))
	return err
}

var (
	loopback = sync.OnceValue(func() error { return sendTo("udp4", "127.0.0.1:0") })
	ipv6     = bindTo("udp6", "[::1]:0")
	raw      = bindTo("ip4:253", "127.0.0.1")

	// Proc tries to read the proc file system.
	Proc = sync.OnceValue(func() error {
		_, err := os.Stat("/proc/self/fd")
		return err
	})
)

// HasLoopback reports whether the loopback interface is up. It is for TestMain, which
// skips all tests without it, and says so.
func HasLoopback() bool {
	err := loopback()
	if err != nil {
		fmt.Println("--- SKIP: all tests: the loopback interface is down:", err)
	}
	return err == nil
}

// NeedLoopback skips the test if the loopback interface is down.
func NeedLoopback(tb testing.TB) {
	tb.Helper()
	need(tb, "loopback interface", loopback)
}

var emptyWrite = sync.OnceValue(func() error {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer c.Close()
	d, err := net.Dial("udp4", c.LocalAddr().String())
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Write(nil); err != nil {
		return err
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _, err = c.ReadFrom(make([]byte, 1))
	return err
})

// NeedEmptyWrite skips the test if package net sends no datagram when there is nothing to
// write, as write(2) does not in gVisor with the network of its host.
func NeedEmptyWrite(tb testing.TB) {
	tb.Helper()
	need(tb, "empty datagrams by write", emptyWrite)
}

// NeedIPv6 skips the test if the loopback interface has no IPv6 address.
func NeedIPv6(tb testing.TB) {
	tb.Helper()
	need(tb, "IPv6", ipv6)
}

// NeedNetwork skips the test if sockets of the network need what is not there: IPv6,
// or the permission for raw sockets.
func NeedNetwork(tb testing.TB, network string) {
	tb.Helper()
	name, _, _ := strings.Cut(network, ":")
	if strings.HasSuffix(name, "6") {
		NeedIPv6(tb)
	}
	if strings.HasPrefix(name, "ip") {
		NeedRaw(tb)
	}
}

// HasIPv6 reports whether the loopback interface has an IPv6 address.
func HasIPv6() bool { return ipv6() == nil }

// NeedRaw skips the test if it may not have raw sockets, for which Linux wants
// CAP_NET_RAW.
func NeedRaw(tb testing.TB) {
	tb.Helper()
	need(tb, "raw sockets", raw)
}

// NeedProc skips the test if there is no proc file system.
func NeedProc(tb testing.TB) {
	tb.Helper()
	need(tb, "/proc", Proc)
}

var interfaces = sync.OnceValue(func() error {
	_, err := net.Interfaces()
	return err
})

// NeedInterfaces skips the test if package net cannot list interfaces.
func NeedInterfaces(tb testing.TB) {
	tb.Helper()
	need(tb, "list of interfaces", interfaces)
}

var multicast = sync.OnceValue(func() error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	c, err := net.ListenMulticastUDP("udp4", lo, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 254)})
	if err == nil {
		c.Close()
	}
	return err
})

// NeedMulticast skips the test if package net joins no group on the loopback interface.
func NeedMulticast(tb testing.TB) {
	tb.Helper()
	need(tb, "multicast", multicast)
}

// LoopbackInterface returns the loopback interface, or skips the test if interfaces cannot be
// listed.
func LoopbackInterface(tb testing.TB) *net.Interface {
	tb.Helper()
	ifi, err := net.InterfaceByName("lo")
	if err != nil {
		tb.Skip("no interface called lo: ", err)
	}
	return ifi
}

// NeedProgram returns the path of a program, or skips the test if it is missing.
func NeedProgram(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Skipf("%v; install it with: sh .ci/install-tools.sh", err)
	}
	return path
}

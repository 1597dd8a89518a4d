//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
)

// addrsEnds are ends of each kind that a dial may meet.
type addrsEnds struct {
	open4, open6     netip.AddrPort // a listener
	closed4, closed6 netip.AddrPort // nothing
	silent4          netip.AddrPort // no answer
	open4as6         netip.AddrPort
}

func newAddrsEnds(t *testing.T) (e addrsEnds) {
	t.Helper()
	socktest.NeedIPv6(t)
	listen := func(address string) netip.AddrPort {
		l, err := sockets.Listen("tcp", address)
		socktest.Check(t, err)
		socktest.CloseLater(t, l)
		return l.Addr().(*net.TCPAddr).AddrPort()
	}
	closed := func(address string) netip.AddrPort {
		// Bound and not listening, so that no other listener gets the port.
		s := conntest.NewSocket(t, "tcp"+map[bool]string{true: "4", false: "6"}[netip.MustParseAddr(address).Is4()])
		socktest.Check(t, s.Bind(&net.TCPAddr{IP: net.ParseIP(address)}))
		return s.LocalAddr().(*net.TCPAddr).AddrPort()
	}
	e.open4, e.open6 = listen("127.0.0.1:0"), listen("[::1]:0")
	e.closed4, e.closed6 = closed("127.0.0.1"), closed("::1")
	e.silent4 = netip.MustParseAddrPort(socktest.FullListener(t, "127.0.0.1:0"))
	e.open4as6 = netip.AddrPortFrom(netip.AddrFrom16(e.open4.Addr().As16()), e.open4.Port())
	return e
}

// DialAddrs reaches the first address that answers, and the other family does not wait
// for one that does not.
func TestDialAddrs(t *testing.T) {
	e := newAddrsEnds(t)
	one := func(ap netip.AddrPort) []netip.AddrPort { return []netip.AddrPort{ap} }
	for _, tt := range []struct {
		name    string
		d       sockets.Dialer
		network string
		addrs   []netip.AddrPort
		want    netip.AddrPort
	}{
		{"one", sockets.Dialer{}, "tcp", one(e.open4), e.open4},
		{"IPv6", sockets.Dialer{}, "tcp", one(e.open6), e.open6},
		{"IPv4 in IPv6 form", sockets.Dialer{}, "tcp", one(e.open4as6), e.open4},
		{"IPv4 in IPv6 form, tcp4", sockets.Dialer{}, "tcp4", one(e.open4as6), e.open4},
		{"mptcp", sockets.Dialer{}, "mptcp", one(e.open4), e.open4},
		{"second of a family", sockets.Dialer{}, "tcp4", []netip.AddrPort{e.closed4, e.open4}, e.open4},
		{"second after a share of the time", sockets.Dialer{Timeout: 5 * time.Second}, "tcp4", []netip.AddrPort{e.silent4, e.open4}, e.open4},
		{"first of two that answer", sockets.Dialer{FallbackDelay: time.Hour}, "tcp", []netip.AddrPort{e.open6, e.open4}, e.open6},
		{"other family after a refusal", sockets.Dialer{FallbackDelay: time.Hour}, "tcp", []netip.AddrPort{e.closed4, e.open6}, e.open6},
		{"other family after a delay", sockets.Dialer{FallbackDelay: time.Millisecond}, "tcp", []netip.AddrPort{e.silent4, e.open6}, e.open6},
		{"family of the first before the other", sockets.Dialer{FallbackDelay: time.Hour}, "tcp", []netip.AddrPort{e.closed4, e.open6, e.open4}, e.open4},
		{"without a race", sockets.Dialer{FallbackDelay: -1}, "tcp", []netip.AddrPort{e.closed4, e.open6, e.open4}, e.open6},
		{"own address of one family", sockets.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv6loopback}}, "tcp", []netip.AddrPort{e.open4, e.open6}, e.open6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addrs := slices.Clone(tt.addrs)
			c, err := tt.d.DialAddrs(t.Context(), tt.network, addrs)
			if errors.Is(err, syscall.EPROTONOSUPPORT) {
				t.Skip(err)
			}
			socktest.Check(t, err)
			defer c.Close()
			if got := c.RemoteAddr().(*net.TCPAddr).AddrPort(); got != tt.want {
				t.Errorf("connected to %v, want %v", got, tt.want)
			}
			if diff := cmp.Diff(tt.addrs, addrs, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("the caller's addresses changed (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("udp", func(t *testing.T) {
		c, err := new(sockets.Dialer).DialAddrs(t.Context(), "udp", []netip.AddrPort{e.open6, e.open4})
		socktest.Check(t, err)
		defer c.Close()
		if got := c.(*sockets.UDPConn).RemoteAddr().(*net.UDPAddr).AddrPort(); got != e.open6 {
			t.Errorf("connected to %v, want %v", got, e.open6)
		}
	})
	t.Run("external format", func(t *testing.T) {
		d := sockets.Dialer{Format: conntest.Format(t, "latin-1,crlf")}
		c, err := d.DialAddrs(t.Context(), "tcp", one(e.open4))
		socktest.Check(t, err)
		defer c.Close()
		if _, ok := c.(*sockets.TextConn); !ok {
			t.Errorf("%T, want a *TextConn", c)
		}
	})
}

// The error of a dial that fails is that of the first address.
func TestDialAddrsFails(t *testing.T) {
	e := newAddrsEnds(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		d     sockets.Dialer
		addrs []netip.AddrPort
		first netip.AddrPort
		want  error // nil: a timeout
	}{
		{"all of a family", t.Context(), sockets.Dialer{}, []netip.AddrPort{e.closed4, netip.AddrPortFrom(e.closed4.Addr(), 1)}, e.closed4, syscall.ECONNREFUSED},
		{"both families", t.Context(), sockets.Dialer{}, []netip.AddrPort{e.closed6, e.closed4}, e.closed6, syscall.ECONNREFUSED},
		{"canceled", canceled, sockets.Dialer{}, []netip.AddrPort{e.open4, e.open6}, e.open4, context.Canceled},
		{"no time", t.Context(), sockets.Dialer{Deadline: time.Unix(1, 0)}, []netip.AddrPort{e.open4, e.open6}, e.open4, context.DeadlineExceeded},
		{"no answer", t.Context(), sockets.Dialer{Timeout: 20 * time.Millisecond}, []netip.AddrPort{e.silent4}, e.silent4, nil},
	} {
		c, err := tt.d.DialAddrs(tt.ctx, "tcp", tt.addrs)
		if err == nil {
			c.Close()
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || op.Net != "tcp" || (tt.want != nil && !errors.Is(err, tt.want)) || (tt.want == nil && !op.Timeout()) {
			t.Errorf("%s: %v, want %v in a *net.OpError", tt.name, err, tt.want)
			continue
		}
		if got := op.Addr.String(); got != tt.first.String() {
			t.Errorf("%s: the error is of %s, want %v", tt.name, got, tt.first)
		}
	}
}

// What cannot be dialed is refused before anything is.
func TestDialAddrsRefused(t *testing.T) {
	four, six := netip.MustParseAddrPort("127.0.0.1:9"), netip.MustParseAddrPort("[::1]:9")
	local4 := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	argument := func(err error) bool {
		var arg *sockets.ArgumentError
		return errors.As(err, &arg) && errors.Is(err, syscall.EINVAL)
	}
	unknown := func(err error) bool {
		var network net.UnknownNetworkError
		return errors.As(err, &network)
	}
	address := func(err error) bool {
		var addr *net.AddrError
		return errors.As(err, &addr)
	}
	for _, tt := range []struct {
		name    string
		d       sockets.Dialer
		network string
		addrs   []netip.AddrPort
		fits    func(error) bool
	}{
		{"nil", sockets.Dialer{}, "tcp", nil, argument},
		{"empty", sockets.Dialer{}, "udp", []netip.AddrPort{}, argument},
		{"zero", sockets.Dialer{}, "tcp", []netip.AddrPort{four, {}}, argument},
		{"port alone", sockets.Dialer{}, "tcp", []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, 80)}, argument},
		{"IPv6 for tcp4", sockets.Dialer{}, "tcp4", []netip.AddrPort{four, six}, argument},
		{"IPv4 for mptcp6", sockets.Dialer{}, "mptcp6", []netip.AddrPort{six, four}, argument},
		{"IPv4 for udp6", sockets.Dialer{}, "udp6", []netip.AddrPort{four}, argument},
		{"IPv4 in IPv6 form for tcp6", sockets.Dialer{}, "tcp6", []netip.AddrPort{netip.MustParseAddrPort("[::ffff:127.0.0.1]:9")}, argument},
		{"unix", sockets.Dialer{}, "unix", []netip.AddrPort{four}, unknown},
		{"vsock", sockets.Dialer{}, "vsock", []netip.AddrPort{four}, unknown},
		{"raw", sockets.Dialer{}, "ip4:253", []netip.AddrPort{four}, unknown},
		{"no network", sockets.Dialer{}, "what", []netip.AddrPort{four}, unknown},
		{"none fits the local address", sockets.Dialer{LocalAddr: local4}, "tcp", []netip.AddrPort{six}, address},
		{"local address of another type", sockets.Dialer{LocalAddr: local4}, "udp", []netip.AddrPort{four}, address},
	} {
		tt.d.Control = func(string, string, syscall.RawConn) error {
			t.Errorf("%s: a socket is made", tt.name)
			return nil
		}
		c, err := tt.d.DialAddrs(t.Context(), tt.network, tt.addrs)
		if err == nil {
			c.Close()
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || op.Net != tt.network || !tt.fits(err) {
			t.Errorf("%s: %#v", tt.name, err)
		}
	}
}

// A trace sees each address that is tried.
func TestDialAddrsTrace(t *testing.T) {
	e := newAddrsEnds(t)
	var mu sync.Mutex
	var got []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		ConnectStart: func(network, addr string) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, network+" "+addr)
		},
	})
	d := sockets.Dialer{FallbackDelay: -1}
	c, err := d.DialAddrs(ctx, "tcp", []netip.AddrPort{e.closed4, e.closed6, e.open4, e.open6})
	socktest.Check(t, err)
	c.Close()
	want := []string{"tcp " + e.closed4.String(), "tcp " + e.closed6.String(), "tcp " + e.open4.String()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tried (-want +got):\n%s", diff)
	}
}

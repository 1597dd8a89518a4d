//go:build linux

package sockets_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptrace"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iolib-go/sockets"
	"github.com/iolib-go/sockets/internal/socktest"
	"github.com/iolib-go/sockets/internal/socktest/conntest"
	"github.com/iolib-go/sockets/sockopt"
)

func mustFormat(t *testing.T, s string) sockets.ExternalFormat {
	t.Helper()
	f, err := sockets.ParseFormat(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFormatOfDialerAndListener sends text from a dialed to an accepted
// connection, each in a format of its own, and compares what the wire carried.
func TestFormatOfDialerAndListener(t *testing.T) {
	const text = "日本\näöü\n"
	tests := []struct {
		name           string
		dial, listen   string
		accept         string // for this connection alone
		dialT, acceptT string // types
		got            string // by the accepted connection
	}{
		{"none", "", "", "", "raw", "raw", text},
		{"both", "shift_jis,crlf", "shift_jis,crlf", "", "text", "text", "日本\n???\n"},
		{"dialed only", "utf-8,crlf", "", "", "text", "raw", "日本\r\näöü\r\n"},
		{"accepted only", "", "latin-1", "", "raw", "text", "æ\u0097¥æ\u009c¬\nÃ¤Ã¶Ã¼\n"},
		{"inherited and replaced", "utf-16be", "latin-1", "utf-16be", "text", "text", text},
		{"replaced by the identity", "utf-8,crlf", "utf-8,crlf", "utf-8", "text", "raw", "日本\r\näöü\r\n"},
	}
	for _, network := range []string{"tcp", "unix"} {
		for _, tt := range tests {
			t.Run(network+"/"+tt.name, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				var lc sockets.ListenConfig
				var d sockets.Dialer
				var ac sockets.AcceptConfig
				if tt.listen != "" {
					lc.Format = mustFormat(t, tt.listen)
				}
				if tt.dial != "" {
					d.Format = mustFormat(t, tt.dial)
				}
				if tt.accept != "" {
					ac.Format = mustFormat(t, tt.accept)
				}
				l, err := lc.Listen(context.Background(), network, address)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				c, err := d.Dial(network, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				a, err := l.(interface {
					AcceptWith(sockets.AcceptConfig) (net.Conn, error)
				}).AcceptWith(ac)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				if _, isText := c.(*sockets.TextConn); isText != (tt.dialT == "text") {
					t.Errorf("dialed %T", c)
				}
				if _, isText := a.(*sockets.TextConn); isText != (tt.acceptT == "text") {
					t.Errorf("accepted %T", a)
				}
				if _, err := io.WriteString(c, text); err != nil {
					t.Fatal(err)
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(a)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.got, string(got)); diff != "" {
					t.Errorf("text differs (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestFormatAcceptInherits has Accept return what the listener's format says, and
// AcceptTCP the connection itself.
func TestFormatAcceptInherits(t *testing.T) {
	lc := sockets.ListenConfig{Format: mustFormat(t, "cp037,nel")}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		c, err := sockets.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, ok := a.(*sockets.TextConn); !ok {
		t.Errorf("Accept returned %T, want *sockets.TextConn", a)
	}
	b, err := l.(*sockets.TCPListener).AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}

// TestFormatRefused lists formats and sizes that a connection cannot have.
func TestFormatRefused(t *testing.T) {
	var badNewline sockets.ExternalFormat
	badNewline.Newline = 99
	tests := []struct {
		name    string
		network string
		format  sockets.ExternalFormat
		in, out int
		want    any
	}{
		{"datagrams", "udp", mustFormat(t, "utf-16"), 0, 0, new(*sockets.ArgumentError)},
		{"records", "unixpacket", mustFormat(t, "utf-16"), 0, 0, new(*sockets.ArgumentError)},
		{"unknown newline", "tcp", badNewline, 0, 0, new(*sockets.FormatError)},
		{"negative input buffer", "tcp", mustFormat(t, "utf-16"), -1, 0, new(*sockets.ArgumentError)},
		{"small output buffer", "unix", mustFormat(t, "utf-16"), 0, 3, new(*sockets.ArgumentError)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := sockets.Dialer{Format: tt.format, InputBufferSize: tt.in, OutputBufferSize: tt.out, Timeout: time.Minute}
			c, err := d.Dial(tt.network, "127.0.0.1:1")
			checkRefused(t, c == nil, err, "dial", tt.want)
			lc := sockets.ListenConfig{Format: tt.format, InputBufferSize: tt.in, OutputBufferSize: tt.out}
			if tt.network == "udp" {
				p, err := lc.ListenPacket(context.Background(), tt.network, "127.0.0.1:0")
				checkRefused(t, p == nil, err, "listen", tt.want)
				return
			}
			l, err := lc.Listen(context.Background(), tt.network, filepath.Join(t.TempDir(), "s"))
			checkRefused(t, l == nil, err, "listen", tt.want)
		})
	}
}

func checkRefused(t *testing.T, isNil bool, err error, op string, want any) {
	t.Helper()
	var oe *net.OpError
	if !isNil || !errors.As(err, &oe) || oe.Op != op || !errors.As(err, want) {
		t.Errorf("%s: nil result %v, error %v; want a *net.OpError with %T", op, isNil, err, want)
	}
}

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
			if tt.network == "mptcp" {
				socktest.NeedMultipath(t)
			}
			addrs := slices.Clone(tt.addrs)
			c, err := tt.d.DialAddrs(t.Context(), tt.network, addrs)
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

// knowAll is a context that has the same value for every key.
type knowAll struct {
	context.Context
	value any
}

func (ctx knowAll) Value(any) any { return ctx.value }

// keysOnly is a context that accepts only keys.
type keysOnly struct{ context.Context }

func (ctx keysOnly) Value(key any) any {
	_ = reflect.TypeOf(key).Name() // panics for nil
	return ctx.Context.Value(key)
}

// What a context has for the key of a trace and is none is ignored, as by package net.
func TestDialStrangeContext(t *testing.T) {
	if sockets.HooksIn(keysOnly{t.Context()}, nil).IsValid() {
		t.Error("there are hooks without a key")
	}
	l := conntest.Listen4(t)
	contexts := map[string]context.Context{"keys only": keysOnly{t.Context()}}
	for _, value := range []any{
		new(int), (*int)(nil), 1, "", struct{}{}, &struct{ sync.Mutex }{}, func() {},
		&httptrace.ClientTrace{}, (*httptrace.ClientTrace)(nil),
		httptrace.ClientTrace{ConnectStart: func(string, string) { t.Error("this is for net/http") }},
		struct{ ConnectStart func(network, addr string) }{func(string, string) { t.Error("this is no trace") }},
	} {
		contexts[fmt.Sprintf("%T", value)] = knowAll{t.Context(), value}
	}
	for name, ctx := range contexts {
		t.Run(name, func(t *testing.T) {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
			socktest.Check(t, err)
			c.Close()
			c, err = new(sockets.Dialer).DialContext(ctx, "tcp", l.Addr().String())
			socktest.Check(t, err)
			c.Close()
		})
	}
}

// TestOptionsApplied checks when Options take effect: after the defaults and after
// Control, in order, and before bind and connect.
func TestOptionsApplied(t *testing.T) {
	socktest.NeedOption(t, "SO_BINDTODEVICE")
	var seen []string
	control := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			seen = append(seen, "control")
			socktest.Check(t, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1<<14))
		})
	}
	settings := []sockopt.Setting{
		sockopt.SendBuffer.With(1 << 15), sockopt.SendBuffer.With(1 << 16), // the last counts
		sockopt.KeepAlive.With(false), // a default is on
		sockopt.BindToDevice.With("lo"),
	}
	wantOptions := func(c any) {
		t.Helper()
		size, err := sockopt.SendBuffer.Get(c.(syscall.Conn))
		socktest.Check(t, err)
		alive, err := sockopt.KeepAlive.Get(c.(syscall.Conn))
		socktest.Check(t, err)
		device, err := sockopt.BindToDevice.Get(c.(syscall.Conn))
		socktest.Check(t, err)
		// The kernel doubles the size, socket(7).
		if size != 1<<17 || alive || device != "lo" {
			t.Errorf("%T has buffer size %d, keep-alive %v, device %q", c, size, alive, device)
		}
	}
	for _, network := range []string{"tcp4", "udp4"} {
		lc := sockets.ListenConfig{Control: control, Options: settings}
		var address string
		if network == "tcp4" {
			l, err := lc.Listen(t.Context(), network, "127.0.0.1:0")
			socktest.Check(t, err)
			socktest.CloseLater(t, l)
			wantOptions(l)
			address = l.Addr().String()
		} else {
			c, err := lc.ListenPacket(t.Context(), network, "127.0.0.1:0")
			socktest.Check(t, err)
			socktest.CloseLater(t, c)
			wantOptions(c)
			address = c.LocalAddr().String()
		}
		d := sockets.Dialer{Control: control, Options: settings}
		c, err := d.Dial(network, address)
		socktest.Check(t, err)
		socktest.CloseLater(t, c)
		wantOptions(c)
	}
	if diff := cmp.Diff([]string{"control", "control", "control", "control"}, seen); diff != "" {
		t.Errorf("calls of Control (-want +got):\n%s", diff)
	}

	// Two sockets on one port: the option came before bind.
	lc := sockets.ListenConfig{Options: []sockopt.Setting{sockopt.ReusePort.With(true)}}
	first, err := lc.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, first)
	again, err := lc.ListenPacket(t.Context(), "udp4", first.LocalAddr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, again)
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	socktest.Check(t, err)
	socktest.CloseLater(t, l)
	m, err := lc.Listen(t.Context(), "tcp", l.Addr().String())
	socktest.Check(t, err)
	socktest.CloseLater(t, m)

	lc = sockets.ListenConfig{Options: []sockopt.Setting{sockopt.PassCred.With(true)}}
	u, err := lc.ListenPacket(t.Context(), "unixgram", "")
	socktest.Check(t, err)
	socktest.CloseLater(t, u)
	if on, err := sockopt.PassCred.Get(u.(syscall.Conn)); !on || err != nil {
		t.Errorf("PassCred on a unix socket is %v, %v", on, err)
	}
}

// TestOptionsFail names the option that failed, and leaves no descriptor.
func TestOptionsFail(t *testing.T) {
	addresses := map[string]string{
		"tcp4": conntest.Listen4(t).Addr().String(), "udp4": conntest.Packets(t, "udp4").LocalAddr().String(),
		"unix": conntest.ListenOn(t, "unix").Addr().String(), "unixgram": "@nobody",
	}
	tests := []struct {
		name    string
		setting sockopt.Setting
		option  string
		want    error
		network []string
	}{
		{"value out of range", sockopt.TTL.With(256), "IP_TTL", syscall.EINVAL, []string{"tcp4", "udp4"}},
		{"value too small", sockopt.SendBuffer.With(-1), "SO_SNDBUF", syscall.EINVAL, []string{"tcp4", "udp4", "unix", "unixgram"}},
		{"no such device", sockopt.BindToDevice.With("nosuchdevice"), "SO_BINDTODEVICE", syscall.ENODEV, []string{"tcp4", "udp4"}},
		{"not for this kind", sockopt.NoDelay.With(true), "TCP_NODELAY", errors.ErrUnsupported, []string{"udp4", "unix", "unixgram"}},
	}
	for _, tt := range tests {
		for _, network := range tt.network {
			t.Run(tt.name+" "+network, func(t *testing.T) {
				settings := []sockopt.Setting{sockopt.ReuseAddr.With(true), tt.setting}
				d := sockets.Dialer{Options: settings}
				lc := sockets.ListenConfig{Options: settings}
				before := socktest.OpenFiles()
				for op, call := range map[string]func() error{
					"dial": func() error {
						return socktest.ErrOf(d.Dial(network, addresses[network]))
					},
					"listen": func() error {
						if network == "tcp4" || network == "unix" {
							return socktest.ErrOf(lc.Listen(t.Context(), network, conntest.LoopbackOf(network)))
						}
						return socktest.ErrOf(lc.ListenPacket(t.Context(), network, conntest.LoopbackOf(network)))
					},
				} {
					err := call()
					socktest.WantError(t, err, op, tt.want)
					var option *sockopt.Error
					if !errors.As(err, &option) || option.Option != tt.option || !strings.Contains(err.Error(), tt.option) {
						t.Errorf("%s: %v, want an OptionError of %s", op, err, tt.option)
					}
					var outer *net.OpError
					if errors.As(err, &outer) && outer.Net != network {
						t.Errorf("%s: network %q, want %q", op, outer.Net, network)
					}
					if op == "dial" && (outer.Addr == nil || outer.Addr.String() != addresses[network]) {
						t.Errorf("dial: address %v, want %s", outer.Addr, addresses[network])
					}
				}
				if diff := cmp.Diff(before, socktest.OpenFiles()); diff != "" {
					t.Errorf("open descriptors (-before +after):\n%s", diff)
				}
			})
		}
	}
}

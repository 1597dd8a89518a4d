//go:build linux

package parity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"net/netip"
	"testing"
	"time"

	"github.com/iolib-go/sockets/internal/socktest"
	"golang.org/x/net/dns/dnsmessage"
)

// zone is what the tests' name server knows.
var zone = map[string][]string{
	"both.test.":  {"127.0.0.1", "::1"},
	"v4.test.":    {"127.0.0.1"},
	"v6.test.":    {"::1"},
	"many.test.":  {"127.0.0.2", "127.0.0.3", "127.0.0.1"},
	"empty.test.": {},
	"mute.test.":  nil, // no answer comes
}

// resolver returns a resolver that asks a name server on the loopback interface.
func (e *env) resolver() *net.Resolver {
	e.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	e.ok(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := answerTo(buf[:n]); answer != nil {
				server.WriteTo(answer, from)
			}
		}
	}()
	e.onExit(func() { server.Close(); <-done })
	return &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "udp", server.LocalAddr().String())
		},
	}
}

// answerTo is the answer to a DNS question, nil for none.
func answerTo(question []byte) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(question)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	addrs, known := zone[q.Name.String()]
	if known && addrs == nil {
		return nil
	}
	header.Response, header.Authoritative = true, true
	if !known {
		header.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(nil, header)
	if b.StartQuestions() != nil || b.Question(q) != nil || b.StartAnswers() != nil {
		return nil
	}
	rh := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}
	for _, s := range addrs {
		a := netip.MustParseAddr(s)
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			err = b.AResource(rh, dnsmessage.AResource{A: a.As4()})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			err = b.AAAAResource(rh, dnsmessage.AAAAResource{AAAA: a.As16()})
		}
		if err != nil {
			return nil
		}
	}
	answer, err := b.Finish()
	if err != nil {
		return nil
	}
	return answer
}

func TestParityNames(t *testing.T) {
	var rows []parityRow
	add := func(name string, do func(e *env)) { rows = append(rows, parityRow{name, do}) }
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		for _, network := range []string{"tcp", "tcp4", "tcp6"} {
			for _, host := range []string{"both.test", "v4.test", "v6.test", "many.test", "none.test", "empty.test"} {
				for _, delay := range []time.Duration{0, -1, 10 * time.Millisecond} {
					if delay != 0 && host != "both.test" {
						continue
					}
					add(fmt.Sprintf("%s on %s %s, FallbackDelay %v", listen, network, host, delay), func(e *env) {
						l, err := net.Listen("tcp", listen)
						e.ok(err)
						defer l.Close()
						_, port, err := net.SplitHostPort(l.Addr().String())
						e.ok(err)
						d := e.dialer(net.Dialer{Resolver: e.resolver(), FallbackDelay: delay, Timeout: 20 * time.Second})
						e.see("Dial")(d.dial(network, net.JoinHostPort(host, port)))
					})
				}
			}
		}
	}
	for _, network := range []string{"udp", "udp4", "udp6", "ip4:253", "ip6:253", "ip:253"} {
		for _, host := range []string{"both.test", "v4.test", "v6.test", "none.test"} {
			add(network+" "+host, func(e *env) {
				address := host
				if network[0] == 'u' {
					address += ":9"
				}
				e.see("Dial")(e.dialer(net.Dialer{Resolver: e.resolver()}).dial(network, address))
			})
		}
	}
	add("port names", func(e *env) {
		d := e.dialer(net.Dialer{Resolver: e.resolver(), Timeout: -1})
		e.see("Dial")(d.dial("tcp", "127.0.0.1:http"))
		e.see("Dial")(d.dial("tcp", "127.0.0.1:nosuchservice"))
		e.see("Dial")(d.dial("udp", "127.0.0.1:domain"))
	})
	add("cancelled during the lookup", func(e *env) {
		ctx, cancel := context.WithCancelCause(context.Background())
		r := e.resolver()
		dial := r.Dial
		r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			defer cancel(errOwn)
			return dial(ctx, network, address)
		}
		e.see("DialContext")(e.dialer(net.Dialer{Resolver: r}).dialContext(ctx, "tcp", "mute.test:1"))
	})
	add("timeout during the lookup", func(e *env) {
		d := e.dialer(net.Dialer{Resolver: e.resolver(), Timeout: 50 * time.Millisecond})
		e.see("Dial")(d.dial("tcp", "mute.test:1"))
	})
	add("the resolver fails", func(e *env) {
		r := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errOwn }}
		_, err := e.dialer(net.Dialer{Resolver: r}).dial("tcp", "both.test:1")
		var dns *net.DNSError
		e.see("Dial")(errors.As(err, &dns), dns.Name, dns.IsNotFound, dns.IsTimeout)
	})
	add("LocalAddr and a name", func(e *env) {
		l, err := net.Listen("tcp", ":0")
		e.ok(err)
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		e.ok(err)
		for _, local := range []net.IP{net.IPv4(127, 0, 0, 9), net.IPv6loopback, net.IPv4zero, net.IPv6unspecified} {
			d := e.dialer(net.Dialer{Resolver: e.resolver(), LocalAddr: &net.TCPAddr{IP: local}})
			e.see("Dial both")(d.dial("tcp", "both.test:"+port))
			e.see("Dial v4")(d.dial("tcp", "v4.test:"+port))
			e.see("Dial v6")(d.dial("tcp", "v6.test:"+port))
			e.see("Dial tcp6")(d.dial("tcp6", "v4.test:"+port))
		}
	})
	add("hooks", func(e *env) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		e.ok(err)
		defer l.Close()
		for _, host := range []string{"v4.test", "many.test", "none.test"} {
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
				DNSStart:     func(info httptrace.DNSStartInfo) { e.see("DNSStart")(info.Host) },
				DNSDone:      func(info httptrace.DNSDoneInfo) { e.see("DNSDone")(len(info.Addrs), info.Err, info.Coalesced) },
				ConnectStart: func(network, addr string) { e.see("ConnectStart")(network, addr) },
				ConnectDone:  func(network, addr string, err error) { e.see("ConnectDone")(network, addr, err) },
			})
			port := l.Addr().(*net.TCPAddr).Port
			e.see("DialContext")(e.dialer(net.Dialer{Resolver: e.resolver()}).dialContext(ctx, "tcp4", fmt.Sprintf("%s:%d", host, port)))
		}
	})
	runParity(t, rows)
}

// Two addresses of which the first does not answer.
func TestParityHappyEyeballs(t *testing.T) {
	socktest.NeedIPv6(t)
	// between fails unless it took between the two times.
	between := func(e *env, start time.Time, least, most time.Duration) {
		if d := time.Since(start); d < least || d >= most {
			e.Errorf("%s: took %v, not %v to %v", e.name, d, least, most)
		}
	}
	mute6 := func(e *env) (l net.Listener, address string) {
		for range 10 {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			e.ok(err)
			e.onExit(func() { l.Close() })
			port := l.Addr().(*net.TCPAddr).Port
			if socktest.FullListener(e, fmt.Sprintf("[::1]:%d", port)) != "" {
				return l, fmt.Sprintf("both.test:%d", port)
			}
		}
		e.Fatal("no port is free for both families")
		return nil, ""
	}
	runParityParallel(t, []parityRow{
		{"FallbackDelay", func(e *env) {
			_, address := mute6(e)
			start := time.Now()
			c, err := e.dialer(net.Dialer{Resolver: e.resolver(), FallbackDelay: 50 * time.Millisecond, Timeout: 20 * time.Second}).dial("tcp", address)
			e.see("Dial")(c, err)
			between(e, start, 50*time.Millisecond, 5*time.Second)
		}},
		{"default delay", func(e *env) {
			_, address := mute6(e)
			start := time.Now()
			c, err := e.dialer(net.Dialer{Resolver: e.resolver(), Timeout: 20 * time.Second}).dial("tcp", address)
			e.see("Dial")(c, err)
			between(e, start, 300*time.Millisecond, 5*time.Second)
		}},
		{"no fallback, a share of the time each", func(e *env) {
			_, address := mute6(e)
			start := time.Now()
			c, err := e.dialer(net.Dialer{Resolver: e.resolver(), FallbackDelay: -1, Timeout: 6 * time.Second}).dial("tcp", address)
			e.see("Dial")(c, err)
			between(e, start, 2900*time.Millisecond, 6*time.Second)
		}},
		{"no fallback, 2 seconds at least", func(e *env) {
			_, address := mute6(e)
			start := time.Now()
			c, err := e.dialer(net.Dialer{Resolver: e.resolver(), FallbackDelay: -1, Timeout: 3 * time.Second}).dial("tcp", address)
			e.see("Dial")(c, err)
			between(e, start, 1900*time.Millisecond, 3*time.Second)
		}},
		{"no fallback, no time for the second", func(e *env) {
			_, address := mute6(e)
			_, err := e.dialer(net.Dialer{Resolver: e.resolver(), FallbackDelay: -1, Timeout: 200 * time.Millisecond}).dial("tcp", address)
			// Which address the error names depends on whether the context ends
			// before or after it is asked, so only the kind is compared.
			var timeout net.Error
			e.see("Dial")(errors.As(err, &timeout) && timeout.Timeout())
		}},
		{"both refused", func(e *env) {
			l, address := mute6(e)
			l.Close()
			c, err := e.dialer(net.Dialer{Resolver: e.resolver(), FallbackDelay: time.Millisecond, Timeout: 300 * time.Millisecond}).dial("tcp", address)
			e.see("Dial")(c, err != nil)
		}},
	})
}
